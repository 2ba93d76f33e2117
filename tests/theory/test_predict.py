"""The command `minisam predict`: names, table, pictures, errors."""

from pathlib import Path

import numpy as np
import pytest

from minisam.cli import main
from minisam.theory.comparison import Comparison
from minisam.theory.predict import EXHIBITS, exhibit, resolve, span, table


def test_names_and_numbers_lead_to_the_same_module():
    for name, (alias, _) in EXHIBITS.items():
        assert resolve(name) == [name] and callable(exhibit(name).show)
        assert not alias or resolve(alias) == resolve(alias.lower()) == [name]
    assert resolve("all") == list(EXHIBITS)


def test_an_unknown_name_gets_the_nearest_one(capsys):
    with pytest.raises(ValueError, match="did you mean 'two-cycle'"):
        resolve("twocycle")
    assert main(["predict", "alignmnt"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "did you mean 'alignment'" in err


def test_an_unknown_backend_is_refused(capsys):
    assert main(["predict", "edge", "--backend", "cuppy"]) == 2
    assert "did you mean 'cupy'" in capsys.readouterr().err


def test_the_table_is_aligned_and_tells_the_truth():
    rows = [
        Comparison("amplitude", 0.5, 0.25),
        Comparison("a population", np.array([1.0, 2.0]), np.array([2.0, 5.0])),
        Comparison("measured only", None, 3.0),
    ]
    lines = table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["amplitude", "0.5", "0.25", "0.5"]
    assert lines[2].split() == ["a", "population", "1", "..", "2", "2", "..", "5", "2", "..", "2.5"]
    assert lines[3].split() == ["measured", "only", "-", "3", "-"]
    assert span(-0.05) == "-0.05"


@pytest.mark.parametrize("name", ["two-cycle", "P7", "ellipses"])
def test_a_prediction_prints_its_table_and_saves_its_picture(name, tmp_path, capsys):
    assert main(["predict", name, "--out", str(tmp_path / "new")]) == 0
    (png,) = (tmp_path / "new").iterdir()
    assert png.stem == resolve(name)[0] and png.read_bytes().startswith(b"\x89PNG")
    out = capsys.readouterr().out
    assert "predicted" in out and "ratio" in out and str(png) in out
    ratios = [float(line.split()[-1]) for line in out.splitlines()[2:-2] if "(bound)" not in line]
    np.testing.assert_allclose(ratios, 1, atol=1e-4)


@pytest.mark.slow
def test_all_of_them_and_the_page_that_quotes_them(tmp_path, capsys):
    assert main(["predict", "all", "--out", str(tmp_path)]) == 0
    assert {p.stem for p in tmp_path.iterdir()} == set(EXHIBITS)
    page = Path("minisam/theory/README.md").read_text()
    for line in capsys.readouterr().out.splitlines():
        assert line.startswith(f"  {tmp_path}") or line.rsplit("  ", 3)[0].rstrip() in page, line


def test_the_page_names_every_prediction():
    page = Path("minisam/theory/README.md").read_text()
    for name, (alias, _) in EXHIBITS.items():
        assert f"| `{name}` | {alias}" in page


def test_the_example_on_the_page_runs():
    page = Path("minisam/theory/README.md").read_text()
    exec(page.split("```python\n")[1].split("```")[0], {})
