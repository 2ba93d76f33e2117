"""L20, L21, L26: what the running averages are fed with, degenerate input, and the definition."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .case import ROUNDINGS, Case, Setting, unit_roundoff
from .causes import cause
from .claims import AVERAGED, BALL, FRIENDLY, INFO, MAGNITUDE, UPDATED, gauge, length
from .draws import History
from .expect import compare
from .oracle import same
from .search import law
from .words import at, example, fail, shown


@law(
    "L20", "causality", "eps_t depends on g_0 ... g_t at w_0 ... w_t alone, with the row's weights"
)
def causality(case: Case, draw) -> None:
    """The second gradients never reach the averages; the first ones do with the claimed weights.

    A claim without averages remembers nothing at all.
    """
    s = case.setting(draw, steps=4, memoryless=2)
    own = case.objective.sentence
    if case.claim.objective in (AVERAGED, FRIENDLY) and UPDATED not in own:
        case.note(own)
    plain = case.take(s)
    other = case.take(s, History(s.run.w, s.run.g, (2 - 3 * s.run.h).astype(s.run.dtype)))
    for t, (a, b) in enumerate(zip(plain, other, strict=True)):
        if a.calls and b.calls and not same(a.calls[-1].point, b.calls[-1].point):
            fail(
                f"eps changes from {shown(a.eps)} to {shown(b.eps)} when the gradients at w + eps "
                "of earlier steps change" + at(t),
                "an average fed by both passes would do this",
                **example(s, t),
                h=s.run.h[0],
            )
        compare(case, s, t, a.eps)


@law("L21", "degenerate input", "g = 0, C = 0 or nothing masked in: eps = 0; dead entries stay out")
def degenerate(case: Case, draw) -> None:
    """Zeros are legal: no NaN, no perturbation without a direction, no say for dead parameters."""
    kind = draw(st.sampled_from(["zero gradient", "zero step", "zero weights", "dead", "constant"]))
    s = case.setting(draw)
    n, dtype = len(s.run.w[0]), s.run.dtype
    if kind == "zero gradient":
        s.run.g[:] = 0
        if "mask" in s.hyper:
            s.hyper["mask"] = (draw(st.integers(0, 1)) * s.hyper["mask"]).astype(dtype)
    elif kind == "zero step":
        s.run.g[draw(st.integers(0, len(s.run.g) - 1))] = 0
    elif kind == "zero weights" and case.claim.constraint is MAGNITUDE:
        s.hyper["eta"] = 0.0
        zero = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
        s.run.w[:, zero] = 0
    elif kind == "dead":
        s.run.g[:, draw(st.integers(0, n - 1))] = 0
        if case.claim.objective is INFO:  # without a floor 0 times infinity is close by
            s.hyper["delta"] = draw(st.sampled_from([0.0, s.hyper["delta"]]))
        if "mask" in s.hyper:
            s.hyper["mask"] = np.zeros(n, dtype)
    elif kind == "constant":
        s.run.g[:] = s.run.g[0]
    for t, rec in enumerate(case.take(s)):
        if not np.all(np.isfinite(rec.eps)) or not np.all(np.isfinite(rec.out)):
            fail(
                f"eps is {shown(rec.eps)} and the step goes to {shown(rec.out)}" + at(t),
                "0/0, or 0 times infinity, would do this",
                **example(s, t),
            )
        if kind == "constant" and case.claim.objective is INFO:
            _active(case, s, t, rec.eps)  # rounding decides whether its noise is exactly 0
            continue
        compare(case, s, t, rec.eps)
    if kind == "dead" and case.claim.objective is INFO and case.claim.constraint is BALL:
        _without_dead(case, s)


def _active(case: Case, s: Setting, t: int, eps) -> None:
    _, c, _share = case.parts(s.run.w[: t + 1], s.run.g[: t + 1], s.hyper)
    if not np.any(c * s.run.g[t]):
        return
    slack = ROUNDINGS * s.rho + 2 * gauge(np.where(c == 0, 1, c), np.abs(s.run.w[t]) + s.rho)
    if not abs(gauge(c, eps) - s.rho) <= slack * unit_roundoff(s.run.dtype):
        fail(
            f"a gradient without noise: |C^-1 eps| is {gauge(c, eps):.4g}, rho is {s.rho:g}"
            + at(t),
            "a noise of 0 that is divided by would do this",
            **example(s, t),
        )


def _without_dead(case: Case, s: Setting) -> None:
    """The other entries move as if the dead ones did not exist."""
    live = np.any(s.run.g, axis=0)
    if case.n is not None or not live.any() or case.inside(len(live)).any():
        return
    run = History(s.run.w[:, live], s.run.g[:, live], s.run.h[:, live])
    hyper = {k: x[live] for k, x in s.hyper.items() if isinstance(x, np.ndarray)}
    for t, (a, b) in enumerate(zip(case.take(s), case.take(s, run, **hyper), strict=True)):
        _, tolerance, posed = case.expected(s, t)
        assume(posed)
        if not np.all(np.abs(a.eps[live] - b.eps) <= 2 * tolerance[live]):
            fail(
                f"eps is {shown(a.eps[live])} beside dead entries, {shown(b.eps)} without them"
                + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )


def _long_and_wide(case: Case) -> None:
    """Blocks, schedules and restarts do not show in a few steps of a few weights."""
    s = case.generic(n=1000, steps=25)
    for t, rec in enumerate(case.take(s)):
        want, tolerance, _ = case.expected(s, t)
        off = length(rec.eps - want)
        if not off <= length(tolerance):
            fail(
                f"in a longer run with {len(want)} weights eps is off by {off / s.rho:.2g} rho"
                + at(t),
                cause(case, s, t, rec.eps),
            )


@law(
    "L26",
    "definition",
    "eps_t as the row's five-line loop has it, on longer runs",
    after=_long_and_wide,
)
def definition(case: Case, draw) -> None:
    """Several steps with all hyperparameters at work, against the formula itself."""
    s = case.setting(draw, steps=6, memoryless=3)
    for t, rec in enumerate(case.take(s)):
        compare(case, s, t, rec.eps)
