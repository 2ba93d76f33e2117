"""Whether a perturbation is the one expected, to the tolerance of its example."""

from __future__ import annotations

import numpy as np
from hypothesis import assume

from .case import Case, Setting
from .causes import cause
from .words import at, example, fail, shown


def agree(case: Case, s: Setting, t: int, got, want, factor: float = 2) -> bool:
    """Whether two perturbations of step t agree to the tolerance there."""
    _, tolerance, posed = case.expected(s, t)
    assume(posed)
    return bool(np.all(np.abs(got - want) <= factor * tolerance))


def compare(case: Case, s: Setting, t: int, eps: np.ndarray) -> None:
    """Break unless ``eps``, seen at step t of ``s``, is the one the claim defines."""
    want, tolerance, posed = case.expected(s, t)
    assume(posed)
    off = ~(np.abs(eps - want) <= tolerance)  # a NaN is off, too
    if np.any(off):
        fail(
            f"eps is {shown(eps)}, {case.claim.name} has {shown(want)}" + at(t),
            cause(case, s, t, eps),
            **example(s, t),
        )
