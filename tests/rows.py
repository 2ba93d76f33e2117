"""The rows of the table, each beside its own definition in plain NumPy, and random problems.

A definition is a generator over the steps. It yields ``(v, c)``: the vector ``v = D g`` and the
diagonal ``c`` of C, in float64, from hyperparameters ``h``, weights ``ws`` and gradients ``gs``
of shape (T, ..., n). The perturbation is ``rho c^2 v / ||c v||``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import minisam as ms

Steps = Iterator[tuple[np.ndarray, np.ndarray]]


def sam(h, ws, gs) -> Steps:
    for g in gs:
        yield g, np.ones_like(g)


def asam(h, ws, gs) -> Steps:
    for w, g in zip(ws, gs, strict=True):
        yield g, np.abs(w) + h.eta


def fisher(h, ws, gs) -> Steps:
    for g in gs:
        yield g, (1 + h.eta * g**2) ** -0.5


def vasso(h, ws, gs) -> Steps:
    d = gs[0]
    for t, g in enumerate(gs):
        d = (1 - h.theta) * d + h.theta * g if t else g
        yield d, np.ones_like(g)


def friendly(h, ws, gs) -> Steps:
    m = np.zeros_like(gs[0])
    for t, g in enumerate(gs):
        yield g - h.sigma * m, np.ones_like(g)
        m = h.lmbda * m + (1 - h.lmbda) * g if t else g


def sparse(h, ws, gs) -> Steps:
    for g in gs:
        yield g * h.mask, np.ones_like(g)


def noise_weights(h, gs, t) -> np.ndarray:
    """D_t: the variance is summed over the past, where the code under test has a recursion."""
    k = np.arange(t + 1)
    weight = np.where(k == 0, 1, h.theta) * (1 - h.theta) ** (t - k)
    weight = weight.reshape(-1, *[1] * (gs.ndim - 1))
    mean = (weight * gs[: t + 1]).sum(0)
    v = (weight * (gs[: t + 1] - mean) ** 2).sum(0)
    v = np.where((v > 0).any(-1, keepdims=True), v, 1)
    level = v.sum(-1, keepdims=True) / (v > 0).sum(-1, keepdims=True)
    return (v / level + h.delta) ** (-h.power / 2)


def info(h, ws, gs) -> Steps:
    for t, g in enumerate(gs):
        yield noise_weights(h, gs, t) * g, np.ones_like(g)


def info_in_asam_ball(h, ws, gs) -> Steps:
    for (v, _), (_, c) in zip(info(h, ws, gs), asam(h, ws, gs), strict=True):
        yield v, c


def info_of_vasso(h, ws, gs) -> Steps:
    for t, (d, c) in enumerate(vasso(h, ws, gs)):
        yield noise_weights(h, gs, t) * d, c


def friendly_in_fisher_ball(h, ws, gs) -> Steps:
    for (v, _), (_, c) in zip(friendly(h, ws, gs), fisher(h, ws, gs), strict=True):
        yield v, c


def diagonals(h, ws, gs) -> Steps:
    for g in gs:
        yield h.D * g, np.broadcast_to(h.C, g.shape)


@dataclass(frozen=True)
class Row:
    """``make(rho, h, put)`` is the rule under test, ``definition(h, ws, gs)`` what it should do."""

    definition: Callable[..., Steps]
    make: Callable[..., ms.PreSAM]

    def __str__(self):
        return self.definition.__name__


NAMED = [
    Row(sam, lambda rho, h, put: ms.SAM(rho)),
    Row(asam, lambda rho, h, put: ms.ASAM(rho, h.eta)),
    Row(fisher, lambda rho, h, put: ms.FisherSAM(rho, h.eta)),
    Row(vasso, lambda rho, h, put: ms.VaSSO(rho, h.theta)),
    Row(friendly, lambda rho, h, put: ms.FriendlySAM(rho, h.sigma, h.lmbda)),
    Row(sparse, lambda rho, h, put: ms.SparseSAM(rho, put(h.mask))),
    Row(info, lambda rho, h, put: ms.InfoSAM(rho, h.theta, h.delta, h.power)),
]
COMPOSED = [
    Row(
        info_in_asam_ball,
        lambda rho, h, put: ms.PreSAM(
            rho, ms.NoiseWeights(h.theta, h.delta, h.power), ms.Magnitude(h.eta)
        ),
    ),
    Row(
        info_of_vasso,
        lambda rho, h, put: ms.PreSAM(
            rho, ms.Composed(ms.NoiseWeights(h.theta, h.delta, h.power), ms.Averaged(h.theta))
        ),
    ),
    Row(
        friendly_in_fisher_ball,
        lambda rho, h, put: ms.PreSAM(rho, ms.Friendly(h.sigma, h.lmbda), ms.Fisher(h.eta)),
    ),
    Row(
        diagonals,
        lambda rho, h, put: ms.PreSAM(rho, ms.Diagonal(put(h.D)), ms.Diagonal(put(h.C))),
    ),
]
ROWS = NAMED + COMPOSED

every_row = pytest.mark.parametrize("row", ROWS, ids=str)


@dataclass(frozen=True)
class Problem:
    """A population of S random histories of T steps, n parameters each, from one seed."""

    seed: int
    n: int
    magnitude: int = 0  # gradients are of the order of 10^magnitude
    S: int = 5
    T: int = 3

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, stream))

    @cached_property
    def h(self) -> Any:
        """Hyperparameters."""
        rng = self._rng(0)
        mask = rng.random(self.n) < 0.5
        mask[rng.integers(self.n)] = True
        return SimpleNamespace(
            rho=10 ** rng.uniform(-2, 1),
            eta=10 ** rng.uniform(-2, 1),
            theta=rng.uniform(0.05, 0.95),
            sigma=rng.uniform(0.1, 1.0),
            lmbda=rng.uniform(0.05, 0.95),
            delta=10 ** rng.uniform(-1, 1),
            power=rng.uniform(0.5, 3),
            mask=mask,
            D=10 ** rng.uniform(-2, 2, self.n),
            C=10 ** rng.uniform(-2, 2, self.n),
        )

    @cached_property
    def ws(self) -> np.ndarray:
        """Weights at every step, (T, S, n): all magnitudes, and some exact zeros."""
        rng = self._rng(1)
        w = rng.standard_normal((self.T, self.S, self.n))
        return w * 10 ** rng.uniform(-3, 1, (self.S, self.n)) * (rng.random(self.n) < 0.9)

    @cached_property
    def gs(self) -> np.ndarray:
        """Gradients, (T, S, n): mean plus noise, both of different size in every coordinate."""
        rng = self._rng(2)
        mean = rng.standard_normal((self.S, self.n)) * 10 ** rng.uniform(-1, 1, self.n)
        noise = rng.standard_normal((self.T, self.S, self.n)) * 10 ** rng.uniform(-1, 1, self.n)
        return 10.0**self.magnitude * (mean + noise)

    def on(self, backend) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return (h, ws, gs) as numbers that ``backend`` can hold, in float64 on the host."""
        rounded = lambda x: backend.host(x).astype("float64")
        h = SimpleNamespace(**{**vars(self.h), "D": rounded(self.h.D), "C": rounded(self.h.C)})
        return h, rounded(self.ws), rounded(self.gs)


problems = st.builds(
    Problem, seed=st.integers(0, 2**32 - 1), n=st.integers(1, 9), magnitude=st.integers(-8, 3)
)


def run(rule: ms.PreSAM, backend, ws, gs) -> np.ndarray:
    """Return eps at every step, (T, ..., n), on the host."""
    eps, state = [], rule.init(backend.put(ws[0]))
    for w, g in zip(ws, gs, strict=True):
        e, state = rule.perturb(backend.put(w), backend.put(g), state)
        eps.append(backend.get(e))
    return np.stack(eps)


def unlike(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest ``||a - b|| / ||b||`` of a population, 0 where both are 0."""
    a, b = a.astype("float64"), b.astype("float64")
    difference = length(a - b)
    return float(np.max(difference / np.where(difference > 0, length(b), 1)))


def few(examples: int):
    """Cheaper than the profile asks for: this many in ``ci``, and in proportion in ``deep``."""
    return settings(max_examples=settings().max_examples * examples // 30)


def length(u: np.ndarray) -> np.ndarray:
    """Euclidean norm over the last axis, (..., 1), in float64."""
    return np.linalg.norm(u.astype("float64"), axis=-1, keepdims=True)
