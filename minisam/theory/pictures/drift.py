"""A valley with two walls: D decides which wall's curvature preSAM runs from."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory import Comparison, SharpValley
from minisam.theory.drift import measure_drift, settling_path, settling_point

RATIOS, LR = (9.0, 1.0, 1 / 9), 0.3
NAMES = {9.0: "D fears wall 1", 1.0: "SAM", 1 / 9: "D fears wall 2"}


def show(xp):
    d = np.stack([np.array(RATIOS), np.ones(3)], axis=-1)
    path = settling_path(d, lr=LR)
    fig, ax = canvas(9.5, 5.2)
    ax.set_title("SAM goes where both walls are equally steep;\nD shifts the balance")
    rows = [measure_drift()]
    for k, ratio in enumerate(RATIOS):
        point = settling_point(SharpValley(), LR, d[k])
        rows.append(Comparison(f"b where d1 / d2 = {ratio:.3g}", point,
                               np.mean(path[-2000:, k])))  # fmt: skip
        color = METHOD_COLORS["sam" if ratio == 1 else "info"]
        ax.plot(path[:, k], color=color, lw=1.8)
        ax.axhline(point, color=INK, ls="--", lw=1.3)
        label(ax, len(path), path[-1, k], NAMES[ratio], color, dx=8, dy=9)
        label(ax, len(path), point, f"predicted {point:.2f}", dx=8, dy=-9)
    ax.set(xlabel="step", xlim=(0, len(path) * 1.25), ylim=(-1.1, 1.1),
           ylabel="b, position along the valley\n"
                  r"(wall 1: $\lambda = 2 + b$, wall 2: $1.9 - b$)")  # fmt: skip
    ax.set_xticks(np.arange(0, len(path), 2500))
    return rows, fig
