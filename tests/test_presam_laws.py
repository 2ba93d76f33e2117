"""The laws that every row obeys, on every backend, and two that some rows must break.

Tolerances are multiples of the unit roundoff ``u``; "bitwise" is ``np.array_equal``.
"""

from copy import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from tests.backends import NUMPY, NUMPY32
from tests.rows import (
    Problem,
    Row,
    asam,
    diagonals,
    every_row,
    few,
    fisher,
    friendly,
    friendly_in_fisher_ball,
    info,
    info_in_asam_ball,
    info_of_vasso,
    length,
    problems,
    run,
    sam,
    sparse,
    unlike,
    vasso,
)

SCALE_OF_G = {fisher, friendly_in_fisher_ball}  # C depends on the size of g
SQUARES = {info, info_of_vasso, info_in_asam_ball}  # store r^2, which underflows first


def changed(h, **values):
    h = copy(h)
    vars(h).update(values)
    return h


class Scaled:
    """The constraint ``factor * C``: a reader's own, in five lines."""

    def __init__(self, C, factor):
        self.C, self.factor = C, factor

    def at(self, w, g):
        self.D = self.C.at(w, g) @ (0 * g + 1)
        return ms.Diagonal(self.factor * self.D)


# --- L1 to L6: the inner maximum ---------------------------------------------------------------


@few(5)
@given(problem=problems)
@every_row
def test_L1_eps_is_the_maximizer(backend, row, problem):
    h, ws, gs = problem.on(backend)
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs).astype("float64")
    competitors = np.random.default_rng(problem.seed).standard_normal((50, 1, problem.n))
    for e, (v, c) in zip(eps, row.definition(h, ws, gs), strict=True):
        best = h.rho * length(c * v)
        assert np.all(np.abs((v * e).sum(-1, keepdims=True) / best - 1) <= 64 * backend.u)
        assert unlike(length(c * v) / h.rho * e / c**2, v) <= 64 * backend.u, "KKT"
        others = h.rho * c * competitors / length(competitors)
        assert np.all((v * others).sum(-1, keepdims=True) <= best * (1 + 64 * backend.u))


@few(5)
@given(problem=problems, tiny=st.sampled_from([1e-3, 1e-8, 1e-12]))
@every_row
def test_L2_the_constraint_is_active(backend, row, problem, tiny):
    h, ws, gs = problem.on(backend)
    gs = backend.host(tiny * gs / length(gs)).astype("float64")
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs)
    for e, (_, c) in zip(eps, row.definition(h, ws, gs), strict=True):
        assert np.all(np.abs(length(e / c) / h.rho - 1) <= 64 * backend.u)


@few(5)
@given(problem=problems, fraction=st.floats(-1, 1))
@every_row
def test_L3_scale_of_the_gradients(backend, row, problem, fraction):
    half = row.definition in SQUARES | SCALE_OF_G  # r^2 and eta are stored: half the range
    reach = (18 if half else 60) if backend.dtype == "float32" else (190 if half else 900)
    h, ws, gs = problem.on(backend)
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs)
    powers = [2.0**-reach, 2.0 ** round(fraction * reach), 2.0**reach]
    for c, tolerance in [(c, 0) for c in powers] + [(2**fraction, 64 * backend.u)]:
        rescaled = changed(h, eta=h.eta / c**2) if row.definition in SCALE_OF_G else h
        again = run(row.make(h.rho, rescaled, backend.put), backend, ws, c * gs)
        assert unlike(again, eps) <= tolerance


@few(5)
@given(problem=problems, k=st.integers(-20, 20))
@every_row
def test_L4_scale_and_sign_of_D(backend, row, problem, k):
    h, ws, gs = problem.on(backend)
    rule = row.make(h.rho, h, backend.put)
    scaled = ms.Diagonal(backend.put(np.full(problem.n, 2.0**k)))
    composed = ms.PreSAM(h.rho, ms.Composed(scaled, rule.objective), rule.constraint)
    eps = run(rule, backend, ws, gs)
    assert np.array_equal(run(composed, backend, ws, gs), eps)
    assert np.array_equal(run(rule, backend, ws, -gs), -eps)


@few(5)
@given(problem=problems, k=st.integers(-8, 8))
@every_row
def test_L5_scale_of_C(backend, row, problem, k):
    h, ws, gs = problem.on(backend)
    rule = row.make(h.rho, h, backend.put)
    scaled = ms.PreSAM(h.rho, rule.objective, Scaled(rule.constraint, 2.0**k))
    eps = run(rule, backend, ws, gs)
    assert np.array_equal(run(scaled, backend, ws, gs), 2.0**k * eps)
    assert np.array_equal(
        run(row.make(2.0**k * h.rho, h, backend.put), backend, ws, gs), 2.0**k * eps
    )


@few(5)
@given(problem=problems, k=st.integers(-8, 8))
@every_row
def test_L6_scale_of_rho(backend, row, problem, k):
    h, ws, gs = problem.on(backend)
    rule = row.make(h.rho, h, backend.put)
    eps, state = run(rule, backend, ws, gs), rule.init(backend.put(ws[0]))
    each = 2.0 ** np.arange(problem.S)[:, None]
    for w, g, e in zip(ws, gs, eps, strict=True):
        w, g, old = backend.put(w), backend.put(g), state
        override, state = rule.perturb(w, g, old, rho=2.0**k * h.rho)
        assert np.array_equal(backend.get(override), 2.0**k * e), "rho of one step"
        override, _ = rule.perturb(w, g, old, rho=backend.put(each * h.rho))
        # NumPy rounds a Python number and an array to the same float32, so this too is exact
        assert np.array_equal(backend.get(override), each * e), "rho of each member"


# --- L10, L11, L13: symmetries -----------------------------------------------------------------


@few(5)
@given(problem=problems)
@every_row
def test_L10_signed_permutations(backend, row, problem):
    h, ws, gs = problem.on(backend)
    rng = np.random.default_rng(problem.seed)
    signs, order = rng.choice([-1.0, 1.0], problem.n), rng.permutation(problem.n)
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs)
    flipped = run(row.make(h.rho, h, backend.put), backend, signs * ws, signs * gs)
    assert np.array_equal(flipped, signs * eps)
    moved = changed(h, mask=h.mask[order], D=h.D[order], C=h.C[order])
    permuted = run(row.make(h.rho, moved, backend.put), backend, ws[..., order], gs[..., order])
    assert unlike(permuted, eps[..., order]) <= 64 * backend.u


@few(5)
@given(problem=problems, extra=st.integers(1, 5))
@every_row
def test_L10_parameters_without_gradient_change_nothing(backend, row, problem, extra):
    h, ws, gs = problem.on(backend)
    wider = lambda x, value: np.concatenate([x, np.full((*x.shape[:-1], extra), value)], -1)
    more = changed(h, mask=wider(h.mask, True), D=wider(h.D, 1), C=wider(h.C, 1))
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs)
    padded = run(row.make(h.rho, more, backend.put), backend, wider(ws, 1), wider(gs, 0))
    assert np.all(padded[..., problem.n :] == 0)
    assert unlike(padded[..., : problem.n], eps) <= 64 * backend.u


def rotated(problem, backend, row):
    """Return eps and eps' = Q^T eps(Q w, Q g), equal for a rule that knows no axes."""
    h, ws, gs = problem.on(backend)
    h = changed(h, mask=np.arange(problem.n) % 2 == 0, delta=0.1, power=2, eta=0.1)
    Q = np.linalg.qr(np.random.default_rng(problem.seed).standard_normal((problem.n,) * 2))[0]
    rule = row.make(h.rho, h, backend.put)
    return run(rule, backend, ws, gs), run(rule, backend, ws @ Q.T, gs @ Q.T) @ Q


named = {row.definition: row for row in every_row.args[1]}


@few(5)
@given(problem=problems)
@pytest.mark.parametrize("row", [named[sam], named[vasso], named[friendly]], ids=str)
def test_L11_rotations(backend, row, problem):
    eps, back = rotated(problem, backend, row)
    assert unlike(back, eps) <= 1e4 * backend.u


@few(5)
@given(problem=st.builds(Problem, st.integers(0, 2**32 - 1), n=st.integers(6, 9)))
@pytest.mark.parametrize(
    "row", [named[d] for d in (asam, fisher, info, sparse, diagonals)], ids=str
)
def test_L11_rotations_change_what_depends_on_axes(backend, row, problem):
    eps, back = rotated(problem, backend, row)
    assert unlike(back, eps) > 0.1


def rescale(net, w, factors):
    """Multiply every hidden unit's inputs and bias by a factor, divide its outputs by it."""
    w = w.copy()
    (W1, b1), (W2, _) = net.layers(w)
    W1 *= factors
    b1 *= factors
    W2 /= factors[:, None]
    return w


def perturbed_losses(rule, backend, seed, factors):
    """Return the loss at ``w + eps`` before and after rescaling, and both perturbations."""
    net, rng = ms.MLP((3, 5, 4)), np.random.default_rng(seed)
    w = rng.standard_normal(net.n)
    X, y = backend.put(rng.standard_normal((8, 3))), backend.put(rng.integers(4, size=8))
    found = []
    for v in (w, rescale(net, w, factors)):
        v = backend.put(v)
        _, g = net.loss_and_grad(v, X, y)
        eps, _ = rule.perturb(v, g, rule.init(v))
        found.append((backend.get(net.loss_and_grad(v + eps, X, y)[0]), backend.get(eps)))
    (f, eps), (f_rescaled, eps_rescaled) = found
    return f, f_rescaled, rescale(net, eps, factors), eps_rescaled


@few(10)
@given(seed=st.integers(0, 2**32 - 1), ks=st.lists(st.integers(-6, 6), min_size=5, max_size=5))
def test_L13_asam_follows_a_rescaling_of_the_network(backend, seed, ks):
    factors = backend.host(2.0 ** np.array(ks))
    f, f_rescaled, moved, eps_rescaled = perturbed_losses(ms.ASAM(0.1, 0), backend, seed, factors)
    assert np.array_equal(f, f_rescaled)
    assert np.array_equal(moved, eps_rescaled)


class WeightsOnly:
    """ASAM as sometimes written: no ball around the biases."""

    def at(self, w, g):
        bias = np.zeros(44, bool)
        bias[15:20] = bias[40:] = True
        return ms.Diagonal(np.where(bias, 1, abs(w)))


@pytest.mark.parametrize(
    "rule",
    [ms.ASAM(0.1, 0.01), ms.ASAM(0.1, 0.1), ms.SAM(0.1), ms.PreSAM(0.1, constraint=WeightsOnly())],
    ids=["eta 0.01", "eta 0.1", "sam", "biases with C = 1"],
)
def test_L13_what_does_not_follow_a_rescaling(rule):
    f, f_rescaled, *_ = perturbed_losses(rule, NUMPY, 0, np.array([100, 0.01, 10, 0.1, 1]))
    assert abs(f_rescaled / f - 1) > 1e-3


# --- L15 to L18: reductions and conventions ----------------------------------------------------


@few(5)
@given(problem=problems)
@pytest.mark.parametrize(
    "row",
    [
        Row(vasso, lambda rho, h, put: ms.VaSSO(rho, theta=1)),
        Row(info, lambda rho, h, put: ms.InfoSAM(rho, h.theta, h.delta, power=0)),
        Row(sparse, lambda rho, h, put: ms.SparseSAM(rho, put(np.full(h.mask.shape, True)))),
        Row(friendly, lambda rho, h, put: ms.FriendlySAM(rho, sigma=0, lmbda=h.lmbda)),
        Row(fisher, lambda rho, h, put: ms.FisherSAM(rho, eta=0)),
        Row(
            diagonals,
            lambda rho, h, put: ms.PreSAM(rho, ms.Identity(), ms.Diagonal(put(0 * h.C + 1))),
        ),
    ],
    ids=str,
)
def test_L15_reduces_to_sam_bitwise(backend, row, problem):
    h, ws, gs = problem.on(backend)
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs)
    assert np.array_equal(eps, run(ms.SAM(h.rho), backend, ws, gs))


@few(5)
@given(problem=problems)
def test_L15_reduces_to_sam_with_another_radius(backend, problem):
    h, ws, gs = problem.on(backend)
    rng, sam_of = np.random.default_rng(problem.seed), lambda rho, g: rho * g / length(g)

    k = float(backend.host(10 ** rng.uniform(-2, 1)))
    eps = run(ms.ASAM(h.rho, h.eta), backend, k * np.sign(ws + 1e-300), gs)
    assert unlike(eps, sam_of(h.rho * (k + h.eta), gs)) <= 64 * backend.u, "|w| = k everywhere"

    eps = run(ms.FisherSAM(h.rho, h.eta), backend, ws, k * np.sign(gs))
    expected = sam_of(h.rho / np.sqrt(1 + h.eta * k**2), k * np.sign(gs))
    assert unlike(eps, expected) <= 64 * backend.u, "F = k^2 I"

    d, equal = gs[0], [gs[0]]
    for _ in range(problem.T - 1):  # every component has the same |residual|
        r = 0.7 * length(d) * rng.choice([-1, 1], gs[0].shape)
        equal.append(d + r)
        d = d + h.theta * r
    eps = run(ms.InfoSAM(h.rho, h.theta, h.delta, h.power), backend, ws, np.stack(equal))
    expected = sam_of(h.rho, backend.host(equal).astype("float64"))
    assert unlike(eps, expected) <= 64 * backend.u * np.sqrt(problem.n), "equal noise"


@few(5)
@given(problem=problems)
@pytest.mark.parametrize("row", [named[d] for d in (vasso, friendly, info, info_of_vasso)], ids=str)
def test_L15_the_first_step_is_sam(backend, row, problem):
    h, ws, gs = problem.on(backend)
    eps = run(row.make(h.rho, h, backend.put), backend, ws[:1], gs[:1])
    assert np.array_equal(eps, run(ms.SAM(h.rho), backend, ws[:1], gs[:1]))


@few(5)
@given(problem=problems)
def test_L16_friendly_with_the_updated_average(backend, problem):
    h, ws, gs = problem.on(backend)
    sigma = h.sigma * h.lmbda / (1 - h.sigma * (1 - h.lmbda))
    eps = run(ms.FriendlySAM(h.rho, sigma, h.lmbda), backend, ws, gs)
    m = gs[0]
    for t in range(1, problem.T):
        m = h.lmbda * m + (1 - h.lmbda) * gs[t]
        v = gs[t] - h.sigma * m
        small = length(v) / (length(gs[t]) + length(m))  # what cancellation leaves
        assert np.all(length(eps[t] - h.rho * v / length(v)) <= 64 * backend.u * h.rho / small)


@few(5)
@given(problem=problems)
@pytest.mark.parametrize("residual", ["before", "after"])
@pytest.mark.parametrize("debiased", [True, False])
def test_L17_info_does_not_depend_on_the_estimators_convention(
    backend, problem, residual, debiased
):
    h, ws, gs = problem.on(backend)
    eps = run(ms.InfoSAM(h.rho, h.theta, h.delta, h.power), backend, ws, gs)
    d, v = gs[0], 0 * gs[0]
    for t in range(1, problem.T):
        before = gs[t] - d
        d = (1 - h.theta) * d + h.theta * gs[t]
        r = before if residual == "before" else gs[t] - d
        v = (1 - h.theta) * v + h.theta * r**2
        s2 = v / (1 - (1 - h.theta) ** t) if debiased else v
        Dg = gs[t] / (s2 + h.delta * s2.mean(-1, keepdims=True)) ** (h.power / 2)
        assert unlike(eps[t], h.rho * Dg / length(Dg)) <= 64 * backend.u / (1 - h.theta)


@few(5)
@given(problem=problems)
def test_L18_mask(backend, problem):
    h, ws, gs = problem.on(backend)
    eps = run(ms.SparseSAM(h.rho, backend.put(h.mask)), backend, ws, gs)
    in_the_ball = ms.PreSAM(h.rho, constraint=ms.Mask(backend.put(h.mask)))
    assert np.all(eps[..., ~h.mask] == 0)
    assert np.all(np.abs(length(eps) / h.rho - 1) <= 64 * backend.u)
    assert np.array_equal(run(in_the_ball, backend, ws, gs), eps)
    after_normalization = h.mask * run(ms.SAM(h.rho), backend, ws, gs)  # loses radius
    expected = after_normalization * length(gs) / length(h.mask * gs)
    assert unlike(expected, eps) <= 64 * backend.u


# --- L20, L21, L24, L26 ------------------------------------------------------------------------


@few(5)
@given(problem=problems)
def test_L20_vasso_weighs_the_past_geometrically(backend, problem):
    h, ws, gs = problem.on(backend)
    eps = run(ms.VaSSO(h.rho, h.theta), backend, ws, gs)
    for t in range(problem.T):
        weight = [(h.theta if k else 1) * (1 - h.theta) ** (t - k) for k in range(t + 1)]
        d = np.tensordot(weight, gs[: t + 1], 1)
        small = length(d) / np.tensordot(weight, length(gs[: t + 1]), 1)
        assert np.all(length(eps[t] - h.rho * d / length(d)) <= 64 * backend.u * h.rho / small)


@few(5)
@given(problem=problems)
@every_row
def test_L21_a_zero_gradient_is_legal(backend, row, problem):
    h, ws, gs = problem.on(backend)
    rule = row.make(h.rho, h, backend.put)
    assert np.all(run(rule, backend, ws, 0 * gs) == 0)
    gs[:, 0] = 0  # one member of the population only
    eps = run(rule, backend, ws, gs)
    assert np.all(eps[:, 0] == 0)
    assert np.all(length(eps[:, 1:]) > 0)


def test_L21_nothing_may_move(backend):
    w, g = backend.put(np.zeros(3)), backend.put(np.array([1.0, -2.0, 3.0]))
    nothing = backend.put(np.full(3, False))
    for rule in (ms.ASAM(0.5, 0), ms.SparseSAM(0.5, nothing)):
        eps, _ = rule.perturb(w, g, rule.init(w))
        assert np.all(backend.get(eps) == 0)


@few(5)
@given(problem=problems, delta=st.sampled_from([0.0, 0.5]))
def test_L21_a_dead_coordinate(backend, problem, delta):
    h, ws, gs = problem.on(backend)
    rule, dead = ms.InfoSAM(h.rho, h.theta, delta, h.power), np.zeros((*gs.shape[:-1], 1))
    eps = run(rule, backend, ws, gs)
    padded = run(rule, backend, np.concatenate([ws, dead], -1), np.concatenate([gs, dead], -1))
    assert np.all(padded[..., -1] == 0)
    assert unlike(padded[..., :-1], eps) <= 64 * backend.u


@few(5)
@given(problem=problems)
@every_row
def test_L24_single_precision_agrees_with_double(row, problem):
    h, ws, gs = problem.on(NUMPY32)
    single, double = (run(row.make(h.rho, h, b.put), b, ws, gs) for b in (NUMPY32, NUMPY))
    assert single.dtype == "float32"
    assert unlike(single, double) <= 1e-5


@few(10)
@given(problem=problems)
def test_L26_info_by_its_definition(backend, problem):
    h, ws, gs = problem.on(backend)
    eps = run(ms.InfoSAM(h.rho, h.theta, h.delta, h.power), backend, ws, gs)
    d, v, D = gs[0], 0 * gs[0], 1
    for t in range(problem.T):
        if t > 0:
            r = gs[t] - d
            d, v = d + h.theta * r, (1 - h.theta) * (v + h.theta * r**2)
            D = (v + h.delta * v.mean(-1, keepdims=True)) ** (-h.power / 2)
        assert unlike(eps[t], h.rho * D * gs[t] / length(D * gs[t])) <= 64 * backend.u
