"""``minisam compare``: train the SAM family on real data; a table, four pictures, all numbers."""

from __future__ import annotations

import argparse
import csv
import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np

from minisam.checks import check_choice
from minisam.lab import engines
from minisam.lab.data import SOURCES, load
from minisam.lab.statistics import interval
from minisam.lab.study import (
    METHODS,
    TUNING_SEEDS,
    Log,
    Outcome,
    Setting,
    library,
    study,
    tuning_runs,
    versions,
)

COLUMNS = ("method", "rho", "test accuracy", "+- (95 %)", "train accuracy (noisy)",
           "gradients", "seconds", "note")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    default = Setting()
    add = parser.add_argument
    add("--data", default=default.data, help=f"{', '.join(SOURCES)} (default: %(default)s)")
    add(
        "--label-noise",
        type=float,
        default=default.label_noise,
        metavar="P",
        help="share of train and validation labels drawn at random (default: %(default)s)",
    )
    add(
        "--methods",
        nargs="+",
        default=list(METHODS),
        metavar="M",
        help=f"any of: {' '.join(METHODS)} (default: all)",
    )
    add("--seeds", type=int, default=5, metavar="N", help="runs a method (default: %(default)s)")
    add(
        "--epochs",
        type=int,
        default=default.epochs,
        metavar="N",
        help="epochs a run (default: %(default)s)",
    )
    add("--backend", default=default.backend, help="numpy, cupy (GPU) or torch (default: numpy)")
    add("--jobs", type=int, metavar="N", help="processes (default: one a core; 1 on a GPU)")
    add("--dask", metavar="HOST:PORT", help="compute on this dask cluster instead")
    add("--out", type=Path, default=Path("compare-out"), metavar="DIR",
        help="folder to write to; runs that it holds already are not computed again "
        "(default: %(default)s)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Check the arguments, run the study, write and print what it found."""
    from tqdm import tqdm

    methods = list(dict.fromkeys(args.methods))
    for method in methods:
        check_choice("method", method, METHODS)
    if args.epochs < 1 or args.seeds < 1:
        raise ValueError(f"--epochs and --seeds must be >= 1, got {args.epochs} and {args.seeds}")
    load(args.data, label_noise=args.label_noise)  # raises if it cannot
    library(args.backend)
    jobs = 1 if args.jobs is None and args.backend == "cupy" else args.jobs
    place = engines.on_dask(args.dask) if args.dask else nullcontext(engines.local(jobs))
    setting = Setting(args.data, args.label_noise, args.epochs, args.backend)
    total = len(tuning_runs(methods)) + args.seeds * len(methods)
    try:
        log = Log(args.out / "runs.jsonl", setting)
    except OSError as error:
        raise ValueError(f"cannot write to {args.out}: {error.strerror}") from error
    with place as engine, tqdm(total=total, unit="run", desc=args.data) as bar:
        outcome = study(
            setting, methods, args.seeds, log=log, engine=engine, progress=lambda n: bar.update(n)
        )
    rows = table(outcome)
    write(args.out, setting, outcome, rows)
    print(render(setting, rows))
    print(f"\nwritten to {args.out}: table.csv, results.json, runs.jsonl, 4 pictures (.png)")
    return 0


def table(outcome: Outcome) -> list[dict]:
    """One row a method, with the keys ``COLUMNS``; means over the runs that did not diverge."""
    rows = []
    for method, results in outcome.finals.items():
        good = [result for result in results if not result["diverged"]]
        accuracies = [result["test"][-1] for result in good]
        half = float(interval(np.array(accuracies))[1]) if len(good) > 1 else None
        notes = ["best rho is on the edge of the grid"] if outcome.on_edge(method) else []
        for result in results:
            if result["diverged"]:
                notes.append(f"seed {result['seed']} diverged at step {result['diverged']}")
        mean = lambda values: float(np.mean(values)) if values else None
        rows.append(dict(zip(COLUMNS, (
            method,
            outcome.rho[method],
            mean(accuracies),
            half,
            mean([result["train"][-1] for result in good]),
            results[0]["gradients"],
            mean([result["seconds"] for result in results]),
            "; ".join(notes),
        ), strict=True)))  # fmt: skip
    return rows


def render(setting: Setting, rows: list[dict]) -> str:
    """The table as text."""
    noise = f"{100 * setting.label_noise:g} % of the train and validation labels drawn at random"
    lines = [
        f"{setting.data}, {noise}, epochs: {setting.epochs}",
        "",
        f"{'method':<9} {'rho':>5}  {'test accuracy':^16} {'train (noisy)':>13} "
        f"{'gradients':>10} {'s / run':>8}",
    ]
    for row in rows:
        method, rho, test, half, train, gradients, seconds, note = row.values()
        show = lambda value, form=".3f": "" if value is None else format(value, form)
        spread = half and f"+- {half:.3f}"
        lines.append(
            f"{method:<9} {rho or '':>5}  {show(test):>7} {spread or '':<8} {show(train):>13} "
            f"{gradients:>10} {seconds:>8.2f}" + f"  {note}" * bool(note)
        )
    return "\n".join(lines)


def write(out: Path, setting: Setting, outcome: Outcome, rows: list[dict]) -> None:
    """Write ``table.csv``, ``results.json`` and the pictures."""
    from minisam.lab.plots import pictures
    from minisam.lab.style import save, style

    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    document = {
        "setting": asdict(setting),
        "protocol": {
            "tuning seeds": TUNING_SEEDS,
            "final seeds": [result["seed"] for result in next(iter(outcome.finals.values()))],
            "interval": "95 %, Student, over final seeds (initial weights and minibatch orders)",
        },
        "versions": versions(),
        "validation accuracy by rho": outcome.scores,
        "chosen rho": outcome.rho,
        "table": rows,
        "final runs": outcome.finals,
    }
    (out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    with style():
        for name, draw in pictures(setting, outcome).items():
            save(draw(), out / name)
