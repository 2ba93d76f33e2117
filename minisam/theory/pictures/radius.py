"""Which radii converge: SAM's distance to the minimum follows the radius."""

from itertools import repeat

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory import DiagonalQuadratic, trajectory
from minisam.theory.radius import (
    geometric,
    measure_pl_schedule,
    measure_tracking,
    polynomial,
    tracking,
)
from minisam.theory.two_cycle import PLAIN_SAM

LR, RHO, STEPS, LAM = 0.5, 0.5, 3000, (1.0, 0.6, 0.3)
SCHEDULES = [
    ("constant", "constant", polynomial(RHO, 0.0, STEPS), 1.0),
    ("rho (1 + t)^(-1/2)", r"$\rho_t=\rho\,(1+t)^{-1/2}$", polynomial(RHO, 0.5, STEPS), 1.0),
    ("rho / (1 + t)", r"$\rho_t=\rho\,/\,(1+t)$", polynomial(RHO, 1.0, STEPS), 1.0),
    ("rho 0.99^t", r"$\rho_t=\rho\,0.99^t$", geometric(RHO, 0.99, STEPS), 0.99),
]


def show(xp):
    fig, ax = canvas(9.5, 5.4)
    ax.set_title("At a constant learning rate SAM converges if and only if\n"
                 "its radius goes to zero, and its distance follows the radius")  # fmt: skip
    t, rows = np.arange(STEPS), []
    for name, text, rhos, beta in SCHEDULES:
        grads = repeat(DiagonalQuadratic(np.array(LAM)).loss_and_grad)
        path = trajectory(PLAIN_SAM, np.ones(3), grads, repeat(LR), rhos)
        distance = np.linalg.norm(path[1:], axis=-1)
        ax.loglog(t + 1, distance, color=METHOD_COLORS["sam"], lw=3.5, alpha=0.6)
        line = tracking(LR, rhos * beta, LAM[0], beta)
        late = t > 20
        ax.loglog(t[late] + 1, line[late], color=INK, ls="--", lw=1.4)
        at = 700 if beta < 1 else -1
        label(ax, t[at] + 1, line[at], text, METHOD_COLORS["sam"], dx=-12 if beta < 1 else 8,
              dy=-8 if beta < 1 else 0)  # fmt: skip
        row = measure_tracking(LR, rhos[:1500], LAM, beta)
        rows.append(row._replace(name=f"distance at step 1500, radius {name}"))
    ax.text(1.2, 3e-7, "solid: measured\ndashed: predicted")
    ax.set(xlabel="step", ylabel="distance to the minimum", xlim=(1, STEPS * 8), ylim=(1e-7, 3))
    ax.set_xticks([1, 10, 100, 1000])
    bound = measure_pl_schedule(0.1, polynomial(RHO, 0.5, 500), 3 * np.ones((1, 2)))
    return [*rows, bound], fig
