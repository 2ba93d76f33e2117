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
# # 1 · Backprop by hand
#
# **The question.** A network has thousands of weights. How do you get the slope of the loss in *every* one of
# them for little more than the price of the loss itself, and how do you know that your answer is right?
#
# **You will build** a two-layer network out of matrix products, its gradient by the chain rule, and a
# check that trusts neither. Everything later in the course stands on these few lines.
#
# | symbol | meaning | shape |
# |---|---|---|
# | $B$; $p, q, k$ | size of the batch; numbers of inputs, hidden units and classes | numbers |
# | $X$ | a batch of inputs, one per row | $(B, p)$ |
# | $y$ | integer labels | $(B,)$ |
# | $w$ | **all** parameters, one flat vector | $(n,)$ |
# | $W_1, b_1, W_2, b_2$ | weights and biases, views of $w$ | $(p,q), (q,), (q,k), (k,)$ |
# | $h$, $z$ | the hidden units and the outputs (logits) | $(B, q)$, $(B, k)$ |
# | $f(w)$ | the loss | number |
# | $g = \nabla f(w)$ | the gradient | $(n,)$ |
# | $\eta$ | the learning rate | number |

# %%
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from sklearn.datasets import make_moons

import minisam as ms
from minisam.laws.classroom import check, differs

p, q, k = 2, 16, 2  # inputs, hidden units, classes
n = (p + 1) * q + (q + 1) * k

# %% [markdown]
# ## 1.1 One flat vector
#
# The mathematics of this course speaks of *the* vector $w$: its norm, a step along it, a ball around it. So
# we keep all parameters in one flat vector, in the order $W_1, b_1, W_2, b_2$, and look at its parts through
# *views*: slices that share its memory.
#
# **Exercise 1.1.** Return the four views. `w[a:b].reshape(p, q)` is a view; nothing may be copied.

# %% exercise="1.1" eq="(1)"
def layers(w):
    """Split w (n,) into the views W1 (p, q), b1 (q,), W2 (q, k), b2 (k,)."""
    ### BEGIN SOLUTION
    a, b, c = p * q, (p + 1) * q, (p + 1) * q + q * k
    return w[:a].reshape(p, q), w[a:b], w[b:c].reshape(q, k), w[c:]
    ### END SOLUTION


# %% check="1.1" points=1
def views_of_w():
    w = np.arange(float(n))
    parts = layers(w)
    if len(parts) != 4:
        return f"layers returns {len(parts)} parts, but a two-layer network has 4"
    shapes = [(p, q), (q,), (q, k), (k,)]
    for name, part, shape in zip(["W1", "b1", "W2", "b2"], parts, shapes, strict=True):
        if part.shape != shape:
            return f"{name} has shape {part.shape}, but should have {shape}"
        if not np.shares_memory(part, w):
            return f"{name} is a copy: writing to it would not change w"
    return differs("the parts, read one after the other,", np.concatenate([x.ravel() for x in parts]), w)


check(views_of_w)
### BEGIN HIDDEN TESTS
assert layers(np.ones(n))[0].base is not None
### END HIDDEN TESTS

# %% [markdown]
# ## 1.2 Forward
#
# $$h = \max(0,\; X W_1 + b_1), \qquad z = h W_2 + b_2 \tag{2}$$
#
# Rows are examples, so $X W_1$ does the whole batch in one product. The bias is added to every row.
#
# **Exercise 1.2.** Return $h$ and $z$. We need $h$ again on the way back.

# %% exercise="1.2" eq="(2)"
def forward(w, X):
    """Return the hidden activations h (B, q) and the logits z (B, k)."""
    W1, b1, W2, b2 = layers(w)
    ### BEGIN SOLUTION
    h = np.maximum(X @ W1 + b1, 0)
    return h, h @ W2 + b2
    ### END SOLUTION


# %% check="1.2" points=1
net = ms.MLP((p, q, k), activation="relu")
seeds = st.integers(0, 99)


def problem(seed, batch=5):
    """A random network and a random batch."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.standard_normal((batch, p)), rng.integers(0, k, batch)


def same_logits(seed):
    w, X, _ = problem(seed)
    h, z = forward(w, X)
    if h.min() < 0:
        return f"a hidden activation is {h.min():.3g}, but max(0, .) is never negative"
    return differs("z", z, net(w, X))


check(same_logits, seed=seeds)

# %% [markdown]
# ## 1.3 The loss and its derivative
#
# The softmax turns logits into probabilities, the cross-entropy asks how probable the true label was:
#
# $$P_{bj} = \frac{e^{z_{bj}}}{\sum_i e^{z_{bi}}}, \qquad f = -\frac1B \sum_{b=1}^B \log P_{b, y_b}. \tag{3}$$
#
# Its derivative by the logits is as simple as derivatives get: *what you said minus what was true*,
#
# $$\frac{\partial f}{\partial z} = \frac{P - \mathrm{onehot}(y)}{B}. \tag{4}$$
#
# (Do it once on paper: write $\log P_{b,y_b} = z_{b,y_b} - \log\sum_i e^{z_{bi}}$ and differentiate.)
#
# **Exercise 1.3.** Return $f$ and $\partial f/\partial z$. Subtract each row's largest logit first: (3) does
# not change, $e^{1000}$ never has to be computed, and neither has the logarithm of a probability that rounds to 0.

# %% exercise="1.3" eq="(4)"
def cross_entropy(z, y):
    """Return the loss f and its derivative by z (B, k)."""
    ### BEGIN SOLUTION
    z = z - z.max(axis=1, keepdims=True)
    log_P = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    onehot = np.eye(k)[y]
    return -(onehot * log_P).sum() / len(y), (np.exp(log_P) - onehot) / len(y)
    ### END SOLUTION


# %% check="1.3" points=2
def slope_of_the_loss(seed, size):
    rng = np.random.default_rng(seed)
    z, y = size * rng.standard_normal((3, k)), rng.integers(0, k, 3)
    before = z.copy()
    f, d = cross_entropy(z, y)
    if not np.array_equal(z, before):
        return "cross_entropy changes its argument z"
    if not (np.isfinite(f) and np.isfinite(d).all()):
        return "the loss or its derivative is not finite: is an exp infinite, or a log of 0?"
    if size > 10:
        return None  # so steep that differences say nothing
    step, slopes = 1e-5, np.zeros_like(z)
    for i in np.ndindex(z.shape):
        e = np.zeros_like(z)
        e[i] = step
        slopes[i] = (cross_entropy(z + e, y)[0] - cross_entropy(z - e, y)[0]) / (2 * step)
    wrong = differs("your derivative", d, slopes, 1e-4)
    return wrong and wrong.replace("should be", "by differences of your own loss the slope is")


check(slope_of_the_loss, seed=seeds, size=st.sampled_from([1.0, 3.0, 1000.0]))

# %% [markdown]
# ## 1.4 Backward
#
# Read (2) from right to left. If $d_2 = \partial f/\partial z$ is known, then for $z = hW_2 + b_2$
#
# $$\frac{\partial f}{\partial W_2} = h^\top d_2, \qquad \frac{\partial f}{\partial b_2} = \sum_b d_{2,b},
# \qquad \frac{\partial f}{\partial h} = d_2 W_2^\top, \tag{5}$$
#
# and through the kink of $h = \max(0, a)$ only the active units pass anything on ($\odot$ multiplies entry by
# entry; $[\,h > 0\,]$ is 1 where $h > 0$, else 0),
#
# $$d_1 = \frac{\partial f}{\partial h} \odot [\,h > 0\,]. \tag{6}$$
#
# Then (5) again, one layer further down. Shapes are the best guide: only one product of $h$ and $d_2$ has the
# shape of $W_2$.
#
# **Exercise 1.4.** Fill the views of a fresh gradient vector.

# %% exercise="1.4" eq="(5) and (6)"
def loss_and_grad(w, X, y):
    """Return the loss f and its gradient g (n,)."""
    _, _, W2, _ = layers(w)
    h, z = forward(w, X)
    f, d2 = cross_entropy(z, y)
    g = np.empty_like(w)
    gW1, gb1, gW2, gb2 = layers(g)
    ### BEGIN SOLUTION
    gW2[:], gb2[:] = h.T @ d2, d2.sum(axis=0)
    d1 = (d2 @ W2.T) * (h > 0)
    gW1[:], gb1[:] = X.T @ d1, d1.sum(axis=0)
    ### END SOLUTION
    return f, g


# %% [markdown]
# ## 1.5 Trust nothing
#
# Is it right? The definition of the derivative gives a test that knows nothing of the chain rule: for each
# coordinate direction $e_i$,
#
# $$g_i \approx \frac{f(w + t e_i) - f(w - t e_i)}{2t}, \qquad \text{error } \tfrac{t^2}{6} |f'''| + \frac{u |f|}{t},
# \tag{7}$$
#
# with $u \approx 10^{-16}$ the rounding error of a float. It costs $2n$ evaluations of the loss: fine for a test, hopeless for training.
#
# **Exercise 1.5.** Write (7).

# %% exercise="1.5" eq="(7)"
def central_differences(f, w, t=1e-5):
    """Return the gradient (n,) of the function f at w, by (7)."""
    ### BEGIN SOLUTION
    g = np.empty_like(w)
    for i in range(len(w)):
        e = np.zeros_like(w)
        e[i] = t
        g[i] = (f(w + e) - f(w - e)) / (2 * t)
    return g
    ### END SOLUTION


# %% check="1.5" points=1
def differences_of_a_cubic(seed):
    x = np.random.default_rng(seed).standard_normal(4)
    wrong = differs("central_differences", central_differences(lambda v: (v**3).sum(), x), 3 * x**2, 1e-7)
    return wrong and f"for f(x) = sum x^3, {wrong}"


check(differences_of_a_cubic, seed=seeds)

# %% check="1.4" points=3
def gradient_is_the_slope(seed):
    w, X, y = problem(seed)
    if np.abs(X @ layers(w)[0] + layers(w)[1]).min() < 1e-3:
        return None  # too near a kink, where (7) has no meaning
    _, g = loss_and_grad(w, X, y)
    slopes = central_differences(lambda v: loss_and_grad(v, X, y)[0], w)
    for name, mine, theirs in zip(["W1", "b1", "W2", "b2"], layers(g), layers(slopes), strict=True):
        wrong = differs(f"the gradient by {name}", mine, theirs, 1e-5)
        if wrong:
            return wrong.replace("should be", "by differences the slope is")
    return None


check(gradient_is_the_slope, seed=seeds)
### BEGIN HIDDEN TESTS
w0, X0, y0 = problem(1234, batch=40)
assert np.allclose(loss_and_grad(w0, X0, y0)[1], net.loss_and_grad(w0, X0, y0)[1], atol=1e-12)
### END HIDDEN TESTS

# %% [markdown]
# ## Write down what you expect
#
# Before you run the next cell: the error of (7) depends on the step $t$. **Sketch it on paper, both axes
# logarithmic, for $t$ from $1$ down to $10^{-12}$.** Where is it smallest, and what are the two slopes? (7) has
# all you need.
#
# Then train the network on two interleaved moons, with nothing but your own gradient:
#
# $$w \leftarrow w - \eta\, g. \tag{8}$$

# %%
X, y = make_moons(300, noise=0.2, random_state=0)
w0 = net.init(0, dtype="float64")

w, losses = w0, []
for _ in range(600):
    f, g = loss_and_grad(w, X, y)
    w = w - 0.5 * g  # (8)
    losses.append(f)
share = (forward(w, X)[1].argmax(1) == y).mean()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, right on {share:.0%} of the points")

smooth = ms.MLP((p, q, k), activation="tanh")  # no kinks: the error is (7)'s alone
steps = 10.0 ** -np.arange(0, 12.5, 0.5)
_, exact = smooth.loss_and_grad(w0, X, y)
errors = [
    np.linalg.norm(central_differences(lambda v: smooth.loss_and_grad(v, X, y)[0], w0, t) - exact)
    / np.linalg.norm(exact)
    for t in steps
]

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
left.loglog(steps, errors, "o-", color="#0072B2")
big, small = steps[steps > 1e-4], steps[steps < 1e-6]
left.loglog(big, errors[2] * (big / steps[2]) ** 2, "--", color="gray")
left.loglog(small, errors[-1] * steps[-1] / small, "--", color="gray")
left.text(3e-3, 1e-8, "truncation\n$\\propto t^2$", color="gray")
left.text(2e-11, 1e-8, "rounding\n$\\propto u/t$", color="gray")
left.set(xlabel="step $t$", ylabel="relative error of central differences")
left.set(title="Too large, too small, and just right")

grid = np.stack(np.meshgrid(np.linspace(-2, 3, 200), np.linspace(-1.5, 2, 200)), axis=-1)
_, z = forward(w, grid.reshape(-1, 2))
margin = (z[:, 1] - z[:, 0]).reshape(200, 200)
right.contourf(*np.moveaxis(grid, -1, 0), margin, [-99, 0, 99], colors=["#CDE4F3", "#FBE0CC"])
right.scatter(*X.T, c=np.where(y, "#D55E00", "#0072B2"), s=12)
right.set(xticks=[], yticks=[], title=f"Your gradient learned this boundary (loss {losses[-1]:.2f})")
plt.show()
best = np.argmin(errors)
print(f"smallest error {errors[best]:.0e} at t = {steps[best]:.0e}")
print(f"(7) says near u^(1/3) = {2.0 ** (-53 / 3):.0e}")

# %% [markdown]
# ## What you have
#
# All $n$ slopes for three matrix products more than the two of the loss (count them), checked against the
# definition of a derivative. The library's `minisam/mlp.py` does the same for any number of layers: compare
# yours with `ms.MLP.loss_and_grad`, line by line.
#
# **Next:** two networks can have the same training loss and live in very different landscapes. Lesson 2 looks around.
