# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Noise spoils the ascent: infoSAM
#
# **The question.** SAM looks for the worst point around $w$ with a *minibatch* gradient. Its noise turns $\varepsilon$ away from
# where the loss really rises. How badly, and can one do better by trusting quiet components more than noisy ones?
#
# **You will build** infoSAM (Zhang, Li & Giannakis 2025), find out exactly when such a weighting helps and when it
# cannot, and then face a real network, in which one of the two is the case.
#
# | symbol | meaning | shape |
# |---|---|---|
# | $w$, $\varepsilon$, $\rho$ | weights, perturbation, radius of the ball | $(n,)$, $(n,)$, number |
# | $\mu = \nabla f(w)$ | the true (full-batch) gradient, the *signal* | $(n,)$ |
# | $g = \mu + \xi$ | a minibatch gradient | $(n,)$ |
# | $s_i$ | standard deviation of the noise $\xi_i$ | $(n,)$ |
# | $d$ | weights, the diagonal of $D$: $\varepsilon = \rho\, d\odot g / \lVert d \odot g\rVert$ | $(n,)$ |
# | $A$ | *alignment*: the mean cosine between $\varepsilon$ and $\mu$ | number in $[-1, 1]$ |

# %%
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import minisam as ms
from minisam import laws
from minisam.laws.classroom import check, differs, obey

seeds = st.integers(0, 99)


def norm(u):
    return np.linalg.norm(u, axis=-1)


def signal_and_noise(seed, n=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.uniform(0.2, 3, n)


# %% [markdown]
# ## 5.1 How much is lost
#
# The paper calls it *adversarial model degradation*: the gain that $\varepsilon$ achieves on the real loss is
# $\langle \mu, \varepsilon\rangle = \rho \lVert\mu\rVert \cos(\varepsilon, \mu)$, and the cosine is what noise eats. In many dimensions
# sums are close to their means, so replace numerator and denominator of the cosine by theirs,
# $\mathbb E\,\langle d\odot g, \mu\rangle = \sum d_i\mu_i^2$ and
# $\mathbb E\,\lVert d \odot g\rVert^2 = \sum d_i^2(\mu_i^2 + s_i^2)$:
#
# $$A(d) = \frac{\sum_i d_i \mu_i^2}{\lVert\mu\rVert \sqrt{\sum_i d_i^2 (\mu_i^2 + s_i^2)}}. \tag{1}$$
#
# **Exercise 5.1.** Write (1).

# %% exercise="5.1" eq="(1)"
def alignment(d, mu, s):
    """Return A(d), a number, for weights, signal and noise (n,)."""
    ### BEGIN SOLUTION
    return (d * mu**2).sum() / (norm(mu) * np.sqrt((d**2 * (mu**2 + s**2)).sum()))
    ### END SOLUTION


# %% check="5.1" points=2
def what_a_simulation_finds(seed):
    rng = np.random.default_rng(seed)
    mu, s = signal_and_noise(seed, 2000)
    d = rng.uniform(0.5, 2, 2000)
    eps = d * (mu + s * rng.standard_normal((100, 2000)))
    measured = np.mean(eps @ mu / norm(eps) / norm(mu))
    wrong = differs("A(d)", alignment(d, mu, s), measured, 0.03)
    return wrong and wrong.replace("should be", "the mean cosine of 100 simulated gradients is")


def without_noise(seed):
    mu, _ = signal_and_noise(seed)
    return differs("A(d) for s = 0 and equal weights", alignment(np.ones(4), mu, np.zeros(4)), 1.0)


check(what_a_simulation_finds, seed=seeds, examples=20)
check(without_noise, seed=seeds)

# %% [markdown]
# ## 5.2 The best weights
#
# If somebody told us $\mu$ and $s$: which $d$ makes (1) largest? Write $Q_i = \mu_i^2 + s_i^2$. Then (1) is, up to a factor, the cosine between $d$ and
# some vector $d^*$ in the inner product $\sum Q_i a_i b_i$; it is largest for $d = d^*$. Find $d^*$: these are the *Wiener weights* of
# signal processing, between 0 and 1.
#
# **Exercise 5.2.** Write $d^*$.
#
# $$d^*_i = \; ? \tag{2}$$

# %% exercise="5.2" eq="(2)"
def best_weights(mu, s):
    """Return the weights (n,) of largest alignment."""
    ### BEGIN SOLUTION
    return mu**2 / (mu**2 + s**2)
    ### END SOLUTION


# %% check="5.2" points=2
def no_better_weights(seed):
    mu, s = signal_and_noise(seed)
    best = best_weights(mu, s)
    for other in np.random.default_rng(seed).exponential(size=(200, 4)):
        if alignment(other, mu, s) > alignment(best, mu, s) + 1e-12:
            return (
                f"weights {other.round(2)} have alignment {alignment(other, mu, s):.4f}, "
                f"yours have {alignment(best, mu, s):.4f}; mu = {mu.round(2)}, s = {s.round(2)}"
            )
    return None


check(no_better_weights, seed=seeds)

# %% [markdown]
# ## 5.3 Measure the noise
#
# Nobody tells us $s$. But gradients of successive minibatches scatter around their running average, and that can be measured
# on the way, component by component:
#
# $$r = g_t - d_{t-1}, \qquad d_t = d_{t-1} + \theta r, \qquad v_t = (1-\theta)(v_{t-1} + \theta r^2), \tag{3}$$
#
# with $d_0 = g_0$, $v_0 = 0$, and $\theta$ the weight of the newest gradient. This $v_t$ is *exactly* the weighted sample variance $\sum_k \omega_k (g_k - d_t)^2$ of the gradients seen,
# with weights that fade by $1-\theta$ per step. If $\mu$ and $s$ do not change, its mean is a known multiple of $s^2$.
#
# (Here $d_t$ is the average of lesson 4, not a weight.)
#
# **Exercise 5.3.** Write one update of (3). At the first step `d` and `v` are `None`.

# %% exercise="5.3" eq="(3)"
def update(d, v, g, theta):
    """Return the new average d_t and variance v_t, both (n,)."""
    ### BEGIN SOLUTION
    if d is None:
        return g, np.zeros_like(g)
    r = g - d
    return d + theta * r, (1 - theta) * (v + theta * r**2)
    ### END SOLUTION


# %% check="5.3" points=2
def is_the_weighted_variance(seed, steps, theta):
    gs = np.random.default_rng(seed).standard_normal((steps, 3))
    d = v = None
    for g in gs:
        d, v = update(d, v, g, theta)
    weights = theta * (1 - theta) ** np.arange(steps)[::-1]
    weights[0] = (1 - theta) ** (steps - 1)
    mean = weights @ gs
    return differs(f"d after step {steps}", d, mean) or differs(
        f"v after step {steps}", v, weights @ (gs - mean) ** 2, 1e-9
    )


thetas = st.sampled_from([0.5, 0.1])
check(is_the_weighted_variance, seed=seeds, steps=st.sampled_from([1, 2, 6]), theta=thetas)

# %% [markdown]
# ## 5.4 infoSAM
#
# The *information* that a noisy measurement carries about its mean is 1/variance. infoSAM weights by it, as an objective preconditioner
# ($C = I$):
#
# $$D g = \frac{g}{\big(v_t + \delta\, \bar v_t\big)^{p/2}}, \qquad p = 2,\; \delta = 1. \tag{4}$$
#
# $\bar v_t$ is the mean of $v_t$ over the components with $v_t > 0$. While nothing is known (all $v = 0$), $D = I$.
# Why the *floor* $\delta \bar v$? In the first steps $v_t$ rests on one or two residuals, and without the floor the one component whose
# estimate happens to be smallest would take most of $\varepsilon$. And if all $\mu_i^2$ were equal to $\delta \bar v$, (4) would be the Wiener weights (2), up to a factor.
# As $\delta \to \infty$ it becomes SAM.
#
# (Weighting components by estimated noise is the paper's; the estimator (3) and the floor are this library's reading of it.)
#
# **Exercise 5.4.** Write $Dg$ of (4).

# %% exercise="5.4" eq="(4)"
def weigh(g, v, delta, power):
    """Return D g (n,)."""
    ### BEGIN SOLUTION
    if not (v > 0).any():
        return g
    spread = v + delta * v[v > 0].mean()
    return g / np.where(spread > 0, spread, v[v > 0].mean()) ** (power / 2)
    ### END SOLUTION


# %% check="5.4" points=3
def my_infosam(rho, lr, theta, delta, power):
    d = v = None

    def step(w, grad):
        nonlocal d, v
        g = grad(w)
        d, v = update(d, v, g, theta)
        with np.errstate(all="ignore"):
            u = weigh(g, v, delta, power)
        length = norm(u)
        return w - lr * grad(w + (rho * u / length if length > 0 else 0 * u))

    return step


obey(my_infosam, "info", laws.definition, laws.degenerate, laws.reductions_to_sam, laws.noise_weights)
### BEGIN HIDDEN TESTS
assert laws.judge(my_infosam, "info", examples=8).ok
### END HIDDEN TESTS

# %% [markdown]
# ## 5.5 When does it help?
#
# Take a gentle weighting, $d_i = s_i^{-p}$ with a tiny $p > 0$. Does $A$ go up or down, compared with SAM ($p = 0$)? Differentiate
# $\log A$ by $p$ at 0. Only two weighted means of $\log s$ survive:
#
# $$\frac{d \log A}{dp}\bigg|_0 = \frac{\sum_i (\mu_i^2 + s_i^2) \log s_i}{\sum_i (\mu_i^2 + s_i^2)} - \frac{\sum_i \mu_i^2 \log s_i}{\sum_i \mu_i^2}. \tag{5}$$
#
# In words: it helps if and only if **the signal sits in quieter components than the noise does**.
#
# **Exercise 5.5.** Write the right-hand side of (5).

# %% exercise="5.5" eq="(5)"
def gain(mu, s):
    """Return the derivative (5) of log A: positive if a little noise weighting helps."""
    ### BEGIN SOLUTION
    energy = mu**2 + s**2
    return (energy * np.log(s)).sum() / energy.sum() - (mu**2 * np.log(s)).sum() / (mu**2).sum()
    ### END SOLUTION


# %% check="5.5" points=2
def is_the_slope(seed):
    mu, s = signal_and_noise(seed)
    t = 1e-5
    slope = (np.log(alignment(s**-t, mu, s)) - np.log(alignment(s**t, mu, s))) / (2 * t)
    wrong = differs("gain", gain(mu, s), slope, 1e-5)
    return wrong and wrong.replace("should be", "by differences of log A the slope is")


check(is_the_slope, seed=seeds)

# %% [markdown]
# ## A toy that is built for it, and one that is built against it
#
# Noise levels $s_i$ scattered over orders of magnitude, and a signal $\lvert\mu_i\rvert \propto s_i^{\tau}$:
# with $\tau = 0$ the signal does not care where the noise is, with $\tau = 1$ it sits exactly in the noisy components.

# %%
rng = np.random.default_rng(0)
s = np.exp(0.7 * rng.standard_normal(20000))
powers = np.linspace(0, 2.5, 26)
toys = {}
for tau in (0.0, 0.5, 1.0):
    mu = 0.3 * s**tau
    theory = [alignment(s**-p, mu, s) for p in powers]
    measured = []
    for p in powers[::5]:
        u = s**-p * (mu + s * rng.standard_normal((10, 20000)))
        measured.append(np.mean(u @ mu / norm(u) / norm(mu)))
    toys[tau] = theory, measured
    print(f"tau = {tau}: gain {gain(mu, s):+.2f}, alignment SAM {theory[0]:.2f}, 1/std {theory[10]:.2f}, "
          f"1/var {theory[20]:.2f}, best possible {alignment(best_weights(mu, s), mu, s):.2f}")

# %% [markdown]
# ## Write down what you expect
#
# Now a real network: digits with 30 % wrong labels. For each of its 2410 parameters we can compute the true gradient $\mu_i$ and the
# noise $s_i$ of minibatches of 60.
#
# 1. A parameter that matters has large gradients, on some examples up and on others down. So is $\lvert\mu_i\rvert$ larger or smaller where $s_i$
#    is large? What is then the sign of (5)?
# 2. Rank the alignment of SAM, VaSSO and infoSAM at the end of training.
# 3. Rank their test accuracy.

# %%
X, y = load_digits(return_X_y=True)
X = (X / 16 - 0.3).astype("float32")
rng = np.random.default_rng(0)
order = rng.permutation(len(y))
X_test, y_test = X[order[600:]], y[order[600:]]
X, y = X[order[:600]], y[order[:600]].copy()
noisy = rng.random(600) < 0.3
y[noisy] = (y[noisy] + rng.integers(1, 10, noisy.sum())) % 10

net = ms.MLP((64, 32, 10), activation="tanh")
seeds_run, radii, epochs = 5, np.array([0.6, 1.2, 1.8], dtype="float32"), 60
rho = np.repeat(radii, seeds_run)[:, None]  # 15 runs, advanced together as a population
methods = {
    "SAM": (ms.SAM(1.0), "#0072B2"),
    "VaSSO": (ms.VaSSO(1.0), "#009E73"),
    "InfoSAM": (ms.InfoSAM(1.0), "#D55E00"),
}
aligned, accuracy, finals = {}, {}, {}
for name, (rule, _) in methods.items():
    opt = ms.SharpnessAware(rule, ms.SGD(lr=0.1, momentum=0.9))
    w = np.tile(net.init(0, lead=(seeds_run,)), (len(radii), 1))
    state, aligned[name] = opt.init(w), []
    batches = np.random.default_rng(1)
    for epoch in range(epochs):
        for batch in batches.permutation(600).reshape(10, 60):
            before, lr = w, 0.1 * (1 - epoch / epochs)
            grad = lambda v, b=batch: net.loss_and_grad(v, X[b], y[b])
            w, state, seen = opt.step(w, grad, state, lr=lr, rho=rho)
        _, mu = net.loss_and_grad(before, X, y)
        aligned[name].append(np.mean((seen.eps * mu).sum(-1) / norm(seen.eps) / norm(mu)))
    accuracy[name] = (net(w, X_test).argmax(-1) == y_test).mean(-1).reshape(len(radii), seeds_run)
    finals[name] = w

print("test accuracy, mean of 5 starting points and 95 % interval")
print("rho     " + "".join(f"{name:>18s}" for name in methods))
for i, radius in enumerate(radii):
    cells = [f"{a[i].mean():.3f} +- {2.776 * a[i].std(ddof=1) / 5**0.5:.3f}" for a in accuracy.values()]
    print(f"{radius:.1f}     " + "".join(f"{cell:>18s}" for cell in cells))
for name in ("VaSSO", "InfoSAM"):
    gap = accuracy[name] - accuracy["SAM"]
    cells = [f"{d.mean():+.3f} +- {2.776 * d.std(ddof=1) / 5**0.5:.3f}" for d in gap]
    print(f"{name} minus SAM, start by start, rho = 0.6, 1.2, 1.8:  " + "   ".join(cells))
ends = [f"{name} {np.mean(a[-10:]):.2f}" for name, a in aligned.items()]
print("alignment, mean over the last 10 epochs: " + ", ".join(ends))

# %%
def statistics(w, batch=60):
    """Return signal and noise (n,) of a minibatch gradient at w, from all single-example gradients."""
    each = net.loss_and_grad(w.astype("float64"), X[:, None].astype("float64"), y[:, None])[1]
    mu, s = each.mean(0), each.std(0) * np.sqrt((1 - batch / len(X)) / batch)
    return mu[s > 0], s[s > 0]


print("after SAM with rho = 1.2, five starting points:")
print("|mu| ~ s^tau with tau   (5)     alignment by (1): SAM   1/std   1/(var + mean)   best possible")
for w in finals["SAM"][5:10]:
    mu, s = statistics(w)
    tau = np.polyfit(np.log(s), np.log(np.abs(mu) + 1e-12), 1)[0]
    weights = np.ones_like(s), 1 / s, 1 / (s**2 + np.mean(s**2)), best_weights(mu, s)
    row = [alignment(d, mu, s) for d in weights]
    print("{:18.1f}     {:+.2f}  {:24.2f}  {:6.2f}  {:13.2f}  {:14.2f}".format(tau, gain(mu, s), *row))

# %%
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(14.5, 4.4), layout="constrained")
for (tau, (theory, measured)), color in zip(toys.items(), ["#E69F00", "#56B4E9", "#CC79A7"], strict=True):
    left.plot(powers, theory, color=color, lw=2)
    left.plot(powers[::5], measured, "o", color=color)
    left.text(2.6, theory[-1], rf"$\tau={tau:g}$", color=color, va="center")
left.set(xlabel="power $p$ of the weights $s^{-p}$   (0 is SAM)", ylabel="alignment", xlim=(0, 3.05))
left.set(title="Theory (lines) and simulation (dots)")

middle.loglog(s, np.abs(mu), ".", color="#0072B2", alpha=0.25, ms=4)
middle.set(xlabel="noise $s_i$ of a minibatch gradient", ylabel=r"signal $|\mu_i|$", ylim=(1e-6, None))
middle.set(title="A real network: signal where the noise is")

for name, (_, color) in methods.items():
    right.plot(aligned[name], color=color, lw=2)
    right.text(epochs + 0.5, np.mean(aligned[name][-8:]), name, color=color, va="center")
right.set(xlabel="epoch", ylabel=r"cosine of $\varepsilon$ and the true gradient", xlim=(0, epochs + 13))
right.set(title="Averaging aligns, weighting does not")
plt.show()

# %% [markdown]
# ## What this means
#
# * In this network the noise of a gradient component grows with its signal: $\tau$ is near 1. Then (5) is close to zero, so a gentle
#   weighting gains next to nothing, and at the full strength of $p = 1$ or 2 the curve has turned down long ago (compare $\tau = 1$ on
#   the left). Weighting by 1/noise turns $\varepsilon$ *away* from the true gradient. Averaging (VaSSO) turns it towards it.
# * And yet look at the accuracies. VaSSO, the best aligned, is at no radius better than SAM and at the two larger ones worse;
#   InfoSAM, the worst aligned, is at no radius worse beyond its interval and at the two smaller ones a little better.
#   **Alignment is not generalization.** Alignment asks how well $\varepsilon$ climbs the full-batch loss; accuracy asks what
#   training with it leads to. (FriendlySAM, Li et al. 2024, even removes from $g$ the part that alignment measures, and its authors
#   report gains.)
# * What the table does *not* show is a ranking of methods. The five runs differ in their starting weights alone: one data set, one
#   draw of wrong labels, three radii that nobody tuned, $\theta$ and $\delta$ left as they are. It is enough to refute "better
#   aligned, therefore better", and no more. `minisam compare` tunes each method on a validation set.
# * A prediction that can fail is worth more than a story that cannot. Where could infoSAM's weighting help? Build the case:
#   (5) tells you what to look for.
#
# **Next:** what can be *proved* about all these methods at once?
