"""The committed notebooks are what the sources make, and give nothing away."""

import json
import re


def test_every_lesson_is_in_step_with_its_source(build, source):
    made = build.text(build.student(build.solved(source)))
    assert source.with_suffix(".ipynb").read_text() == made, "run: python tutorials/build.py"


def test_a_student_sees_no_solution_no_hidden_test_and_no_output(build, source):
    notebook = json.loads(source.with_suffix(".ipynb").read_text())
    text = json.dumps(notebook)
    assert "BEGIN SOLUTION" not in text
    assert "HIDDEN" not in text
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_every_exercise_has_a_stub_with_its_name_and_a_check(build, source):
    cells = build.student(build.solved(source)).cells
    ids = [c.metadata.nbgrader.grade_id for c in cells if "nbgrader" in c.metadata]
    exercises = [c for c in cells if "exercise" in c.metadata]
    assert 1 <= len(exercises) <= 5
    for cell in exercises:
        name = cell.metadata.exercise
        assert re.fullmatch(r"exercise \d\.\d, eq\. \(\d+\)( and \(\d+\))?", name)
        assert f'raise NotImplementedError("{name}")' in cell.source
        assert cell.metadata.nbgrader.grade_id.replace("exercise", "check") in ids


def test_solutions_put_back_give_the_solved_lesson(build, source):
    student = build.student(build.solved(source))
    solved = build.solved(source)
    for mine, theirs in zip(build.put_back(student, source).cells, solved.cells, strict=True):
        assert mine.source == build._HIDDEN.sub("", theirs.source).rstrip("\n")


def test_every_lesson_asks_for_a_prediction(source):
    assert "Write down what you expect" in source.read_text()
