"""``minisam tutorial NN``: copy a lesson into the current folder, never over a file that exists."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import minisam
from minisam.checks import check_choice


def folder() -> Path:
    """Return the folder of the lessons: in the installed package, or in a checkout."""
    package = Path(minisam.__file__).parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "tutorials"


def lessons() -> dict[str, Path]:
    """Return the files to copy by name: ``"01"`` ... ``"08"`` and ``"playground"``."""
    found = {path.name[:2]: path for path in sorted(folder().glob("[0-9][0-9]_*.ipynb"))}
    return found | {"playground": folder() / "playground.html"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``minisam tutorial``."""
    parser.add_argument("name", nargs="?", help="01 ... 08, or playground; none lists them")


def run(args: argparse.Namespace) -> int:
    """List the lessons, or copy one."""
    files = lessons()
    if args.name is None:
        for name, path in files.items():
            print(f"{name:12s}{path.name}")
        return 0
    name = args.name.zfill(2) if args.name.isdigit() else args.name
    check_choice("lesson", name, files)
    target = Path.cwd() / files[name].name
    if target.exists():
        raise ValueError(f"{target.name} exists here already; rename or move it first")
    shutil.copyfile(files[name], target)
    opener = "a browser" if name == "playground" else f"Jupyter: jupyter notebook {target.name}"
    print(f"copied {target.name}; open it in {opener}")
    return 0
