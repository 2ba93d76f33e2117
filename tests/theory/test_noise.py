"""P11: noise turns SAM's radius into a factor, and its two-cycle into a cloud."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi

import minisam as ms
from minisam.theory import Additive, DiagonalQuadratic, Quadratic, noise
from minisam.theory.noise import (
    contraction,
    mean_inverse_length,
    mean_step,
    mean_unit,
    measure_linearised,
    measure_stationary,
    second_moment,
)


def test_mean_unit_in_the_plane():
    """n = 2, by quadrature over the angle: E cos = integral of the projected normal density."""

    def density(angle, k):
        z = k * np.cos(angle)
        tail = quad(lambda r: r * np.exp(-((r - z) ** 2) / 2), 0, np.inf)[0]
        return np.exp((z**2 - k**2) / 2) * tail / (2 * np.pi)

    for k in (0.1, 1.0, 3.0):
        expected = quad(lambda angle, k=k: np.cos(angle) * density(angle, k), -np.pi, np.pi)[0]
        assert mean_unit(k, 2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n, c", [(2, 0.6267), (5, 0.4255), (50, 0.1407)])
def test_mean_inverse_length(n, c):
    assert mean_inverse_length(n, 1.0) == pytest.approx(c, abs=5e-5)
    assert mean_inverse_length(n, 3.0) == pytest.approx(c / 3, abs=5e-5)
    assert mean_unit(1e-4, n) == pytest.approx(1e-4 * mean_inverse_length(n, 1.0), rel=1e-7)
    assert mean_unit(30.0 * n, n) == pytest.approx(1.0, abs=1e-3)


def gap():
    """Largest distance of the measured mean perturbation, in standard errors beyond 0.3 %."""
    curve = measure_linearised()
    row = curve.comparisons()[0]
    return np.max((abs(row.measured - row.predicted) - 3e-3 * row.predicted) / curve.standard_error)


def test_mean_perturbation():
    assert gap() < 5.5  # 6 looks


def test_mean_step_on_unequal_curvatures():
    """E h = A (I + rho c A) x, tolerance 5 standard errors + 0.3 %."""
    n, s, rho = 20, 1.0, 0.2
    M = np.random.default_rng(0).standard_normal((n, n))
    A = M @ M.T / n + 0.1 * np.eye(n)
    x = 0.02 * np.random.default_rng(1).standard_normal(n)
    h, error = mean_step(Additive(Quadratic(A), s), x, rho, 100_000, seed=2)
    expected = A @ (x + rho * mean_inverse_length(n, s) * A @ x)
    size = np.linalg.norm(expected)
    assert np.all(abs(h - expected) < 5.5 * error + 3e-3 * size)
    assert np.linalg.norm(h - A @ x) > 50 * np.linalg.norm(error)  # not SGD


def unnormalised(rho):
    return ms.PreSAM(rho, constraint=GradientLength())


class GradientLength:
    def at(self, w, g):
        return ms.Diagonal(np.sqrt(np.linalg.norm(g, axis=-1, keepdims=True)))


class FreshNoise(Additive):
    """A new minibatch in the second pass."""

    def tilted(self, xi):
        calls = iter((xi, np.roll(xi, 1, axis=0)))
        return lambda w: super(FreshNoise, self).tilted(next(calls))(w)


@pytest.mark.parametrize("bug", [unnormalised, lambda rho: ms.SAM(1.2 * rho)])
def test_mean_perturbation_sees(bug, monkeypatch):
    monkeypatch.setattr(noise, "SAM", bug)
    assert gap() > 5.5


def test_noise_of_a_step():
    """The second gradient's noise is xi + rho lam unit(xi), of length ||xi|| + rho lam."""
    lr, lam, rho, n, s = 0.1, 2.0, 0.7, 6, 0.5
    length = chi(n, scale=s).expect(lambda r: (r + rho * lam) ** 2)
    m = contraction(lr, lam, rho, n, s)
    assert second_moment(lr, lam, rho, n, s) == pytest.approx(lr**2 * length / n / (1 - m**2))


def off(found):
    """Distances in standard errors beyond 0.5 %, the size of the orders left out."""
    rows = (found.second_moment, found.correlation)
    return [
        (abs(row.measured - row.predicted) - share * row.predicted) / error
        for row, error, share in zip(rows, found.standard_error, (5e-3, 5e-4), strict=True)
    ]


def test_stationary_state():
    assert max(off(measure_stationary())) < 5
    assert second_moment(0.02, 1.0, 0.0, 20, 1.0) == pytest.approx(0.010101, abs=1e-6)  # SGD


@pytest.mark.parametrize(
    "name, bug",
    {
        "plain SGD": ("SAM", lambda rho: ms.SAM(0.0)),
        "fresh minibatch": ("Additive", FreshNoise),
        "learning rate doubled": ("SGD", lambda lr: ms.SGD(2 * lr)),
    }.values(),
)
def test_stationary_state_sees(name, bug, monkeypatch):
    monkeypatch.setattr(noise, name, bug)
    assert max(off(measure_stationary())) > 5


def test_the_two_cycle_is_gone():
    """The same SAM without noise jumps across: correlation -1, where noise leaves m > 0."""
    x = np.full((1, 3), 0.1)
    opt = ms.SharpnessAware(ms.SAM(0.3), ms.SGD(0.05))
    problem = DiagonalQuadratic(np.ones(3))
    state = opt.init(x)
    for _ in range(3000):
        old = x
        x, state, _ = opt.step(x, problem.loss_and_grad, state)
    np.testing.assert_allclose(x, -old, rtol=1e-9)
    assert contraction(0.05, 1.0, 0.3, 3, 1.0) > 0.9
