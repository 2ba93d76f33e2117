"""Between unnormalised and normalised SAM: one row, both ends, and what it does on a quadratic.

Oikonomou & Loizou (ICLR 2025) study ``x+ = x - lr grad f(x + rho (1 - l + l / ||g||) g)`` for l in
[0, 1]: l = 1 is SAM, l = 0 is unnormalised SAM. It is a preSAM, with the constraint
``C = (l + (1 - l) ||g||) I``: a ball that grows with the gradient. The idea is theirs; the
predictions are derived here.

On f = 1/2 x^T A x the step is ``x+ = (I - lr (A + rho (1 - l) A^2) - lr rho l A^2 / ||A x||) x``:
a linear map as in unnormalised SAM, and l times SAM's kick. ``lam`` holds the eigenvalues of A,
positive, along the last axis. ``lr``, ``rho``, ``l`` are numbers or (...).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from minisam.backend import norm
from minisam.optimizers import SGD
from minisam.preconditioners import Diagonal
from minisam.presam import PreSAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, Quadratic, check_range, check_step, column
from minisam.theory.trajectory import trajectory


@dataclass(frozen=True, eq=False)
class GrowingBall:
    """The constraint ``C = (l + (1 - l) ||g||) I``."""

    l: Any

    def __post_init__(self):
        check_range("l", self.l, 0, 1)

    def at(self, w: Array, g: Array) -> Diagonal:
        return Diagonal(self.l + (1 - self.l) * norm(g))


def UnifiedSAM(rho: float, l: Any) -> PreSAM:
    """``eps = rho (1 - l + l / ||g||) g``; ``l`` in [0, 1], a number or (S, 1) for a population."""
    return PreSAM(rho, constraint=GrowingBall(l))


def curvature(lam: Any, rho: Any, l: Any) -> Any:
    """Return ``lam (1 + rho (1 - l) lam)``: the linear part of the step, as gradient descent's."""
    check_range("l", l, 0, 1)
    return lam * (1 + rho * (1 - l) * lam)


def largest_lr(lam: Any, rho: Any, l: Any) -> Any:
    """Return ``2 / (lam (1 + rho (1 - l) lam))``, beyond which the run diverges; lam = lam_1.

    Only SAM itself, l = 1, keeps gradient descent's 2 / lam. Proof idea: far out
    the kick is negligible.
    """
    return 2 / curvature(lam, rho, l)


def amplitude(lr: Any, rho: Any, l: Any, lam: Any) -> Any:
    """Return ``a = lr rho l lam / (2 - lr lam (1 + rho (1 - l) lam))``, of the two-cycle +-a e_1.

    It attracts for every lr below `largest_lr`. l = 1 is SAM's two-cycle; at l = 0 the cycle
    has shrunk to the minimum, so unnormalised SAM alone converges. Proof idea: x+ = -x along e_1;
    it is the two-cycle of `as_presam`.

    Raises
    ------
    ValueError
        If lr is beyond `largest_lr` somewhere.
    """
    check_step(lr, curvature(lam, rho, l), 2)
    return lr * rho * l * lam / (2 - lr * curvature(lam, rho, l))


def rate(lr: Any, rho: Any, l: Any, lam: Array) -> Array:
    """Return the factor by which the distance to the cycle shrinks each step, (...).

    ``max(|1 - lr c_1|, max_{i > 1} |1 - lr c_i - (2 - lr c_1) (lam_i / lam_1)^2|)``, c the
    `curvature`; at l = 0, where there is no kick, ``max |1 - lr c_i|``. Proof idea: the kick is
    constant along e_1, and (2 - lr c_1) / lam_1^2 times A^2 across it.
    """
    lr, rho, l = column(lr), column(rho), column(l)
    lam = np.sort(lam, axis=-1)[..., ::-1]
    c = curvature(lam, rho, l)
    kick = np.where(l > 0, (2 - lr * c[..., :1]) * (lam / lam[..., :1]) ** 2, 0.0)
    kick[..., 0] = 0.0
    return np.max(np.abs(1 - lr * c - kick), axis=-1)


def as_presam(A: Array, rho: Any, l: Any) -> tuple[Array, Array]:
    """Return (B, C): on 1/2 x^T A x this row takes the steps of preSAM with C on 1/2 x^T B x.

    ``B = A + rho (1 - l) A^2``, ``C = B^{-1} A``, and the radius is rho l. So `two_cycle.lyapunov`
    at B, C decreases at every step, and `preconditioned_cycle` knows where that ends.
    """
    B = A + column(column(rho * (1 - l))) * A @ A
    return B, np.linalg.solve(B, A)


def run_family(A: Array, lr: Any, rho: Any, l: Any, x: Array, steps: int) -> Array:
    """Return the iterates from x, (..., n): (steps + 1, ..., n)."""
    opt = SharpnessAware(UnifiedSAM(0.0, column(l)), SGD(0.0))
    grads = repeat(Quadratic(A).loss_and_grad, steps)
    return trajectory(opt, x, grads, repeat(column(lr)), repeat(column(rho)))


def measure_family(
    A: Array, lr: Any, rho: Any, l: Any, x: Array, steps: int = 3000
) -> list[Comparison]:
    """Run the family on 1/2 x^T A x from x, (..., n), and compare where it ends with the cycle.

    With ``l`` of shape (S,) and x of (S, n) the comparisons are curves from one end to the other.
    """
    lam, vectors = np.linalg.eigh(A)
    path = run_family(A, lr, rho, l, x, steps)
    a = amplitude(lr, rho, l, lam[..., -1])
    along = np.abs(np.sum(path[-1] * vectors[..., -1], axis=-1))
    return [
        Comparison("distance of the two-cycle", a, norm(path[-1])[..., 0]),
        Comparison("along the top eigenvector", a, along),
    ]
