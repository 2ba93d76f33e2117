"""Running averages of noisy gradients: what theory says they know, step by step."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory.averages import degrees_of_freedom, measure_averages

THETA, STEPS = 0.1, 60


def show(xp):
    seen = measure_averages(THETA, STEPS, n=20_000)
    t = np.arange(1, STEPS + 1)
    fig, (left, right) = canvas(12, 4.6, 1, 2)

    left.set_title("Averaging leaves 5 % of the variance")
    lines = [
        ("variance of VaSSO's average", "VaSSO's average, started\nat the first gradient", "vasso"),
        ("variance of Adam's m", "Adam's m, started at zero", "sgd"),
    ]
    for name, text, method in lines:
        row, color = seen[name], METHOD_COLORS[method]
        left.plot(t, row.measured, "o", color=color, ms=4)
        left.plot(t, row.predicted, color=INK, lw=1.2)
        at = 4 if method == "vasso" else 25
        label(left, t[at], row.predicted[at], text, color, dx=10, dy=16)
    left.axhline(1.5**2, color=INK, ls="--", lw=1)
    label(left, t[0], 1.5**2, "a single gradient", dx=40, dy=9)
    left.set(xlabel="gradients after the first", ylabel="variance of the average", ylim=(0, 2.6))

    right.set_title("The noise estimate: 19 degrees of freedom")
    row, color = seen["degrees of freedom of the same"], METHOD_COLORS["info"]
    right.plot(t, row.measured, "o", color=color, ms=4)
    right.plot(t, row.predicted, color=INK, lw=1.2)
    label(right, t[5], row.predicted[5], "dots: measured,\nline: predicted", color, dx=14, dy=-8)
    limit = degrees_of_freedom(THETA)
    right.axhline(limit, color=INK, ls="--", lw=1)
    label(right, t[0], limit, f"limit {limit:.1f}", dx=0, dy=9)
    right.set(xlabel="gradients after the first", ylabel="degrees of freedom", ylim=(0, None))
    return list(seen.values()), fig
