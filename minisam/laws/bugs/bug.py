"""A bug is a diff: one correct row of the family with one piece of its text replaced."""

import difflib
import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from . import correct

HELPERS = (correct.norm, correct.unit, correct.mean, correct.times)


def source(row: Callable) -> str:
    """Text of a file that holds the factory ``row`` and the helpers it uses, and stands alone."""
    text = inspect.getsource(row)
    helpers = [inspect.getsource(f) for f in HELPERS if f.__name__ + "(" in text + "norm("]
    return "\n\n".join(["import numpy as np\n", *helpers, text])


@dataclass(frozen=True)
class Bug:
    """One wrong implementation.

    Parameters
    ----------
    name
        What one would call it.
    row
        The correct FACTORY it is a diff of (``minisam.laws.bugs.correct``).
    old, new
        The piece of text that is replaced, and by what.
    breaks
        What is no longer true.
    origin
        Where such a mistake comes from.
    laws
        The laws expected to see it.
    """

    name: str
    row: Callable
    old: str
    new: str
    breaks: str
    origin: str
    laws: tuple[str, ...]

    @property
    def claim(self) -> str:
        """What it claims to be."""
        return correct.CLAIM[self.row]

    @cached_property
    def source(self) -> str:
        """The wrong file, whole: save it as bug.py and ``minisam verify bug.py:sam --as sam``."""
        text = source(self.row)
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} must occur once in the correct row")
        return text.replace(self.old, self.new)

    @property
    def diff(self) -> str:
        """The correct file against the wrong one, without context."""
        lines = difflib.unified_diff(
            source(self.row).splitlines(), self.source.splitlines(), lineterm="", n=0
        )
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))

    @cached_property
    def factory(self) -> Callable:
        """The wrong implementation; a traceback through it shows its lines."""
        file = f"<bug: {self.name}>"
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(True), file)
        space = {}
        exec(compile(self.source, file, "exec"), space)
        return space[self.row.__name__]

    def __str__(self) -> str:
        return f"{self.name} ({self.claim}): {self.breaks}\n{self.diff}\nComes from {self.origin}."
