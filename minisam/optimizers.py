"""Base optimizers: what happens with the gradient once it is there.

Each is a frozen dataclass with ``init(w) -> state`` and ``update(w, g, state, lr=None) ->
(w, state)``; ``lr`` overrides the configured learning rate for one step (a number, or an array that
broadcasts against ``w``). The rules and names are PyTorch's. Weight decay acts at ``w``, also
when ``g`` was taken at ``w + eps``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, Protocol

from minisam.backend import Array, namespace
from minisam.checks import check_between, check_fields, override


class BaseOptimizer(Protocol):
    """What ``SharpnessAware`` asks of its base."""

    def init(self, w: Array) -> Any: ...
    def update(self, w: Array, g: Array, state: Any, lr: Any = None) -> tuple[Array, Any]: ...


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent.

    ::

        u = g + weight_decay w,   m = momentum m + u,   w = w - lr m

    and with Nesterov's momentum ``w = w - lr (u + momentum m)`` (Sutskever et al. 2013).
    """

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        check_fields(self, lr=(0, inf), momentum=(0, inf), weight_decay=(0, inf))
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum > 0, got 0")

    def init(self, w: Array) -> Array | None:
        return namespace(w).zeros_like(w) if self.momentum else None

    def update(self, w: Array, g: Array, state: Any, lr: Any = None) -> tuple[Array, Any]:
        lr = self.lr if lr is None else override("lr", lr)
        u = g + self.weight_decay * w if self.weight_decay else g
        if not self.momentum:
            return w - lr * u, None
        m = self.momentum * state + u
        return w - lr * (u + self.momentum * m if self.nesterov else m), m


class Moments(NamedTuple):
    """Adam's state: step count and running averages of g and g^2."""

    t: int
    m: Array
    v: Array


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015), weight decay as in L2 regularization.

    ::

        u = g + weight_decay w
        m = b1 m + (1 - b1) u,   v = b2 v + (1 - b2) u^2
        w = w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self):
        _check_moments(self)

    def init(self, w: Array) -> Moments:
        xp = namespace(w)
        return Moments(0, xp.zeros_like(w), xp.zeros_like(w))

    def update(self, w: Array, g: Array, state: Moments, lr: Any = None) -> tuple[Array, Moments]:
        xp = namespace(w)
        lr = self.lr if lr is None else override("lr", lr)
        b1, b2 = self.betas
        u = g + self.weight_decay * w if self.weight_decay else g
        t = state.t + 1
        m = b1 * state.m + (1 - b1) * u
        v = b2 * state.v + (1 - b2) * u * u
        step = m / (1 - b1**t) / (xp.sqrt(v / (1 - b2**t)) + self.epsilon)
        return w - lr * step, Moments(t, m, v)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): ``w (1 - lr weight_decay)``
    first, then Adam's step."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 1e-2

    def __post_init__(self):
        _check_moments(self)

    @property
    def _adam(self) -> Adam:
        return Adam(self.lr, self.betas, self.epsilon)

    def init(self, w: Array) -> Moments:
        return self._adam.init(w)

    def update(self, w: Array, g: Array, state: Moments, lr: Any = None) -> tuple[Array, Moments]:
        lr = self.lr if lr is None else override("lr", lr)
        return self._adam.update(w - lr * self.weight_decay * w, g, state, lr)


def _check_moments(config: Adam | AdamW) -> None:
    check_fields(config, lr=(0, inf), epsilon=(0, inf), weight_decay=(0, inf))
    object.__setattr__(config, "betas", tuple(float(b) for b in config.betas))
    if len(config.betas) != 2:
        raise ValueError(f"betas must be two numbers, got {config.betas}")
    for i, b in enumerate(config.betas):
        check_between(f"betas[{i}]", b, 0, 1)
        if b == 1:
            raise ValueError(f"betas[{i}] must be < 1: the averages would stay 0")
