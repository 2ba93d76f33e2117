"""Time of a step of every row of the table over that of plain SAM."""

from __future__ import annotations

import sys

import minisam as ms
from benchmarks import peers
from benchmarks.steps import SIZES
from benchmarks.timing import cores, interleave, markdown, ratio, show


def rules(n: int) -> dict:
    import numpy as np

    return {
        "SAM": ms.SAM(0.05),
        "SGD (no perturbation)": None,
        "ASAM": ms.ASAM(0.5),
        "FisherSAM": ms.FisherSAM(0.05),
        "VaSSO": ms.VaSSO(0.05),
        "FriendlySAM": ms.FriendlySAM(0.05),
        "SparseSAM": ms.SparseSAM(0.05, np.arange(n) % 2 == 0),
        "InfoSAM": ms.InfoSAM(0.05),
        "InfoSAM, power 1": ms.InfoSAM(0.05, power=1),
        "InfoSAM in an ASAM ball": ms.PreSAM(
            0.05, ms.NoiseWeights(0.1, 1.0, 2.0), ms.Magnitude(0.01)
        ),
    }


def main(rounds: int) -> None:
    ms.backend.reuse_memory()
    columns = []
    for problem in SIZES.values():
        table = rules(ms.MLP(problem.sizes).n)
        steps = [peers.minisam(problem, rule) for rule in table.values()]
        s = interleave(steps, rounds).T
        columns.append([show(ratio(t, s[0])) for t in s])
    rows = [list(row) for row in zip(table, *columns, strict=True)]
    print(f"\n## Variants over SAM on {cores()} core(s), median (quartiles)\n")
    print(markdown(["", *SIZES], rows[1:]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
