"""FedSAM: one client is SAM, and where the server settles."""

from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.theory import Quadratic, federated
from minisam.theory.federated import (
    bounces,
    clients,
    fedavg_point,
    fedsam_minimum,
    fedsam_point,
    first_shift,
    gradient,
    measure_bouncing,
    measure_federated,
    minimum,
    run,
    server_round,
)
from minisam.theory.two_cycle import cycle_amplitude

from .broken import RULES, Rule, broken

seeds = st.integers(0, 2**32 - 1)


def sam(rho, lr):
    return ms.SharpnessAware(ms.SAM(rho), ms.SGD(lr))


@given(seeds)
def test_one_client_and_one_step_is_sam(seed):
    A, b = clients(1, 4, seed)
    opt = sam(0.3, 0.4)
    x = np.random.default_rng(seed).standard_normal((3, 4))  # three servers
    problem = Quadratic(A, b)
    ours = run(opt, x, problem, rounds=5, steps=1)
    alone, state = x, opt.init(x)
    for t in range(5):
        assert np.array_equal(ours[t], alone)
        alone, state, _ = opt.step(alone, Quadratic(A[0], b[0]).loss_and_grad, state)


@given(seeds, st.integers(1, 4))
def test_equal_clients_are_sam_seen_now_and_then(seed, steps):
    A, b = clients(1, 3, seed)
    A, b = np.repeat(A, 5, 0), np.repeat(b, 5, 0)
    x, opt = np.ones(3), sam(0.1, 0.4)
    server = run(opt, x, Quadratic(A, b), rounds=10, steps=steps)
    alone = run(opt, x, Quadratic(A[:1], b[:1]), rounds=10 * steps, steps=1)
    np.testing.assert_allclose(server, alone[::steps], rtol=1e-10, atol=1e-12)


def test_round_against_a_loop():
    A, b = clients(3, 4, seed=1)
    rho, lr, x = 0.2, 0.3, np.arange(4.0)
    ends = []
    for k in range(3):
        w = x.copy()
        for _ in range(5):
            g = A[k] @ (w - b[k])
            w = w - lr * A[k] @ (w + rho * g / np.linalg.norm(g) - b[k])
        ends.append(w)
    found = server_round(sam(rho, lr), x, repeat(Quadratic(A, b).loss_and_grad, 5), 3)
    np.testing.assert_allclose(found, np.mean(ends, 0), rtol=1e-12)


def client_losses(A, b, rho, x):
    problem = Quadratic(A, b)
    return np.mean(problem.loss(x) + rho * np.linalg.norm(problem.grad(x), axis=-1))


@given(seeds)
def test_local_step_is_gradient_descent_on_the_penalised_loss(seed):
    A, b = clients(4, 3, seed)
    x, rho = 3 * np.random.default_rng(seed).standard_normal(3), 0.2
    h, H = (u.mean(0) for u in gradient(A, b, rho, x))
    moved = server_round(sam(rho, 0.1), x, [Quadratic(A, b).loss_and_grad], 4)
    np.testing.assert_allclose(moved, x - 0.1 * h, rtol=1e-10)
    at = lambda dx: client_losses(A, b, rho, x + dx)
    fd = [(at(e) - at(-e)) / 2e-5 for e in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(h, fd, rtol=1e-5, atol=1e-7)
    slope = lambda dx: gradient(A, b, rho, x + dx)[0].mean(0)
    fd = [(slope(e) - slope(-e)) / 2e-5 for e in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(H, fd, rtol=1e-4, atol=1e-6)


def settles(opt, A, b, rho, rounds=400):
    """One local step ends in the minimum of the mean of F_k; rho = 0, many steps, in FedAvg's."""
    best = fedsam_minimum(A, b, rho)
    np.testing.assert_allclose(gradient(A, b, rho, best)[0].mean(0), 0, atol=1e-12)
    end = run(opt, np.zeros(b.shape[-1]), Quadratic(A, b), rounds, 1)[-1]
    np.testing.assert_allclose(end, best, atol=1e-8)


@settings(max_examples=10)
@given(seeds)
def test_fedsam_with_one_local_step(seed):
    settles(sam(0.1, 0.3), *clients(8, 4, seed, spread=3.0), 0.1)


def fixed(rule, lr, rho):
    class Step:
        init = rule.init
        step = lambda self, w, grad, state, *_: rule.step(w, grad, state, lr, rho)

    return Step()


@pytest.mark.parametrize(
    "bug", ["squared norm", "not normalized", "descent", "twice the radius", "gradient at w",
            "step at w + eps"],
)  # fmt: skip
def test_bugs_are_seen(bug):
    A, b = clients(8, 4, 0, spread=3.0)
    settles(sam(0.1, 0.3), A, b, 0.1)
    with pytest.raises(AssertionError):
        settles(fixed(broken(bug), 0.3, 0.1), A, b, 0.1)


@settings(max_examples=10)
@given(seeds, st.integers(1, 10))
def test_fedavg_point(seed, steps):
    A, b = clients(5, 3, seed)
    end = run(sam(0.0, 0.3), np.zeros(3), Quadratic(A, b), 300, steps)[-1]
    np.testing.assert_allclose(end, fedavg_point(A, b, 0.3, steps), atol=1e-10)
    if steps == 1:
        best = np.linalg.solve(A.sum(0), np.einsum("kij,kj->i", A, b))
        np.testing.assert_allclose(end, best, atol=1e-10)
        np.testing.assert_allclose(minimum(A, b), best, atol=1e-10)


def orders(lr, opt=sam):
    """Error of `fedsam_point` at lr and lr / 2: 4 apart if it is right to O(lr^2)."""
    A, b = clients(8, 4, 0)
    rho, steps, error = 0.2, 4, []
    for h, rounds in ((lr, 300), (lr / 2, 600)):
        end = run(opt(rho, h), fedsam_point(A, b, rho, h, steps), Quadratic(A, b), rounds, steps)
        error.append(np.linalg.norm(end[-1] - fedsam_point(A, b, rho, h, steps)))
    return np.log2(error[0] / error[1])


def test_several_local_steps_are_right_to_second_order():
    assert orders(0.03) == pytest.approx(2, abs=0.1)
    wrong = lambda rho, lr: sam(1.1 * rho, lr)
    assert abs(orders(0.03, wrong) - 2) > 0.5
    descent = ms.SharpnessAware(Rule(RULES["descent"], ms.Identity(), ms.Identity()), ms.SGD(0.0))
    assert abs(orders(0.03, lambda rho, lr: fixed(descent, lr, rho)) - 2) > 0.5


@given(seeds)
def test_first_shift(seed):
    A, b = clients(6, 3, seed, spread=3.0)
    best = minimum(A, b)
    for rho in (1e-3, 1e-4):
        shift = fedsam_minimum(A, b, rho) - best
        size = np.linalg.norm(shift)
        np.testing.assert_allclose(shift, first_shift(A, b, rho), atol=20 * rho * size + 1e-13)


@settings(max_examples=10)
@given(st.floats(0.1, 1.8), st.floats(0.01, 1), st.floats(0.2, 2))
def test_two_clients_bounce_iff_closer_than_the_cycle(lr_lam, rho, lam):
    _, row = measure_bouncing(lr_lam / lam, rho, lam, points=10, rounds=400)
    np.testing.assert_allclose(row.measured, row.predicted, atol=1e-9 * rho)
    assert np.sum(row.predicted > 0) == 5


def test_bouncing_sees_bugs(monkeypatch):
    for bug in (lambda rho: ms.SAM(1.5 * rho), lambda rho: ms.SAM(0.0)):
        monkeypatch.setattr(federated, "SAM", bug)
        _, row = measure_bouncing()
        assert np.max(abs(row.measured - row.predicted)) > 0.01
    a = cycle_amplitude(0.5, 0.3, 1.0)
    assert bounces(0.5, 0.3, 1.0, 0.99 * a) and not bounces(0.5, 0.3, 1.0, 1.01 * a)


def test_measured_rows():
    averaging, one, several = measure_federated()
    assert averaging.ratio == pytest.approx(1, abs=1e-10)
    assert one.ratio == pytest.approx(1, abs=1e-10)
    assert several.ratio == pytest.approx(1, abs=0.05)
