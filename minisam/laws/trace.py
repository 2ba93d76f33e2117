"""The protocol, L19, L24, L25: what is asked, in which order, what is done with the answer."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from . import problems
from .case import Case, Setting
from .causes import cause
from .claims import MAGNITUDE
from .draws import History, entries, nonzero
from .expect import compare
from .oracle import Gradient, Record, Unusable, run, same
from .search import SHARED, law
from .words import at, example, fail, shown, text


@law("L0", "protocol", "factory(rho, lr, ...) -> step, step(w, grad) -> next w")
def protocol(case: Case, draw) -> None:
    """It answers with a vector, leaves its input alone, and does the same when asked again."""
    s = case.setting(draw, memoryless=3)
    first = case.take(s)
    for t, rec in enumerate(first):
        if rec.spoils:
            raise Unusable(f"changes {rec.spoils}{at(t)}, w = {text(rec.w)}; return a new array")
    for t, (a, b) in enumerate(zip(first, case.take(s), strict=True)):
        once, again = (np.array([*(c.point for c in rec.calls), rec.out]) for rec in (a, b))
        if not same(once, again):
            fail(
                f"two fresh instances disagree on the same input: one visits {shown(once)}, the "
                f"other {shown(again)}" + at(t),
                SHARED,
                **example(s, t),
            )


def arrives(case: Case, rec: Record, s: Setting, t: int, want: np.ndarray, what: str) -> None:
    """Break unless the step went to ``want``, up to the rounding of one addition."""
    slack = 2 * np.finfo(s.run.dtype).eps * (np.abs(rec.w) + np.abs(want - rec.w))
    if np.all(np.abs(rec.out - want) <= slack):
        return
    off = float(np.max(np.abs(rec.out - want)))

    def why() -> str:
        wide = case.generic()
        found = _misstep(case.take(wide)[0], wide.lr) or _misstep(rec, s.lr)
        if not found and off <= 1e-3 * float(np.max(np.abs(rec.eps), initial=0)):
            found = "restoring the weights by subtracting eps"
        return f"{found} would do this" if found else ""

    fail(
        f"the step goes to {shown(rec.out)}, {what} is {shown(want)}, off by {off:.2g}" + at(t),
        why,
        **example(s, t),
        h=rec.h,
        lr=s.lr,
    )


def _misstep(rec: Record, lr: float) -> str:
    """Name the wrong last line of a step that leads where this one went."""
    w, eps, h = rec.w.astype(float), rec.eps, rec.h.astype(float)
    g = rec.calls[0].answer.astype(float)
    close = lambda point: bool(np.all(np.abs(rec.out - point) <= 1e-5 * np.abs(point) + 1e-12))
    guesses = {
        "the base step taken at w + eps, without going back,": w + eps - lr * h,
        "the gradients of both passes added up": w - lr * (g + h),
        "the mean of both gradients": w - lr * (g + h) / 2,
        "the gradient at w instead of the one at w + eps": w - lr * g,
        "the base step taken twice": w - 2 * lr * h,
        "ascending instead of descending": w + lr * h,
        "no step at all": w,
        "no way back and no step": w + eps,
        "a step of size 1 instead of lr": w - h,
    }
    if close(w - lr * h):
        return ""
    return next((sentence for sentence, point in guesses.items() if close(point)), "")


@law("L19", "call trace", "grad(w), grad(w + eps), next w = w - lr grad(w + eps)")
def call_trace(case: Case, draw) -> None:
    """Two questions about one minibatch, the first at w bit by bit; then back to w exactly."""
    s = case.setting(draw)
    dtype = s.run.dtype
    if draw(st.booleans()):  # eps far above w and above the step: only a saved copy restores w
        s.run.w = (s.run.w * (1e-9 if dtype == np.float64 else 1e-4) / 3).astype(dtype)
        s.run.h = (s.run.h * draw(st.sampled_from([0.0, 1e-9]))).astype(dtype)
        s.run.g = (s.run.g + np.where(s.run.g == 0, 0, 1 / 3)).astype(dtype)
    for t, rec in enumerate(case.take(s)):
        if len(rec.calls) != 2:
            fail(
                f"the gradient is asked for {len(rec.calls)} times, SAM needs 2" + at(t),
                "a plain optimizer would do this" if len(rec.calls) == 1 else "",
                **example(s, t),
            )
        a, b = rec.calls[0], rec.calls[1]
        if a.batch != rec.batch or b.batch != rec.batch:
            fail(
                f"the two passes see minibatches {a.batch} and {b.batch}, the step was given "
                f"{rec.batch}" + at(t),
                "a gradient function kept from an earlier step would do this",
                **example(s, t),
            )
        if not np.array_equal(a.point, rec.w):
            fail(
                f"the first question is at {shown(a.point)}, w is {shown(rec.w)}" + at(t),
                "weights that were not restored, or kept inside, would do this",
                **example(s, t),
            )
        w, h = rec.w.astype(float), rec.h.astype(float)
        arrives(case, rec, s, t, w - s.lr * h, "w - lr grad(w + eps)")
    _natural(case, draw, s)


def _natural(case: Case, draw, s: Setting) -> None:
    """The same on a run of its own making, each step from where the last one arrived."""
    n, dtype = len(s.run.w[0]), s.run.dtype
    gradients = draw(st.sampled_from(PROBLEMS))(draw, n)
    trip = [(s.run.w[0] if t == 0 else None, f) for t, f in enumerate(gradients)]
    records = run(case.step(s.rho, s.lr, s.hyper), trip)
    w, h = ([getattr(r, x) for r in records] for x in ("w", "h"))
    g = [f(r.w) for r, f in zip(records, gradients, strict=True)]
    assume(all(np.any(x) for x in g))  # a gradient of 0 is for the law about degenerate input
    if not np.max(np.abs([*w, *g, *h])) < 1e6:
        return  # it diverges, and its gradients soon leave the number range
    seen = History(*(np.array(x).astype(dtype) for x in (w, g, h)))
    own = Setting(s.rho, s.lr, s.hyper, seen)
    for t, rec in enumerate(records):
        if len(rec.calls) != 2 or {c.batch for c in rec.calls} != {rec.batch}:
            fail(
                "the calls of a longer run are not two per minibatch: minibatches "
                f"{[c.batch for c in rec.calls]} in step {t + 1}",
                **example(own, t),
            )
        arrives(case, rec, own, t, rec.w - s.lr * rec.h.astype(float), "w - lr grad(w + eps)")


def _linear(draw, n: int) -> list[Gradient]:
    return [problems.linear(entries(draw, n))] * 3


def _quadratic(draw, n: int) -> list[Gradient]:
    B = entries(draw, n * n).reshape(n, n) / (4 * n)
    return [problems.quadratic(B @ B.T, entries(draw, n))] * 3


def _noisy(draw, n: int) -> list[Gradient]:
    A, b, scales = np.abs(entries(draw, n)) / 4, entries(draw, n), np.abs(entries(draw, n))
    seed = draw(st.integers(0, 9))
    return [problems.noisy_quadratic(A, b, scales, seed, t) for t in range(3)]


def _network(draw, n: int) -> list[Gradient]:
    if n < 3:
        return _linear(draw, n)
    X, y = entries(draw, 6 * (n - 2)).reshape(3, 2, n - 2), entries(draw, 6).reshape(3, 2)
    return [problems.two_layer(n - 2, 1, X[t], y[t]) for t in range(3)]


PROBLEMS = (_noisy, _linear, _quadratic, _network)


@law("L24", "dtype", "float32 in, float32 out; eps in both precisions within 1e-5")
def dtype_kept(case: Case, draw) -> None:
    """Every point asked for and the point returned have the precision of w."""
    s = case.setting(draw, dtype="float32")
    wide = Setting(
        s.rho,
        s.lr,
        {k: x.astype(float) if isinstance(x, np.ndarray) else x for k, x in s.hyper.items()},
        s.run.as_type("float64"),
    )
    for t, (a, b) in enumerate(zip(case.take(s), case.take(wide), strict=True)):
        for rec, want in ((a, "float32"), (b, "float64")):
            for what, x in [("asked for", c.point) for c in rec.calls] + [("returned", rec.out)]:
                if x.dtype != want:
                    fail(f"the point {what} is {x.dtype}, w is {want}" + at(t), **example(s, t))
        _, tolerance, posed = case.expected(s, t)
        scale = 1e-5 * np.max(np.abs(b.eps), initial=0)
        if posed and not np.all(np.abs(a.eps - b.eps) <= np.maximum(2 * tolerance, scale)):
            fail(
                f"eps is {shown(a.eps)} in float32 and {shown(b.eps)} in float64" + at(t),
                cause(case, wide, t, a.eps),
                **example(s, t),
            )
        compare(case, wide, t, b.eps)


@law("L25", "base optimizer at w", "next w = w - lr (m + wd w), eps free of weight decay")
def base_at_w(case: Case, draw) -> None:
    """What pulls on large weights acts at w, once per step, and never inside eps.

    Weight decay or momentum, one at a time, is asked of a factory that names it among its
    parameters; otherwise both are 0.
    """
    s = case.setting(draw)
    n, dtype = len(s.run.w[0]), s.run.dtype
    s.run.w = (
        nonzero(draw, n) * draw(st.sampled_from([1.0, 100.0])) * np.ones_like(s.run.w)
    ).astype(dtype)
    named = [x for x in ("momentum", "weight_decay") if x in _parameters(case.factory)]
    pull = draw(st.sampled_from([*named, "neither"]))
    decay, momentum = 0.1 * (pull == "weight_decay"), 0.9 * (pull == "momentum")
    given: dict[str, Any] = {x: {"momentum": momentum, "weight_decay": decay}[x] for x in named}
    m = np.zeros(n)
    for t, rec in enumerate(case.take(s, **given)):
        if case.claim.constraint is not MAGNITUDE or not decay:
            compare(case, s, t, rec.eps)
        if not rec.calls:
            fail("the gradient is never asked for", **example(s, t))
        m = momentum * m + rec.h.astype(float) + decay * rec.w.astype(float)
        arrives(case, rec, s, t, rec.w - s.lr * m, "the base step at w")


def _parameters(factory) -> set[str]:
    """The parameters that a factory names."""
    try:
        return set(inspect.signature(factory).parameters)
    except (TypeError, ValueError):
        return set()
