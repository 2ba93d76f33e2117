"""SAM near a saddle: when it stays and when it leaves."""

from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.theory.problems import DiagonalQuadratic
from minisam.theory.saddle_escape import (
    along_z,
    escaped,
    leaves,
    measure_escape,
    measure_multiplier,
    multiplier,
)
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import PLAIN_SAM, cycle_amplitude

from .broken import broken

seeds = st.integers(0, 2**32 - 1)
GD = ms.SharpnessAware(None, ms.SGD(0.0))


def saddles(seed, count=200):
    rng = np.random.default_rng(seed)
    lam, lr_lam = 10 ** rng.uniform(-1, 1, count), rng.uniform(0.05, 1.9, count)
    return lr_lam / lam, lam, lam * 10 ** rng.uniform(-2, 0.3, count)


def grows_as_predicted(seed, opt=PLAIN_SAM):
    c = measure_multiplier(*saddles(seed), opt=opt)
    np.testing.assert_allclose(c.measured, c.predicted, rtol=1e-6, atol=1e-6)


def one_dimension(seed, opt=PLAIN_SAM):
    rng = np.random.default_rng(seed)
    lr, m, rho = 10 ** rng.uniform(-2, 0, (3, 300, 1))
    z = rho * rng.uniform(-3, 3, (300, 1))
    y = opt.step(z, DiagonalQuadratic(-m).loss_and_grad, opt.init(z), lr, rho)[0]
    np.testing.assert_allclose(y, along_z(z, lr, m, rho), rtol=1e-11, atol=1e-13)


@given(seed=seeds)
def test_multiplier(seed):
    grows_as_predicted(seed)


@given(seed=seeds)
def test_one_dimension(seed):
    one_dimension(seed)


def test_leaves_where_predicted():
    c = measure_escape()
    assert c.measured == c.predicted
    assert 0.2 < c.predicted < 0.9  # both happen


@settings(max_examples=3)
@given(seed=seeds)
def test_every_saddle_is_judged_rightly(seed):
    lr, lam, m = saddles(seed)
    clear = (lr * m < 0.95) & (np.abs(multiplier(lr, lam, m) - 1) > 0.03)
    lr, lam, m = lr[clear], lam[clear], m[clear]
    np.testing.assert_array_equal(escaped(lr, lam, m, 0.1, 2000), leaves(lr, lam, m))


@pytest.mark.parametrize(
    "bug", ["descent", "squared norm", "not normalized", "twice the radius", "step at w + eps"]
)
def test_bugs_are_seen(bug):
    with np.errstate(all="ignore"):
        with pytest.raises(AssertionError):
            grows_as_predicted(0, broken(bug))
        with pytest.raises(AssertionError):
            one_dimension(0, broken(bug))


@pytest.mark.parametrize("bug", ["descent", "gradient at w", "not normalized"])
def test_bugs_change_who_leaves(bug):
    with np.errstate(all="ignore"):
        c = measure_escape(count=300, opt=broken(bug))
    assert abs(c.measured - c.predicted) > 0.1


def test_gradient_descent_always_leaves():
    lr, lam, m = saddles(0)
    fast = lr * m > 0.02
    assert np.all(escaped(lr[fast], lam[fast], m[fast], 0.1, 2000, GD))


@settings(max_examples=5)
@given(seed=seeds)
def test_along_z_the_trap_is_as_wide_as_the_radius(seed):
    rng = np.random.default_rng(seed)
    m, rho = 10 ** rng.uniform(-1, 1, (2, 100, 1))
    lr = rng.uniform(0.05, 0.95, (100, 1)) / m
    grads = repeat(DiagonalQuadratic(-m).loss_and_grad, 300)
    inside = rho * rng.uniform(-0.999, 0.999, (100, 1))
    path = trajectory(PLAIN_SAM, inside, grads, repeat(lr), repeat(rho))
    assert np.all(np.abs(path) < rho)
    grads = repeat(DiagonalQuadratic(-m).loss_and_grad, 10)
    path = trajectory(PLAIN_SAM, 1.01 * rho, grads, repeat(lr), repeat(rho))
    np.testing.assert_allclose(path[-1] / rho - 1, 0.01 * (1 + lr * m) ** 10, rtol=1e-6)


def test_free_of_the_radius_and_equal_to_rho_m_below_the_gradient():
    lr, lam, m = saddles(1)
    for rho in 0.01, 1.0:
        g = lam * cycle_amplitude(lr, rho, lam)
        np.testing.assert_array_equal(leaves(lr, lam, m), rho * m < g)
    np.testing.assert_array_equal(leaves(lr, lam, m), multiplier(lr, lam, m) > 1)
