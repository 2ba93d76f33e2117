"""Why a law failed: wrong formulas that give what was seen, each with a sentence that names it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .case import Case, Setting
from .claims import ascend, length, stretched
from .oracle import Unusable, Vector

MIXED = "the weights, or weight decay, mixed into the gradient would do this"


def cause(case: Case, s: Setting, t: int, eps: Vector) -> Callable[[], str]:
    """Look for a wrong formula that gives the eps seen at step t.

    The shrunk example is so small that several may; one that also explains an example of
    generic numbers is preferred.
    """

    def search() -> str:
        if not np.all(np.isfinite(eps)):
            return "0/0 or an overflow would do this"
        here, wide = suspects(case, s, t, eps), case.generic()
        try:
            seen = case.take(wide)
        except Unusable:
            seen = []
        there = suspects(case, wide, len(seen) - 1, seen[-1].eps) if seen else []
        both = [sentence for sentence in there if sentence in here]
        return (both or there or here or [""])[0]

    return search


def suspects(case: Case, s: Setting, t: int, eps: Vector) -> list[str]:
    """The wrong formulas that explain the eps seen at step t where the right one does not."""
    ws, gs = s.run.w[: t + 1], list(s.run.g[: t + 1].astype(float))
    D, _ = case.claim.split(s.hyper)
    v, c, share = case.parts(ws, gs, s.hyper)
    rho = share * s.rho
    off, (want, tolerance, _) = length(eps - ascend(v, c, rho)), case.expected(s, t)
    if not off > length(tolerance) or not np.any(v):
        return []
    with np.errstate(all="ignore"):
        wrong = list(_inner_suspects(v, c, rho)) + [
            (f"{sentence} would do this", ascend(reference(gs, **D), c, s.rho))
            for sentence, reference in case.claim.objective.suspects
        ]
        return (
            _blocks(c, eps, rho, want)
            + _mixed(c, v, ws[-1].astype(float), eps)
            + [
                sentence
                for sentence, e in wrong
                if np.all(np.isfinite(e))
                and length(e - eps) <= length(tolerance) + 1e-2 * off
                and length(e - want) > length(tolerance)
            ]
            + _close(eps, want)
        )


def _close(eps: Vector, want: Vector) -> list[str]:
    """The right direction, or the right eps to seven digits."""
    if length(eps - want) <= 1e-6 * length(want):
        return ["working in single precision would do this"]
    factor = length(eps) / (length(want) or 1)
    if length(eps - factor * want) > 1e-6 * length(eps):
        return []
    return [f"a radius of {factor:.3g} rho would do this"]


def _blocks(c: Vector, eps: Vector, rho: float, want: Vector) -> list[str]:
    """The sign of a norm per tensor: every block uses the whole radius."""
    if c.ndim == 2 or not np.all(c) or rho == 0 or _close(eps, want):
        return []
    blocks = (length(eps / c) / rho) ** 2
    if blocks < 1.5 or abs(blocks - round(blocks)) > 1e-3:
        return []
    return [f"a norm taken over {round(blocks)} blocks one by one would do this"]


def _mixed(c: Vector, v: Vector, w: Vector, eps: Vector) -> list[str]:
    """Whether eps is the answer for D g + k w, some k, rather than for D g."""
    if c.ndim == 2 or not np.all(c) or len(v) < 4:
        return []
    A, y = np.stack([v, w], axis=1), eps / c**2
    fit = np.linalg.lstsq(A, y, rcond=None)[0]
    if length(A @ fit - y) > 1e-6 * length(y) or abs(fit[1]) < 1e-6 * abs(fit[0]):
        return []
    return [MIXED]


def _inner_suspects(v: Vector, c: Vector, rho: float):
    """Wrong answers to the inner question, each with the sentence that explains it."""
    e, N, n = ascend(v, c, rho), stretched(c, v), len(v)
    cv = c @ (c.T @ v) if c.ndim == 2 else c * c * v
    yield "no perturbation at all", 0 * e
    yield "descending instead of ascending would do this", -e
    yield "C where C^2 belongs would do this", rho * (c @ v if c.ndim == 2 else c * v) / N
    yield (
        "C where C^2 belongs, with the norm of D g, would do this",
        (rho * (c @ v if c.ndim == 2 else c * v) / length(v)),
    )
    yield "the norm of D g where that of C D g belongs would do this", rho * cv / length(v)
    yield "the norm of C^2 D g where that of C D g belongs would do this", rho * cv / length(cv)
    yield "a squared norm would do this", rho * cv / N**2
    yield "a norm left out would do this", rho * cv
    yield "rho squared would do this", rho * e
    yield "a root mean square instead of a norm would do this", e * np.sqrt(n)
    yield (
        "the sum of absolute values instead of a norm would do this",
        (rho * cv / np.sum(np.abs(c.T @ v if c.ndim == 2 else c * v))),
    )
    yield "C left out would do this", ascend(v, np.ones(n), rho)
    if c.ndim == 1:
        yield "dividing by C would do this", ascend(v, 1 / c, rho)
        yield "C^2 where C belongs would do this", ascend(v, c * c, rho)
        yield "the square root of C would do this", ascend(v, np.sqrt(c), rho)
    for k in range(4, 17):
        yield "an additive constant in the norm would do this", e * N / (N + 10.0**-k)
    for k in range(4, 17):
        yield "an additive constant in the norm would do this", e * N / np.sqrt(N**2 + 10.0**-k)
