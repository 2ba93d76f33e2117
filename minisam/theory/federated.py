"""Federated SAM: clients take local SAM steps, the server averages; where does that settle?

FedSAM (Qu et al., ICML 2022): in each round every client starts from the server's x and takes
``steps`` SAM steps on its own f_k; the server moves to the mean of where they end. The idea is
theirs; what follows is derived here, for ``f_k(x) = 1/2 (x - b_k)^T A_k (x - b_k)``. The key: on
a quadratic SAM's second gradient is the gradient of ``F_k = f_k + rho ||grad f_k||``, exactly. So

    FedSAM on the f_k  =  FedAvg (local gradient descent) on the F_k.

A has shape (..., clients, n, n), b (..., clients, n), x (..., n).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

import numpy as np

from minisam.backend import norm, unit
from minisam.optimizers import SGD
from minisam.presam import SAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.problems import Array, Quadratic, apply, check_step, mT
from minisam.theory.trajectory import Oracle, trajectory
from minisam.theory.two_cycle import cycle_amplitude


def server_round(
    opt: Any, x: Array, grads: Iterable[Oracle], clients: int, lr: Any = None, rho: Any = None
) -> Array:
    """Return the server's next x, (..., n): the mean over clients of their local runs from x.

    The clients are a population: each oracle of ``grads``, one for each local step, takes weights
    (..., clients, n) and member k sees the data of client k. One client and one step is ``opt``.
    """
    w = np.repeat(x[..., None, :], clients, axis=-2)
    return trajectory(opt, w, grads, repeat(lr), repeat(rho))[-1].mean(-2)


def run(opt: Any, x: Array, problem: Quadratic, rounds: int, steps: int) -> Array:
    """Return the server's x before each round and after the last: (rounds + 1, ..., n)."""
    clients, path = problem.A.shape[-3], [x]
    for _ in range(rounds):
        path.append(server_round(opt, path[-1], repeat(problem.loss_and_grad, steps), clients))
    return np.stack(path)


# --- predicted --------------------------------------------------------------------------------


def minimum(A: Array, b: Array) -> Array:
    """Return the minimiser of the mean loss, ``(sum_k A_k)^{-1} sum_k A_k b_k``, (..., n)."""
    return _solve(A.mean(-3), apply(A, b).mean(-2))


def fedavg_point(A: Array, b: Array, lr: Any, steps: int) -> Array:
    """Return the fixed point of FedAvg, ``(sum_k I - M_k)^{-1} sum_k (I - M_k) b_k``, (..., n).

    ``M_k = (I - lr A_k)^steps``. It is the `minimum` for one step only; with more, clients of large
    curvature lose weight. The round is affine: ``x - b_k -> M_k (x - b_k)``. Raises ValueError
    where lr times a client's curvature exceeds 2.
    """
    check_step(lr, np.linalg.eigvalsh(A)[..., -1], 2)
    taken = np.eye(b.shape[-1]) - np.linalg.matrix_power(np.eye(b.shape[-1]) - lr * A, steps)
    return _solve(taken.mean(-3), apply(taken, b).mean(-2))


def gradient(A: Array, b: Array, rho: Any, x: Array) -> tuple[Array, Array]:
    """Return every client's gradient and Hessian of F_k, with g = A (x - b) and u = g / ||g||.

    ``grad F_k = g + rho A u``, (..., clients, n), and
    ``Hess F_k = A + rho A (I - u u^T) A / ||g||``, (..., clients, n, n).
    """
    g = apply(A, x[..., None, :] - b)
    u = unit(g)
    across = np.eye(b.shape[-1]) - u[..., :, None] * u[..., None, :]
    return g + rho * apply(A, u), A + (rho / norm(g))[..., None] * A @ across @ A


def fedsam_minimum(A: Array, b: Array, rho: Any, iterations: int = 50) -> Array:
    """Return the minimiser of the mean F_k, where FedSAM with one local step settles, (..., n).

    That one step is gradient descent on the mean of the F_k, which is convex, and smooth away from
    the b_k: where SAM on the mean loss bounces for ever, different clients let it converge. Found
    by Newton's method from the minimiser of the mean loss, which converges while rho is small
    against the distances between clients.
    """
    x = minimum(A, b)
    for _ in range(iterations):
        h, H = gradient(A, b, rho, x)
        x = x - _solve(H.mean(-3), h.mean(-2))
    return x


def first_shift(A: Array, b: Array, rho: Any) -> Array:
    """Return ``-rho (mean A_k)^{-1} mean A_k u_k``: `fedsam_minimum` minus x*, to O(rho^2).

    u_k are the directions of the clients' gradients at the minimiser x* of the mean loss: SAM
    shifts the server towards the clients whose losses are steep.
    """
    x = minimum(A, b)
    u = unit(apply(A, x[..., None, :] - b))
    return -rho * _solve(A.mean(-3), apply(A, u).mean(-2))


def fedsam_point(A: Array, b: Array, rho: Any, lr: Any, steps: int) -> Array:
    """Return where FedSAM with several local steps settles, to O(lr^2), (..., n).

    The minimiser of ``mean F_k - (lr (steps - 1) / 4) mean ||grad F_k||^2``: local steps *reward* a
    client's gradient, SAM penalises it. Proof idea: a client moves by ``-lr steps h_k +
    (lr^2 steps (steps - 1) / 2) H_k h_k + O(lr^3)``, with gradient h_k and Hessian H_k of F_k.
    """
    x = fedsam_minimum(A, b, rho)
    h, H = gradient(A, b, rho, x)
    return x + lr * (steps - 1) / 2 * _solve(H.mean(-3), apply(H, h).mean(-2))


def bounces(lr: Any, rho: Any, lam: Any, distance: Any) -> Any:
    """Whether two clients ``lam (x -+ distance)^2 / 2`` keep SAM's two-cycle; one local step.

    They do iff its amplitude ``a = lr rho lam / (2 - lr lam)`` is larger than ``distance``. Proof
    idea: beyond both clients the kicks agree, and there it is SAM on the mean loss; between them
    they cancel, and it is gradient descent, which never leaves again.
    """
    return cycle_amplitude(lr, rho, lam) > distance


# --- measured ---------------------------------------------------------------------------------


def clients(count: int, n: int, seed: int, spread: float = 1.0) -> tuple[Array, Array]:
    """Return (A, b) of random clients: curvatures in [0.5, 1.5], minima N(0, spread^2)."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((count, n, n)))[0]
    A = Q * rng.uniform(0.5, 1.5, (count, 1, n)) @ mT(Q)
    return (A + mT(A)) / 2, spread * rng.standard_normal((count, n))


def measure_federated(
    lr=0.1, rho=0.2, steps=5, rounds=400, count=8, n=4, seed=0
) -> list[Comparison]:
    """Run FedAvg, and FedSAM with one local step and with several; compare where they end."""
    A, b = clients(count, n, seed)
    x, problem = np.zeros(n), Quadratic(A, b)
    end = lambda radius, k: run(SharpnessAware(SAM(radius), SGD(lr)), x, problem, rounds, k)[-1]
    best = minimum(A, b)
    distance = lambda point: float(np.linalg.norm(point - best))
    far = fedsam_point(A, b, rho, lr, steps)
    return [
        Comparison("FedAvg, distance to the minimum", distance(fedavg_point(A, b, lr, steps)),
                   distance(end(0.0, steps))),
        Comparison("FedSAM, one local step", distance(fedsam_minimum(A, b, rho)),
                   distance(end(rho, 1))),
        Comparison(f"FedSAM, {steps} local steps, to O(lr^2)", distance(far),
                   distance(end(rho, steps))),
    ]  # fmt: skip


def measure_bouncing(lr=0.5, rho=0.3, lam=1.0, points=40, rounds=500) -> tuple[Array, Comparison]:
    """Start two clients at +-distance on SAM's two-cycle; return distances and where |x| ends."""
    a = cycle_amplitude(lr, rho, lam)
    distance = 2 * a * (np.arange(points) + 0.5) / points
    A = np.full((points, 2, 1, 1), lam)
    b = distance[:, None, None] * np.array([[1.0], [-1.0]])
    opt, x = SharpnessAware(SAM(rho), SGD(lr)), np.full((points, 1), a)
    end = np.abs(run(opt, x, Quadratic(A, b), rounds, 1)[-1, :, 0])
    expected = np.where(bounces(lr, rho, lam, distance), a, 0.0)
    return distance, Comparison("where the server of two clients ends", expected, end)


def _solve(M: Array, v: Array) -> Array:
    return np.linalg.solve(M, v[..., None])[..., 0]
