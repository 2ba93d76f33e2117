"""SAM on a quadratic: the two-cycle closing in on its predicted amplitude."""

from itertools import repeat

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, MUTED, canvas, label
from minisam.theory import Comparison, Quadratic, trajectory
from minisam.theory.two_cycle import PLAIN_SAM, cycle_amplitude, cycle_rate, measure_two_cycle

A, LR, RHO, START = np.diag([1.0, 0.3]), 0.5, 0.6, np.array([-1.9, 1.3])


def show(xp):
    problem, lam = Quadratic(A), np.diag(A)
    path = trajectory(PLAIN_SAM, START, repeat(problem.loss_and_grad, 60), repeat(LR), repeat(RHO))
    a, rate = cycle_amplitude(LR, RHO, lam[0]), cycle_rate(LR, lam)
    cycle = np.stack([np.abs(path[:, 0]) - a, path[:, 1]], axis=-1)
    error = np.linalg.norm(cycle, axis=-1)
    measured = (error[50] / error[30]) ** (1 / 20)
    rows = [*measure_two_cycle(A, LR, RHO, START), Comparison("rate per step", rate, measured)]

    fig, (plane, log) = canvas(11, 4.6, 1, 2, width_ratios=(1.45, 1))
    fig.suptitle("SAM never settles: it ends bouncing across the minimum, as far as predicted",
                 fontsize=15, fontweight="bold", x=0.01, ha="left")  # fmt: skip
    u, v = np.meshgrid(np.linspace(-2.1, 1.6, 100), np.linspace(-0.5, 1.45, 100))
    f = problem.loss(np.stack([u, v], axis=-1))
    plane.contour(u, v, f, 14, colors="#D9D9D9", linewidths=0.8)
    plane.plot(*path.T, "o-", color=METHOD_COLORS["sam"], lw=1.2, ms=4.5)
    label(plane, START[0], START[1], "start", METHOD_COLORS["sam"], dx=10, dy=4)
    plane.plot([-a, a], [0, 0], "o", ms=19, mfc="none", mec=INK, mew=2)
    plane.plot(0, 0, "+", color=MUTED, ms=11, mew=2)
    label(plane, 0, 0, "minimum", MUTED, dx=0, dy=-16, ha="center")
    label(plane, -a, 0, r"predicted $\pm\,a\,e_1$,  $a=\dfrac{\eta\rho\lambda_1}{2-\eta\lambda_1}$",
          dx=-18, dy=16)  # fmt: skip
    plane.set(xlabel="$x_1$ (steep)", ylabel="$x_2$ (shallow)", ylim=(-0.5, 1.45))

    t = np.arange(len(path))
    log.semilogy(t, error, "o", color=METHOD_COLORS["sam"], ms=4.5)
    log.semilogy(t[20:], 5 * error[30] * rate ** (t[20:] - 30.0), color=INK, ls="--")
    label(log, 30, 5 * error[30], f"predicted:\n× {rate:.3f} a step", dx=10, dy=14)
    log.set(xlabel="step", ylabel="distance to the two-cycle")
    return rows, fig
