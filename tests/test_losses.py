"""losses: values against NumPy, derivatives against central differences, extreme logits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minisam.losses import (
    softmax_cross_entropy,
    softmax_cross_entropy_curvature,
    squared_error,
    squared_error_curvature,
)
from tests.rows import few

shapes = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4))  # (S, batch, k)
seeds = st.integers(0, 2**32 - 1)


def logits_and_labels(seed, shape):
    rng = np.random.default_rng(seed)
    return 3 * rng.standard_normal(shape), rng.integers(shape[-1], size=shape[:-1])


def central_difference(f, z):
    """Derivative of the sum of ``f`` (...,) by ``z``: two step sizes, extrapolated."""
    d = np.zeros_like(z)
    for i in np.ndindex(z.shape):
        e = np.zeros_like(z)
        e[i] = 1e-3
        slope = lambda h: (f(z + h * e).sum() - f(z - h * e).sum()) / (2e-3 * h)  # noqa: B023
        d[i] = (4 * slope(0.5) - slope(1)) / 3
    return d


@few(10)
@given(seed=seeds, shape=shapes)
def test_softmax_cross_entropy(backend, seed, shape):
    z, y = logits_and_labels(seed, shape)
    z = backend.host(z)
    loss, d = (backend.get(x) for x in softmax_cross_entropy(backend.put(z), backend.put(y)))
    z = z.astype("float64")
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    picked = np.take_along_axis(p, y[..., None], -1)[..., 0]
    assert loss.shape == shape[:1]
    assert np.abs(loss + np.log(picked).mean(-1)).max() <= 64 * backend.u
    assert np.abs(d - (p - np.eye(shape[-1])[y]) / shape[1]).max() <= 16 * backend.u


@few(10)
@given(seed=seeds, shape=shapes)
def test_squared_error(backend, seed, shape):
    z, t = (backend.host(x) for x in np.random.default_rng(seed).standard_normal((2, *shape)))
    loss, d = (backend.get(x) for x in squared_error(backend.put(z), backend.put(t)))
    r = z.astype("float64") - t
    assert loss.shape == shape[:1]
    assert np.abs(loss - 0.5 * (r**2).sum(-1).mean(-1)).max() <= 64 * backend.u
    assert np.abs(d - r / shape[1]).max() <= 16 * backend.u


@few(10)
@given(seed=seeds, shape=shapes)
def test_derivatives_are_the_values_derivatives(seed, shape):
    z, y = logits_and_labels(seed, shape)
    for loss, target in ((softmax_cross_entropy, y), (squared_error, np.flip(z, 0))):
        expected = central_difference(lambda v: loss(v, target)[0], z)  # noqa: B023
        assert np.abs(loss(z, target)[1] - expected).max() <= 1e-7


def test_logits_of_any_size(backend):
    z, y = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]), np.array([1, 1])
    loss, d = (backend.get(x) for x in softmax_cross_entropy(backend.put(z), backend.put(y)))
    assert abs(loss - (2e4 + np.log(2)) / 2) <= 64 * backend.u * 2e4
    assert np.array_equal(d, [[0.5, -0.5, 0.0], [0.0, -0.25, 0.25]])


@few(10)
@given(seed=seeds, shape=shapes, shift=st.integers(-1000, 1000))
def test_a_common_shift_of_the_logits_changes_nothing(seed, shape, shift):
    z, y = logits_and_labels(seed, shape)
    z = np.round(z * 1024) / 1024  # so that the shift is exact
    (loss, d), (shifted, d_shifted) = (softmax_cross_entropy(x, y) for x in (z, z + shift))
    assert np.array_equal(loss, shifted)
    assert np.array_equal(d, d_shifted)


def test_the_labels_of_one_data_set_serve_a_population():
    z, y = logits_and_labels(0, (3, 5, 4))
    loss, d = softmax_cross_entropy(z, y[0])
    for i in range(3):
        alone, d_alone = softmax_cross_entropy(z[i], y[0])
        assert np.array_equal(loss[i], alone)
        assert np.array_equal(d[i], d_alone)


def test_float32_stays_float32():
    z = np.zeros((2, 3), "float32")
    for loss, y in ((softmax_cross_entropy, np.array([0, 2])), (squared_error, z)):
        value, d = loss(z, y)
        assert value.dtype == d.dtype == "float32"


@few(10)
@given(seed=seeds, shape=shapes)
def test_curvatures_are_the_derivatives_derivatives(backend, seed, shape):
    """Also where logits differ by 1e4 from one example to the next."""
    rng = np.random.default_rng(seed)
    z, Rz = backend.host(3 * rng.standard_normal(shape)), backend.host(rng.standard_normal(shape))
    p = np.exp(z.astype("float64"))
    p /= p.sum(-1, keepdims=True)
    expected = p * (Rz - (p * Rz).sum(-1, keepdims=True)) / shape[1]
    far = z + backend.host(np.where(rng.random(shape[:2]) < 0.5, 1e4, -1e4)[..., None])
    for logits, slack in ((z, 64), (far, 2e4)):
        found = softmax_cross_entropy_curvature(backend.put(logits), backend.put(Rz))
        assert np.abs(backend.get(found) - expected).max() <= 16 * slack * backend.u
    found = squared_error_curvature(backend.put(z), backend.put(Rz))
    assert np.abs(backend.get(found) - Rz / shape[1]).max() <= 4 * backend.u
