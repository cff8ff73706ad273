"""A number from outside is checked in one way, wherever it comes from, and refused with the same words."""

from argparse import ArgumentTypeError
from typing import Any

import numpy as np
import pytest

from edgecnn import EdgecnnError, arguments, bounds


@pytest.mark.parametrize("value", [1, 5, np.int8(5), np.uint64(2), np.array(3)])
def test_a_whole_number_of_any_kind_becomes_an_int(value: Any) -> None:
    whole = bounds.whole(value, "threads", 1, 5)
    assert (whole, type(whole)) == (value, int)


@pytest.mark.parametrize("value", [0, 6, 2.0, "2", None, True, np.arange(3), [1], 10**400])
def test_other_values_are_no_whole_numbers(value: Any) -> None:
    with pytest.raises(EdgecnnError, match=r"^threads is .*, not a whole number from 1 to 5$") as caught:
        bounds.whole(value, "threads", 1, 5)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "0.5", None, True, np.zeros(1)])
def test_other_values_are_no_shares(value: Any) -> None:
    with pytest.raises(EdgecnnError, match=r"^max_drop is .*, not a number from 0 to 1$"):
        bounds.number(value, "max_drop", 0, 1)


@pytest.mark.parametrize(("text", "words"), [("0", "0"), ("1.5", "'1.5'"), ("", "''"), ("٣", "'٣'")])
def test_an_option_is_refused_with_the_same_words(text: str, words: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        arguments.count(1, 5)(text)
    assert str(caught.value) == f"{words} is not a whole number from 1 to 5"
    with pytest.raises(ArgumentTypeError, match=r"^2\.0 is not a number from 0 to 1$"):
        arguments.share("2")
