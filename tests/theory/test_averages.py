"""P3: the closed forms against explicit weights, and the optimizers' averages against both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from minisam.theory import averages
from minisam.theory.averages import (
    debiased,
    degrees_of_freedom,
    drifting,
    from_first_gradient,
    from_zero,
    innovation,
    measure_averages,
    sample_variance,
    steady_variance,
    weight_sum,
)

thetas, times = st.floats(0.01, 0.99), st.integers(1, 50)


def weights(theta, t):
    """Of g_0, ..., g_t in d_t, by running the recursion on the identity matrix."""
    d = np.eye(t + 1)[0]
    for k in range(1, t + 1):
        d = (1 - theta) * d + theta * np.eye(t + 1)[k]
    return d


@given(thetas, times)
def test_moments_are_sums_of_weights(theta, t):
    w = weights(theta, t)
    for k in (1, 2, 3):
        assert weight_sum(theta, t, k) == pytest.approx(np.sum(w**k), rel=1e-12)
    zero = np.append(theta * w[:1], w[1:])  # d_{-1} = 0
    fair = zero / zero.sum()
    for moments, u in ((from_first_gradient, w), (from_zero, zero), (debiased, fair)):
        bias, variance = moments(theta, t)
        assert bias == pytest.approx(u.sum() - 1, abs=1e-12)
        assert variance == pytest.approx(np.sum(u**2), rel=1e-10)


@given(thetas, times)
def test_innovation_in_the_usual_form(theta, t):
    a = 1 - theta
    first = innovation(from_first_gradient(theta, t - 1), 3.0, 2.0)
    assert first == pytest.approx(4 * 2 * (1 + a ** (2 * t - 1)) / (2 - theta), rel=1e-12)
    zero = innovation(from_zero(theta, t - 1), 3.0, 2.0)
    phi = steady_variance(theta)
    leak = 9 * a ** (2 * t)
    assert zero == pytest.approx(4 * (1 + phi * (1 - a ** (2 * t))) + leak, rel=1e-12)


@given(thetas, times, st.integers(0, 2**32 - 1))
def test_infosam_keeps_the_weighted_sample_variance(theta, t, seed):
    g = np.random.default_rng(seed).standard_normal((t + 1, 3))
    rule = ms.InfoSAM(0.1, theta)
    state = rule.init(g[0])
    for u in g:
        _, state = rule.perturb(0 * u, u, state)
    w = weights(theta, t)
    np.testing.assert_allclose(state.d, w @ g, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(state.v, w @ (g - w @ g) ** 2, rtol=1e-12)
    # E of the quadratic form g^T (diag w - w w^T) g is its trace, whatever the law of g
    form = np.diag(w) - np.outer(w, w)
    assert sample_variance(theta, t) == pytest.approx(np.trace(form), rel=1e-12)
    nu = np.trace(form) ** 2 / np.sum(form**2)
    assert degrees_of_freedom(theta, t) == pytest.approx(nu, rel=1e-9)


def test_degrees_of_freedom_of_the_field_s_thetas():
    nu = degrees_of_freedom(np.array([0.05, 0.1, 0.2, 0.3, 0.5]))
    np.testing.assert_allclose(nu, [38.7, 18.7, 8.7, 5.4, 2.8], atol=0.05)


@pytest.mark.parametrize("theta, delta", [(0.1, 0.3), (0.5, -2.0), (0.9, 1.0)])
def test_a_drifting_gradient_looks_like_noise(theta, delta):
    rule = ms.VaSSO(0.1, theta)
    d = rule.init(np.zeros(1))
    for t in range(int(40 / theta)):
        old, (_, d) = d, rule.perturb(np.zeros(1), np.array([delta * t]), d)
    bias, r2 = drifting(theta, delta, 0.0)
    np.testing.assert_allclose(d - delta * t, bias, atol=1e-9)
    np.testing.assert_allclose((delta * t - old) ** 2, r2, atol=1e-9)
    still = innovation(from_first_gradient(theta, 10_000), 0.0, 2.0)
    assert drifting(theta, delta, 2.0)[1] == pytest.approx(still + r2, rel=1e-12)


def outside(rows, n=50_000):
    """Names of the predictions that miss by six standard errors or more.

    480 looks at 2e-9 each: a false alarm in one of a million seeds.
    """
    t = np.arange(1, 61)
    nu = degrees_of_freedom(0.1, t)
    relative = {
        "mean of VaSSO's average": 3 * np.sqrt(from_first_gradient(0.1, t).variance / n),
        "variance of VaSSO's average": np.sqrt(2 / n),
        "E (g_t - d_{t-1})^2": np.sqrt(2 / n),
        "mean of Adam's m": 3 * np.sqrt(from_zero(0.1, t).variance / n) / (1 - 0.9 ** (t + 1)),
        "variance of Adam's m": np.sqrt(2 / n),
        "mean of InfoSAM's noise variance": np.sqrt(2 / (nu * n)),
        "degrees of freedom of the same": np.sqrt((2 + 12 / nu) / n) + 2 * np.sqrt(2 / (nu * n)),
        "cosine of VaSSO's successive perturbations": np.sqrt(2 / (nu[-1] * n)),
    }
    return [k for k, row in rows.items() if np.any(abs(row.ratio - 1) > 6 * relative[k])]


def test_averages_of_the_optimizers():
    assert outside(measure_averages()) == []


def started_at_zero(rho, theta=0.1):
    class Zero(ms.Averaged):
        def init(self, w):
            return np.zeros_like(w)

    return ms.PreSAM(rho, objective=Zero(theta))


def spoiled(change):
    """InfoSAM with ``change(noise, r, theta)`` applied to its new variance."""

    class Spoiled(ms.NoiseWeights):
        def weigh(self, w, g, v, state):
            v, new = super().weigh(w, g, v, state)
            if state is not None:
                new = new._replace(v=change(state.v, g - state.d, self.theta))
            return v, new

    return lambda rho, theta=0.1: ms.PreSAM(rho, objective=Spoiled(theta, 1.0, 2.0))


@pytest.mark.parametrize(
    "name, bug",
    {
        "VaSSO: theta swapped": ("VaSSO", lambda rho, theta: ms.VaSSO(rho, 1 - theta)),
        "VaSSO: started at zero": ("VaSSO", started_at_zero),
        "InfoSAM: instantaneous": ("InfoSAM", spoiled(lambda v, r, th: (1 - th) * r**2)),
        "InfoSAM: plain innovation average": (
            "InfoSAM",
            spoiled(lambda v, r, th: (1 - th) * v + th * r**2),
        ),
        "InfoSAM: residual after the update": (
            "InfoSAM",
            spoiled(lambda v, r, th: (1 - th) * (v + th * ((1 - th) * r) ** 2)),
        ),
        "Adam: beta swapped": ("Adam", lambda lr, betas: ms.Adam(lr, (0.1, 0.9))),
    }.values(),
)
def test_measurement_sees(name, bug, monkeypatch):
    monkeypatch.setattr(averages, name, bug)
    assert outside(measure_averages())
