"""What the search draws: small vectors with short decimals, so that a counterexample is readable.

Every function takes ``draw``, which turns a Hypothesis strategy into a value. Simplest values come
first: Hypothesis shrinks towards them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from .oracle import Vector

Draw = Callable[[st.SearchStrategy], object]


def _integers(draw, n: int, low: int, high: int) -> Vector:
    return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)), dtype=float)


def entries(draw, n: int) -> Vector:
    """n quarters in [-4, 4]."""
    return _integers(draw, n, -16, 16) / 4


def nonzero(draw, n: int) -> Vector:
    """n quarters in [-4, 4] without 0."""
    k = _integers(draw, n, -16, 15)
    return (k + (k >= 0)) / 4


def positive(draw, n: int) -> Vector:
    """n quarters in [1/4, 4]."""
    return _integers(draw, n, 1, 16) / 4


def twentieths(draw, low: int, high: int) -> float:
    """A multiple of 1/20."""
    return draw(st.integers(low, high)) / 20


def mask(draw, n: int) -> Vector:
    """Zeros and ones, not all zero."""
    m = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=float)
    m[draw(st.integers(0, n - 1))] = 1
    return m


def matrix(draw, n: int) -> Vector:
    """A diagonal (n,), positive, or a well-conditioned dense matrix (n, n)."""
    if draw(st.booleans()):
        off = _integers(draw, n * n, -4, 4).reshape(n, n) / (8 * n)
        return off + np.diag(positive(draw, n))
    return positive(draw, n)


# How each hyperparameter of a claim is drawn.
HYPER: dict[str, Callable] = {
    "eta": lambda draw, n, dtype: draw(st.sampled_from([0.01, 0.1, 0.5, 1.0])),
    "theta": lambda draw, n, dtype: twentieths(draw, 1, 9),
    "sigma": lambda draw, n, dtype: twentieths(draw, 1, 19),
    "lmbda": lambda draw, n, dtype: twentieths(draw, 1, 19),
    "mask": lambda draw, n, dtype: mask(draw, n).astype(dtype),
    "delta": lambda draw, n, dtype: draw(st.sampled_from([1.0, 0.0, 0.25, 3.0])),
    "power": lambda draw, n, dtype: draw(st.sampled_from([2, 1])),
    "D": lambda draw, n, dtype: matrix(draw, n).astype(dtype),
    "C": lambda draw, n, dtype: matrix(draw, n).astype(dtype),
}


@dataclass
class History:
    """The points w_t, the gradients g_t there and h_t at the perturbed points, each (T, n)."""

    w: Vector
    g: Vector
    h: Vector

    @property
    def dtype(self):
        return self.w.dtype

    def as_type(self, dtype: str) -> History:
        return History(self.w.astype(dtype), self.g.astype(dtype), self.h.astype(dtype))

    def scaled(self, c: float) -> History:
        """The same run with c times the gradients at w_t."""
        return History(self.w, (self.g * c).astype(self.dtype), self.h)


def history(draw, n: int, steps: int, dtype: str = "float64", dead: bool = True) -> History:
    """Draw a run of ``steps`` minibatches.

    An entry of the gradient is either dead, 0 throughout, or changes at every step. So its noise
    is either exactly 0 or well above rounding, and no rounding decides which of the two it is.
    No gradient is 0 in all entries: that is for the law about degenerate input alone.
    """
    w, h = entries(draw, 2 * steps * n).reshape(2, steps, n)
    g = np.cumsum([entries(draw, n), *nonzero(draw, (steps - 1) * n).reshape(-1, n)], axis=0)
    if dead:
        g = g * ~np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    still = np.flatnonzero(~g.any(axis=1))
    g[still, 0] = 1 + still
    return History(w, g, h).as_type(dtype)
