"""Mean and interval over seeds."""

from __future__ import annotations

import numpy as np


def interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis, and half the width of Student's interval for it.

    ``t_{S-1} s / sqrt(S)``, s the standard deviation of the S values (divisor S - 1); NaN if there
    is but one value.
    """
    from scipy.stats import t

    values = np.asarray(values, "float64")
    S = len(values)
    mean = values.mean(axis=0)
    if S < 2:
        return mean, np.full_like(mean, np.nan)
    return mean, t.ppf((1 + level) / 2, S - 1) * values.std(axis=0, ddof=1) / np.sqrt(S)
