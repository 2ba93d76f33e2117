"""Base optimizers against loops written from their papers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from tests.rows import few, unlike

seeds = st.integers(0, 2**32 - 1)


def run(base, backend, w, gs, lrs=None):
    w, path = backend.put(w), []
    state = base.init(w)
    for t, g in enumerate(gs):
        w, state = base.update(w, backend.put(g), state, *([] if lrs is None else [lrs[t]]))
        path.append(backend.get(w))
    return np.stack(path)


def problem(backend, seed, steps=20):
    """Weights (3, 5), gradients of very different size, and a learning rate for every step."""
    rng = np.random.default_rng(seed)
    w = backend.host(rng.standard_normal((3, 5))).astype("float64")
    gs = rng.standard_normal((steps, 3, 5)) * 10 ** rng.uniform(-2, 1, 5)
    return w, backend.host(gs).astype("float64"), rng.uniform(0.001, 0.1, steps)


def sgd(w, gs, lrs, momentum, weight_decay, nesterov):
    m = 0
    for g, lr in zip(gs, lrs, strict=True):
        u = g + weight_decay * w
        m = momentum * m + u
        w = w - lr * (u + momentum * m if nesterov else m)
        yield w


def adam(w, gs, lrs, b1, b2, epsilon, coupled, decoupled):
    m = v = 0
    for t, (g, lr) in enumerate(zip(gs, lrs, strict=True), start=1):
        u = g + coupled * w
        m, v = b1 * m + (1 - b1) * u, b2 * v + (1 - b2) * u**2
        step = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + epsilon)
        w = (1 - lr * decoupled) * w - lr * step
        yield w


unit_interval = st.floats(0, 0.99)


@few(5)
@given(seed=seeds, momentum=unit_interval, decay=st.floats(0, 1), nesterov=st.booleans())
def test_sgd(backend, seed, momentum, decay, nesterov):
    w, gs, lrs = problem(backend, seed)
    nesterov = nesterov and momentum > 0
    expected = np.stack(list(sgd(w, gs, lrs, momentum, decay, nesterov)))
    found = run(ms.SGD(0.5, momentum, decay, nesterov), backend, w, gs, lrs)
    assert unlike(found, expected) <= 2000 * backend.u
    fixed = np.stack(list(sgd(w, gs, [0.05] * 20, momentum, decay, nesterov)))
    assert unlike(run(ms.SGD(0.05, momentum, decay, nesterov), backend, w, gs), fixed) <= (
        2000 * backend.u
    )


@few(5)
@given(seed=seeds, b1=unit_interval, b2=st.floats(0.5, 0.999), decay=st.floats(0, 1))
@pytest.mark.parametrize("decoupled", [False, True], ids=["Adam", "AdamW"])
def test_adam(backend, decoupled, seed, b1, b2, decay):
    w, gs, lrs = problem(backend, seed)
    base = ms.AdamW if decoupled else ms.Adam
    decays = (0, decay) if decoupled else (decay, 0)
    expected = np.stack(list(adam(w, gs, lrs, b1, b2, 1e-3, *decays)))
    found = run(base(0.5, (b1, b2), 1e-3, decay), backend, w, gs, lrs)
    # betas are double on both sides, but 1 - b2 cancels in the moments' rounding to float32
    assert unlike(found, expected) <= 4000 * backend.u
    fixed = np.stack(list(adam(w, gs, [0.05] * 20, b1, b2, 1e-3, *decays)))
    assert unlike(run(base(0.05, (b1, b2), 1e-3, decay), backend, w, gs), fixed) <= 4000 * backend.u


@pytest.mark.parametrize("base", [ms.SGD, ms.Adam, ms.AdamW])
def test_learning_rate_of_each_member(backend, base):
    w, gs, _ = problem(backend, 0, steps=1)
    lr = backend.host(np.array([[0.0], [0.1], [0.2]])).astype("float64")
    together = run(base(0.3), backend, w, gs, [backend.put(lr)])[0]
    assert np.array_equal(together[0], backend.host(w)[0])
    for i in (1, 2):
        alone = run(base(float(lr[i, 0])), backend, w[i], gs[:, i])[0]
        assert unlike(alone, together[i]) <= 4 * backend.u


def test_defaults_are_pytorchs():
    assert ms.SGD(0.1) == ms.SGD(0.1, momentum=0.0, weight_decay=0.0, nesterov=False)
    assert ms.Adam() == ms.Adam(1e-3, (0.9, 0.999), 1e-8, 0.0)
    assert ms.AdamW() == ms.AdamW(1e-3, (0.9, 0.999), 1e-8, 1e-2)


def test_states_start_at_zero_beside_the_weights(backend):
    w = backend.put(np.ones((2, 3)))
    assert ms.SGD(0.1).init(w) is None
    for base in (ms.Adam(), ms.AdamW()):
        t, m, v = base.init(w)
        assert t == 0
        assert np.array_equal(backend.get(m), np.zeros((2, 3)))
        assert np.array_equal(backend.get(v), np.zeros((2, 3)))
    assert np.array_equal(backend.get(ms.SGD(0.1, 0.9).init(w)), np.zeros((2, 3)))


@pytest.mark.parametrize(
    "base", [ms.SGD(0.1), ms.SGD(0.1, 0.9, 0.01), ms.Adam(weight_decay=0.1), ms.AdamW()], ids=repr
)
def test_a_state_can_be_used_twice(backend, base):
    """Nothing is written in place: the same state gives the same step again."""
    w, gs, _ = problem(backend, 3, steps=3)
    w, gs = backend.put(w), [backend.put(g) for g in gs]
    _, state = base.update(w, gs[0], base.init(w))
    first, later = base.update(w, gs[1], state)
    base.update(first, gs[2], later)
    again, _ = base.update(w, gs[1], state)
    assert np.array_equal(backend.get(first), backend.get(again))
