"""The recording oracle: an implementation is judged by what it asks and what it returns.

The implementation under test is ``factory(rho=..., lr=..., **hyper) -> step`` and
``step(w, grad) -> next w``. Each step gets a gradient function of its own, its minibatch, that
writes down every point it is asked for. The second point reveals the perturbation, the returned
point the update, and the order of the calls the rest.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Vector = np.ndarray
Gradient = Callable[[Vector], Vector]
Step = Callable[[Vector, Gradient], Vector]
Factory = Callable[..., Step]


class Broken(Exception):
    """A law does not hold: the message says so in plain words and numbers.

    ``cause()`` names the likely mistake, or is empty. It is asked only once the counterexample is
    as simple as it gets.
    """

    def __init__(self, message: str, cause: Callable[[], str] = str):
        super().__init__(message)
        self.cause = cause


class Unusable(Exception):
    """The implementation cannot be judged here: it raises, or does not answer with a vector."""


@dataclass(frozen=True)
class Call:
    """One question: the minibatch it was put to, the point asked for, the gradient answered."""

    batch: int
    point: Vector
    answer: Vector


class Oracle:
    """Gradient of one minibatch, ``grad(w) -> g``, that records its calls in a shared list.

    Parameters
    ----------
    gradient : the minibatch's true gradient, (n,) -> (n,)
    batch : its number
    calls : the list, shared by all minibatches of a run, that each `Call` is appended to
    """

    def __init__(self, gradient: Gradient, batch: int = 0, calls: list[Call] | None = None):
        self.gradient, self.batch = gradient, batch
        self.calls: list[Call] = [] if calls is None else calls

    def __call__(self, w: Vector) -> Vector:
        # copies: what is done to w or to the answer later cannot reach the record
        point = np.array(w)
        answer = np.array(self.gradient(point))
        self.calls.append(Call(self.batch, point, answer.copy()))
        return answer


@dataclass(frozen=True)
class Record:
    """One step as the oracle saw it.

    Attributes
    ----------
    w : the point handed in, (n,)
    batch : the number of the minibatch handed in
    calls : every question put during the step, in order
    out : the point returned, (n,)
    spoils : what the step wrote into though it belongs to the caller, or ""
    """

    w: Vector
    batch: int
    calls: tuple[Call, ...]
    out: Vector
    spoils: str

    @property
    def eps(self) -> Vector:
        """The perturbation: last point asked for minus w, in float64; 0 if w alone was asked for.

        Its rounding error is that of w + eps, which `claims.near` allows for.
        """
        if not self.calls:
            return np.zeros(self.w.shape)
        return self.calls[-1].point.astype(np.float64) - self.w.astype(np.float64)

    @property
    def h(self) -> Vector:
        """The gradient that the step should use: the last one answered."""
        return self.calls[-1].answer if self.calls else np.zeros_like(self.w)


def run(step: Step, trip: Sequence[tuple[Vector | None, Gradient]]) -> list[Record]:
    """Take the steps of ``trip``, pairs of a point and a gradient function, and record them.

    A point of None stands for the one that the step before returned. Minibatches are numbered
    0, 1, ... in order.

    Raises
    ------
    Unusable
        If a step raises, or returns anything but a real array of the shape of w.
    """
    calls: list[Call] = []
    records: list[Record] = []
    returned: list[Vector] = []
    for batch, (w, gradient) in enumerate(trip):
        w = records[-1].out if w is None else w
        before, given = len(calls), w.copy()
        out = answer(step, given, Oracle(gradient, batch, calls))
        if not isinstance(out, np.ndarray):
            raise Unusable(f"step returns {described(out)}; a NumPy vector is wanted")
        if out.shape != w.shape or out.dtype.kind != "f":
            raise Unusable(
                f"step returns shape {out.shape} of {out.dtype} for w of shape {w.shape} "
                f"of {w.dtype}"
            )
        asked = tuple(calls[before:])
        for call in asked:
            if call.point.shape != w.shape or call.point.dtype.kind != "f":
                raise Unusable(
                    f"step asks for the gradient at shape {call.point.shape} of "
                    f"{call.point.dtype}; w has shape {w.shape} of {w.dtype}"
                )
        kept = all(same(a, r.out) for a, r in zip(returned, records, strict=True))
        spoils = "its input" if not same(given, w) else "" if kept else "what it returned before"
        records.append(Record(w, batch, asked, out.copy(), spoils))
        returned.append(out)
    return records


def answer(function: Callable, *args, **kwargs) -> Any:
    """Call somebody else's code; whatever it raises becomes `Unusable`, with the line at fault."""
    try:
        return function(*args, **kwargs)
    except Unusable:
        raise
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())
        inside = Path(last.filename) == Path(__file__)  # a call that did not even arrive
        where = "" if inside else f" ({Path(last.filename).name}, line {last.lineno})"
        raise Unusable(f"raises {type(error).__name__}: {text}{where}") from error


def same(a: Vector, b: Vector) -> bool:
    """Equal bit by bit, NaN and the sign of zero included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def described(x: object) -> str:
    """Say in words what somebody returned."""
    return "None" if x is None else f"a {type(x).__name__}"
