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
# # 8 · Judge an optimizer
#
# **The question.** Somebody hands you an implementation of SAM. It trains, the loss goes down, the accuracy looks good. *Is it SAM?* Wrong
# implementations train, too: the perturbation is small, and so are most mistakes about it.
#
# **You will build** a recording oracle that sees everything an optimizer does without opening it, turn a formula into a law that
# can be broken, hunt five planted bugs with the laws, and submit an implementation of your own.
#
# | symbol | meaning | shape |
# |---|---|---|
# | `grad` | gradient function of one minibatch, $w \mapsto g$ | $(n,) \to (n,)$ |
# | `step(w, grad)` | one step of the optimizer on trial: the next $w$ | $(n,)$ |
# | `factory(rho, lr, ...)` | makes a fresh `step` | |
# | $\rho$, $\eta$ | radius, learning rate (`lr`) | numbers |
# | $\varepsilon$ | the perturbation: second point asked for minus $w$ | $(n,)$ |
# | $h$ | the gradient that the update used: $(w - w^+)/\eta$ | $(n,)$ |

# %%
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import minisam as ms
from minisam import laws
from minisam.laws.bugs import BUGS
from minisam.laws.classroom import check, differs, obey

seeds = st.integers(0, 99)


def honest_sam(rho, lr):
    """A correct one, for comparison."""

    def step(w, grad):
        g = grad(w)
        length = np.linalg.norm(g)
        eps = rho * g / length if length > 0 else np.zeros_like(g)
        return w - lr * grad(w + eps)

    return step


# %% [markdown]
# ## 8.1 An oracle that remembers
#
# An optimizer cannot look at the loss except by asking `grad`. So wrap `grad` in a function that answers the same and writes
# down every question:
#
# $$\text{ask}(x) = \text{grad}(x), \qquad \text{points} \leftarrow \text{points} + [x]. \tag{1}$$
#
# Copy the point: whoever asked may change the array later.
#
# **Exercise 8.1.** Write the wrapper.

# %% exercise="8.1" eq="(1)"
def recording(grad):
    """Return the function `ask` and the list of points that it will fill."""
    points = []
    ### BEGIN SOLUTION

    def ask(x):
        points.append(x.copy())
        return grad(x)

    ### END SOLUTION
    return ask, points


# %% check="8.1" points=1
def remembers(seed):
    x = np.random.default_rng(seed).standard_normal(3)
    first = x.copy()
    ask, points = recording(lambda v: 2 * v)
    wrong = differs("the answer", ask(x), 2 * first)
    if wrong:
        return wrong
    x += 1  # what many optimizers do
    ask(x)
    if len(points) != 2:
        return f"two questions were put, {len(points)} were written down"
    return differs("the first point written down, after the asker changed its array,", points[0], first)


check(remembers, seed=seeds)

# %% [markdown]
# ## 8.2 Read the record
#
# One step, recorded, reveals everything:
#
# $$\varepsilon = x_2 - x_1, \qquad h = \frac{w - w^+}{\eta}. \tag{2}$$
#
# **Exercise 8.2.** Return $\varepsilon$, $h$ and the number of questions.

# %% exercise="8.2" eq="(2)"
def read(step, w, grad, lr):
    """Take one step and return eps (n,), h (n,) and the number of calls of grad."""
    ask, points = recording(grad)
    ### BEGIN SOLUTION
    after = step(w.copy(), ask)
    return points[1] - points[0], (w - after) / lr, len(points)
    ### END SOLUTION


# %% check="8.2" points=1
def reads_an_honest_step(seed):
    rng = np.random.default_rng(seed)
    w, A = rng.standard_normal(3), np.diag(rng.uniform(0.5, 2, 3))
    eps, h, calls = read(honest_sam(rho=0.3, lr=0.1), w, lambda x: A @ x, 0.1)
    want = 0.3 * A @ w / np.linalg.norm(A @ w)
    return (
        differs("eps", eps, want)
        or differs("h", h, A @ (w + want))
        or (None if calls == 2 else f"SAM asks twice, you counted {calls}")
    )


check(reads_an_honest_step, seed=seeds)

# %% [markdown]
# ## 8.3 A law
#
# A law is a statement that every correct implementation obeys, *whatever the problem*. For example: SAM uses its whole radius,
#
# $$\lVert \varepsilon \rVert = \rho \quad \text{whenever } g \ne 0. \tag{3}$$
#
# The loss $f(x) = g^\top x$ has gradient $g$ everywhere, so you can choose any $g$ you like. Return a sentence when (3) is broken (by more
# than $10^{-6}\rho$), and `None` when it holds.
#
# **Exercise 8.3.** Write the law.

# %% exercise="8.3" eq="(3)"
def whole_radius(factory, g, rho):
    """Return None if (3) holds for the linear loss with gradient g, else a sentence."""
    ### BEGIN SOLUTION
    eps, _, _ = read(factory(rho=rho, lr=0.1), np.zeros_like(g), lambda x: g, 0.1)
    length = np.linalg.norm(eps)
    if abs(length - rho) > 1e-6 * rho:
        return f"||eps|| is {length:.4g}, but rho is {rho}, for g = {g}"
    ### END SOLUTION
    return None


# %% check="8.3" points=2
def gradients(seed, size):
    return size * np.random.default_rng(seed).standard_normal(3)


def acquits_the_innocent(seed, size):
    said = whole_radius(honest_sam, gradients(seed, size), 0.5)
    return said and f"your law accuses a correct SAM: {said}"


def convicts_the_guilty():
    for bug in (BUGS[0], BUGS[3]):
        said = [whole_radius(bug.factory, gradients(0, size), 0.5) for size in (1e-8, 1e-3, 1.0)]
        if not any(said):
            return f"your law overlooks this bug: {bug.breaks}"
        if not all(isinstance(x, str) for x in said if x):
            return "a broken law should be reported as a sentence"
    return None


check(acquits_the_innocent, seed=seeds, size=st.sampled_from([1.0, 1e-3, 1e-8]))
check(convicts_the_guilty)
### BEGIN HIDDEN TESTS
assert whole_radius(BUGS[3].factory, np.array([3.0, 4.0]), 0.5)
assert whole_radius(honest_sam, np.array([3.0, 4.0]), 0.5) is None
### END HIDDEN TESTS

# %% [markdown]
# Notice *where* the guilty were caught: `norm + 1e-7` is invisible with gradients of size 1. A law is as sharp as the
# examples it is tried on. `minisam.laws` has 26 laws, and lets Hypothesis look for the example.
#
# ## 8.4 The hunt
#
# Five implementations, each a small diff of a correct one. The suspects claim to be:

# %%
suspects = dict(zip("ABCDE", [BUGS[i] for i in (16, 32, 35, 23, 44)], strict=True))
for letter, bug in suspects.items():
    print(f"{letter} claims to be {bug.claim}")

# %% [markdown]
# ## Write down what you expect
#
# The next cell trains a network with each, beside an honest SAM. Would you notice anything in the loss or in the test accuracy? Write it
# down, and a guess for each suspect from its claim alone.

# %%
X, y = load_digits(return_X_y=True)
X = X / 16 - 0.3
net = ms.MLP((64, 16, 10), activation="tanh")
for name, factory in {"honest": honest_sam, **{k: bug.factory for k, bug in suspects.items()}}.items():
    step, w, batches = factory(rho=0.2, lr=0.3), net.init(0, dtype="float64"), np.random.default_rng(0)
    for _ in range(400):
        b = batches.integers(0, 1000, 50)
        w = step(w, lambda v: net.loss_and_grad(v, X[b], y[b])[1])
    loss, _ = net.loss_and_grad(w, X[:1000], y[:1000])
    right = (net(w, X[1000:]).argmax(1) == y[1000:]).mean()
    print(f"{name:6s}  training loss {loss:.4f}   right on the test set {right:.1%}")

# %% [markdown]
# Nothing here tells them apart. So interrogate them. One question looks like this (no peeking at `bug.source`):

# %%
print(laws.call_trace(suspects["A"].factory, suspects["A"].claim))

# %% [markdown]
# `laws.LAWS` holds all of them; `for law in laws.LAWS: print(law(factory, claim))` asks every question.
#
# **Exercise 8.4.** For each suspect name a law that convicts it (`"L1"` ... `"L26"`) and pick its crime from the list printed below by number.
#
# $$\text{verdict}(\text{suspect}) = \text{fails}. \tag{4}$$

# %%
crimes = sorted({BUGS[i].breaks for i in (0, 3, 12, 16, 23, 26, 32, 35, 39, 44)})
for number, crime in enumerate(crimes):
    print(f"{number}: {crime}")


# %% exercise="8.4" eq="(4)"
def my_verdicts():
    """Return {letter: (law, crime number)} for all five suspects."""
    ### BEGIN SOLUTION
    crime_of = {letter: crimes.index(bug.breaks) for letter, bug in suspects.items()}
    law_of = {"A": "L19", "B": "L2", "C": "L15", "D": "L25", "E": "L26"}
    return {letter: (law_of[letter], crime_of[letter]) for letter in suspects}
    ### END SOLUTION


# %% check="8.4" points=5
def convicts(letter):
    number, crime = my_verdicts().get(letter, (None, None))
    bug = suspects[letter]
    chosen = [law for law in laws.LAWS if law.number == number]
    if not chosen:
        return f"suspect {letter}: {number!r} is not the number of a law"
    if chosen[0](bug.factory, bug.claim, examples=40).ok:
        return f"suspect {letter} obeys {number}, {chosen[0].name}: it proves nothing"
    if crime is None or crimes[crime] != bug.breaks:
        again = "look at the counterexample again"
        return f"suspect {letter} is guilty by {number}, but of another crime; {again}"
    return None


for letter in suspects:
    check(lambda letter=letter: convicts(letter))

# %%
numbers = ["L1", "L2", "L15", "L19", "L21", "L24", "L25", "L26"]
asked = [law for law in laws.LAWS if law.number in numbers]
accused = {"honest": (honest_sam, "sam")} | {k: (bug.factory, bug.claim) for k, bug in suspects.items()}
verdicts = {name: [law(*one, examples=25) for law in asked] for name, one in accused.items()}

fig, ax = plt.subplots(figsize=(10, 4), layout="constrained")
color = dict.fromkeys(["holds", "convention"], "#009E73") | {"inapplicable": "#EEEEEE"}
color |= dict.fromkeys(["fails", "unusable"], "#D55E00")
for row, (name, line) in enumerate(verdicts.items()):
    for column, verdict in enumerate(line):
        ax.add_patch(plt.Rectangle((column, row), 0.92, 0.88, color=color[verdict.kind]))
        if not verdict.ok:
            ax.text(column + 0.46, row + 0.44, "fails", ha="center", va="center", color="white")
ax.set(xlim=(0, len(asked)), ylim=(len(verdicts), 0))
ax.set(title="Every suspect breaks a law; honest SAM breaks none")
ax.set_xticks(np.arange(len(asked)) + 0.46, [f"{law.number}\n{fill(law.name, 14)}" for law in asked])
ax.set_yticks(np.arange(len(verdicts)) + 0.44, [f"{name} ({claim})" for name, (_, claim) in accused.items()])
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# And what they did, as diffs:

# %%
for letter, bug in suspects.items():
    print(f"{letter}: {bug}\n")

# %% [markdown]
# ## 8.5 Your turn
#
# **Exercise 8.5.** Write a SAM of your own, from a blank cell, that obeys *all* laws: also where $g = 0$, for gradients of size $10^{-8}$, and
# in float32 (where the result must be float32). Can you make it survive a gradient of size $10^{-170}$, whose square is 0? If not, the
# report will not call it wrong, but it will name the *convention*.
#
# $$\varepsilon = \rho\, g / \lVert g\rVert, \qquad w^+ = w - \eta\, \nabla f(w + \varepsilon). \tag{5}$$

# %% exercise="8.5" eq="(5)"
def my_sam(rho, lr):
    """Return step(w, grad) -> next w."""
    ### BEGIN SOLUTION

    def step(w, grad):
        g = grad(w)
        largest = np.abs(g).max()
        u = g / largest if largest > 0 else g  # so that squares neither vanish nor overflow
        length = np.linalg.norm(u)
        eps = rho * (u / length) if length > 0 else u
        return w - lr * grad(w + eps)

    return step
    ### END SOLUTION


# %% check="8.5" points=4
obey(my_sam, "sam", *laws.LAWS, examples=25)
print(laws.judge(my_sam, "sam", examples=10).summary)
### BEGIN HIDDEN TESTS
assert laws.judge(my_sam, "sam", examples=40, seed=1).ok
### END HIDDEN TESTS

# %% [markdown]
# ## Take it home
#
# The same judge reads any Python file, of any framework:
#
# ```
# minisam verify my_optimizer.py:factory --as asam
# ```
#
# and two lines put it into your own test suite:
#
# ```python
# from minisam.laws import tests_for
# test_my_sam = tests_for(factory, claim="sam")
# ```
#
# PyTorch optimizers are wrapped by `minisam.laws.adapters`. You came from backprop by hand to judging published code. Go and find a bug.
