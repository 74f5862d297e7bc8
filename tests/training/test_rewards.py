"""The article's rewards, against values worked out by hand from its definitions and its own patterns; the variant by value."""

import random
import re
import time
from typing import Any

import pytest

from training.config import RunConfig
from training.errors import RewardError
from training.rewards import ARTICLE_REWARDS, REWARDS, Reward, extract_answer, extract_number, score_completion

PERFECT = "<reasoning>\n48/2 = 24\n</reasoning>\n<answer>\n72\n</answer>\n"


def test_a_perfect_completion_reaches_every_maximum() -> None:
    scores = score_completion(PERFECT, "72")
    assert scores == {name: reward.maximum for name, reward in REWARDS.items() if reward.when == "always"}
    assert sum(REWARDS[name].maximum for name in ARTICLE_REWARDS) == 4.0


def test_without_gold_only_what_looks_at_the_completion_alone_has_a_value() -> None:
    scores = score_completion(PERFECT, None)
    assert {name for name, value in scores.items() if value is None} == {"correctness", "soft_correctness", "value_correctness"}
    for name, reward in REWARDS.items():
        if not reward.needs_gold and reward.when == "always":
            assert scores[name] == reward.score(PERFECT, "72") == reward.score(PERFECT, "another")


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


def test_the_formats_give_what_the_articles_own_patterns_give() -> None:
    strict = re.compile(r"^<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n*$", re.DOTALL)
    soft = re.compile(r"<reasoning>.*?</reasoning>\s*<answer>.*?</answer>", re.DOTALL)
    pieces = ["<reasoning>", "</reasoning>", "<answer>", "</answer>", "\n", "\n", " ", "72"]
    pieces += ["\n</reasoning>\n<answer>\n", "\n</answer>\n"]
    chance = random.Random(0)
    scores = set()
    for _ in range(20_000):
        text = "<reasoning>\n" + "".join(chance.choices(pieces, k=chance.randrange(12)))
        expected = (0.5 if strict.match(text) else 0.0, 0.5 if soft.match(text) else 0.0)
        assert (REWARDS["strict_format"].score(text, "72"), REWARDS["soft_format"].score(text, "72")) == expected, text
        scores.add(expected)
    assert scores == {(0.0, 0.0), (0.0, 0.5), (0.5, 0.5)}


def test_the_articles_six_come_first_and_every_reward_tells_its_source() -> None:
    names = ["correctness", "soft_correctness", "integer", "strict_format", "soft_format", "xml_count"]
    assert list(ARTICLE_REWARDS) == names
    assert list(REWARDS)[: len(names)] == names
    assert all(reward.description.endswith(".") for reward in REWARDS.values())
    assert all("Source: " in (reward.function.__doc__ or "") for reward in REWARDS.values())


def test_a_run_trains_on_the_articles_six_unless_it_says_otherwise() -> None:
    assert RunConfig(model="demo").reward_weights == dict.fromkeys(ARTICLE_REWARDS, 1.0)
    assert RunConfig(model="demo", rewards={"value_correctness": 2.0}).maximum_reward == 2.0


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("72", "72"),
        ("$16,320 a year", "16320"),
        ("$16,320.50", "16320.5"),
        ("1,000,000", "1000000"),
        ("-8", "-8"),
        ("−$8", "-8"),
        ("$-8", "-8"),
        ("-\\$8", "-8"),
        ("€5", "5"),
        (".5", "0.50"),
        ("-0", "0"),
        ("007", "7"),
        ("96%", "96"),
        ("72km", "72"),
        ("72 m2", "72"),
        ("72 cm^2", "72"),
        ("**72**", "72"),
        ("The answer is 72.", "72"),
        ("72 = 72.0", "72"),
        ("\\boxed{72}", "72"),
        ("\\boxed{72", "72"),
        ("3 x 24 = \\boxed{-72\\text{ m}^2}. There are 3.", "-72"),
        ("\\boxed{1} or rather \\boxed{2}", "2"),
        ("1" * 5000, "1" * 5000 + ".0"),
    ],
)
def test_an_answer_of_the_golds_value_counts(answer: str, gold: str) -> None:
    assert REWARDS["value_correctness"].score(f"<answer>{answer}</answer>", gold) == 1.0


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("", "0"),
        ("none", "0"),
        ("-8", "8"),
        ("5-8", "-8"),
        ("72.9", "72"),
        ("0.96", "96"),
        ("72 or 73", "72"),
        ("7,2", "72"),
        ("1,2", "1"),
        ("1,2", "2"),
        ("1,234,5678", "5678"),
        ("1.5.2", "1.5"),
        ("1e5", "1"),
        ("15e5", "1"),
        ("10^2", "10"),
        ("10^2", "2"),
        ("2½", "2"),
        ("7²", "7"),
        ("48/2", "24"),
        ("\\boxed{\\frac{1}{2}}", "1"),
        ("\\boxed{} 72", "72"),
        ("٧٢", "72"),
        ("1.0000000000000000000000000000000000001", "1"),
        ("1" * 5000, "1" * 4999 + "2"),
    ],
)
def test_an_answer_of_another_value_or_none_does_not_count(answer: str, gold: str) -> None:
    assert REWARDS["value_correctness"].score(f"<answer>{answer}</answer>", gold) == 0.0


@pytest.mark.parametrize("gold", ["", "seventy-two", "72 or 73", "1/2", "2½", "72 apples", "\\sqrt{2}"])
def test_a_gold_answer_without_one_value_cannot_be_scored_by_value(gold: str) -> None:
    assert REWARDS["value_correctness"].score(PERFECT, gold) is None


@pytest.mark.parametrize(
    "piece",
    [
        "<reasoning>",
        "</reasoning><answer>",
        "\n</reasoning>\n<answer>\n",
        "\n</reasoning>\n<answer>\n\n</answer>\n",
        "</reasoning> ",
        " ",
        "\n",
        "9",
        "9,",
        "1,234",
        "72 ",
        "$-",
        "1.",
        "1e",
        "²",
        "\\boxed{",
        "}",
    ],
)
def test_time_grows_with_the_text_and_not_faster(piece: str) -> None:
    text = "<reasoning>\n" + piece * (1_000_000 // len(piece))
    started = time.process_time()
    score_completion(text, "72")
    assert time.process_time() - started < 30, "a quadratic pattern takes minutes"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (ValueError("no parser"), "raised ValueError: no parser on the completion 'abc'"),
        (float("nan"), "returned nan, which is no number up to its maximum 1,"),
        (1.5, "returned 1.5"),
        ("1", "returned '1'"),
    ],
)
def test_a_crash_or_nonsense_never_becomes_a_score(result: object, message: str) -> None:
    def function(completion: str, gold: str) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    with pytest.raises(RewardError, match=f"The reward function broken {message}"):
        Reward("broken", "Broken", 1.0, function).score("abc", "1")
