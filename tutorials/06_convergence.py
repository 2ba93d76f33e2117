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
# # 6 · Does it converge?
#
# **The question.** On a bowl, SAM ends in a cycle (lesson 3). On a non-convex, noisy loss, what can be promised? How small does the
# gradient get in $T$ steps, and what does the radius $\rho$ cost?
#
# **You will build** one bound that holds for *every* method of lesson 4 at once, check it without sampling any noise, see a
# rate of $1/\sqrt T$ appear, and see a floor below which no learning rate helps.
#
# | symbol | meaning |
# |---|---|
# | $x$; $T$ | the weights, as toys call them; number of steps |
# | $f = \mathbb E f_\xi$ | the loss; a minibatch $\xi$ gives $g = \nabla f_\xi(x)$, with mean $\nabla f(x)$ and variance at most $\sigma^2$ |
# | $L$ | smoothness: $\lVert\nabla f_\xi(x) - \nabla f_\xi(y)\rVert \le L \lVert x - y\rVert$ |
# | $\varepsilon$ | the perturbation, *any* with $\lVert\varepsilon\rVert \le r = \rho\,\max\lVert C\rVert$ |
# | $h = \nabla f_\xi(x + \varepsilon)$ | what the step uses: $x^+ = x - \eta h$, with learning rate $\eta$ (`lr`) |
# | $G = \lVert\nabla f(x)\rVert$ | how far we are from a stationary point |
# | $\Delta_0 = f(x_0) - \min f$ | how far down there is to go |

# %%
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st

from minisam.laws.classroom import check, differs

seeds = st.integers(0, 199)


def norm(u):
    return np.linalg.norm(u, axis=-1)


# %% [markdown]
# ## 6.1 One step
#
# A smooth function lies below a parabola, so with $x^+ - x = -\eta h$
#
# $$f(x^+) \le f(x) - \eta \langle \nabla f(x), h \rangle + \tfrac{L \eta^2}{2} \lVert h \rVert^2. \tag{1}$$
#
# Take the mean over the minibatch and write $\bar h = \mathbb E h$. Three facts finish the step:
#
# * $-\langle a, b\rangle = \tfrac12\left(\lVert a - b\rVert^2 - \lVert a\rVert^2 - \lVert b\rVert^2\right)$ with $a = \nabla f$, $b = \bar h$;
# * $\lVert \nabla f - \bar h \rVert \le L r$, because $\varepsilon$ is no longer than $r$;
# * $\mathbb E\lVert h\rVert^2 = \lVert\bar h\rVert^2 + \mathrm{Var}\,h$, and $\mathrm{Var}\,h \le (\sigma + L r)^2$.
#
# For $\eta \le 1/L$ the terms with $\lVert\bar h\rVert^2$ together are not positive, and may be dropped:
#
# $$\mathbb E f(x^+) \le f(x) - \frac{\eta}{2} G^2 + \frac{\eta}{2} L^2 r^2 + \frac{L\eta^2}{2} (\sigma + L r)^2. \tag{2}$$
#
# The direction of $\varepsilon$ is nowhere. **No objective preconditioner $D$ can break this bound**, and none can improve it; $C$ enters by its
# largest entry alone.
#
# **Exercise 6.1.** Write the right-hand side of (2) without $f(x)$: the largest possible mean change of the loss.

# %% exercise="6.1" eq="(2)"
def change(G, lr, r, L, sigma):
    """Return the bound on E f(x+) - f(x)."""
    ### BEGIN SOLUTION
    return -lr / 2 * G**2 + lr / 2 * (L * r) ** 2 + L * lr**2 / 2 * (sigma + L * r) ** 2
    ### END SOLUTION


# %% [markdown]
# The check does not simulate. It builds a loss that is a mean of six non-convex functions, $f_i(x) = r_i^2/(1+r_i^2)$ with
# $r_i = a_i^\top x - b_i$, takes a step with *each* of the six, for a random $D$ and $C$, and averages exactly.

# %% check="6.1" points=3
def exact_mean_of_a_step(seed, radius):
    rng = np.random.default_rng(seed)
    a, b, x = rng.standard_normal((6, 3)), rng.standard_normal(6), 2 * rng.standard_normal(3)
    value = lambda x: ((a @ x - b) ** 2 / (1 + (a @ x - b) ** 2)).mean()
    slope = lambda x: (2 * (a @ x - b) / (1 + (a @ x - b) ** 2) ** 2)[:, None] * a  # of each, (6, 3)
    L = 2 * (a**2).sum(1).max()
    gs, D, C = slope(x), *rng.uniform(0.2, 1, (2, 3))
    eps = radius * C**2 * D * gs / norm(C * D * gs)[:, None]
    far = np.array([slope(x + e)[i] for i, e in enumerate(eps)])
    lr = rng.uniform(0.1, 1) / L
    got = np.mean([value(x - lr * h) for h in far]) - value(x)
    G, sigma = norm(gs.mean(0)), np.sqrt((norm(gs - gs.mean(0)) ** 2).mean())
    bound = change(G, lr, radius * C.max(), L, sigma)
    if got > bound + 1e-12:
        return f"the loss changes by {got:.5g} in the mean, your bound says at most {bound:.5g}"
    return None


def tight_without_perturbation(seed):
    G, L, sigma = np.random.default_rng(seed).uniform(0.1, 3, 3)
    want = -G**2 / (2 * L) + sigma**2 / (2 * L)  # a round bowl with lr = 1/L, worked out
    wrong = differs("the bound for r = 0, lr = 1/L", change(G, 1 / L, 0.0, L, sigma), want)
    return wrong and f"{wrong}, which a round bowl attains"


def price_of_the_radius(seed):
    r, L = np.random.default_rng(seed).uniform(0.1, 3, 2)
    got = change(0.0, 1 / L, r, L, 0.0)
    return differs("the bound at a stationary point without noise, lr = 1/L", got, L * r**2)


check(exact_mean_of_a_step, seed=seeds, radius=st.sampled_from([0.0, 0.1, 1.0]), examples=200)
check(tight_without_perturbation, seed=seeds)
check(price_of_the_radius, seed=seeds)

# %% [markdown]
# ## 6.2 $T$ steps
#
# Add up (2) over $T$ steps. On the left $f$ telescopes: it cannot fall by more than $\Delta_0$. Solve for the mean of $G^2$:
#
# $$\frac1T \sum_{t<T} \mathbb E\, G_t^2 \;\le\; \frac{2\Delta_0}{\eta T} + L^2 r^2 + L\eta(\sigma + Lr)^2. \tag{3}$$
#
# **Exercise 6.2.** Write (3).

# %% exercise="6.2" eq="(3)"
def bound(delta0, T, lr, r, L, sigma):
    """Return the bound on the mean of G^2 over T steps."""
    ### BEGIN SOLUTION
    return 2 * delta0 / (lr * T) + (L * r) ** 2 + L * lr * (sigma + L * r) ** 2
    ### END SOLUTION


# %% check="6.2" points=1
def uses_up_what_there_is(seed):
    delta0, lr, r, sigma = np.random.default_rng(seed).uniform(0.1, 1, 4)
    G = np.sqrt(bound(delta0, 20, lr, r, 1.0, sigma))
    got = -20 * change(G, lr, r, 1.0, sigma)
    if abs(got - delta0) > 1e-9 * delta0:
        return f"20 steps with G^2 at your bound use up {got:.4g} by (2), but Delta_0 is {delta0:.4g}"
    return None


check(uses_up_what_there_is, seed=seeds)
### BEGIN HIDDEN TESTS
assert np.isclose(bound(1.0, 100, 0.1, 0.5, 2.0, 1.0), 2.0)
### END HIDDEN TESTS

# %% [markdown]
# ## 6.3 Rates
#
# A constant learning rate leaves $L\eta\sigma^2$. So let it shrink with the number of steps, $\eta = \eta_0/\sqrt T$: then the first and the last
# term of (3) both fall like $T^{-1/2}$. The middle one does not, unless the radius shrinks as well, $\rho = \rho_0 T^{-q}$.
#
# **Exercise 6.3.** What is the *smallest* $q$ with which the whole bound still falls like $T^{-1/2}$?
#
# $$q = \; ? \tag{4}$$

# %% exercise="6.3" eq="(4)"
def slowest_decay():
    """Return the smallest q for which rho = rho0 T^-q keeps the rate T^-1/2."""
    ### BEGIN SOLUTION
    return 1 / 4
    ### END SOLUTION


# %% check="6.3" points=1
def rate(q):
    T = np.array([1e10, 1e12])
    low, high = bound(1.0, T, 1 / np.sqrt(T), 0.5 * T**-q, 1.0, 1.0)
    return np.log(high / low) / np.log(T[1] / T[0])


def keeps_the_rate_and_no_more():
    q = slowest_decay()
    if rate(q) > -0.49:
        return f"with q = {q:.3g} the bound falls like T^{rate(q):.2f}, more slowly than T^-0.5"
    if rate(q - 0.03) < -0.49:
        return f"q = {q - 0.03:.3g} would do as well: yours is not the smallest"
    return None


check(keeps_the_rate_and_no_more)

# %% [markdown]
# ## 6.4 A floor that is really there
#
# With constant $\rho$ the term $L^2 r^2$ stays for ever. Is that the method, or only our proof? Here is a loss on which it is the
# method. With probability $p$ the minibatch is $f_1(x) = \tfrac12 x^2$, else $f_2(x) = \tfrac{\alpha}{2} (x - B)^2$, with $B$ far away. Between the two
# minima, $0 < x < B$, the two perturbations have opposite signs, $\varepsilon_1 = +\rho$ and $\varepsilon_2 = -\rho$, whatever the size of the gradient.
#
# **Exercise 6.4.** When SAM has settled, the mean of $h$ is zero. Write down the mean of $h$ and conclude what the mean of the true
# gradient $f'(x)$ must be:
#
# $$\mathbb E f'(x) = \; ? \tag{5}$$

# %% exercise="6.4" eq="(5)"
def settled_gradient(p, alpha, rho):
    """Return the mean of f'(x) in the long run."""
    ### BEGIN SOLUTION
    return -rho * (p - (1 - p) * alpha)
    ### END SOLUTION


# %% check="6.4" points=2
def two_functions(p, alpha, B, rho, lr, steps, runs=200, seed=0):
    """Mean of f' over the second half of many SAM runs."""
    rng = np.random.default_rng(seed)
    x, total = np.full(runs, (1 - p) * alpha * B / (p + (1 - p) * alpha)), 0.0
    for t in range(steps):
        first = rng.permutation(runs) < p * runs  # exactly a share p of the runs: less luck
        g = np.where(first, x, alpha * (x - B))
        far = x + rho * np.sign(g)
        x = x - lr * np.where(first, far, alpha * (far - B))
        if t >= steps // 2:
            total += np.mean(p * x + (1 - p) * alpha * (x - B))
    return total / (steps - steps // 2)


def where_sam_settles(p, alpha, rho):
    want = two_functions(p, alpha, 40.0, rho, 0.002, 4000)
    got = settled_gradient(p, alpha, rho)
    if abs(got - want) > 0.15 * rho:
        return f"you say {got:.3g}, a simulation settles at f' = {want:.3g}"
    return None


ps, alphas, radii = map(st.sampled_from, [[0.9, 0.7], [1.0, 0.3], [1.0, 0.5]])
check(where_sam_settles, p=ps, alpha=alphas, rho=radii, examples=8)

# %% [markdown]
# As $p \to 1$ the mean gradient tends to $-\rho$ and its square to $\rho^2 = L^2 r^2$, the very term of (3): no proof can remove it (Si & Yun 2023).
#
# ## Write down what you expect
#
# SAM on a round bowl in 10 dimensions with noise, $\eta = 0.8/\sqrt T$, for $T = 16 \dots 16384$, and three radii: constant $\rho = 0.5$;
# $0.5\, T^{-1/4}$; $0.5\, T^{-1/2}$. Sketch $\frac1T\sum G_t^2$ against $T$ on logarithmic axes, three curves, and the bound (3) for each.
# Which of the six curves become flat?

# %%
def mean_square_gradient(T, lr, rho, runs=40, n=10, sigma=1.0, seed=0):
    """SAM on f(x) = ||x||^2 / 2 with additive noise: the mean of G^2 over T steps and all runs."""
    rng = np.random.default_rng(seed)
    x, total = np.full((runs, n), 1 / np.sqrt(n)), 0.0
    for _ in range(T):
        total += np.mean(norm(x) ** 2)
        noise = sigma / np.sqrt(n) * rng.standard_normal((runs, n))
        g = x + noise
        x = x - lr * (x + rho * g / norm(g)[:, None] + noise)
    return total / T


Ts = 4 ** np.arange(2, 8)
schedules = {"constant": (0.0, "#D55E00"), "T^(-1/4)": (0.25, "#0072B2"), "T^(-1/2)": (0.5, "#009E73")}
curves = {}
print("rho      " + "".join(f"{name:>25s}" for name in schedules))
print("     T   " + "    mean G^2    bound (3)" * 3)
for T in Ts:
    row = f"{T:6d}   "
    for name, (q, _) in schedules.items():
        lr, rho = 0.8 / np.sqrt(T), 0.5 * T**-q
        pair = mean_square_gradient(T, lr, rho), bound(0.5, T, lr, rho, 1.0, 1.0)
        curves.setdefault(name, []).append(pair)
        row += "{:12.4f} {:12.4f}".format(*pair)
    print(row)

floors = {rho: [] for rho in (0.25, 0.5, 1.0)}
for rho in floors:
    for p in (0.6, 0.7, 0.8, 0.9, 0.95):
        floors[rho].append((p, two_functions(p, 1.0, 40.0, rho, 0.002, 4000, runs=1600) / rho))

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained", width_ratios=[1.4, 1])
labels = [r"constant $\rho$", r"$\rho \propto T^{-1/4}$", r"$\rho \propto T^{-1/2}$"]
sides = ["center", "bottom", "top"]
for (name, (_, color)), label, side in zip(schedules.items(), labels, sides, strict=True):
    measured, promised = np.array(curves[name]).T
    left.loglog(Ts, promised, "--", color=color)
    left.loglog(Ts, measured, "o-", color=color, lw=2)
    left.text(Ts[-1] * 1.25, promised[-1], label, color=color, va=side)
left.loglog(Ts, 0.35 / np.sqrt(Ts), ":", color="gray")
left.text(Ts[1], 0.35 / np.sqrt(Ts[1]) * 0.4, r"slope $-\frac{1}{2}$", color="gray")
left.text(Ts[-1] * 1.25, curves["constant"][-1][0], "measured, all three", va="center")
left.set(xlabel="$T$", ylabel=r"mean of $\Vert\nabla f\Vert^2$", xlim=(12, Ts[-1] * 12))
left.set(title="Bound (dashed) and measurement: the bound never loses")

ps = np.linspace(0.55, 1, 50)
right.plot(ps, [settled_gradient(p, 1.0, 1.0) for p in ps], color="#D55E00")
for (rho, points), size in zip(floors.items(), (4, 8, 12), strict=True):
    right.plot(*np.array(points).T, "o", mfc="none", ms=size, color="#0072B2", label=rf"simulated, $\rho$ = {rho}")
right.legend(loc="lower left")
right.text(0.78, -0.42, "(5)", color="#D55E00", fontsize=14)
right.set(xlabel="$p$", ylabel=r"settled gradient $\mathbb{E} f' \,/\, \rho$")
right.set(title="With constant radius the gradient stays")
plt.show()

# %% [markdown]
# ## What you have
#
# * One bound for the whole family, and a way to check a bound without statistics: enumerate.
# * The bowl was kind: even with constant $\rho$ its gradient falls, although the bound does not. The two-function loss was not: there the floor
#   is real. A bound speaks about the worst case.
# * The radius may shrink as slowly as $T^{-1/4}$ without spoiling the rate.
# * What the bound cannot see: the *direction* of $\varepsilon$. A method that ascends the wrong way passes this lesson. The laws of
#   lesson 8 are for that.
