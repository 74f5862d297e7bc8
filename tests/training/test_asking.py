"""How evaluations put their questions: the harness's prompts to the character, and examples that are drawn as it draws them."""

import pytest

from tests.tiny_runs import few_problems
from training.data.problems import load_problems
from training.errors import ConfigError
from training.evaluation.asking import (
    CHAT,
    HARNESS_SEED,
    PROMPT_STYLES,
    draw_examples,
    example_pool,
    require_examples,
    write_prompts,
)
from training.prompts import Prompting
from training.rewards.forms import TAGS, form_named

DEMO = load_problems("demo")
TEST = DEMO.of_split("test")
HARNESS = PROMPT_STYLES["question-answer"]
HASHES = form_named("hashes")

RECORDED = (
    "Question: Olga is the captain of the basketball team. Olga wants to be in shape this year. Olga lives in London with a "
    "sister. Olga got 8 medals in each of 8 matches. Rosa got 14 more medals for the team. A third of the medals went to the "
    "other team. The team lost 6 of the medals. How many medals did Olga still have?\n"
    "Answer: Olga got 8*8=<<8*8=64>>64 medals.\nThen there were 64+14=<<64+14=78>>78 medals.\n"
    "That was 78/3=<<78/3=26>>26 medals.\nThere were 78-26=<<78-26=52>>52 medals left.\n"
    "There were 52-6=<<52-6=46>>46 medals left.\n#### 46\n\n"
    "Question: The farm lies by a river. Fatima gathered 9 pumpkins every week for 5 weeks. Ravi had 11 less than Fatima. He "
    "gathered 2 more the next day. How many pumpkins did the two of them have altogether?\nAnswer:"
)
"""What the harness's task `gsm8k` asks first on the demo with one example; `tests/harness` has it say so."""


def test_a_prompt_is_the_harnesss_to_the_character() -> None:
    examples = draw_examples(example_pool(DEMO), TEST[:1], 1, HARNESS_SEED)
    assert write_prompts(HARNESS, Prompting(""), HASHES, TEST[:1], examples) == [RECORDED]


def test_the_draws_follow_each_other_and_another_seed_draws_others() -> None:
    drawn = draw_examples(example_pool(DEMO), TEST[:3], 2, HARNESS_SEED)
    assert [[one.id for one in shown] for shown in drawn] == [
        ["train-1979", "train-1593"],
        ["train-902", "train-239"],
        ["train-15", "train-185"],
    ]
    assert draw_examples(example_pool(DEMO), TEST[:3], 2, 7) != drawn
    assert draw_examples(example_pool(DEMO), TEST[:2], 0, 7) == [[], []]


def test_a_problem_is_no_example_of_itself() -> None:
    pool = example_pool(few_problems())
    for problem, shown in zip(pool, draw_examples(pool, pool, len(pool) - 1, HARNESS_SEED), strict=True):
        assert {one.id for one in shown} == {one.id for one in pool} - {problem.id}


def test_a_problem_that_stands_twice_is_no_example_of_its_copy() -> None:
    first, *others = example_pool(few_problems())
    pool = (first, first, *others)
    (shown,) = draw_examples(pool, [first], len(others), HARNESS_SEED)
    assert {one.id for one in shown} == {one.id for one in others}


def test_examples_in_a_conversation_keep_to_the_form_that_is_asked_for() -> None:
    (messages,) = write_prompts(CHAT, Prompting("Mark it."), TAGS, TEST[:1], [DEMO.of_split("train")[:1]])
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]  # type: ignore[index]
    assert TAGS.answer(messages[2]["content"]) == DEMO.of_split("train")[0].gold  # type: ignore[index]


def test_a_system_prompt_in_the_users_turn_stands_before_the_examples() -> None:
    messages = Prompting("Mark it.", "user").messages("2 + 2?", [("1 + 1?", "2")])
    assert [message["content"] for message in messages] == ["Mark it.\n\n1 + 1?", "2", "2 + 2?"]


def test_in_chat_the_harnesss_turns_hold_the_same_words() -> None:
    style = PROMPT_STYLES["question-answer-chat"]
    (messages,) = write_prompts(style, Prompting(""), HASHES, TEST[:1], [DEMO.of_split("train")[:1]])
    assert [message["content"] for message in messages] == [  # type: ignore[index]
        f"Question: {DEMO.of_split('train')[0].question}\nAnswer:",
        DEMO.of_split("train")[0].answer,
        f"Question: {TEST[0].question}\nAnswer:",
    ]


def test_examples_that_cannot_be_had_are_refused() -> None:
    few = few_problems()
    require_examples(few, "test", 6, HARNESS, HASHES)
    with pytest.raises(ConfigError, match="shots = 6: Demo has 5 train problems"):
        require_examples(few, "train", 6, HARNESS, HASHES)
    with pytest.raises(ConfigError, match="answer_form"):
        require_examples(few, "test", 1, CHAT, form_named("/= (.*)/"))
