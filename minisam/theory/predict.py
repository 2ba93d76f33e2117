"""``minisam predict``: run the toys, print predicted beside measured, save the pictures."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from minisam import checks
from minisam.lab.study import library
from minisam.lab.style import save, style
from minisam.theory.comparison import Comparison

# name: (alias, module in minisam.theory.pictures)
EXHIBITS = {
    "two-cycle": ("P1", "two_cycle"),
    "gradient-bound": ("P2", "gradient_bound"),
    "averages": ("P3", "averages"),
    "alignment": ("P4", "alignment"),
    "degradation": ("", "degradation"),
    "valley": ("P5", "valley"),
    "edge": ("P6", "edge"),
    "preconditioned-cycle": ("P7", "preconditioned_cycle"),
    "floors": ("P8", "floors"),
    "second-order": ("P9", "second_order"),
    "drift": ("P10", "drift"),
    "noise": ("P11", "noise"),
    "ellipses": ("", "ellipses"),
    "saddle": ("", "saddle"),
    "family": ("", "family"),
    "radius": ("", "radius"),
    "federated": ("", "federated"),
}


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of ``minisam predict``."""
    names = ", ".join(f"{name} ({alias})" if alias else name
                      for name, (alias, _) in EXHIBITS.items())  # fmt: skip
    parser.epilog = f"Predictions: {names}."
    parser.add_argument("name", metavar="NAME", help="a prediction, by name or number, or all")
    parser.add_argument(
        "--out", type=Path, default=Path("predict-out"), metavar="DIR",
        help="folder for the pictures (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--backend", default="numpy",
        help="numpy, cupy (GPU) or torch: what trains networks; the toys are always NumPy",
    )  # fmt: skip


def run(args: Namespace) -> int:
    """Print the table of ``args.name`` (or of all), save its picture, and return 0."""
    xp = library(args.backend)
    for name in resolve(args.name):
        start = perf_counter()
        with style():
            rows, fig = exhibit(name).show(xp)
            path = save(fig, args.out / f"{name}.png")
        alias, _ = EXHIBITS[name]
        print(f"{name}{f' ({alias})' if alias else ''}: {exhibit(name).__doc__.splitlines()[0]}")
        print(table(rows))
        print(f"  {path}, {perf_counter() - start:.1f} s\n", flush=True)
    return 0


def exhibit(name: str) -> Any:
    """Return the module that shows the prediction ``name``."""
    return import_module(f"minisam.theory.pictures.{EXHIBITS[name][1]}")


def resolve(name: str) -> list[str]:
    """Return the names meant by ``name``: itself, the one it numbers, or all.

    Raises
    ------
    ValueError
        If there is no such prediction; names the nearest.
    """
    if name.lower() == "all":
        return list(EXHIBITS)
    for key, (alias, _) in EXHIBITS.items():
        if alias and name.upper() == alias:
            return [key]
    checks.check_choice("prediction", name, [*EXHIBITS, "all"])
    return [name]


def table(rows: list[Comparison]) -> str:
    """Return the aligned table: quantity, predicted, measured, ratio; ranges for populations.

    A quantity marked (bound) has a ratio of at most 1, any other one near 1; without a prediction
    it is only measured.
    """
    cells = [("", "predicted", "measured", "ratio")]
    for r in rows:
        known = r.predicted is not None
        cells.append((r.name, span(r.predicted) if known else "-", span(r.measured),
                      span(r.ratio) if known else "-"))  # fmt: skip
    wide = [max(len(row[i]) for row in cells) for i in range(4)]
    line = lambda row: (
        "  "
        + row[0].ljust(wide[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True))
    )
    return "\n".join(map(line, cells))


def span(values: Any) -> str:
    """Return a number, or the smallest and the largest of several, to five digits."""
    values = np.asarray(values, dtype=float)
    low, high = np.min(values), np.max(values)
    return f"{low:.5g}" if values.size == 1 else f"{low:.4g} .. {high:.4g}"
