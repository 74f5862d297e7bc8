"""What is particular to supervised fine-tuning: reference solutions as the model is asked to answer, and TRL's SFTTrainer.

Prompts are tokenised as evaluations and GRPO tokenise them, and solutions as a model would go on: so what is learnt is what is
asked, whatever a chat template makes of a finished answer. The story around it is `training.jobs.train.stage`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from transformers import TrainerCallback
from trl import SFTConfig as TrlConfig
from trl import SFTTrainer

from training.config import SftConfig
from training.data.problem import Problem, ProblemSet
from training.engines import Engine, Loaded
from training.errors import ConfigError, SourceError
from training.jobs.train.ledger_trainer import Record
from training.jobs.train.resuming import WholeCheckpoints
from training.jobs.train.stage import Stage, learn_in_float32, trl_settings
from training.jobs.train.stopwatch import Stopwatch
from training.jobs.train.training_data import prompt_ids, train_problems, with_fitting_prompts
from training.rewards.forms import form_named
from training.rewards.solutions import has_solution, written_solution

_NOT_LEARNT = -100
"""The label of a token that the loss passes by (torch's `ignore_index`)."""


@dataclass(frozen=True)
class SolutionData:
    """The rows for TRL, and what their lengths ask of the model."""

    rows: datasets.Dataset
    """Columns input_ids, labels: prompt, solution and the token that ends a turn; in the order of the split."""
    left_out: Mapping[str, int]
    """See `training.jobs.train.stage.StageData`."""
    max_length: int
    """The longest prompt of training or evaluation together with the longest completion, in tokens."""


def solution_data(config: SftConfig, problem_set: ProblemSet, tokenizer: Any) -> SolutionData:
    """The train problems that have a reference solution, each written as the prompt asks for it.

    Raises:
        SourceError: there is no problem to train on, or none has a solution.
        ConfigError: every problem's prompt is longer than `max_prompt_length`, or every solution longer than
            `max_completion_length`.
    """
    problems = train_problems(problem_set)
    solved = [problem for problem in problems if has_solution(problem)]
    if not solved:
        raise SourceError(
            f"No train problem of {problem_set.name} has a reference solution with a gold answer.",
            "Name the column that holds the solutions, or choose another source.",
        )
    prompted = with_fitting_prompts(config, solved, problem_set, tokenizer)
    solutions = _solution_ids(prompted.problems, config, tokenizer)
    rows = [
        {"input_ids": prompt + solution, "labels": [_NOT_LEARNT] * len(prompt) + solution}
        for prompt, solution in zip(prompt_ids(prompted.problems, config.prompting, tokenizer), solutions, strict=True)
        if len(solution) <= config.max_completion_length
    ]
    if not rows:
        raise ConfigError(
            f"max_completion_length = {config.max_completion_length:,} leaves no solution to learn from: the shortest has "
            f"{min(map(len, solutions)):,} tokens.",
            f"Raise it; the longest has {max(map(len, solutions)):,}.",
        )
    left_out = {
        "for want of a reference solution": len(problems) - len(solved),
        **prompted.left_out,
        "for their solutions' length": len(solutions) - len(rows),
    }
    return SolutionData(datasets.Dataset.from_list(rows), left_out, prompted.longest + config.max_completion_length)


def _solution_ids(problems: Sequence[Problem], config: SftConfig, tokenizer: Any) -> list[list[int]]:
    """The tokens of each solution in the form that is asked for, with the one that ends a turn."""
    form = form_named(config.answer_form)
    texts = [written_solution(problem, form) for problem in problems]
    return [[*ids, tokenizer.eos_token_id] for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def make_trainer(
    config: SftConfig,
    engine: Engine,
    loaded: Loaded,
    data: SolutionData,
    folder: Path,
    record: Record,
    stopwatch: Stopwatch,
    callbacks: Sequence[TrainerCallback] = (),
) -> Any:
    """TRL's SFTTrainer on the solutions; checkpoints go to `folder`. No rollouts to record, no parts of a step to time."""
    trainer = SolutionTrainer(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        peft_config=loaded.adapter,
        args=_trl_config(config, folder),
        train_dataset=data.rows,
        callbacks=list(callbacks),
    )
    learn_in_float32(trainer)
    return trainer


def _trl_config(config: SftConfig, folder: Path) -> TrlConfig:
    """TRL's configuration; settings that are not named here keep its defaults."""
    return TrlConfig(
        **trl_settings(config, folder),
        loss_type=config.loss_type,
        max_length=None,  # what is too long is left out
        dataset_kwargs={"skip_prepare_dataset": True},
        data_seed=config.seed,
    )


class SolutionTrainer(WholeCheckpoints, SFTTrainer):  # type: ignore[misc]
    """TRL's SFTTrainer whose resumed runs go on counting, and which logs the seconds of a step as GRPO's does."""

    _step_time_s = 0.0

    def _load_more(self, folder: Path) -> None:
        """TRL begins to count tokens anew."""
        counted = [entry["num_tokens"] for entry in self._saved_state(folder).log_history if "num_tokens" in entry]
        self._total_train_tokens = int(max(counted, default=0))

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        loss = super().training_step(*args, **kwargs)
        self._step_time_s += time.perf_counter() - began
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs["step_time"], self._step_time_s = self._step_time_s, 0.0
        super().log(logs, start_time)


SFT = Stage(solution_data, make_trainer)
