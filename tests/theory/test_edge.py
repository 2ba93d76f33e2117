"""P6: SAM's edge of stability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from minisam.preconditioners import Diagonal
from minisam.theory.edge import measure_edge, sam_edge
from minisam.theory.pictures.edge import LR, RHO, ride
from minisam.theory.problems import DiagonalQuadratic
from minisam.theory.two_cycle import cycle_amplitude

from .broken import broken

seeds = st.integers(0, 2**32 - 1)


def grows_beyond_the_edge_only(seed, opt):
    """In one dimension |x+| > |x| iff lam > edge: 1000 problems, half of them close to it."""
    rng = np.random.default_rng(seed)
    lr, rho, g = 10 ** rng.uniform(-2, 0, (3, 1000, 1))
    edge = sam_edge(g, lr, rho)
    lam = edge * np.where(rng.random((1000, 1)) < 0.5, rng.uniform(0.9, 1.1, (1000, 1)), 1)
    lam = lam * rng.choice([0.3, 0.999, 1.001, 3], (1000, 1))
    x = g / lam * rng.choice([-1, 1], (1000, 1))
    problem = DiagonalQuadratic(lam)
    y = opt.step(x, problem.loss_and_grad, opt.init(x), lr, rho)[0]
    assert np.array_equal(np.abs(y) > np.abs(x), lam > edge)


SAM = ms.SharpnessAware(ms.SAM(0.0), ms.SGD(0.0))
BUGS = ["squared norm", "not normalized", "descent", "twice the radius", "step at w + eps"]


@given(seed=seeds)
def test_grows_beyond_the_edge_only(seed):
    grows_beyond_the_edge_only(seed, SAM)


@pytest.mark.parametrize("bug", [*BUGS, "gradient at w"])
def test_bugs_are_seen(bug):
    with pytest.raises(AssertionError):
        grows_beyond_the_edge_only(0, broken(bug))


@given(lr_lam=st.floats(0.05, 1.95), lam=st.floats(0.01, 100), rho=st.floats(0.01, 1))
def test_the_two_cycle_sits_on_the_edge(lr_lam, lam, rho):
    lr = lr_lam / lam
    g = lam * cycle_amplitude(lr, rho, lam)
    assert sam_edge(g, lr, rho) == pytest.approx(lam, rel=1e-13)


@given(lr=st.floats(0.01, 1), g=st.floats(0.01, 10), rho=st.floats(0.01, 1))
def test_formula_and_limits(lr, g, rho):
    literal = g / (2 * rho) * (np.sqrt(1 + 8 * rho / (lr * g)) - 1)
    assert sam_edge(g, lr, rho) == pytest.approx(literal, rel=1e-9)
    assert sam_edge(g, lr, 0.0) == pytest.approx(2 / lr)
    assert sam_edge(1e-12, lr, rho) == pytest.approx(np.sqrt(2e-12 / (lr * rho)), rel=1e-4)


@given(seed=seeds)
def test_a_constraint_scales_the_radius(seed):
    rng = np.random.default_rng(seed)
    lr, rho, c, lam = 10 ** rng.uniform(-1, 1, (4, 1000, 1))
    x = rng.standard_normal((1000, 1))
    problem = DiagonalQuadratic(lam)
    opt = ms.SharpnessAware(ms.PreSAM(0.0, constraint=Diagonal(c)), ms.SGD(0.0))
    y = opt.step(x, problem.loss_and_grad, opt.init(x), lr, rho)[0]
    edge = sam_edge(np.abs(problem.grad(x)), lr, rho * c)
    assert np.array_equal(np.abs(y) > np.abs(x), lam > edge)


@pytest.mark.slow
def test_a_network_rides_the_edge():
    """Largest curvature / edge, mean over the second half of training: fixed seed, 10 %."""

    def ratio(rule, rho):
        _, lam, g_norm = ride(ms.SharpnessAware(rule, ms.SGD(LR)), np)
        return np.mean((lam / sam_edge(g_norm, LR, rho))[len(lam) // 2 :])

    assert ratio(None, 0.0) == pytest.approx(1, abs=0.1)
    assert ratio(ms.SAM(RHO), RHO) == pytest.approx(1, abs=0.1)
    for wrong in None, ms.SAM(2 * RHO):
        assert abs(ratio(wrong, RHO) - 1) > 0.1


def test_the_valley_rides_the_edge():
    assert measure_edge().ratio == pytest.approx(1, abs=1e-3)
    assert measure_edge(rho=0.1).ratio == pytest.approx(1, abs=0.1)
    for bug in "descent", "twice the radius", "gradient at w":
        with np.errstate(all="ignore"):
            assert not abs(measure_edge(opt=broken(bug)).ratio - 1) < 0.05
