"""Toy problems with everything known: loss, gradient, Hessian and constants, in closed form.

The argument x has shape (..., n), whose leading axes are a population. The parameters of a toy may
carry the same leading axes, and then the population is one of *problems*: a ``Quadratic`` with
``A`` of shape (1000, n, n) runs a thousand of them at once.

``loss_and_grad`` is the oracle that `minisam.SharpnessAware.step` asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


class Problem:
    """A toy: ``loss`` (...), ``grad`` (..., n) and ``hess`` (..., n, n), all exact."""

    def loss(self, x: Array) -> Array:
        raise NotImplementedError

    def grad(self, x: Array) -> Array:
        raise NotImplementedError

    def hess(self, x: Array) -> Array:
        raise NotImplementedError

    def loss_and_grad(self, x: Array) -> tuple[Array, Array]:
        return self.loss(x), self.grad(x)


def apply(A: Array, x: Array) -> Array:
    """Return A x over populations: (..., m, n), (..., n) -> (..., m)."""
    if A.shape[-1] != x.shape[-1]:
        raise ValueError(f"x must have shape (..., {A.shape[-1]}), got {x.shape}")
    return (A @ x[..., None])[..., 0]


def mT(M: Array) -> Array:
    """Return the transposed matrices, (..., n, m) -> (..., m, n)."""
    return np.swapaxes(M, -1, -2)


def column(v: Any) -> Array:
    """Return one number for each member of a population so that it scales vectors: (..., 1)."""
    return np.asarray(v)[..., None]


def embed(d: Array) -> Array:
    """Return diag(d): (..., n) -> (..., n, n)."""
    return d[..., None] * np.eye(d.shape[-1])


def check_range(name: str, value: Any, low: float, high: float = np.inf) -> None:
    """Raise ValueError unless ``low <= value <= high`` everywhere: beyond, a formula is wrong."""
    for extreme in np.min(value), np.max(value):
        if not low <= extreme <= high:
            wanted = f"in [{low:g}, {high:g}]" if high < np.inf else f"at least {low:g}"
            raise ValueError(f"{name} must be {wanted}, got {extreme:g}")


def check_step(lr: Any, curvature: Any, most: float) -> None:
    """Raise ValueError unless ``0 <= lr * curvature <= most`` everywhere."""
    check_range("lr * curvature", np.asarray(lr) * curvature, 0, most)


@dataclass(frozen=True, eq=False)
class Quadratic(Problem):
    """f(x) = 1/2 (x - x*)^T A (x - x*), A symmetric: convex, or a saddle, as A says."""

    A: Array  # (..., n, n)
    minimiser: Array | float = 0.0

    def loss(self, x: Array) -> Array:
        return 0.5 * np.sum((x - self.minimiser) * self.grad(x), axis=-1)

    def grad(self, x: Array) -> Array:
        return apply(self.A, x - self.minimiser)

    def hess(self, x: Array) -> Array:
        return np.broadcast_to(self.A, (*x.shape, x.shape[-1]))

    @property
    def eigenvalues(self) -> Array:
        """Curvatures, ascending: (..., n)."""
        return np.linalg.eigvalsh(self.A)

    @property
    def L(self) -> Array:
        """Smoothness: the largest absolute curvature."""
        return np.max(np.abs(self.eigenvalues), axis=-1)

    @property
    def mu(self) -> Array:
        """The smallest curvature: strong convexity where positive."""
        return self.eigenvalues[..., 0]


@dataclass(frozen=True, eq=False)
class DiagonalQuadratic(Problem):
    """f(x) = 1/2 sum_i lam_i (x_i - x*_i)^2; ``lam`` all equal is the isotropic quadratic."""

    lam: Array  # (..., n)
    minimiser: Array | float = 0.0

    def loss(self, x: Array) -> Array:
        return 0.5 * np.sum(self.lam * (x - self.minimiser) ** 2, axis=-1)

    def grad(self, x: Array) -> Array:
        return self.lam * (x - self.minimiser)

    def hess(self, x: Array) -> Array:
        return embed(np.broadcast_to(self.lam, x.shape))

    @property
    def L(self) -> Array:
        """Smoothness: the largest absolute curvature."""
        return np.max(np.abs(self.lam), axis=-1)

    @property
    def mu(self) -> Array:
        """The smallest curvature: strong convexity where positive."""
        return np.min(self.lam, axis=-1)


def saddle(lam: float = 1.0, m: float = 0.5) -> DiagonalQuadratic:
    """Return f(x, z) = (lam x^2 - m z^2) / 2: gradient zero at the origin, which is no minimum."""
    return DiagonalQuadratic(np.array([lam, -m]))


@dataclass(frozen=True, eq=False)
class ProductValley(Problem):
    """f(u, v) = 1/2 (u v - 1)^2, the smallest linear network.

    Its minimisers form the curve u v = 1. The curvature across it, u^2 + v^2, is smallest at the
    balanced points u = v = 1 and u = v = -1. Smooth locally only.
    """

    def loss(self, x: Array) -> Array:
        return 0.5 * self.residual(x) ** 2

    def grad(self, x: Array) -> Array:
        return self.residual(x)[..., None] * x[..., ::-1]

    def hess(self, x: Array) -> Array:
        u, v = x[..., 0], x[..., 1]
        rows = [v * v, 2 * u * v - 1], [2 * u * v - 1, u * u]
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    @staticmethod
    def residual(x: Array) -> Array:
        """r = u v - 1."""
        return x[..., 0] * x[..., 1] - 1

    @staticmethod
    def imbalance(x: Array) -> Array:
        """Q = u^2 - v^2, which gradient flow conserves."""
        return x[..., 0] ** 2 - x[..., 1] ** 2


@dataclass(frozen=True, eq=False)
class SharpValley(Problem):
    """f(y_1, ..., y_k, b) = 1/2 sum_i (lam_i + slope_i b) y_i^2: a valley with varying walls.

    The floor of the valley is the b axis, which is flat; the curvature across it at b is
    ``lam + slope * b``. With the default values one wall gets steeper where the other flattens.
    Defined where all curvatures are positive.
    """

    lam: Any = (2.0, 1.9)  # (k,), or (..., k)
    slope: Any = (1.0, -1.0)

    def walls(self, b: Array) -> Array:
        """Curvatures across the valley at b: (...) -> (..., k)."""
        return np.asarray(self.lam) + np.asarray(self.slope) * np.asarray(b)[..., None]

    def loss(self, x: Array) -> Array:
        y, b = x[..., :-1], x[..., -1]
        return 0.5 * np.sum(self.walls(b) * y * y, axis=-1)

    def grad(self, x: Array) -> Array:
        y, b = x[..., :-1], x[..., -1]
        along = 0.5 * np.sum(np.asarray(self.slope) * y * y, axis=-1, keepdims=True)
        return np.concatenate([self.walls(b) * y, along], axis=-1)

    def hess(self, x: Array) -> Array:
        y, b = x[..., :-1], x[..., -1]
        H = np.zeros((*x.shape, x.shape[-1]))
        H[..., :-1, :-1] = embed(self.walls(b))
        H[..., :-1, -1] = H[..., -1, :-1] = np.asarray(self.slope) * y
        return H


@dataclass(frozen=True, eq=False)
class SineBowl(Problem):
    """f(x) = sum_i x_i^2 + 3 sin^2 x_i: not convex, yet every stationary point is the minimum 0.

    It satisfies the Polyak-Lojasiewicz inequality ||grad f||^2 / 2 >= mu (f - f*)
    (Karimi, Nutini, Schmidt 2016, who give L = 8 and mu = 1/32 for n = 1; sums keep both).
    """

    L = 8.0
    mu = 1 / 32
    minimiser = 0.0

    def loss(self, x: Array) -> Array:
        return np.sum(x * x + 3 * np.sin(x) ** 2, axis=-1)

    def grad(self, x: Array) -> Array:
        return 2 * x + 3 * np.sin(2 * x)

    def hess(self, x: Array) -> Array:
        return embed(2 + 6 * np.cos(2 * x))
