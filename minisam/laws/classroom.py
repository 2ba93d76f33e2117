"""Checks for exercises: a search for the smallest input at which an answer is wrong, in words."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np


class Mistake(AssertionError):
    """An answer is wrong; the message says at which input and in what way."""

    def _render_traceback_(self) -> list[str]:
        """Let Jupyter show the sentence alone: the way through the check is not the student's."""
        return [f"Mistake: {self}"]


def check(claim: Callable[..., str | None], *, examples: int = 60, **strategies: Any) -> None:
    """Look for values at which ``claim`` finds fault and report the smallest found.

    Parameters
    ----------
    claim
        Called with one keyword for each strategy. Returns ``None``, or what is wrong, as a
        sentence. An exception inside it, but for NotImplementedError, counts as wrong too.
    examples
        How many values to try.
    strategies
        Hypothesis strategies, by name.

    Raises
    ------
    Mistake
        With the sentence and the values. The search is deterministic.
    """
    from hypothesis import Phase, given, settings

    found: dict[str, Any] = {}

    def search(**values: Any) -> None:
        fault = _fault(claim, values)
        if fault:
            found.update(fault=fault, values=values)
            raise Mistake

    if strategies:
        search = given(**strategies)(search)
        search = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        )(search)
    try:
        search()
    except NotImplementedError as error:
        raise NotImplementedError(*error.args) from None  # without Hypothesis' frames and notes
    except BaseException as error:
        if not found or isinstance(error, KeyboardInterrupt):
            raise
        raise Mistake(_sentence(**found)) from None


def differs(name: str, got: Any, want: Any, tolerance: float = 1e-6) -> str | None:
    """Say how ``got`` differs from ``want``, or return ``None``.

    ``tolerance`` is relative to the largest entry of ``want``.
    """
    if got is None:
        return f"{name} returns None: is a return missing?"
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return f"{name} has shape {got.shape}, but should have {want.shape}"
    if not np.all(np.isfinite(got)):
        return f"{name} has entries that are not finite: {_show(got)}"
    gap = np.abs(got - want)
    if gap.size and gap.max() > tolerance * max(np.abs(want).max(), 1e-300):
        i = np.unravel_index(gap.argmax(), gap.shape)
        at = f"[{', '.join(map(str, i))}]" if i else ""
        where = f"entry {at} of {name}" if at and " " in name else f"{name}{at}"
        return f"{where} is {got[i]:.6g}, but should be {want[i]:.6g}"
    return None


def obey(factory: Any, claim: Any, *laws: Any, examples: int = 20, **options: Any) -> None:
    """Judge ``factory`` by each law in turn and report the first that fails.

    Parameters
    ----------
    factory, claim
        As for every law: ``factory(rho=..., lr=..., ...) -> step``, and what it claims to be.
    laws
        Laws of `minisam.laws`, such as ``optimality``.

    Raises
    ------
    Mistake
        With the verdict of the law: what is wrong, and the smallest example found.
    """
    for law in laws:
        verdict = law(factory, claim, examples=examples, **options)
        if not verdict.ok:
            raise Mistake(str(verdict)) from None


def _fault(claim: Callable[..., str | None], values: dict[str, Any]) -> str | None:
    try:
        return claim(**values)
    except NotImplementedError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        cells = [f for f in frames if "ipykernel" in f.filename and f.line]
        where = f"\n  in: {cells[-1].line}" if cells else ""
        return f"your code raises {type(error).__name__}: {error}{where}"


def _sentence(fault: str, values: dict[str, Any]) -> str:
    at = ", ".join(f"{name} = {_show(value)}" for name, value in values.items())
    return fault + (f"\n  smallest example found: {at}" if at else "")


def _show(value: Any) -> str:
    with np.printoptions(precision=4, threshold=20, suppress=False):
        return str(value).replace("\n", "")
