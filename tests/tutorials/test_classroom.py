"""What a student reads when a check finds fault."""

import numpy as np
import pytest
from hypothesis import strategies as st

from minisam.laws.classroom import Mistake, check, differs

numbers = st.integers(0, 99)


def test_a_check_reports_the_smallest_example_and_nothing_else():
    with pytest.raises(Mistake) as mistake:
        check(lambda x: f"{x} is too large" if x > 6 else None, x=numbers)
    assert str(mistake.value) == "7 is too large\n  smallest example found: x = 7"
    assert mistake.value._render_traceback_() == [f"Mistake: {mistake.value}"]


def test_a_check_that_finds_nothing_says_nothing():
    check(lambda x: None, x=numbers)
    check(lambda: None)


def test_an_error_in_the_answer_is_a_mistake():
    with pytest.raises(Mistake, match="your code raises ZeroDivisionError: division by zero"):
        check(lambda x: 1 / x and None, x=numbers)


def test_an_unsolved_exercise_is_not_a_mistake():
    def unsolved(x):
        raise NotImplementedError("exercise 3.2, eq. (3)")

    with pytest.raises(NotImplementedError, match="exercise") as stop:
        check(unsolved, x=numbers)
    assert not getattr(stop.value, "__notes__", None)


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (None, "eps returns None: is a return missing?"),
        (np.ones(3), "eps has shape (3,), but should have (2,)"),
        (np.array([1.0, np.nan]), "eps has entries that are not finite: [ 1. nan]"),
        (np.array([1.0, 2.5]), "eps[1] is 2.5, but should be 2"),
        (np.array([1.0, 2.0 + 1e-9]), None),
    ],
)
def test_a_difference_is_said_in_words(got, said):
    assert differs("eps", got, np.array([1.0, 2.0])) == said


def test_an_entry_of_something_with_a_long_name():
    said = differs("H v, for f = sum w^4,", np.array([1.0, 5.0]), np.array([1.0, 2.0]))
    assert said == "entry [1] of H v, for f = sum w^4, is 5, but should be 2"
