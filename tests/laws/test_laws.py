"""The kit acquits the correct, convicts the wrong, and names the unusual."""

import numpy as np
import pytest

from minisam.laws import LAWS, judge, optimality, trace
from minisam.laws.bugs import BUGS, CLAIM
from tests.laws.acquit import SUSPECTS, acquit
from tests.laws.wrong import EXPLAINED, NAMED, UNUSUAL, WRONG

LAW = {law.number: law for law in LAWS}
CATALOGUE = {bug.name: bug for bug in BUGS}

SENTENCES = {
    **WRONG,
    **{name: (CATALOGUE[name].claim, CATALOGUE[name].factory, *x) for name, x in EXPLAINED.items()},
}
CONVENTIONS = {
    **UNUSUAL,
    **{name: (CATALOGUE[name].claim, CATALOGUE[name].factory, *x) for name, x in NAMED.items()},
}


@pytest.mark.parametrize("k", range(len(SUSPECTS)), ids=lambda k: SUSPECTS[k][0])
def test_no_false_alarm(k):
    ((_, report),) = acquit(1, first=k)
    assert report.ok, str(report)
    assert not report.conventions


@pytest.mark.slow
def test_no_false_alarm_in_many_runs():
    alarms = [str(report) for _, report in acquit(200, first=1000) if not report.ok]
    assert not alarms, alarms[0]


@pytest.mark.parametrize("bug", SENTENCES)
def test_convicts_and_says_why(bug):
    claim, factory, number, words = SENTENCES[bug]
    verdict = LAW[number](factory, claim, timeout=1.0)
    assert not verdict.ok
    assert words in verdict.message, verdict


@pytest.mark.parametrize("name", CONVENTIONS)
def test_names_conventions(name):
    claim, factory, number, words = CONVENTIONS[name]
    report = judge(factory, claim, examples=10)
    assert report.ok, str(report)
    verdict = next(v for v in report.verdicts if v.law == number)
    assert verdict.kind == "convention"
    assert words in verdict.message, verdict


def test_what_does_not_repeat_itself_gets_a_verdict():
    """Hypothesis calls it flaky."""
    turn = [0]

    def factory(rho, lr):
        turn[0] += 1
        return CATALOGUE["squared norm"].row(rho * (2 if turn[0] == 3 else 1), lr)

    verdict = optimality(factory, "sam")
    assert verdict.kind == "fails" and verdict.cause.startswith("State shared")
    assert "gives another answer when it comes again; the first time" in verdict.message


def test_a_run_that_diverges_decides_nothing(monkeypatch):
    """In single precision its gradients overflow: not the implementation's fault."""
    steep = lambda draw, n: [lambda w: np.float32(1e20) * w] * 3
    monkeypatch.setattr(trace, "PROBLEMS", (steep,))
    assert LAW["L19"](CATALOGUE["squared norm"].row, "sam").ok


@pytest.mark.parametrize("claim", ["sam", "info", "sparse"])
def test_a_single_weight_can_be_judged(claim):
    """No example can turn a line: L11 does not apply."""
    row = next(row for row, name in CLAIM.items() if name == claim)

    def factory(**hyper):
        return row(**hyper)

    factory.n = 1
    report = judge(factory, claim, examples=3)
    assert report.ok and "L11" in [v.law for v in report.verdicts if v.kind == "inapplicable"]
