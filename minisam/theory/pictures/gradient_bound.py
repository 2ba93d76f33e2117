"""Convergence: the bound above what is measured, over the number of steps T."""

import numpy as np

from minisam.lab.style import ACCENT, INK, METHOD_COLORS, canvas, label
from minisam.theory import Comparison
from minisam.theory.bounds import (
    bound,
    measure_attained,
    measure_mean_gradient,
    measure_rates,
    usual_bound,
)

N, LR0, RHO0 = 10, 0.8, 1.0
RADII = {
    "rho0 / sqrt(T)": (-0.5, r"$\rho=\rho_0/\sqrt{T}$", METHOD_COLORS["sam"]),
    "rho0 / T^(1/4)": (-0.25, r"$\rho=\rho_0/T^{1/4}$", ACCENT),
}


def slope(x, y):
    """The log-log slope between the last two points."""
    return np.log(y[-1] / y[-2]) / np.log(x[-1] / x[-2])


def show(xp):
    rates = measure_rates(n=N, lr0=LR0, rho0=RHO0, runs=20)
    rows = [r._replace(name=f"{r.name} (bound)") for r in rates.comparisons()]
    for name, curve in rates.measured.items():
        rows.append(Comparison(f"log-log slope, {name}", -0.5, rates.slope(curve)))
    floor, _ = measure_mean_gradient(runs=400)
    rows += [measure_attained(), floor]

    fig, ax = canvas(9.5, 5.6)
    ax.set_title(
        "The bound shrinks at the measured rate for both radii;\nthe usual bound goes flat"
    )
    T = np.geomspace(rates.T[0], 1e6, 60)
    for name, (power, text, color) in RADII.items():
        known = 0.5, T, LR0 * T**-0.5, RHO0 * T**power, 1.0, np.sqrt(N)
        ours, usual = bound(*known), usual_bound(*known)
        rows.append(Comparison(f"slope of the bound at T = 10^6, {name}", -0.5, slope(T, ours)))
        look = {"ms": 13, "mfc": "none", "mew": 2} if power == -0.5 else {"ms": 7}
        ax.loglog(rates.T, rates.measured[name], "o", color=color, **look)
        ax.loglog(T, ours, color=color)
        ax.loglog(T, usual, ":", color=color)
        label(ax, T[-1], ours[-1], f"bound, {text}\nslope {slope(T, ours):.2f}", color, dx=8,
              dy=10 if power == -0.25 else -12)  # fmt: skip
        if power == -0.5:
            label(ax, T[25], usual[25], f"usual bound, {text}", color, dx=8, dy=8)
        else:
            label(ax, T[-1], usual[-1], f"usual bound, {text}\nslope {slope(T, usual):.2f}", color,
                  dx=8)  # fmt: skip
    dots = rates.measured["rho0 / sqrt(T)"]
    label(ax, rates.T[2], dots[2], "measured", INK, dx=-14, dy=-10)
    ax.set(xlim=(T[0] / 1.4, T[-1] * 60), xlabel="number of steps T",
           ylim=(2e-3, 3), ylabel="mean squared gradient")  # fmt: skip
    ax.set_xticks([1e2, 1e3, 1e4, 1e5, 1e6])
    ax.minorticks_off()
    return rows, fig
