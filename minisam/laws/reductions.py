"""L15-L18: where a row becomes another one, and the conventions that tell its readings apart."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .case import Case, Setting
from .causes import cause
from .claims import (
    AVERAGED,
    BALL,
    FISHER,
    FRIENDLY,
    GIVEN_C,
    GIVEN_D,
    INFO,
    MAGNITUDE,
    SPARSE,
    UPDATED,
    ascend,
    length,
)
from .draws import History, entries, nonzero
from .expect import compare
from .search import law, only
from .words import at, example, fail, shown


@law("L15", "reductions", "VaSSO(theta = 1) = Friendly(sigma = 0) = infoSAM(power = 0) = SAM, ...")
def reductions_to_sam(case: Case, draw) -> None:
    """At the end of its knob every row is SAM; with rho = 0 it is the base optimizer."""
    s = case.setting(draw, steps=4)
    _without_radius(case, s)
    objective, constraint = case.claim.objective, case.claim.constraint
    n, dtype = len(s.run.w[0]), s.run.dtype
    ends = {
        id(AVERAGED): {"theta": 1.0},
        id(FRIENDLY): {"sigma": 0.0},
        id(INFO): {"power": 0},
        id(SPARSE): {"mask": np.ones(n, dtype)},
        id(GIVEN_D): {"D": np.ones(n, dtype)},
    }
    s.hyper |= ends.get(id(objective), {})
    if constraint is FISHER:
        s.hyper["eta"] = 0.0
    if constraint is GIVEN_C:
        s.hyper["C"] = np.ones(n, dtype)
    if constraint is MAGNITUDE:  # equal weights: a ball of radius rho (|w| + eta)
        s.run.w[:] = draw(st.integers(1, 16)) / 4 * np.where(s.run.w < 0, -1, 1)
    if objective.averages:
        _memoryless(case, draw, s)
    for t, rec in enumerate(case.take(s)):
        g, w = s.run.g[t].astype(float), s.run.w[t].astype(float)
        c = case.parts(s.run.w[: t + 1], s.run.g[: t + 1], s.hyper)[1]
        want = ascend(g, c, s.rho)
        _, tolerance, posed = case.expected(s, t)
        assume(posed)
        if not np.all(np.abs(rec.eps - want) <= tolerance):
            fail(
                f"eps is {shown(rec.eps)}, SAM's is {shown(want)}" + at(t),
                cause(case, s, t, rec.eps),
                **example(s, t),
            )
        if constraint is MAGNITUDE and not case.inside(n).any():
            want = ascend(g, np.ones(n), s.rho * (abs(w[0]) + s.hyper["eta"]))
            if not np.all(np.abs(rec.eps - want) <= 2 * tolerance):
                fail(
                    f"all |w| are {abs(w[0]):g}, so eps is SAM's of radius rho (|w| + eta), "
                    f"{shown(want)}, but it is {shown(rec.eps)}" + at(t),
                    **example(s, t),
                )


def _memoryless(case: Case, draw, s: Setting) -> None:
    """At that end the past has no say, bit by bit: the numbers here have full mantissas."""
    T, n = s.run.g.shape
    size = 10.0 ** -np.arange(T)[:, None] / 7
    past = np.array([nonzero(draw, n) for _ in range(T)]) * size
    run = History(s.run.w, past.astype(s.run.dtype), s.run.h)
    last = History(run.w[-1:], run.g[-1:], run.h[-1:])
    a, b = case.take(s, run)[-1], case.take(s, last)[0]
    if not np.array_equal(a.calls[-1].point, b.calls[-1].point) if a.calls and b.calls else False:
        shown_ = Setting(s.rho, s.lr, s.hyper, run)
        off = np.max(np.abs(a.eps - b.eps))
        fail(
            f"eps still depends on the past: {shown(a.eps)} with it, {shown(b.eps)} without, a "
            f"difference of {off:.2g}" + at(T - 1),
            "the incremental form d + theta (g - d) would do this; (1 - theta) d + theta g is exact"
            if case.claim.objective is AVERAGED and off < 1e-4 * s.rho
            else "",
            **example(shown_, T - 1),
        )


def _without_radius(case: Case, s: Setting) -> None:
    """rho = 0: the base optimizer, here w - lr g."""
    run = History(s.run.w, s.run.g, s.run.g)  # one gradient, wherever it is asked for
    for t, rec in enumerate(case.take(s, run, rho=0.0)):
        want = rec.w.astype(float) - s.lr * run.g[t].astype(float)
        slack = 4 * np.finfo(s.run.dtype).eps * (np.abs(rec.w) + s.lr * np.abs(run.g[t]))
        if not np.all(np.abs(rec.out - want) <= slack) or np.any(rec.eps):
            fail(
                f"with rho = 0 the step goes to {shown(rec.out)}, w - lr g is {shown(want)}"
                + at(t),
                **example(Setting(0.0, s.lr, s.hyper, run), t),
                lr=s.lr,
            )


@law(
    "L16",
    "FriendlySAM's average",
    "previous(sigma') = updated(sigma), sigma' = sigma lmbda / (1 - sigma (1 - lmbda))",
    only(lambda claim: claim.objective is FRIENDLY, "FriendlySAM's alone"),
)
def friendly_average(case: Case, draw) -> None:
    """Which average is subtracted, before or after this gradient went in, is only another sigma."""
    s = case.setting(draw, steps=4)
    if UPDATED in case.objective.sentence:
        case.note(case.objective.sentence)
    sigma, lmbda = s.hyper["sigma"], s.hyper["lmbda"]
    updated = UPDATED in case.objective.sentence
    other = (
        sigma / (lmbda + sigma * (1 - lmbda))
        if not updated
        else sigma * lmbda / (1 - sigma * (1 - lmbda))
    )
    twin = _twin(case)
    for t, rec in enumerate(case.take(s)):
        _, tolerance, posed = case.expected(s, t)
        assume(posed)
        if t == 0 or twin is None:
            continue
        gs = list(s.run.g[: t + 1].astype(float))
        _, c, _share = case.parts(s.run.w[: t + 1], gs, s.hyper)
        want = ascend(twin(gs, other, lmbda), c, s.rho)
        if not np.all(np.abs(rec.eps - want) <= 4 * tolerance):
            fail(
                f"eps is {shown(rec.eps)}; the other average with sigma' = {other:.4g} gives "
                f"{shown(want)}" + at(t),
                cause(case, s, t, rec.eps),
                **example(s, t),
            )


def _twin(case: Case):
    """The reading with the other average and the same start."""
    own = case.objective.sentence
    for reading in (None, *FRIENDLY.conventions):
        sentence = reading.sentence if reading else ""
        strip = lambda x: x.replace(UPDATED, "").removeprefix("; ")
        if strip(sentence) == strip(own) and (UPDATED in sentence) != (UPDATED in own):
            return reading.objective if reading else FRIENDLY.reference
    return None


@law(
    "L17",
    "noise alone sets the weights",
    "D(g_0 + m, ..., g_t + m) = D(g_0, ..., g_t) up to a factor",
    only(
        lambda claim: claim.objective is INFO and claim.constraint is not FISHER,
        "infoSAM's alone",
    ),
)
def noise_weights(case: Case, draw) -> None:
    """A constant added to every gradient is signal: the noise weights do not see it."""
    s = case.setting(draw, steps=4, dead=False, dtype="float64")
    m = nonzero(draw, len(s.run.w[0]))
    run = History(s.run.w, s.run.g + m, s.run.h)
    for t, (a, b) in enumerate(zip(case.take(s), case.take(s, run), strict=True)):
        g, g_m = s.run.g[t], run.g[t]
        use = (g != 0) & (g_m != 0)
        moved = Setting(s.rho, s.lr, s.hyper, run)
        (_, near, posed), (_, near_m, posed_m) = case.expected(s, t), case.expected(moved, t)
        assume(posed and posed_m and np.any(use))
        D, D_m = a.eps[use] / g[use], b.eps[use] / g_m[use]
        unit, unit_m = D / (length(D) or 1), D_m / (length(D_m) or 1)
        slack = length(near[use] / g[use]) / (length(D) or 1) + length(near_m[use] / g_m[use]) / (
            length(D_m) or 1
        )
        if not np.all(np.abs(unit - unit_m) <= 4 * slack + 1e-12):
            fail(
                f"the weights eps / g are {shown(unit)} and, with {shown(m)} added to every "
                f"gradient, {shown(unit_m)}" + at(t),
                lambda t=t, a=a: cause(case, s, t, a.eps)() or "an average from zero would do this",
                **example(s, t),
            )


@law(
    "L18",
    "mask",
    "eps = 0 outside the mask, ||eps|| = rho",
    only(
        lambda claim: (
            claim.objective is SPARSE
            or (claim.objective is GIVEN_D and claim.constraint is GIVEN_C)
        ),
        "needs a mask",
    ),
)
def masked(case: Case, draw) -> None:
    """Outside the mask nothing moves and no gradient counts; as an objective or as a constraint."""
    s = case.setting(draw, low=2)
    n, dtype = len(s.run.w[0]), s.run.dtype
    m = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    if case.claim.objective is SPARSE:
        s.hyper["mask"] = m.astype(dtype)
        case.note(case.objective.sentence)
    else:
        s.hyper = {"D": m.astype(dtype), "C": np.ones(n, dtype)}
    recs = case.take(s)
    if case.claim.objective is GIVEN_D:
        other = case.take(s, D=np.ones(n, dtype), C=m.astype(dtype))[0]
        if not np.all(np.abs(other.eps - recs[0].eps) <= 2 * case.expected(s, 0)[1]):
            fail(
                f"eps is {shown(recs[0].eps)} with D = mask, {shown(other.eps)} with C = mask",
                **example(s, 0),
            )
    for t, rec in enumerate(recs):
        if np.any(rec.eps[~m]):
            fail(
                f"eps is {shown(rec.eps)}, not 0 outside the mask" + at(t),
                cause(case, s, t, rec.eps),
                **example(s, t),
            )
        compare(case, s, t, rec.eps)
    noise = entries(draw, n) * ~m
    run = History(s.run.w, (s.run.g + noise).astype(dtype), s.run.h)
    if case.objective.shrinks:
        return  # there the whole gradient sets the radius
    other = case.take(s, run)[0].eps
    if case.claim.constraint is BALL and not np.all(
        np.abs(other - recs[0].eps) <= 2 * case.expected(s, 0)[1]
    ):
        fail(
            f"eps changes from {shown(recs[0].eps)} to {shown(other)} with the gradient outside "
            "the mask",
            "the mask applied after normalising would do this",
            **example(s, 0),
        )
