"""What running averages of a noisy gradient know: bias, variance, degrees of freedom.

The weights stand still, the gradients are ``g_t = mu + s xi_t`` with xi_t independent, mean 0 and
variance 1. An average is a sum ``d_t = sum_k w_k g_k``, so its bias is ``(sum w - 1) mu``
and its variance ``s^2 sum w^2``: everything here is a geometric series, exact at every t and for
every noise law. ``theta`` weighs the new gradient, as in VaSSO; t = 0 is the first gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minisam.optimizers import Adam
from minisam.presam import InfoSAM, VaSSO
from minisam.theory.comparison import Comparison
from minisam.theory.problems import check_range


class Moments(NamedTuple):
    """Of an average d_t: ``bias`` in units of mu, ``variance`` in units of s^2."""

    bias: Any
    variance: Any


def steady_variance(theta):
    """Return phi = theta / (2 - theta), the limit of Var d_t / s^2 whatever the first step."""
    check_range("theta", theta, 0, 1)
    return theta / (2 - theta)


def from_first_gradient(theta, t) -> Moments:
    """Moments of ``d_0 = g_0, d_t = (1 - theta) d_{t-1} + theta g_t``, as in VaSSO and InfoSAM.

    bias 0, variance ``phi + (1 - phi) a^(2t)`` with a = 1 - theta. Derived here (geometric series).
    """
    phi = steady_variance(theta)
    return Moments(0.0 * t, phi + (1 - phi) * (1 - theta) ** (2 * t))


def from_zero(theta, t) -> Moments:
    """Moments of the same average started at zero: Adam's ``m`` before its correction.

    bias ``-a^(t+1)``, variance ``phi (1 - a^(2t+2))``. Derived here; Kingma and Ba (2015) has the
    bias.
    """
    a = 1 - theta
    return Moments(-(a ** (t + 1)), steady_variance(theta) * (1 - a ** (2 * t + 2)))


def debiased(theta, t) -> Moments:
    """Moments of the zero-started average divided by ``1 - a^(t+1)``: Adam's corrected ``m``.

    bias 0, variance ``phi (1 + a^(t+1)) / (1 - a^(t+1))``. Derived here.
    """
    b = (1 - theta) ** (t + 1)
    return Moments(0.0 * t, steady_variance(theta) * (1 + b) / (1 - b))


def innovation(before: Moments, mu, s):
    """Return ``E (g_t - d_{t-1})^2 = s^2 (1 + variance) + bias^2 mu^2``; ``before`` is of d_{t-1}.

    The new gradient is independent of the average. From the first gradient on this is
    ``2 (1 + a^(2t-1)) / (2 - theta) s^2``: more than s^2, and free of mu. Started at zero, mu
    leaks in.
    """
    return s**2 * (1 + before.variance) + before.bias**2 * mu**2


def drifting(theta, delta, s) -> tuple[Any, Any]:
    """Return the limits of the bias of d and of ``E (g_t - d_{t-1})^2``, mu moving delta a step.

    bias ``-delta (1 - theta) / theta``, innovation ``s^2 (1 + phi) + delta^2 / theta^2``:
    a moving gradient looks like noise. Derived here: the average lags by (1 - theta) / theta steps.
    """
    noise = s**2 * (1 + steady_variance(theta))
    return -delta * (1 - theta) / theta, noise + (delta / theta) ** 2


def weight_sum(theta, t, k):
    """Return ``q_k = sum_j w_j^k`` of the average started at the first gradient.

    The weights are ``a^t, theta a^(t-1), ..., theta a, theta``, so
    ``q_k = a^(kt) + theta^k (1 - a^(kt)) / (1 - a^k)``; q_2 = Var d_t / s^2.
    """
    check_range("theta", theta, 0, 1)
    a = 1 - theta
    return a ** (k * t) + theta**k * (1 - a ** (k * t)) / (1 - a**k)


def sample_variance(theta, t):
    """Return ``E v_t / s^2 = 1 - q_2`` of InfoSAM's noise variance, for any law of the noise.

    ``v_t = (1 - theta)(v_{t-1} + theta (g_t - d_{t-1})^2)`` equals ``sum_k w_k (g_k - d_t)^2``, the
    sample variance under the weights of d_t, so mu never leaks in. Derived here: induction for the
    equality, then E of the sum is ``s^2 (sum w - sum w^2)``.
    """
    return 1 - weight_sum(theta, t, 2)


def degrees_of_freedom(theta, t: Any = np.inf):
    """Return nu such that v_t spreads like chi^2_nu (Gaussian noise): ``2 (E v)^2 / Var v``.

    ``nu = (1 - q_2)^2 / (q_2 - 2 q_3 + q_2^2)``; 1 at t = 1, about 2 / theta - 1.3 in the end.
    Derived here: v is a quadratic form in Gaussians, with variance twice the squared norm of its
    matrix.
    """
    q2, q3 = weight_sum(theta, t, 2), weight_sum(theta, t, 3)
    return (1 - q2) ** 2 / (q2 - 2 * q3 + q2**2)


def steadiness(theta, mu, s):
    """Return the limit of ``E cos(eps_t, eps_{t-1})`` of VaSSO for many parameters.

    ``(||mu||^2 + a phi S) / (||mu||^2 + phi S)``, S = sum s^2: pure noise turns the perturbation by
    arccos(1 - theta) a step, SAM's (theta = 1) by a right angle. Derived here: Cov(d_t, d_{t-1}) is
    a Var d.
    """
    signal, noise = np.sum(mu**2, -1), steady_variance(theta) * np.sum(s**2, -1)
    return (signal + (1 - theta) * noise) / (signal + noise)


def gradients(mu, s, shape, seed):
    """Yield g_0, g_1, ... of the model, each an independent ``mu + s N(0, 1)`` of this shape."""
    rng = np.random.default_rng(seed)
    while True:
        yield mu + s * rng.standard_normal(shape)


def measure_averages(theta=0.1, steps=60, n=50_000, seed=0, mu=0.5, s=1.5) -> dict[str, Comparison]:
    """Feed one stream of gradients to VaSSO, InfoSAM and Adam; n equal parameters are n samples.

    Each comparison holds one value per step t = 1, ..., ``steps``, but for the cosine: its mean
    over the second half.
    """
    vasso, info, adam = VaSSO(1.0, theta), InfoSAM(1.0, theta), Adam(lr=0.0, betas=(1 - theta, 0.9))
    w, stream = np.zeros(n), gradients(mu, s, n, seed)
    g = next(stream)
    eps, d = vasso.perturb(w, g, vasso.init(w))
    _, noise = info.perturb(w, g, info.init(w))
    _, moments = adam.update(w, g, adam.init(w))
    seen = []
    for _, g in zip(range(steps), stream, strict=False):
        r = g - d
        old, (eps, d) = eps, vasso.perturb(w, g, d)
        _, noise = info.perturb(w, g, noise)
        _, moments = adam.update(w, g, moments)
        m, v = moments.m, noise.v
        seen.append(
            [d.mean(), d.var(), m.mean(), m.var(), v.mean(), v.var(), np.mean(r**2), eps @ old]
        )
    d_mean, d_var, m_mean, m_var, v_mean, v_var, r2, cosine = np.transpose(seen)

    t = np.arange(1, steps + 1)
    first, zero = from_first_gradient(theta, t), from_zero(theta, t)
    r2_predicted = innovation(from_first_gradient(theta, t - 1), mu, s)
    ones = np.ones(n)
    rows = [
        Comparison("mean of VaSSO's average", (1 + first.bias) * mu, d_mean),
        Comparison("variance of VaSSO's average", first.variance * s**2, d_var),
        Comparison("E (g_t - d_{t-1})^2", r2_predicted, r2),
        Comparison("mean of Adam's m", (1 + zero.bias) * mu, m_mean),
        Comparison("variance of Adam's m", zero.variance * s**2, m_var),
        Comparison("mean of InfoSAM's noise variance", sample_variance(theta, t) * s**2, v_mean),
        Comparison(
            "degrees of freedom of the same", degrees_of_freedom(theta, t), 2 * v_mean**2 / v_var
        ),
        Comparison(
            "cosine of VaSSO's successive perturbations",
            steadiness(theta, mu * ones, s * ones),
            cosine[steps // 2 :].mean(),
        ),
    ]
    return {row.name: row for row in rows}
