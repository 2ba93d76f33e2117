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
# # 3 · Sharpness-aware minimization
#
# **The question.** Lesson 2 measured how sharply the loss rises around $w$. How do you *train* for a small rise, when
# finding the worst point of a ball is itself an optimization problem, and where does such a training end?
#
# **You will build** SAM (Foret et al. 2021), a method of two gradients a step; have it judged by the laws that every correct
# SAM obeys; and predict, to ten digits, where it ends on a bowl. (Not at the bottom.)
#
# | symbol | meaning | shape |
# |---|---|---|
# | $w$, $f$, $g = \nabla f(w)$ | weights, loss, gradient | $(n,)$, number, $(n,)$ |
# | $\rho$ | radius of the ball | number $\ge 0$ |
# | $\varepsilon$ | the perturbation: from $w$ to the (nearly) worst point of the ball | $(n,)$ |
# | $\eta$ | learning rate (`lr`) | number |
# | $\lambda_1 > \lambda_2 > \dots$ | curvatures of a bowl, the eigenvalues of its Hessian | |

# %%
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import minisam as ms
from minisam import laws
from minisam.laws.classroom import check, differs, obey

seeds = st.integers(0, 99)

# %% [markdown]
# ## 3.1 The inner maximum
#
# SAM does not minimize $f$, but the worst value of $f$ in a ball around $w$:
#
# $$\min_w \; \max_{\lVert e \rVert \le \rho} f(w + e). \tag{1}$$
#
# For small $\rho$ replace $f(w+e)$ by $f(w) + g^\top e$. By the Cauchy-Schwarz inequality
# $g^\top e \le \lVert g \rVert \lVert e \rVert \le \rho \lVert g \rVert$, and there is exactly one $e$ in the ball for which both are equalities:
#
# $$\varepsilon = \rho\, \frac{g}{\lVert g \rVert}. \tag{2}$$
#
# Two places where programs go wrong: $g = 0$ (then every $e$ is as good; the natural choice is $\varepsilon = 0$), and
# tiny $g$. A constant added to the denominator "for safety" makes the ball shrink when the gradient does.
#
# **Exercise 3.1.** Write (2).

# %% exercise="3.1" eq="(2)"
def ascend(g, rho):
    """Return eps (n,), the point of the ball where the linearized loss is largest."""
    ### BEGIN SOLUTION
    length = np.linalg.norm(g)
    return rho * g / length if length > 0 else np.zeros_like(g)
    ### END SOLUTION


# %% check="3.1" points=2
def none_climbs_higher(seed, size, rho):
    rng = np.random.default_rng(seed)
    g = size * rng.standard_normal(3)
    eps = ascend(g, rho)
    if eps is None:
        return "ascend returns None: is a return missing?"
    length = np.linalg.norm(eps)
    if abs(length - rho) > 1e-9 * rho:
        return f"||eps|| is {length:.4g}, but rho is {rho}, for a gradient of size {size:g}"
    other = rng.standard_normal(3)
    other *= rho / np.linalg.norm(other)
    if g @ other > g @ eps:
        return f"your eps climbs by {g @ eps:.3g}, another point of the ball by {g @ other:.3g}"
    return None


def stays_where_it_is_flat():
    with np.errstate(all="ignore"):
        return differs("eps at g = 0", ascend(np.zeros(3), 0.1), np.zeros(3))


radii = st.sampled_from([0.5, 0.1])
check(none_climbs_higher, seed=seeds, size=st.sampled_from([1e-8, 1e-3, 1.0]), rho=radii)
check(stays_where_it_is_flat)

# %% [markdown]
# ## 3.2 The step
#
# Now descend as usual, but with the gradient found at the far point $w + \varepsilon$, **applied at $w$**:
#
# $$h = \nabla f(w + \varepsilon), \qquad w \leftarrow w - \eta\, h. \tag{3}$$
#
# Both gradients must be of the *same minibatch*. Here the minibatch is fixed inside the function `grad`, so you need
# only take care to call the function you were given, twice.
#
# **Exercise 3.2.** Write one step. Do not change `w` in place.

# %% exercise="3.2" eq="(3)"
def sam_step(w, grad, rho, lr):
    """Return the next weights (n,)."""
    ### BEGIN SOLUTION
    eps = ascend(grad(w), rho)
    return w - lr * grad(w + eps)
    ### END SOLUTION


# %% [markdown]
# How would you know that such a step is right? Not by looking at an accuracy: wrong ones train, too. `minisam.laws` hands
# your step gradient functions that *record* every point they are asked for. From the record it reads your $\varepsilon$, your update
# and the number of calls, and looks for a case in which a law of SAM is broken.

# %% check="3.2" points=3
def my_sam(rho, lr):
    return lambda w, grad: sam_step(w, grad, rho, lr)


obey(my_sam, "sam", laws.protocol, laws.optimality, laws.active_constraint, laws.call_trace, laws.degenerate)
### BEGIN HIDDEN TESTS
assert laws.judge(my_sam, "sam", examples=10).ok
### END HIDDEN TESTS

# %%
print(laws.judge(my_sam, "sam", examples=10).summary)

# %% [markdown]
# ## 3.3 Where does it end? One dimension
#
# Take the simplest bowl, $f(x) = \tfrac12 \lambda x^2$, with gradient $\lambda x$. Then $\varepsilon = \rho\,\mathrm{sign}(x)$: SAM looks
# $\rho$ further out, whatever $x$ is.
#
# **Exercise 3.3.** Put that into (3) and write down the next $x$ in terms of $x, \lambda, \rho, \eta$. No `grad`, no `sam_step`.

# %% exercise="3.3" eq="(4)"
def next_x(x, lam, rho, lr):
    """Return SAM's next x on f(x) = lam x^2 / 2, as a formula."""
    ### BEGIN SOLUTION
    return (1 - lr * lam) * x - lr * lam * rho * np.sign(x)
    ### END SOLUTION


# %% check="3.3" points=1
positive = st.floats(0.1, 1.9)


def is_a_sam_step(x, lam, rho, lr):
    want = sam_step(np.array([x]), lambda w: lam * w, rho, lr)[0]
    wrong = differs("next_x", next_x(x, lam, rho, lr), want)
    return wrong and wrong.replace("should be", "your own sam_step goes to")


check(is_a_sam_step, x=st.sampled_from([2.0, -2.0, 0.5]), lam=positive, rho=radii, lr=positive)

# %% [markdown]
# ## 3.4 The two-cycle
#
# Near the bottom the second term wins: SAM steps *over* the minimum, and on the other side it does so again. It ends in a cycle
# of two points, $a \to -a \to a \to \dots$ **Exercise 3.4.** Find $a > 0$: solve
#
# $$\text{next}(a) = -a. \tag{5}$$
#
# For which $\eta\lambda$ is there a solution?

# %% exercise="3.4" eq="(5)"
def amplitude(lam, rho, lr):
    """Return a > 0 with next_x(a) = -a."""
    ### BEGIN SOLUTION
    return lr * rho * lam / (2 - lr * lam)
    ### END SOLUTION


# %% check="3.4" points=2
def comes_back_mirrored(lam, rho, product):
    lr = product / lam
    a = amplitude(lam, rho, lr)
    if not a > 0:
        return f"the amplitude is {a}, but should be positive"
    x = sam_step(np.array([a]), lambda w: lam * w, rho, lr)[0]
    if abs(x + a) > 1e-9 * a:
        return f"from a = {a:.4g} SAM goes to {x:.4g}, not to {-a:.4g} (lr * lam is {product:.3g})"
    return None


check(comes_back_mirrored, lam=positive, rho=radii, product=positive)

# %% [markdown]
# ## Write down what you expect
#
# A bowl with **two** curvatures, $\lambda_1 = 2$ and $\lambda_2 = 0.5$: $f(x) = \tfrac12(\lambda_1 x_1^2 + \lambda_2 x_2^2)$.
# In each direction alone there would be a cycle. Start SAM at $(0.15, 0.9)$ and let it run.
#
# 1. Does it end in a cycle in $x_1$, in $x_2$, or in both?
# 2. In one sentence: what does that say about the kind of minimum that SAM dislikes?

# %%
lam, rho, lr = np.array([2.0, 0.5]), 0.2, 0.35
x = np.array([0.15, 0.9])
path = [x]
for _ in range(400):
    x = sam_step(x, lambda v: lam * v, rho, lr)
    path.append(x)
path = np.array(path)
a = amplitude(lam[0], rho, lr)
print(f"after 400 steps  |x1| = {abs(path[-1, 0]):.12f}   |x2| = {abs(path[-1, 1]):.1e}")
print(f"predicted         a   = {a:.12f}")
print(f"the mean of two neighbours is {np.linalg.norm(path[-1] + path[-2]) / 2:.0e} from the minimum")

# %% [markdown]
# The cycle lies along the **sharpest** direction, and only there: the others die out, because the large swing along $x_1$ uses up the
# ball (Bartlett, Long & Bousquet 2023). SAM keeps bouncing between the steepest walls of the valley. In a valley whose walls
# change along its floor, that bouncing pushes it to where they are less steep.
#
# Now a real network: digits, 30 % wrong labels, your own `sam_step`. (One run each, with one radius: lesson 5 repeats such runs.)

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
curves = {}
for name, radius in [("SGD", 0.0), ("SAM", 1.2)]:
    w, curves[name] = net.init(0), []
    for epoch in range(80):
        for batch in np.random.default_rng(epoch).permutation(600).reshape(10, 60):
            w = sam_step(w, lambda v, b=batch: net.loss_and_grad(v, X[b], y[b])[1], radius, 0.5)
        curves[name].append([np.mean(net(w, A).argmax(-1) == b) for A, b in [(X_test, y_test), (X, y)]])
    test, train = curves[name][-1]
    print(f"{name}: {test:.1%} right on the test set, {train:.1%} on the noisy training labels")

# %%
fig, (left, middle, right) = plt.subplots(
    1, 3, figsize=(14, 4.4), layout="constrained", width_ratios=[0.75, 1, 1]
)
u, v = np.meshgrid(np.linspace(-0.32, 0.32, 100), np.linspace(-0.3, 1, 100))
left.contour(u, v, (lam[0] * u**2 + lam[1] * v**2) / 2, 12, colors="lightgray")
left.plot(*path[:60].T, "o-", color="#0072B2", ms=3, lw=0.8)
left.plot([a, -a], [0, 0], "D", color="#D55E00", ms=9)
left.text(0, -0.12, "predicted cycle", color="#D55E00", ha="center")
left.set(xlabel="$x_1$ (sharp)", ylabel="$x_2$ (flat)", title="SAM never comes to rest", aspect="equal")

middle.semilogy(np.abs(path[:120, 0]), color="#0072B2", lw=2)
middle.semilogy(np.abs(path[:120, 1]), color="#56B4E9", lw=2)
middle.axhline(a, color="#D55E00", ls="--")
middle.text(118, a * 1.4, r"$\eta\rho\lambda_1/(2-\eta\lambda_1)$", color="#D55E00", ha="right")
middle.text(60, a * 0.2, "$|x_1|$, sharp", color="#0072B2")
middle.text(45, 1e-4, "$|x_2|$, flat", color="#56B4E9")
middle.set(xlabel="step", ylim=(1e-8, 3), title="Only the sharpest direction survives")

for name, color in [("SGD", "#000000"), ("SAM", "#0072B2")]:
    test, train = np.array(curves[name]).T
    right.plot(test, color=color, lw=2.5)
    right.plot(train, color=color, lw=1, ls=":")
    right.text(len(test) + 1, test[-1], name, color=color)
right.set(xlabel="epoch", ylabel="accuracy", xlim=(0, 92), title="SGD learns the wrong labels (dotted)")
plt.show()

# %% [markdown]
# ## What you have
#
# * SAM in four lines, and a machine that judges it.
# * A prediction that no accuracy curve would have given you: SAM does not converge, its *two-step mean* does.
# * In the library: `ms.SharpnessAware(ms.SAM(rho), ms.SGD(lr))`.
#
# **Next:** why should the ball be round, and why should one trust $g$? One formula for both questions.
