"""L22, L23: m-sharpness and per-example SAM.

The protocol knows no shards, so each shard takes a step of its own from w and the results are
averaged with the shards' sizes as weights: w - lr sum_k p_k h_k, the m-SAM step.
"""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from . import problems
from .case import Case
from .claims import BALL, PLAIN, length
from .draws import entries, nonzero, positive
from .oracle import Gradient, run
from .search import law, only
from .words import fail, shown

sam_alone = only(
    lambda claim: claim.objective is PLAIN and claim.constraint is BALL,
    "stated for SAM; other rows keep one average over all shards",
)


def sharded(case: Case, w, gradients: list[Gradient], sizes, rho: float, lr: float):
    """The mean of the steps that the shards take on their own."""
    outs = [run(case.step(rho, lr, {}), [(w, gradient)])[0].out for gradient in gradients]
    return np.average(outs, axis=0, weights=sizes)


@law("L22", "m-sharpness", "h = grad f + rho sum p_k A_k g_k / ||g_k|| on quadratics", sam_alone)
def m_sharpness(case: Case, draw) -> None:
    """Shards average to the closed form; identical shards are one; rho = 0 is the full gradient."""
    n, k = case.size(draw), draw(st.integers(1, 3))
    w, rho, lr = entries(draw, n), draw(st.integers(1, 40)) / 20, 0.25
    A, b = [positive(draw, n) for _ in range(k)], [entries(draw, n) for _ in range(k)]
    sizes = np.array([draw(st.integers(1, 4)) for _ in range(k)], dtype=float)
    p, g = sizes / sizes.sum(), [A[i] * w - b[i] for i in range(k)]
    assume(all(np.any(x) for x in g))
    gradients = [problems.quadratic(A[i], b[i]) for i in range(k)]
    full = sum(p[i] * g[i] for i in range(k))
    units = [g[i] / (length(g[i]) or 1) for i in range(k)]
    for r in (rho, 0.0):
        got = (w - sharded(case, w, gradients, sizes, r, lr)) / lr
        want = full + r * sum(p[i] * A[i] * units[i] for i in range(k))
        if not np.all(np.abs(got - want) <= 1e-12 * (1 + np.abs(w) + np.max(np.abs(want)))):
            fail(
                f"the mean gradient of {k} shards at w + eps is {shown(got)}, it should be "
                f"{shown(want)}",
                w=w,
                rho=r,
                sizes=sizes,
                **{f"A{i}": A[i] for i in range(k)},
                **{f"b{i}": b[i] for i in range(k)},
            )
    one = sharded(case, w, gradients[:1], [1], rho, lr)
    same = sharded(case, w, gradients[:1] * 3, [1, 2, 3], rho, lr)
    if not np.all(np.abs(one - same) <= 1e-14 * (1 + np.abs(one))):
        fail(f"three equal shards step to {shown(same)}, one alone to {shown(one)}", w=w, rho=rho)


@law(
    "L23",
    "per-example SAM",
    "h = grad of mean (|r_i| + rho ||a_i||)^2 / 2 on least squares",
    sam_alone,
)
def per_example(case: Case, draw) -> None:
    """On one example of linear regression SAM finds the worst case exactly: the robust loss."""
    n, m = case.size(draw), draw(st.integers(1, 3))
    w, rho, lr = entries(draw, n), draw(st.integers(1, 40)) / 20, 0.25
    a = np.array([nonzero(draw, n) for _ in range(m)])
    b = entries(draw, m)
    r, norms = a @ w - b, np.array([length(x) for x in a])
    assume(np.all(r))
    gradients = [problems.least_squares(a[i], b[i]) for i in range(m)]
    got = (w - sharded(case, w, gradients, np.ones(m), rho, lr)) / lr
    want = np.mean(((np.abs(r) + rho * norms) * np.sign(r))[:, None] * a, axis=0)
    if not np.all(np.abs(got - want) <= 1e-12 * (1 + np.abs(w) + np.max(np.abs(want)))):
        fail(
            f"the mean gradient at w + eps is {shown(got)}, that of the robust loss {shown(want)}",
            w=w,
            a=a.ravel(),
            b=b,
            rho=rho,
        )
