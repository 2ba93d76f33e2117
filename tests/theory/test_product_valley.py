"""P5: the slide along (u v - 1)^2 / 2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.theory.product_valley import (
    VALLEY,
    asam_imbalance_factor,
    imbalance_decay,
    imbalance_factor,
    measure_valley,
    perturbed_residual,
)

from .broken import broken

seeds = st.integers(0, 2**32 - 1)
SAM = ms.SharpnessAware(ms.SAM(0.0), ms.SGD(0.0))
ASAM = ms.SharpnessAware(ms.ASAM(0.0, eta=0.0), ms.SGD(0.0))
GD = ms.SharpnessAware(None, ms.SGD(0.0))


def states(seed, count=1000):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 3, (count, 2)) * rng.choice([-1, 1], (count, 2))
    lr, rho = 10 ** rng.uniform(-3, -0.5, (count, 1)), 10 ** rng.uniform(-2, 0, (count, 1))
    return x, lr, rho * 0.5 * np.linalg.norm(x, axis=-1, keepdims=True)


def one_step_is_exact(seed, opt, factor):
    x, lr, rho = states(seed)
    y = opt.step(x, VALLEY.loss_and_grad, opt.init(x), lr, rho)[0]
    expected = VALLEY.imbalance(x) * factor(x, lr[:, 0], rho[:, 0])
    scale = np.sum(x * x + y * y, axis=-1)
    assert np.max(np.abs(VALLEY.imbalance(y) - expected) / scale) < 1e-14


def slides(opt=None):
    decay, balance, curvature = measure_valley(opt=opt)
    assert decay.ratio == pytest.approx(1, abs=5e-3)
    assert balance.ratio == pytest.approx(1, abs=1e-4)
    assert curvature.ratio == pytest.approx(1, abs=0.01)


@given(seed=seeds)
def test_one_step_of_sam(seed):
    one_step_is_exact(seed, SAM, imbalance_factor)


@given(seed=seeds)
def test_one_step_of_asam(seed):
    x, lr, rho = states(seed)
    relative = rho / np.linalg.norm(x, axis=-1, keepdims=True)  # ASAM's rho has no unit
    y = ASAM.step(x, VALLEY.loss_and_grad, ASAM.init(x), lr, relative)[0]
    expected = VALLEY.imbalance(x) * asam_imbalance_factor(x, lr[:, 0], relative[:, 0])
    scale = np.sum(x * x + y * y, axis=-1)
    assert np.max(np.abs(VALLEY.imbalance(y) - expected) / scale) < 1e-14


@given(seed=seeds)
def test_gradient_descent_is_radius_zero(seed):
    one_step_is_exact(seed, GD, lambda x, lr, rho: imbalance_factor(x, lr, 0.0))
    x, lr, _ = states(seed)
    np.testing.assert_allclose(
        imbalance_factor(x, lr[:, 0], 0.0), 1 - (lr[:, 0] * VALLEY.residual(x)) ** 2
    )


@given(seed=seeds)
def test_imbalance_shrinks_below_twice_the_norm(seed):
    x, _, rho = states(seed)
    sign = np.sign(VALLEY.residual(x))
    assert np.all(sign * perturbed_residual(x, 3.99 * rho[:, 0]) > 0)  # rho <= s / 2 there


@given(seed=seeds)
def test_in_continuous_time(seed):
    """dQ/dt = -2 rho |r'| Q / s under SAM; ASAM conserves Q."""
    x, _, rho = states(seed)
    rho, lr, s = rho[:, 0], 1e-7, np.linalg.norm(x, axis=-1)
    slope = (imbalance_factor(x, lr, rho) - 1) / lr
    expected = -2 * rho * np.abs(perturbed_residual(x, rho)) / s
    np.testing.assert_allclose(slope, expected, atol=1e-4)
    np.testing.assert_allclose((asam_imbalance_factor(x, lr, rho / s) - 1) / lr, 0, atol=1e-4)


def test_it_can_fail_beyond():
    x = np.array([0.1, 0.1])
    assert np.sign(VALLEY.residual(x)) * perturbed_residual(x, 2.0) < 0


def test_slides_to_the_balanced_point():
    slides()


@settings(max_examples=3)
@given(
    u=st.floats(1.5, 3.5), lr=st.floats(0.05, 0.15), rho=st.floats(0.05, 0.08)
)  # fmt: skip
def test_decay(u, lr, rho):
    rate = imbalance_decay(u**2 - u**-2, lr, rho)
    decay = measure_valley(lr, rho, (u, 1.02 / u), int(3 / rate) + 400)[0]
    assert decay.ratio == pytest.approx(1, abs=5e-3)


BUGS = ["squared norm", "descent", "twice the radius", "step at w + eps", "gradient at w"]


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
def test_bugs_are_seen(bug):
    with pytest.raises(AssertionError):
        one_step_is_exact(0, broken(bug), imbalance_factor)
    with pytest.raises(AssertionError):
        slides(broken(bug))


def test_sam_slides_and_the_others_stay():
    decay = measure_valley(opt=GD, steps=2000)
    assert abs(decay[0].measured) < 1e-3
    x = np.array([3.0, 0.34])
    state = ASAM.init(x)
    for _ in range(2000):
        x, state, _ = ASAM.step(x, VALLEY.loss_and_grad, state, 0.02, 0.05)
    assert VALLEY.imbalance(x) == pytest.approx(9 - 0.34**2, rel=0.02)
