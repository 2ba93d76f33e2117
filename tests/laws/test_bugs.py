"""The catalogue of bugs: every bug is a small diff, runs, and differs from its correct row."""

import numpy as np
import pytest

from minisam.laws.bugs import BUGS, CLAIM
from minisam.laws.bugs.bug import source

by_name = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)

# Bugs that a walk over ordinary numbers does not show.
HIDDEN = {
    "NaN on a zero gradient",
    "a third pass",
    "input mutated",
    "float64 leak",
    "NaN on a dead coordinate",
    "dead coordinates in the floor",
}
HYPER = {
    "sam_heavy_ball": {"momentum": 0.9, "weight_decay": 0.1},
    "sparse": {"mask": np.array([1.0, 0.0, 1.0, 1.0])},
    "presam": {"D": np.array([1.0, 2.0, 0.5, 3.0]), "C": np.triu(np.ones((4, 4)))},
}


def walk(factory):
    step = factory(rho=0.3, lr=0.1, **HYPER.get(factory.__name__, {}))
    rng, w = np.random.default_rng(1), np.array([1.0, -2.0, 0.3, 0.5])
    for b in rng.standard_normal((5, 4)):
        w = step(w.copy(), lambda x, b=b: np.arange(1.0, 5.0) * x - b)
    return w


def test_there_are_at_least_24_bugs_and_every_correct_row_has_one():
    assert len(BUGS) >= 24
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert {bug.row for bug in BUGS} == set(CLAIM)


@by_name
def test_a_bug_is_a_small_diff(bug):
    lines = bug.diff.splitlines()
    assert 1 <= sum(line[1:].strip() != "" for line in lines) <= 7
    assert bug.breaks and bug.origin and bug.laws


@by_name
def test_a_bug_runs_and_misbehaves(bug):
    wrong, right = walk(bug.factory), walk(bug.row)
    assert wrong.shape == right.shape
    assert (bug.name in HIDDEN) != (not np.array_equal(wrong, right))


@pytest.mark.parametrize("row", CLAIM, ids=lambda row: row.__name__)
def test_the_text_of_a_row_is_a_file_that_stands_alone(row):
    space = {}
    exec(source(row), space)
    again = space[row.__name__]
    np.testing.assert_array_equal(walk(again), walk(row))


@by_name
def test_instances_share_no_memory(bug):
    """The second of two runs from the same factory is the first one again."""
    first, second = (walk(bug.factory) for _ in range(2))
    np.testing.assert_array_equal(first, second)
