"""SAM slides along the valley of f(u, v) = 1/2 (u v - 1)^2 to its flattest, balanced point.

Gradient flow conserves the imbalance Q = u^2 - v^2, and so it stays wherever on the curve u v = 1
it arrives. SAM's Q decays to 0; ASAM (eta = 0) follows the rescaling (u, v) -> (a u, v / a) and
conserves Q like gradient flow. One step of each changes Q by an exact factor. Derived here.

Notation: r = u v - 1, the residual, and s^2 = u^2 + v^2, the curvature across the valley.
Start off the valley: where r = 0 exactly, every method stays.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.optimizers import SGD
from minisam.presam import SAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, ProductValley, check_step
from minisam.theory.trajectory import trajectory

VALLEY = ProductValley()


def perturbed_residual(x: Array, rho: Any) -> Array:
    """Return ``r' = r + sign(r) rho s + rho^2 u v / s^2``: the residual where SAM looks, (...).

    ``sign(r) r' > 0`` for every rho < 2 s, so that the imbalance shrinks.
    """
    r, s2 = VALLEY.residual(x), np.sum(x * x, axis=-1)
    return r + np.sign(r) * rho * np.sqrt(s2) + rho**2 * (r + 1) / s2


def imbalance_factor(x: Array, lr: Any, rho: Any) -> Array:
    """Return Q+ / Q of one SAM step, exactly, (...); rho = 0 is gradient descent.

    ``1 - 2 lr rho sign(r) r' / s - lr^2 r'^2 (1 - rho^2 / s^2)``. In continuous time, lr -> 0,
    that is ``dQ/dt = -2 rho |r'| Q / s`` for rho < 2 s. Proof idea: SAM moves u by
    ``-lr r' (v + k u)`` and v by ``-lr r' (u + k v)`` with k = rho sign(r) / s; square, subtract.
    """
    r, s2 = VALLEY.residual(x), np.sum(x * x, axis=-1)
    r_ = perturbed_residual(x, rho)
    kick = 2 * lr * rho * np.sign(r) * r_ / np.sqrt(s2)
    return 1 - kick - (lr * r_) ** 2 * (1 - rho**2 / s2)


def asam_imbalance_factor(x: Array, lr: Any, rho: Any) -> Array:
    """Return Q+ / Q of one ASAM step with offset eta = 0, exactly, (...).

    ``1 - lr^2 r'^2 (1 + k)^2``, k = rho sign(r u v) / sqrt(2), ``r' = u v (1 + k)^2 - 1``: second
    order in lr, as for gradient descent. Proof idea: C g = r u v (sign u, sign v), so
    eps = k (u, v), and C and g are swapped under the rescaling alike.
    """
    r = VALLEY.residual(x)
    k = rho * np.sign(r * (r + 1)) / np.sqrt(2)
    return 1 - (lr * ((r + 1) * (1 + k) ** 2 - 1) * (1 + k)) ** 2


def imbalance_decay(Q: Any, lr: Any, rho: Any) -> Any:
    """Return the relative loss of Q per step on the valley, ``8 lr rho^2 / (2 - lr s^2)^2``.

    On the valley ``s^2 = sqrt(Q^2 + 4)``. To leading order in rho. Proof idea: the fast motion
    across the valley is the two-cycle of a quadratic with curvature s^2, which makes
    ``|r'| = 2 rho s / (2 - lr s^2)`` and not just rho s; insert it in `imbalance_factor` and
    average two steps. Raises ValueError where lr s^2 > 2.
    """
    s2 = np.sqrt(Q**2 + 4)
    check_step(lr, s2, 2)
    return 8 * lr * rho**2 / (2 - lr * s2) ** 2


def imbalance_path(Q: float, lr: float, rho: float, steps: int) -> Array:
    """Return the predicted Q_0, Q_1, ... of a run along the valley, (steps + 1)."""
    path = [Q]
    for _ in range(steps):
        path.append(path[-1] * (1 - imbalance_decay(path[-1], lr, rho)))
    return np.array(path)


def measure_valley(
    lr: float = 0.1, rho: float = 0.1, start: Any = (3.0, 0.34), steps: int = 6000, opt: Any = None
) -> list[Comparison]:
    """Run SAM from ``start``, near the valley, and compare its slide with the prediction."""
    opt, start = opt or SharpnessAware(SAM(0.0), SGD(0.0)), np.asarray(start, dtype=float)
    check_step(lr, start @ start, 2)
    grads = repeat(VALLEY.loss_and_grad, steps)
    path = trajectory(opt, start, grads, repeat(lr), repeat(rho))
    Q = VALLEY.imbalance(path)
    Q = (Q[1:] + Q[:-1]) / 2  # the two-cycle averaged out
    fall_in, half = 200, int(np.argmax(Q[200] / 2 > Q))
    predicted = imbalance_path(Q[fall_in], lr, rho, half - fall_in)[-1]
    middle = (path[-1] + path[-2]) / 2
    return [
        Comparison("decay of log Q", np.log(predicted / Q[fall_in]), np.log(Q[half] / Q[fall_in])),
        Comparison("u / v at the end", 1.0, middle[0] / middle[1]),
        Comparison("curvature u^2 + v^2 at the end", 2.0, np.sum(middle**2)),
    ]
