"""Which answers are one vote, by what the verifier cannot tell apart."""

from training.rewards.forms import FORMS, TAGS
from training.rewards.votes import votes


def answers(*texts: str) -> list[list[str]]:
    return [[f"<answer>{text}</answer>" for text in texts]]


def test_numbers_of_one_value_are_one_vote_and_words_are_not() -> None:
    assert votes(answers("7", "7.0", "1,007", "7 apples", "7"), "value_correctness", TAGS) == [
        ["7", "7", "1007", "7 apples", "7"]
    ]


def test_by_hard_correctness_texts_vote_as_they_are() -> None:
    """Six of "$92" and three of "92" are two answers: only one of them is right."""
    assert votes(answers("$92", "92", " 92 ", "92.0"), "correctness", TAGS) == [["$92", "92", "92", "92.0"]]


def test_by_soft_correctness_the_first_number_votes() -> None:
    assert votes(answers("$7", "7 apples", "The answer is 8."), "soft_correctness", TAGS) == [["7", "7", "8"]]


def test_by_the_symbolic_verifier_what_means_the_same_is_one_vote_within_a_problem() -> None:
    boxed = [rf"so \boxed{{{text}}}" for text in (r"\frac{1}{2}", "0.5", r"x+1", r"1+x", "3", r"\frac12")]
    (found, alone) = votes([boxed, boxed[1:2]], "math", FORMS["boxed"])
    half, same, sum_, other, three, again = found
    assert half == same == again
    assert sum_ == other
    assert len({half, sum_, three}) == 3
    assert alone == ["0.5"]
