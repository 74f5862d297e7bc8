"""Where an answer stands in a text: after a mark, in the last box, as the last number."""

import time
from collections.abc import Callable

import pytest

from training.data.answers import after_hashes, after_words, last_box, last_number
from training.data.patterns import Pattern
from training.errors import PatternError


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"so \boxed{72}", "72"),
        (r"$\boxed{72}$. Check: $\frac{144}{2} = 72$.", "72"),
        (r"\boxed{72}. I used the set {1, 2}.", "72"),
        (r"\boxed{1} or rather \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}} {x}", r"\{1, 2\}"),
        (r"\boxed{ \text{Ann} }", r"\text{Ann}"),
        (r"\boxed{a \boxed{b} c}", "b"),
        (r"\boxed {7}", "7"),
        (r"\boxed 7", "7"),
        (r"\boxed 7.", "7"),
        (r"\boxed 1,234.5, so", "1,234.5"),
        (r"$\boxed7$", "7"),
        (r"\fbox{72} of {9}", "72"),
        (r"\boxed{}", ""),
        (r"{ } } \boxed{5}", "5"),
        (r"{ \boxed{5", None),
        (r"\boxed{5} and \boxed{6", "5"),
        (r"\boxed{5\}", None),
        (r"\boxed", None),
        (r"\boxedness{5}", None),
        ("boxed{5}", None),
        ("no box", None),
        ("", None),
    ],
)
def test_the_last_box_ends_at_its_own_brace(text: str, inside: str | None) -> None:
    assert last_box(text) == inside


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2+3=5\n#### 5", "5"),
        ("####5", "5"),
        ("#### 1\n#### 2", "2"),
        ("#### 72\nThe answer is: 72", "72"),
        ("#### \n 5", "5"),
        ("one line #### 352", "352"),
        ("####", None),
        ("#### \n", None),
        ("5", None),
    ],
)
def test_the_line_after_the_last_hashes_is_the_answer(text: str, answer: str | None) -> None:
    assert after_hashes(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so.\nThe answer is: 110", "110"),
        ("The final answer is 3/4.", "3/4"),
        ("the answer is 1. No, the answer is 2", "2"),
        ("THE ANSWER IS x+1\nmore", "x+1"),
        ("Answer: B", "B"),
        ("The answer is: 2.5", "2.5"),
        ("The answer is:", None),
        ("My answer: B", None),
        ("110", None),
    ],
)
def test_what_is_said_to_be_the_answer_is_the_rest_of_its_line(text: str, answer: str | None) -> None:
    assert after_words(text) == answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has 3 + 4 = 7 apples.", "7"),
        ("It costs $1,234.50 in all.", "$1,234.50"),
        ("that is 50%.", "50%"),
        ("it is -5", "-5"),
        ("it is −5 degrees", "−5"),
        (r"that makes 10,\!000", r"10,\!000"),
        ("1 000 people", "1 000"),
        ("half, so 1/2 of it", "1/2"),
        ("at 3.5", "3.5"),
        ("x2 and 4y have none", None),
        ("no number", None),
    ],
)
def test_the_last_number_is_found_as_it_is_written(text: str, number: str | None) -> None:
    assert last_number(text) == number


def test_a_pattern_gives_its_first_group_or_all_of_it_where_it_is_found_last() -> None:
    assert Pattern(r"= (\d+)").last("1 = 2, 3 = 4 5") == "4"
    assert Pattern(r"\d+").last("1 and 22") == "22"
    assert Pattern(r"x(\d*)").last("x") is None
    assert Pattern(r"\d").last("none") is None
    with pytest.raises(PatternError):
        Pattern("(")


def test_a_pattern_that_takes_too_long_is_named_with_the_text() -> None:
    with pytest.raises(PatternError) as raised:
        Pattern("(?:a|aa)+$").last("a" * 60 + "b")
    assert "(?:a|aa)+$" in raised.value.problem
    assert "aaab" in raised.value.problem


@pytest.mark.parametrize("find", [last_box, after_hashes, after_words, last_number])
@pytest.mark.parametrize("piece", ["\\boxed{", "\\boxed ", "\\boxed{}", "{", "}", "####", "answer is ", "9,", "1 ", "1/", "$"])
def test_time_grows_with_the_text_and_not_faster(find: Callable[[str], str | None], piece: str) -> None:
    started = time.process_time()
    find(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 5, "a quadratic search takes minutes"
