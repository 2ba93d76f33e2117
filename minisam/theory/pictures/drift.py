"""A valley with two walls: D decides which wall's curvature preSAM runs from."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory.drift import measure_drift, measure_settling

NAMES = {9.0: "D fears wall 1", 1.0: "SAM", 1 / 9: "D fears wall 2"}


def show(xp):
    path, settled = measure_settling(tuple(NAMES))
    fig, ax = canvas(9.5, 5.2)
    ax.set_title("SAM goes where both walls are equally steep;\nD shifts the balance")
    for b, name, (_, point, _) in zip(path.T, NAMES.values(), settled, strict=True):
        color = METHOD_COLORS["sam" if name == "SAM" else "info"]
        ax.plot(b, color=color, lw=1.8)
        ax.axhline(point, color=INK, ls="--", lw=1.3)
        label(ax, len(path), point, name, color, dx=8, dy=10)
        label(ax, len(path), point, f"predicted {point:.2f}", dx=8, dy=-9)
    ax.set(xlabel="step", xlim=(0, len(path) * 1.25), ylim=(-1.1, 1.1),
           ylabel="b, position along the valley\n"
                  r"(wall 1: $\lambda = 2 + b$, wall 2: $1.9 - b$)")  # fmt: skip
    ax.set_xticks(np.arange(0, len(path), 2500))
    return [measure_drift(), *settled], fig
