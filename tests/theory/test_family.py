"""The family between unnormalised and normalised SAM: its ends, its cycle, its rate."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.theory import family, two_cycle
from minisam.theory.family import (
    UnifiedSAM,
    amplitude,
    as_presam,
    largest_lr,
    measure_family,
    rate,
    run_family,
)
from minisam.theory.preconditioned_cycle import preconditioned_cycle

from .broken import broken

seeds = st.integers(0, 2**32 - 1)


def problems(seed, count=60, n=4):
    """Random dense quadratics, lam_1 at least 10 % above the rest; l = 0 and l = 1 among them."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-1, 1, (count, 1))
    lam = scale * np.concatenate([rng.uniform(0.2, 0.9, (count, n - 1)), np.ones((count, 1))], -1)
    Q = np.linalg.qr(rng.standard_normal((count, n, n)))[0]
    A = Q * lam[:, None, :] @ np.swapaxes(Q, -1, -2)
    rho, l = 10 ** rng.uniform(-2, 0, count), rng.uniform(0, 1, count)
    l[:4] = 0, 0, 1, 1
    return SimpleNamespace(
        A=(A + np.swapaxes(A, -1, -2)) / 2,
        lam=lam,
        lr=rng.uniform(0.05, 0.97, count) * largest_lr(lam[:, -1], rho, l),
        rho=rho,
        l=l,
        x=rng.standard_normal((count, n)),
    )


@given(seed=seeds)
def test_both_ends(seed):
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((5, 7)) * 10 ** rng.uniform(-8, 8, (5, 1))
    w = np.zeros_like(g)
    eps = lambda rule: rule.perturb(w, g, rule.init(w))[0]
    assert np.array_equal(eps(UnifiedSAM(0.3, 1.0)), eps(ms.SAM(0.3)))
    np.testing.assert_allclose(eps(UnifiedSAM(0.3, 0.0)), 0.3 * g, rtol=1e-14)
    l = rng.uniform(0, 1, (5, 1))
    length = np.linalg.norm(g, axis=-1, keepdims=True)
    np.testing.assert_allclose(eps(UnifiedSAM(0.3, l)), 0.3 * (1 - l + l / length) * g, rtol=1e-13)
    assert np.array_equal(UnifiedSAM(0.3, 0.5).perturb(w, w, None)[0], w)  # zero gradient


@given(seed=seeds)
def test_ends_of_the_predictions(seed):
    p = problems(seed)
    top = p.lam[:, -1]
    lr = np.minimum(p.lr, 1.9 / top)
    at = two_cycle.cycle_amplitude(lr, p.rho, top)
    np.testing.assert_allclose(amplitude(lr, p.rho, 1.0, top), at, rtol=1e-12)
    np.testing.assert_allclose(rate(lr, p.rho, 1.0, p.lam), two_cycle.cycle_rate(lr, p.lam))
    B, C = as_presam(p.A, p.rho, np.ones(len(top)))
    np.testing.assert_allclose(B, p.A)
    np.testing.assert_allclose(C, np.broadcast_to(np.eye(4), C.shape), atol=1e-12)
    factor = two_cycle.unnormalized_factor(lr[:, None], p.rho[:, None], p.lam)
    np.testing.assert_allclose(rate(lr, p.rho, 0.0, p.lam), np.max(abs(factor), -1))


def ends_on_the_cycle(p):
    for row in measure_family(p.A, p.lr, p.rho, p.l, p.x, 3000):
        np.testing.assert_allclose(row.measured, row.predicted, rtol=1e-8, atol=1e-12)


def descends(p):
    path = run_family(p.A, p.lr, p.rho, p.l, p.x, 100)
    B, C = as_presam(p.A, p.rho, p.l)
    assert np.max(two_cycle.lyapunov_violation(path, B, p.lr, p.rho * p.l, C)) <= 1e-13


@given(seed=seeds)
def test_it_is_presam_on_another_quadratic(seed):
    p = problems(seed)
    B, C = as_presam(p.A, p.rho, p.l)
    opt = ms.SharpnessAware(ms.PreSAM(0.0, constraint=ms.Dense(C)), ms.SGD(0.0))
    lr, rho = p.lr[:, None], (p.rho * p.l)[:, None]
    expected = opt.step(p.x, ms.theory.Quadratic(B).loss_and_grad, opt.init(p.x), lr, rho)[0]
    found = run_family(p.A, p.lr, p.rho, p.l, p.x, 1)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    v = preconditioned_cycle(p.lr, p.rho * p.l, B, C, np.eye(4))
    a = amplitude(p.lr, p.rho, p.l, p.lam[:, -1])
    np.testing.assert_allclose(np.linalg.norm(v, axis=-1), a, rtol=1e-9, atol=1e-12)


@settings(max_examples=3)
@given(seed=seeds)
def test_ends_on_the_cycle(seed):
    ends_on_the_cycle(problems(seed))


@given(seed=seeds)
def test_lyapunov_decreases_at_every_step(seed):
    descends(problems(seed))


def swapped(rule, base):
    l = rule.constraint.l
    return ms.SharpnessAware(ms.PreSAM(0.0, constraint=family.GrowingBall(1 - l)), base)


BUGS = {
    "l swapped": swapped,
    **{
        name: lambda rule, base, name=name: broken(name, C=rule.constraint)
        for name in ("norm without C", "descent", "twice the radius", "step at w + eps")
    },
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_are_seen(bug, monkeypatch):
    monkeypatch.setattr(family, "SharpnessAware", bug)
    with pytest.raises(AssertionError):
        ends_on_the_cycle(problems(0, count=12))
    with pytest.raises(AssertionError):
        descends(problems(0, count=12))


@settings(max_examples=5)
@given(seed=seeds)
def test_diverges_beyond_the_largest_lr(seed):
    p = problems(seed)
    p.lr = 1.05 * largest_lr(p.lam[:, -1], p.rho, p.l)
    with pytest.raises(ValueError, match=r"must be in \[0, 2\], got 2\.1"):
        amplitude(p.lr, p.rho, p.l, p.lam[:, -1])
    e = np.linalg.eigh(p.A)[1][..., -1]
    along = np.abs(np.sum(run_family(p.A, p.lr, p.rho, p.l, p.x, 200) * e, axis=-1))
    assert np.all(along[-1] > 10 * along[0])


@settings(max_examples=10)
@given(seed=seeds)
def test_rate(seed):
    """Start at the cycle plus a small error; the slowest mode decides, measured late."""
    p = problems(seed)
    top, e = p.lam[:, -1], np.linalg.eigh(p.A)[1][..., -1]
    a = amplitude(p.lr, p.rho, p.l, top)[:, None] * e
    expected = rate(p.lr, p.rho, p.l, p.lam)
    assert np.all(expected < 1)
    size = np.where(p.l > 0, np.linalg.norm(a, axis=-1), 1.0)[:, None]
    x = a + 1e-5 * size * np.random.default_rng(seed).standard_normal(a.shape)
    path = run_family(p.A, p.lr, p.rho, p.l, x, 60)
    error = np.linalg.norm((-1.0) ** np.arange(61)[:, None, None] * path - a, axis=-1)
    error[:, p.l == 0] = np.linalg.norm(path[:, p.l == 0], axis=-1)
    late = (error[60] / error[40]) ** (1 / 20)
    settled = expected > 0.75  # faster ones are at rounding by then
    assert np.sum(settled) > 5
    np.testing.assert_allclose(np.median(late[settled] / expected[settled]), 1, atol=2e-3)
    assert np.all(late[settled] <= expected[settled] * 1.02)
