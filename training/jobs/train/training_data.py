"""What a run trains on: the train problems with prompts that are not too long, and for GRPO their rows as TRL takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from training.config import RunConfig, StageConfig
from training.data.problem import Problem, ProblemSet
from training.data.sample import sample
from training.engines.hugging_face import chat_ids
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
    left_out: Mapping[str, int]
    """See `training.jobs.train.stage.StageData`."""
    max_length: int
    """The longest prompt of training or evaluation together with the longest completion, in tokens."""


@dataclass(frozen=True)
class Prompted:
    """Train problems whose prompts fit."""

    problems: Sequence[Problem]
    left_out: Mapping[str, int]
    """See `training.jobs.train.stage.StageData`."""
    longest: int
    """The longest prompt of training or evaluation, in tokens."""


def training_data(config: RunConfig, problem_set: ProblemSet, tokenizer: Any) -> TrainingData:
    """The train split as rows for TRL.

    Raises:
        SourceError: there is no problem to train on.
        ConfigError: every problem's prompt is longer than `max_prompt_length`.
    """
    prompted = with_fitting_prompts(config, train_problems(problem_set), problem_set, tokenizer)
    return TrainingData(
        datasets.Dataset.from_list(
            [
                {
                    "prompt": config.prompting.messages(problem.question),
                    "problem_id": problem.id,
                    "gold": problem.gold,
                }
                for problem in prompted.problems
            ]
        ),
        problems={
            problem.id: reward_row(problem, config.prompting.messages(problem.question)) for problem in prompted.problems
        },
        left_out=prompted.left_out,
        max_length=prompted.longest + config.max_completion_length,
    )


def train_problems(problem_set: ProblemSet) -> Sequence[Problem]:
    """The train split.

    Raises:
        SourceError: it is empty.
    """
    problems = problem_set.of_split("train")
    if not problems:
        raise SourceError(f"{problem_set.name} has no train problems.", "Choose another source or subset.")
    return problems


def with_fitting_prompts(config: StageConfig, problems: Sequence[Problem], problem_set: ProblemSet, tokenizer: Any) -> Prompted:
    """Of some train problems those whose prompt is not longer than `max_prompt_length`.

    Raises:
        ConfigError: there is none.
    """
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
    return Prompted(kept, {"for their prompts' length": len(problems) - len(kept)}, longest)


def _prompt_lengths(problems: Sequence[Problem], prompting: Prompting, tokenizer: Any) -> list[int]:
    """Tokens of each problem's prompt, its chat template included."""
    return [len(ids) for ids in prompt_ids(problems, prompting, tokenizer)]


def prompt_ids(problems: Sequence[Problem], prompting: Prompting, tokenizer: Any) -> list[list[int]]:
    """The tokens of each problem's prompt, its chat template included."""
    return chat_ids(tokenizer, [prompting.messages(problem.question) for problem in problems])
