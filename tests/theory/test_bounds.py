"""P2: bounds on the gradient of any preSAM, by exact enumeration and by simulation."""

from dataclasses import dataclass

import numpy as np
import pytest

import minisam as ms
from minisam.theory import GemanMcClure, LeastSquares, bounds, two_functions
from minisam.theory.bounds import (
    bound,
    bound_1,
    bound_2,
    expected_change,
    first_step,
    mean_gradient,
    measure_attained,
    measure_every_row,
    measure_mean_gradient,
    measure_rates,
    second_step,
    usual_bound,
    usual_step,
)

ONE_STEP = {"usual": (usual_step, 2 / 3), "first": (first_step, 1.0), "second": (second_step, 2.0)}


# --- one step, exact --------------------------------------------------------------------------


def random_steps(seed, states=250, n=4):
    """A finite sum, states x, and D and C that depend on the state *and* on the example drawn.

    Every other sum has a single example, and every other D is -1: there the bounds are tight.
    """
    rng = np.random.default_rng(seed)
    kind, m = (LeastSquares, GemanMcClure)[seed % 2], (6, 6, 1, 1)[seed % 4]
    a, b = rng.standard_normal((m, n)), rng.standard_normal(m)
    problem = kind(a, b, rng.dirichlet(np.ones(m)))
    scale = lambda low, high, *shape: np.exp(rng.uniform(np.log(low), np.log(high), shape))
    x = scale(0.1, 10, states, 1) * rng.standard_normal((states, n))
    D = rng.standard_normal((states, m, n)) * scale(1e-2, 1, states, m, n)
    D[::2] = -1.0
    C = scale(0.3, 3, states, m, n)
    share, rho = scale(1e-3, 1, states), scale(1e-3, 3, states)
    return problem, x, D, C, share, rho


def violations(base=ms.SGD, rule=ms.PreSAM, wrong_radius=1.0):
    """Count the states of 2,000 where E f(x+) - f(x) exceeds a bound, for each bound."""
    count = dict.fromkeys(ONE_STEP, 0)
    for seed in range(8):
        problem, x, D, C, share, rho = random_steps(seed)
        G, sigma = np.linalg.norm(problem.grad(x), axis=-1), np.sqrt(problem.variance(x))
        r, L = rho * C.max((-2, -1)), float(problem.L)
        opt = ms.SharpnessAware(rule(1.0, ms.Diagonal(D), ms.Diagonal(C)), base(1.0))
        for name, (step, largest) in ONE_STEP.items():
            lr = share * largest / L
            per_state = lr[:, None, None], wrong_radius * rho[:, None, None]
            change = expected_change(opt, problem, x, *per_state)
            limit = step(G, lr, r, L, sigma)
            count[name] += np.sum(change > limit + 1e-12 * (1 + abs(limit) + problem.loss(x)))
    return count


def test_no_state_violates_a_one_step_bound():
    assert violations() == {"usual": 0, "first": 0, "second": 0}


@dataclass(frozen=True)
class FromThePerturbedPoint(ms.SharpnessAware):
    """The base step starts at w + eps: the weights were never restored."""

    def step(self, w, grad, state, lr=None, rho=None):
        after, state, seen = super().step(w, grad, state, lr, rho)
        return after + seen.eps, state, seen


class NormOfDg(ms.PreSAM):
    """C^2 D g / ||D g||: the norm forgot C, so that eps can leave the ball."""

    def perturb(self, w, g, state, rho=None):
        v, state = self.objective.weigh(w, g, g, state)
        C = self.constraint.at(w, g)
        norm = np.linalg.norm(v, axis=-1, keepdims=True)
        return (self.rho if rho is None else rho) * (C @ (C.T @ v)) / norm, state


class Ascent(ms.SGD):
    def update(self, w, g, state, lr=None):
        return super().update(w, -g, state, lr)


def test_one_step_bounds_see_bugs(monkeypatch):
    assert violations(rule=NormOfDg)["second"]
    assert all(violations(base=Ascent).values())
    monkeypatch.setattr(ms, "SharpnessAware", FromThePerturbedPoint)
    assert all(violations().values())


def test_second_step_is_tight_in_the_radius():
    """Against the gradient, on one isotropic quadratic, 5 % more radius is seen."""
    problem = LeastSquares(np.array([[1.0]]), np.array([0.0]))
    x, lr, r = np.full((1, 1), 3.0), 0.01, 0.5
    opt = ms.SharpnessAware(ms.PreSAM(r, ms.Diagonal(-np.ones(1))), ms.SGD(lr))
    change = lambda rho: expected_change(opt, problem, x, rho=rho)
    limit = second_step(3.0, lr, r, 1.0, 0.0)
    assert change(r) <= limit < change(1.05 * r)


# --- T steps ----------------------------------------------------------------------------------


def test_attained_without_perturbation():
    row = measure_attained()
    assert row.measured == pytest.approx(row.predicted, rel=1e-10)


def test_attained_sees_bugs(monkeypatch):
    for bug in (lambda lr: ms.SGD(2 * lr), lambda lr: ms.SGD(lr, momentum=0.1)):
        with monkeypatch.context() as patch:
            patch.setattr(bounds, "SGD", bug)
            assert abs(measure_attained().ratio - 1) > 1e-3


def test_summed_bounds_follow_from_the_steps():
    """A gradient of the bound's size, at every step, is what the step allows at most."""
    rng = np.random.default_rng(0)
    T, L = 100, rng.uniform(0.5, 2, 1000)
    lr, r, sigma, delta0 = rng.uniform(0.01, 0.6, 1000) / L, *rng.uniform(0, 2, (3, 1000))
    for step, total in ((usual_step, usual_bound), (first_step, bound_1), (second_step, bound_2)):
        G = np.sqrt(total(delta0, T, lr, r, L, sigma))
        np.testing.assert_allclose(T * step(G, lr, r, L, sigma), -delta0, atol=1e-10)


def test_never_above_the_usual_bound():
    rng = np.random.default_rng(0)
    lr = rng.uniform(0, 2 / 3, 400_000)
    delta0, r, sigma = np.exp(rng.uniform(-6, 6, (3, len(lr))))
    usual = usual_bound(delta0, 100, lr, r, 1.0, sigma)
    assert np.all(bound(delta0, 100, lr, r, 1.0, sigma) < usual)
    assert np.all(bound_2(delta0, 100, lr, r, 1.0, sigma) < 1.05 * usual)


def test_bounds_say_for_which_learning_rates_they_hold():
    for total, most in ((usual_bound, "0.666667"), (bound_1, "1"), (bound_2, "2"), (bound, "2")):
        with pytest.raises(ValueError, match=rf"lr .* must be in \[0, {most}\], got 2.2"):
            total(1.0, 10, 1.1, 0.1, 2.0, 1.0)


def test_rates_of_the_bounds():
    """With lr ~ T^-1/2 both radii give T^-1/2; the usual bound stays where r ~ T^-1/4."""
    T = np.geomspace(1e6, 1e10, 5)
    slope = lambda f, power: np.polyfit(
        np.log(T), np.log(f(0.5, T, 0.8 * T**-0.5, T**power, 1.0, 3.0)), 1
    )[0]
    for power in (-0.5, -0.25):
        assert slope(bound_1, power) == pytest.approx(-0.5, abs=5e-3)
        assert slope(bound_2, power) == pytest.approx(-0.5, abs=5e-3)
        assert slope(bound, power) == pytest.approx(-0.5, abs=5e-3)
    assert slope(usual_bound, -0.5) == pytest.approx(-0.5, abs=5e-3)
    assert abs(slope(usual_bound, -0.25)) < 5e-3


def test_measured_rates():
    curves = measure_rates(T=(64, 256, 1024))
    for name in curves.measured:
        assert np.all(curves.measured[name] <= curves.bound[name])
        assert np.all(curves.bound[name] <= curves.usual[name])
        # the slope's standard error is 0.02 / log(16) = 0.006
        assert curves.slope(curves.measured[name]) == pytest.approx(-0.5, abs=0.036)
    assert len(curves.comparisons()) == 2


def test_every_row_is_under_the_one_bound():
    rows = measure_every_row()
    assert len(rows) == 8 and all(0 < row.ratio < 1 for row in rows)


def share():
    """G / bound at T = 256, rho = 0.5 / sqrt(T): 0.898 +- 0.014 over seeds."""
    curves = measure_rates(T=(256,), rho0=0.5)
    return float(curves.comparisons()[0].ratio[0])


def test_measured_share_of_the_bound():
    assert 0.80 <= share() <= 1  # 7 standard deviations to either side


def test_share_sees_bugs(monkeypatch):
    doubled, halved = (lambda lr, k=k: ms.SGD(k * lr) for k in (2, 0.5))
    for name, bug in (
        ("SGD", doubled),
        ("SGD", halved),
        ("SharpnessAware", FromThePerturbedPoint),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(bounds, name, bug)
            assert not 0.80 <= share() <= 1


# --- the floor of a constant radius -----------------------------------------------------------


@pytest.mark.parametrize("p, a, rho", [(0.8, 1.0, 0.25), (0.95, 0.5, 0.1), (0.6, 2.0, 0.5)])
def test_second_pass_is_off_by_the_floor(p, a, rho):
    """E h = f'(x) - mean_gradient at every x between the two minima: exact."""
    problem = two_functions(p, a, B=10.0)
    x = np.linspace(0.01, 9.99, 50)[:, None]
    w = np.repeat(x[:, None, :], 2, axis=1)
    opt = ms.SharpnessAware(ms.SAM(rho), ms.SGD(0.1))
    _, _, seen = opt.step(w, problem.components, opt.init(w))
    h = problem.weights @ seen.g_perturbed
    np.testing.assert_allclose(h, problem.grad(x) - mean_gradient(rho, p, a), atol=1e-12)


def test_floor_is_sharp():
    """L^2 rho^2 (L = 1), all that bound_1 leaves as T -> inf and lr -> 0, is reached as p -> 1."""
    left = bound_1(1.0, 1e12, 1e-6, 0.3, 1.0, 1.0)
    assert left == pytest.approx(0.3**2, rel=1e-3)
    assert mean_gradient(0.3, 1 - 1e-6, 1.0) ** 2 == pytest.approx(left, rel=1e-3)


def test_measured_floor():
    row, error = measure_mean_gradient()
    assert abs(row.measured - row.predicted) < 5 * error


@pytest.mark.parametrize("bug", [lambda rho: ms.SAM(-0.0), lambda rho: ms.SAM(1.2 * rho)])
def test_measured_floor_sees_bugs(bug, monkeypatch):
    monkeypatch.setattr(bounds, "SAM", bug)
    row, error = measure_mean_gradient()
    assert abs(row.measured - row.predicted) > 5 * error
