"""The command ``minisam``; a subcommand is a module with ``configure(parser)`` and ``run(args)``.

Exit codes: 0 all well, 1 a law or prediction fails, 2 unusable arguments (one line says why).
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import NoReturn

import minisam
from minisam.backend import reuse_memory
from minisam.checks import check_choice

COMMANDS = {
    "compare": ("minisam.lab.compare", "train the SAM family on real data and compare"),
    "verify": ("minisam.laws.verify", "judge your own implementation by the laws"),
    "laws": ("minisam.laws.matrix", "show which law catches which bug"),
    "predict": ("minisam.theory.predict", "convergence predictions against measurement"),
    "tutorial": ("minisam.lab.tutorial", "copy a tutorial notebook into this folder"),
}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(
        prog="minisam",
        description="Preconditioned sharpness-aware minimization: train, judge, predict, learn.",
    )
    parser.add_argument("--version", action="version", version=f"minisam {minisam.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, help) in COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        if argv[:1] == [name]:  # load only the wing that is asked for
            import_module(module).configure(sub)
    try:
        for word in argv[:1]:
            if not word.startswith("-"):
                check_choice("command", word, COMMANDS)
        args = parser.parse_args(argv)
        reuse_memory()
        return import_module(COMMANDS[args.command][0]).run(args)
    except (ValueError, OSError) as error:
        print(f"minisam {' '.join(argv[:1])}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
