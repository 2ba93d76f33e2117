"""Every toy against central differences, and its constants against what they promise."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisam.theory import (
    Additive,
    DiagonalQuadratic,
    GemanMcClure,
    LeastSquares,
    ProductValley,
    Quadratic,
    SharpValley,
    SineBowl,
    alignment,
    averages,
    bounds,
    drift,
    edge,
    family,
    federated,
    federated_digits,
    floors,
    noise,
    preconditioned_cycle,
    product_valley,
    radius,
    saddle,
    saddle_escape,
    two_cycle,
    two_functions,
)

seeds = st.integers(0, 2**32 - 1)


def toys(rng):
    """One of each, most of them as populations of four problems."""
    M = rng.standard_normal((4, 3, 3))
    a, b = rng.standard_normal((4, 6, 3)), rng.standard_normal((4, 6))
    return {
        "quadratic": (Quadratic(M + np.swapaxes(M, -1, -2), rng.standard_normal(3)), 3),
        "diagonal": (
            DiagonalQuadratic(rng.standard_normal((4, 3)), rng.standard_normal((4, 3))),
            3,
        ),
        "saddle": (saddle(1.0, 0.5), 2),
        "product valley": (ProductValley(), 2),
        "sharp valley": (SharpValley(), 3),
        "sine bowl": (SineBowl(), 3),
        "least squares": (LeastSquares(a, b), 3),
        "weighted": (LeastSquares(a[0], b[0], np.arange(1, 7) / 21), 3),
        "Geman-McClure": (GemanMcClure(a, b), 3),
        "two functions": (two_functions(0.9, 0.1, 50.0), 1),
    }


NAMES = list(toys(np.random.default_rng(0)))


def central(f, x, h=1e-5):
    """Derivative of f by central differences, in a new last axis."""
    steps = h * np.eye(x.shape[-1])
    return np.stack([(f(x + e) - f(x - e)) / (2 * h) for e in steps], axis=-1)


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
def test_derivatives(name, seed):
    rng = np.random.default_rng(seed)
    problem, n = toys(rng)[name]
    x = rng.uniform(-1, 1, (4, n))
    loss, g = problem.loss_and_grad(x)
    assert loss.shape == (4,) and g.shape == (4, n)
    np.testing.assert_allclose(g, central(problem.loss, x), atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(problem.hess(x), central(problem.grad, x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["saddle", "product valley", "sharp valley", "sine bowl", "weighted", "two functions"]
)
def test_one_start_equals_the_same_start_in_a_population(name):
    rng = np.random.default_rng(1)
    problem, n = toys(rng)[name]
    x = rng.uniform(-1, 1, (4, n))
    for k in range(4):
        np.testing.assert_allclose(problem.grad(x[k]), problem.grad(x)[k], rtol=1e-13)
        np.testing.assert_allclose(problem.hess(x[k]), problem.hess(x)[k], rtol=1e-13)


@given(seed=seeds)
def test_smoothness_of_every_component(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 50, 1, 3)) * 2
    a, b = rng.standard_normal((6, 3)), rng.standard_normal(6)
    for problem in LeastSquares(a, b), GemanMcClure(a, b):
        change = problem.components(x)[1] - problem.components(y)[1]
        slack = problem.L * np.linalg.norm(x - y, axis=-1) * (1 + 1e-12)
        assert np.all(np.linalg.norm(change, axis=-1) <= slack)
    assert np.all(problem.variance(x[:, 0]) <= problem.sigma**2)
    # L is attained: by the longest example, and for Geman-McClure where its residual is 0
    k = np.argmax(np.sum(a * a, axis=-1))
    root = np.linalg.lstsq(a[k : k + 1], b[k : k + 1], rcond=None)[0]
    for problem in LeastSquares(a, b), GemanMcClure(a, b):
        one = type(problem)(a[k : k + 1], b[k : k + 1])
        np.testing.assert_allclose(np.linalg.eigvalsh(one.hess(root))[-1], problem.L)


def test_polyak_lojasiewicz():
    x = np.linspace(-20, 20, 400_001)[:, None]
    for problem in (SineBowl(),):
        ratio = np.sum(problem.grad(x) ** 2, axis=-1) / np.maximum(2 * problem.loss(x), 1e-300)
        assert np.min(ratio[x[:, 0] != 0]) >= problem.mu
        assert np.max(np.abs(problem.hess(x))) <= problem.L
        assert np.min(problem.hess(x)) < 0  # not convex
    rng = np.random.default_rng(2)
    flat = LeastSquares(rng.standard_normal((4, 6)), rng.standard_normal(4))  # rank 4 in R^6
    y = rng.standard_normal((1000, 6))
    gap = flat.loss(y) - flat.loss(flat.minimiser)
    ratio = np.sum(flat.grad(y) ** 2, axis=-1) / (2 * gap)
    assert np.min(ratio) >= flat.mu * (1 - 1e-9)
    np.testing.assert_allclose(flat.grad(flat.minimiser), 0, atol=1e-12)


@given(seed=seeds)
def test_quadratic_constants(seed):
    rng = np.random.default_rng(seed)
    lam = rng.uniform(0.1, 3, (5, 4))
    Q = np.linalg.qr(rng.standard_normal((5, 4, 4)))[0]
    dense = Quadratic(Q * lam[:, None, :] @ np.swapaxes(Q, -1, -2))
    diagonal = DiagonalQuadratic(lam)
    np.testing.assert_allclose(dense.L, diagonal.L)
    np.testing.assert_allclose(dense.mu, diagonal.mu)
    x = rng.standard_normal((5, 4))
    np.testing.assert_allclose(dense.loss(apply_rotation(Q, x)), diagonal.loss(x))


def apply_rotation(Q, x):
    return np.einsum("...ij,...j->...i", Q, x)


def test_draws_have_the_right_mean_and_keep_their_minibatch():
    rng = np.random.default_rng(3)
    problem = LeastSquares(rng.standard_normal((3, 2)), rng.standard_normal(3), [0.5, 0.3, 0.2])
    x = np.broadcast_to(rng.standard_normal(2), (200_000, 2))
    oracle = problem.draw(rng, x)
    g = oracle(x)[1]
    np.testing.assert_array_equal(g, oracle(x)[1])
    tol = 6 * np.sqrt(problem.variance(x[0]) / len(x))
    np.testing.assert_allclose(np.mean(g, axis=0), problem.grad(x[0]), atol=tol)
    several = LeastSquares(rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3)))
    y = rng.standard_normal((4, 2))
    g = several.draw(rng, y)(y)[1]
    every = several.components(y[:, None, :])[1]
    assert np.all(np.any(np.all(np.isclose(g[:, None], every), axis=-1), axis=-1))


def test_additive_noise():
    rng = np.random.default_rng(4)
    noisy = Additive(DiagonalQuadratic(np.array([1.0, 2.0])), np.array([0.3, 0.4]))
    assert noisy.sigma(2) == pytest.approx(0.5)
    x = np.ones((100_000, 2))
    oracle = noisy.draw(rng, x)
    noise = oracle(x)[1] - noisy.problem.grad(x)
    np.testing.assert_allclose(np.std(noise, axis=0), noisy.s, rtol=0.02)
    loss = lambda w: oracle(w)[0]
    np.testing.assert_allclose(central(loss, x)[:5], oracle(x)[1][:5], rtol=1e-6)


def calling(f, *args):
    return lambda: f(*args)


TWO = np.eye(2)
WRONG = {
    "lr * curvature must be in [0, 2], got 2.5": [
        calling(two_cycle.cycle_amplitude, np.array([0.1, 2.5]), 0.1, 1.0),
        calling(two_cycle.cycle_rate, 2.5, np.array([1.0, 0.5])),
        calling(two_cycle.lyapunov_minimum, 2.5, 0.1, 1.0),
        calling(two_cycle.measure_two_cycle, TWO, 2.5, 0.1, np.ones(2)),
        calling(preconditioned_cycle.score, 2.5, np.ones(2)),
        calling(preconditioned_cycle.preconditioned_cycle, 2.5, 0.1, TWO, TWO, TWO),
        calling(preconditioned_cycle.asam_cycle, 2.0, 0.25, 1.0, 1.0),
        calling(drift.drift, 2.5, 0.1, 1.0, 0.5),
        calling(saddle_escape.multiplier, 2.5, 1.0, 0.5),
        calling(federated.fedavg_point, TWO[None], np.ones((1, 2)), 2.5, 1),
        calling(product_valley.imbalance_decay, 0.0, 1.25, 0.1),
        calling(product_valley.measure_valley, 0.5, 0.1, (2.0, 1.0)),
    ],
    "lr * curvature must be in [0, 2], got -0.5": [
        calling(two_cycle.cycle_amplitude, -0.5, 0.1, 1.0),
        calling(bounds.bound_2, 1.0, 10, -0.5, 0.1, 1.0, 1.0),
    ],
    "lr * curvature must be in [0, 1], got": [
        calling(floors.pl_bound, 1.0, 0.2, 0.1, 1.0, 8.0, 10),
        calling(floors.descent_threshold, np.nan, 0.1, 1.0),
        calling(floors.sam_floor, 1.5, 0.1, 0.5, 1.0),
        calling(radius.pl_bound_under_schedule, 1.0, 0.2, np.ones(3), 1.0, 8.0),
    ],
    "lr must be at least 0": [calling(floors.distance_bound, 1.0, -0.1, 0.1, 1.0, 1.0, 3)],
    "rho must be at least 0, got -0.1": [
        calling(two_cycle.cycle_amplitude, 0.5, np.array([0.1, -0.1]), 1.0),
        calling(edge.sam_edge, 1.0, 0.1, -0.1),
        calling(floors.distance_bound, 1.0, 0.1, -0.1, 1.0, 1.0, 3),
        calling(floors.pl_bound, 1.0, 0.1, -0.1, 1.0, 1.0, 3),
        calling(noise.second_moment, 0.1, 1.0, -0.1, 5, 1.0),
    ],
    "rho must be at least 0, got nan": [calling(two_cycle.cycle_amplitude, 0.5, np.nan, 1.0)],
    "rho must be in [0, 1], got 1.5": [
        calling(preconditioned_cycle.asam_cycle, 0.1, 1.5, 1.0, 1.0)
    ],
    "r must be at least 0": [calling(bounds.bound_2, 1.0, 10, 0.1, -0.1, 1.0, 1.0)],
    "sigma must be at least 0": [calling(bounds.bound_1, 1.0, 10, 0.1, 0.1, 1.0, -1.0)],
    "delta0 must be at least 0": [calling(bounds.usual_bound, -1.0, 10, 0.1, 0.1, 1.0, 1.0)],
    "theta must be in [0, 1], got 1.5": [
        calling(averages.from_first_gradient, 1.5, 3),
        calling(averages.from_zero, 1.5, 3),
        calling(averages.sample_variance, 1.5, 3),
        calling(averages.drifting, 1.5, 0.1, 1.0),
    ],
    "p must be at least 0.5": [calling(alignment.collapse, 0.3)],
    "n must be at least 2": [calling(noise.mean_inverse_length, 1, 1.0)],
    "1 - lr lam (1 + rho c lam) must be in [-1, 1]": [
        calling(noise.second_moment, 3.0, 1.0, 0.1, 5, 1.0)
    ],
    "l must be in [0, 1], got 1.5": [
        calling(family.UnifiedSAM, 0.1, 1.5),
        calling(family.largest_lr, 1.0, 0.1, 1.5),
    ],
    "|1 - lr lam| must be in [0, 0.9], got 0.95": [
        calling(radius.tracking, 0.05, 0.1, 1.0, 0.9),
    ],
    "equal nowhere between b = (-1.5, 1.5)": [
        calling(drift.settling_point, SharpValley(), 0.3, np.array([1e6, 1.0])),
    ],
    "x must have shape (..., 2), got (3,)": [
        calling(two_cycle.measure_two_cycle, TWO, 0.5, 0.1, np.ones(3)),
    ],
    "10 clients with 1 shards need as many examples; got 5": [
        calling(federated_digits.shards, np.arange(5), 10, 1, 0),
    ],
}


@pytest.mark.parametrize("said, call", [(s, call) for s, calls in WRONG.items() for call in calls])
def test_arguments_beyond_a_formula_are_refused_in_words(said, call):
    with pytest.raises(ValueError, match=re.escape(said)):
        call()
