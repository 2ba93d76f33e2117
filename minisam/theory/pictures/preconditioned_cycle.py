"""PreSAM on a quadratic: OP turns the two-cycle, CP stretches it, and may turn it too."""

from itertools import repeat

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.optimizers import SGD
from minisam.preconditioners import Dense
from minisam.presam import PreSAM, SharpnessAware
from minisam.theory import Quadratic, trajectory
from minisam.theory.preconditioned_cycle import measure_preconditioned_cycle, preconditioned_cycle

LR, RHO, A, I = 0.5, 0.5, np.diag([1.6, 1.2]), np.eye(2)
TURN = np.array([[0.8, -0.6], [0.6, 0.8]])
CASES = [
    ("SAM", "along the steepest axis", I, I, "sam"),
    ("OP,  D = diag(0.4, 1)", "turned", I, np.diag([0.4, 1.0]), "info"),
    ("CP,  C = diag(1.8, 1)", "stretched", np.diag([1.8, 1.0]), I, "asam"),
    ("CP,  C a rotated ellipse", "turned and stretched", TURN @ np.diag([1.8, 0.7]) @ TURN.T, I,
     "asam"),
]  # fmt: skip


def show(xp):
    fig, axes = canvas(13, 4.3, 1, 4, sharex=True, sharey=True)
    fig.suptitle("D turns the two-cycle of preSAM; C stretches it, and may turn it too",
                 fontsize=15, fontweight="bold", x=0.01, ha="left")  # fmt: skip
    problem, rows, start = Quadratic(A), [], np.array([0.75, 0.8])
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 100)] * 2), axis=-1)
    for ax, (name, finding, C, D, method) in zip(axes, CASES, strict=True):
        opt = SharpnessAware(PreSAM(RHO, Dense(D), Dense(C)), SGD(LR))
        path = trajectory(opt, start, repeat(problem.loss_and_grad, 300))
        v = preconditioned_cycle(LR, RHO, A, C, D)
        rows += [r._replace(name=f"{r.name}, {name}")
                 for r in measure_preconditioned_cycle(A, C, D, LR, RHO, start, 300)]  # fmt: skip
        color = METHOD_COLORS[method]
        ax.contour(grid[..., 0], grid[..., 1], problem.loss(grid), 8, colors="#DDDDDD",
                   linewidths=0.8)  # fmt: skip
        ax.plot(*path[:25].T, "-", color=color, lw=0.8, alpha=0.45)
        ax.plot(*path[-2:].T, "o-", color=color, lw=3.5, ms=8)
        ax.plot(*np.stack([v, -v], axis=-1), "o", ms=17, mfc="none", mec=INK, mew=1.8)
        ax.set_title(f"{name}\n", fontsize=13, color=color, pad=2)
        ax.text(0, 1.02, finding, transform=ax.transAxes, fontsize=12.5)
        ax.set(xlabel="$x_1$ (steep)", xlim=(-1, 1), ylim=(-1, 1), xticks=[-1, 0, 1],
               yticks=[-1, 0, 1])  # fmt: skip
        ax.set_aspect("equal")
    axes[0].set_ylabel("$x_2$ (shallow)")
    label(axes[0], 0, -0.45, "rings: predicted", dx=0, ha="center")
    label(axes[0], 0, -0.65, "dots: last two steps", METHOD_COLORS["sam"], dx=0, ha="center")
    return rows, fig
