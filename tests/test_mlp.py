"""MLP: gradients against central differences, layout, initialization, populations."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minisam as ms
from tests.backends import NUMPY, NUMPY32
from tests.rows import few, unlike

seeds = st.integers(0, 2**32 - 1)
architectures = st.builds(
    ms.MLP,
    st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple),
    activation=st.sampled_from(["relu", "tanh", "identity"]),
    loss=st.sampled_from(["softmax", "mse"]),
)


def data(net, seed, lead=(), batch=6):
    """Random parameters, inputs, and labels or targets."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((*lead, net.n)) / math.sqrt(max(net.sizes))
    X = rng.standard_normal((*lead, batch, net.sizes[0]))
    if net.loss == "mse":
        return w, X, rng.standard_normal((*lead, batch, net.sizes[-1]))
    return w, X, rng.integers(net.sizes[-1], size=(*lead, batch))


def forward(net, w, X):
    """The network written out for one member: all layers, before their activation."""
    phi = {"relu": lambda z: z * (z > 0), "tanh": np.tanh, "identity": lambda z: z}[net.activation]
    zs, a, at = [], X, 0
    for p, q in zip(net.sizes[:-1], net.sizes[1:], strict=True):
        W, b = w[at : at + p * q].reshape(p, q), w[at + p * q : at + p * q + q]
        zs.append(a @ W + b)
        a, at = phi(zs[-1]), at + p * q + q
    assert at == len(w) == net.n
    return zs


@given(net=architectures, seed=seeds)
def test_gradient_is_the_central_difference(net, seed):
    lead, h = (2,), 1e-5
    w, X, y = data(net, seed, lead)
    if net.activation == "relu":  # differences are wrong across a kink: stay away from all
        hidden = [z for v, x in zip(w, X, strict=True) for z in forward(net, v, x)[:-1]]
        assume(all(np.abs(z).min() > 1e-3 for z in hidden))
    I = h * np.eye(net.n)
    loss = lambda v: net.loss_and_grad(v, X[:, None], y[:, None])[0]
    difference = (loss(w[:, None] + I) - loss(w[:, None] - I)) / (2 * h)
    _, g = net.loss_and_grad(w, X, y)
    assert unlike(difference, g) <= 1e-7


@few(10)
@given(net=architectures, seed=seeds)
def test_outputs_and_loss(backend, net, seed):
    w, X, y = data(net, seed)
    w, X, y = backend.host(w), backend.host(X), backend.host(y) if net.loss == "mse" else y
    z = forward(net, w.astype("float64"), X.astype("float64"))[-1]
    if net.loss == "mse":
        expected = 0.5 * ((z - y) ** 2).sum(-1).mean()
    else:
        expected = np.mean(np.log(np.exp(z).sum(-1)) - z[np.arange(len(y)), y])
    loss, g = net.loss_and_grad(backend.put(w), backend.put(X), backend.put(y))
    assert np.abs(backend.get(net(backend.put(w), backend.put(X))) - z).max() <= 500 * backend.u
    assert abs(backend.get(loss) - expected) <= 500 * backend.u * (1 + expected)
    assert backend.get(g).shape == (net.n,)
    y = y.astype("float64") if net.loss == "mse" else y
    _, exact = net.loss_and_grad(w.astype("float64"), X.astype("float64"), y)
    scale = max(1, np.abs(exact).max())
    assert np.abs(backend.get(g) - exact).max() <= 2000 * backend.u * scale


@few(10)
@given(net=architectures, seed=seeds)
def test_a_population_is_its_members(backend, net, seed):
    w, X, y = (backend.put(x) for x in data(net, seed, (2, 3)))
    z, (loss, g) = backend.get(net(w, X)), net.loss_and_grad(w, X, y)
    assert backend.get(loss).shape == (2, 3)
    for i in np.ndindex(2, 3):
        alone, g_alone = net.loss_and_grad(w[(*i, ...)], X[(*i, ...)], y[(*i, ...)])
        assert abs(backend.get(alone) - backend.get(loss)[i]) <= 256 * backend.u
        assert np.abs(backend.get(g_alone) - backend.get(g)[i]).max() <= 256 * backend.u
        z_alone = net(w[(*i, ...)], X[(*i, ...)])
        assert np.abs(backend.get(z_alone) - z[i]).max() <= 256 * backend.u


@few(10)
@given(net=architectures, seed=seeds)
def test_leading_axes_broadcast(backend, net, seed):
    """One minibatch for many networks, and many minibatches for one network."""
    ws, Xs, ys = (backend.put(x) for x in data(net, seed, (3,)))
    for w, X, y in ((ws, Xs[0, ...], ys[0, ...]), (ws[0, ...], Xs, ys)):
        loss, g = net.loss_and_grad(w, X, y)
        for i in range(3):
            at = lambda x, full: x[i, ...] if x.ndim == full.ndim else x  # noqa: B023
            alone, g_alone = net.loss_and_grad(at(w, ws), at(X, Xs), at(y, ys))
            assert abs(backend.get(alone) - backend.get(loss)[i]) <= 256 * backend.u
            assert np.abs(backend.get(g_alone) - backend.get(g)[i]).max() <= 256 * backend.u


def test_relu_has_derivative_zero_at_zero(backend):
    net = ms.MLP((1, 2, 1), loss="mse")  # both hidden units are exactly at their kink
    w = backend.put(np.array([0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0]))
    _, g = net.loss_and_grad(w, backend.put(np.ones((1, 1))), backend.put(np.ones((1, 1))))
    assert np.array_equal(backend.get(g), [0, 0, 0, 0, 0, 0, -1])


def test_layers_are_views_in_order():
    net = ms.MLP((2, 3, 1))
    w = np.arange(13.0)
    (W1, b1), (W2, b2) = net.layers(w)
    assert net.n == 13
    assert W1.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert b1.tolist() == [6, 7, 8]
    assert W2.tolist() == [[9], [10], [11]]
    assert b2.tolist() == [12]
    assert all(np.shares_memory(v, w) for v in (W1, b1, W2, b2))
    (W1, b1), _ = net.layers(np.zeros((4, 5, 13)))
    assert (W1.shape, b1.shape) == ((4, 5, 2, 3), (4, 5, 3))


def test_an_architecture_is_a_value():
    assert ms.MLP([2, 3], "tanh") == ms.MLP((2, 3), "tanh")
    assert repr(ms.MLP([2, 3])) == "MLP(sizes=(2, 3), activation='relu', loss='softmax')"


@pytest.mark.parametrize(
    ("activation", "scale"),
    [
        ("relu", lambda p, q: math.sqrt(2 / p)),  # He et al. 2015
        ("tanh", lambda p, q: math.sqrt(2 / (p + q))),  # Glorot & Bengio 2010
        ("identity", lambda p, q: math.sqrt(2 / (p + q))),
    ],
)
def test_init(backend, activation, scale):
    net = ms.MLP((5, 4, 3), activation)
    w = net.init(11, backend.xp, backend.dtype, backend.home, lead=(2, 3))
    assert w.shape == (2, 3, net.n)
    for member, row in enumerate(backend.get(w).reshape(6, -1)):
        rng = np.random.default_rng(11 + member)
        for (W, b), (p, q) in zip(net.layers(row), [(5, 4), (4, 3)], strict=True):
            drawn = scale(p, q) * rng.standard_normal((p, q))
            assert np.array_equal(W, drawn.astype(backend.dtype))
            assert np.all(b == 0)


def test_init_by_default_is_one_float32_network_on_the_host():
    net = ms.MLP((30, 40, 3))
    w = net.init(0)
    assert isinstance(w, np.ndarray)
    assert w.dtype == "float32"
    assert w.shape == (net.n,)
    assert abs(net.layers(w)[0][0].std() / math.sqrt(2 / 30) - 1) < 0.1
    assert np.array_equal(net.init(0, lead=(3,))[2], net.init(2))


def train(backend, rule, steps=20, activation="tanh"):
    """Return the weights after a few steps on random labels."""
    net, rng = ms.MLP((4, 6, 3), activation), np.random.default_rng(1)
    X, y = backend.put(rng.standard_normal((16, 4))), backend.put(rng.integers(3, size=16))
    w = net.init(5, backend.xp, backend.dtype, backend.home)
    opt = ms.SharpnessAware(rule, ms.SGD(0.1, momentum=0.9, weight_decay=1e-3))
    state = opt.init(w)
    for _ in range(steps):
        w, state, _ = opt.step(w, lambda v: net.loss_and_grad(v, X, y), state)
    return backend.get(w)


@pytest.mark.parametrize("rule", [None, ms.ASAM(0.5), ms.InfoSAM(0.1)], ids=str)
def test_one_seed_is_one_run_on_every_backend(backend, rule):
    reference = train(NUMPY, rule)
    assert unlike(train(backend, rule), reference) <= 1e4 * backend.u
    if backend.library == "numpy" or (backend.library == "array_api_strict" and rule is None):
        # the same kernels; the norm in eps takes a shorter way on the host
        same = NUMPY if backend.dtype == "float64" else NUMPY32
        assert np.array_equal(train(backend, rule), train(same, rule))


@few(3)
@given(seed=seeds)
@pytest.mark.parametrize(
    "rule",
    [
        None,
        ms.SAM(0.1),
        ms.ASAM(0.5),
        ms.FisherSAM(0.1),
        ms.VaSSO(0.1),
        ms.FriendlySAM(0.1),
        ms.InfoSAM(0.1),
    ],
    ids=str,
)
def test_runs_together_are_runs_alone(rule, seed):
    net, rng = ms.MLP((4, 5, 3)), np.random.default_rng(seed)
    X, y = rng.standard_normal((10, 3, 8, 4)), rng.integers(3, size=(10, 3, 8))
    opt = ms.SharpnessAware(rule, ms.SGD(0.05, momentum=0.9))

    def run(w, X, y):
        state = opt.init(w)
        for x, labels in zip(X, y, strict=True):
            w, state, _ = opt.step(w, lambda v: net.loss_and_grad(v, x, labels), state)  # noqa: B023
        return w

    w = net.init(seed, dtype="float64", lead=(3,))
    together = run(w, X, y)
    for i in range(3):
        assert unlike(run(w[i], X[:, i], y[:, i]), together[i]) <= 1e-11
