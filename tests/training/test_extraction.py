"""The harness's two measures, by hand; `tests/harness` holds them against its own code."""

import pytest

from training.data.problems import load_problems
from training.rewards import REWARDS, score_completion, score_completions
from training.rewards.extraction import flexible_answer, strict_answer


@pytest.mark.parametrize(
    ("completion", "strict", "flexible"),
    [
        (" 6*8=<<6*8=48>>48 eggs.\n#### 48", "48", "48"),
        ("#### 1,048 eggs, 12 left", "1,048", "12"),
        ("#### $48", "[invalid]", "$48"),
        ("#### -3\n#### 4", "-3", "4"),
        ("####5 or #### 6.", "6.", "6."),
        ("It costs $1,000.50.", "[invalid]", "$1,000.50."),
        ("none", "[invalid]", "[invalid]"),
        ("", "[invalid]", "[invalid]"),
    ],
)
def test_answers_are_found_as_the_harness_finds_them(completion: str, strict: str, flexible: str) -> None:
    assert (strict_answer(completion), flexible_answer(completion)) == (strict, flexible)


@pytest.mark.parametrize(
    ("completion", "gold", "strict", "flexible"),
    [
        ("#### 1,048.", "1048", 1.0, 1.0),
        ("The answer is $48.", "48", 0.0, 1.0),
        ("#### 48.0", "48", 0.0, 0.0),
        ("#### 48 in 2 days", "48", 1.0, 0.0),
        ("", "", 0.0, 0.0),
    ],
)
def test_commas_dollars_and_a_last_point_do_not_count(completion: str, gold: str, strict: float, flexible: float) -> None:
    assert REWARDS["strict_match"].score(completion, gold) == strict
    assert REWARDS["flexible_extract"].score(completion, gold) == flexible


def test_the_gold_answer_counts_as_the_whole_solution_does_there() -> None:
    for problem in load_problems("demo").problems:
        assert REWARDS["strict_match"].score(problem.answer, problem.gold) == 1.0


def test_they_are_computed_where_they_are_asked_for() -> None:
    assert "strict_match" not in score_completion("#### 4", "4")
    assert score_completions(["#### 4"], ["4"], required=("strict_match",))[0]["strict_match"] == 1.0


def test_a_megabyte_of_digits_or_marks_is_read() -> None:
    for text in ("9" * 1_000_000, "#### " * 200_000, "9." * 500_000):
        assert flexible_answer(text)
        assert REWARDS["flexible_extract"].score(text, "1") == 0.0
