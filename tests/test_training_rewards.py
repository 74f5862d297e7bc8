"""The article's rewards, against values worked out by hand from its definitions."""

import pytest

from training.rewards import REWARDS, extract_answer, extract_number, score_completion

PERFECT = "<reasoning>\n48/2 = 24\n</reasoning>\n<answer>\n72\n</answer>\n"


def test_a_perfect_completion_reaches_every_maximum() -> None:
    scores = score_completion(PERFECT, "72")
    assert scores == {name: reward.maximum for name, reward in REWARDS.items()}
    assert sum(reward.maximum for reward in REWARDS.values()) == 4.0


@pytest.mark.parametrize(
    ("completion", "answer", "number"),
    [
        ("<answer>72</answer>", "72", "72"),
        ("<answer>1</answer><answer> 2 </answer>", "2", "2"),
        ("no tags, 5 apples", "no tags, 5 apples", "5"),
        ("<answer>$16,320 a year</answer>", "$16,320 a year", "16320"),
        ("<answer>96%</answer>", "96%", "96"),
        ("<answer>The answer is 57.</answer>", "The answer is 57.", "57"),
        ("<answer>-8</answer>", "-8", "8"),
        ("<answer></answer>", "", "0"),
        ("72</answer> trailing 9", "72", "72"),
    ],
)
def test_answer_and_number_are_read_as_in_the_article(completion: str, answer: str, number: str) -> None:
    assert extract_answer(completion) == answer
    assert extract_number(completion) == number


def test_soft_correctness_accepts_what_hard_correctness_does_not() -> None:
    scores = score_completion("<answer>$72</answer>", "72")
    assert (scores["correctness"], scores["soft_correctness"], scores["integer"]) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("completion", "strict", "soft"),
    [
        (PERFECT, 0.5, 0.5),
        (PERFECT + "\n\n", 0.5, 0.5),
        (PERFECT + "more", 0.0, 0.5),
        ("<reasoning>\na\nb\n</reasoning>\n<answer>\n1\n</answer>", 0.5, 0.5),
        ("<reasoning>a</reasoning> <answer>1</answer>", 0.0, 0.5),
        ("Well: " + PERFECT, 0.0, 0.0),
        ("<answer>1</answer>", 0.0, 0.0),
    ],
)
def test_formats(completion: str, strict: float, soft: float) -> None:
    scores = score_completion(completion, "1")
    assert (scores["strict_format"], scores["soft_format"]) == (strict, soft)


@pytest.mark.parametrize(
    ("completion", "score"),
    [
        (PERFECT, 0.5),
        # five characters of tail: 5 after "\n</answer>\n", and 6 - 1 after "\n</answer>"
        (PERFECT + "tail!", 0.5 - 0.005 - 0.005),
        # no line break at the end: the first penalty takes all 46 characters, the second gives 0.001 back
        ("<reasoning>\n</reasoning>\n<answer>\n72\n</answer>", 0.5 - 0.046 + 0.001),
        ("no tags", 0.0),
        ("<reasoning>\n<reasoning>\n", 0.0),
    ],
)
def test_xml_count_counts_tags_and_penalises_tails(completion: str, score: float) -> None:
    assert REWARDS["xml_count"].score(completion, "72") == pytest.approx(score)


def test_the_registry_is_the_articles_six_each_with_a_description() -> None:
    names = ["correctness", "soft_correctness", "integer", "strict_format", "soft_format", "xml_count"]
    assert list(REWARDS) == names
    assert all(reward.description for reward in REWARDS.values())
