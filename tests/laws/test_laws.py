"""The kit acquits the correct, convicts the wrong, and names the unusual."""

import pytest

from minisam.laws import LAWS, judge
from tests.laws.acquit import SUSPECTS, acquit
from tests.laws.wrong import BUGS, CONVENTIONS

BY_NUMBER = {law.number: law for law in LAWS}


@pytest.mark.parametrize("k", range(len(SUSPECTS)), ids=lambda k: SUSPECTS[k][0] + SUSPECTS[k][2])
def test_no_false_alarm(k):
    ((_, report),) = acquit(1, first=k)
    assert report.ok, str(report)
    assert not report.conventions


@pytest.mark.slow
def test_no_false_alarm_in_many_runs():
    alarms = [str(report) for _, report in acquit(200, first=1000) if not report.ok]
    assert not alarms, alarms[0]


@pytest.mark.parametrize("bug", BUGS)
def test_convicts(bug):
    claim, factory, number, words = BUGS[bug]
    verdict = BY_NUMBER[number](factory, claim, timeout=1.0)
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
