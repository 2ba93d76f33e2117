"""From a check of one example to a law: Hypothesis looks for a counterexample and shrinks it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable

from .case import Case
from .claims import Claim, claim_of
from .oracle import Broken, Factory, Unusable
from .watch import Clock, watched

EXAMPLES, TIMEOUT = 25, 10.0
SEARCH = 20.0  # seconds of processor time for one law
SHARED = "state shared between instances, or random numbers, would do this"
SHRINK = 300  # examples tried to simplify a counterexample


@dataclass(frozen=True)
class Verdict:
    """What one law says about one implementation.

    ``kind`` is ``holds``, ``fails`` (with a counterexample), ``convention`` (holds, and names the
    reading it holds under), ``inapplicable`` (the claim does not promise it) or ``unusable`` (the
    implementation raises, hangs, returns no vector or changes its input). ``cause`` is the likely
    mistake, where one is recognised; it also ends the message.
    """

    law: str
    name: str
    kind: str
    message: str = ""
    seed: int | None = None
    examples: int = 0
    cause: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.kind not in ("fails", "unusable")

    def __str__(self) -> str:
        word = {"fails": "FAILS", "unusable": "UNUSABLE"}.get(self.kind, self.kind)
        tail = f" (seed {self.seed})" if not self.ok and self.seed is not None else ""
        return f"{self.law} {self.name} {word}{': ' + self.message if self.message else ''}{tail}"


class Law(Protocol):
    """A law: ``law(factory, claim) -> Verdict``.

    ``number`` is L1 ... L26, ``statement`` the formula, ``applies(claim)`` None or the reason why
    the claim does not promise it.
    """

    number: str
    name: str
    statement: str
    applies: Callable[[Claim], str | None]

    def __call__(
        self,
        factory: Factory,
        claim: str | Claim = "sam",
        *,
        examples: int = EXAMPLES,
        seed: int = 0,
        timeout: float = TIMEOUT,
        shrink: bool = True,
    ) -> Verdict: ...


def always(claim: Claim) -> str | None:
    """The law is promised by every row."""
    return None


def only(test: Callable[[Claim], bool], reason: str) -> Callable[[Claim], str | None]:
    """The law is promised where ``test`` holds; elsewhere ``reason`` says why not."""
    return lambda claim: None if test(claim) else reason


def law(
    number: str,
    name: str,
    statement: str,
    applies: Callable[[Claim], str | None] = always,
    after: Callable[[Case], None] | None = None,
) -> Callable[[Callable], Law]:
    """Make a law of a check ``body(case, draw)`` that raises `Broken` on a counterexample.

    ``after(case)`` is asked when no example was one; it may still raise `Broken` (a negative
    control needs one example that differs, not all of them).
    """

    def wrap(body: Callable) -> Law:
        def judged(
            factory, claim="sam", *, examples=EXAMPLES, seed=0, timeout=TIMEOUT, shrink=True
        ):
            claim = claim_of(claim)
            reason = applies(claim)
            if reason is not None:
                return Verdict(number, name, "inapplicable", reason)

            def work(clock: Clock) -> Verdict:
                case = Case(factory, claim, clock)
                try:
                    tried = search(lambda draw: body(case, draw), examples, seed, shrink)
                    if after is not None:
                        after(case)
                except Broken as found:
                    cause = found.cause()
                    cause = f"{cause[0].upper()}{cause[1:]}." if cause else ""
                    message = f"{found} {cause}".rstrip()
                    return Verdict(number, name, "fails", message, seed, examples, cause)
                kind = "convention" if case.notes else "holds"
                return Verdict(number, name, kind, "; ".join(case.notes), seed, tried)

            try:
                return watched(work, timeout)
            except Unusable as found:
                return Verdict(number, name, "unusable", str(found), seed, examples)
            except Unsatisfiable:  # factory.n = 1: a line cannot be turned
                return Verdict(number, name, "inapplicable", "no example of it fits")

        judged.__name__ = judged.__qualname__ = body.__name__
        judged.__module__, judged.__doc__ = body.__module__, body.__doc__
        judged.number, judged.name = number, name  # type: ignore[attr-defined]
        judged.statement, judged.applies = statement, applies  # type: ignore[attr-defined]
        return judged  # type: ignore[return-value]

    return wrap


class _Enough(BaseException):
    """The time for one law is over."""


@dataclass
class _Watchful:
    """Count the examples, keep the simplest counterexample, stop in time."""

    check: Callable
    tried: int = 0
    shrunk: int = 0
    until: float = field(default_factory=lambda: time.thread_time() + SEARCH)
    found: Exception | None = None
    over: bool = False

    def __call__(self, draw) -> None:
        if self.shrunk > SHRINK or time.thread_time() > self.until:
            self.over = True
            raise _Enough
        self.tried += self.found is None
        self.shrunk += self.found is not None
        try:
            self.check(draw)
        except (Broken, Unusable) as found:
            if self.found is None or len(str(found)) <= len(str(self.found)):
                self.found = found
            raise


def search(check: Callable, examples: int = EXAMPLES, seed: int = 0, shrink: bool = True) -> int:
    """Run ``check(draw)`` on random examples and return how many were tried.

    Without ``shrink`` the first counterexample will do: whether there is one, not the simplest.

    Raises
    ------
    Broken, Unusable
        What the check raised on the simplest counterexample found.
    """
    watchful = _Watchful(check)

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
            HealthCheck.nested_given,
            HealthCheck.differing_executors,
        ],
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
    )
    @given(st.data())
    def hunt(data):
        watchful(data.draw)

    try:
        hunt()
    except BaseException as stop:
        if watchful.over:
            if watchful.found is not None:
                raise watchful.found from None
        elif isinstance(stop, Flaky):
            first = f"; the first time {watchful.found}" if watchful.found else ""
            raise Broken(
                f"the same input gives another answer when it comes again{first}", lambda: SHARED
            ) from None
        else:
            raise
    return watchful.tried
