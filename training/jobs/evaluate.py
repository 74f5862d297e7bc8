"""Measuring a model outside a run: what is to be measured, as data, and the job that does it and survives a kill."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.backends import local
from training.data.problems import Problem, ProblemSet, load_problems
from training.engines import Complete
from training.errors import ConfigError, ModelError, SourceError, StoreError
from training.evaluation.evaluate import evaluate_model
from training.home import DEMO_MODEL, Home
from training.jobs.job_process import JobProcess, job_process
from training.models.checkpoints import model_on_this_disk
from training.paths import parse_path
from training.prompts import SYSTEM_PROMPT
from training.rewards.own import register_own_rewards
from training.store import Job, Store
from training.store.evaluations import (
    Evaluation,
    add_items,
    complete_evaluation,
    complete_evaluations,
    open_evaluation,
)
from training.store.job_search import newest_with

_WEIGHTS = ("*.safetensors", "*.bin")


class EvaluationSpec(BaseModel):
    """Everything that decides an evaluation; equal specs measure the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    source: str
    split: Literal["train", "test"]
    fraction: float = Field(gt=0, le=1)
    """The first share of the split."""
    temperature: float = Field(ge=0, le=10)
    """0 takes the likeliest token."""
    samples: int = Field(ge=1)
    """Completions a problem."""
    max_completion_length: int = Field(ge=1)
    """In tokens."""
    system_prompt: str = SYSTEM_PROMPT
    """The turn before every question; a checkpoint is asked as its run was."""
    vllm: bool = False
    """Generate with vLLM."""
    weights: str = ""
    """When the model's weights last changed, for a model on this disk: others measure something else."""


def evaluation_spec(model: str, problem_set: ProblemSet, **settings: object) -> EvaluationSpec:
    """The spec of measuring a model as it is now.

    Raises:
        ConfigError: a setting is out of range, or several samples at temperature 0 would all be the same.
        ModelError: the model's name is neither one nor a path.
    """
    values = {"model": model, "source": problem_set.source, "weights": weights_stamp(model)} | settings
    try:
        spec = EvaluationSpec.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = ".".join(map(str, wrong["loc"]))
        raise ConfigError(f"{name} = {wrong['input']!r}: {wrong['msg'].lower()}.", "Correct this value.") from error
    if spec.samples > 1 and spec.temperature == 0:
        raise ConfigError(
            f"{spec.samples} samples at temperature 0 would be {spec.samples} times the same completion.",
            "Give a temperature above 0, for example 1.",
        )
    return spec


def weights_stamp(model: str) -> str:
    """When a model's weights last changed; empty for one that is not on this disk.

    Raises:
        ModelError: its name is neither one nor a path.
    """
    folder = DEMO_MODEL if model == "demo" else parse_path(model, ModelError)
    changed = [file.stat().st_mtime_ns for pattern in _WEIGHTS for file in folder.glob(pattern)]
    return str(max(changed, default=""))


def evaluated_problems(spec: EvaluationSpec, problem_set: ProblemSet) -> tuple[Problem, ...]:
    """The problems that a spec asks for.

    Raises:
        SourceError: the split is empty.
    """
    problems = problem_set.of_split(spec.split)
    if not problems:
        raise SourceError(f"{problem_set.name} has no {spec.split} problems.", "Choose the other split or another source.")
    return problems[: max(1, round(len(problems) * spec.fraction))]


def open_job(store: Store, spec: EvaluationSpec, total: int, taken: Collection[str] = ()) -> tuple[Job, bool]:
    """(the job of a spec, whether it waits for a process): it does not while a job measures exactly this.

    It is a new one, or the newest equal one if that was stopped, failed or lost half way.

    Args:
        taken: as of `Store.create_job`.
    """
    newest = measured_before(store, spec)
    if newest is not None and newest.active:
        return newest, False
    if newest is not None and newest.status != "finished":
        return store.requeue(newest.id), True
    return store.create_job("evaluate", "evaluate", spec.model_dump(), total=total, taken=taken)


def measured_before(store: Store, spec: EvaluationSpec) -> Job | None:
    """The newest job of an equal spec, whatever became of it."""
    return newest_with(store, "evaluate", spec.model_dump())


def queued_measurement(store: Store, home: Home, job_id: str) -> tuple[Job, EvaluationSpec, tuple[Problem, ...]]:
    """What the process of a queued job measures: (the job, its spec, the spec's problems).

    Raises:
        StoreError: there is no such job, or it is no evaluation.
        SourceError: its problems cannot be loaded any more.
    """
    job = store.job(job_id)
    if job.kind != "evaluate":
        raise StoreError(f"{job_id} is no evaluation.", "Training runs are started by `python -m training run`.")
    spec = EvaluationSpec.model_validate(job.spec)
    return job, spec, evaluated_problems(spec, load_problems(spec.source, home))


def measure(store: Store, home: Home, job: Job, spec: EvaluationSpec, problems: Sequence[Problem]) -> Evaluation | None:
    """Measure as the job, in this process, when its turn on the accelerator has come.

    Returns the complete evaluation, or None if the job was asked to stop.

    Every batch is recorded when it is done. What an earlier process of the job measured is not measured again.

    Raises:
        ModelError: the model cannot be loaded.
        ArtefactError: it is an uploaded checkpoint and cannot be fetched.
        RewardError: an own reward function cannot be used, or gives no score.
    """
    with job_process(store, job.id) as process, local.accelerator(home, store, job, process.check_stop):
        process.begin()
        register_own_rewards(home.rewards)
        evaluation = process.patiently(lambda: open_evaluation(store, job.id, spec.split, 0, spec.split))
        evaluate_model(
            _completer(spec, home),
            problems,
            system_prompt=spec.system_prompt,
            max_completion_length=spec.max_completion_length,
            temperature=spec.temperature,
            report=partial(_report, process, spec.samples, len(problems)),
            samples=spec.samples,
            done=evaluation.done,
            keep=lambda items: process.patiently(lambda: add_items(store, evaluation, items)),
        )
        process.patiently(lambda: complete_evaluation(store, evaluation))
    return next(iter(complete_evaluations(store, job.id)), None)


def _completer(spec: EvaluationSpec, home: Home) -> Complete:
    """What completes prompts; torch and the model are loaded here, once the accelerator is free."""
    model = model_on_this_disk(spec.model, home)
    if spec.vllm:
        from training.engines import vllm_batches

        return vllm_batches.load_completer(model)
    from training.engines import hugging_face

    return partial(hugging_face.complete, *hugging_face.load_model(model))


def _report(process: JobProcess, samples: int, total: int, completions: int) -> None:
    process.progress(completions // samples, total, f"evaluated {completions // samples:,} of {total:,} problems")
    process.check_stop()
