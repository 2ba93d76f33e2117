"""``minisam laws``: every bug of the catalogue before every law, as a table and as a picture.

A row without a kill is a hole in the laws. A column without a kill is a law that sees nothing. The
correct implementations stand below the bugs: there, no law may fail.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from . import LAWS
from .bugs import BUGS, CLAIM

MARKS = {"fails": "■", "unusable": "■", "convention": "n", "holds": "·", "inapplicable": " "}


@dataclass(frozen=True)
class Row:
    """One implementation before all laws: ``kinds`` of the verdicts, in the order of LAWS."""

    name: str
    claim: str
    kinds: tuple[str, ...]
    correct: bool = False

    @property
    def kills(self) -> tuple[int, ...]:
        """Indices of the laws that do not hold."""
        return tuple(j for j, kind in enumerate(self.kinds) if kind in ("fails", "unusable"))

    @property
    def named(self) -> tuple[int, ...]:
        """Indices of the laws that hold under a convention, and name it."""
        return tuple(j for j, kind in enumerate(self.kinds) if kind == "convention")


def suspects() -> list[tuple[str, str, Callable, bool]]:
    """Name, claim, FACTORY and correctness of all rows of the matrix."""
    bugs = [(bug.name, bug.claim, bug.factory, False) for bug in BUGS]
    return bugs + [(row.__name__, claim, row, True) for row, claim in CLAIM.items()]


def judge(index: int, examples: int, seed: int) -> Row:
    """One row of the matrix."""
    name, claim, factory, correct = suspects()[index]
    verdicts = [law(factory, claim, examples=examples, seed=seed, shrink=False) for law in LAWS]
    return Row(name, claim, tuple(verdict.kind for verdict in verdicts), correct)


def rows(examples: int = 25, seed: int = 0, jobs: int = 1) -> Iterator[Row]:
    """All rows, in order, each as soon as it is known."""
    from joblib import Parallel, delayed

    work = (delayed(judge)(index, examples, seed) for index in range(len(suspects())))
    return iter(Parallel(n_jobs=jobs, return_as="generator")(work))  # pyright: ignore


# The table


def header() -> str:
    """Numbers of the laws, one digit below the other."""
    numbers = [law.number.removeprefix("L") for law in LAWS]
    tens = " ".join(number[:-1] or " " for number in numbers)
    units = " ".join(number[-1] for number in numbers)
    return f"{'':33} {tens}\n{'law':>33} {units}"


def legend() -> str:
    """Numbers and names of the laws, in three columns."""
    cells = [f"{law.number:>3} {law.name:30}" for law in LAWS]
    third = -(-len(cells) // 3)
    columns = [cells[k : k + third] for k in range(0, len(cells), third)]
    return "\n".join(" ".join(row).rstrip() for row in zip_longest(*columns, fillvalue=""))


def line(row: Row) -> str:
    """One row of the table: the name and a mark for each law."""
    return f"{row.name:>33} {' '.join(MARKS[kind] for kind in row.kinds)}"


def summary(table: list[Row]) -> str:
    """What the matrix says, in a few lines."""
    bugs = [row for row in table if not row.correct]
    killed = [row for row in bugs if row.kills]
    named = [row.name for row in bugs if row.named and not row.kills]
    missed = [row.name for row in bugs if not row.kills and not row.named]
    once = [row for row in killed if len(row.kills) == 1]
    alone = sorted({row.kills[0] for row in once})
    idle = [law.number for j, law in enumerate(LAWS) if not any(j in row.kills for row in bugs)]
    false = [row.name for row in table if row.correct and row.kills]
    lines = [
        f"{len(bugs)} bugs: {len(killed)} killed, {len(named)} named as a convention"
        + (f" ({', '.join(named)})" if named else "")
        + f", {len(missed)} missed"
        + (f" ({', '.join(missed)})" if missed else ""),
        f"{len(once)} bugs are killed by one law only; do not drop "
        + ", ".join(LAWS[j].number for j in alone),
        f"{len(LAWS)} laws: {len(LAWS) - len(idle)} kill a bug"
        + (f", {', '.join(idle)} kill none" if idle else ""),
        f"{sum(row.correct for row in table)} correct implementations: "
        + (f"FALSE ALARM on {', '.join(false)}" if false else "no false alarm"),
    ]
    return "\n".join(lines)


# The picture


def figure(table: list[Row]):
    """Draw the matrix: a dark square is a kill, an orange one the only kill of its row."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    colors = ["white", "#e6ebf0", "#f2d37c", "#27548a", "#d9480f"]
    labels = ["not promised", "holds", "named as a convention", "fails", "fails: the only one"]
    code = {"inapplicable": 0, "holds": 1, "convention": 2, "fails": 3, "unusable": 3}
    cells = [
        [4 if row.kills == (j,) else code[kind] for j, kind in enumerate(row.kinds)]
        for row in table
    ]
    fig = Figure(figsize=(11, 0.19 * len(table) + 3), layout="constrained", dpi=130)
    ax = fig.add_subplot()
    ax.pcolormesh(cells, cmap=ListedColormap(colors), vmin=0, vmax=4, edgecolor="w", linewidth=1.5)
    ax.invert_yaxis()
    ax.xaxis.tick_top()
    ax.set_xticks(
        [j + 0.5 for j in range(len(LAWS))],
        [f"{law.name}  {law.number}" for law in LAWS],
        rotation=60,
        ha="left",
        rotation_mode="anchor",
        fontsize=8,
    )
    ax.set_yticks([i + 0.5 for i in range(len(table))], [row.name for row in table], fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(table):
        groups.setdefault("(correct)" if row.correct else row.claim, []).append(i)
    for label, members in groups.items():
        ax.axhline(members[0], color="0.3", linewidth=0.8)
        middle = (members[0] + members[-1] + 1) / 2
        ax.text(len(LAWS) + 0.4, middle, label, va="center", weight="bold", fontsize=9)
    handles = [
        ax.scatter([], [], marker="s", s=70, color=color, edgecolor="0.7", label=label)
        for color, label in zip(colors, labels, strict=True)
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    fig.suptitle("Which law (column) catches which bug (row)", weight="bold")
    return fig


# The command


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``minisam laws``."""
    parser.add_argument("--examples", type=int, default=25, help="examples per law (25)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the search (0)")
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1 is one per core")
    parser.add_argument("--out", type=Path, default=Path("laws-out"), help="folder for PNG and CSV")
    parser.add_argument(
        "--handout",
        action="store_true",
        help="write the bugs as numbered files to hunt in, and the answers, instead of judging",
    )


def run(args: argparse.Namespace) -> int:
    """Judge, print, draw; 0 if every bug is found and no correct row is blamed, otherwise 1."""
    if args.examples < 1:
        raise ValueError(f"--examples is {args.examples}; at least 1 is wanted")
    if args.seed < 0:
        raise ValueError(f"--seed is {args.seed}; 0 or more is wanted")
    if args.jobs == 0:
        raise ValueError("--jobs is 0; a number of processes, or -1, is wanted")
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out {args.out} is a file; a folder is wanted")
    args.out.mkdir(parents=True, exist_ok=True)
    return handout(args.out) if args.handout else matrix(args)


def matrix(args: argparse.Namespace) -> int:
    """The kill matrix, row by row as it comes in."""
    from tqdm import tqdm

    print(header())
    table: list[Row] = []
    found = rows(args.examples, args.seed, args.jobs)
    for row in tqdm(found, total=len(suspects()), desc="laws", unit="row", leave=False):
        group = "correct" if row.correct else row.claim
        if not table or group != ("correct" if table[-1].correct else table[-1].claim):
            tqdm.write(f"-- {group}")
        table.append(row)
        tqdm.write(line(row))
    print(f"\n{'■ fails   n holds under a named convention   · holds   (blank) not promised':>100}")
    print(f"\n{legend()}\n\n{summary(table)}")
    figure(table).savefig(args.out / "kill-matrix.png")
    with open(args.out / "kill-matrix.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "claim", *(law.number for law in LAWS)])
        writer.writerows([row.name, row.claim, *row.kinds] for row in table)
    print(f"wrote {args.out / 'kill-matrix.png'} and {args.out / 'kill-matrix.csv'}")
    bugs_found = all(row.kills or row.named for row in table if not row.correct)
    return 0 if bugs_found and not any(row.kills for row in table if row.correct) else 1


def handout(out: Path) -> int:
    """Write every bug as a file that does not say what is wrong with it, and the answers."""
    answers = ["# Answers", ""]
    for k, bug in enumerate(BUGS, 1):
        file = out / f"bug{k:02}.py"
        file.write_text(bug.source)
        answers += [f"## {file.name}", "", bug.name, "", f"Breaks: {bug.breaks}.", ""]
        answers += [f"Comes from: {bug.origin}.", "", "```diff", bug.diff, "```", ""]
        answers += [f"    minisam verify {file}:{bug.row.__name__} --as {bug.claim}", ""]
    (out / "ANSWERS.md").write_text("\n".join(answers))
    print(f"wrote {len(BUGS)} bugs and ANSWERS.md to {out}")
    return 0
