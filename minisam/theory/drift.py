"""Along a valley that varies, SAM drifts towards small curvature; D decides which curvature counts.

Across the valley SAM ends in the two-cycle of the curvature lam that it finds there; along it, the
cycle pushes with ``-grad lam``. For the spectral norm of the Hessian this is a theorem of Bartlett,
Long & Bousquet (JMLR 24:316, 2023); the form with C and D, for any lr lam < 2, is derived here.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.optimizers import SGD
from minisam.preconditioners import Diagonal
from minisam.presam import PreSAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.noisy import Additive
from minisam.theory.preconditioned_cycle import score
from minisam.theory.problems import Array, SharpValley, check_step, column
from minisam.theory.trajectory import trajectory

ONE_WALL = SharpValley((1.5,), (0.7,))


def drift(lr: Any, rho: Any, lam: Any, slope: Any, c: Any = 1.0) -> Any:
    """Return the drift per step along the valley, ``-(lr/2) (2 rho c / (2 - lr lam))^2 slope``.

    ``slope`` is the derivative of lam along the valley, and c the entry of C *across* it. To
    leading order in rho. Proof idea: on the two-cycle the point where SAM looks is
    ``a + rho c = 2 rho c / (2 - lr lam)`` away from the floor, and f has the derivative
    ``slope y^2 / 2`` there. Raises ValueError where lr lam > 2.
    """
    check_step(lr, lam, 2)
    return -lr / 2 * (2 * rho * c / (2 - lr * lam)) ** 2 * slope


def settling_point(
    valley: SharpValley, lr: float, d: Any = 1.0, c: Any = 1.0, between: Any = (-1.5, 1.5)
) -> float:
    """Return the b where a valley with two walls holds preSAM: where their scores are equal.

    ``d_1 c_1^2 lam_1^2 / (2 - lr lam_1) = d_2 c_2^2 lam_2^2 / (2 - lr lam_2)``. On either side one
    wall's cycle wins and pushes b back. For plain SAM that makes the curvatures equal; with D the
    point moves, so D changes *which* curvature is penalised. Raises ValueError if there is no such
    b ``between`` the two ends.
    """
    from scipy.optimize import root_scalar

    def lead(b: float) -> float:
        first, second = score(lr, valley.walls(np.asarray(b)), c, d)
        return first - second

    if not lead(between[0]) * lead(between[1]) <= 0:
        raise ValueError(f"the walls' scores are equal nowhere between b = {between}")
    return root_scalar(lead, bracket=between).root


def measure_drift(
    lr: Any = 0.3, rho: Any = 0.02, c: Any = 1.0, valley: SharpValley = ONE_WALL,
    steps: int = 600, opt: Any = None,
) -> Comparison:  # fmt: skip
    """Run preSAM in a valley with one wall; compare how far it drifts after the first 200 steps.

    ``lr``, ``rho`` and ``c`` are numbers or (...); ``valley`` may have parameters (..., 1).
    """
    entries = np.stack(np.broadcast_arrays(np.asarray(c, dtype=float), 1.0), axis=-1)
    lead = np.broadcast_shapes(np.shape(lr), np.shape(rho), entries.shape[:-1])
    x = np.broadcast_to(np.array([0.1, 0.0]), (*lead, 2))
    opt = opt or SharpnessAware(PreSAM(0.0, constraint=Diagonal(entries)), SGD(0.0))
    grads = repeat(valley.loss_and_grad, steps)
    b = trajectory(opt, x, grads, repeat(column(lr)), repeat(column(rho)))[..., -1]
    start = predicted = b[200]
    slope = np.asarray(valley.slope)[..., 0]
    for _ in range(200, steps):
        predicted = predicted + drift(lr, rho, valley.walls(predicted)[..., 0], slope, c)
    return Comparison("drift along the valley", predicted - start, b[-1] - start)


def settling_path(
    d: Array, rho: float = 0.05, lr: float = 0.3, steps: int = 10_000, opt: Any = None
) -> Array:
    """Return b_0, b_1, ... of preSAM with D = diag(d) in the valley with two walls.

    ``d`` is (..., 2). Gradient noise of 1e-6 keeps the losing wall's direction alive: without it
    rounding would, and the turn-over takes longer.
    """
    d = np.concatenate([d, np.ones((*d.shape[:-1], 1))], axis=-1)
    opt = opt or SharpnessAware(PreSAM(0.0, objective=Diagonal(d)), SGD(0.0))
    noisy, rng = Additive(SharpValley(), 1e-6), np.random.default_rng(0)
    x = np.broadcast_to(np.array([0.1, 0.1, 0.0]), d.shape)
    grads = (noisy.draw(rng, x) for _ in range(steps))
    return trajectory(opt, x, grads, repeat(lr), repeat(rho))[..., -1]


def measure_settling(
    ratios: Any = (1.0, 1 / 9, 9.0), rho: float = 0.05, lr: float = 0.3, steps: int = 10_000,
    opt: Any = None,
) -> tuple[Array, list[Comparison]]:  # fmt: skip
    """Return the paths of preSAM with d = (ratio, 1), (steps + 1, ratios), and where they settle.

    That is averaged over the last fifth of the run.
    """
    d = np.stack([np.array(ratios), np.ones(len(ratios))], axis=-1)
    path = settling_path(d, rho, lr, steps, opt)
    b = np.mean(path[-steps // 5 :], axis=0)
    return path, [
        Comparison(f"b where d_1 / d_2 = {r:.3g}", settling_point(SharpValley(), lr, d_k), b_k)
        for r, d_k, b_k in zip(ratios, d, b, strict=True)
    ]
