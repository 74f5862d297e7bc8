"""Measuring a model outside a run: what is to be measured, as data, and the job that does it and survives a kill."""

from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from training.data.problem import Problem, ProblemSet
from training.data.problems import load_problems
from training.data.sample import sample
from training.engines import Complete
from training.errors import ConfigError, ModelError, SourceError
from training.evaluation.evaluate import BATCH_SIZE, evaluate_model
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.judging.judges import judge_named, judge_path
from training.judging.steps import reasoning_steps
from training.models.checkpoints import model_on_this_disk
from training.models.model_names import model_folder
from training.prompts import SYSTEM_PROMPT, ChatTemplate, Prompting, SystemTurn
from training.rewards.forms import TAGS, form_named
from training.store import Job, Store
from training.store.evaluations import (
    SearchName,
    add_items,
    complete_evaluation,
    open_evaluation,
)
from training.store.job_search import newest_with

_WEIGHTS = ("*.safetensors", "*.bin")
_LATER = ("search", "beam_width", "judge", "judge_weights")
"""Fields that specs on record may lack."""


class EvaluationSpec(BaseModel):
    """Everything that decides an evaluation; equal specs measure the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    source: str
    content_hash: str = ""
    """Of the source's problems: others measure something else."""
    split: Literal["train", "test"]
    fraction: float = Field(gt=0, le=1)
    """The share of the split, a seeded sample."""
    temperature: float = Field(ge=0, le=10)
    """0 takes the likeliest token."""
    samples: int = Field(ge=1, le=10_000)
    """Completions a problem."""
    max_completion_length: int = Field(ge=1, le=131_072)
    """In tokens."""
    system_prompt: str = SYSTEM_PROMPT
    """The turn before every question; a checkpoint is asked as its run was."""
    system_turn: SystemTurn = "system"
    chat_template: ChatTemplate = "model"
    answer_form: str = TAGS.name
    """How the answer is marked; a checkpoint's as its run's."""
    vllm: bool = False
    """Generate with vLLM."""
    weights: str = ""
    """When the model's weights last changed, for a model on this disk: others measure something else."""
    search: SearchName = "samples"
    """Whether a problem's completions are drawn each by itself, or found together by a search, see `engines.guided`."""
    beam_width: int = Field(4, ge=2, le=256)
    """Continuations of a beam that a search tries; its beams are as many as the completions, a multiple of it."""
    judge: str = ""
    """The process reward model that guides a search."""
    judge_weights: str = ""
    """As `weights`, of the judge."""

    @model_serializer(mode="wrap")
    def _told(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without those that came later where they say nothing, so that specs on record stay equal to new ones."""
        told: dict[str, Any] = serialize(self)
        usual = {name: EvaluationSpec.model_fields[name].default for name in _LATER}
        return {name: value for name, value in told.items() if name not in usual or value != usual[name]}

    @property
    def prompting(self) -> Prompting:
        """How questions are put to the model."""
        return Prompting(self.system_prompt, self.system_turn)


def evaluation_spec(model: str, problem_set: ProblemSet, **settings: object) -> EvaluationSpec:
    """The spec of measuring a model as it is now.

    Raises:
        ConfigError: a setting is out of range, or several samples at temperature 0 would all be the same.
        ModelError: as of `weights_stamp`.
    """
    values = {
        "model": model,
        "source": problem_set.source,
        "content_hash": problem_set.content_hash,
        "weights": weights_stamp(model),
    } | settings
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
    if spec.search != "samples":
        _check_search(spec)
    return spec


def _check_search(spec: EvaluationSpec) -> None:
    """Raise `ConfigError` or `ModelError` unless a search can be done as the spec says."""
    if spec.samples % spec.beam_width:
        raise ConfigError(
            f"{spec.samples} beams are no multiple of the beam width {spec.beam_width}.",
            f"Give {spec.beam_width} completions, or a multiple of that.",
        )
    if spec.temperature == 0 or spec.vllm:
        raise ConfigError(
            f"search = {spec.search} draws steps at a temperature above 0, and without vLLM.",
            "Give a temperature, for example 1, and leave vLLM out.",
        )
    if judge_named(spec.judge).kind != "process":
        raise ModelError(f"{spec.judge} scores whole completions.", "A search needs a judge of steps, such as demo.")


def search_settings(search: str, beam_width: int, judge: str) -> dict[str, object]:
    """What a spec says of a search, by its fields' names; nothing where completions are drawn each by itself.

    Raises:
        ConfigError: a search has no judge.
        ModelError: there is no such folder, and the Hub could have no judge of such a name.
    """
    if search == "samples":
        return {}
    if not judge:
        raise ConfigError(f"search = {search} has no judge to guide it.", "Name a judge of steps, such as demo.")
    return {"search": search, "beam_width": beam_width, "judge": judge, "judge_weights": judge_stamp(judge)}


def judge_stamp(judge: str) -> str:
    """As `weights_stamp`, of a judge."""
    return weights_stamp(judge_path(judge))


def weights_stamp(model: str) -> str:
    """When a model's weights last changed; empty for one that is not on this disk.

    Raises:
        ModelError: there is no such folder, and the Hub could have no such name.
    """
    folder = model_folder(model)
    changed = [file.stat().st_mtime_ns for pattern in _WEIGHTS for file in folder.glob(pattern)] if folder else []
    return str(max(changed, default=""))


def evaluated_problems(spec: EvaluationSpec, problem_set: ProblemSet) -> tuple[Problem, ...]:
    """The problems that a spec asks for.

    Raises:
        SourceError: the split is empty, or the problems are others than those that the spec is about.
    """
    problem_set.require_content(spec.content_hash)
    problems = problem_set.of_split(spec.split)
    if not problems:
        raise SourceError(f"{problem_set.name} has no {spec.split} problems.", "Choose the other split or another source.")
    return sample(problems, max(1, round(len(problems) * spec.fraction)))


def measured_before(store: Store, spec: EvaluationSpec) -> Job | None:
    """The newest job of an equal spec, whatever became of it."""
    return newest_with(store, EVALUATE.kind, spec.model_dump())


def measure(process: JobProcess, home: Home, spec: EvaluationSpec) -> None:
    """Measure as the job, in this process. What an earlier process of the job measured is not measured again.

    Raises:
        StopRequested: the job was asked to stop; every batch that was measured is on record.
        SourceError: its problems cannot be loaded any more.
        ModelError: the model cannot be loaded.
        ArtefactError: it is an uploaded checkpoint and cannot be fetched.
        RewardError: a reward function gives no score.
    """
    store = process.store
    problems = evaluated_problems(spec, load_problems(spec.source, home))
    process.begin()
    evaluation = process.patiently(lambda: open_evaluation(store, process.job.id, spec.split, 0, spec.split))
    evaluate_model(
        _completer(spec, home),
        problems,
        prompting=spec.prompting,
        max_completion_length=spec.max_completion_length,
        temperature=spec.temperature,
        form=form_named(spec.answer_form),
        report=partial(_report, process, spec.samples, len(problems)),
        samples=spec.samples,
        batch_size=_batch_size(spec),
        done=evaluation.done,
        keep=lambda items: process.patiently(lambda: add_items(store, evaluation, items)),
    )
    process.patiently(lambda: complete_evaluation(store, evaluation))


def _completer(spec: EvaluationSpec, home: Home) -> Complete:
    """What completes prompts; torch and the model are loaded here, once the accelerator is free."""
    model = model_on_this_disk(spec.model, home)
    if spec.vllm:
        from training.engines import vllm_batches

        return vllm_batches.load_completer(model, spec.chat_template)
    from training.engines import hugging_face

    loaded = hugging_face.load_model(model, spec.chat_template)
    return partial(hugging_face.complete, *loaded) if spec.search == "samples" else _searcher(spec, loaded)


def _searcher(spec: EvaluationSpec, loaded: tuple[Any, Any]) -> Complete:
    from training.engines.guided import GuidedSearch
    from training.judging.scoring import load_judge

    assert spec.search != "samples"
    score, sizes = load_judge(judge_named(spec.judge)), {"number": spec.samples, "width": spec.beam_width}
    return GuidedSearch(*loaded, spec.search, **sizes, score=score, steps_of=reasoning_steps)


def _batch_size(spec: EvaluationSpec) -> int:
    """Completions at once: those of whole problems where they are found together."""
    return BATCH_SIZE if spec.search == "samples" else max(1, BATCH_SIZE // spec.samples) * spec.samples


def _report(process: JobProcess, samples: int, total: int, completions: int) -> None:
    process.progress(completions // samples, total, f"evaluated {completions // samples:,} of {total:,} problems")
    process.check_stop()


EVALUATE = JobType("evaluate", EvaluationSpec.model_validate, measure, scores=True, takes_accelerator=True, goes_on=True)
