"""Near a saddle point SAM can stay for ever, where gradient descent leaves.

That saddles can attract SAM is the finding of Kim, Park, Choi & Lee ("Stability analysis of
sharpness-aware minimization", arXiv 2301.06308, 2023). Here f = (lam x^2 - m z^2) / 2 with
lam, m > 0, and what discrete SAM does on it is derived here:

* Along z alone, z+ = (1 + lr m) z - lr m rho sign z: eps points back to the saddle, past it for
  |z| < rho. A start beyond rho leaves; one within stays for ever if lr m < 1 (`along_z`).
* Along x, SAM enters its two-cycle, where ||g|| = lr rho lam^2 / (2 - lr lam). A small z is then
  multiplied by `multiplier` each step. It grows, and SAM leaves, iff rho m < ||g||: the two-cycle
  across the valley must be violent enough to carry it over the trap (`leaves`).
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, DiagonalQuadratic, check_step, column
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import PLAIN_SAM, cycle_amplitude


def along_z(z: Any, lr: Any, m: Any, rho: Any) -> Any:
    """Return z+ of one step of SAM on -m z^2 / 2, exactly.

    ``|z+| - rho = (1 + lr m) (|z| - rho)`` as long as z keeps its sign. So |z| > rho leaves, and
    |z| < rho comes closer until it crosses to ``|z+| <= lr m rho``. For lr m < 1 that is within
    rho again: trapped, wandering (the map expands everywhere, no cycle attracts).
    """
    return (1 + lr * m) * z - lr * m * rho * np.sign(z)


def multiplier(lr: Any, lam: Any, m: Any) -> Any:
    """Return z+ / z for small z on the two-cycle along x: ``1 + lr m - m^2 (2 - lr lam) / lam^2``.

    Proof idea: linearise ``z+ = z (1 + lr m - lr rho m^2 / ||g||)`` there. Free of rho: the
    radius sets the size of the trap, not whether it holds. Raises ValueError where lr lam > 2.
    """
    check_step(lr, lam, 2)
    return 1 + lr * m - m**2 * (2 - lr * lam) / lam**2


def leaves(lr: Any, lam: Any, m: Any) -> Any:
    """Return whether SAM leaves from close to the saddle: ``lr lam (1 + lam / m) > 2``.

    Which is multiplier > 1. Below, the saddle holds: at its two-cycle where |multiplier| < 1, and
    wandering otherwise. The linear statement is proved; that starts near the saddle do the same,
    for lr m < 1 and lr lam < 2, is what numerical experiments show. For lr m > 1 most leak out.
    """
    return lr * lam * (1 + lam / m) > 2


def escaped(lr: Array, lam: Array, m: Array, rho: float, steps: int, opt: Any = PLAIN_SAM) -> Array:
    """Run ``opt`` from random points close to the saddle, and return who left it, (S,).

    ``lr``, ``lam`` and ``m`` are (S,). Starts are N(0, (rho / 1000)^2); having left means
    |z| > 10 rho at the end.
    """
    problem = DiagonalQuadratic(np.stack([lam, -m], axis=-1))
    x = np.random.default_rng(0).standard_normal((len(lr), 2)) * rho / 1000
    state = opt.init(x)
    for _ in range(steps):
        x, state, _ = opt.step(x, problem.loss_and_grad, state, column(lr), rho)
        x = np.clip(x, -1e6 * rho, 1e6 * rho)  # who has left need not overflow
    return np.abs(x[:, 1]) > 10 * rho


def measure_escape(
    count: int = 1000, rho: float = 0.1, steps: int = 3000, opt: Any = PLAIN_SAM
) -> Comparison:
    """Try random saddles with lr m < 1; compare the share that SAM leaves with `leaves`.

    Saddles whose multiplier is within 0.02 of 1 are set aside: they take too long to decide.
    """
    rng = np.random.default_rng(0)
    lr, m = rng.uniform(0.02, 1.9, count), 10 ** rng.uniform(-2, 0.5, count)
    keep = (lr * m < 0.95) & (np.abs(multiplier(lr, 1.0, m) - 1) > 0.02)
    lr, m = lr[keep], m[keep]
    gone = escaped(lr, np.ones_like(lr), m, rho, steps, opt)
    return Comparison("share of saddles left", np.mean(leaves(lr, 1.0, m)), np.mean(gone))


def measure_multiplier(
    lr: Any, lam: Any, m: Any, rho: float = 0.1, steps: int = 3, opt: Any = PLAIN_SAM
) -> Comparison:
    """Start on the two-cycle with a small z, and compare z after a few steps; (...)."""
    lr, lam, m = np.broadcast_arrays(*map(np.asarray, (lr, lam, m)))
    problem = DiagonalQuadratic(np.stack([lam, -m], axis=-1))
    a = cycle_amplitude(lr, rho, lam)
    x = np.stack([a, 1e-6 * a], axis=-1)
    grads = repeat(problem.loss_and_grad, steps)
    z = trajectory(opt, x, grads, repeat(column(lr)), repeat(rho))[..., 1]
    return Comparison(f"growth in {steps} steps", multiplier(lr, lam, m) ** steps, z[-1] / z[0])
