"""Gradient noise linearises SAM: the mean perturbation grows with the gradient, then saturates."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, MUTED, canvas, label
from minisam.theory.noise import (
    mean_inverse_length,
    mean_unit,
    measure_linearised,
    measure_stationary,
)

N = 20


def show(xp):
    seen, rest = measure_linearised(n=N), measure_stationary()
    k = np.geomspace(seen.k[0] / 1.5, seen.k[-1] * 1.5, 100)
    fig, ax = canvas(9, 5.2)
    ax.set_title("Under noise SAM is unnormalised near the minimum,\nand normalised far from it")
    ax.loglog(k, mean_unit(k, N), color=INK, lw=1.6)
    ax.loglog(k[k < 12], mean_inverse_length(N, 1.0) * k[k < 12], ":", color=MUTED)
    ax.axhline(1, color=MUTED, ls=":")
    ax.errorbar(seen.k, seen.measured, 2 * seen.standard_error, fmt="o", ms=9,
                color=METHOD_COLORS["sam"])  # fmt: skip
    label(ax, seen.k[1], seen.measured[1], "measured", METHOD_COLORS["sam"], dx=12, dy=-8)
    label(ax, seen.k[2], mean_unit(seen.k[2], N), "predicted", dx=14, dy=-14)
    label(ax, 5, mean_inverse_length(N, 1.0) * 6, "unnormalised SAM", MUTED, dx=-12, dy=8)
    label(ax, k[0], 1, "SAM without noise", MUTED, dx=0, dy=10)
    ax.set(
        xlabel="gradient / noise per parameter",
        ylabel=r"length of the mean eps / $\rho$",
    )
    return [*seen.comparisons(), rest.second_moment, rest.correlation], fig
