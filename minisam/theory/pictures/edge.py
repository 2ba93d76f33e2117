"""A network at the edge of stability: its largest curvature rides on SAM's edge, not on 2 / lr."""

import numpy as np

from minisam.backend import get, norm, put
from minisam.lab.sharpness import top_eigenvalues
from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.mlp import MLP
from minisam.optimizers import SGD
from minisam.presam import SAM, SharpnessAware
from minisam.theory import Comparison
from minisam.theory.edge import measure_edge, sam_edge

NET, LR, RHO, STEPS, EVERY = MLP((64, 32, 10), "tanh", "mse"), 0.5, 0.1, 1000, 20


def digits(examples=200):
    """The first handwritten digits, centred and shrunk, and their one-hot labels."""
    from sklearn.datasets import load_digits

    X, y = (np.asarray(u)[:examples] for u in load_digits(return_X_y=True))
    X = X - X.mean(0)
    return X / (4 * X.std()), np.eye(10)[y]


def ride(opt, xp):
    """Train full-batch; return steps, largest curvature, and ||g|| of two steps, each (k,)."""
    X, y = (put(u, xp) for u in digits())
    grad = lambda w: NET.loss_and_grad(w, X, y)
    w = NET.init(0, xp, "float64")
    state, lengths, steps, lam = opt.init(w), [], [], []
    for t in range(STEPS):
        if t % EVERY == EVERY - 1:
            here = w
            hvp = lambda v: NET.hvp(here, X, y, v)  # noqa: B023 (used at once)
            steps.append(t)
            lam.append(top_eigenvalues(hvp, w, tol=1e-3)[0])
        w, state, seen = opt.step(w, grad, state)
        lengths.append(norm(seen.g))
    lengths = np.array([get(u)[0] for u in lengths])
    steps = np.array(steps)
    return steps, np.array(lam), (lengths[steps] + lengths[steps - 1]) / 2


def show(xp):
    fig, ax = canvas(9.5, 5.4)
    ax.set_title("Training carries the curvature up to the edge of stability,\n"
                 "and SAM's edge is lower")  # fmt: skip
    rows = []
    for name, rule, text in (("sgd", None, "gradient descent"), ("sam", SAM(RHO), "SAM")):
        steps, lam, length = ride(SharpnessAware(rule, SGD(LR)), xp)
        edge = sam_edge(length, LR, RHO if rule else 0.0)
        color, half = METHOD_COLORS[name], len(lam) // 2
        rows.append(Comparison(f"largest curvature over the edge, {text}, second half of training",
                               np.mean(edge[half:]), np.mean(lam[half:])))  # fmt: skip
        ax.plot(steps, lam, "o", color=color, ms=5)
        ax.plot(steps, edge, color=INK, ls="--", lw=1.6)
        label(ax, steps[-1], lam[-1], text, color, dx=10, dy=-16 if name == "sgd" else 12)
        law = r"edge $2/\eta$" if name == "sgd" else "SAM's edge"
        label(ax, steps[-1], edge[-1], law, dx=10, dy=4 if name == "sgd" else -10)
    ax.set(xlabel="full-batch step", xlim=(0, STEPS * 1.25), ylim=(0, None),
           ylabel=r"largest Hessian eigenvalue  $\lambda_{\max}$")  # fmt: skip
    ax.set_xticks(np.arange(0, STEPS + 1, 250))
    ax.text(0.99, 0.04, "tanh network 64-32-10, 200 handwritten digits,\n"
            rf"squared error, $\eta$ = {LR}, $\rho$ = {RHO}", transform=ax.transAxes,
            ha="right", fontsize=11, color="#666666")  # fmt: skip
    return [*rows, measure_edge()], fig
