"""How the time of a SAM step grows with parameters, batch and population: a figure, exponents."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import minisam as ms
from benchmarks import peers
from benchmarks.timing import cores, interleave, markdown

FIGURE = Path(__file__).with_name("growth.png")


def main(rounds: int) -> None:
    ms.backend.reuse_memory()
    rule = ms.SAM(peers.RHO)
    widths = 2 ** np.arange(3, 12)
    nets = [peers.Problem((64, int(h), int(h), 10), 64) for h in widths]
    batches, members = 2 ** np.arange(2, 13), 2 ** np.arange(0, 11)
    series = {
        "parameters": (np.array([ms.MLP(p.sizes).n for p in nets]),
                       [peers.minisam(p, rule) for p in nets]),
        "batch": (batches, [peers.minisam(peers.Problem((64, 128, 128, 10), int(b)), rule)
                            for b in batches]),
        "population": (members, [peers.minisam(peers.Problem((16, 16, 4), 16), rule, int(S))
                                 for S in members]),
    }  # fmt: skip
    rows = []
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, len(series), sharey=True)
    for ax, (name, (x, steps)) in zip(axes, series.items(), strict=True):
        y = np.median(interleave(steps, max(3, rounds // 3)), axis=0) * 1e3
        low, high = (
            np.polyfit(np.log(x[s]), np.log(y[s]), 1)[0] for s in (slice(3), slice(-3, None))
        )
        rows.append([name, f"{x[0]} ... {x[-1]}", f"{low:.2f}", f"{high:.2f}"])
        ax.loglog(x, y, "o-")
        ax.loglog(x[-5:], y[-1] * x[-5:] / x[-1], "k:", lw=1)
        ax.annotate("proportional", (x[-5], y[-1] * x[-5] / x[-1]), ha="left", va="top")
        ax.set_xlabel(name)
        ax.set_title(f"grows like {name}$^{{{high:.2f}}}$ at the end", fontsize=10)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("one SAM step (ms)")
    figure.savefig(FIGURE, dpi=110)
    print(f"\n## Growth of the time of a step on {cores()} core(s)\n")
    print(markdown(["in", "from ... to", "exponent, first 3", "exponent, last 3"], rows))
    print(f"\nFigure: {FIGURE.name}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
