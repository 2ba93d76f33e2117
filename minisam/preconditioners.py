"""Objective preconditioners D and constraint preconditioners C: the two columns of the table.

Two kinds of object, each a frozen dataclass; a row of your own needs nothing more:

* an *objective* has ``init(w) -> state`` and ``weigh(w, g, v, state) -> (D v, state)``. Here ``g``
  is the minibatch gradient, from which D learns its statistics, and ``v`` the vector that D acts
  on: ``v = g``, unless another objective came first (``Composed``).
* a *constraint* has ``at(w, g) -> C``, a linear operator with ``C @ u`` and ``C.T @ u``.

State is ``None`` until the first gradient has been seen. Nothing is written in place.
Shapes: w, g, v and D v are (..., n); leading axes are a population.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, Protocol

from minisam.backend import Array, namespace
from minisam.checks import check_acts_on, check_fields, check_same_dtype


class Operator(Protocol):
    """A linear operator on vectors (..., n)."""

    @property
    def T(self) -> Operator: ...
    def __matmul__(self, u: Array) -> Array: ...


class Objective(Protocol):
    """D, with its running averages as explicit state."""

    def init(self, w: Array) -> Any: ...
    def weigh(self, w: Array, g: Array, v: Array, state: Any) -> tuple[Array, Any]: ...


class Constraint(Protocol):
    """C, the shape of the ball: ``{ e : ||C^-1 e|| <= rho }``."""

    def at(self, w: Array, g: Array) -> Operator: ...


# --- fixed operators: the same D or C at every step, usable in both columns ------------------


class Fixed:
    """What an operator needs to stand in either column of the table."""

    @property
    def T(self):
        return self

    def __matmul__(self, u: Array) -> Array:
        raise NotImplementedError

    def init(self, w: Array) -> None:
        return None

    def weigh(self, w: Array, g: Array, v: Array, state: None) -> tuple[Array, None]:
        return self @ v, None

    def at(self, w: Array, g: Array):
        return self


@dataclass(frozen=True)
class Identity(Fixed):
    """``I u = u``: SAM has it in both columns."""

    def __matmul__(self, u: Array) -> Array:
        return u


@dataclass(frozen=True, eq=False)
class Diagonal(Fixed):
    """``diag(d) u``, for a given ``d`` (..., n), or (..., 1) for a multiple of the identity."""

    d: Array

    def __matmul__(self, u: Array) -> Array:
        check_acts_on(u, d=self.d)
        check_same_dtype(w=u, d=self.d)
        return self.d * u


@dataclass(frozen=True, eq=False)
class Dense(Fixed):
    """``M u``, for a given matrix ``M`` (..., n, n); as a constraint only ``M M^T`` matters."""

    M: Array

    def __post_init__(self):
        if self.M.ndim < 2 or self.M.shape[-1] != self.M.shape[-2]:
            raise ValueError(f"M must have shape (..., n, n), got {tuple(self.M.shape)}")

    @property
    def T(self) -> Dense:
        return Dense(namespace(self.M).matrix_transpose(self.M))

    def __matmul__(self, u: Array) -> Array:
        check_acts_on(u, M=self.M)
        check_same_dtype(w=u, M=self.M)
        return (self.M @ u[..., None])[..., 0]


@dataclass(frozen=True, eq=False)
class Mask(Fixed):
    """Keep the entries where ``mask`` (..., n) is true: D of SparseSAM (Mi et al. 2022)."""

    mask: Array

    def __matmul__(self, u: Array) -> Array:
        check_acts_on(u, mask=self.mask)
        xp = namespace(u)
        return xp.where(xp.astype(self.mask, xp.bool), u, xp.zeros_like(u))


# --- objectives: D ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Averaged:
    """``d_t = (1 - theta) d_{t-1} + theta v_t``, ``d_0 = v_0``: VaSSO (Li & Giannakis 2023).

    ``theta`` in [0, 1] is the weight of the NEW gradient; 1 is SAM, bit by bit in this form.
    """

    theta: float

    def __post_init__(self):
        check_fields(self, theta=(0, 1))

    def init(self, w: Array) -> Array | None:
        return None

    def weigh(self, w: Array, g: Array, v: Array, state: Array | None) -> tuple[Array, Array]:
        d = v if state is None else (1 - self.theta) * state + self.theta * v
        return d, d


@dataclass(frozen=True)
class Friendly:
    """``v_t - sigma m_{t-1}``, ``m_t = lmbda m_{t-1} + (1 - lmbda) v_t``, ``m_0 = v_0``.

    FriendlySAM (Li et al. 2024) ascends along the minibatch's own part of the gradient, what the
    average ``m`` does not explain. The first step is SAM. ``lmbda`` in [0, 1] is the weight of
    the OLD average; ``sigma >= 0``, and 0 is SAM.
    """

    sigma: float
    lmbda: float

    def __post_init__(self):
        check_fields(self, sigma=(0, inf), lmbda=(0, 1))

    def init(self, w: Array) -> Array | None:
        return None

    def weigh(self, w: Array, g: Array, v: Array, state: Array | None) -> tuple[Array, Array]:
        if state is None:
            return v, v
        return v - self.sigma * state, self.lmbda * state + (1 - self.lmbda) * v


class Noise(NamedTuple):
    """Exponentially weighted mean ``d`` and variance ``v`` of the gradients seen so far."""

    d: Array
    v: Array


@dataclass(frozen=True)
class NoiseWeights:
    """``D_t = diag((v_t + delta * mean v_t)^(-power/2))``: infoSAM.

    ``v_t`` is the exponentially weighted sample variance of the minibatch gradients::

        r = g_t - d_{t-1},   d_t = d_{t-1} + theta r,   v_t = (1 - theta) (v_{t-1} + theta r^2)

    with ``d_0 = g_0``, ``v_0 = 0``. For gradients of fixed mean and noise variance s^2,
    ``E v_t = (1 - q_t) s^2`` whatever the law of the noise; the factor is common to all components
    and drops out of eps. The mean runs over all components with ``v > 0``, and D = I where there
    are none (the first step).

    Parameters
    ----------
    theta
        Weight of the new gradient in both averages, in [0, 1].
    delta
        Assumed signal power in units of the mean noise, >= 0. With ``power = 2`` D is the Wiener
        weight ``m / (m + s^2)`` for the constant signal power ``m = delta * mean s^2``. As
        ``delta`` grows D tends to I (SAM). With 0, D is the pure inverse variance, and a component
        without noise counts as one of average noise.
    power
        Exponent on 1 / (standard deviation), >= 0: 2 is inverse variance, 0 is SAM, bit by bit.

    Notes
    -----
    From the paper (Zhang, Li & Giannakis, ICASSP 2025): infoSAM is an objective preconditioner
    that weights gradient components by their estimated noise, against adversarial model
    degradation. This project's reading: the estimator ``v``, the floor ``delta``, and the
    defaults. "Information" is that of a Gaussian mean, 1 / variance. The stored squares limit
    gradients to 1e+-150 (float64) and 1e+-15 (float32).
    """

    theta: float
    delta: float
    power: float

    def __post_init__(self):
        check_fields(self, theta=(0, 1), delta=(0, inf), power=(0, inf))

    def init(self, w: Array) -> Noise | None:
        return None

    def weigh(self, w: Array, g: Array, v: Array, state: Noise | None) -> tuple[Array, Noise]:
        if state is None:
            return v, Noise(g, namespace(g).zeros_like(g))
        r = g - state.d
        step = self.theta * r
        noise = Noise(state.d + step, (1 - self.theta) * (state.v + step * r))
        spread = self._spread(noise.v)
        return v / (spread if self.power == 2 else spread ** (self.power / 2)), noise

    def _spread(self, v: Array) -> Array:
        """Return ``v / mean v + delta``, and 1 where that is 0 or nothing is known."""
        xp = namespace(v)
        known = xp.sum(xp.astype(v > 0, v.dtype), axis=-1, keepdims=True)
        mean = xp.sum(v, axis=-1, keepdims=True) / xp.where(known > 0, known, xp.ones_like(known))
        one = xp.ones_like(mean)
        spread = v / xp.where(mean > 0, mean, one) + xp.where(mean > 0, self.delta * one, one)
        return xp.where(spread > 0, spread, one) if self.delta == 0 else spread


@dataclass(frozen=True)
class Composed:
    """``D v = outer (inner v)``: noise weights on VaSSO's average are
    ``Composed(NoiseWeights(...), Averaged(...))``. Both learn from the same raw gradient ``g``."""

    outer: Objective
    inner: Objective

    def init(self, w: Array) -> tuple[Any, Any]:
        return self.outer.init(w), self.inner.init(w)

    def weigh(self, w: Array, g: Array, v: Array, state: tuple) -> tuple[Array, tuple]:
        v, inner = self.inner.weigh(w, g, v, state[1])
        v, outer = self.outer.weigh(w, g, v, state[0])
        return v, (outer, inner)


# --- constraints: C --------------------------------------------------------------------------


@dataclass(frozen=True)
class Magnitude:
    """``C = diag(|w| + eta)`` on every parameter, biases too: ASAM (Kwon et al. 2021).

    With ``eta = 0`` eps follows every rescaling of the network that leaves its function unchanged,
    and weights that are exactly zero are never perturbed.
    """

    eta: float

    def __post_init__(self):
        check_fields(self, eta=(0, inf))

    def at(self, w: Array, g: Array) -> Diagonal:
        return Diagonal(namespace(w).abs(w) + self.eta)


@dataclass(frozen=True)
class Fisher:
    """``C = diag((1 + eta F)^(-1/2))``, ``F = g^2`` of the minibatch: FisherSAM (Kim et al. 2022).

    ``eta = 0`` is SAM, bit by bit.
    """

    eta: float

    def __post_init__(self):
        check_fields(self, eta=(0, inf))

    def at(self, w: Array, g: Array) -> Diagonal:
        xp = namespace(g)
        # hypot(1, x) is sqrt(1 + x^2) without squaring x
        return Diagonal(1 / xp.hypot(xp.ones_like(g), self.eta**0.5 * g))
