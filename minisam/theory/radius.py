"""Which radii let SAM converge: with a constant learning rate, those and only those that go to 0.

A constant radius keeps SAM away from the minimum. Khanh, Luong, Mordukhovich & Tran ("Fundamental
convergence analysis of sharpness-aware minimization", NeurIPS 2024) treat decaying radii and steps
in general. For the quadratic and PL functions here, everything is derived here: rho_t -> 0 is
enough, however slowly, because SAM's error does not add up but *tracks* the radius.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, DiagonalQuadratic, SineBowl, check_range, check_step
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import PLAIN_SAM


def polynomial(rho: float, power: float, steps: int) -> Array:
    """Return ``rho_t = rho (1 + t)^(-power)``, (steps,); power = 0 is a constant radius."""
    return rho * (1.0 + np.arange(steps)) ** -power


def geometric(rho: float, beta: float, steps: int) -> Array:
    """Return ``rho_t = rho beta^t``, (steps,)."""
    return rho * beta ** np.arange(steps)


def least_distance(lr: Any, rho: Any, mu: Any, L: Any) -> Any:
    """Return ``lr mu rho / (1 + q)``, q = max(|1 - lr mu|, |1 - lr L|), below every limsup.

    On a quadratic with curvatures in [mu, L], limsup ||x_t - x*|| is at least this with
    rho = limsup rho_t, for any C with ||eps|| = rho and any D: x_t -> x* forces rho_t -> 0. For
    mu = L and lr L <= 1 it is the two-cycle. Proof idea: ``x+ - (I - lr A) x = -lr A eps`` has
    length at least lr mu rho.
    """
    return lr * mu * rho / (1 + np.maximum(np.abs(1 - lr * mu), np.abs(1 - lr * L)))


def tracking(lr: Any, rho: Any, lam: Any, beta: Any = 1.0) -> Any:
    """Return the distance ``lr lam rho_t / (1 + beta - lr lam)`` at which SAM follows rho_t.

    For ``rho_t = rho beta^t`` with |1 - lr lam| < beta, in one dimension. beta = 1 is the
    two-cycle, also for radii and learning rates that decay slowly (like a power of t), with their
    current values, and in n dimensions with lam = lam_1. Faster radii, beta < |1 - lr lam|, cost
    nothing: SAM converges like gradient descent. Proof idea: insert
    ``x_t = (-1)^t a beta^t`` into x+ = (1 - lr lam) x - lr lam rho_t sign x.
    """
    check_range("|1 - lr lam|", np.abs(1 - lr * np.asarray(lam)), 0, beta)
    return lr * lam * rho / (1 + beta - lr * lam)


def rate(lr: Any, lam: Any, beta: Any) -> Any:
    """Return ``max(beta, |1 - lr lam|)``, the factor per step under ``rho_t = rho beta^t``."""
    return np.maximum(beta, np.abs(1 - lr * lam))


def pl_bound_under_schedule(F: Any, lr: Any, rhos: Array, mu: Any, L: Any) -> Array:
    """Bound f(x_t) - f* of a PL function, lr <= 1/L, for any schedule of radii, (steps + 1, ...).

    ``F+ <= (1 - lr mu) F + lr L^2 rho_t^2 / 2``, for any D and C with ||eps|| <= rho_t. It goes
    to 0 with rho_t. Without PL the same inequality gives mean ||grad f||^2 <= 2 F / (lr T) +
    L^2 mean rho_t^2. Proof idea: ``f+ <= f - lr ||g||^2 / 2 + lr ||g - h||^2 / 2``.
    Raises ValueError where lr > 1/L.
    """
    check_step(lr, L, 1 + 1e-12)
    path = [np.asarray(F, dtype=float)]
    for rho in rhos:
        path.append((1 - lr * mu) * path[-1] + lr * (L * rho) ** 2 / 2)
    return np.stack(path)


def measure_tracking(
    lrs: Any, rhos: Array, lam: Any = (1.0, 0.6, 0.3), beta: float = 1.0, opt: Any = PLAIN_SAM
) -> Comparison:
    """Run SAM on a diagonal quadratic under schedules; compare its distance at the end.

    ``rhos`` is (steps,), ``lrs`` that or a number.
    """
    lam = np.asarray(lam)
    lrs = np.broadcast_to(lrs, rhos.shape)
    grads = repeat(DiagonalQuadratic(lam).loss_and_grad)
    end = trajectory(opt, np.ones(lam.size), grads, lrs, rhos)[-1]
    predicted = tracking(lrs[-1], rhos[-1] * beta, np.max(lam), beta)
    return Comparison("distance to the minimum", predicted, np.linalg.norm(end))


def measure_pl_schedule(lr: float, rhos: Array, x: Array, opt: Any = PLAIN_SAM) -> Comparison:
    """Run SAM on the non-convex sine bowl from x, (..., n), under a schedule of radii."""
    problem = SineBowl()
    path = trajectory(opt, x, repeat(problem.loss_and_grad), repeat(lr), rhos)
    F = problem.loss(path)
    bound = pl_bound_under_schedule(F[0], lr, rhos, problem.mu, problem.L)
    return Comparison("f - f* under a decaying radius (bound)", bound, F)
