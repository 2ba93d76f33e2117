"""``minisam tutorial``."""

import tomllib
from pathlib import Path

from minisam.cli import main
from minisam.lab.tutorial import lessons

ROOT = Path(__file__).parents[2]


def test_a_lesson_is_copied_and_never_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["tutorial", "1"]) == 0
    copy = tmp_path / "01_backprop.ipynb"
    assert copy.read_bytes() == lessons()["01"].read_bytes()
    copy.write_text("my answers")
    assert main(["tutorial", "01"]) == 2
    assert "exists here already" in capsys.readouterr().err
    assert copy.read_text() == "my answers"


def test_an_unknown_lesson_gets_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["tutorial", "playgruond"]) == 2
    assert "did you mean 'playground'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_all_lessons_are_in_the_wheel():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = config["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    names = {path.name for path in (ROOT / "tutorials").glob("[0-9][0-9]_*.ipynb")}
    assert set(included) == {f"tutorials/{name}" for name in names | {"playground.html"}}
