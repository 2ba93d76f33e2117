"""Wrong or unusual implementations beside the catalogue of bugs, most of them diffs of its rows."""

import time

import numpy as np

from minisam.laws.bugs.bug import Bug
from minisam.laws.bugs.correct import asam, friendly, sam, sam_heavy_ball, vasso


def changed(row, old, new):
    """A correct FACTORY with one piece of its text replaced."""
    return Bug("", row, old, new, "", "", ()).factory


def descent(rho, lr):
    return lambda w, grad: w - lr * grad(w)


def buffered(rho, lr):
    inner, buffer = sam(rho, lr), None

    def step(w, grad):
        nonlocal buffer
        buffer = np.empty_like(w) if buffer is None else buffer
        buffer[:] = inner(w, grad)
        return buffer

    return step


def mutating_later(rho, lr):
    inner, steps = sam(rho, lr), 0

    def step(w, grad):
        nonlocal steps
        out, steps = inner(w, grad), steps + 1
        if steps == 2:
            w[:] = out
        return out

    return step


memory = {}


def sharing(rho, lr, theta):
    """Its average outlives the instance."""

    def step(w, grad):
        g = grad(w)
        d = memory.get(w.shape)
        d = memory[w.shape] = g if d is None else (1 - theta) * d + theta * g
        return w - lr * grad((w + rho * d / (np.linalg.norm(d) or 1)).astype(w.dtype))

    return step


def hangs(rho, lr):
    def step(w, grad):
        while True:
            time.sleep(0.01)

    return step


def raises(rho, lr):
    def step(w, grad):
        raise IndexError("list index\nout of range")

    return step


# claim, factory, a law that must fail or be unusable, words of its message
WRONG = {
    "plain gradient descent": ("sam", descent, "L19", "asked for 1 times"),
    "hidden momentum": (
        "sam",
        changed(sam_heavy_ball, "momentum=0.0", "momentum=0.9"),
        "L19",
        "off by",
    ),
    "hidden weight decay": (
        "sam",
        changed(sam_heavy_ball, "g = grad(w)", "g = grad(w) + 0.01 * w"),
        "L12",
        "weight decay",
    ),
    "radius doubled": ("sam", changed(sam, "rho *", "2 * rho *"), "L1", "A radius of 2 rho"),
    "eps clipped": (
        "sam",
        changed(sam, "rho * unit(g)", "np.clip(rho * unit(g), -10, 10)"),
        "L6",
        "at 1000 rho",
    ),
    "norm per bucket": (
        "sam",
        changed(
            sam,
            "unit(g)",
            "np.concatenate([unit(p) for p in np.split(g, range(64, len(g), 64))])",
        ),
        "L26",
        "over 16 blocks",
    ),
    "average restarted": (
        "vasso",
        changed(
            vasso,
            "d = None\n\n    def step(w, grad):\n        nonlocal d\n",
            "d, t = None, 0\n\n    def step(w, grad):\n        nonlocal d, t\n"
            "        d, t = d if t % 10 else None, t + 1\n",
        ),
        "L26",
        "at step 11",
    ),
    "single precision": (
        "sam",
        changed(sam, "g = grad(w)", "w = w.astype('float32')\n        g = grad(w)"),
        "L1",
        "single precision",
    ),
    "random": (
        "sam",
        changed(sam, "unit(g)", "unit(g + np.random.standard_normal(g.shape))"),
        "L0",
        "disagree",
    ),
    "shared by instances": ("vasso", sharing, "L0", "State shared between instances"),
    "eta left out": ("asam", changed(asam, "abs(w) + eta", "abs(w)"), "L13", "C = |w| instead"),
    "SAM as ASAM": ("asam", lambda rho, lr, eta: sam(rho, lr), "L11", "left out"),
    "changes its input later": ("sam", mutating_later, "L0", "changes its input at step 2"),
    "changes what it returned": ("sam", buffered, "L0", "changes what it returned before"),
    "raises": ("sam", raises, "L0", "raises IndexError: list index out of range (wrong.py, line"),
    "no step": ("sam", lambda rho, lr: None, "L0", "factory returns None"),
    "wrong shape": ("sam", lambda rho, lr: lambda w, grad: w[None], "L0", "returns shape (1,"),
    "no vector": ("sam", lambda rho, lr: lambda w, grad: None, "L0", "returns None"),
    "no such argument": ("asam", sam, "L0", "unexpected keyword argument 'eta'"),
}

# of the catalogue: a law, words of its message
EXPLAINED = {
    "norm plus 1e-7": ("L2", "An additive constant in the norm"),
    "squared norm": ("L3", "squared norm"),
    "descent instead of ascent": ("L1", "Descending"),
    "per-tensor norm": ("L10", "over 2 blocks"),
    "NaN on a zero gradient": ("L21", "0/0"),
    "rho squared": ("L6", "Rho squared"),
    "restore by subtraction": ("L19", "subtracting"),
    "no restore": ("L19", "without going back"),
    "first gradient in the update": ("L19", "gradient at w"),
    "gradients accumulated": ("L19", "added up"),
    "float64 leak": ("L24", "float64"),
    "another batch in the second pass": ("L19", "minibatches"),
    "T instead of T^2": ("L1", "C where C^2 belongs"),
    "wrong Fisher exponent": ("L1", "C^2 where C belongs"),
    "theta swapped": ("L20", "weighing the old"),
    "average fed by both gradients": ("L20", "both passes"),
    "incremental average": ("L15", "incremental form"),
    "lambda swapped": ("L26", "weighing the new"),
    "multiply instead of divide": ("L26", "ultiplying by the noise"),
    "instantaneous noise estimate": ("L26", "last gradient alone"),
    "input mutated": ("L0", "changes its input"),
}

# claim, factory, the law that names the convention, words of the sentence
UNUSUAL = {
    "from zero": (
        "vasso",
        changed(vasso, "d = g if d is None else", "d = theta * g if d is None else"),
        "L20",
        "starts at zero",
    ),
    "updated average": (
        "friendly",
        changed(
            friendly,
            "d = g if m is None else g - sigma * m\n"
            "        m = g if m is None else lmbda * m + (1 - lmbda) * g\n",
            "m = g if m is None else lmbda * m + (1 - lmbda) * g\n        d = g - sigma * m\n",
        ),
        "L16",
        "already holds",
    ),
    "biases in the ball of 1": (
        "asam",
        changed(asam, "abs(w) + eta\n", "abs(w) + eta\n        c[2 * len(w) // 3 :] = 1\n"),
        "L13",
        "as for biases",
    ),
}
# of the catalogue: found and named, not failed, as well-known code does the same
NAMED = {
    "mask after the normalisation": ("L18", "after normalising"),
    "naive norm": ("L3", "its squares vanish"),
}
