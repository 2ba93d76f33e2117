"""Noise linearises SAM: the two-cycle dissolves, and the radius turns into a factor.

On a quadratic with Hessian A and additive noise ``g = A x + s N(0, I)`` in n dimensions, the
*mean* perturbation is short where the noise is larger than the gradient. So near the minimum SAM
moves on average like unnormalised SAM, ``E h = A (I + rho c A) x``, and does not jump across.
Derived here, from the mean of a Gaussian vector projected to the sphere.
"""

from __future__ import annotations

from math import exp, lgamma, sqrt
from typing import Any, NamedTuple

import numpy as np

from minisam.optimizers import SGD
from minisam.presam import SAM, SharpnessAware
from minisam.theory.comparison import Comparison
from minisam.theory.noisy import Additive
from minisam.theory.problems import DiagonalQuadratic, check_range
from minisam.theory.trajectory import trajectory


def mean_unit(k, n):
    """Return the length of ``E unit(g)`` for g ~ N(mu, s^2 I) in n dimensions, ``k = ||mu|| / s``.

    ``k Gamma((n+1)/2) / (sqrt(2) Gamma(n/2+1)) 1F1(1/2; n/2+1; -k^2/2)``, along mu: grows
    linearly with the gradient (unnormalised SAM) while k^2 << n, and saturates at 1 (SAM) when
    k^2 >> n. Exact; an integral over the radius of g gives the confluent hypergeometric function.
    """
    from scipy.special import hyp1f1

    slope = exp(lgamma((n + 1) / 2) - lgamma(n / 2 + 1)) / sqrt(2)
    return slope * k * hyp1f1(0.5, n / 2 + 1, -np.square(k) / 2)


def mean_inverse_length(n, s):
    """Return ``c = (1 - 1/n) Gamma((n-1)/2) / (sqrt(2) s Gamma(n/2))``, E unit(g) = c mu + O(mu^3).

    Near the minimum SAM is unnormalised SAM with radius rho c. The derivative of unit at xi is
    ``(I - u u^T) / ||xi||``, whose mean is ``(1 - 1/n) E[1/||xi||] I``; n >= 2.
    """
    check_range("n", n, 2)
    return (1 - 1 / n) * exp(lgamma((n - 1) / 2) - lgamma(n / 2)) / (sqrt(2) * s)


def contraction(lr, lam, rho, n, s):
    """Return ``m = 1 - lr lam (1 + rho c lam)``: E x_{t+1} = m x_t near the minimum, A = lam I.

    Also the correlation of successive iterates: positive for small lr, where the noiseless
    two-cycle has -1.
    """
    check_range("rho", rho, 0)
    return 1 - lr * lam * (1 + rho * lam * mean_inverse_length(n, s))


def second_moment(lr, lam, rho, n, s):
    """Return E x_i^2 in the stationary state of SAM, A = lam I, to leading order in ||A x|| / s.

    ``lr^2 (s^2 + 2 rho lam E||xi|| / n + rho^2 lam^2 / n) / (1 - m^2)``: the perturbation is
    parallel to the noise, and so adds to it. rho = 0 is SGD. Raises ValueError where |m| > 1: there
    is no stationary state.
    """
    m = contraction(lr, lam, rho, n, s)
    check_range("1 - lr lam (1 + rho c lam)", m, -1, 1)
    length = s * sqrt(2) * exp(lgamma((n + 1) / 2) - lgamma(n / 2))  # E||xi||
    noise = s**2 + 2 * rho * lam * length / n + (rho * lam) ** 2 / n
    return lr**2 * noise / (1 - m**2)


def mean_step(noisy, x, rho, draws, seed):
    """Return the mean of SAM's second gradient at x, (n,), and its standard errors, (n,).

    Noise comes in pairs +xi, -xi, which cancels most of its effect.
    """
    opt = SharpnessAware(SAM(rho), SGD(0.0))
    xi = noisy.s * np.random.default_rng(seed).standard_normal((draws, x.shape[-1]))
    w = np.broadcast_to(x, xi.shape)
    h = np.mean([opt.step(w, noisy.tilted(z), opt.init(w))[2].g_perturbed for z in (xi, -xi)], 0)
    return h.mean(0), h.std(0, ddof=1) / sqrt(draws)


class Linearised(NamedTuple):
    """The mean perturbation against the distance to the minimum, in units of rho."""

    k: np.ndarray  # ||A x|| / s
    predicted: np.ndarray
    linear: np.ndarray  # the leading order, c s k
    measured: np.ndarray
    standard_error: np.ndarray

    def comparisons(self) -> list[Comparison]:
        return [Comparison("mean perturbation / rho", self.predicted, self.measured)]


def measure_linearised(
    k=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0), n=20, s=0.5, lam=2.0, rho=0.1, draws=20_000, seed=0
) -> Linearised:
    """Measure ``E ||eps|| / rho`` along the gradient, at ``||A x|| = k s``, on A = lam I."""
    noisy, k = Additive(DiagonalQuadratic(np.full(n, lam)), s), np.asarray(k)
    mean, error = [], []
    for i, size in enumerate(k):
        x = size * s / lam * np.eye(n)[0]
        h, se = mean_step(noisy, x, rho, draws, seed + i)
        mean.append((h[0] / lam - x[0]) / rho)
        error.append(se[0] / (lam * rho))
    linear = mean_inverse_length(n, s) * s * k
    return Linearised(k, mean_unit(k, n), linear, np.array(mean), np.array(error))


class Stationary(NamedTuple):
    """What stays of SAM's two-cycle under noise: comparisons, with standard errors."""

    second_moment: Comparison
    correlation: Comparison
    standard_error: tuple[Any, Any]


def measure_stationary(
    lr=0.05, lam=1.0, rho=0.3, n=20, s=1.0, runs=600, steps=400, seed=0
) -> Stationary:
    """Run SAM around the minimum, from the stationary state that is predicted."""
    problem, rng = DiagonalQuadratic(np.full(n, lam)), np.random.default_rng(seed)
    size = second_moment(lr, lam, rho, n, s)
    x = sqrt(size) * rng.standard_normal((runs, n))
    noisy = Additive(problem, s)
    grads = (noisy.draw(rng, x) for _ in range(steps))
    path = trajectory(SharpnessAware(SAM(rho), SGD(lr)), x, grads)[steps // 4 :]
    squares = np.mean(path[:-1] ** 2, (0, 2))  # one for each run
    products = np.mean(path[:-1] * path[1:], (0, 2))
    m = contraction(lr, lam, rho, n, s)
    errors = np.std(squares), np.std(products / squares.mean() - m * squares / squares.mean())
    return Stationary(
        Comparison("E x_i^2 of SAM at rest", size, squares.mean()),
        Comparison("correlation of x_t and x_{t+1}", m, products.mean() / squares.mean()),
        (errors[0] / sqrt(runs), errors[1] / sqrt(runs)),
    )
