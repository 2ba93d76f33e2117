"""A teacher's evening: release a lesson, collect three submissions, grade them, read the marks."""

import csv
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="needs the extra `teach`")
nbformat = pytest.importorskip("nbformat")

TUTORIALS = Path(__file__).parents[2] / "tutorials"
LESSON = TUTORIALS / "04_presam.py"  # the lightest: it trains nothing
WRONG = runpy.run_path(str(Path(__file__).parent / "wrong" / "lesson_04.py"))["WRONG"]
UPCAST = """
def average(d, g, theta):
    g = np.array(g, dtype=float)
    return g if d is None else (1 - theta) * d + theta * g
"""  # the student's check finds no fault; all laws together do: float32 comes out as float64
POINTS = {"4.1": 3, "4.2": 2, "4.3": 2, "4.4": 1, "4.5": 2}


def nbgrader(course, *arguments):
    """Run one nbgrader command in the course folder."""
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    environment |= {
        "PYTHONPATH": str(TUTORIALS.parent),
        "JUPYTER_CONFIG_DIR": str(course / "jupyter"),  # nobody's own settings
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],  # for alembic
    }
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def grade_id(cell):
    """Return ``"check-4-1"``, ``"exercise-4-1"``, or ``""`` for a cell that is neither."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def edited(notebook, **sources):
    """Return a copy of the notebook with new text in the cells of these grade ids."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        cell.source = sources.get(grade_id(cell).replace("-", "_"), cell.source)
    return notebook


@pytest.fixture(scope="module")
def course(build, tmp_path_factory):
    """A course folder in which the lesson was released, submitted three times and graded."""
    course, lesson = tmp_path_factory.mktemp("course"), LESSON.stem
    for file in ("nbgrader_config.py", "build.py"):
        shutil.copy(TUTORIALS / file, course)
    source = course / "source" / lesson / f"{lesson}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(build.text(build.solved(LESSON)))
    nbgrader(course, "generate_assignment", lesson)

    copied = nbformat.read(LESSON.with_suffix(".ipynb"), 4)  # by `minisam tutorial 4`
    released = nbformat.read(course / "release" / lesson / source.name, 4)
    right = build.put_back(released, LESSON)
    subtle = edited(right, exercise_4_3=UPCAST, exercise_4_4=WRONG["4.4"][1][0])
    cheat = edited(right, exercise_4_4=WRONG["4.4"][1][0], check_4_4="pass")
    cheat.cells = [c for c in cheat.cells if grade_id(c) != "check-4-5"]
    next(c for c in cheat.cells if grade_id(c) == "check-4-1").metadata.nbgrader.points = 100
    submissions = {"right": build.put_back(copied, LESSON), "wrong": subtle, "tampered": cheat}
    for name, notebook in submissions.items():
        place = course / "submitted" / name / lesson
        place.mkdir(parents=True)
        nbformat.write(notebook, place / source.name)
    nbgrader(course, "autograde", lesson, "--create")
    nbgrader(course, "export")
    return course


@pytest.fixture(scope="module")
def marks(course):
    """The gradebook: ``{student: {exercise: (score, maximum)}}``."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        return {
            student.id: {
                grade.name.removeprefix("check-").replace("-", "."): (grade.score, grade.max_score)
                for grade in book.find_submission_notebook(
                    LESSON.stem, LESSON.stem, student.id
                ).grades
            }
            for student in book.students
        }


@pytest.mark.slow
def test_the_release_is_the_student_version(build, course):
    released = nbformat.read(course / "release" / LESSON.stem / f"{LESSON.stem}.ipynb", 4)
    committed = nbformat.read(LESSON.with_suffix(".ipynb"), 4)
    assert [c.source for c in released.cells] == [c.source for c in committed.cells]


@pytest.mark.slow
def test_a_right_submission_has_full_marks(marks):
    assert marks["right"] == {exercise: (points, points) for exercise, points in POINTS.items()}


@pytest.mark.slow
def test_wrong_answers_cost_their_points_and_no_others(marks):
    assert marks["wrong"] == marks["right"] | {"4.3": (0, 2), "4.4": (0, 1)}


@pytest.mark.slow
def test_tampering_with_a_check_saves_no_points(marks):
    assert marks["tampered"] == marks["right"] | {"4.4": (0, 1)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as in a notebook
def test_what_the_hidden_tests_caught_passes_the_visible_check(build):
    student = build.put_back(build.student(build.solved(LESSON)), LESSON)
    names: dict = {"__name__": "__main__"}
    for cell in edited(student, exercise_4_3=UPCAST).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
        if grade_id(cell) == "check-4-3":
            break


@pytest.mark.slow
def test_the_grades_are_exported(course):
    rows = csv.DictReader((course / "grades.csv").read_text().splitlines())
    total = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in rows}
    assert total == {"right": (10, 10), "wrong": (7, 10), "tampered": (9, 10)}


@pytest.mark.slow
def test_grading_brings_the_checks_back_with_their_hidden_tests(build, course):
    path = course / "autograded" / "tampered" / LESSON.stem / f"{LESSON.stem}.ipynb"
    graded = {grade_id(c): c.source for c in nbformat.read(path, 4).cells}
    for cell in build.solved(LESSON).cells:
        if grade_id(cell).startswith("check"):
            assert graded[grade_id(cell)].endswith(cell.source)
    assert "BEGIN HIDDEN TESTS" in graded["check-4-3"]
