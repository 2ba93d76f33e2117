"""Noisy toy problems: finite sums, whose expectations can be enumerated, and additive noise.

Each of them draws an oracle ``w -> (loss, g)`` with the minibatch fixed inside, so both passes of a
SAM step see the same one. The smoothness ``L`` here holds for *every* component, as the bounds ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minisam.theory.problems import Array, Problem

Oracle = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class FiniteSum(Problem):
    """f(x) = sum_i p_i phi(r_i), r_i = a_i . x - b_i: one residual per example.

    Parameters
    ----------
    a, b
        Examples (..., m, n) and targets (..., m).
    p
        Probabilities (m,) with which examples are drawn; None means all equal.
    """

    a: Array
    b: Array
    p: Array | None = None

    def phi(self, r: Array) -> tuple[Array, Array, Array]:
        """The loss of one residual, and its first and second derivative."""
        raise NotImplementedError

    @property
    def weights(self) -> Array:
        """p: (m,)."""
        m = self.b.shape[-1]
        return np.full(m, 1 / m) if self.p is None else np.asarray(self.p)

    def components(self, w: Array) -> tuple[Array, Array]:
        """Losses (..., m) and gradients (..., m, n): member i of the last population axis of
        ``w``, shape (..., m, n), sees example i.

        ``components(x[..., None, :])`` is every example's gradient at x. As the oracle of one step
        on m copies of x it yields that step for every example: take means with ``weights``, and
        expectations are exact.
        """
        value, slope, _ = self.phi(np.sum(self.a * w, axis=-1) - self.b)
        return value, slope[..., None] * self.a

    def loss(self, x: Array) -> Array:
        return self.components(x[..., None, :])[0] @ self.weights

    def grad(self, x: Array) -> Array:
        return self.weights @ self.components(x[..., None, :])[1]

    def hess(self, x: Array) -> Array:
        curvature = self.phi(np.sum(self.a * x[..., None, :], axis=-1) - self.b)[2]
        return np.swapaxes(self.a, -1, -2) * (self.weights * curvature)[..., None, :] @ self.a

    def variance(self, x: Array) -> Array:
        """sigma^2 at x: E ||g_i - grad f||^2, (...)."""
        g = self.components(x[..., None, :])[1]
        return np.sum((g - self.grad(x)[..., None, :]) ** 2, axis=-1) @ self.weights

    def draw(self, rng: np.random.Generator, x: Array) -> Oracle:
        """Draw one example for each member of the population x, (..., n), and fix it."""
        m = self.b.shape[-1]
        i = rng.choice(m, size=x.shape[:-1], p=self.weights)
        lead = np.broadcast_shapes(self.a.shape[:-2], i.shape)
        a, b = np.broadcast_to(self.a, (*lead, *self.a.shape[-2:])), self.b
        a = np.take_along_axis(a, i[..., None, None], axis=-2)
        b = np.take_along_axis(np.broadcast_to(b, (*lead, m)), i[..., None], axis=-1)
        one = type(self)(a, b, np.ones(1))
        return one.loss_and_grad

    @property
    def _largest(self) -> Array:
        return np.max(np.sum(self.a**2, axis=-1), axis=-1)


class LeastSquares(FiniteSum):
    """phi(r) = r^2 / 2. With fewer examples than parameters it is PL, not strongly convex."""

    def phi(self, r: Array) -> tuple[Array, Array, Array]:
        return r * r / 2, r, np.ones_like(r)

    @property
    def L(self) -> Array:
        """max_i ||a_i||^2."""
        return self._largest

    @property
    def mu(self) -> Array:
        """The smallest nonzero curvature of f: its PL constant."""
        lam = np.linalg.eigvalsh(self.hess(np.zeros((*self.a.shape[:-2], self.a.shape[-1]))))
        return np.min(np.where(lam > 1e-10 * lam[..., -1:], lam, np.inf), axis=-1)

    @property
    def minimiser(self) -> Array:
        """The minimiser of smallest norm: (..., n)."""
        root = np.sqrt(self.weights)
        return (np.linalg.pinv(root[:, None] * self.a) @ (root * self.b)[..., None])[..., 0]


class GemanMcClure(FiniteSum):
    """phi(r) = r^2 / (1 + r^2), forgiving of outliers: not convex beyond |r| = 1/sqrt(3)."""

    def phi(self, r: Array) -> tuple[Array, Array, Array]:
        q = 1 + r * r
        return r * r / q, 2 * r / q**2, (2 - 6 * r * r) / q**3

    @property
    def L(self) -> Array:
        """2 max_i ||a_i||^2, since -1/2 <= phi'' <= 2."""
        return 2 * self._largest

    @property
    def sigma(self) -> Array:
        """A bound on sqrt(variance) at every x, since |phi'| <= sqrt(27) / 8."""
        return np.sqrt(27) / 8 * np.sqrt(np.sum(self.a**2, axis=-1) @ self.weights)


def two_functions(p: float, a: float, B: float) -> LeastSquares:
    """Return f_1 = x^2 / 2 with probability p, f_2 = a (x - B)^2 / 2 otherwise, in one dimension.

    While 0 < x < B the two gradients point in opposite directions, and so do their perturbations:
    the example that shows how sharp the floor L^2 rho^2 of stochastic SAM is.
    """
    root = np.sqrt(a)
    return LeastSquares(np.array([[1.0], [root]]), np.array([0.0, root * B]), np.array([p, 1 - p]))


@dataclass(frozen=True, eq=False)
class Additive:
    """Any ``problem`` with gradient noise: f_xi(x) = f(x) + <xi, x>, xi_i ~ N(0, s_i^2).

    ``s`` is a number or one per coordinate; sigma^2 = sum_i s_i^2 for every x.
    """

    problem: Problem
    s: Array | float

    def tilted(self, xi: Array) -> Oracle:
        """The oracle with the noise ``xi`` (..., n) fixed inside."""

        def oracle(w: Array) -> tuple[Array, Array]:
            loss, g = self.problem.loss_and_grad(w)
            return loss + np.sum(xi * w, axis=-1), g + xi

        return oracle

    def draw(self, rng: np.random.Generator, x: Array) -> Oracle:
        """Draw the noise of one step for each member of the population x, and fix it."""
        return self.tilted(self.s * rng.standard_normal(x.shape))

    def sigma(self, n: int) -> float:
        """sqrt(E ||xi||^2) in n dimensions."""
        return float(np.sqrt(np.sum(np.broadcast_to(np.square(self.s), n))))
