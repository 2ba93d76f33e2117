"""P7: OP chooses the direction of the two-cycle, CP sets its amplitude."""

from itertools import repeat
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.preconditioners import Dense
from minisam.theory.preconditioned_cycle import (
    asam_cycle,
    ellipse,
    measure_preconditioned_cycle,
    preconditioned_cycle,
    score,
)
from minisam.theory.problems import DiagonalQuadratic, Quadratic, embed
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import lyapunov_violation

from .broken import broken

seeds = st.integers(0, 2**32 - 1)


def spd(rng, count, n, low, high):
    Q = np.linalg.qr(rng.standard_normal((count, n, n)))[0]
    M = Q * rng.uniform(low, high, (count, 1, n)) @ np.swapaxes(Q, -1, -2)
    return (M + np.swapaxes(M, -1, -2)) / 2


def problems(kind, seed, count=300, n=4):
    """Random problems whose best score leads the second by at least 3 %."""
    rng = np.random.default_rng(seed)
    A, C = spd(rng, count, n, 0.3, 1), spd(rng, count, n, 0.5, 2)
    D = np.broadcast_to(np.eye(n), A.shape)
    if kind != "any A, any C":
        C, D = embed(rng.uniform(0.5, 2, (count, n))), embed(rng.uniform(0.3, 3, (count, n)))
    if kind == "all diagonal":
        A = embed(rng.uniform(0.3, 1, (count, n)))
    lr, rho = rng.uniform(0.1, 1.9, count), 10 ** rng.uniform(-2, 0, count)
    metric = 2 * np.eye(n) - lr[:, None, None] * A
    nu = np.sort(np.linalg.eigvals(np.linalg.solve(metric, A @ C @ C @ D @ A)).real, axis=-1)
    keep = nu[:, -2] / nu[:, -1] < 0.97
    return SimpleNamespace(
        A=A[keep], C=C[keep], D=D[keep], lr=lr[keep], rho=rho[keep],
        x=rng.standard_normal((count, n))[keep],
    )  # fmt: skip


KINDS = ["any A, any C", "all diagonal", "any A, diagonal C and D"]
PROVED = KINDS[:2]


def ends_on_the_cycle(p, steps=4000, opt=None):
    amplitude, cosine = measure_preconditioned_cycle(p.A, p.C, p.D, p.lr, p.rho, p.x, steps, opt)
    np.testing.assert_allclose(amplitude.ratio, 1, atol=1e-6)
    np.testing.assert_allclose(cosine.ratio, 1, atol=1e-6)


def descends(p, opt, steps=100):
    grads = repeat(Quadratic(p.A).loss_and_grad, steps)
    path = trajectory(opt, p.x, grads, repeat(p.lr[:, None]), repeat(p.rho[:, None]))
    assert np.max(lyapunov_violation(path, p.A, p.lr, p.rho, p.C, p.D)) <= 1e-13


def presam(p):
    return ms.SharpnessAware(ms.PreSAM(0.0, Dense(p.D), Dense(p.C)), ms.SGD(0.0))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2)
@given(seed=seeds)
def test_ends_on_the_cycle(kind, seed):
    ends_on_the_cycle(problems(kind, seed))


@pytest.mark.parametrize("kind", PROVED)
@settings(max_examples=10)
@given(seed=seeds)
def test_lyapunov_decreases_at_every_step(kind, seed):
    p = problems(kind, seed)
    descends(p, presam(p))


BUGS = [
    "C instead of C^2",
    "norm without C",
    "norm without D",
    "D forgotten",
    "squared norm",
    "descent",
    "root mean square as norm",
    "step at w + eps",
]


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_are_seen(bug):
    p = problems("all diagonal", 0, count=30)
    opt = broken(bug, Dense(p.D), Dense(p.C))
    with pytest.raises(AssertionError):
        ends_on_the_cycle(p, 3000, opt)
    with pytest.raises(AssertionError):
        descends(p, opt)


@given(seed=seeds)
def test_matrices_agree_with_the_score(seed):
    p = problems("all diagonal", seed)
    lam, c, d = (np.diagonal(M, axis1=-2, axis2=-1) for M in (p.A, p.C, p.D))
    k = np.argmax(score(p.lr[:, None], lam, c, d), axis=-1)
    v = np.abs(preconditioned_cycle(p.lr, p.rho, p.A, p.C, p.D))
    rows = np.arange(len(k))
    lam, c = lam[rows, k], c[rows, k]
    np.testing.assert_allclose(v[rows, k], p.lr * p.rho * c * lam / (2 - p.lr * lam), rtol=1e-9)
    np.testing.assert_allclose(np.sum(v, axis=-1), v[rows, k], rtol=1e-9)


def test_noise_weights_cancel_the_preference_for_sharp_directions():
    lam = np.array([1.0, 3.0, 10.0])
    np.testing.assert_allclose(score(0.1, lam, d=lam**-2.0), 1 / (2 - 0.1 * lam))
    np.testing.assert_allclose(score(0.1, lam, d=lam**-1.0), lam / (2 - 0.1 * lam))


@settings(max_examples=15)
@given(
    lr_lam=st.floats(0.05, 1.0),
    lam=st.floats(0.1, 10),
    rho=st.floats(0.01, 0.9),
    x_star=st.floats(0.1, 10),
)
def test_asam_cycle(lr_lam, lam, rho, x_star):
    lr = lr_lam / lam
    problem = DiagonalQuadratic(np.array([lam]), x_star)
    high, low = asam_cycle(lr, rho, lam, x_star)
    for rule, right in ((ms.ASAM(rho, eta=0.0), True), (ms.SAM(rho * x_star), False)):
        opt = ms.SharpnessAware(rule, ms.SGD(lr))
        x = trajectory(opt, np.array([high * 1.01]), [problem.loss_and_grad] * 400)[-2:, 0]
        found = np.allclose(sorted(x), [low, high], rtol=1e-9, atol=0)
        assert found == right


def test_asam_at_the_origin_is_linear():
    opt = ms.SharpnessAware(ms.ASAM(0.5, eta=0.0), ms.SGD(0.1))
    x = trajectory(opt, np.array([2.0]), [DiagonalQuadratic(np.ones(1)).loss_and_grad] * 5)[:, 0]
    np.testing.assert_allclose(x, 2 * (1 - 0.1 * 1.5) ** np.arange(6))


def test_ellipse_is_the_ball():
    C = np.array([[2.0, 0.3], [0.0, 0.5]])
    e = ellipse(C, 0.7)
    np.testing.assert_allclose(np.linalg.norm(e @ np.linalg.inv(C).T, axis=-1), 0.7)
