"""What a run trains on: lengths counted with the demo model's tokenizer and chat template."""

from dataclasses import replace

import pytest

from tests.tiny_runs import few_problems, tiny
from training.data.sample import sample
from training.engines.hugging_face import load_tokenizer
from training.errors import ConfigError, SourceError
from training.jobs.train.training_data import training_data
from training.prompts import Prompting

TOKENIZER = load_tokenizer("demo")
PROBLEMS = few_problems()
LENGTHS = [
    len(TOKENIZER.apply_chat_template(Prompting().messages(problem.question), add_generation_prompt=True, return_dict=False))
    for problem in PROBLEMS.problems
]
TRAIN, TEST = LENGTHS[:6], LENGTHS[6:]


def test_all_problems_train_in_the_order_of_the_split() -> None:
    data = training_data(tiny(), PROBLEMS, TOKENIZER)
    assert data.rows["problem_id"] == [problem.id for problem in PROBLEMS.of_split("train")]
    assert data.rows[0]["prompt"] == Prompting().messages(PROBLEMS.problems[0].question)
    assert (sum(data.left_out.values()), data.max_length) == (0, max(TRAIN) + 12)


def test_problems_with_a_longer_prompt_are_left_out_and_counted() -> None:
    limit = sorted(TRAIN)[2]
    data = training_data(tiny(max_prompt_length=limit), PROBLEMS, TOKENIZER)
    kept = [problem.id for problem, length in zip(PROBLEMS.of_split("train"), TRAIN, strict=True) if length <= limit]
    assert data.rows["problem_id"] == kept
    assert (data.left_out, data.max_length) == ({"for their prompts' length": 6 - len(kept)}, limit + 12)


def test_a_length_that_leaves_nothing_is_an_error_that_names_the_shortest_prompt() -> None:
    with pytest.raises(ConfigError, match=f"the shortest prompt has {min(TRAIN)} tokens"):
        training_data(tiny(max_prompt_length=min(TRAIN) - 1), PROBLEMS, TOKENIZER)


def test_evaluated_prompts_must_fit_too() -> None:
    data = training_data(tiny(max_prompt_length=min(TRAIN), evaluation_problems=3), PROBLEMS, TOKENIZER)
    asked = {problem.id for problem in sample(PROBLEMS.of_split("test"), 3)}
    lengths = [length for problem, length in zip(PROBLEMS.of_split("test"), TEST, strict=True) if problem.id in asked]
    assert data.max_length == max(min(TRAIN), *lengths) + 12


def test_a_source_without_train_problems_is_an_error() -> None:
    with pytest.raises(SourceError, match="has no train problems"):
        training_data(tiny(), replace(PROBLEMS, problems=PROBLEMS.of_split("test")), TOKENIZER)
