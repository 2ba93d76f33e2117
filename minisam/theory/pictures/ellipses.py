"""One gradient under different D and C: the perturbation of preSAM as a picture."""

import numpy as np

from minisam.lab.style import ACCENT, INK, METHOD_COLORS, MUTED, canvas, label
from minisam.preconditioners import Dense
from minisam.presam import PreSAM
from minisam.theory import Comparison
from minisam.theory.preconditioned_cycle import ellipse

RHO, G, I = 0.75, np.array([1.15, 0.95]), np.eye(2)
D, C = np.diag([0.25, 1.0]), np.array([[1.1, -0.5], [-0.5, 0.75]])
CASES = [
    ("SAM", I, I, "sam", "straight up the gradient"),
    ("OP: D = diag(¼, 1)", I, D, "info", "trusts $g_2$ more"),
    ("CP: an ellipse", C, I, "asam", "goes where the ball is long"),
    ("both", C, D, None, "one formula"),
]


def arrow(ax, v, color, **kwargs):
    ax.annotate("", v, (0, 0), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 3,
                "shrinkA": 0, "shrinkB": 0, "mutation_scale": 18} | kwargs)  # fmt: skip


def show(xp):
    fig, axes = canvas(13, 3.75, 1, 4, sharey=True)
    fig.suptitle("One gradient, four perturbations: "
                 r"$\epsilon=\rho\,CC^{\mathsf{T}}Dg\,/\,\|C^{\mathsf{T}}Dg\|$",
                 fontsize=16, fontweight="bold", x=0.01, ha="left")  # fmt: skip
    rows = []
    for ax, (name, C, D, method, finding) in zip(axes, CASES, strict=True):
        eps, _ = PreSAM(RHO, Dense(D), Dense(C)).perturb(G, G, None)
        ball, color = ellipse(C, RHO, 10_001), METHOD_COLORS.get(method, ACCENT)
        rows.append(Comparison(f"highest <D g, e> in the ball, {name}",
                               np.max(ball @ D @ G), G @ D @ eps))  # fmt: skip
        ax.fill(*ball.T, color=color, alpha=0.13)
        ax.plot(*ball.T, color=color, lw=1.5)
        v = D @ G
        across = np.array([-v[1], v[0]]) / np.linalg.norm(v)  # the level line that eps reaches
        ax.plot(*np.stack([eps - 2 * across, eps + 2 * across]).T, ":", color=MUTED, lw=1.3)
        arrow(ax, G, INK, lw=1.6)
        label(ax, G[0], G[1], "g", dx=4, dy=6, fontsize=14)
        if D is not I:
            arrow(ax, v, MUTED, lw=1.6)
            label(ax, v[0], v[1], "Dg", MUTED, dx=4, dy=9, fontsize=14)
        arrow(ax, eps, color)
        aside = np.array([eps[1], -eps[0]]) / np.linalg.norm(eps)
        aside = -15 * aside * (np.sign(aside @ G) if abs(aside @ G) > 1e-9 else -1)  # away from g
        label(ax, eps[0] * 0.55, eps[1] * 0.55, r"$\epsilon$", color, aside[0], aside[1],
              fontsize=19, ha="center")  # fmt: skip
        ax.set_title(f"{name}\n", fontsize=14, color=color, pad=2)
        ax.text(0, 1.02, finding, transform=ax.transAxes, fontsize=12.5)
        ax.set(xlim=(-1.25, 1.5), ylim=(-0.85, 1.25), xticks=[], yticks=[])
        ax.set_aspect("equal")
        for side in ax.spines.values():
            side.set_visible(False)
    return rows, fig
