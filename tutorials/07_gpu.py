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
# # 7 · From a laptop to a GPU
#
# **The question.** Your SAM runs on NumPy. What has to change so that the *same lines* run on a GPU? And why is a GPU, or even your own
# laptop, mostly idle when it trains one small network?
#
# **You will build** functions that do not know which library they run on, find the two habits that stall a GPU without any error message,
# and train a whole population of networks as one array.
#
# **An honest note.** This lesson runs everywhere. If the machine has no GPU, then nothing below was measured on one, and the last figure says so.
# In place of a GPU we use `array-api-strict`: a NumPy in disguise that obeys the standard to the letter and pretends to own several devices.
#
# | symbol | meaning | shape |
# |---|---|---|
# | `xp` | the library of an array: `numpy`, `cupy`, `torch`, ... | a module |
# | $w$, $f$, $g = \nabla f(w)$ | weights of one network, or of $S$ networks; loss; gradient | $(n,)$ or $(S, n)$; $f$: $(S,)$ |
# | $S$ | size of the *population*: networks trained together | number |
# | $\varepsilon$, $\rho$, $\eta$ | perturbation, radius, learning rate (`lr`) | shape of $w$, numbers |

# %%
import time
from unittest.mock import patch

import array_api_strict as strict
import matplotlib.pyplot as plt
import numpy as np
from array_api_compat import array_namespace, device
from hypothesis import strategies as st

import minisam as ms
from minisam.backend import get, put
from minisam.laws.classroom import check, differs

seeds = st.integers(0, 99)
elsewhere = strict.Device("device1")  # not the default device: like a GPU


def to_device(x):
    """Move a NumPy array to the other device."""
    return put(x, strict, elsewhere)


# %% [markdown]
# ## 7.1 Ask the array
#
# The *array API standard* (data-apis.org) fixes what NumPy, CuPy, PyTorch and others have in common. A function written
# against it asks its argument which library it belongs to:
#
# ```python
# xp = array_namespace(u)        # numpy, cupy, torch, ...
# ```
#
# and calls `xp.sqrt`, never `np.sqrt`. Methods such as `u.sum()` are outside the standard: `xp.sum(u)`.
#
# **Exercise 7.1.** Write the Euclidean norm, over the last axis, kept as an axis of length one:
#
# $$\lVert u \rVert = \Big(\sum_i u_i^2\Big)^{1/2}, \qquad (\dots, n) \to (\dots, 1). \tag{1}$$

# %% exercise="7.1" eq="(1)"
def norm(u):
    """Return the norms (..., 1) of vectors (..., n), of any library."""
    xp = array_namespace(u)
    ### BEGIN SOLUTION
    return xp.sqrt(xp.sum(u * u, axis=-1, keepdims=True))
    ### END SOLUTION


# %% check="7.1" points=2
def same_everywhere(function):
    def claim(seed, shape):
        u = np.random.default_rng(seed).standard_normal(shape)
        want = function(u)
        far = function(to_device(u))
        if type(far) is not type(to_device(u)):
            return f"given an array of {strict.__name__}, it returns a {type(far).__name__}"
        if device(far) != elsewhere:
            return f"the result is on {device(far)}, but the argument was on {elsewhere}"
        return differs("the result on the other device", get(far), want, 1e-12)

    return claim


def right_value(seed, shape):
    u = np.random.default_rng(seed).standard_normal(shape)
    return differs("norm", norm(u), np.linalg.norm(u, axis=-1, keepdims=True))


shapes = st.sampled_from([(3,), (2, 3)])
check(right_value, seed=seeds, shape=shapes)
check(same_everywhere(norm), seed=seeds, shape=shapes)

# %% [markdown]
# ## 7.2 Do not look
#
# A GPU works through a queue, far behind the Python program that fills it. `if length > 0:` asks for a *value*: Python must wait until the
# queue is empty, and the GPU then waits for Python. So do `float(x)`, `print(x)` and `x.item()`. Nothing fails; everything is slow. And
# with a population there is not one answer to the question anyway.
#
# Replace the branch by arithmetic on all cases at once, `xp.where(condition, a, b)`:
#
# $$\varepsilon = \rho\, g / \lVert g \rVert, \qquad \varepsilon = 0 \text{ where } g = 0. \tag{2}$$
#
# Both branches of `where` are computed, so keep 0/0 out of the one that is not chosen.
#
# **Exercise 7.2.** Write (2) without looking at a value.

# %% exercise="7.2" eq="(2)"
def ascend(g, rho):
    """Return eps (..., n) for gradients (..., n)."""
    xp = array_namespace(g)
    ### BEGIN SOLUTION
    length = norm(g)
    return rho * g / xp.where(length > 0, length, xp.ones_like(length))
    ### END SOLUTION


# %% check="7.2" points=3
def never_looks(seed, zero):
    g = to_device(np.random.default_rng(seed).standard_normal(3) * (not zero))
    kind, looked = type(g), []
    spy = lambda name, answer: patch.object(kind, name, lambda self: looked.append(name) or answer)
    with spy("__bool__", True), spy("__float__", 1.0):
        ascend(g, 0.1)
    return f"your function looks at a value, through {looked[0]}: a GPU would stall" if looked else None


def each_row_for_itself(seed):
    g = np.random.default_rng(seed).standard_normal((3, 4))
    g[1] = 0
    with np.errstate(all="ignore"):
        want = np.array([0.5 * u / max(np.linalg.norm(u), 1e-300) for u in g])
        return differs("eps of a population", ascend(g, 0.5), want)


check(never_looks, seed=seeds, zero=st.booleans())
check(each_row_for_itself, seed=seeds)
check(same_everywhere(lambda g: ascend(g, 0.1)), seed=seeds, shape=shapes)

# %% [markdown]
# ## 7.3 The same numbers everywhere
#
# Every library has its own random generator, and none agrees with another. If a run should be the *same run* on a laptop and on a GPU, draw
# on the host, then move:
#
# $$w_0 = \text{move}\big(\text{scale} \cdot \text{normal}(\text{seed})\big). \tag{3}$$
#
# **Exercise 7.3.** Return $n$ starting weights. `put(array, xp, device, dtype)` moves.

# %% exercise="7.3" eq="(3)"
def start(seed, n, scale, xp=np, device=None):
    """Return scale times n standard normal numbers of this seed, float32, on the device."""
    ### BEGIN SOLUTION
    return put(scale * np.random.default_rng(seed).standard_normal(n), xp, device, "float32")
    ### END SOLUTION


# %% check="7.3" points=1
def same_start(seed):
    here, there = start(seed, 5, 0.1), start(seed, 5, 0.1, strict, elsewhere)
    if str(here.dtype) != "float32":
        return f"the weights are {here.dtype}: a GPU is many times slower in float64"
    if device(there) != elsewhere:
        return f"the weights are on {device(there)}, not on {elsewhere}"
    if np.array_equal(start(seed, 5, 0.1), start(seed + 1, 5, 0.1)):
        return "two seeds give the same weights"
    return differs("the weights there", get(there), here, 0.0)


check(same_start, seed=seeds)

# %% [markdown]
# ## 7.4 Many as one
#
# A small network is a few tiny matrix products; most of the time goes into *calling* them. Give $w$ a leading axis instead and train $S$
# networks with the same calls:
#
# $$(S, n):\qquad w \leftarrow w - \eta\, \nabla f\big(w + \varepsilon\big), \quad \text{row by row}. \tag{4}$$
#
# `MLP.loss_and_grad` takes $w$ of shape $(S, n)$ and returns $S$ losses and $(S, n)$ gradients; your `ascend` already works row by row.
#
# **Exercise 7.4.** Write a SAM step that works for one network and for $S$, on every library.

# %% exercise="7.4" eq="(4)"
def sam_step(net, w, X, y, rho, lr):
    """Return the next weights, of the shape of w."""
    ### BEGIN SOLUTION
    _, g = net.loss_and_grad(w, X, y)
    _, h = net.loss_and_grad(w + ascend(g, rho), X, y)
    return w - lr * h
    ### END SOLUTION


# %% check="7.4" points=3
net = ms.MLP((4, 8, 3))


def together_as_alone(seed):
    rng = np.random.default_rng(seed)
    w, X, y = rng.standard_normal((3, net.n)), rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    together = sam_step(net, w, X, y, 0.1, 0.1)
    alone = np.stack([sam_step(net, u, X, y, 0.1, 0.1) for u in w])
    wrong = differs("a step of three networks together", together, alone, 1e-12)
    return wrong and f"{wrong}, as it is alone"


def like_the_library(seed):
    rng = np.random.default_rng(seed)
    w, X, y = rng.standard_normal(net.n), rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    opt = ms.SharpnessAware(ms.SAM(0.1), ms.SGD(0.1))
    want = opt.step(w, lambda v: net.loss_and_grad(v, X, y), opt.init(w))[0]
    far = sam_step(net, *map(to_device, (w, X, y)), 0.1, 0.1)
    here = sam_step(net, w, X, y, 0.1, 0.1)
    return differs("the step", here, want) or differs("the step on the other device", get(far), want)


check(together_as_alone, seed=seeds, examples=20)
check(like_the_library, seed=seeds, examples=20)
### BEGIN HIDDEN TESTS
w0, X0, y0 = np.ones((3, net.n)), np.eye(4), np.array([0, 1, 2, 0])
opt = ms.SharpnessAware(ms.SAM(0.2), ms.SGD(0.3))
want = opt.step(w0, lambda v: net.loss_and_grad(v, X0, y0), opt.init(w0))[0]
assert np.allclose(sam_step(net, w0, X0, y0, 0.2, 0.3), want, atol=1e-12)
### END HIDDEN TESTS

# %% [markdown]
# ## Write down what you expect
#
# Below, $S$ networks with 8-16-4 units make 20 SAM steps each, once one after the other, once as a population. How many times faster is the
# population for $S = 1, 4, 16, 64, 256$? Does the advantage grow for ever? What if the networks are larger, 64-128-10?

# %%
def available_backends():
    """Return [(name, xp, device)]: NumPy, and CuPy if there is a GPU."""
    try:
        import cupy

        cupy.zeros(1)
        return [("NumPy", np, None), ("CuPy", cupy, None)]
    except Exception as error:
        print(f"no GPU here ({type(error).__name__}): measuring NumPy on the CPU alone")
        return [("NumPy", np, None)]


def runs_per_second(net, S, xp, where, steps=20):
    """How many networks advance by `steps` SAM steps in a second, S at a time: median of 3."""
    rng = np.random.default_rng(0)
    X = put(rng.standard_normal((16, net.sizes[0])), xp, where, "float32")
    y = put(rng.integers(0, net.sizes[-1], 16), xp, where)
    rates = []
    for _ in range(3):
        w = net.init(0, xp=xp, device=where, lead=(S,))
        began = time.perf_counter()
        for _ in range(steps):
            w = sam_step(net, w, X, y, 0.1, 0.1)
        get(w[0, :1])  # wait until it is really done
        rates.append(S / (time.perf_counter() - began))
    return np.median(rates)


sizes = [1, 4, 16, 64, 256]
nets = {"8-16-4": ms.MLP((8, 16, 4)), "64-128-10": ms.MLP((64, 128, 10))}
speed = {}
for backend, xp, where in available_backends():
    for label, small in nets.items():
        rates = np.array([runs_per_second(small, S, xp, where) for S in sizes])
        speed[backend, label] = rates / rates[0]
        row = "  ".join(f"S={S}: {r:.1f}" for S, r in zip(sizes, rates / rates[0], strict=True))
        print(f"{backend:6s} {label:10s} times faster than one at a time: {row}")

# %%
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
colors = {"NumPy": ["#0072B2", "#56B4E9"], "CuPy": ["#D55E00", "#E69F00"]}
for (backend, label), ratio in speed.items():
    color = colors[backend][list(nets).index(label)]
    ax.loglog(sizes, ratio, "o-", color=color, lw=2)
    ax.text(sizes[-1] * 1.15, ratio[-1], f"{label}, {backend}", color=color, va="center")
ax.loglog(sizes, sizes, ":", color="gray")
ax.text(20, 24, "perfect: S for the price of one", color="gray", rotation=38, rotation_mode="anchor")
ax.axhline(1, color="gray", lw=0.8)
ran = " and ".join(dict.fromkeys(backend for backend, _ in speed))
ax.set(xlabel="population size $S$", ylabel="networks per second, relative to $S = 1$", xlim=(0.9, 1500))
ax.set(title=f"Tiny networks gain most (measured on {ran})")
plt.show()

# %% [markdown]
# ## What you have
#
# * The rules: ask the array for its library; no methods, no `np.`; never look at a value; draw on the host; one leading axis for many runs.
#   The six files of the method follow them, and the tests run them on NumPy, on `array-api-strict` with its odd devices, and, where there is
#   one, on a GPU.
# * On a GPU: `pip install ".[gpu-cuda12]"`, then `net.init(0, xp=cupy)`, or `minisam compare --backend cupy`. Nothing else changes.
# * A population gains while calls cost more than arithmetic. On a CPU that ends early, at tiny networks. A GPU has more arithmetic to fill.
