"""Does the perturbation still point uphill? Alignment under gradient noise, and when weights help.

The model: ``g = mu + xi``, true gradient mu, independent noise of standard deviation s_i per
parameter. A method takes ``eps = rho D g / ||D g||`` with diagonal D = diag(d). Its alignment is

    A(d) = sum d mu^2 / (||mu|| sqrt(sum d^2 (mu^2 + s^2))) = E <eps, mu> / (rho ||mu||) + O(1/n),

so 1 is the true gradient's direction and 0 is lost. Vectors run along the last axis; leading axes
are a population. Derived here unless a source is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, sqrt
from typing import NamedTuple

import numpy as np

from minisam.backend import unit
from minisam.preconditioners import Averaged, Composed, NoiseWeights
from minisam.presam import SAM, InfoSAM, PreSAM, VaSSO
from minisam.theory.averages import degrees_of_freedom, gradients, steady_variance
from minisam.theory.comparison import Comparison
from minisam.theory.problems import check_range


def alignment(d, mu, s):
    """Return A(d): many parameters make ``||D g||^2`` concentrate at its mean."""
    return np.sum(d * mu**2, -1) / np.sqrt(np.sum(mu**2, -1) * np.sum(d**2 * (mu**2 + s**2), -1))


def alignment_of_few(d, mu, s):
    """Return A(d) with the next term in 1/n, for Gaussian noise (delta method on X / Y^(1/2)).

    ``A (1 - Cov / (2 EX EY) + 3 Var / (8 EY^2))``, X = sum d mu g, Y = sum d^2 g^2.
    """
    ex, ey = np.sum(d * mu**2, -1), np.sum(d**2 * (mu**2 + s**2), -1)
    cov = 2 * np.sum(d**3 * mu**2 * s**2, -1)
    var = np.sum(d**4 * (2 * s**4 + 4 * mu**2 * s**2), -1)
    return alignment(d, mu, s) * (1 - cov / (2 * ex * ey) + 3 * var / (8 * ey**2))


def wiener(mu, s):
    """Return ``w = mu^2 / (mu^2 + s^2)``, the weights of largest alignment.

    In the inner product ``<u, v>_Q = sum (mu^2 + s^2) u v`` A(d) is the cosine of d and w, times
    a constant: ``A(d) = A(w) cos_Q(d, w)`` (Cauchy-Schwarz).
    """
    return mu**2 / (mu**2 + s**2)


def best_alignment(mu, s):
    """Return ``A* = A(w) = sqrt(sum mu^2 w / sum mu^2)``: no diagonal D aligns better."""
    return np.sqrt(np.sum(mu**2 * wiener(mu, s), -1) / np.sum(mu**2, -1))


def bayes(m, s):
    """Return ``m / (m + s^2)``: the best weights when only E mu_i^2 = m_i is known, for every n.

    With a prior N(0, m_i) on mu_i the maximiser of E<mu, eps> is the posterior mean's direction.
    InfoSAM with power 2 is this with one m for all, ``m = delta mean s^2``; small m is inverse
    variance, large m is SAM.
    """
    return m / (m + s**2)


def noise_weighting_gain(mu, s):
    """Return ``d/dp log A(s^-p)`` at p = 0: a little noise weighting helps iff this is positive.

    ``E_{mu^2 + s^2}[log s] - E_{mu^2}[log s]`` (weighted means over the parameters): it helps where
    the signal sits in quieter parameters than the noise.
    """
    mean = lambda weight: np.sum(weight * np.log(s), -1) / np.sum(weight, -1)
    return mean(mu**2 + s**2) - mean(mu**2)


def never_hurts_up_to(mu, s, p):
    """Whether A(s^-q) is sure to grow with q on all of [0, p]; sufficient, not necessary.

    The condition is that ``(1 + s^2 / mu^2) s^-p`` does not decrease from a quieter to a noisier
    parameter. The logarithmic derivative of A(s^-q) is a difference of means of log s under two
    weights whose ratio is then monotone in s (Chebyshev's sum inequality).
    """
    order = np.argsort(s, -1)
    ratio = np.take_along_axis((1 + s**2 / mu**2) * s**-p, order, -1)
    return np.all(np.diff(ratio, axis=-1) >= 0, -1)


def lognormal_ratio(p, tau, omega):
    """Return ``A(s^-p) / A(s^-p*) = exp(-omega^2 (p - p*)^2 / 2)``, ``p* = 2 (1 - tau)``.

    For log s ~ N(0, omega^2), signal |mu| ~ s^tau and a small signal-to-noise ratio. The best power
    is 2 (inverse variance) if the signal ignores the noise, 0 (SAM) if it grows in proportion;
    p = 1 loses least in the worst case over 0 <= tau <= 1. Moments of the lognormal law.
    """
    return np.exp(-(omega**2) * (p - 2 * (1 - tau)) ** 2 / 2)


def constant_signal_thresholds(s):
    """Return (m_1, m_2): at constant signal mu^2 = m, s^-1 beats SAM iff m < m_1, s^-2 iff m < m_2.

    ``m_1 = (K^2 V - 1) / (H - K^2)``, ``m_2 = H (H V - 1) / Var(s^-2)`` with the means K of 1/s,
    H of 1/s^2 and V of s^2. Algebra on A(d)^2.
    """
    k, h, v = (np.mean(s**power, -1) for power in (-1.0, -2.0, 2.0))
    return (k**2 * v - 1) / (h - k**2), h * (h * v - 1) / np.var(s**-2.0, -1)


def estimation_factor(nu, p):
    """Return the factor on A(s^-p) if s^2 is replaced by an independent estimate s^2 chi^2_nu / nu.

    ``E u / sqrt(E u^2)`` of ``u = (chi^2_nu)^(-p/2)``, about ``1 - p^2 / (4 (nu - 2))``; 0 if E u^2
    is infinite (nu <= 2p). Moments of the chi-square law.
    """
    if nu <= 2 * p:
        return 0.0
    log_moment = lambda power: lgamma(nu / 2 + power) - lgamma(nu / 2)
    return exp(log_moment(-p / 2) - log_moment(-p) / 2)


@dataclass(frozen=True)
class PastNoiseWeights(NoiseWeights):
    """``D = v_{t-1}^(-power/2)``: noise weights that do not look at the gradient they weigh."""

    def weigh(self, w, g, v, state):
        _, new = super().weigh(w, g, v, state)
        if state is None:
            return v, new
        return v * np.where(state.v > 0, state.v, 1.0) ** (-self.power / 2), new


def past_noise_alignment(mu, s, theta, power):
    """Return A(s^-power) times the cost of `estimation_factor`, for `PastNoiseWeights`.

    InfoSAM without its floor, whose v_t holds the new gradient itself, aligns *better*
    (`infosam_alignment` with delta = 0): a gradient far off its average gets a small weight.
    """
    return estimation_factor(degrees_of_freedom(theta), power) * alignment(s**-power, mu, s)


def collapse(p):
    """Return the limit of ``E sum_i (eps_i / rho)^4`` when s is estimated from one difference.

    ``1 - 1/(2p)`` for ``D = |g - d|^-p``, p > 1/2, and any noise density positive at 0; 0 would be
    spread out, 1 a single parameter. ``|z|^-2p`` has a tail of index 1/(2p) < 1, so that a few
    terms carry the whole sum (participation ratio of a stable law).
    """
    check_range("p", p, 0.5)
    return 1 - 1 / (2 * p)


def vasso_alignment(mu, s, theta):
    """Return ``||mu|| / sqrt(||mu||^2 + phi S)``: averaging leaves phi of the noise.

    The best weights on the average are ``wiener(mu, sqrt(phi) s)``.
    """
    return alignment(1.0, mu, np.sqrt(steady_variance(theta)) * s)


def friendly_alignment(mu, s, sigma, lmbda):
    """Return FriendlySAM's ``(1-sigma) ||mu|| / sqrt((1-sigma)^2 ||mu||^2 + (1 + sigma^2 phi) S)``.

    It subtracts sigma times the old average (Li et al. 2024): at sigma = 1 the alignment is gone,
    by design. phi is that of theta = 1 - lmbda.
    """
    left = (1 - sigma) * np.linalg.norm(mu, axis=-1)
    noise = (1 + sigma**2 * steady_variance(1 - lmbda)) * np.sum(s**2, -1)
    return left / np.sqrt(left**2 + noise)


def infosam_alignment(mu, s, theta=0.1, delta=1.0, power=2.0):
    """Return the steady alignment of InfoSAM, the cost of estimating the noise included.

    ``E <D g, mu> / (||mu|| sqrt(E ||D g||^2))`` with ``D = (v + delta mean v)^(-power/2)`` and
    Gaussian noise. The new noise xi ~ N(0, 1), that of the old average zeta ~ N(0, phi) and the old
    variance ``v' = (1 - phi) s^2 chi^2_nu / nu`` are taken as independent, and v holds the new
    gradient itself: ``v = (1 - theta) (v' + theta s^2 (xi - zeta)^2)``. The expectation is Gauss
    quadrature in the three.
    """
    return _under_noise_weights(mu, s, theta, delta, power, lambda xi, zeta: xi)


def infosam_on_vasso_alignment(mu, s, theta=0.1, delta=1.0, power=2.0):
    """Return the same for InfoSAM's weights on VaSSO's average, ``D = NoiseWeights Averaged``.

    Within one percent only: here the dependence of zeta and v' is felt.
    """
    average = lambda xi, zeta: (1 - theta) * zeta + theta * xi
    return _under_noise_weights(mu, s, theta, delta, power, average)


def _under_noise_weights(mu, s, theta, delta, power, noise, nodes=8):
    from scipy.special import roots_genlaguerre, roots_hermitenorm

    phi, nu = steady_variance(theta), degrees_of_freedom(theta)
    z, wz = roots_hermitenorm(nodes)
    c, wc = roots_genlaguerre(nodes, nu / 2 - 1)
    xi, zeta, chi2 = z[:, None, None], sqrt(phi) * z[:, None], 2 * c
    weight = wz[:, None, None] * wz[:, None] * wc
    expected = lambda u: np.sum(weight * u, (-3, -2, -1)) / np.sum(weight)

    v = (1 - theta) * ((1 - phi) * chi2 / nu + theta * (xi - zeta) ** 2)  # in units of s^2
    floor = delta * (1 - phi) * np.mean(s**2, -1, keepdims=True)
    m, sd, floor = (np.asarray(u)[..., None, None, None] for u in (mu, s, floor))
    d, g = (sd**2 * v + floor) ** (-power / 2), m + sd * noise(xi, zeta)
    first = np.sum(expected(d * g * m), -1)
    second = np.sum(expected((d * g) ** 2), -1)
    return first / np.sqrt(np.sum(mu**2, -1) * second)


def lognormal_noise(omega, tau, n, snr=0.01):
    """Return (mu, s): log s at the n midquantiles of N(0, omega^2), |mu| ~ s^tau.

    ``snr`` is ``||mu||^2 / sum s^2``, and sum s^2 = n.
    """
    from scipy.special import ndtri

    s = np.exp(omega * ndtri((np.arange(n) + 0.5) / n))
    s, mu = s / np.sqrt(np.mean(s**2)), s**tau
    return mu * np.sqrt(snr / np.mean(mu**2)), s


def measure_cosines(rule, mu, s, draws=40, steps=0, seed=0):
    """Return ``cos(eps_t, mu)`` at t = ``steps`` of ``draws`` independent runs at fixed weights."""
    stream = gradients(mu, s, (draws, mu.shape[-1]), seed)
    w = np.zeros((draws, mu.shape[-1]))
    state = rule.init(w)
    for _, g in zip(range(steps + 1), stream, strict=False):
        eps, state = rule.perturb(w, g, state)
    return unit(eps) @ unit(mu)


def measure_plug_in(
    theta=0.1, power=1.0, omega=0.4, snr=0.04, n=5000, draws=40, seed=0
) -> list[Comparison]:
    """Compare noise weights s^-power estimated without and with the gradient that they weigh."""
    mu, s = lognormal_noise(omega, 0.0, n, snr)
    past = PreSAM(1.0, PastNoiseWeights(theta, 0.0, power))
    cosine = lambda rule: measure_cosines(rule, mu, s, draws, 45, seed).mean()
    return [
        Comparison("alignment, noise estimated without the gradient weighed",
                   past_noise_alignment(mu, s, theta, power), cosine(past)),
        Comparison("alignment, noise estimated with it",
                   infosam_alignment(mu, s, theta, 0.0, power),
                   cosine(InfoSAM(1.0, theta, 0.0, power))),
    ]  # fmt: skip


class Alignments(NamedTuple):
    """Curves over the heterogeneity of the noise: one array over ``omega`` for each method."""

    omega: np.ndarray
    predicted: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    standard_error: dict[str, np.ndarray]

    def comparisons(self) -> list[Comparison]:
        return [
            Comparison(f"alignment of {name}", line, self.measured[name])
            for name, line in self.predicted.items()
        ]


def measure_alignments(
    omega=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0), tau=0.0, theta=0.1, snr=0.04, n=3000, draws=16, seed=0
) -> Alignments:
    """Run SAM, VaSSO, InfoSAM and the last two together, 45 steps at fixed weights, for each omega.

    ``tau = 0``: the signal ignores the noise, and InfoSAM gains. ``tau = 1``: it grows with the
    noise, and InfoSAM loses.
    """
    both = Composed(NoiseWeights(theta, delta=1.0, power=2.0), Averaged(theta))
    rules = {
        "SAM": SAM(1.0),
        "VaSSO": VaSSO(1.0, theta),
        "InfoSAM": InfoSAM(1.0, theta),
        "InfoSAM on VaSSO": PreSAM(1.0, objective=both),
    }
    theory = {
        "SAM": lambda mu, s: alignment(1.0, mu, s),
        "VaSSO": lambda mu, s: vasso_alignment(mu, s, theta),
        "InfoSAM": lambda mu, s: infosam_alignment(mu, s, theta),
        "InfoSAM on VaSSO": lambda mu, s: infosam_on_vasso_alignment(mu, s, theta),
    }
    models = [lognormal_noise(om, tau, n, snr) for om in omega]
    predicted = {name: np.array([f(mu, s) for mu, s in models]) for name, f in theory.items()}
    cosines = {
        name: np.array(
            [measure_cosines(rule, *m, draws, 45, seed + i) for i, m in enumerate(models)]
        )
        for name, rule in rules.items()
    }
    mean = {name: c.mean(-1) for name, c in cosines.items()}
    error = {name: c.std(-1, ddof=1) / np.sqrt(draws) for name, c in cosines.items()}
    return Alignments(np.asarray(omega), predicted, mean, error)
