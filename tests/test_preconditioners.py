"""Preconditioners: dense and fixed operators, composition (L8), the estimators' states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from tests.rows import Problem, few, length, problems, run, unlike

seeds = st.integers(0, 2**32 - 1)


def dense(seed, n, S=None):
    """Well-conditioned matrices without any symmetry."""
    lead = () if S is None else (S,)
    A = np.random.default_rng(seed).standard_normal((*lead, n, n))
    return A / np.sqrt(n) + 2 * np.eye(n)


def apply(M, u):
    return (M @ u[..., None])[..., 0]


@few(5)
@given(problem=problems)
@pytest.mark.parametrize("population", [False, True])
def test_L1_L2_dense_matrices(backend, population, problem):
    """eps = rho C C^T D g / ||C^T D g||, for matrices that do not commute."""
    h, ws, gs = problem.on(backend)
    S = problem.S if population else None
    C, D = dense(problem.seed, problem.n, S), dense(problem.seed + 1, problem.n, S)
    C, D = backend.host(C).astype("float64"), backend.host(D).astype("float64")
    rule = ms.PreSAM(h.rho, ms.Dense(backend.put(D)), ms.Dense(backend.put(C)))
    CT = np.swapaxes(C, -1, -2)
    for e, g in zip(run(rule, backend, ws, gs), gs, strict=True):
        v = apply(CT, apply(D, g))
        tolerance = 1e3 * backend.u * np.linalg.cond(C).max() * np.linalg.cond(D).max()
        assert unlike(e, h.rho * apply(C, v) / length(v)) <= tolerance
        inside = length(apply(np.linalg.inv(C), e.astype("float64")))
        assert np.abs(inside / h.rho - 1).max() <= tolerance


@few(5)
@given(problem=problems)
def test_dense_is_diagonal_where_it_is_diagonal(backend, problem):
    h, ws, gs = problem.on(backend)
    matrix = lambda d: ms.Dense(backend.put(np.diag(d)))
    diagonal = lambda d: ms.Diagonal(backend.put(d))
    full = run(ms.PreSAM(h.rho, matrix(h.D), matrix(h.C)), backend, ws, gs)
    assert unlike(full, run(ms.PreSAM(h.rho, diagonal(h.D), diagonal(h.C)), backend, ws, gs)) <= (
        64 * backend.u
    )


def test_dense_transposes(backend):
    M = np.array([[1.0, 2.0], [0.0, 3.0]])
    u = backend.put(np.array([1.0, 10.0]))
    assert np.array_equal(backend.get(ms.Dense(backend.put(M)) @ u), [21, 30])
    assert np.array_equal(backend.get(ms.Dense(backend.put(M)).T @ u), [1, 32])
    assert np.array_equal(backend.get(ms.Diagonal(u).T @ u), [1, 100])


def test_a_number_for_every_member_is_a_diagonal(backend):
    u = backend.put(np.array([[1.0, 2.0], [3.0, 4.0]]))
    C = ms.Diagonal(backend.put(np.array([[2.0], [0.5]])))
    assert np.array_equal(backend.get(C @ u), [[2, 4], [1.5, 2]])


@few(5)
@given(problem=problems)
def test_L8_objectives_compose(backend, problem):
    """D2 after D1 is D2 D1; matrices show the order."""
    h, ws, gs = problem.on(backend)
    D1, D2 = (backend.host(dense(problem.seed + i, problem.n)) for i in (0, 1))
    composed = ms.Composed(ms.Dense(backend.put(D2)), ms.Dense(backend.put(D1)))
    product = ms.Dense(backend.put(D2.astype("float64") @ D1))
    eps, expected = (run(ms.PreSAM(h.rho, D), backend, ws, gs) for D in (composed, product))
    assert unlike(eps, expected) <= 1e4 * backend.u


@few(5)
@given(problem=problems)
def test_L8_a_constraint_is_sam_in_other_coordinates(backend, problem):
    """With x = C z: eps_x = C eps_z, g_z = C^T g."""
    h, ws, gs = problem.on(backend)
    C = backend.host(dense(problem.seed, problem.n)).astype("float64")
    eps = run(ms.PreSAM(h.rho, constraint=ms.Dense(backend.put(C))), backend, ws, gs)
    in_z = run(ms.SAM(h.rho), backend, ws, apply(C.T, gs))
    assert unlike(eps, apply(C, in_z)) <= 1e3 * backend.u * np.linalg.cond(C)


@few(5)
@given(problem=problems)
def test_L7_constraint_and_objective_differ_in_radius_only(backend, problem):
    h, ws, gs = problem.on(backend)
    C, CC = backend.put(h.C), backend.put(h.C**2)
    of_C = run(ms.PreSAM(h.rho, constraint=ms.Diagonal(C)), backend, ws, gs)
    of_D = run(ms.PreSAM(h.rho, ms.Diagonal(CC)), backend, ws, gs)
    effective = length(h.C**2 * gs) / length(h.C * gs)
    assert unlike(of_D * effective, of_C) <= 64 * backend.u


def test_the_parts_of_a_composition_learn_from_the_raw_gradient(backend):
    """The noise weights do not see the average they act on."""
    problem = Problem(seed=1, n=5)
    h, ws, gs = problem.on(backend)
    both = ms.Composed(ms.NoiseWeights(h.theta, h.delta, 2), ms.Averaged(0.3))
    w, g = backend.put(ws[0]), [backend.put(x) for x in gs]
    state, weights, average = both.init(w), None, None
    for x in g:
        found, state = both.weigh(w, x, x, state)
        d, average = ms.Averaged(0.3).weigh(w, x, x, average)
        expected, weights = ms.NoiseWeights(h.theta, h.delta, 2).weigh(w, x, d, weights)
        assert np.array_equal(backend.get(found), backend.get(expected))
    assert np.array_equal(backend.get(state[0].v), backend.get(weights.v))
    assert np.array_equal(backend.get(state[1]), backend.get(average))


def test_the_parts_of_a_composition_see_weights_and_gradient():
    class Probe:
        def __init__(self, factor):
            self.factor, self.seen = factor, []

        def init(self, w):
            return self.factor * w[0]

        def weigh(self, w, g, v, state):
            self.seen = [w, g, v, state]
            return self.factor * v, state + 1

    outer, inner = Probe(2), Probe(3)
    w, g, v = np.array([1.0]), np.array([10.0]), np.array([100.0])
    both = ms.Composed(outer, inner)
    assert both.init(w) == (2, 3)
    assert both.weigh(w, g, v, (20, 30)) == (600, (21, 31))
    assert inner.seen == [1, 10, 100, 30]
    assert outer.seen == [1, 10, 300, 20]


@few(5)
@given(problem=problems)
def test_the_noise_is_an_exponentially_weighted_variance(backend, problem):
    h, ws, gs = problem.on(backend)
    D, state = ms.NoiseWeights(h.theta, h.delta, h.power), None
    for t, g in enumerate(gs):
        _, state = D.weigh(backend.put(ws[t]), backend.put(g), backend.put(g), state)
        k = np.arange(t + 1)
        weight = (np.where(k == 0, 1, h.theta) * (1 - h.theta) ** (t - k))[:, None, None]
        d = (weight * gs[: t + 1]).sum(0)
        v = (weight * (gs[: t + 1] - d) ** 2).sum(0)
        scale = np.abs(gs[: t + 1]).max()
        assert np.abs(backend.get(state.d) - d).max() <= 64 * backend.u * scale
        assert np.abs(backend.get(state.v) - v).max() <= 64 * backend.u * scale**2


def test_noiseless_components(backend):
    """With delta = 0 one without noise counts as one of average noise; D = I where none has."""
    still, loud = np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 3.0])
    rule = ms.InfoSAM(1.0, theta=0.5, delta=0.0, power=2.0)
    eps = run(rule, backend, np.zeros((2, 2, 3)), np.stack([[still, still], [still, loud]]))[1]
    assert unlike(eps[0], still / length(still)) <= 4 * backend.u
    assert unlike(eps[1], loud / length(loud)) <= 4 * backend.u  # v / mean v = 1 on the only one


@few(5)
@given(problem=problems)
def test_without_any_noise_info_is_sam_bitwise(backend, problem):
    h, ws, gs = problem.on(backend)
    constant = np.stack(3 * [gs[0]])
    eps = run(ms.InfoSAM(h.rho, h.theta, h.delta, h.power), backend, ws, constant)
    assert np.array_equal(eps, run(ms.SAM(h.rho), backend, ws, constant))


@pytest.mark.parametrize("power", [1, 2, 3])
@pytest.mark.parametrize("delta", [0, 1])
def test_noise_weights_by_hand(backend, delta, power):
    """v = (1/4, 9/4) at theta = 1/2 after residuals 1 and 3; mean 5/4; power 2 is Wiener's."""
    gs = np.array([[0.0, 0.0], [1.0, 3.0]])
    eps = run(ms.InfoSAM(1.0, 0.5, delta, power), backend, np.zeros((2, 2)), gs)[1]
    Dg = gs[1] / (np.array([1 / 4, 9 / 4]) + delta * 5 / 4) ** (power / 2)
    assert unlike(eps, Dg / length(Dg)) <= 8 * backend.u


def test_fisher_neither_overflows_nor_underflows(backend):
    """C = 1 / sqrt(1 + eta g^2) without g^2: a component of 1e30 leaves the others their share."""
    g = np.array([1e30, 1.0, 1e-30])
    C = ms.Fisher(1.0).at(backend.put(g), backend.put(g))
    found = backend.get(C @ backend.put(np.ones(3)))
    assert np.abs(found / [1e-30, 0.5**0.5, 1] - 1).max() <= 8 * backend.u


def test_masks_of_numbers_are_masks(backend):
    u = backend.put(np.array([1.0, 2.0, 3.0]))
    for mask in (np.array([1, 0, 1]), np.array([True, False, True]), np.array([1.0, 0.0, 1.0])):
        assert np.array_equal(backend.get(ms.Mask(backend.put(mask)) @ u), [1, 0, 3])


def test_state_is_none_before_the_first_gradient(backend):
    w = backend.put(np.ones(2))
    for D in (ms.Identity(), ms.Averaged(0.1), ms.Friendly(1, 0.9), ms.NoiseWeights(0.1, 1, 2)):
        assert D.init(w) is None
    assert ms.Composed(ms.Averaged(0.1), ms.Identity()).init(w) == (None, None)


def test_an_operator_without_a_product_is_told_so():
    from minisam.preconditioners import Fixed

    with pytest.raises(NotImplementedError):
        Fixed().weigh(np.ones(1), np.ones(1), np.ones(1), None)
