"""What a run trains on: the prompts of the train split as TRL takes them, without those that are too long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from training.config import RunConfig
from training.data.problem import Problem, ProblemSet
from training.data.sample import sample
from training.errors import ConfigError, SourceError
from training.prompts import Prompting
from training.rewards import Row
from training.rewards.rows import reward_row


@dataclass(frozen=True)
class TrainingData:
    """The rows for TRL, and what their lengths ask of the model."""

    rows: datasets.Dataset
    """Columns prompt (a conversation), problem_id, gold; in the order of the split."""
    problems: Mapping[str, Row]
    """Problem id -> what a reward may know of it."""
    left_out: int
    """Problems whose prompt is longer than `max_prompt_length`."""
    max_length: int
    """The longest prompt of training or evaluation together with the longest completion, in tokens."""


def training_data(config: RunConfig, problem_set: ProblemSet, tokenizer: Any) -> TrainingData:
    """The train split as rows for TRL.

    Raises:
        SourceError: there is no problem to train on.
        ConfigError: every problem's prompt is longer than `max_prompt_length`.
    """
    problems = problem_set.of_split("train")
    if not problems:
        raise SourceError(f"{problem_set.name} has no train problems.", "Choose another source or subset.")
    lengths = _prompt_lengths(problems, config.prompting, tokenizer)
    limit = config.max_prompt_length or max(lengths)
    kept = [problem for problem, length in zip(problems, lengths, strict=True) if length <= limit]
    if not kept:
        raise ConfigError(
            f"max_prompt_length = {limit:,} leaves no problem to train on: the shortest prompt has {min(lengths):,} tokens.",
            "Raise it, or set it to 0 to leave none out.",
        )
    evaluated = sample(problem_set.of_split("test"), config.evaluation_problems)
    longest = max(
        max(length for length in lengths if length <= limit),
        *_prompt_lengths(evaluated, config.prompting, tokenizer),
        0,
    )
    return TrainingData(
        datasets.Dataset.from_list(
            [
                {
                    "prompt": config.prompting.messages(problem.question),
                    "problem_id": problem.id,
                    "gold": problem.gold,
                }
                for problem in kept
            ]
        ),
        problems={problem.id: reward_row(problem, config.prompting) for problem in kept},
        left_out=len(problems) - len(kept),
        max_length=longest + config.max_completion_length,
    )


def _prompt_lengths(problems: Sequence[Problem], prompting: Prompting, tokenizer: Any) -> list[int]:
    """Tokens of each problem's prompt, its chat template included."""
    if not problems:
        return []
    prompts = [prompting.messages(problem.question) for problem in problems]
    return [len(ids) for ids in tokenizer.apply_chat_template(prompts, add_generation_prompt=True, return_dict=False)]
