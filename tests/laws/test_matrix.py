"""The kill matrix: every bug is seen by the laws expected to see it, and every law sees a bug."""

import argparse
import csv

import numpy as np
import pytest

from minisam.laws import LAWS, matrix
from minisam.laws.bugs import BUGS, CLAIM, correct
from tests.laws.wrong import NAMED

LAW = {law.number: law for law in LAWS}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_seen_by_the_laws_expected_to_see_it(bug):
    for number in bug.laws:
        verdict = LAW[number](bug.factory, bug.claim, examples=100, shrink=False)
        assert (verdict.kind == "convention") if bug.name in NAMED else not verdict.ok, verdict


@pytest.mark.parametrize("row", CLAIM, ids=lambda row: row.__name__)
def test_no_law_blames_a_correct_row(row):
    for law in LAWS:
        verdict = law(row, CLAIM[row], examples=5)
        assert verdict.kind in ("holds", "inapplicable"), verdict


def test_every_law_is_expected_to_see_a_bug():
    assert {number for bug in BUGS if bug.name not in NAMED for number in bug.laws} == set(LAW)


@pytest.mark.slow
def test_the_whole_matrix():
    table = list(matrix.rows(examples=100, jobs=2))
    bugs = [row for row in table if not row.correct]
    assert {row.name for row in bugs if not row.kills} == set(NAMED)
    assert all(row.named for row in bugs if not row.kills)
    assert all(any(j in row.kills for row in bugs) for j in range(len(LAWS)))
    assert not any(row.kills for row in table if row.correct)


def options(tmp_path, **changes):
    parser = argparse.ArgumentParser()
    matrix.configure(parser)
    args = parser.parse_args(["--out", str(tmp_path / "out"), "--jobs", "1", "--examples", "3"])
    vars(args).update(changes)
    return args


def only(monkeypatch, *names, laws=("L1", "L19")):
    """A small matrix: the named bugs, one correct row, two laws."""
    monkeypatch.setattr(matrix, "BUGS", tuple(bug for bug in BUGS if bug.name in names))
    monkeypatch.setattr(matrix, "CLAIM", {correct.sam: "sam"})
    monkeypatch.setattr(matrix, "LAWS", tuple(LAW[number] for number in laws))


def test_the_command_prints_the_matrix_and_writes_it(tmp_path, monkeypatch, capsys):
    only(monkeypatch, "rho squared", "no restore")
    assert matrix.run(options(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "rho squared ■ ·" in out and "no restore · ■" in out and "sam · ·" in out
    assert "2 bugs: 2 killed, 0 named as a convention, 0 missed" in out
    assert "do not drop L1, L19" in out and "no false alarm" in out
    assert max(map(len, out.splitlines())) <= 100 + len(str(tmp_path)) * 2
    text = (tmp_path / "out" / "kill-matrix.csv").read_text()
    table = list(csv.reader(text.splitlines()))
    assert table[1] == ["rho squared", "sam", "fails", "holds"]
    assert (tmp_path / "out" / "kill-matrix.png").read_bytes()[:4] == b"\x89PNG"


def test_a_bug_that_no_law_sees_is_reported(tmp_path, monkeypatch, capsys):
    only(monkeypatch, "rho squared", "no restore", laws=("L1",))
    assert matrix.run(options(tmp_path)) == 1
    assert "1 missed (no restore)" in capsys.readouterr().out


def test_a_law_that_sees_no_bug_and_a_false_alarm_are_reported(tmp_path, monkeypatch, capsys):
    only(monkeypatch, "rho squared")
    monkeypatch.setattr(matrix, "CLAIM", {correct.sam: "vasso"})
    assert matrix.run(options(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "1 kill a bug, L19 kill none" in out and "FALSE ALARM on sam" in out


def test_the_header_fits_100_columns():
    lines = [*matrix.header().splitlines()]
    lines += [matrix.line(matrix.Row(bug.name, bug.claim, ("holds",) * len(LAWS))) for bug in BUGS]
    assert max(map(len, lines + matrix.legend().splitlines())) <= 100
    assert all(f"{law.number} {law.name}" in matrix.legend() for law in LAWS)
    assert {len(line) for line in lines} == {34 + 2 * len(LAWS) - 1}


def test_the_picture_shows_kills_and_only_kills():
    kinds = ["holds"] * len(LAWS)
    twice, once = kinds.copy(), kinds.copy()
    twice[0] = twice[3] = once[2] = "fails"
    once[4], once[5] = "convention", "inapplicable"
    table = [matrix.Row("a", "sam", tuple(twice)), matrix.Row("b", "sam", tuple(once))]
    mesh = matrix.figure(table).axes[0].collections[0]
    want = np.ones((2, len(LAWS)))
    want[0, [0, 3]], want[1, [2, 4, 5]] = 3, [4, 2, 0]
    np.testing.assert_array_equal(mesh.get_array(), want)


def test_bugs_are_handed_out_without_their_answers(tmp_path):
    assert matrix.run(options(tmp_path, handout=True)) == 0
    files = sorted((tmp_path / "out").glob("bug*.py"))
    assert len(files) == len(BUGS)
    for file, bug in zip(files, BUGS, strict=True):
        text = file.read_text()
        assert bug.name not in text and "bug" not in text.lower()
        space = {}
        exec(text, space)
        assert bug.row.__name__ in space
    answers = (tmp_path / "out" / "ANSWERS.md").read_text()
    assert all(bug.name in answers for bug in BUGS)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"examples": 0}, "--examples is 0; at least 1 is wanted"),
        ({"jobs": 0}, "--jobs is 0"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_unusable_arguments(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        matrix.run(options(tmp_path, **change))


def test_an_output_folder_that_is_a_file(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="is a file; a folder is wanted"):
        matrix.run(options(tmp_path, out=file))
