"""Sharpness measures against dense eigensolvers, closed forms and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisam.backend import namespace
from minisam.lab.sharpness import (
    adaptive_sharpness,
    dense_hessian,
    m_sharpness,
    top_eigenvalues,
    trace,
    worst_case,
)
from minisam.mlp import MLP

seeds = st.integers(0, 2**32)


def net_and_hvp(activation, loss, seed=0, sizes=(3, 5, 3)):
    net, rng = MLP(sizes, activation, loss), np.random.default_rng(seed)
    X = rng.standard_normal((9, sizes[0]))
    y = rng.integers(0, 3, 9) if loss == "softmax" else rng.standard_normal((9, 3))
    w = rng.standard_normal(net.n)
    return net, w, X, y, lambda v: net.hvp(w, X, y, v)


def quadratic(A, b=0.0):
    """f(x) = 1/2 x^T A x + b^T x: w -> (loss, g)."""
    return lambda x: (x @ A @ x / 2 + np.sum(b * x), A @ x + b)


def spd(rng, n):
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return Q @ np.diag(rng.uniform(0.1, 3, n)) @ Q.T


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
@pytest.mark.parametrize("loss", ["softmax", "mse"])
@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
def test_lanczos_finds_the_eigenvalues_of_the_dense_hessian(activation, loss, which):
    _, w, _, _, hvp = net_and_hvp(activation, loss)
    values = np.linalg.eigh(dense_hessian(hvp, w))[0]
    order = {"LA": -values, "SA": values, "LM": -abs(values)}[which]
    expected = values[np.argsort(order)][:4]
    np.testing.assert_allclose(top_eigenvalues(hvp, w, 4, which, tol=1e-9), expected, atol=1e-8)


@given(seeds, st.integers(1, 6), st.data())
def test_all_k_up_to_the_full_spectrum(seed, n, data):
    k, which = data.draw(st.integers(1, n)), data.draw(st.sampled_from(["LA", "SA", "LM"]))
    rng = np.random.default_rng(seed)
    lam = np.sort(rng.permutation(n) + rng.uniform(0.1, 0.4, n) - 2)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = Q @ np.diag(lam) @ Q.T
    order = {"LA": -lam, "SA": lam, "LM": -abs(lam)}[which]
    found = top_eigenvalues(lambda v: v @ H, np.zeros(n), k, which, tol=1e-10)
    np.testing.assert_allclose(found, lam[np.argsort(order)][:k], atol=1e-8)


def test_trace_is_exact_for_a_diagonal_and_unbiased_otherwise():
    d = np.array([3.0, -1.0, 0.5])
    np.testing.assert_allclose(trace(lambda v: d * v, d, 2), (1 + 1.5, 0), atol=1e-14)
    # the standard error against the variance that the docstring states, 2 sum_{i != j} H_ij^2
    _, w, _, _, hvp = net_and_hvp("tanh", "softmax")
    H = dense_hessian(hvp, w)
    estimate, error = trace(hvp, w, 2000)
    off = H - np.diag(np.diag(H))
    np.testing.assert_allclose(error, np.sqrt(2 * np.sum(off**2) / 2000), rtol=0.15)
    assert abs(estimate - np.trace(H)) < 5 * error


@given(seeds, st.integers(1, 5), st.floats(0, 2))
def test_one_step_is_sams_perturbation(seed, n, rho):
    rng = np.random.default_rng(seed)
    A, b, x = spd(rng, n), rng.standard_normal(n), rng.standard_normal(n)
    f = quadratic(A, b)
    g = f(x)[1]
    expected = f(x + rho * g / np.linalg.norm(g))[0] - f(x)[0]
    np.testing.assert_allclose(worst_case(f, x, rho), expected, atol=1e-12)


@given(seeds, st.integers(2, 5), st.floats(0.01, 2), st.sampled_from([None, "magnitude"]))
def test_many_steps_solve_the_trust_region_problem(seed, n, rho, constraint):
    """max over the ball of a quadratic, by its secular equation: in z = C^-1 eps the maximiser is
    z = (nu - B)^-1 h with ||z|| = rho, nu >= lam_max(B), B = C A C, h = C g."""
    from scipy.optimize import brentq

    rng = np.random.default_rng(seed)
    A, b, x = spd(rng, n), rng.standard_normal(n), rng.standard_normal(n)
    f = quadratic(A, b)
    C = np.abs(x) + 0.1 if constraint else np.ones(n)
    B, h = C[:, None] * A * C, C * f(x)[1]
    lam, Q = np.linalg.eigh(B)
    size = lambda nu: np.linalg.norm((Q.T @ h) / (nu - lam)) - rho
    nu = brentq(size, lam[-1] + 1e-9, lam[-1] + np.linalg.norm(h) / rho + 1, xtol=1e-14)
    z = Q @ ((Q.T @ h) / (nu - lam))
    expected = f(x + C * z)[0] - f(x)[0]
    few, many = (worst_case(f, x, rho, steps, C) for steps in (1, 300))
    assert few <= many <= expected * (1 + 1e-9)
    np.testing.assert_allclose(many, expected, rtol=1e-4)


def test_more_steps_never_report_less():
    net, w, X, y, _ = net_and_hvp("tanh", "softmax")
    grad = lambda w: net.loss_and_grad(w, X, y)
    found = [worst_case(grad, w, 3.0, steps) for steps in range(1, 12)]
    assert np.all(np.diff(found) >= 0) and found[-1] > found[0]


def test_the_points_visited_are_those_of_projected_ascent_and_the_highest_counts():
    asked, losses = [], []

    def grad(w):
        asked.append(w)
        losses.append(np.sum(np.sin(3 * w)))
        return losses[-1], 3 * np.cos(3 * w)

    w, C, rho, z = np.array([1.0, -2.0, 0.3]), np.array([1.0, 0.5, 2.0]), 0.7, np.zeros(3)
    found = worst_case(grad, w, rho, 20, C)
    assert len(asked) == 21
    for point in asked:
        np.testing.assert_allclose(point, w + rho * C * z, atol=1e-9)
        z = z + C * np.cos(3 * point) / np.linalg.norm(C * np.cos(3 * point))
        z = z / max(1, np.linalg.norm(z))
    assert found == max(losses[1:]) - losses[0] > losses[-1] - losses[0]


def test_a_zero_gradient_or_radius_is_legal():
    f = quadratic(np.eye(2))
    assert worst_case(f, np.zeros(2), 1.0, 3) == 0
    assert worst_case(f, np.ones(2), 0.0, 3) == 0


@given(seeds, st.sampled_from([0.25, 2.0, 8.0]), st.integers(1, 3))
def test_adaptive_sharpness_is_blind_to_rescaling_and_sharpness_is_not(seed, scale, steps):
    net, w, X, y, _ = net_and_hvp("relu", "softmax", seed)
    grad = lambda w: net.loss_and_grad(w, X, y)
    T = np.ones(net.n)
    (W1, b1), (W2, _) = net.layers(T)
    W1[...] = b1[...] = scale  # a relu unit: weights in by scale, weights out by 1 / scale
    W2[...] = 1 / scale
    before, after = (adaptive_sharpness(grad, u, 0.1, 0.0, steps) for u in (w, T * w))
    np.testing.assert_allclose(before, after, rtol=1e-10)
    assert abs(worst_case(grad, w, 0.1) - worst_case(grad, T * w, 0.1)) > 1e-3 * before


def test_m_sharpness_weighs_shards_by_size():
    net, w, X, y, _ = net_and_hvp("tanh", "mse")
    shard = lambda s: worst_case(lambda u: net.loss_and_grad(u, X[s], y[s]), w, 0.2)
    expected = (4 * shard(slice(0, 4)) + 4 * shard(slice(4, 8)) + shard(slice(8, 9))) / 9
    np.testing.assert_allclose(m_sharpness(net.loss_and_grad, w, X, y, 0.2, 4), expected)
    whole = worst_case(lambda u: net.loss_and_grad(u, X, y), w, 0.2)
    np.testing.assert_allclose(m_sharpness(net.loss_and_grad, w, X, y, 0.2, 9), whole)


@given(seeds, st.integers(1, 3))
def test_m_1_on_linear_least_squares_has_a_closed_form(seed, n):
    """One example: max 1/2 (|r| + rho ||a||)^2, a rise of |r| rho ||a|| + (rho ||a||)^2 / 2."""
    rng = np.random.default_rng(seed)
    a, b, x = rng.standard_normal((6, n)), rng.standard_normal(6), rng.standard_normal(n)

    def loss_and_grad(w, X, y):
        r = X @ w - y
        return np.mean(r * r) / 2, X.T @ r / len(y)

    size, r = np.linalg.norm(a, axis=1), np.abs(a @ x - b)
    expected = np.mean(r * 0.3 * size + (0.3 * size) ** 2 / 2)
    np.testing.assert_allclose(m_sharpness(loss_and_grad, x, a, b, 0.3, 1), expected, rtol=1e-12)
    assert expected >= m_sharpness(loss_and_grad, x, a, b, 0.3, 6, steps=50) - 1e-12


def test_a_population_is_its_members():
    net, rng = MLP((3, 4, 2), "tanh"), np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3)), rng.integers(0, 2, 8)
    W = rng.standard_normal((5, net.n))
    grad = lambda w: net.loss_and_grad(w, X, y)
    for measure in (
        lambda w: worst_case(grad, w, 0.3, 4),
        lambda w: adaptive_sharpness(grad, w, 0.3, steps=2),
        lambda w: m_sharpness(net.loss_and_grad, w, X, y, 0.3, 3, steps=2),
    ):
        np.testing.assert_allclose(measure(W), [measure(w) for w in W], rtol=1e-12)


def test_every_backend_measures_the_same(backend):
    net, w, X, y, hvp = net_and_hvp("tanh", "softmax")
    u, U, v = map(backend.put, (w, X, y))
    close = lambda a, b: np.testing.assert_allclose(a, b, atol=1e4 * backend.u)
    hvp_there = lambda d: net.hvp(u, U, v, d)
    close(top_eigenvalues(hvp_there, u, 2), top_eigenvalues(hvp, w, 2))
    close(trace(hvp_there, u, 10), trace(hvp, w, 10))
    close(dense_hessian(hvp_there, u), dense_hessian(hvp, w))
    grad, grad_there = lambda w: net.loss_and_grad(w, X, y), lambda w: net.loss_and_grad(w, U, v)
    xp = namespace(u)
    for here, there in (
        (worst_case(grad, w, 0.3, 3), worst_case(grad_there, u, 0.3, 3)),
        (adaptive_sharpness(grad, w, 0.3), adaptive_sharpness(grad_there, u, 0.3)),
        (
            m_sharpness(net.loss_and_grad, w, X, y, 0.3, 4, 2),
            m_sharpness(net.loss_and_grad, u, U, v, 0.3, 4, 2),
        ),
    ):
        close(backend.get(xp.asarray(there)), here)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda f, w: top_eigenvalues(f, w, 4), "k must be 1 to 3"),
        (lambda f, w: top_eigenvalues(f, w, 0), "k must be 1 to 3"),
        (lambda f, w: top_eigenvalues(f, w, 1, "up"), "which must be one of LA, SA, LM"),
        (lambda f, w: trace(f, w, 1), "samples must be at least 2"),
        (lambda f, w: worst_case(f, w, -0.1), "rho must be"),
        (lambda f, w: worst_case(f, w, float("nan")), "rho must be"),
        (lambda f, w: worst_case(f, w, float("inf")), "rho must be"),
        (lambda f, w: worst_case(f, w, 0.1, 0), "steps must be at least 1"),
        (lambda f, w: worst_case(f, w, 0.1, 1, np.ones(4)), "constraint must have shape"),
        (lambda f, w: adaptive_sharpness(f, w, 0.1, -1.0), "eta must be"),
        (lambda f, w: top_eigenvalues(f, w[None]), r"w must be one vector.*got shape \(1, 3\)"),
        (lambda f, w: trace(f, w[None]), "w must be one vector"),
        (lambda f, w: dense_hessian(f, w[None]), "w must be one vector"),
        (lambda f, w: m_sharpness(f, w, w[:, None], w, 0.1, 4), "m must be 1 to 3"),
    ],
)
def test_a_wrong_argument_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call(lambda v: v, np.ones(3))
