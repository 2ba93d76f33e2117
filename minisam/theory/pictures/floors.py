"""A constant radius: how close to the minimum it lets preSAM come, and the bound on that."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory import SineBowl
from minisam.theory.floors import measure_distance, measure_noisy_distance, measure_pl

LR, STEPS, RHOS = 0.5, 60, (0.01, 0.1, 1.0)


def show(xp):
    rng = np.random.default_rng(0)
    A = np.diag([1.0, 0.8, 0.6])
    C, D = np.diag([1.0, 0.5, 0.8]), np.diag([0.3, 1.0, 2.0])
    x = np.broadcast_to(3 * np.ones(3), (len(RHOS), 3))
    seen = measure_distance(A, LR, np.array(RHOS), x, STEPS, C, D)
    pl = measure_pl(SineBowl(), 0.1, np.array(RHOS), 2 + rng.random((3, 2)), STEPS,
                    np.eye(2), np.eye(2))  # fmt: skip

    fig, ax = canvas(9, 5.2)
    ax.set_title("With a constant radius preSAM never arrives:\n"
                 "ten times the radius, ten times the distance")  # fmt: skip
    for k, rho in enumerate(RHOS):
        ax.semilogy(seen.predicted[:, k], color=INK, lw=1.6, ls="--")
        ax.semilogy(seen.measured[:, k], color=METHOD_COLORS["sam"])
        label(ax, STEPS, seen.predicted[-1, k], rf"bound, $\rho$ = {rho:g}", dy=7)
        label(ax, STEPS, seen.measured[-1, k], rf"preSAM, $\rho$ = {rho:g}", METHOD_COLORS["sam"],
              dy=-7)  # fmt: skip
    ax.set(xlabel="step", ylabel="distance to the minimum", xlim=(0, STEPS * 1.32),
           xticks=range(0, STEPS + 1, 10))  # fmt: skip
    return [seen, pl, measure_noisy_distance(runs=500)], fig
