"""P4: alignment under gradient noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from minisam.theory import alignment as al
from minisam.theory.averages import degrees_of_freedom, weight_sum

seeds = st.integers(0, 2**32 - 1)


def models(seed, count=200, n=6):
    """A population of random signals and noises."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, n)), np.exp(rng.standard_normal((count, n)))


# --- deterministic -----------------------------------------------------------------------------


@given(seeds)
def test_alignment_is_a_cosine_to_the_wiener_weights(seed):
    mu, s = models(seed)
    d = np.exp(np.random.default_rng(seed + 1).standard_normal(mu.shape))
    q, w = mu**2 + s**2, al.wiener(mu, s)
    dot = lambda u, v: np.sum(q * u * v, -1)
    cos = dot(d, w) / np.sqrt(dot(d, d) * dot(w, w))
    np.testing.assert_allclose(al.alignment(d, mu, s), al.best_alignment(mu, s) * cos, rtol=1e-12)
    np.testing.assert_allclose(al.alignment(w, mu, s), al.best_alignment(mu, s), rtol=1e-12)


@given(seeds)
def test_noise_weighting_gain_is_the_derivative(seed):
    mu, s = models(seed)
    log_a = lambda p: np.log(al.alignment(s**-p, mu, s))
    slope = (log_a(1e-5) - log_a(-1e-5)) / 2e-5
    gain = al.noise_weighting_gain(mu, s)
    np.testing.assert_allclose(gain, slope, atol=1e-8)
    clear = abs(gain) > 1e-3
    little = al.alignment(s**-1e-4, mu, s) > al.alignment(1.0, mu, s)
    assert np.array_equal(little[clear], gain[clear] > 0)


@given(seeds)
def test_helps_iff_the_signal_is_in_quieter_parameters(seed):
    mu, s = models(seed)
    mean = lambda weight: np.sum(weight * np.log(s), -1) / np.sum(weight, -1)
    assert np.array_equal(al.noise_weighting_gain(mu, s) > 0, mean(s**2) > mean(mu**2))


@pytest.mark.parametrize("tau", [0.0, 0.25, 0.5, 1.0])
def test_lognormal_law(tau):
    mu, s = al.lognormal_noise(0.5, tau, 200_000, snr=1e-10)
    best = al.alignment(s ** -(2 * (1 - tau)), mu, s)
    for p in (0.0, 0.5, 1.0, 2.0):
        ratio = al.alignment(s**-p, mu, s) / best
        assert ratio == pytest.approx(al.lognormal_ratio(p, tau, 0.5), abs=2e-4)


def test_half_way_is_minimax_for_lognormal_noise():
    tau = np.linspace(0, 1, 11)
    worst = {p: np.min(al.lognormal_ratio(p, tau, 1.0)) for p in (0.0, 0.5, 1.0, 1.5, 2.0)}
    assert max(worst, key=worst.__getitem__) == 1.0


@given(seeds, st.floats(-3, 3))
def test_constant_signal_thresholds(seed, log_m):
    _, s = models(seed)
    mu = np.full_like(s, np.exp(log_m))
    for p, threshold in zip((1, 2), al.constant_signal_thresholds(s), strict=True):
        gain = al.alignment(s ** -float(p), mu, s) / al.alignment(1.0, mu, s) - 1
        clear = abs(gain) > 1e-9
        assert np.array_equal((gain > 0)[clear], (mu[:, 0] ** 2 < threshold)[clear])


@given(seeds, st.floats(0.2, 2.0))
def test_never_hurts_where_it_says_so(seed, p):
    mu, s = models(seed, count=2000, n=4)
    mu = 0.3 * np.where(np.arange(2000)[:, None] % 2, mu, 1.0)  # half of them constant
    safe = al.never_hurts_up_to(mu, s, p)
    assert safe.sum() > 20  # the test is about something
    path = np.stack([al.alignment(s**-q, mu, s) for q in np.linspace(0, p, 9)])
    assert np.all(np.diff(path, axis=0)[:, safe] >= -1e-13)


def test_never_hurts_condition_for_a_constant_signal():
    s = np.linspace(0.1, 1.0, 50)  # SNR_i >= 1: more than p = 1 allows
    assert not al.never_hurts_up_to(np.ones(50), s, 1.0)
    assert al.never_hurts_up_to(np.ones(50), 1 / s, 1.0)  # SNR_i <= 1


def test_examples_won_and_lost():
    """SAM, 1/s, 1/s^2 and the optimum: noise weights can win, and can lose badly."""
    s = np.exp(0.9 * np.random.default_rng(0).standard_normal(2000))
    four = lambda mu: [al.alignment(d, mu, s) for d in (1.0, 1 / s, s**-2.0, al.wiener(mu, s))]
    sam, std, var, best = four(0.01 * np.ones(2000))
    assert sam < std < var <= best
    sam, std, var, best = four(s)
    assert sam == pytest.approx(best) and sam > std > var
    sam, std, var, best = four(10.0 * s.max() * np.ones(2000))
    assert best >= sam > std > var


def test_wrong_formulas_would_be_seen():
    """The checks above, on weights with s for s^2 and with the gain's sign turned."""
    mu, s = models(1)
    slip = np.abs(mu) / (np.abs(mu) + s)
    assert np.max(al.best_alignment(mu, s) - al.alignment(slip, mu, s)) > 1e-2
    mean = lambda weight: np.sum(weight * np.log(s), -1) / np.sum(weight, -1)
    assert not np.array_equal(al.noise_weighting_gain(mu, s) > 0, mean(s**2) < mean(mu**2))


# --- measured, with fixed seeds ----------------------------------------------------------------


def diagonal(d):
    return ms.PreSAM(1.0, objective=ms.Diagonal(d))


MU, S = al.lognormal_noise(0.8, 0.3, 20_000, snr=0.2)
FEWER = al.lognormal_noise(0.8, 0.3, 5000, snr=0.2)  # for rules with a memory
FIXED = {"SAM": 0 * S + 1, "1/s": 1 / S, "1/s^2": S**-2.0, "Wiener": al.wiener(MU, S)}


def misses(rule, predicted, model=(MU, S), steps=0):
    """Whether |mean cosine - A| > 6 standard errors + 0.002 (t_39: 5e-7 a look)."""
    cos = al.measure_cosines(rule, *model, steps=steps)
    return abs(cos.mean() - predicted) > 6 * cos.std(ddof=1) / np.sqrt(len(cos)) + 2e-3


@pytest.mark.parametrize("name", FIXED)
def test_cosine_is_the_alignment(name):
    d = FIXED[name]
    assert not misses(diagonal(d), al.alignment(d, MU, S))


@pytest.mark.parametrize("bug", [S**-2.0, S], ids=["p = 2 for p = 1", "multiplied"])
def test_cosine_sees(bug):
    assert misses(diagonal(bug), al.alignment(1 / S, MU, S))


def test_alignment_of_few_parameters():
    mu, s = models(3, count=30, n=4)
    d = 1 / s
    cos = np.array(
        [
            al.measure_cosines(diagonal(d[i]), mu[i], s[i], draws=20_000, seed=i).mean()
            for i in range(30)
        ]
    )
    better = abs(cos - al.alignment_of_few(d, mu, s))
    assert better.max() < 0.02
    assert better.mean() < abs(cos - al.alignment(d, mu, s)).mean()


def test_bayes_weights():
    """For n = 4 already: E<mu, eps> is E||D g||, and no other weights reach it."""
    rng = np.random.default_rng(4)
    m, s = np.array([0.1, 1.0, 1.0, 4.0]), np.array([1.0, 0.3, 2.0, 1.0])
    mu = np.sqrt(m) * rng.standard_normal((400_000, 4))
    g = mu + s * rng.standard_normal(mu.shape)

    def ascent(d):
        eps, _ = diagonal(d).perturb(np.zeros_like(g), g, None)
        return np.sum(eps * mu, -1)

    d = al.bayes(m, s)
    best = ascent(d)
    slack = best - np.linalg.norm(d * g, axis=-1)
    assert abs(slack.mean()) < 5 * slack.std() / np.sqrt(len(g))
    for other in (m / s**2, np.sqrt(d), np.ones(4), d * [1, 1.5, 1, 1], d * [1, 1, 1, 0.7]):
        loss = best - ascent(other)
        assert loss.mean() > 5 * loss.std() / np.sqrt(len(g))


@pytest.mark.parametrize("p, cost", [(1, 0.985), (2, 0.938)])
def test_cost_of_estimating_the_noise(p, cost):
    nu = degrees_of_freedom(0.1)
    factor = al.estimation_factor(nu, p)
    assert factor == pytest.approx(cost, abs=5e-4)
    if p == 2:
        assert factor == pytest.approx(np.sqrt((nu - 4) / (nu - 2)), rel=1e-12)
    estimate = S**2 * np.random.default_rng(5).chisquare(nu, (40, len(S))) / nu
    rule = diagonal(estimate ** (-p / 2))
    assert not misses(rule, factor * al.alignment(S**-p, MU, S))
    assert misses(rule, al.alignment(S**-p, MU, S))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_noise_estimate_with_the_gradient_it_weighs_is_better(power):
    past, plug_in = (
        ms.PreSAM(1.0, al.PastNoiseWeights(0.1, 0.0, power)),
        ms.InfoSAM(1.0, delta=0.0, power=power),
    )
    model = al.lognormal_noise(0.4, 0.0, 5000, snr=0.04)
    without = al.past_noise_alignment(*model, 0.1, power)
    with_it = al.infosam_alignment(*model, delta=0.0, power=power)
    assert not misses(past, without, model, steps=45)
    assert not misses(plug_in, with_it, model, steps=45)
    assert misses(past, with_it, model, steps=45) and misses(plug_in, without, model, steps=45)
    assert without < al.alignment(model[1] ** -power, *model) < with_it
    first, second = al.measure_plug_in(power=power, draws=8)
    assert first.measured < second.measured


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_one_difference_is_no_estimate(p):
    """InfoSAM without its floor, at t = 1: a few parameters take the whole perturbation."""

    def participation(delta):
        rule = ms.InfoSAM(1.0, delta=delta, power=p)
        g = np.random.default_rng(6).standard_normal((2, 1500, 1000))
        _, state = rule.perturb(0 * g[0], g[0], rule.init(g[0]))
        eps, _ = rule.perturb(0 * g[1], g[1], state)
        return np.sum(eps**4, -1).mean()

    tol = 0.07  # Hoeffding: 2 exp(-2 * 1500 * 0.07^2) = 8e-7
    assert abs(participation(delta=0.0) - al.collapse(p)) < tol
    assert participation(delta=1.0) < 0.01


def test_alignment_of_vasso_and_friendly():
    theta = 0.1
    vasso = al.vasso_alignment(*FEWER, theta)
    assert not misses(ms.VaSSO(1.0, theta), vasso, FEWER, steps=45)
    assert misses(ms.VaSSO(1.0, 1 - theta), vasso, FEWER, steps=45)
    for sigma, lmbda in ((0.5, 0.9), (0.5, 0.3), (1.0, 0.9)):
        friendly = al.friendly_alignment(*FEWER, sigma, lmbda)
        assert not misses(ms.FriendlySAM(1.0, sigma, lmbda), friendly, FEWER, steps=45)
        assert misses(ms.FriendlySAM(1.0, sigma / 2, lmbda), friendly, FEWER, steps=45)


@given(seeds, st.floats(0, 0.95), st.floats(0.05, 0.95))
def test_friendly_s_noise_from_its_weights(seed, sigma, lmbda):
    """g_t - sigma m_{t-1} has weight 1 on g_t and -sigma w_k on the gradients before."""
    mu, s = models(seed)
    noise = np.sqrt(1 + sigma**2 * weight_sum(1 - lmbda, 10_000, 2)) * s
    expected = al.alignment(1.0, (1 - sigma) * mu, noise)
    np.testing.assert_allclose(al.friendly_alignment(mu, s, sigma, lmbda), expected, rtol=1e-12)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_alignment_of_infosam(power):
    predicted = al.infosam_alignment(*FEWER, power=power)
    assert not misses(ms.InfoSAM(1.0, power=power), predicted, FEWER, steps=45)
    assert misses(ms.InfoSAM(1.0, power=3 - power), predicted, FEWER, steps=45)
    assert misses(ms.InfoSAM(1.0, delta=10.0, power=power), predicted, FEWER, steps=45)


def test_alignment_of_infosam_on_vasso():
    both = ms.Composed(ms.NoiseWeights(0.1, 1.0, 2.0), ms.Averaged(0.1))
    predicted = al.infosam_on_vasso_alignment(*FEWER)
    assert not misses(ms.PreSAM(1.0, both), predicted, FEWER, steps=45)
    assert misses(ms.VaSSO(1.0), predicted, FEWER, steps=45)


@pytest.mark.parametrize("theta", [0.05, 0.1, 0.3])
def test_model_of_infosam_has_its_degrees_of_freedom(theta):
    """With D = v and hardly any noise, A = E v / sqrt(E v^2) = (1 + 2 / nu)^(-1/2)."""
    a = al.infosam_alignment(np.array([1e6]), np.ones(1), theta, delta=0.0, power=-2.0)
    assert 2 / (1 / a**2 - 1) == pytest.approx(degrees_of_freedom(theta), rel=0.03)


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_alignments_over_heterogeneity(tau):
    curves = al.measure_alignments(np.array([0.0, 0.5, 1.0]), tau)
    for name, predicted in curves.predicted.items():
        near = 0.01 if name == "InfoSAM on VaSSO" else 0.002  # approximate: see its docstring
        error = abs(curves.measured[name] - predicted)
        assert np.all(error <= 6 * curves.standard_error[name] + near), name
    gain = curves.measured["InfoSAM"] / curves.measured["SAM"]
    assert gain[-1] > 1.5 if tau == 0 else gain[-1] < 0.9
