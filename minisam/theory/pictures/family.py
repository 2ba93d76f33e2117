"""From unnormalised SAM (l = 0) to SAM (l = 1): how far the two-cycle reaches."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory import Comparison
from minisam.theory.family import amplitude, largest_lr, measure_family

A, RHO = np.diag([1.0, 0.4]), 0.5
LRS = (0.4, 0.8, 1.2)


def show(xp):
    l = np.linspace(0, 1, 11)
    start = np.broadcast_to(np.array([0.7, 0.5]), (len(l), 2))
    fig, ax = canvas(9, 5.2)
    ax.set_title("The more normalised, the farther SAM bounces;\nunnormalised SAM converges")
    rows = []
    for lr in LRS:
        reach, _ = measure_family(A, lr, RHO, l, start, steps=2000)
        rows.append(Comparison(f"amplitude of the two-cycle, lr = {lr}, l = 0.1 ... 1",
                               reach.predicted[1:], reach.measured[1:]))  # fmt: skip
        fine = np.linspace(0, 1, 200)
        ax.plot(fine, amplitude(lr, RHO, fine, 1.0), color=INK, lw=1.5)
        ax.plot(l, reach.measured, "o", color=METHOD_COLORS["sam"], ms=8)
        label(ax, 1, reach.measured[-1], rf"$\eta\lambda_1$ = {lr}", METHOD_COLORS["sam"], dx=12)
    label(
        ax, 0.45, amplitude(1.2, RHO, 0.45, 1.0), "line: predicted\ndots: measured", dx=-10, dy=34
    )
    ax.set(xlabel="l, degree of normalisation", ylabel="distance from the minimum at the end",
           xlim=(-0.08, 1.18))  # fmt: skip
    ticks = ["0\nunnormalised SAM", "0.2", "0.4", "0.6", "0.8", "1\nSAM"]
    ax.set_xticks(np.linspace(0, 1, 6), ticks)
    below = measure_family(A, 0.97 * largest_lr(1.0, RHO, 0.5), RHO, 0.5, start[0], 1000)[0]
    rows.append(Comparison("amplitude at 0.97 of the largest lr, l = 0.5", *below[1:]))
    return rows, fig
