"""``minisam verify FILE.py:FACTORY --as CLAIM``: the laws on somebody's own implementation."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import math
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import cast

from .claims import CLAIMS, claim_of
from .oracle import Factory, Unusable, answer
from .report import judge, row
from .search import EXAMPLES, TIMEOUT, Verdict
from .watch import watched


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``minisam verify``."""
    parser.add_argument(
        "target",
        metavar="FILE.py:FACTORY",
        help="factory(rho, lr, ...) -> step, step(w, grad) -> next w",
    )
    parser.add_argument(
        "--as",
        dest="claim",
        required=True,
        metavar="CLAIM",
        help=f"what it claims to be: {', '.join(CLAIMS)}, or two composed, info+asam",
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=EXAMPLES,
        metavar="N",
        help="random examples per law (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the search (default %(default)s)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT,
        metavar="SECONDS",
        help="that one call may take (default %(default)g)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the verdicts there, too")


def run(args: argparse.Namespace) -> int:
    """Judge, print the table, and return 0 if nothing fails, else 1.

    Raises
    ------
    ValueError
        If the arguments cannot be used: no such file, factory or claim, a number out of range.
    """
    claim = claim_of(args.claim)
    if args.examples < 1:
        raise ValueError(f"--examples is {args.examples}, wanted 1 or more")
    if args.seed < 0:
        raise ValueError(f"--seed is {args.seed}, wanted 0 or more")
    if not 0 < args.timeout < math.inf:
        raise ValueError(f"--timeout is {args.timeout:g}, wanted a positive number of seconds")
    if args.json:
        _writable(Path(args.json))
    factory = load(args.target, args.timeout)
    start, table = time.perf_counter(), sys.stdout

    def show(verdict: Verdict) -> None:
        print(row(verdict), file=table, flush=True)

    options = {"examples": args.examples, "seed": args.seed, "timeout": args.timeout}
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # thousands of steps may print
        report = judge(factory, claim, progress=show, **options)
    print(
        f"\n{report.closing} (seed {args.seed}, {args.examples} examples a law, "
        f"{time.perf_counter() - start:.1f} s)"
    )
    if args.json:
        Path(args.json).write_text(
            report.to_json(target=args.target, seed=args.seed, examples=args.examples) + "\n"
        )
    return 0 if report.ok else 1


def _writable(path: Path) -> None:
    """Find out before the search, not after."""
    try:
        path.open("a").close()
    except OSError as error:
        raise ValueError(f"--json {path}: {error.strerror}") from error


def load(target: str, timeout: float = TIMEOUT) -> Factory:
    """Import FACTORY from FILE.py.

    Raises
    ------
    ValueError
        If there is no such file or name in it, or importing it fails.
    """
    file, colon, name = target.rpartition(":")
    if not colon or not name or not file.endswith(".py"):
        raise ValueError(f"{target!r} is not of the form FILE.py:FACTORY")
    path = Path(file)
    if not path.is_file():
        near = difflib.get_close_matches(
            path.name,
            [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else [],
            n=1,
        )
        raise ValueError(f"no file {file}" + (f": did you mean {near[0]}?" if near else ""))
    module_name = path.stem if path.stem not in sys.modules else f"judged_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[module_name] = module
    loader = spec.loader

    def work(clock):
        with clock.running():
            answer(loader.exec_module, module)

    try:
        watched(work, max(timeout, 60.0))
    except Unusable as error:
        raise ValueError(f"importing {file} {error}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        names = [k for k, x in vars(module).items() if callable(x) and not k.startswith("_")]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names) or 'none'}"
        raise ValueError(f"{file} has no factory {name!r}: {hint}")
    return cast(Factory, factory)
