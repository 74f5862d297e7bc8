"""What a run will amount to in steps, tokens and time, going by earlier runs of the same model in the store.

Reads few rows: the end of each earlier run's scalars, and when its evaluations began and ended.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean, median
from typing import Literal

import sqlalchemy as sa

from training.config import RunConfig, StageConfig
from training.store import TRAINED_KINDS, Job, Store
from training.store.job_search import jobs_with
from training.store.schema import evaluation_items, evaluations

EARLIER_RUNS = 3
"""The newest ones of a kind; older ones may be of another version or machine."""

MIN_STEPS = 3
"""Shorter runs are not gone by: the first step holds what is done once, such as compiling."""

LIKE_LENGTH = 2.0
"""Runs whose greatest completion length differs by more than this factor are not gone by."""

_TAIL = 3_000
"""Scalars read of a run: TRL logs about 30 a step, so about 100 steps."""


@dataclass(frozen=True)
class Expectation:
    """A run in numbers; `None` where no earlier run tells."""

    steps: int
    completions: int
    """Learnt from: the model's own, or the reference solutions."""
    learns_from: Literal["completions", "solutions"]
    epochs: float
    """How often each train problem is met, on average."""
    most_tokens: int
    """If every completion were cut off, or every solution as long as it may be."""
    basis: tuple[str, ...]
    """The earlier runs gone by."""
    step_time_s: float | None
    tokens_a_step: float | None
    evaluations: int
    """How many evaluations the run makes."""
    evaluation_s: float | None
    """Of all of them together."""

    @property
    def total_s(self) -> float | None:
        """Training and evaluations; loading the model is left out."""
        if self.step_time_s is None or self.evaluation_s is None:
            return None
        return self.steps * self.step_time_s + self.evaluation_s

    @property
    def tokens(self) -> float | None:
        """Completion tokens of the whole training."""
        return None if self.tokens_a_step is None else self.steps * self.tokens_a_step


@dataclass(frozen=True)
class _Pace:
    """One earlier run's figures, a completion."""

    step_time_s: float
    tokens: float | None
    evaluated_s: float | None


def expect(config: StageConfig, train_problems: int, store: Store, test_problems: int | None = None) -> Expectation:
    """The run's numbers, with those of up to `EARLIER_RUNS` like it.

    Args:
        train_problems: how many there are to train on.
        test_problems: how many there are to measure on; enough, where that is not said.
    """
    alike = _like(config, jobs_with(store, TRAINED_KINDS, model=config.model))
    used = dict(islice(((job.id, pace) for job in alike if (pace := _pace(store, job)) is not None), EARLIER_RUNS))
    each = config.completions_per_step
    iterations = config.num_iterations if isinstance(config, RunConfig) else 1
    times = [pace.step_time_s for pace in used.values()]
    tokens = [pace.tokens for pace in used.values() if pace.tokens is not None]
    evaluated = [pace.evaluated_s for pace in used.values() if pace.evaluated_s is not None]
    passes = evaluation_passes(config)
    asked = config.evaluation_problems if test_problems is None else min(config.evaluation_problems, test_problems)
    to_evaluate = passes * asked * config.evaluation_samples
    return Expectation(
        steps=config.max_steps,
        completions=config.max_steps * each // iterations,
        learns_from="completions" if isinstance(config, RunConfig) else "solutions",
        epochs=config.max_steps * config.groups_per_step / iterations / max(1, train_problems),
        most_tokens=config.max_steps * each * config.max_completion_length // iterations,
        basis=tuple(used),
        step_time_s=fmean(times) * each if times else None,
        tokens_a_step=fmean(tokens) * each / iterations if tokens else None,
        evaluations=passes,
        evaluation_s=0.0 if not to_evaluate else fmean(evaluated) * to_evaluate if evaluated else None,
    )


def evaluation_passes(config: StageConfig) -> int:
    """How many evaluations the run makes: before, after and in between; the last step has no other than the one after."""
    if not config.evaluation_problems:
        return 0
    last = config.max_steps - 1 if config.evaluate_after else config.max_steps
    between = last // config.evaluation_steps if config.evaluation_steps else 0
    return config.evaluate_before + config.evaluate_after + between


def _like(config: StageConfig, jobs: Iterable[Job]) -> Iterator[Job]:
    """Ended runs of the stage with the same model, engine and way of generating, completions of like length; newest first."""
    wanted = config.model_dump(mode="json")
    asked = ("model", "engine", "use_vllm", "load_in_4bit", "gradient_checkpointing", "num_iterations")
    same = [name for name in asked if name in wanted]
    defaults = {name: field.default for name, field in type(config).model_fields.items()}
    for job in jobs:
        if job.spec.get("stage", "grpo") != config.stage:
            continue
        spec = defaults | job.spec
        lengths = sorted((spec["max_completion_length"], config.max_completion_length))
        alike = all(spec[name] == wanted[name] for name in same) and bool(spec["lora_rank"]) == bool(config.lora_rank)
        if job.status in ("finished", "stopped") and alike and lengths[1] <= LIKE_LENGTH * lengths[0]:
            yield job


def _pace(store: Store, job: Job) -> _Pace | None:
    scalars = store.scalars(job.id, after=max(0, store.last_scalar(job.id) - _TAIL))
    times = [s.value for s in scalars if s.name == "step_time" and s.value is not None]
    lengths = [s.value for s in scalars if s.name == "completions/mean_length" and s.value is not None]
    if len(times) < MIN_STEPS:
        return None
    completions = int(job.spec["per_device_train_batch_size"]) * int(job.spec.get("gradient_accumulation_steps", 1))
    return _Pace(
        step_time_s=median(times) / completions,
        tokens=fmean(lengths) if lengths else None,
        evaluated_s=_seconds_an_answer(store, job.id),
    )


def _seconds_an_answer(store: Store, job_id: str) -> float | None:
    """Of the run's evaluations; `None` where there is none whose beginning and end are on record."""
    answers = sa.func.count(evaluation_items.c.seq)
    query = (
        sa.select(evaluations.c.created_at, evaluations.c.completed_at, answers)
        .join(evaluation_items, evaluation_items.c.evaluation == evaluations.c.seq)
        .where(evaluations.c.job_id == job_id, evaluations.c.completed_at > evaluations.c.created_at)
        .group_by(evaluations.c.seq, evaluations.c.created_at, evaluations.c.completed_at)
    )
    with store.reading() as connection:
        rows: Sequence[sa.Row] = connection.execute(query).all()
    return median((ended - began) / count for began, ended, count in rows) if rows else None
