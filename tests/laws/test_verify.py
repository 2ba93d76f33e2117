"""`minisam verify`, `tests_for`, the report and the watchdog."""

import json
import time

import numpy as np
import pytest

from minisam.cli import main
from minisam.laws import LAWS, judge, optimality, tests_for
from minisam.laws.bugs.correct import sam
from minisam.laws.case import Case
from minisam.laws.oracle import Broken, Unusable
from minisam.laws.search import search
from minisam.laws.watch import watched
from minisam.laws.words import shortened, shown
from tests.laws.wrong import hangs

GOOD = """
import numpy as np
def my_sam(rho, lr):
    def step(w, grad):
        g = grad(w)
        N = np.linalg.norm(g.astype(float))
        return w - lr * grad(w + (rho * g / N if N else 0 * g).astype(w.dtype))
    return step
def my_descent(rho, lr):
    return my_sam(-rho, lr)
def my_crash(rho, lr):
    raise RuntimeError("no GPU")
"""

test_sam_in_two_lines = tests_for(sam, claim="sam", examples=5)


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_acquits_with_exit_code_0(home, capsys):
    assert (
        main(["verify", "mine.py:my_sam", "--as", "sam", "--examples", "5", "--json", "out.json"])
        == 0
    )
    out = capsys.readouterr().out
    assert all(f"{law.number:>3}  {law.name}" in out for law in LAWS)
    report = json.loads((home / "out.json").read_text())
    assert report["ok"] and report["seed"] == 0 and len(report["verdicts"]) == len(LAWS)


def test_convicts_with_exit_code_1(home, capsys):
    assert main(["verify", "mine.py:my_descent", "--as", "sam", "--examples", "5"]) == 1
    out = capsys.readouterr().out
    assert "FAILS" in out and "Descending instead of ascending would do this" in out


def test_a_crash_is_a_verdict(home, capsys):
    assert main(["verify", "mine.py:my_crash", "--as", "sam", "--examples", "5"]) == 1
    captured = capsys.readouterr()
    assert "raises RuntimeError: no GPU (mine.py, line 12)" in captured.out
    assert "Traceback" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mine.py:my_sam --as smm", "did you mean sam"),
        ("mine.py:mysam --as sam", "did you mean my_sam"),
        ("mien.py:my_sam --as sam", "did you mean mine.py"),
        ("mine.py --as sam", "FILE.py:FACTORY"),
        ("mine.py:my_sam --as sam --examples 0", "--examples is 0"),
        ("mine.py:my_sam --as sam --timeout nan", "--timeout"),
        ("mine.py:my_sam --as sam --seed -1", "--seed"),
        ("mine.py:my_sam --as sam --json no/such/out.json", "No such file or directory"),
        ("mine.py:my_sam --as sam --json .", "Is a directory"),
        ("broken.py:f --as sam", "SyntaxError"),
        ("raising.py:f --as sam", "raises ValueError: no"),
    ],
)
def test_unusable_arguments_end_with_2_and_one_line(home, capsys, line, words):
    (home / "broken.py").write_text("def f(:")
    (home / "raising.py").write_text("raise ValueError('no')")
    assert main(["verify", *line.split()]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_a_hang_is_a_verdict():
    start = time.perf_counter()
    report = judge(hangs, "sam", timeout=0.2)
    assert report.count("unusable") and report.count("holds") == report.count("fails") == 0
    assert "hangs: one call took more than 0.2 s" in report.verdicts[0].message
    assert time.perf_counter() - start < 10


def test_a_busy_loop_is_interrupted():
    turns = [0]

    def work(clock):
        with clock.running():
            while True:
                turns[0] += 1

    with pytest.raises(Unusable, match="hangs"):
        watched(work, 0.1)
    seen = turns[0]
    time.sleep(0.2)
    assert turns[0] == seen


def test_the_watch_times_calls_not_the_search():
    watched(lambda clock: time.sleep(0.3), 0.1)


def test_reproducible_by_its_seed():
    bad = lambda rho, lr: sam(2 * rho, lr)
    again = [str(optimality(bad, "sam", seed=k)) for k in (3, 3)]
    assert again[0] == again[1] and "(seed 3)" in again[0]


def test_search_shrinks():
    from hypothesis import strategies as st

    def check(draw):
        x = draw(st.integers(0, 1000))
        if x >= 17:
            raise Broken(f"x is {x}")

    with pytest.raises(Broken, match=r"x is 17\b"):
        search(check, 100)


def test_search_gives_up_in_time(monkeypatch):
    from hypothesis import strategies as st

    monkeypatch.setattr("minisam.laws.search.SEARCH", 0.05)

    def slow(draw):
        draw(st.integers())
        sum(range(100000))

    assert 0 < search(slow, 1000) < 1000


def test_numbers_get_the_digits_that_tell_them_apart():
    a, b = np.array([0.1, 2.0]), np.array([0.1000001, 2.0])
    assert shortened(f"{shown(a)} {shown(3 * a)}") == "[0.1, 2] [0.3, 6]"
    assert shortened(f"{shown(a)} {shown(b)}") == "[0.1, 2] [0.1000001, 2]"
    assert shortened(f"{shown(0.25)}") == "0.25"


def test_a_factory_can_fix_its_length():
    def factory(rho, lr):
        inner = sam(rho, lr)

        def step(w, grad):
            assert len(w) == 7
            return inner(w, grad)

        return step

    factory.n = 7
    report = judge(factory, "sam", examples=5)
    assert report.ok, str(report)


def test_unknown_claims_raise():
    with pytest.raises(ValueError, match="did you mean"):
        judge(sam, "friendlysam")
    assert Case(sam, "sam").claim.name == "sam"


def test_works_inside_a_hypothesis_test():
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(max_examples=2, deadline=None, database=None)
    @given(st.integers(0, 5))
    def inner(seed):
        assert optimality(sam, "sam", examples=3, seed=seed).ok

    inner()
