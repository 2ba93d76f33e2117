"""What every prediction hands back: what the theory says, beside what was measured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Comparison(NamedTuple):
    """A predicted and a measured quantity; each a number, or arrays over a population.

    ``predicted`` is None for what is only measured.
    """

    name: str
    predicted: Any
    measured: Any

    @property
    def ratio(self) -> np.ndarray:
        """``measured / predicted``: 1 where the theory is exact, at most 1 for an upper bound."""
        return np.asarray(self.measured) / np.asarray(self.predicted)
