"""P8: bounds that no run may exceed, and where they are attained."""

from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.preconditioners import Dense
from minisam.theory.floors import (
    descent_threshold,
    descent_violation,
    distance_bound,
    measure_distance,
    measure_noisy_distance,
    measure_pl,
    pl_bound,
    sam_floor,
)
from minisam.theory.noisy import Additive, LeastSquares
from minisam.theory.problems import Problem, SineBowl, apply
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import PLAIN_SAM

from .broken import broken

seeds = st.integers(0, 2**32 - 1)
ROUNDING = 1 + 1e-12


def matrices(rng, count, n):
    """Random C and D; every third D reverses the gradient, the worst that can happen."""
    C, D = rng.standard_normal((2, count, n, n))
    D[::3] = -np.eye(n)
    C[::3] = np.eye(n) * rng.uniform(0.5, 2, (len(C[::3]), 1, 1))
    return C, D


def spd(rng, count, n, condition):
    Q = np.linalg.qr(rng.standard_normal((count, n, n)))[0]
    lam = condition ** -rng.random((count, 1, n))
    M = Q * lam @ np.swapaxes(Q, -1, -2)
    return (M + np.swapaxes(M, -1, -2)) / 2


def distances(seed, opt=None, condition=30.0, count=60, n=3):
    rng = np.random.default_rng(seed)
    C, D = matrices(rng, count, n)
    opt = opt and broken(opt, Dense(D), Dense(C))
    lr, rho = rng.uniform(0.02, 1.8, count), 10 ** rng.uniform(-2, 0.5, count)
    A, x = spd(rng, count, n, condition), rng.standard_normal((count, n))
    return measure_distance(A, lr, rho, x, 200, C, D, opt).ratio


@settings(max_examples=10)
@given(seed=seeds)
def test_distance_is_never_exceeded(seed):
    assert np.max(distances(seed)) <= ROUNDING


@settings(max_examples=5)
@given(seed=seeds)
def test_distance_bound_is_attained(seed):
    """D = -I on an isotropic quadratic: from x > 0 the run ends at rho kappa = (L/mu) rho kappa."""
    ratio = distances(seed, condition=1.0)[:, ::3]
    assert np.max(ratio) <= ROUNDING
    assert np.min(ratio[-1]) > 0  # and the next test: any larger radius exceeds the bound
    R = measure_distance(np.eye(2), 0.3, 0.7, np.ones(2), 200, 2 * np.eye(2), -np.eye(2))
    assert R.ratio == pytest.approx(np.ones(201), rel=1e-12)


BUGS = ["squared norm", "root mean square as norm", "twice the radius", "step at w + eps"]


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_exceed_the_distance_bound(bug):
    assert not np.max(distances(0, bug, condition=1.0)) <= ROUNDING


def test_distance_bound_in_closed_form():
    R, lr, rho, mu, L, kappa = 2.0, 0.3, 0.2, 0.5, 1.5, 1.7
    t, q = np.arange(51), 1 - lr * mu
    closed = q**t * R + lr * L * rho * kappa * (1 - q**t) / (1 - q)
    np.testing.assert_allclose(distance_bound(R, lr, rho, mu, L, 50, kappa=kappa), closed)
    floor = distance_bound(R, lr, rho, mu, L, 500, kappa=kappa)[-1]
    assert floor == pytest.approx(L / mu * rho * kappa)


def test_bounds_by_hand():
    """L rho kappa = .6, the floor (.36 + .2 * .9^2) / 1; and .2^2 / 1 + .0625 * 8 * .04 / 2."""
    noisy = pl_bound(1.0, 0.1, 0.2, 0.5, 2.0, 2, sigma=0.3, kappa=1.5)
    np.testing.assert_allclose(noisy, np.array([1, 0.95, 0.9025]) + 0.522)
    clean = pl_bound(1.0, 0.1, 0.2, 0.5, 2.0, 2, kappa=1.5)
    np.testing.assert_allclose(clean, np.array([1, 0.95, 0.9025]) + 0.36)
    assert descent_threshold(0.25, 0.2, 2.0) == pytest.approx(0.2)
    assert sam_floor(0.25, 0.2, 0.5, 2.0) == pytest.approx(0.05)
    assert distance_bound(2.0, 0.1, 0.2, 0.5, 2.0, 1, 3.0)[1] == pytest.approx(3.7**0.5 + 0.04)


def test_distance_under_noise():
    assert np.max(measure_noisy_distance().ratio[1:]) < 0.99
    assert np.max(measure_noisy_distance(sigma=0.02).ratio[1:]) < 0.99
    for bug in "squared norm", "step at w + eps":
        assert np.max(measure_noisy_distance(sigma=0.02, opt=broken(bug)).ratio) > 1


def gaps(seed, bug=None, count=40):
    """Ratios gap / bound on the sine bowl and on rank-deficient least squares."""
    rng = np.random.default_rng(seed)
    ratios = []
    m, n = 3, 5
    flat = LeastSquares(rng.standard_normal((count, m, n)), rng.standard_normal((count, m)))
    for problem, n in (SineBowl(), 2), (flat, 5):
        C, D = matrices(rng, count, n)
        lr, rho = rng.uniform(0.1, 1, count) / problem.L, 10 ** rng.uniform(-2.5, 0, count)
        opt = bug and broken(bug, Dense(D), Dense(C))
        x = 3 * rng.standard_normal((count, n))
        ratios.append(measure_pl(problem, lr, rho, x, 300, C, D, opt).ratio)
    return np.concatenate(ratios, axis=-1)


@settings(max_examples=5)
@given(seed=seeds)
def test_pl_is_never_exceeded(seed):
    assert np.max(gaps(seed)) <= ROUNDING


@pytest.mark.parametrize("bug", ["squared norm", "step at w + eps", "not normalized"])
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_exceed_the_pl_bound(bug):
    assert not np.max(gaps(1, bug)) <= ROUNDING


def test_pl_under_noise():
    """The mean over 2000 runs on the sine bowl, gradient noise of sigma = 1."""
    noisy, rng = Additive(SineBowl(), 1.0), np.random.default_rng(0)
    x = np.full((2000, 1), 4.0)
    grads = (noisy.draw(rng, x) for _ in range(200))
    path = trajectory(ms.SharpnessAware(ms.SAM(0.1), ms.SGD(0.05)), x, grads)
    F = np.mean(noisy.problem.loss(path), axis=-1)
    bound = pl_bound(F[0], 0.05, 0.1, SineBowl.mu, SineBowl.L, 200, sigma=1.0)
    assert np.all(bound >= F)


@dataclass(frozen=True, eq=False)
class LogCosh(Problem):
    """mu ||x||^2 / 2 + sum_i log cosh(a_i . x): convex, smooth, not quadratic; minimum 0 at 0."""

    a: np.ndarray
    mu: float = 0.05

    def loss(self, x):
        z = np.abs(apply(self.a, x))
        logs = z + np.log1p(np.exp(-2 * z)) - np.log(2)
        return self.mu / 2 * np.sum(x * x, axis=-1) + np.sum(logs, axis=-1)

    def grad(self, x):
        return self.mu * x + apply(np.swapaxes(self.a, -1, -2), np.tanh(apply(self.a, x)))

    @property
    def L(self):
        return self.mu + np.linalg.norm(self.a, ord=2, axis=(-2, -1)) ** 2


def descends(seed, opt=PLAIN_SAM, count=60):
    rng = np.random.default_rng(seed)
    problem = LogCosh(rng.standard_normal((count, 3, 2)))
    L, mu = problem.L, problem.mu
    lr, rho = rng.uniform(0.02, 0.9, count) / L, 10 ** rng.uniform(-2, 0, count)
    x = 3 * rng.standard_normal((count, 2))
    grads = repeat(problem.loss_and_grad, 100)
    path = trajectory(opt, x, grads, repeat(lr[:, None]), repeat(rho[:, None]))
    assert np.max(descent_violation(path, problem, lr, rho, L)) <= 1e-13
    below = np.linalg.norm(problem.grad(path[:-1]), axis=-1) < descent_threshold(lr, rho, L)
    arrived = np.logical_or.accumulate(below)  # from here on, f stays below the floor
    assert np.sum(arrived) > 1000
    assert np.all(~arrived | (problem.loss(path[1:]) <= sam_floor(lr, rho, mu, L)))


@settings(max_examples=10)
@given(seed=seeds)
def test_plain_sam_descends_above_the_threshold(seed):
    descends(seed)


@pytest.mark.parametrize("bug", ["squared norm", "descent", "twice the radius", "step at w + eps"])
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_do_not(bug):
    with pytest.raises(AssertionError):
        descends(0, broken(bug))


@given(lr_L=st.floats(0.01, 0.9), L=st.floats(0.1, 10), rho=st.floats(0.01, 1))
def test_threshold_is_sharp_up_to_the_factor(lr_L, L, rho):
    lr = lr_L / L
    cycle = lr * rho * L**2 / (2 - lr * L)
    assert cycle / descent_threshold(lr, rho, L) == pytest.approx((2 - 2 * lr_L) / (2 - lr_L))
