"""P10: the drift along a valley, and which curvature D makes SAM look at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.preconditioners import Diagonal
from minisam.theory.drift import drift, measure_drift, measure_settling, settling_point
from minisam.theory.preconditioned_cycle import score
from minisam.theory.problems import SharpValley

from .broken import broken

seeds = st.integers(0, 2**32 - 1)


def valleys(seed, count=40):
    rng = np.random.default_rng(seed)
    lam, slope = rng.uniform(1, 2, (count, 1)), rng.uniform(-0.5, 0.5, (count, 1))
    lr, rho, c = rng.uniform(0.1, 0.6, count), rng.uniform(0.005, 0.02, count), 2.0
    return lr, rho, np.full(count, c), SharpValley(lam, slope)


def drifts(seed, opt=None):
    ratio = measure_drift(*valleys(seed), opt=opt).ratio
    np.testing.assert_allclose(ratio, 1, atol=5e-3)


@settings(max_examples=10)
@given(seed=seeds)
def test_drift(seed):
    drifts(seed)


BUGS = ["C instead of C^2", "norm without C", "squared norm", "descent", "gradient at w"]


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_are_seen(bug):
    entries = np.array([2.0, 1.0])
    with pytest.raises((AssertionError, ValueError)):  # ValueError: gone to nan, refused
        drifts(0, broken(bug, C=Diagonal(entries)))


def test_settles_where_the_scores_are_equal():
    for c in measure_settling()[1]:
        assert c.measured == pytest.approx(c.predicted, abs=0.03)


@pytest.mark.parametrize("bug", ["D forgotten", "gradient at w"])
def test_bugs_move_the_settling_point(bug):
    d = Diagonal(np.array([[9.0, 1.0, 1.0]]))
    _, (c,) = measure_settling((9.0,), opt=broken(bug, D=d))
    assert abs(c.measured - c.predicted) > 0.3


def test_settling_point_of_plain_sam_has_equal_curvatures():
    valley = SharpValley()
    b = settling_point(valley, 0.3)
    assert b == pytest.approx(-0.05)
    assert valley.walls(np.array(b)) == pytest.approx([1.95, 1.95])
    b = settling_point(valley, 0.3, np.array([9.0, 1.0]), np.array([1.0, 1.5]))
    first, second = score(0.3, valley.walls(np.array(b)), np.array([1.0, 1.5]), np.array([9, 1]))
    assert first == pytest.approx(second)


def test_drift_goes_downhill_in_curvature():
    assert drift(0.1, 0.1, 1.0, 0.5) < 0 < drift(0.1, 0.1, 1.0, -0.5)
    opt = ms.SharpnessAware(None, ms.SGD(0.0))
    assert abs(measure_drift(opt=opt).measured) < 1e-6
