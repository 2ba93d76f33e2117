"""SAM on a convex quadratic never converges: it ends bouncing across the minimum, f = 1/2 x^T A x.

The two-cycle x = +-(-1)^t a e_1 lies along the eigenvector e_1 of the largest curvature lam_1.
That SAM ends there is due to Bartlett, Long & Bousquet (JMLR 24:316, 2023); the Lyapunov
function, the range 0 < lr lam_1 < 2, the rate and the average below are derived here.

Throughout, ``lam`` holds the eigenvalues of A, positive, along the last axis; lam_1 is the largest.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.backend import norm
from minisam.optimizers import SGD
from minisam.presam import SAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, Quadratic, apply, check_range, check_step, column, mT
from minisam.theory.trajectory import trajectory

PLAIN_SAM = SharpnessAware(SAM(rho=0.0), SGD(lr=0.0))  # lr and rho are given step by step


def sam_matrix(x: Array, A: Array, lr: Any, rho: Any) -> Array:
    """Return M(x) with x+ = M(x) x: one step of SAM, exactly, (..., n, n).

    ``M(x) = I - lr A - lr rho A^2 / ||A x||``: shrinking like gradient descent, and a kick across
    the minimum that does not fade as x does. ``lr`` and ``rho`` are (...) or numbers.
    """
    kick = column(rho) / norm(apply(A, x))
    return np.eye(x.shape[-1]) - column(lr)[..., None] * (A + kick[..., None] * A @ A)


def cycle_amplitude(lr: Any, rho: Any, lam: Any) -> Any:
    """Return ``a = lr rho lam / (2 - lr lam)``, the distance of the cycle from the minimum.

    Attracting for every 0 < lr lam_1 < 2, with lam = lam_1. Proof idea: -a = a - lr lam (a + rho).
    The gradient there is ``lam a``, and the loss ``lam a^2 / 2``.

    Raises
    ------
    ValueError
        If lr lam > 2 somewhere: SAM diverges.
    """
    check_step(lr, lam, 2)
    check_range("rho", rho, 0)
    return lr * rho * lam / (2 - lr * lam)


def cycle_loss(lr: Any, rho: Any, lam: Any) -> Any:
    """Return the floor of the loss, ``lam a^2 / 2 = lr^2 rho^2 lam^3 / (2 (2 - lr lam)^2)``."""
    return lam * cycle_amplitude(lr, rho, lam) ** 2 / 2


def cycle_rate(lr: Any, lam: Array) -> Array:
    """Return the factor by which the distance to the cycle shrinks each step, (...).

    ``max(|1 - lr lam_1|, max_{i > 1} |1 - lr lam_i - (2 - lr lam_1) (lam_i / lam_1)^2|)``, below 1
    for 0 < lr lam_1 < 2. Proof idea: along e_1 the kick is constant; across it, linearise M(x) at
    the cycle, where rho / ||A x|| = (2 - lr lam_1) / (lr lam_1^2). ``lr`` is (...) or a number.
    Raises ValueError where lr lam_1 > 2.
    """
    check_step(lr, np.max(lam, axis=-1), 2)
    lam = np.sort(lam, axis=-1)[..., ::-1]
    top, rest, lr = lam[..., :1], lam[..., 1:], column(lr)
    modes = np.concatenate([1 - lr * top, 1 - lr * rest - (2 - lr * top) * (rest / top) ** 2], -1)
    return np.max(np.abs(modes), axis=-1)


def lyapunov(
    y: Array, A: Array, lr: Any, rho: Any, C: Array | None = None, D: Array | None = None
) -> Array:
    """Return J(y), which every step of preSAM on the quadratic decreases, (...).

    ``J(y) = 1/2 y^T D (2 I - lr A) y - lr rho ||C^T D A y||`` at the unfolded iterate
    ``y_t = (-1)^t x_t``. Each step obeys ``J(y+) - J(y) <= -(lr/2) p^T D A p`` with p = y - y+, for
    any lr: y is unit-step gradient descent on J in the metric D, the norm term is concave and
    the rest is an exact quadratic. J is bounded below iff lr lam_1 < 2, and its minima are the
    cycle: ``-lr^2 rho^2 lam_1^2 / (2 (2 - lr lam_1))`` for plain SAM.

    Holds for D = I with any positive definite A and C, and for A, C, D that are all diagonal.
    C and D default to I; ``lr`` and ``rho`` are (...) or numbers. Derived here.
    """
    D = np.eye(y.shape[-1]) if D is None else D
    C = np.eye(y.shape[-1]) if C is None else C
    g = apply(D @ A, y)
    quadratic = np.sum(y * (2 * apply(D, y) - column(lr) * g), axis=-1) / 2
    return quadratic - lr * rho * norm(apply(mT(C), g))[..., 0]


def lyapunov_minimum(lr: Any, rho: Any, lam: Any) -> Any:
    """Return the least J of plain SAM, at the cycle of lam = lam_1; for lr lam <= 2."""
    check_step(lr, lam, 2)
    return -((lr * rho * lam) ** 2) / (2 * (2 - lr * lam))


def two_point_sum(x: Array, A: Array, lr: Any, rho: Any, lam: Any) -> Array:
    """Return a bound on ``sum_t ||x_t + x_{t+1}||_A^2`` over any run of plain SAM from x, (...).

    ``(2 / lr) (J(x_0) - min J)``: the decreases of `lyapunov` add up. So the averages of two
    consecutive iterates converge to the minimum, which the iterates never do. Attained in one
    dimension from where x changes sign at every step.
    """
    return 2 / lr * (lyapunov(x, A, lr, rho) - lyapunov_minimum(lr, rho, lam))


def unnormalized_factor(lr: Any, rho: Any, lam: Any) -> Any:
    """Return ``1 - lr lam (1 + rho lam)``: USAM, eps = rho g, is linear on a quadratic.

    No cycle: it converges iff this is within (-1, 1) for lam_1.
    """
    return 1 - lr * lam * (1 + rho * lam)


def measure_two_cycle(
    A: Array, lr: Any, rho: Any, x: Array, steps: int = 3000, opt: Any = PLAIN_SAM
) -> list[Comparison]:
    """Run SAM on 1/2 x^T A x from x, (..., n), and compare where it ends with the two-cycle.

    ``lr`` and ``rho`` are numbers or (...). The last entry is a bound on a sum over the whole run.
    """
    problem = Quadratic(A)
    lam, vectors = np.linalg.eigh(A)
    a = cycle_amplitude(lr, rho, lam[..., -1])
    grads = repeat(problem.loss_and_grad, steps)
    path = trajectory(opt, x, grads, repeat(column(lr)), repeat(column(rho)))
    end, top = path[-1], lam[..., -1]
    along = np.abs(np.sum(end * vectors[..., -1], axis=-1))
    pairs = path[1:] + path[:-1]
    return [
        Comparison("amplitude", a, norm(end)[..., 0]),
        Comparison("along the top eigenvector", a, along),
        Comparison("loss floor", cycle_loss(lr, rho, top), problem.loss(end)),
        Comparison(
            "sum of two-point averages (bound)",
            two_point_sum(x, A, lr, rho, top),
            np.sum(pairs * apply(A, pairs), axis=(0, -1)),
        ),
    ]


def lyapunov_violation(
    path: Array, A: Array, lr: Any, rho: Any, C: Array | None = None, D: Array | None = None
) -> Array:
    """Return how far each step of a run breaks the decrease of `lyapunov`, (steps, ...).

    ``J(y+) - J(y) + (lr/2) p^T D A p``, relative to the size of its terms: at most rounding.
    """
    sign = (-1.0) ** np.arange(len(path)).reshape(-1, *[1] * (path.ndim - 1))
    y = sign * path
    J, p = lyapunov(y, A, lr, rho, C, D), y[:-1] - y[1:]
    g = apply(A if D is None else D @ A, p)
    scale = np.abs(J[1:]) + np.abs(J[:-1]) + np.sum(p * p, axis=-1) + np.finfo(float).tiny
    return (J[1:] - J[:-1] + lr / 2 * np.sum(p * g, axis=-1)) / scale
