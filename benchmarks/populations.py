"""S runs advanced together by one program, against S runs one after the other: a figure."""

from __future__ import annotations

import sys
from pathlib import Path

import minisam as ms
from benchmarks import peers
from benchmarks.timing import cores, interleave, markdown, ratio, show

FIGURE = Path(__file__).with_name("populations.png")
MEMBERS = (1, 2, 4, 8, 16, 32, 64)
NETS = {
    "8-16-4, batch 16": peers.Problem((8, 16, 4), 16),
    "20-32-32-5, batch 32": peers.Problem((20, 32, 32, 5), 32),
    "64-64-10, batch 64": peers.Problem((64, 64, 10), 64),
    "64-128-128-10, batch 64": peers.Problem((64, 128, 128, 10), 64),
}


def main(rounds: int) -> None:
    from matplotlib.figure import Figure

    ms.backend.reuse_memory()
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    ax = figure.subplots()
    rows = []
    for name, problem in NETS.items():
        steps = [peers.minisam(problem, ms.SAM(peers.RHO), S) for S in MEMBERS]
        s = interleave(steps, rounds).T
        gains = [ratio(S * s[0], t) for S, t in zip(MEMBERS, s, strict=True)]
        rows.append([name, *map(show, gains)])
        (line,) = ax.plot(MEMBERS, [g[0] for g in gains], "o-")
        ax.annotate(name, (MEMBERS[-1], gains[-1][0]), (6, 0), textcoords="offset points",
                    va="center", color=line.get_color(), annotation_clip=False)  # fmt: skip
    ax.axhline(1, color="k", lw=1, ls=":")
    ax.set_xscale("log", base=2)
    ax.set_xticks(MEMBERS, [str(S) for S in MEMBERS])
    ax.set_xlabel("population S")
    ax.set_ylabel("times as fast as one run after the other")
    ax.set_ylim(0)
    ax.set_title("Tiny networks gain by training together")
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=110)
    print(f"\n## S runs together, times as fast as S runs alone, {cores()} core(s)\n")
    print(markdown(["network", *(f"S = {S}" for S in MEMBERS)], rows))
    print(f"\nFigure: {FIGURE.name}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
