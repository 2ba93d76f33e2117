"""Constant radii do not converge; decaying ones do."""

from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.preconditioners import Dense
from minisam.theory.problems import DiagonalQuadratic
from minisam.theory.radius import (
    geometric,
    least_distance,
    measure_pl_schedule,
    measure_tracking,
    pl_bound_under_schedule,
    polynomial,
    rate,
    tracking,
)
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import PLAIN_SAM, cycle_amplitude

from .broken import broken

seeds = st.integers(0, 2**32 - 1)


def tracks(opt=PLAIN_SAM):
    for power in 0.0, 0.5, 1.0, 2.0:
        c = measure_tracking(0.5, polynomial(0.3, power, 2000), opt=opt)
        assert c.ratio == pytest.approx(1, abs=1e-3)
    c = measure_tracking(polynomial(0.5, 0.5, 3000), polynomial(0.3, 0, 3000), opt=opt)
    assert c.ratio == pytest.approx(1, abs=1e-3)


def test_sam_tracks_its_radius():
    tracks()


BUGS = ["squared norm", "descent", "twice the radius", "step at w + eps", "gradient at w"]


@pytest.mark.parametrize("bug", BUGS)
def test_bugs_do_not(bug):
    with np.errstate(all="ignore"), pytest.raises(AssertionError):
        tracks(broken(bug))


@settings(max_examples=10)
@given(beta=st.floats(0.5, 0.95), share=st.floats(0.05, 0.9), sign=st.sampled_from([-1, 1]))
def test_geometric_radii(beta, share, sign):
    """|1 - lr lam| = share * beta: the radius is the slower one."""
    lr = 1 + sign * share * beta
    steps = int(30 / -np.log(max(share, 0.3)))
    c = measure_tracking(lr, geometric(0.3, beta, steps), lam=(1.0,), beta=beta)
    assert c.ratio == pytest.approx(1, abs=1e-6)


def test_a_fast_radius_costs_nothing():
    lr, lam, beta = 0.05, 2.0, 0.5  # |1 - lr lam| = 0.9
    problem = DiagonalQuadratic(np.array([lam]))
    grads = repeat(problem.loss_and_grad)
    x = trajectory(PLAIN_SAM, np.ones(1), grads, repeat(lr), geometric(0.3, beta, 200))[:, 0]
    assert x[200] / x[199] == pytest.approx(rate(lr, lam, beta), rel=1e-9)
    assert rate(lr, lam, 0.95) == 0.95


@settings(max_examples=5)
@given(seed=seeds)
def test_no_constant_radius_converges(seed):
    """Whatever the direction: random orthogonal D keeps ||eps|| = rho."""
    rng = np.random.default_rng(seed)
    lam = rng.uniform(0.2, 1, (50, 3))
    lr, rho = rng.uniform(0.1, 1.9, 50), 10 ** rng.uniform(-2, 0, 50)
    D = np.linalg.qr(rng.standard_normal((50, 3, 3)))[0]
    opt = ms.SharpnessAware(ms.PreSAM(0.0, Dense(D)), ms.SGD(0.0))
    grads = repeat(DiagonalQuadratic(lam).loss_and_grad, 200)
    path = trajectory(opt, np.ones((50, 3)), grads, repeat(lr[:, None]), repeat(rho[:, None]))
    far = np.max(np.linalg.norm(path[-10:], axis=-1), axis=0)
    least = least_distance(lr, rho, lam.min(axis=-1), lam.max(axis=-1))
    assert np.all(far >= least * (1 - 1e-12))


def test_least_distance_and_tracking_meet_the_two_cycle():
    assert least_distance(0.7, 0.2, 1.1, 1.1) == pytest.approx(cycle_amplitude(0.7, 0.2, 1.1))
    assert tracking(0.7, 0.2, 1.1) == pytest.approx(cycle_amplitude(0.7, 0.2, 1.1))


def under_schedules(opt=PLAIN_SAM):
    x = np.random.default_rng(0).uniform(-5, 5, (100, 2))
    final = {}
    for power in 0.0, 0.5, 1.0:
        c = measure_pl_schedule(0.1, polynomial(0.3, power, 500), x, opt)
        assert np.all(c.measured <= c.predicted * (1 + 1e-12))
        final[power] = np.max(c.measured[-1])
    assert final[0.0] > 0.1 and final[0.5] < 1e-3 and final[1.0] < 1e-5


def test_schedules_on_a_function_that_is_not_convex():
    under_schedules()
    bound = pl_bound_under_schedule(1.0, 0.1, polynomial(0.01, 1.0, 20_000), 1 / 32, 8.0)
    assert bound[-1] < 1e-6


def test_bound_under_schedule_by_hand():
    """0.95 F + 0.1 * 2^2 rho^2 / 2."""
    bound = pl_bound_under_schedule(1.0, 0.1, np.array([0.2, 0.1]), 0.5, 2.0)
    np.testing.assert_allclose(bound, [1, 0.958, 0.9121])


@pytest.mark.parametrize("bug", ["squared norm", "gradient at w"])
def test_bugs_miss_the_schedules(bug):
    with np.errstate(all="ignore"), pytest.raises(AssertionError):
        under_schedules(broken(bug))
