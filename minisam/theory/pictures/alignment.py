"""Gradient noise and the ascent: when InfoSAM's weights help, and when they cannot."""

from minisam.lab.style import ACCENT, METHOD_COLORS, canvas, label
from minisam.theory import Comparison
from minisam.theory.alignment import measure_alignments, measure_plug_in

COLORS = {
    "SAM": METHOD_COLORS["sam"],
    "VaSSO": METHOD_COLORS["vasso"],
    "InfoSAM": METHOD_COLORS["info"],
    "InfoSAM on VaSSO": ACCENT,
}
PANELS = [
    (0.0, "Signal everywhere alike:\nnoise weights (InfoSAM) help"),
    (1.0, "Signal grows with the noise:\nnoise weights hurt"),
]


def show(xp):
    fig, axes = canvas(12.5, 5.2, 1, 2, sharey=True)
    rows = []
    for ax, (tau, title) in zip(axes, PANELS, strict=True):
        seen = measure_alignments(tau=tau)
        text = "constant signal" if tau == 0 else "signal like noise"
        for name, color in COLORS.items():
            ax.plot(seen.omega, seen.predicted[name], color=color)
            ax.errorbar(seen.omega, seen.measured[name], 2 * seen.standard_error[name], fmt="o",
                        color=color, ms=6, lw=1.2)  # fmt: skip
            label(ax, seen.omega[-1], seen.predicted[name][-1], name, color, dx=10)
        rows += [Comparison(f"{r.name}, {text}", r.predicted, r.measured)
                 for r in seen.comparisons()]  # fmt: skip
        ax.set_title(title)
        ax.set(xlabel="spread of the noise over parameters (std of log s)", xlim=(-0.05, 1.45),
               xticks=[0, 0.5, 1])  # fmt: skip
    axes[0].set(ylabel="cosine of eps to the true gradient", ylim=(0, None))
    axes[1].text(0.02, 0.03, "lines: predicted    dots: measured", transform=axes[1].transAxes)
    return [*rows, *measure_plug_in()], fig
