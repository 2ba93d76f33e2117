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
# # 2 · Flat and sharp
#
# **The question.** Training ends somewhere in a landscape of thousands of dimensions. How do you look around
# there, and does what you see say anything about new data?
#
# **You will build** four instruments: a Hessian that is never written down, its largest eigenvalue, a slice
# through the landscape, and the worst loss in a small ball. Then you will point them at networks trained with
# and without sharpness-aware minimization, and see one of the instruments fooled.
#
# | symbol | meaning | shape |
# |---|---|---|
# | $w$, $f(w)$, $g = \nabla f(w)$ | weights, training loss, gradient | $(n,)$, number, $(n,)$ |
# | $H = \nabla^2 f(w)$ | the Hessian: the curvature in every pair of directions | $(n, n)$, never stored |
# | $v$; $t$ | a direction; a distance along it | $(n,)$; number |
# | $\lambda_{\max}$ | the largest eigenvalue of $H$, the curvature of the steepest valley wall | number |
# | $\rho$ | the radius of a ball around $w$ | number |

# %%
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import minisam as ms
from minisam.laws.classroom import check, differs

seeds = st.integers(0, 99)


def quadratic(seed, n=5):
    """f(w) = 1/2 w^T A w + b^T w for a random symmetric positive A: everything about it is known."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = Q * rng.uniform(0.1, 3, n) @ Q.T
    b = rng.standard_normal(n)
    return A, b, (lambda w: w @ A @ w / 2 + b @ w), (lambda w: A @ w + b), rng.standard_normal(n)


# %% [markdown]
# ## 2.1 Curvature without the Hessian
#
# For $n = 2410$ parameters $H$ has almost six million entries. But we never need $H$, only what it does to a
# direction, and that is the change of the gradient along it:
#
# $$H v \approx \frac{\nabla f(w + t v) - \nabla f(w - t v)}{2t}. \tag{1}$$
#
# Two gradients, whatever $n$ is.
#
# **Exercise 2.1.** Write (1) for a gradient function `grad`.

# %% exercise="2.1" eq="(1)"
def hessian_times(grad, w, v, t=1e-4):
    """Return H v (n,), for H the derivative of grad at w."""
    ### BEGIN SOLUTION
    return (grad(w + t * v) - grad(w - t * v)) / (2 * t)
    ### END SOLUTION


# %% check="2.1" points=1
def curvature_of_a_quadratic(seed):
    A, _, _, grad, w = quadratic(seed)
    v = np.random.default_rng(seed + 1).standard_normal(len(w))
    return differs("H v", hessian_times(grad, w, v), A @ v, 1e-6)


def second_order_accurate(seed):
    x, v = np.random.default_rng(seed).standard_normal((2, 3))
    return differs("H v, for f = sum w^4 / 12,", hessian_times(lambda w: w**3 / 3, x, v), x**2 * v, 1e-6)


check(curvature_of_a_quadratic, seed=seeds)
check(second_order_accurate, seed=seeds)

# %% [markdown]
# ## 2.2 The steepest wall
#
# Multiply any vector by $H$ again and again, and the eigenvector of the largest eigenvalue wins:
#
# $$v \leftarrow \frac{H v}{\lVert H v \rVert}, \qquad \lambda_{\max} \approx v^\top H v. \tag{2}$$
#
# (Of the largest in *absolute value*, to be exact. At the end of training the two are almost always the same.)
#
# **Exercise 2.2.** Write the power iteration (2). `Hv` is a function $v \mapsto Hv$.

# %% exercise="2.2" eq="(2)"
def top_eigenvalue(Hv, v, steps=100):
    """Return lambda_max and its unit eigenvector (n,), starting from v."""
    ### BEGIN SOLUTION
    for _ in range(steps):
        u = Hv(v)
        v = u / np.linalg.norm(u)
    return v @ Hv(v), v
    ### END SOLUTION


# %% check="2.2" points=2
def top_of_a_known_matrix(seed):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    A = Q * np.array([3.0, 1.0, 0.5, 0.1]) @ Q.T
    lam, v = top_eigenvalue(lambda x: A @ x, rng.standard_normal(4))
    return (
        differs("lambda_max", lam, 3.0, 1e-6)
        or differs("the length of v", np.linalg.norm(v), 1.0, 1e-9)
        or differs("A v, against lambda v,", A @ v, lam * v, 1e-5)
    )


check(top_of_a_known_matrix, seed=seeds)

# %% [markdown]
# ## 2.3 A slice
#
# Cut the landscape along a unit direction and look at it from the side:
#
# $$\phi(t) = f\!\left(w + t\, \frac{v}{\lVert v\rVert}\right). \tag{3}$$
#
# **Exercise 2.3.** Return $\phi$ at all the given distances.

# %% exercise="2.3" eq="(3)"
def loss_slice(f, w, v, distances):
    """Return f(w + t v/||v||) for every t in distances (m,)."""
    ### BEGIN SOLUTION
    v = v / np.linalg.norm(v)
    return np.array([f(w + t * v) for t in distances])
    ### END SOLUTION


# %% check="2.3" points=1
def slice_of_a_quadratic(seed):
    A, _, f, grad, w = quadratic(seed)
    v = np.random.default_rng(seed + 1).standard_normal(len(w))
    t, u = np.linspace(-1, 1, 5), v / np.linalg.norm(v)
    want = f(w) + t * (grad(w) @ u) + t**2 / 2 * (u @ A @ u)
    if differs("phi", loss_slice(f, w, v, t), loss_slice(f, w, 10 * v, t), 1e-9):
        return "the slices along v and along 10 v differ, but a slice does not depend on the length of v"
    return differs("phi", loss_slice(f, w, v, t), want, 1e-9)


check(slice_of_a_quadratic, seed=seeds)

# %% [markdown]
# ## 2.4 The worst point of a ball
#
# A slice shows one direction. *Sharpness* asks for the worst of all:
#
# $$S_\rho(w) = \max_{\lVert e \rVert \le \rho} f(w + e) - f(w). \tag{4}$$
#
# That is a hard problem, but for small $\rho$ the loss is nearly linear, $f(w+e) \approx f(w) + g^\top e$, and a
# linear function is largest where $e$ points along $g$ and has length $\rho$:
#
# $$S_\rho(w) \approx f\!\left(w + \rho \frac{g}{\lVert g \rVert}\right) - f(w). \tag{5}$$
#
# **Exercise 2.4.** Write (5). What should it be at a point where $g = 0$?

# %% exercise="2.4" eq="(5)"
def sharpness(f, grad, w, rho):
    """Return the rise (5) of f from w to the end of the steepest ascent of length rho."""
    ### BEGIN SOLUTION
    g = grad(w)
    length = np.linalg.norm(g)
    e = rho * g / length if length > 0 else np.zeros_like(w)
    return f(w + e) - f(w)
    ### END SOLUTION


# %% check="2.4" points=2
def rise_of_a_slope(seed, rho):
    a = np.random.default_rng(seed).standard_normal(3)
    want = rho * np.linalg.norm(a)
    got = sharpness(lambda w: a @ w, lambda w: a, np.ones(3), rho)
    return differs("the sharpness of f(w) = a.w", got, want)


def no_larger_than_the_worst(seed, rho):
    _, _, f, grad, w = quadratic(seed, 2)
    angles = np.linspace(0, 2 * np.pi, 2000)
    worst = max(f(w + rho * np.array([np.cos(q), np.sin(q)])) for q in angles) - f(w)
    got = sharpness(f, grad, w, rho)
    if got > worst * (1 + 1e-4):
        return f"your point rises by {got:.4g}, but no point of the ball rises by more than {worst:.4g}"
    if got < 0:
        return f"your sharpness is {got:.3g}: that is downhill"
    return None


def nothing_at_a_minimum():
    got = sharpness(lambda w: w @ w, lambda w: 2 * w, np.zeros(3), 0.1)
    return None if np.isfinite(got) else f"at a point with zero gradient your sharpness is {got}"


check(rise_of_a_slope, seed=seeds, rho=st.sampled_from([0.1, 1.0]))
check(no_larger_than_the_worst, seed=seeds, rho=st.sampled_from([0.1, 0.5]))
check(nothing_at_a_minimum)
### BEGIN HIDDEN TESTS
assert np.isclose(sharpness(lambda w: w @ w, lambda w: 2 * w, np.array([3.0, 4.0]), 0.5), 5.25)
### END HIDDEN TESTS

# %% [markdown]
# ## 2.5 An instrument that can be fooled
#
# In a network with relu units, multiply everything that goes *into* a hidden layer by $\alpha > 0$ and divide
# everything that comes *out* of it by the same $\alpha$:
#
# $$(W_1,\; b_1,\; W_2,\; b_2) \;\longrightarrow\; (\alpha W_1,\; \alpha b_1,\; W_2/\alpha,\; b_2). \tag{6}$$
#
# Because $\max(0, \alpha x) = \alpha \max(0, x)$, the function that the network computes is the same (Dinh et al.
# 2017). Its curvature is not.
#
# **Exercise 2.5.** Write (6) for a flat vector. `net.layers(w)` returns the views $[(W_1, b_1), (W_2, b_2)]$.

# %% exercise="2.5" eq="(6)"
def rescale(net, w, alpha):
    """Return new weights (n,) of the same function."""
    w = w.copy()
    (W1, b1), (W2, b2) = net.layers(w)
    ### BEGIN SOLUTION
    W1 *= alpha
    b1 *= alpha
    W2 /= alpha
    ### END SOLUTION
    return w


# %% check="2.5" points=1
def same_function(seed, alpha):
    net = ms.MLP((3, 4, 2), activation="relu")
    rng = np.random.default_rng(seed)
    w, X = rng.standard_normal(net.n), rng.standard_normal((6, 3))
    v = rescale(net, w, alpha)
    if alpha != 1 and np.array_equal(v, w):
        return "nothing was rescaled"
    return differs("the outputs of the rescaled network", net(v, X), net(w, X), 1e-9)


check(same_function, seed=seeds, alpha=st.sampled_from([1.0, 2.0, 0.5, 10.0]))

# %% [markdown]
# ## Write down what you expect
#
# Below, six networks learn 600 handwritten digits, **30 % of them with a wrong label**. They start from the same
# weights and see the same batches. The first is trained by plain SGD; the others by sharpness-aware minimization
# (next lesson), which minimizes the loss at the worst point of a ball, with larger and larger radius $\rho$.
#
# On paper, before you run it: as $\rho$ grows, which way do $\lambda_{\max}$, the training accuracy (on the noisy
# labels) and the test accuracy (on true labels) go?

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
rhos = np.array([0, 0.2, 0.4, 0.8, 1.2, 1.6], dtype="float32")
w = np.repeat(net.init(0)[None], len(rhos), axis=0)  # a population: all six are trained at once
opt = ms.SharpnessAware(ms.SAM(rho=0.1), ms.SGD(lr=0.1, momentum=0.9))
state = opt.init(w)
epochs = 100
for epoch in range(epochs):
    for batch in rng.permutation(600).reshape(10, 60):
        grad = lambda w, b=batch: net.loss_and_grad(w, X[b], y[b])
        w, state, _ = opt.step(w, grad, state, lr=0.1 * (1 - epoch / epochs), rho=rhos[:, None])

# %%
w = w.astype("float64")
X, X_test = X.astype("float64"), X_test.astype("float64")
loss = lambda v: float(net.loss_and_grad(v, X, y)[0])
test_loss = lambda v: float(net.loss_and_grad(v, X_test, y_test)[0])
gradient = lambda v: net.loss_and_grad(v, X, y)[1]
accuracy = lambda v, X, y: np.mean(net(v, X).argmax(-1) == y)

tops = [top_eigenvalue(lambda v, u=u: hessian_times(gradient, u, v), rng.standard_normal(net.n)) for u in w]
print(" rho   train loss  train acc  test acc  lambda_max     |g|  sharpness(0.5)")
for u, rho, (lam, _) in zip(w, rhos, tops, strict=True):
    row = loss(u), accuracy(u, X, y), accuracy(u, X_test, y_test), lam
    row += np.linalg.norm(gradient(u)), sharpness(loss, gradient, u, 0.5)
    print("{:4.1f}  {:10.3f}  {:9.3f}  {:8.3f}  {:10.2f}  {:6.4f}  {:14.4f}".format(rho, *row))

# %% [markdown]
# And the instrument that can be fooled: one relu network, rescaled by (6). Its function never changes.

# %%
relu = ms.MLP((64, 32, 10), activation="relu")
u = relu.init(0, dtype="float64")
for _ in range(200):
    u = u - 0.3 * relu.loss_and_grad(u, X, y)[1]
alphas = np.geomspace(0.1, 10, 13)
curvatures = [
    top_eigenvalue(lambda v, s=rescale(relu, u, alpha): relu.hvp(s, X, y, v), np.ones(relu.n), 40)[0]
    for alpha in alphas
]

# %%
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.3), layout="constrained")
t = np.linspace(-2.5, 2.5, 41)
for i, color, place in [(0, "#000000", (-1.6, 4.6)), (4, "#0072B2", (-2.5, 0.6))]:
    name = rf"SAM, $\rho$ = {rhos[i]:.1f}" if rhos[i] else "SGD"
    phi = loss_slice(loss, w[i], tops[i][1], t)
    left.plot(t, phi, color=color, lw=2.5)
    left.plot(t, loss_slice(test_loss, w[i], tops[i][1], t), color=color, ls=":")
    left.text(*place, name, color=color)
left.set(xlabel="distance along the sharpest direction", ylabel="loss")
left.set(title="SGD sits in a ravine, SAM in a bowl")
left.plot([], [], "k-", label="noisy training labels")
left.plot([], [], "k:", label="test")
left.legend(loc="upper right")

middle.plot(rhos, [lam for lam, _ in tops], "o-", color="#D55E00")
middle.set(xlabel=r"radius $\rho$ used in training", title="Larger ball, flatter end, better test accuracy")
middle.set_ylabel(r"$\lambda_{\max}$", color="#D55E00")
other = middle.twinx()
other.plot(rhos, [accuracy(u, X_test, y_test) for u in w], "s-", color="#009E73")
other.set_ylabel("test accuracy", color="#009E73")

right.loglog(alphas, curvatures, "o-", color="#CC79A7")
right.set(xlabel=r"rescaling $\alpha$", ylabel=r"$\lambda_{\max}$")
right.set(title="One function, any curvature you like")
plt.show()

# %% [markdown]
# ## What you have
#
# * Flatness, measured. Measured by $\lambda_{\max}$, the flatter networks are here the better ones. They also *fit the wrong
#   labels less*: look at both columns of the table before you say which causes which.
# * Two instruments that do not agree: from one row to the next the last column, (5), goes down and up again while
#   $\lambda_{\max}$ only falls. (5) contains the slope as well as the curvature, $S_\rho \approx \rho\lVert g\rVert + \dots$, and $\lVert g\rVert$ grows: training
#   with a large ball does not end at $g = 0$. (It is one run for each row: lesson 5 repeats such runs.)
# * A warning: (6) changes $\lambda_{\max}$ at will and the function not at all. "Flat" needs a ball whose shape
#   follows such rescalings. Lesson 4 has one (ASAM).
# * The library computes $Hv$ exactly, not by differences: `MLP.hvp`.
#
# **Next:** how to train for a flat place on purpose.
