"""How close a constant radius lets preSAM come: bounds for strongly convex and PL functions.

Every bound holds for *any* perturbation of length at most rho kappa, kappa = sup ||C||: D does not
enter, nor the direction of eps. L is the smoothness (of every component, where there is noise), mu
the strong convexity or the Polyak-Lojasiewicz (PL) constant, ``||grad f||^2 >= 2 mu (f - f*)``.
Descent to a ball of this kind is classical; the constants are derived here. ``lr``, ``rho`` and
the constants are numbers or (...); bounds are given for 0, 1, ..., ``steps``, along the first axis.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.backend import norm
from minisam.optimizers import SGD
from minisam.preconditioners import Dense
from minisam.presam import PreSAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.noisy import Additive
from minisam.theory.problems import (
    Array,
    DiagonalQuadratic,
    Quadratic,
    check_range,
    check_step,
    column,
)
from minisam.theory.trajectory import trajectory


def contraction(lr: Any, mu: Any, L: Any) -> Any:
    """Return ``q = max(|1 - lr mu|, |1 - lr L|)``, by which a gradient step contracts."""
    return np.maximum(np.abs(1 - lr * mu), np.abs(1 - lr * L))


def _iterate(step: Any, start: Any, steps: int) -> Array:
    path = [np.asarray(start, dtype=float)]
    for _ in range(steps):
        path.append(step(path[-1]))
    return np.stack(np.broadcast_arrays(*path))


def distance_bound(
    R: Any, lr: Any, rho: Any, mu: Any, L: Any, steps: int, sigma: Any = 0.0, kappa: Any = 1.0
) -> Array:
    """Bound the distance to the minimum of a mu-strongly convex f, (steps + 1, ...).

    ``R+ <= sqrt(q^2 R^2 + lr^2 sigma^2) + lr L rho kappa``, from R = ||x_0 - x*||. With noise R is
    sqrt(E ||x - x*||^2); without, it is ``q^t R + lr L rho kappa (1 - q^t) / (1 - q)``, whose
    floor is (L/mu) rho kappa for lr <= 2 / (mu + L). Proof idea: a gradient step contracts, and
    the gradient at x + eps differs from that at x by at most L ||eps||.
    """
    check_range("lr", lr, 0)
    check_range("rho", rho, 0)
    q = contraction(lr, mu, L)
    kick = lr * L * rho * kappa
    return _iterate(lambda R: np.sqrt((q * R) ** 2 + (lr * sigma) ** 2) + kick, R, steps)


def pl_bound(
    F: Any, lr: Any, rho: Any, mu: Any, L: Any, steps: int, sigma: Any = None, kappa: Any = 1.0
) -> Array:
    """Bound E f(x_t) - f* for a PL function and lr <= 1/L, from F = f(x_0) - f*, (steps + 1, ...).

    ``(1 - lr mu)^t F + [L^2 rho^2 kappa^2 + L lr (sigma + L rho kappa)^2] / (2 mu)``. ``sigma =
    None`` means no noise at all, and then the second term in the bracket falls away. Proof idea:
    ``-<grad f, h> = (||grad f - h||^2 - ||grad f||^2 - ||h||^2) / 2`` with h = E of the second
    gradient, and std h <= sigma + L rho kappa. Raises ValueError where lr > 1/L.
    """
    check_step(lr, L, 1 + 1e-12)
    check_range("rho", rho, 0)
    offset = L * rho * kappa
    noise = 0.0 if sigma is None else L * lr * (sigma + offset) ** 2
    floor = (offset**2 + noise) / (2 * mu)
    shrink = (1 - np.asarray(lr * mu)) ** np.arange(steps + 1).reshape(-1, *[1] * np.ndim(F))
    return shrink * F + floor


def descent_threshold(lr: Any, rho: Any, L: Any) -> Any:
    """Return ``lr rho L^2 / (2 (1 - lr L))``: plain SAM descends while ||grad f|| is above it.

    For convex L-smooth f, no noise, lr < 1/L: ``f+ <= f - lr (1 - lr L / 2) ||grad f||^2`` there.
    The gradient on the two-cycle, lr rho L^2 / (2 - lr L), shows it sharp up to the factor
    ``(2 - 2 lr L) / (2 - lr L)``. Needs eps parallel to the gradient, so not for D, C or noise.
    Proof idea: monotonicity gives <g, h - g> >= 0, co-coercivity makes up for ||h - g||^2.
    Raises ValueError where lr > 1/L.
    """
    check_step(lr, L, 1)
    return lr * rho * L**2 / (2 * (1 - lr * L))


def sam_floor(lr: Any, rho: Any, mu: Any, L: Any) -> Any:
    """Bound limsup f - f* of plain SAM, convex, no noise, lr < 1/L: O(lr rho), not O(rho).

    ``threshold^2 / (2 mu) + lr^2 L^3 rho^2 / 2`` with `descent_threshold`: squared, as a loss is.
    """
    return descent_threshold(lr, rho, L) ** 2 / (2 * mu) + lr**2 * L**3 * rho**2 / 2


def measure_distance(
    A: Array, lr: Any, rho: Any, x: Array, steps: int, C: Array, D: Array, opt: Any = None
) -> Comparison:
    """Run preSAM with matrices C, D on 1/2 x^T A x; its distance to 0 against the bound.

    ``lr`` and ``rho`` are numbers or (...).
    """
    opt = opt or SharpnessAware(PreSAM(0.0, Dense(D), Dense(C)), SGD(0.0))
    problem, kappa = Quadratic(A), np.linalg.norm(C, ord=2, axis=(-2, -1))
    grads = repeat(problem.loss_and_grad, steps)
    R = norm(trajectory(opt, x, grads, repeat(column(lr)), repeat(column(rho))))[..., 0]
    bound = distance_bound(R[0], lr, rho, problem.mu, problem.L, steps, kappa=kappa)
    return Comparison("distance to the minimum (bound)", bound, R)


def measure_pl(
    problem: Any, lr: Any, rho: Any, x: Array, steps: int, C: Array, D: Array, opt: Any = None
) -> Comparison:
    """Run preSAM with matrices C, D on a PL ``problem``; its gap f - f* against the bound.

    Needs lr <= 1 / problem.L.
    """
    opt = opt or SharpnessAware(PreSAM(0.0, Dense(D), Dense(C)), SGD(0.0))
    kappa = np.linalg.norm(C, ord=2, axis=(-2, -1))
    grads = repeat(problem.loss_and_grad, steps)
    path = trajectory(opt, x, grads, repeat(column(lr)), repeat(column(rho)))
    least = problem.loss(np.broadcast_to(problem.minimiser, x.shape))
    F = problem.loss(path) - least
    bound = pl_bound(F[0], lr, rho, problem.mu, problem.L, steps, kappa=kappa)
    return Comparison("f - f* of a PL function (bound)", bound, F)


def measure_noisy_distance(
    lr: float = 0.5, rho: float = 0.1, sigma: float = 0.1, runs: int = 2000, steps: int = 100,
    opt: Any = None,
) -> Comparison:  # fmt: skip
    """Run SAM with additive noise on a quadratic, many times; root mean square distances."""
    lam = np.array([1.0, 0.7, 0.5, 0.3])
    noisy = Additive(DiagonalQuadratic(lam), sigma / np.sqrt(lam.size))
    rng, x = np.random.default_rng(0), np.ones((runs, lam.size))
    opt = opt or SharpnessAware(PreSAM(0.0), SGD(0.0))
    grads = (noisy.draw(rng, x) for _ in range(steps))
    path = trajectory(opt, x, grads, repeat(lr), repeat(rho))
    R = np.sqrt(np.mean(np.sum(path**2, axis=-1), axis=-1))
    bound = distance_bound(R[0], lr, rho, 0.3, 1.0, steps, noisy.sigma(lam.size))
    return Comparison("distance to the minimum under noise (bound)", bound, R)


def descent_violation(path: Array, problem: Any, lr: Any, rho: Any, L: Any) -> Array:
    """Return how far each step from above `descent_threshold` breaks the descent inequality.

    ``f+ - f + lr (1 - lr L / 2) ||g||^2``, relative to f and f+, (steps, ...): at most rounding.
    """
    f, g = problem.loss(path), norm(problem.grad(path[:-1]))[..., 0]
    excess = f[1:] - f[:-1] + lr * (1 - lr * L / 2) * g**2
    return np.where(g >= descent_threshold(lr, rho, L), excess / (f[1:] + f[:-1]), 0.0)
