"""L10-L14: what a change of coordinates, of the loss's scale or of the origin does to eps.

Each law has its negative controls: rows that must *not* have the symmetry. A check that cannot
tell ASAM from SAM is worth nothing.
"""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .case import Case, Setting
from .causes import MIXED, cause
from .claims import BALL, FISHER, GIVEN_C, GIVEN_D, INFO, MAGNITUDE, PLAIN, Claim, length
from .draws import History, entries, nonzero, positive
from .expect import agree
from .search import law, only
from .words import at, example, fail, shown


def given(claim: Claim) -> bool:
    """D and C both come from outside."""
    return claim.objective is GIVEN_D and claim.constraint is GIVEN_C


@law("L10", "signed permutations and blocks", "eps(P w; P g) = P eps(w; g), P a signed permutation")
def signed_permutations(case: Case, draw) -> None:
    """All parameters form one vector: their order, signs, and unused neighbours do not matter."""
    s = case.setting(draw, low=2)
    n = len(s.run.w[0])
    order = np.array(draw(st.permutations(range(n))))
    ones = case.inside(n)
    if ones.any():  # entries keep the ball they live in
        free, order = np.flatnonzero(~ones), np.arange(n)
        order[free] = np.array(draw(st.permutations(list(free))), dtype=int)
    sign = np.where(draw(st.lists(st.booleans(), min_size=n, max_size=n)), -1.0, 1.0)
    moved = {k: turned(x, order, sign) for k, x in s.hyper.items()}
    run = History(*((x[:, order] * sign).astype(s.run.dtype) for x in (s.run.w, s.run.g, s.run.h)))
    for t, (a, b) in enumerate(zip(case.take(s), case.take(s, run, **moved), strict=True)):
        if not agree(case, s, t, a.eps, unturn(b.eps, order, sign)):
            fail(
                f"eps is {shown(a.eps)}; with the entries in the order {list(map(int, order))} and "
                f"signs {list(map(int, sign))} it is {shown(b.eps)}" + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )
    if case.n is None and not ones.any():
        _padding(case, draw, s)


def _padding(case: Case, draw, s: Setting) -> None:
    """Parameters that the loss does not depend on leave the others alone."""
    k = draw(st.integers(1, 4))
    pad = lambda x: np.concatenate([x, np.zeros((len(x), k), x.dtype)], axis=1)
    run = History(pad(s.run.w), pad(s.run.g), pad(s.run.h))
    n, hyper = len(s.run.w[0]), {}
    for name, x in s.hyper.items():
        if isinstance(x, np.ndarray) and x.ndim == 2:
            hyper[name] = np.eye(n + k, dtype=x.dtype)
            hyper[name][:n, :n] = x
        elif isinstance(x, np.ndarray):
            hyper[name] = np.concatenate([x, np.ones(k, x.dtype)])
    if case.inside(n + k).any():
        return
    for t, (a, b) in enumerate(zip(case.take(s), case.take(s, run, **hyper), strict=True)):
        if not agree(case, s, t, a.eps, b.eps[:n]):
            fail(
                f"eps is {shown(a.eps)}; with {k} unused parameters behind them {shown(b.eps)}"
                + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )


def turned(x, order, sign):
    """A hyperparameter after the entries were reordered and their signs changed."""
    if not isinstance(x, np.ndarray):
        return x
    if x.ndim == 2:
        return (x[np.ix_(order, order)] * np.outer(sign, sign)).astype(x.dtype)
    return x[order]


def unturn(e, order, sign):
    back = np.empty_like(e)
    back[order] = e * sign
    return back


def rotation(draw, n: int) -> np.ndarray:
    """An orthogonal matrix: a reflection along a drawn vector."""
    u = nonzero(draw, n)
    return np.eye(n) - 2 * np.outer(u, u) / (u @ u)


def _must_have_turned(case: Case) -> None:
    """Rows with a preconditioner of their own must not look like SAM from every side."""
    turns = case.claim.objective.turns and case.claim.constraint.turns
    if turns or given(case.claim) or case.n == 1:  # a line cannot be turned
        return
    s = case.generic()
    Q = np.eye(len(s.run.w[0])) - 2 * np.outer(s.run.h[0], s.run.h[0]) / (s.run.h[0] @ s.run.h[0])
    run = History(s.run.w @ Q.T, s.run.g @ Q.T, s.run.h @ Q.T)
    for a, b in zip(case.take(s), case.take(s, run), strict=True):
        case.seen.append(length(b.eps - Q @ a.eps) / s.rho)
    if not max(case.seen) > 1e-3:
        fail(
            f"{case.claim.name} must change under rotations and does not: over {len(case.seen)} "
            f"rotations eps differs by {max(case.seen):.2g} of rho at most",
            "a preconditioner that is left out would do this",
        )


@law(
    "L11",
    "rotation",
    "eps(Q w; Q g) = Q eps(w; g), Q orthogonal (SAM, averages); others must not",
    after=_must_have_turned,
)
def rotations(case: Case, draw) -> None:
    """SAM knows no axes; ASAM, a diagonal Fisher, masks and noise weights do."""
    turns = case.claim.objective.turns and case.claim.constraint.turns
    s = case.setting(draw, low=2, steps=4, dtype="float64", dead=turns)
    n = len(s.run.w[0])
    assume(n > 1)
    Q = rotation(draw, n)
    hyper = {}
    if given(case.claim):
        D, C = (np.diag(x) if x.ndim == 1 else x for x in (s.hyper["D"], s.hyper["C"]))
        turns, hyper = True, {"D": Q @ D @ Q.T, "C": Q @ C}
    run = History(s.run.w @ Q.T, s.run.g @ Q.T, s.run.h @ Q.T)
    for t, (a, b) in enumerate(zip(case.take(s), case.take(s, run, **hyper), strict=True)):
        want = Q @ a.eps
        if not turns:
            if np.any(s.run.g[t]):
                case.seen.append(length(b.eps - want) / s.rho)
            continue
        _, tolerance, posed = case.expected(s, t)
        assume(posed)
        if not np.all(np.abs(b.eps - want) <= 4 * np.sum(tolerance) + 1e-14 * length(s.run.w[t])):
            fail(
                f"eps of the rotated problem is {shown(b.eps)}, the rotated eps {shown(want)}"
                + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )


@law("L12", "loss scale and origin", "f -> s f and w -> w + b leave eps alone")
def loss_scale_and_origin(case: Case, draw) -> None:
    """Units of the loss do not matter (Fisher: eta / s^2 goes with them), nor does the origin."""
    s = case.setting(draw)
    plain = case.take(s)
    if case.claim.constraint is not MAGNITUDE:
        shift = entries(draw, len(s.run.w[0])).astype(s.run.dtype)
        moved = Setting(s.rho, s.lr, s.hyper, History(s.run.w + shift, s.run.g, s.run.h))
        for t, (a, b) in enumerate(zip(plain, case.take(moved), strict=True)):
            close = case.expected(s, t)[1] + case.expected(moved, t)[1]
            if not np.all(np.abs(a.eps - b.eps) <= 2 * close):
                fail(
                    f"eps is {shown(a.eps)} at w and {shown(b.eps)} at w + {shown(shift)}, with "
                    "the same gradients" + at(t),
                    lambda t=t, a=a: cause(case, s, t, a.eps)() or MIXED,
                    **example(s, t),
                )
    k = draw(st.sampled_from([2.0, 0.5, 3.0, 0.1, 8.0]))
    changes = {"eta": s.hyper["eta"] / k**2} if case.claim.constraint is FISHER else {}
    for t, (a, b) in enumerate(zip(plain, case.take(s, s.run.scaled(k), **changes), strict=True)):
        if not agree(case, s, t, a.eps, b.eps):
            fail(
                f"eps is {shown(a.eps)} for f and {shown(b.eps)} for {k:g} f" + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )


def _must_have_shown_eta(case: Case) -> None:
    """With eta > 0 ASAM is not invariant: if it is, eta is ignored."""
    s = case.generic()
    A = np.linspace(2, 3, len(s.run.w[0]))
    A[case.inside(len(A))] = 1.0
    run = History(s.run.w * A, s.run.g / A, s.run.h)
    if length(A * case.take(s)[0].eps - case.take(s, run)[0].eps) < 1e-6:
        fail(
            "eta has no effect: with eta = 0.5 eps rescales as exactly as with eta = 0",
            "C = |w| instead of |w| + eta would do this",
        )


@law(
    "L13",
    "rescaling",
    "eps(A w; A^-1 g) = A eps(w; g) for ASAM with eta = 0, A diagonal",
    only(
        lambda claim: claim.constraint is MAGNITUDE and claim.objective in (PLAIN,),
        "promised by ASAM alone",
    ),
    after=_must_have_shown_eta,
)
def rescaling(case: Case, draw) -> None:
    """ASAM does not see how weights are shared out between layers, as long as f is the same."""
    s = case.setting(draw)
    n, dtype = len(s.run.w[0]), s.run.dtype
    w, A = nonzero(draw, n), positive(draw, n) * 4
    ones = case.inside(n)
    if ones.any():
        case.note(f"C = 1 on {int(ones.sum())} of {n} entries (as for biases), |w| + eta on others")
    A[ones] = 1.0
    s.hyper["eta"] = 0.0
    x, z = (
        Setting(s.rho, s.lr, s.hyper, History(a.astype(dtype), b.astype(dtype), s.run.h[:1]))
        for a, b in ((w[None], s.run.g[:1]), ((A * w)[None], s.run.g[:1] / A))
    )
    a, b = case.take(x)[0].eps, case.take(z)[0].eps
    close = 2 * A * case.expected(x, 0)[1] + 2 * case.expected(z, 0)[1]
    if not np.all(np.abs(A * a - b) <= close):
        fail(
            f"with eta = 0 eps is {shown(a)} at w and {shown(b)} at A w, A = {shown(A)}; "
            f"A eps would be {shown(A * a)}",
            cause(case, x, 0, a),
            **example(x, 0),
        )


@law(
    "L14",
    "reparametrisation",
    "w = T z: the table of who follows (given C: T eps_z = eps_w; infoSAM with delta = 0, "
    "power 1: eps_z = eps_w, power 2: T eps_z parallel to eps_w)",
    only(
        lambda claim: (
            given(claim)
            or (claim.constraint is BALL and claim.objective is INFO)
            or (claim.constraint is MAGNITUDE and claim.objective is PLAIN)
        ),
        "promised for orthogonal T alone, which is L11, or with a damping that breaks it",
    ),
)
def reparametrisation(case: Case, draw) -> None:
    """Which rows give the same perturbation in other coordinates."""
    s = case.setting(draw, dtype="float64")
    n = len(s.run.w[0])
    T = positive(draw, n)
    T[case.inside(n)] = 1.0
    hyper, factor = {}, 1.0
    if case.claim.objective is INFO:
        power = draw(st.sampled_from([1, 2]))
        s.hyper |= {"delta": 0.0, "power": power}
        factor = T ** (power - 2)  # T eps_z parallel to eps_w, or eps_z = eps_w itself
    elif case.claim.constraint is MAGNITUDE:
        s.hyper["eta"] = 0.0
    else:
        D, C = (np.diag(x) if x.ndim == 1 else x for x in (s.hyper["D"], s.hyper["C"]))
        hyper = {"C": C / T[:, None], "D": T[:, None] * D / T}
    run = History(s.run.w / T, s.run.g * T, s.run.h)
    for t, (a, b) in enumerate(zip(case.take(s), case.take(s, run, **hyper), strict=True)):
        if case.claim.objective is INFO and t == 0:
            continue  # the first step is SAM
        other = Setting(s.rho, s.lr, {**s.hyper, **hyper}, run)
        _, tolerance, posed = case.expected(s, t)
        _, tolerance_z, posed_z = case.expected(other, t)
        assume(posed and posed_z and np.any(a.eps))
        want, got = a.eps, T * b.eps * (factor if case.claim.objective is INFO else 1.0)
        if case.claim.objective is INFO and s.hyper["power"] == 2:
            scale = length(want) / (length(got) or 1.0)
            got, tolerance_z = scale * got, scale * tolerance_z
        if not np.all(
            np.abs(got - want)
            <= 4 * tolerance + 4 * T * tolerance_z * factor + 1e-12 * length(want)
        ):
            fail(
                f"eps is {shown(want)} in w; from z = w / {shown(T)} it comes out as {shown(got)}"
                + at(t),
                cause(case, s, t, a.eps),
                **example(s, t),
            )
