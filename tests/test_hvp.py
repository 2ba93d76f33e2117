"""The R-operator against central differences of the gradient, PyTorch, and its own symmetry."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minisam.mlp import MLP


@st.composite
def problems(draw, activation=None, lead=True):
    """A net with 0 to 2 hidden layers, weights and biases, data, and a unit direction."""
    activation = activation or draw(st.sampled_from(["relu", "tanh", "identity"]))
    width = st.integers(1, 4)
    hidden = draw(st.lists(width, min_size=0 if activation == "identity" else 1, max_size=2))
    net = MLP(
        (draw(width), *hidden, draw(st.integers(2, 4))),
        activation,
        draw(st.sampled_from(["softmax", "mse"])),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lead = draw(st.sampled_from([(), (3,), (2, 3)])) if lead else ()
    batch, k = draw(st.integers(1, 6)), net.sizes[-1]
    X = rng.standard_normal((batch, net.sizes[0]))
    y = rng.integers(0, k, batch) if net.loss == "softmax" else rng.standard_normal((batch, k))
    w, v = rng.standard_normal((2, *lead, net.n))
    return net, w, X, y, v / np.linalg.norm(v, axis=-1, keepdims=True)


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
@given(data=st.data())
def test_hvp_is_the_central_difference_of_the_gradient(activation, data):
    net, w, X, y, v = data.draw(problems(activation))
    h = 1e-5
    # relu: only where no unit switches between w - h v and w + h v is there a Hessian to speak of
    ends = [net.forward(w + s * h * v, X)[1:-1] for s in (1, -1)]
    if activation == "relu":
        assume(all(np.array_equal(a > 0, b > 0) for a, b in zip(*ends, strict=True)))
    ahead, behind = (net.loss_and_grad(w + s * h * v, X, y)[1] for s in (1, -1))
    Hv = net.hvp(w, X, y, v)
    assert Hv.shape == w.shape
    np.testing.assert_allclose(Hv, (ahead - behind) / (2 * h), atol=1e-7 * max(1, np.abs(Hv).max()))


@given(problems(), st.floats(-3, 3))
def test_hessian_is_symmetric_and_linear(problem, c):
    net, w, X, y, v = problem
    u = np.roll(v, 1, axis=-1)
    Hu, Hv = net.hvp(w, X, y, u), net.hvp(w, X, y, v)
    size = 1 + np.abs(Hu).max() + np.abs(Hv).max()
    np.testing.assert_allclose(np.sum(v * Hu, -1), np.sum(u * Hv, -1), atol=1e-12 * size * net.n)
    np.testing.assert_allclose(net.hvp(w, X, y, u + c * v), Hu + c * Hv, atol=1e-13 * size * net.n)


@given(problems(lead=False))
def test_a_stack_of_directions_is_the_directions_one_by_one(problem):
    net, w, X, y, v = problem
    H = net.hvp(w, X, y, np.eye(net.n))
    Hv = net.hvp(w, X, y, v)
    assert H.shape == (net.n, net.n)
    np.testing.assert_allclose(v @ H, Hv, rtol=1e-11, atol=1e-11 * (1 + np.abs(H).max()))


@given(problems(lead=False))
def test_one_direction_serves_a_population(problem):
    net, w, X, y, v = problem
    ws = np.stack([w, -w, 2 * w])
    Hv = net.hvp(ws, X, y, v)
    for i in range(3):
        np.testing.assert_allclose(Hv[i], net.hvp(ws[i], X, y, v), rtol=1e-11, atol=1e-11)


def test_linear_least_squares_has_the_hessian_of_the_textbook():
    rng = np.random.default_rng(0)
    net = MLP((3, 1), "identity", "mse")
    X, y = rng.standard_normal((8, 3)), rng.standard_normal((8, 1))
    w = rng.standard_normal(net.n)
    A = np.hstack([X, np.ones((8, 1))])  # a bias is the weight of a constant input
    np.testing.assert_allclose(net.hvp(w, X, y, np.eye(4)), A.T @ A / 8, atol=1e-14)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss", ["softmax", "mse"])
def test_every_backend_gives_the_same_product_where_its_arrays_live(backend, activation, loss):
    net, rng = MLP((3, 4, 3), activation, loss), np.random.default_rng(1)
    X = rng.standard_normal((5, 3))
    y = rng.integers(0, 3, 5) if loss == "softmax" else X
    w, v = rng.standard_normal((2, 2, net.n))
    Hv = backend.get(net.hvp(*map(backend.put, (w, X, y, v))))
    np.testing.assert_allclose(Hv, net.hvp(w, X, y, v), atol=50 * backend.u)


@pytest.mark.parametrize(
    "v, said",
    [
        (np.zeros(5), "v must have shape"),
        (np.zeros(9, "float32"), "dtype of w"),
        (array_api_strict.zeros(9), "v is a array_api_strict Array but w is a numpy ndarray"),
    ],
)
def test_a_wrong_direction_is_named(v, said):
    net = MLP((2, 3), "tanh", "mse")
    with pytest.raises(ValueError, match=said):
        net.hvp(np.zeros(9), np.zeros((4, 2)), np.zeros((4, 3)), v)


def test_wrong_targets_are_named():
    net = MLP((2, 3), "tanh", "mse")
    with pytest.raises(ValueError, match="y must have shape"):
        net.hvp(np.zeros(9), np.zeros((4, 2)), np.zeros((3, 3)), np.zeros(9))


@pytest.mark.peers
@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
@pytest.mark.parametrize("loss", ["softmax", "mse"])
def test_hvp_is_pytorchs_double_backward(activation, loss):
    torch = pytest.importorskip("torch")
    net, rng = MLP((4, 6, 5, 3), activation, loss), np.random.default_rng(3)
    X = torch.asarray(rng.standard_normal((7, 4)))
    y = torch.asarray(rng.integers(0, 3, 7) if loss == "softmax" else rng.standard_normal((7, 3)))
    w, v = torch.asarray(rng.standard_normal((2, net.n)))

    def value(w):  # written in torch, so that its autograd does all the work
        a, phi = X, {"relu": torch.relu, "tanh": torch.tanh, "identity": lambda z: z}[activation]
        for l, (W, b) in enumerate(net.layers(w)):
            a = a @ W + b
            a = phi(a) if l < 2 else a
        if loss == "softmax":
            return torch.nn.functional.cross_entropy(a, y)
        return ((a - y) ** 2).sum(-1).mean() / 2

    _, expected = torch.autograd.functional.hvp(value, w, v)
    torch.testing.assert_close(net.hvp(w, X, y, v), expected, rtol=1e-11, atol=1e-12)
