"""Make the student notebooks: ``python tutorials/build.py``.

The sources are the percent scripts ``NN_name.py``, with the solutions in them:

* an exercise cell ``# %% exercise="3.2" eq="(7)"`` has its solution between ``### BEGIN SOLUTION``
  and ``### END SOLUTION``; the student gets a stub that raises NotImplementedError instead;
* a check cell ``# %% check="3.2" points=2`` grades it; what stands between ``### BEGIN HIDDEN
  TESTS`` and ``### END HIDDEN TESTS`` is for the teacher alone.

Each becomes ``NN_name.ipynb`` beside it: no solutions, no hidden tests, no outputs, and the metadata
that nbgrader grades by. ``python tutorials/build.py --source DIR`` writes the notebooks with
solutions and hidden tests instead, as nbgrader wants them: ``DIR/NN_name/NN_name.ipynb``.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("[0-9][0-9]_*.py"))

_SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.M | re.S)
_HIDDEN = re.compile(r"^ *### BEGIN HIDDEN TESTS\n.*?^ *### END HIDDEN TESTS\n?", re.M | re.S)


def solved(source: Path) -> nbformat.NotebookNode:
    """Return the notebook with solutions and hidden tests, ready for nbgrader."""
    script = jupytext.read(source)
    cells = []
    for i, cell in enumerate(script.cells):
        make = (
            nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        )
        new = make(cell.source, id=f"cell-{i:02d}")
        exercise, check = cell.metadata.get("exercise"), cell.metadata.get("check")
        if exercise:
            new.metadata = {"nbgrader": _nbgrader(f"exercise-{exercise}", solution=True)}
            new.metadata["exercise"] = f"exercise {exercise}, eq. {cell.metadata['eq']}"
        if check:
            points = int(cell.metadata["points"])
            new.metadata = {"nbgrader": _nbgrader(f"check-{check}", grade=True, points=points)}
        cells.append(new)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )


def without_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return ``notebook`` with each solution replaced by a stub that names its exercise."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        stub = rf'\1raise NotImplementedError("{cell.metadata.get("exercise")}")'
        cell.source = _SOLUTION.sub(stub, cell.source)
    return notebook


def student(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return ``notebook`` without solutions and without hidden tests."""
    notebook = without_solutions(notebook)
    for cell in notebook.cells:
        cell.source = _HIDDEN.sub("", cell.source).rstrip("\n")
    return notebook


def put_back(notebook: nbformat.NotebookNode, source: Path) -> nbformat.NotebookNode:
    """Return a student notebook with the solutions of ``source`` in its exercise cells."""
    notebook = nbformat.from_dict(notebook)
    solutions = {c.id: c.source for c in solved(source).cells if "exercise" in c.metadata}
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    return notebook


def text(notebook: nbformat.NotebookNode) -> str:
    """Return the notebook as the text of its file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _nbgrader(grade_id: str, solution: bool = False, grade: bool = False, points: int = 0) -> dict:
    metadata = {
        "grade_id": grade_id.replace(".", "-"),
        "solution": solution,
        "grade": grade,
        "locked": not solution,
        "task": False,
        "schema_version": 3,
    }
    return metadata | ({"points": points} if grade else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", type=Path, metavar="DIR", help="write the teacher's notebooks")
    args = parser.parse_args()
    for source in SOURCES:
        notebook, target = student(solved(source)), source.with_suffix(".ipynb")
        if args.source:
            notebook, target = solved(source), args.source / source.stem / f"{source.stem}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(notebook))
        print(target)


if __name__ == "__main__":
    main()
