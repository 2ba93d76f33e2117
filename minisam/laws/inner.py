"""L1-L9: the answer to the inner question, argmax { <D g, e> : ||C^-1 e|| <= rho }."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .case import ROUNDINGS, Case, Setting, unit_roundoff
from .causes import cause
from .claims import FISHER, GIVEN_C, GIVEN_D, INFO, MAGNITUDE, gauge, length, stretched
from .draws import History, matrix, nonzero, positive
from .expect import agree
from .search import law, only
from .words import at, example, fail, shown


@law("L1", "optimality", "D g = (||C D g|| / rho) C^-2 eps")
def optimality(case: Case, draw) -> None:
    """No e in the ball climbs higher: <D g, e> <= <D g, eps>, with equality for e = eps alone."""
    s = case.setting(draw)
    for t, rec in enumerate(case.take(s)):
        want, tolerance, posed = case.expected(s, t)
        assume(posed)
        v, c, share = case.parts(s.run.w[: t + 1], s.run.g[: t + 1], s.hyper)
        best, climbed = share * s.rho * stretched(c, v), float(v @ rec.eps)
        slack = float(np.abs(v) @ tolerance) + 1e-12 * best
        inside = gauge(c, rec.eps) <= share * s.rho * (1 + 1e-3) if np.any(v) else True
        if not abs(climbed - best) <= slack or np.any(~(np.abs(rec.eps - want) <= tolerance)):
            claim = (
                f"<D g, eps> is {shown(climbed)}, the ball allows {shown(best)}"
                if inside
                else f"eps leaves the ball, |C^-1 eps| is {shown(gauge(c, rec.eps))}"
            )
            better = f", with e = {shown(want)} instead of {shown(rec.eps)}" + at(t)
            fail(claim + better, cause(case, s, t, rec.eps), **example(s, t))


@law("L2", "active constraint", "||C^-1 eps|| = rho")
def active_constraint(case: Case, draw) -> None:
    """The radius is used in full, however small the gradient is."""
    s = case.setting(draw)
    s.run = s.run.scaled(10.0 ** -draw(st.sampled_from([8, 3, 0])))
    u = unit_roundoff(s.run.dtype)
    for t, rec in enumerate(case.take(s)):
        want, tolerance, posed = case.expected(s, t)
        assume(posed)
        if not np.any(want):
            continue
        _, c, share = case.parts(s.run.w[: t + 1], s.run.g[: t + 1], s.hyper)
        radius = share * s.rho
        slack = ROUNDINGS * u * radius + gauge(np.where(c == 0, 1, c), tolerance)
        got = gauge(c, rec.eps)
        if not abs(got - radius) <= slack:
            fail(
                f"|C^-1 eps| is {shown(got)}, rho is {shown(radius)}" + at(t),
                cause(case, s, t, rec.eps),
                **example(s, t),
            )


@law("L3", "gradient scale invariance", "eps(c g) = eps(g), c > 0")
def gradient_scale(case: Case, draw) -> None:
    """The size of the gradient does not matter, from 1e-150 to 1e+150."""
    s = case.setting(draw)
    if case.claim.constraint is FISHER:
        s.hyper["eta"] = 0.0  # F scales with the gradient: only eta = 0 promises invariance
    wide = s.run.dtype == np.float64
    limit = (60 if wide else 10) if case.claim.objective is INFO else (150 if wide else 12)
    c = 10.0 ** draw(st.integers(-limit, limit))
    plain, big = case.take(s), case.take(s, s.run.scaled(c))
    for t, (a, b) in enumerate(zip(plain, big, strict=True)):
        if not agree(case, s, t, a.eps, b.eps):
            run = Setting(s.rho, s.lr, s.hyper, s.run.scaled(c))
            fail(
                f"eps is {shown(a.eps)} for g and {shown(b.eps)} for {c:.0e} g" + at(t),
                cause(case, run, t, b.eps),
                **example(s, t),
            )
    if case.claim.objective is not INFO:
        _extreme(case, s)


def _extreme(case: Case, s: Setting) -> None:
    """Squares of these gradients leave the number range: a plain norm does not survive that."""
    tiny = 1e-170 if s.run.dtype == np.float64 else 1e-25
    _, tolerance, _ = case.expected(s, 0)
    a, b = case.take(s)[0], case.take(s, s.run.scaled(tiny))[0]
    if not np.all(np.abs(a.eps - b.eps) <= 2 * tolerance):
        case.note(
            "the norm is not scaled: its squares vanish at |g| near 1e-170, in float32 near 1e-25"
        )


@law("L4", "oddness and objective scale", "eps(-v) = -eps(v), eps(c D) = eps(D)")
def odd(case: Case, draw) -> None:
    """Negated gradients negate eps; a positive factor in front of D cancels."""
    s = case.setting(draw)
    plain = case.take(s)
    for t, (a, b) in enumerate(zip(plain, case.take(s, s.run.scaled(-1)), strict=True)):
        if not agree(case, s, t, a.eps, -b.eps):
            fail(f"eps is {shown(a.eps)} for g and {shown(b.eps)} for -g" + at(t), **example(s, t))
    if case.claim.objective is GIVEN_D:
        k = draw(st.sampled_from([4.0, 3.0, 0.125]))
        b = case.take(s, D=(k * s.hyper["D"]).astype(s.run.dtype))[0]
        if not np.all(np.abs(plain[0].eps - b.eps) <= 2 * case.expected(s, 0)[1]):
            fail(
                f"eps is {shown(plain[0].eps)} for D and {shown(b.eps)} for {k:g} D",
                **example(s, 0),
            )


@law(
    "L5",
    "constraint gauge",
    "eps(c C) = c eps(C) = eps(C, c rho)",
    only(lambda claim: claim.constraint in (MAGNITUDE, GIVEN_C), "its ball is fixed"),
)
def constraint_gauge(case: Case, draw) -> None:
    """A ball c times as wide is the same as a radius c times as large."""
    s = case.setting(draw)
    k = draw(st.sampled_from([2.0, 4.0, 0.5]))
    if case.claim.constraint is GIVEN_C:
        wide = case.take(s, C=(k * s.hyper["C"]).astype(s.run.dtype))
    else:
        run = History((k * s.run.w).astype(s.run.dtype), s.run.g, s.run.h)
        wide = case.take(s, run, eta=k * s.hyper["eta"])
    free = ~case.inside(len(s.run.w[0]))
    if not free.all():
        case.note("not judged: with C = 1 on some entries the ball cannot be scaled from outside")
        return
    for t, (a, b) in enumerate(zip(case.take(s, rho=k * s.rho), wide, strict=True)):
        if not agree(case, s, t, a.eps, b.eps, 2 * max(k, 1)):
            fail(
                f"eps is {shown(b.eps)} in a ball {k:g} times as wide, {shown(a.eps)} with "
                f"{k:g} times the radius" + at(t),
                cause(case, s, t, case.take(s)[t].eps),
                **example(s, t),
            )


@law("L6", "radius homogeneity", "eps(c rho) = c eps(rho)")
def radius_homogeneity(case: Case, draw) -> None:
    """Twice the radius, twice the perturbation."""
    s = case.setting(draw)
    k = draw(st.sampled_from([2.0, 3.0, 0.25, 1000.0]))
    plain = case.take(s)
    for t, (a, b) in enumerate(zip(plain, case.take(s, rho=k * s.rho), strict=True)):
        if not agree(case, s, t, k * a.eps, b.eps, 2 * max(k, 1)):
            fail(
                f"eps is {shown(a.eps)} at rho and {shown(b.eps)} at {k:g} rho" + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )


@law(
    "L7",
    "duality",
    "eps(C, rho) = eps(D = C^2, rho ||C^2 g|| / ||C g||)",
    only(
        lambda claim: claim.objective is GIVEN_D and claim.constraint is GIVEN_C,
        "needs D and C from outside",
    ),
)
def duality(case: Case, draw) -> None:
    """A constraint C and an objective C^2 point the same way; only the radius differs."""
    s = case.setting(draw)
    n, dtype = len(s.run.w[0]), s.run.dtype
    one, c = np.ones(n, dtype), positive(draw, n).astype(dtype)
    g = s.run.g[0].astype(float)
    assume(np.any(g))
    s.hyper = {"D": one, "C": c}
    radius = s.rho * length(c * c * g) / length(c * g)
    a, b = case.take(s)[0], case.take(s, rho=radius, D=c * c, C=one)[0]
    if not np.all(np.abs(a.eps - b.eps) <= 2 * max(1, radius / s.rho) * case.expected(s, 0)[1]):
        fail(
            f"eps is {shown(a.eps)} with constraint C, {shown(b.eps)} with objective C^2",
            cause(case, s, 0, a.eps),
            **example(s, 0),
        )


@law(
    "L8",
    "composition",
    "eps_C(w, g) = C eps_1(C^-1 w, C'g); D2 D1 is D2 after D1",
    only(
        lambda claim: claim.objective is GIVEN_D and claim.constraint is GIVEN_C,
        "needs D and C from outside",
    ),
)
def composition(case: Case, draw) -> None:
    """A constraint is plain SAM in other coordinates; objectives multiply."""
    s = case.setting(draw, dtype="float64")
    n, g = len(s.run.w[0]), s.run.g[0]
    one, c = np.ones(n), s.hyper["C"]
    z = History(s.run.w, (c.T @ g if c.ndim == 2 else c * g)[None], s.run.h)
    a, b = case.take(s, D=one)[0].eps, case.take(s, z, D=one, C=one)[0].eps
    b = c @ b if c.ndim == 2 else c * b
    scale = 1e-12 * (np.max(np.abs(a)) + np.max(np.abs(s.run.w)) + s.rho)
    if not np.all(np.abs(a - b) <= scale * 8):
        fail(
            f"eps is {shown(a)} in the ball of C, {shown(b)} as C times SAM in z = C^-1 w",
            **example(s, 0),
        )
    d1, d2 = positive(draw, n), matrix(draw, n)
    both = d2 * d1  # columns of a dense d2 scaled: d2 diag(d1)
    a = case.take(s, D=both)[0].eps
    b = case.take(s, History(s.run.w, (d1 * g)[None], s.run.h), D=d2)[0].eps
    if not np.all(np.abs(a - b) <= scale * 8):
        fail(f"eps is {shown(a)} with D = D2 D1 and {shown(b)} with D2 on D1 g", **example(s, 0))


@law(
    "L9",
    "support function",
    "eps = gradient of rho ||C v|| in v, at v = D g",
    only(
        lambda claim: claim.objective is not INFO and claim.constraint is not FISHER,
        "D or C depends on the gradient itself",
    ),
)
def support_function(case: Case, draw) -> None:
    """Danskin: the highest climb grows along dv as <eps, dv>, by central differences."""
    s = case.setting(draw, dtype="float64")
    if case.objective.shrinks:
        case.note("not judged: the radius depends on the gradient")
        return
    t, n = len(s.run.g) - 1, len(s.run.w[0])
    v, c, _ = case.parts(s.run.w, s.run.g, s.hyper)
    assume(stretched(c, v) > 0.1 and case.expected(s, t)[2])
    dg, step = nonzero(draw, n), 1e-5

    def climb(k: float) -> tuple[float, np.ndarray]:
        g = s.run.g.copy()
        g[t] = g[t] + k * step * dg
        v = case.parts(s.run.w, g, s.hyper)[0]
        return float(v @ case.take(s, History(s.run.w, g, s.run.h))[t].eps), v

    (up, v_up), (down, v_down) = climb(1), climb(-1)
    slope = (up - down) / (2 * step)
    eps = case.take(s)[t].eps
    want = float(eps @ (v_up - v_down)) / (2 * step)
    scale = s.rho * stretched(c, np.abs((v_up - v_down) / (2 * step))) + length(v) * 1e-9
    if not abs(slope - want) <= 1e-5 * scale * (1 + 1 / stretched(c, v)):
        fail(
            f"the climb <D g, eps> grows at {slope:.6g} along dg, <eps, D dg> is {want:.6g}"
            + at(t),
            cause(case, s, t, eps),
            **example(s, t),
            dg=dg,
        )
