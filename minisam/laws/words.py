"""How a counterexample is put into words: the message, the numbers in it, the likely cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

import numpy as np

from .case import Setting
from .oracle import Broken


def shown(e) -> str:
    """A number or vector in a message, in full between marks; `fail` shortens them together."""
    return "⟦" + " ".join(repr(float(x)) for x in np.ravel(e)) + ("⟧" if np.ndim(e) else "⟧⟧")


def shortened(message: str) -> str:
    """Give the marked numbers as many digits as it takes to tell them apart, 4 to 17."""
    marked = re.compile("⟦([^⟧]*)(⟧⟧?)")
    whole = {m[1] for m in marked.finditer(message)}

    def words(x: str, digits: int) -> str:
        return ", ".join(f"{float(k):.{digits}g}" if digits < 17 else k for k in x.split())

    digits = next((k for k in (4, 6, 9, 12) if len({words(x, k) for x in whole}) == len(whole)), 17)
    bracket = {"⟧": "[{}]", "⟧⟧": "{}"}
    return marked.sub(lambda m: bracket[m[2]].format(words(m[1], digits)), message)


def text(x) -> str:
    """A number or a vector in a counterexample: short decimals."""
    if isinstance(x, np.ndarray):
        return "[" + ", ".join(map(text, x)) + "]"
    return f"{float(x):.4g}" if isinstance(x, float | np.floating) else str(x)


def fail(message: str, cause: str | Callable[[], str] = "", /, **values) -> NoReturn:
    """Raise `Broken`: the message, the values that show it, the likely cause."""
    given = ", ".join(f"{name} = {text(x)}" for name, x in values.items())
    message = shortened(message)
    ask = (lambda: cause) if isinstance(cause, str) else cause
    raise Broken(f"{message}{'; ' + given if given else ''}.", ask)


def example(s: Setting, t: int) -> dict:
    """The values that show a counterexample: gradients so far, the point, hyperparameters."""
    gs = {"g": s.run.g[0]} if t == 0 else {f"g{k}": s.run.g[k] for k in range(t + 1)}
    return {**gs, "w": s.run.w[t], "rho": s.rho, **s.hyper}


def at(t: int) -> str:
    return f" at step {t + 1}" if t else ""
