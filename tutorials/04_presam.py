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
# # 4 · preSAM: one formula
#
# **The question.** SAM has two silent assumptions. The ball is *round*, as if a step of 0.1 meant the same for every weight.
# And it ascends along the minibatch gradient $g$, as if $g$ could be *trusted*. Half a dozen methods drop one or the other. Is there one
# formula for all of them?
#
# **You will build** that formula, preSAM (Zhang, Li & Giannakis 2025), and find four known methods inside it, each one line long.
#
# | symbol | meaning | shape |
# |---|---|---|
# | $w$, $g$ | weights, minibatch gradient at $w$ | $(n,)$ |
# | $D$ | *objective preconditioner*: which direction do we trust? | here diagonal, stored as $(n,)$ |
# | $C$ | *constraint preconditioner*: which shape has the ball? | here diagonal, positive, stored as $(n,)$ |
# | $\rho$ | radius | number |
# | $\eta$, $\theta$ | settings of single methods (`eta`, `theta`), see (3) to (5) | numbers |
# | $\varepsilon$ | the perturbation | $(n,)$ |

# %%
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from matplotlib.patches import Ellipse

import minisam as ms
from minisam import laws
from minisam.laws.classroom import check, differs, obey

seeds = st.integers(0, 99)
radii = st.sampled_from([0.5, 0.1])


def norm(u):
    return np.linalg.norm(u)


# %% [markdown]
# ## 4.1 The formula
#
# Ascend along $Dg$ instead of $g$, in the ellipsoid $\lVert C^{-1} e \rVert \le \rho$ instead of the ball:
#
# $$\varepsilon = \arg\max_{\lVert C^{-1} e \rVert \le \rho} \langle D g, e \rangle. \tag{1}$$
#
# Substitute $e = C u$. Then $u$ lives in a *round* ball, $\lVert u \rVert \le \rho$, and
# $\langle Dg, Cu \rangle = \langle C D g, u \rangle$ is largest for $u = \rho\, CDg / \lVert CDg \rVert$ (lesson 3). Go back with
# $e = Cu$:
#
# $$\varepsilon = \rho\, \frac{C^2 D g}{\lVert C D g \rVert}, \qquad \varepsilon = 0 \text{ if } D g = 0. \tag{2}$$
#
# **Exercise 4.1.** Write (2) for diagonal $D$ and $C$.

# %% exercise="4.1" eq="(2)"
def perturb(g, D, C, rho):
    """Return eps (n,) for D and C given as diagonals (n,)."""
    ### BEGIN SOLUTION
    u = C * D * g
    length = norm(u)
    return rho * C * u / length if length > 0 else np.zeros_like(g)
    ### END SOLUTION


# %% check="4.1" points=3
def none_in_the_ellipsoid_climbs_higher(seed, rho):
    rng = np.random.default_rng(seed)
    g, D, C = rng.standard_normal(2), *rng.uniform(0.3, 3, (2, 2))
    eps = perturb(g, D, C, rho)
    if eps is None:
        return "perturb returns None: is a return missing?"
    if abs(norm(eps / C) - rho) > 1e-9 * rho:
        return f"||C^-1 eps|| is {norm(eps / C):.4g}, but rho is {rho}: eps is not on the ellipsoid"
    for angle in np.linspace(0, 2 * np.pi, 60):
        e = rho * C * np.array([np.cos(angle), np.sin(angle)])
        if (D * g) @ e > (D * g) @ eps * (1 + 1e-9):
            better = f"e = {e.round(3)}, in the ellipsoid too, has {(D * g) @ e:.4g}"
            return f"<D g, eps> is {(D * g) @ eps:.4g}, but {better}"
    return None


def nowhere_to_go():
    with np.errstate(all="ignore"):
        return differs("eps at g = 0", perturb(np.zeros(2), np.ones(2), np.ones(2), 0.1), np.zeros(2))


check(none_in_the_ellipsoid_climbs_higher, seed=seeds, rho=radii)
check(nowhere_to_go)

# %% [markdown]
# ## 4.2 The shape of the ball
#
# Two published choices of $C$, both diagonal:
#
# * **ASAM** (Kwon et al. 2021): a weight of size 5 may move more than one of size 0.05. The ball then follows every rescaling
#   that fooled us in lesson 2,
#   $$C = |w| + \eta. \tag{3}$$
# * **FisherSAM** (Kim et al. 2022): move less where the output reacts more, measured by the squared gradient,
#   $$C = (1 + \eta\, g^2)^{-1/2}. \tag{4}$$
#
# **Exercise 4.2.** Write both diagonals.

# %% exercise="4.2" eq="(3) and (4)"
def asam_constraint(w, g, eta):
    """Return the diagonal of C (n,), eq. (3)."""
    ### BEGIN SOLUTION
    return np.abs(w) + eta
    ### END SOLUTION


def fisher_constraint(w, g, eta):
    """Return the diagonal of C (n,), eq. (4)."""
    ### BEGIN SOLUTION
    return (1 + eta * g**2) ** -0.5
    ### END SOLUTION


# %% check="4.2" points=2
def sam_in_the_ball(constraint):
    """A complete method, from your formula and your constraint, in the form that the laws can judge."""

    def factory(rho, lr, eta):
        def step(w, grad):
            g = grad(w)
            eps = perturb(g, 1.0, constraint(w, g, eta), rho)
            return w - lr * grad(w + eps)

        return step

    return factory


obey(sam_in_the_ball(asam_constraint), "asam", laws.active_constraint, laws.definition, laws.rescaling)
obey(sam_in_the_ball(fisher_constraint), "fisher", laws.active_constraint, laws.definition)

# %% [markdown]
# ## 4.3 Which direction to trust
#
# A minibatch gradient is noisy. **VaSSO** (Li & Giannakis 2023) ascends along a running average of the gradients,
#
# $$D g_t = d_t = (1-\theta)\, d_{t-1} + \theta\, g_t, \qquad d_0 = g_0. \tag{5}$$
#
# $\theta$ is the weight of the *new* gradient: $\theta = 1$ is SAM, and it should be SAM to the last bit.
#
# **Exercise 4.3.** Write (5). At the first step `d` is `None`.

# %% exercise="4.3" eq="(5)"
def average(d, g, theta):
    """Return the new running average d_t (n,)."""
    ### BEGIN SOLUTION
    return g if d is None else (1 - theta) * d + theta * g
    ### END SOLUTION


# %% check="4.3" points=2
def my_vasso(rho, lr, theta):
    d = None

    def step(w, grad):
        nonlocal d
        d = average(d, grad(w), theta)
        return w - lr * grad(w + perturb(d, 1.0, 1.0, rho))

    return step


obey(my_vasso, "vasso", laws.definition, laws.causality, laws.reductions_to_sam)
### BEGIN HIDDEN TESTS
assert laws.judge(my_vasso, "vasso", examples=8).ok
### END HIDDEN TESTS

# %% [markdown]
# ## 4.4 Two columns, one direction?
#
# Both preconditioners turn $\varepsilon$. Is one of them superfluous? With $D = I$ and some $C$, (2) points along $C^2 g$. With the
# *objective* preconditioner $C^2$ in a round ball it points along $C^2 g$, too. Only the length differs:
#
# $$\varepsilon_{\text{constraint } C,\; \rho} = \varepsilon_{\text{objective } C^2,\; \rho'}, \qquad \rho' = \; ? \tag{6}$$
#
# **Exercise 4.4.** Find $\rho'$.

# %% exercise="4.4" eq="(6)"
def equivalent_radius(g, C, rho):
    """Return rho' such that the two perturbations of (6) are equal."""
    ### BEGIN SOLUTION
    return rho * norm(C**2 * g) / norm(C * g)
    ### END SOLUTION


# %% check="4.4" points=1
def same_perturbation(seed, rho):
    rng = np.random.default_rng(seed)
    g, C, one = rng.standard_normal(3), rng.uniform(0.3, 3, 3), np.ones(3)
    got = perturb(g, C**2, one, equivalent_radius(g, C, rho))
    return differs("eps by the objective", got, perturb(g, one, C, rho))


check(same_perturbation, seed=seeds, rho=radii)

# %% [markdown]
# So for one step, the choice of column is only a choice of radius. Over *many* steps it is more. Recall the bowl of lesson 3, where SAM ends in
# a two-cycle along the sharpest direction. With diagonal $D$ and $C$ on a bowl with curvatures $\lambda_k$ it ends along the
# axis
#
# $$k = \arg\max_k \frac{d_k c_k^2 \lambda_k^2}{2 - \mathrm{lr}\,\lambda_k} \quad\text{with amplitude}\quad
# a = \frac{\mathrm{lr}\,\rho\, c_k \lambda_k}{2 - \mathrm{lr}\,\lambda_k}, \tag{7}$$
#
# where $d_k$ and $c_k$ are the entries of $D$ and $C$, and lr is the learning rate ($\eta$ in lesson 3; in this lesson $\eta$ is taken).
#
#
# $D$ is in the first formula only: **the objective chooses the direction, the constraint also sets the amplitude.**
#
# **Exercise 4.5.** Write (7).

# %% exercise="4.5" eq="(7)"
def cycle(lam, D, C, rho, lr):
    """Return the axis k and the amplitude a of the two-cycle."""
    ### BEGIN SOLUTION
    k = np.argmax(D * C**2 * lam**2 / (2 - lr * lam))
    return k, lr * rho * C[k] * lam[k] / (2 - lr * lam[k])
    ### END SOLUTION


# %% check="4.5" points=2
def trajectory(lam, D, C, rho, lr, x, steps):
    path = [x]
    for _ in range(steps):
        x = x - lr * lam * (x + perturb(lam * x, D, C, rho))
        path.append(x)
    return np.array(path)


def ends_where_predicted(seed):
    rng = np.random.default_rng(seed)
    lam, D, C = rng.uniform(0.5, 2, 3), *rng.uniform(0.3, 3, (2, 3))
    score = np.sort(D * C**2 * lam**2 / (2 - 0.4 * lam))
    if score[-2] > 0.8 * score[-1]:
        return None  # too close a race to be decided in a few steps
    end = np.abs(trajectory(lam, D, C, 0.1, 0.4, rng.standard_normal(3), 600)[-1])
    k, a = cycle(lam, D, C, 0.1, 0.4)
    if k != end.argmax():
        return f"you predict a cycle along axis {k}, the method ends along axis {end.argmax()}"
    wrong = differs("the amplitude", a, end[k], 1e-4)
    return wrong and wrong.replace("should be", "the method ends at")


check(ends_where_predicted, seed=seeds, examples=30)

# %% [markdown]
# ## Write down what you expect
#
# A bowl with $\lambda = (2, 1)$: SAM's cycle is along $x_1$. Now
#
# 1. with $D = \mathrm{diag}(1, 8)$ and $C = I$: along which axis, and with a larger or a smaller amplitude than SAM's?
# 2. with $C = \mathrm{diag}(2, 1)$ and $D = I$: along which axis, and how much larger?

# %%
lam, rho, lr = np.array([2.0, 1.0]), 0.3, 0.5
one = np.ones(2)
cases = {
    "SAM: D = C = I": (one, one, "#0072B2"),
    "D = diag(1, 8)": (np.array([1.0, 8.0]), one, "#009E73"),
    "C = diag(2, 1)": (one, np.array([2.0, 1.0]), "#D55E00"),
}
for name, (D, C, _) in cases.items():
    k, a = cycle(lam, D, C, rho, lr)
    end = trajectory(lam, D, C, rho, lr, np.array([0.3, 0.2]), 2000)[-1]
    print(f"{name:16s} predicted: axis {k + 1}, a = {a:.10f}   measured: {np.abs(end).round(10)}")

# %%
fig, panels = plt.subplots(1, 4, figsize=(15, 4), layout="constrained")
g = np.array([0.5, 0.9])
for ax, (name, (D, C, color)) in zip(panels, cases.items(), strict=False):
    eps, u = perturb(g, D, C, 0.8), D * g
    ax.add_patch(Ellipse((0, 0), 1.6 * C[0], 1.6 * C[1], facecolor=color, alpha=0.15, edgecolor=color))
    ax.plot([g[0] * t for t in (0, 1.9)], [g[1] * t for t in (0, 1.9)], color="gray", lw=1, ls="--")
    ax.text(*(1.75 * g + [0.06, -0.1]), "g", color="gray", fontsize=13)
    ax.annotate("", 1.3 * u / norm(u), (0, 0), arrowprops={"arrowstyle": "->", "lw": 2, "color": "#CC79A7"})
    ax.text(*(1.3 * u / norm(u) + [-0.55, 0.05]), "D g", color="#CC79A7", fontsize=13)
    ax.annotate("", eps, (0, 0), arrowprops={"arrowstyle": "-|>", "lw": 3, "color": color})
    ax.text(*(eps + [0.08, -0.2]), r"$\varepsilon$", color=color, fontsize=17)
    ax.set(xlim=(-1.8, 1.8), ylim=(-1.8, 1.8), aspect="equal", xticks=[], yticks=[], title=name)
places = [(-0.2, -0.09), (0.0, 0.14), (0.42, 0.05)]
for (name, (D, C, color)), place in reversed(list(zip(cases.items(), places, strict=True))):
    end = trajectory(lam, D, C, rho, lr, np.array([0.3, 0.2]), 2000)[-2:]
    panels[3].plot(*end.T, "o-", color=color, lw=3, ms=9)
    panels[3].text(*place, name.split(":")[0], color=color, ha="center")
panels[3].set(xlim=(-0.75, 0.75), ylim=(-0.75, 0.75), aspect="equal")
panels[3].set(xlabel="$x_1$ (sharp)", ylabel="$x_2$ (flat)", title="the cycles: D turns, C stretches")
plt.show()

# %% [markdown]
# ## The table
#
# | method | $D g$ | $C$ | in the library |
# |---|---|---|---|
# | SAM | $g$ | $I$ | `ms.SAM(rho)` |
# | ASAM | $g$ | $\lvert w\rvert + \eta$ | `ms.ASAM(rho, eta)` |
# | FisherSAM | $g$ | $(1+\eta g^2)^{-1/2}$ | `ms.FisherSAM(rho, eta)` |
# | VaSSO | $d_t$, a running average | $I$ | `ms.VaSSO(rho, theta)` |
# | FriendlySAM | $g - \sigma m_{t-1}$, $m$ a running average | $I$ | `ms.FriendlySAM(rho, sigma, lmbda)` |
# | SparseSAM | mask $\cdot\, g$ | $I$ | `ms.SparseSAM(rho, mask)` |
# | infoSAM | $g / \text{noise}$ | $I$ | `ms.InfoSAM(rho, theta, delta, power)` |
#
# and they compose: VaSSO's average in ASAM's ball is

# %%
print(ms.PreSAM(rho=0.5, objective=ms.Averaged(theta=0.1), constraint=ms.Magnitude(eta=0.01)))

# %% [markdown]
# **Next:** the last row of the table. What does noise do to the ascent, and what can be done about it?
