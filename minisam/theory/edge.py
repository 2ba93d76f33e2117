"""SAM's edge of stability: the curvature beyond which a step along it overshoots.

Gradient descent is stable below curvature 2 / lr. SAM's edge is lower and depends on the gradient
(Long & Bartlett, JMLR 25, 2024, "Sharpness-aware minimization and the edge of stability"): during
training the largest curvature rides on it.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from minisam.backend import norm
from minisam.optimizers import SGD
from minisam.presam import SAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.problems import ProductValley, check_range
from minisam.theory.trajectory import trajectory


def sam_edge(g_norm: Any, lr: Any, rho: Any) -> Any:
    """Return ``(||g|| / (2 rho)) (sqrt(1 + 8 rho / (lr ||g||)) - 1)``.

    Written ``(4 / lr) / (1 + sqrt(1 + 8 rho / (lr ||g||)))``, which is the same and is exact also
    for rho = 0: 2 / lr, the edge of gradient descent. For ||g|| -> 0 it goes to 0 like
    ``sqrt(2 ||g|| / (lr rho))``. Under a constraint preconditioner with entry c along the sharp
    direction, rho is c rho. On a quadratic in one dimension ``|x+| > |x|`` iff lam exceeds the
    edge; on SAM's two-cycle lam equals it. Proof idea: x+ = x - lr lam (x + rho sign x) = -x with
    ||g|| = lam |x| is ``lr lam (1 + rho lam / ||g||) = 2``; solve for lam.
    """
    check_range("rho", rho, 0)
    return 4 / lr / (1 + np.sqrt(1 + 8 * rho / (lr * g_norm)))


def measure_edge(
    lr: float = 0.1, rho: float = 0.02, start: Any = (3.0, 0.34), steps: int = 4000, opt: Any = None
) -> Comparison:
    """Run SAM along the valley (u v - 1)^2 / 2; compare curvature there with SAM's edge.

    The gradient norm is averaged over two steps, the two sides of the cycle; single steps lie
    far off on either side. Both are means over the second half of the run.
    """
    problem = ProductValley()
    opt = opt or SharpnessAware(SAM(0.0), SGD(0.0))
    grads = repeat(problem.loss_and_grad, steps)
    path = trajectory(opt, np.asarray(start), grads, repeat(lr), repeat(rho))[steps // 2 :]
    length = norm(problem.grad(path))[..., 0]
    middle = (path[1:] + path[:-1]) / 2
    edge = sam_edge((length[1:] + length[:-1]) / 2, lr, rho)
    sharpest = np.linalg.eigvalsh(problem.hess(middle))[..., -1]
    return Comparison("largest curvature over SAM's edge", np.mean(edge), np.mean(sharpest))
