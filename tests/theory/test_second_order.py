"""P9: the ascent to second order, and which fields are gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisam.preconditioners import Dense
from minisam.theory.noisy import GemanMcClure
from minisam.theory.problems import Quadratic, SineBowl
from minisam.theory.second_order import (
    ascent,
    asymmetry,
    flow,
    jacobian,
    measure_ascent,
    measure_ascent_order,
    measure_flow_order,
    measure_penalty,
    penalised_gradient,
)

from .broken import broken
from .test_problems import central

seeds = st.integers(0, 2**32 - 1)


def draw(seed, count=200, n=3):
    rng = np.random.default_rng(seed)
    C, D, M = rng.standard_normal((3, count, n, n))
    A = M @ np.swapaxes(M, -1, -2) + 0.1 * np.eye(n)
    return A, C, D, rng.standard_normal((count, n))


def orders(seed, bug=None):
    _, C, D, x = draw(seed)
    rng = np.random.default_rng(seed)
    loss = GemanMcClure(rng.standard_normal((200, 8, 3)), rng.standard_normal((200, 8)))
    C, D = 0.3 * C, np.eye(3) + 0.3 * D
    opt = bug and broken(bug, Dense(D), Dense(C))
    for problem in SineBowl(), loss:
        order = measure_ascent_order(problem, x, 0.02, C, D, opt)
        assert order.measured == pytest.approx(order.predicted, abs=0.1)


@settings(max_examples=10)
@given(seed=seeds)
def test_order_of_the_ascent(seed):
    orders(seed)


@pytest.mark.parametrize(
    "bug",
    ["C instead of C^2", "norm without C", "norm without D", "D forgotten", "descent",
     "squared norm", "twice the radius"],
)  # fmt: skip
def test_bugs_miss_the_order(bug):
    with pytest.raises(AssertionError):
        orders(0, bug)


@given(seed=seeds)
def test_remainder_is_below_the_third_derivative(seed):
    """|f'''| <= 12 on the sine bowl, so |remainder| <= 2 sum |eps_i|^3 <= 2 rho^3."""
    _, _, D, x = draw(seed)
    eye = np.broadcast_to(np.eye(3), D.shape)
    c = measure_ascent(SineBowl(), x, 0.1, eye, D)
    assert np.all(np.abs(c.measured - c.predicted) <= 2 * 0.1**3)


@given(seed=seeds)
def test_sam_in_closed_form_and_the_most_that_d_can_get(seed):
    A, C, D, x = draw(seed)
    problem, eye = Quadratic(A), np.broadcast_to(np.eye(3), A.shape)
    g = problem.grad(x)
    length = np.linalg.norm(g, axis=-1)
    curvature = np.einsum("ki,kij,kj->k", g, A, g)
    expected = 0.1 * length + 0.01 * curvature / (2 * length**2)
    np.testing.assert_allclose(ascent(problem, x, 0.1, eye, eye), expected)
    seen = measure_ascent(problem, x, 0.1, C, D)  # exact on a quadratic
    np.testing.assert_allclose(seen.measured, seen.predicted, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(ascent(Quadratic(0 * A), x, 0.1, C, D), 0)  # eps = 0
    most = 0.1 * np.linalg.norm(np.einsum("kji,kj->ki", C, g), axis=-1)
    small = 1e-6  # the first-order term alone
    assert np.all(ascent(problem, x, small, C, D) <= most * 10 * small * (1 + 1e-3))
    parallel = ascent(problem, x, small, C, 2.5 * eye)
    np.testing.assert_allclose(parallel, most * 10 * small, rtol=1e-3)


def penalties(seed, bug=None):
    A, C, _, x = draw(seed)
    c = measure_penalty(A, x, 0.3, C, bug and broken(bug, C=Dense(C)))
    np.testing.assert_allclose(c.measured, c.predicted, rtol=1e-9, atol=1e-9)


@given(seed=seeds)
def test_c_is_a_penalty(seed):
    penalties(seed)


@pytest.mark.parametrize(
    "bug", ["C instead of C^2", "norm without C", "descent", "squared norm", "step at w + eps"]
)
def test_bugs_are_not(bug):
    with pytest.raises(AssertionError):
        penalties(0, bug)


@settings(max_examples=10)
@given(seed=seeds)
def test_penalised_gradient_and_jacobian_are_derivatives(seed):
    A, C, D, x = draw(seed, count=20)
    problem = Quadratic(A)
    penalised = lambda y: (
        problem.loss(y) + 0.3 * np.linalg.norm(np.einsum("kji,kj->ki", C, problem.grad(y)), axis=-1)
    )
    g = penalised_gradient(problem, x, 0.3, C)
    np.testing.assert_allclose(g, central(penalised, x), rtol=1e-5, atol=1e-5)

    def h(y):  # what preSAM uses, by an einsum of its own
        u = np.einsum("kji,kjl,klm,km->ki", C, D, A, y)
        eps = 0.3 * np.einsum("kij,kj->ki", C, u) / np.linalg.norm(u, axis=-1, keepdims=True)
        return np.einsum("kij,kj->ki", A, y + eps)

    J = jacobian(A, x, 0.3, C, D)
    scale = np.max(np.abs(J), axis=(-2, -1), keepdims=True)
    np.testing.assert_allclose(J / scale, central(h, x) / scale, atol=1e-4)


@given(seed=seeds)
def test_d_follows_no_gradient(seed):
    A, C, D, x = draw(seed)
    eye = np.broadcast_to(np.eye(3), A.shape)
    assert np.max(asymmetry(jacobian(A, x, 0.3, C, eye))) < 1e-12
    skew = asymmetry(jacobian(A, x, 0.3, C, D))
    assert np.median(skew) > 0.02 and np.max(skew) > 0.5


def flows(bug=None):
    x = np.random.default_rng(0).uniform(0.6, 1.4, (50, 3))
    kwargs = {"opt": broken(bug)} if bug else {}
    order = measure_flow_order(SineBowl(), x, **kwargs)
    assert order.measured == pytest.approx(order.predicted, abs=0.1)


def test_flows_part_at_second_order():
    flows()


def test_flow_of_a_quadratic_is_the_exponential():
    lam, x = np.array([1.0, 3.0]), np.array([[2.0, 1.0], [-1.0, 0.5]])
    np.testing.assert_allclose(flow(lambda y: lam * y, x, 0.7), x * np.exp(-0.7 * lam), rtol=1e-9)


@pytest.mark.parametrize("bug", ["descent", "squared norm", "twice the radius", "gradient at w"])
def test_bugs_part_sooner(bug):
    with pytest.raises(AssertionError):
        flows(bug)
