"""Every lesson runs solved, stops unsolved, and rejects wrong answers in words.

nbclient itself executes, and CellExecutionError judges.
"""

import os
import runpy
from pathlib import Path

import pytest

from minisam.laws.classroom import Mistake

WRONG = Path(__file__).parent / "wrong"

nbclient = pytest.importorskip("nbclient", reason="needs the extra `teach`")


@pytest.fixture
def execute(source, monkeypatch):
    """Run a notebook in the folder of the lessons and return it with its outputs."""
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own keeps the figures
    monkeypatch.setenv("PYTHONPATH", str(source.parents[1]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # waiting threads count as CPU time, too
    resources = {"metadata": {"path": str(source.parent)}}

    def run(notebook):
        nbclient.NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources=resources
        ).execute()
        return notebook

    return run


@pytest.mark.slow
def test_a_solved_lesson_runs_without_a_warning(build, source, execute):
    start = os.times()
    notebook = execute(build.solved(source))
    end = os.times()
    used = (end.children_user + end.children_system) - (start.children_user + start.children_system)
    print(f"{source.stem}: {used:.0f} s of CPU, {end.elapsed - start.elapsed:.0f} s by the clock")
    assert used < 60
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("image/png" in o.get("data", {}) for o in outputs), "no figure"
    complaints = [o.text for o in outputs if o.get("name") == "stderr"]
    assert not complaints, complaints


@pytest.mark.slow
def test_an_unsolved_lesson_stops_at_its_first_exercise(build, source, execute):
    student = build.student(build.solved(source))
    first = next(c.metadata.exercise for c in student.cells if "exercise" in c.metadata)
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="NotImplementedError") as stop:
        execute(student)
    assert first in str(stop.value)


@pytest.mark.slow
def test_a_student_version_passes_once_the_solutions_are_put_back(build, source, execute):
    execute(build.put_back(build.student(build.solved(source)), source))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as in a notebook
def test_wrong_answers_are_rejected_in_words(build, source, monkeypatch):
    """Run the lesson here, cell by cell; before each check try every wrong answer for it."""
    monkeypatch.chdir(source.parent)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    wrong = runpy.run_path(str(WRONG / f"lesson_{source.stem[:2]}.py"))["WRONG"]
    names: dict = {"__name__": "__main__"}
    seen = set()
    for cell in build.put_back(build.student(build.solved(source)), source).cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id.startswith("check-"):
            exercise = grade_id.removeprefix("check-").replace("-", ".")
            assert len(wrong[exercise]) >= 3, f"exercise {exercise} needs three wrong answers"
            right = dict(names)
            for answer, message in wrong[exercise]:
                exec(answer, names)
                with pytest.raises(Mistake) as rejected:
                    exec(cell.source, names)
                assert message in str(rejected.value), f"{exercise}: {rejected.value}"
                names.clear()
                names.update(right)
            seen.add(exercise)
        if cell.cell_type == "code":
            exec(cell.source, names)
    assert seen == set(wrong)
