"""The two-cycle of preconditioned SAM: OP chooses its direction, CP sets its amplitude.

f = 1/2 x^T A x with A positive definite, ``eps = rho C C^T D g / ||C^T D g||``. Where plain SAM
bounces along the sharpest direction, preSAM bounces along the axis of the highest `score`. All of
this is derived here; the proofs go through `minisam.theory.two_cycle.lyapunov`.
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
from minisam.theory.problems import Array, Quadratic, apply, check_range, check_step, column, mT
from minisam.theory.trajectory import trajectory


def score(lr: Any, lam: Array, c: Array | float = 1.0, d: Array | float = 1.0) -> Array:
    """Return ``d c^2 lam^2 / (2 - lr lam)`` per axis: preSAM ends on the axis of the highest.

    For diagonal A, C, D with entries lam, c, d. It is also the curvature that preSAM penalises.
    infoSAM has d = s^(-power): for noise s proportional to lam, power = 2 cancels its preference
    for sharp directions up to 1 / (2 - lr lam), and power = 1 keeps one factor lam.
    Proof idea: the minima of J(y) on the axes are ``-lr^2 rho^2 score / 2``.
    Raises ValueError where lr lam > 2.
    """
    check_step(lr, lam, 2)
    return d * c**2 * lam**2 / (2 - lr * lam)


def preconditioned_cycle(lr: Any, rho: Any, A: Array, C: Array, D: Array) -> Array:
    """Return a point x of the stable two-cycle {x, -x}, (..., n); every argument a matrix.

    The top eigenvector of ``A C C^T D A v = nu (2 I - lr A) v``, scaled to
    ``||C^T D A v|| = lr rho nu``. On a diagonal problem that is the axis of the highest `score`
    with amplitude ``lr rho c lam / (2 - lr lam)``: D is gone from it. Needs lr lam_1 < 2.

    Proved for D = I, and for A, C, D all diagonal; in between (diagonal C, D, any A) it is what
    numerical experiments show. Raises ValueError where lr lam_1 > 2.
    """
    check_step(lr, np.linalg.eigvalsh(A)[..., -1], 2)
    metric = 2 * np.eye(A.shape[-1]) - column(lr)[..., None] * A
    pencil = np.linalg.solve(metric, A @ C @ mT(C) @ D @ A)
    nu, V = np.linalg.eig(pencil)
    top = np.argmax(np.real(nu), axis=-1, keepdims=True)
    v = np.take_along_axis(np.real(V), top[..., None, :], axis=-1)[..., 0]
    nu = np.take_along_axis(np.real(nu), top, axis=-1)
    return column(lr) * column(rho) * nu * v / norm(apply(mT(C) @ D @ A, v))


def measure_preconditioned_cycle(
    A: Array, C: Array, D: Array, lr: Any, rho: Any, x: Array, steps: int, opt: Any = None
) -> list[Comparison]:
    """Run preSAM with matrices C and D from x, (..., n), and compare its end with the cycle."""
    opt = opt or SharpnessAware(PreSAM(0.0, Dense(D), Dense(C)), SGD(0.0))
    grads = repeat(Quadratic(A).loss_and_grad, steps)
    end = trajectory(opt, x, grads, repeat(column(lr)), repeat(column(rho)))[-1]
    v = preconditioned_cycle(lr, rho, A, C, D)
    length, reach = norm(v)[..., 0], norm(end)[..., 0]
    return [
        Comparison("amplitude", length, reach),
        Comparison("cosine to its axis", 1.0, np.abs(np.sum(v * end, axis=-1)) / (length * reach)),
    ]


def asam_cycle(lr: Any, rho: Any, lam: Any, x_star: Any) -> tuple[Any, Any]:
    """Return both points of ASAM's cycle (offset eta = 0) on lam (x - x*)^2 / 2, one dimension.

    ``x* + a_+`` and ``x* - a_-``, ``a_+- = lr lam rho (1 -+ rho) x* / (2 - lr lam (1 - rho^2))``:
    the ball |eps| <= rho |x| is larger farther out, so the cycle sits closer to the origin than
    x* by ``lr lam rho^2 x* / (2 - lr lam (1 - rho^2))``. For rho < 1 and lr lam (1 + rho) < 2.
    Proof idea: x -> x - lr lam ((1 +- rho) x - x*) is linear on each side of x*; solve for the
    2-cycle. At x* = 0 there is none: the step is linear with factor 1 - lr lam (1 + rho).
    """
    check_range("rho", rho, 0, 1)
    check_step(lr, lam * (1 + rho), 2)
    scale = lr * lam * rho * x_star / (2 - lr * lam * (1 - rho**2))
    return x_star + scale * (1 - rho), x_star - scale * (1 + rho)


def ellipse(C: Array, rho: float, points: int = 200) -> Array:
    """Return the boundary ``{C u : ||u|| = rho}`` of the ball that C makes, (points, 2)."""
    angle = np.linspace(0, 2 * np.pi, points)
    return rho * np.stack([np.cos(angle), np.sin(angle)], axis=-1) @ C.T
