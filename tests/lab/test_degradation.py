"""What noise costs the ascent, against the closed form on a quadratic and the plain formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisam import SAM
from minisam.backend import namespace
from minisam.lab.data import load
from minisam.lab.degradation import degradation
from minisam.lab.train import train
from minisam.mlp import MLP

vectors = st.integers(0, 2**32).map(lambda s: np.random.default_rng(s).standard_normal((3, 4)))


@given(vectors, st.floats(0.01, 2))
def test_quadratic(rows, rho):
    """On f = lam/2 ||x||^2 the ascent along a unit u is rho lam <x, u> + lam rho^2 / 2, so the lost
    ascent is rho lam ||x|| (1 - cosine)."""
    x, noise, _ = rows
    lam = 1.7
    full = lambda x: (lam * x @ x / 2, lam * x)
    eps, _ = SAM(rho).perturb(x, lam * x + noise, None)
    seen = degradation(full, x, eps)
    u, size = (lam * x + noise) / np.linalg.norm(lam * x + noise), np.linalg.norm(x)
    np.testing.assert_allclose(seen.cosine, u @ x / size, atol=1e-12)
    np.testing.assert_allclose(seen.lost, rho * lam * size * (1 - u @ x / size), atol=1e-11)
    np.testing.assert_allclose(seen.possible, rho * lam * size + lam * rho**2 / 2, rtol=1e-11)
    np.testing.assert_allclose(seen.ascent, seen.possible - seen.lost, atol=1e-11)


@given(vectors)
def test_without_noise_nothing_is_lost(rows):
    x, b, _ = rows
    full = lambda x: (np.sum(np.cosh(x + b)), np.sinh(x + b))
    seen = degradation(full, x, SAM(0.3).perturb(x, full(x)[1], None)[0])
    np.testing.assert_allclose(seen.cosine, 1, rtol=1e-12)
    np.testing.assert_allclose(seen.lost, 0, atol=1e-11)


def test_eps_zero_is_legal_and_lengths_are_compared_like_with_like():
    full = lambda x: (np.sum(x, axis=-1), np.ones_like(x))
    assert degradation(full, np.zeros(2), np.zeros(2)) == (0, 0, 0, 0)
    eps = np.array([[3.0, 4.0], [0.0, -1.0]])  # lengths 5 and 1, a population of two
    seen = degradation(full, np.zeros((2, 2)), eps)
    np.testing.assert_allclose(seen.possible, np.sqrt(2) * np.array([5, 1]))
    np.testing.assert_allclose(seen.ascent, [7, -1])
    np.testing.assert_allclose(seen.cosine, [7 / 5 / np.sqrt(2), -1 / np.sqrt(2)])


def test_a_perturbation_of_another_shape_is_refused():
    for wrong in np.ones(3), np.ones((2, 2)):
        with pytest.raises(ValueError, match=r"eps must have the shape of w, \(2,\), got"):
            degradation(lambda w: (np.sum(w), w), np.ones(2), wrong)


def test_every_backend_measures_the_same_where_its_arrays_live(backend):
    w, eps = backend.put([[1.0, 2.0]]), backend.put([[0.5, 0.0]])
    xp = namespace(w)
    seen = degradation(lambda w: (xp.sum(w * w, axis=-1), 2 * w), w, eps)
    cosine, ascent, possible, lost = map(backend.get, seen)
    np.testing.assert_allclose(ascent, [1.25], rtol=10 * backend.u)
    np.testing.assert_allclose(possible, [0.5 * 20**0.5 + 0.25], rtol=10 * backend.u)
    np.testing.assert_allclose(cosine, [1 / 5**0.5], rtol=10 * backend.u)
    np.testing.assert_allclose(lost, possible - ascent, rtol=10 * backend.u)


def test_in_training_it_agrees_with_the_record():
    net, data = MLP((64, 8, 10)), load("digits", label_noise=0.5)
    for record in train(net, data, SAM(0.1), epochs=2):
        seen = degradation(lambda w: net.loss_and_grad(w, *data.train), record.at, record.eps)
        np.testing.assert_allclose(seen.cosine, record.cosine, atol=1e-6)
        assert 0 < seen.ascent < seen.possible
