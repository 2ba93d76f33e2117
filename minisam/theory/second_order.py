"""What SAM minimises, to second order in rho; why C is a penalty and D is not.

One step looks at f(x + eps) instead of f(x). To first order that adds rho ||C^T grad f|| to the
loss: a constraint preconditioner penalises the gradient in another norm. An objective one
penalises nothing: the field it follows is no gradient of any function. Derived here.

C and D are matrices (..., n, n), constant; ``rho`` is a number or (...).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minisam.backend import norm, unit
from minisam.optimizers import SGD
from minisam.preconditioners import Dense
from minisam.presam import PreSAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, Problem, Quadratic, apply, column, mT
from minisam.theory.two_cycle import PLAIN_SAM


def ascent(problem: Problem, x: Array, rho: Any, C: Array, D: Array) -> Array:
    """Return f(x + eps) - f(x) up to O(rho^3), (...).

    ``rho g^T C C^T D g / ||C^T D g|| + eps^T H eps / 2``; for SAM
    ``rho ||g|| + rho^2 g^T H g / (2 ||g||^2)``. The first term is at most ``rho ||C^T g||``, and
    equal to it iff D g is parallel to g: any other D gives away ascent on the minibatch at hand.
    """
    g, H = problem.grad(x), problem.hess(x)
    eps = column(rho) * apply(C, unit(apply(mT(C) @ D, g)))
    return np.sum(eps * (g + apply(H, eps) / 2), axis=-1)


def penalised_gradient(problem: Problem, x: Array, rho: Any, C: Array) -> Array:
    """Return the gradient of ``f + rho ||C^T grad f||``, (..., n).

    ``g + rho H C C^T g / ||C^T g||``. With D = I it is the gradient that preSAM uses:
    exactly on a quadratic, up to O(rho^2) elsewhere.
    """
    g, H = problem.grad(x), problem.hess(x)
    return g + column(rho) * apply(H @ C, unit(apply(mT(C), g)))


def jacobian(A: Array, x: Array, rho: Any, C: Array, D: Array) -> Array:
    """Return the Jacobian of preSAM's gradient h(x) = A (x + eps) on 1/2 x^T A x, (..., n, n).

    ``A + (rho / ||u||) A C (I - u u^T / ||u||^2) C^T D A`` with ``u = C^T D A x``. It is symmetric
    for D = I. Where it is not, h is not the gradient of anything (Poincare).
    """
    u = apply(mT(C) @ D @ A, x)
    direction = unit(u)
    across = np.eye(x.shape[-1]) - direction[..., :, None] * direction[..., None, :]
    scale = (column(rho) / norm(u))[..., None]
    return A + scale * A @ C @ across @ mT(C) @ D @ A


def asymmetry(J: Array) -> Array:
    """Return ``||J - J^T|| / ||J||`` (Frobenius): 0 for a gradient field, at most 2."""
    return np.linalg.norm(J - mT(J), axis=(-2, -1)) / np.linalg.norm(J, axis=(-2, -1))


def measure_ascent(
    problem: Problem, x: Array, rho: float, C: Array, D: Array, opt: Any = None
) -> Comparison:
    """Compare the ascent of one preSAM step, seen by the optimizer, with `ascent`."""
    opt = opt or SharpnessAware(PreSAM(0.0, Dense(D), Dense(C)), SGD(0.0))
    seen = opt.step(x, problem.loss_and_grad, opt.init(x), 0.1, rho)[2]
    return Comparison("ascent", ascent(problem, x, rho, C, D), seen.loss_perturbed - seen.loss)


def measure_penalty(A: Array, x: Array, rho: float, C: Array, opt: Any = None) -> Comparison:
    """Compare the step of CP-SAM on a quadratic with that along `penalised_gradient`, exactly."""
    opt = opt or SharpnessAware(PreSAM(0.0, constraint=Dense(C)), SGD(0.0))
    problem, lr = Quadratic(A), 0.1
    x_next = opt.step(x, problem.loss_and_grad, opt.init(x), lr, rho)[0]
    predicted = penalised_gradient(problem, x, rho, C)
    return Comparison("gradient of the penalised loss", predicted, (x - x_next) / lr)


def flow(field: Any, x: Array, time: float) -> Array:
    """Follow ``dx/dt = -field(x)`` for ``time``, (..., n)."""
    from scipy.integrate import solve_ivp

    velocity = lambda t, y: -field(y.reshape(x.shape)).ravel()
    y = solve_ivp(velocity, (0, time), x.ravel(), "DOP853", rtol=1e-10, atol=1e-12).y
    return y[:, -1].reshape(x.shape)


def measure_flow_order(
    problem: Problem, x: Array, rho: float = 0.02, time: float = 0.1, opt: Any = PLAIN_SAM
) -> Comparison:
    """Compare SAM's flow with the flow on the penalised loss: they part like rho^2.

    The order measured is ``log2`` of the ratio of the errors at rho and at rho / 2, their root
    mean squares over the population.
    """
    eye, grad, error = np.eye(x.shape[-1]), problem.loss_and_grad, []
    for radius in rho, rho / 2:
        sam = lambda y, r=radius: y - opt.step(y, grad, opt.init(y), 1.0, r)[0]
        penalised = lambda y, r=radius: penalised_gradient(problem, y, r, eye)
        ends = flow(sam, x, time), flow(penalised, x, time)
        error.append(np.sqrt(np.mean((ends[0] - ends[1]) ** 2)))
    return Comparison("order in rho of the flows' difference", 2.0, np.log2(error[0] / error[1]))


def measure_ascent_order(
    problem: Problem, x: Array, rho: float, C: Array, D: Array, opt: Any = None
) -> Comparison:
    """The remainder of `ascent` shrinks like rho^3: its order between rho and rho / 2."""
    error = []
    for radius in rho, rho / 2:
        c = measure_ascent(problem, x, radius, C, D, opt)
        error.append(np.sqrt(np.mean((c.measured - c.predicted) ** 2)))
    return Comparison("order in rho of the remainder", 3.0, np.log2(error[0] / error[1]))
