"""Measuring a model outside a run: what is to be measured, as data, and the job that does it and survives a kill."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from training.data.problem import Problem, ProblemSet
from training.data.problems import load_problems
from training.data.sample import sample
from training.engines import Complete, SeededComplete
from training.errors import ConfigError, ModelError, SourceError
from training.evaluation.asking import (
    CHAT,
    PROMPT_STYLES,
    PromptStyle,
    PromptStyleName,
    draw_examples,
    example_pool,
    require_examples,
    write_prompts,
)
from training.evaluation.evaluate import BATCH_SIZE, evaluate_model
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.judging.judges import judge_named, judge_path
from training.judging.steps import solution_steps
from training.models.checkpoints import model_on_this_disk
from training.models.model_names import model_folder
from training.prompts import SYSTEM_PROMPT, ChatTemplate, Prompt, Prompting, SystemTurn
from training.rewards import DEFAULT_VERIFIER
from training.rewards.forms import TAGS, AnswerForm, form_named
from training.store import Job, Store
from training.store.evaluations import (
    SearchName,
    add_items,
    complete_evaluation,
    open_evaluation,
)
from training.store.job_search import newest_with
from training.text import agree, count

_WEIGHTS = ("*.safetensors", "*.bin")
_LATER = ("prompt_style", "shots", "seed", "stop", "verifier", "search", "beam_width", "judge", "judge_weights")
"""Fields of a spec that those of earlier versions have not."""


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
    prompt_style: PromptStyleName = "chat"
    shots: int = Field(0, ge=0, le=256)
    """Worked examples of the train split before each question."""
    seed: int | None = Field(None, ge=0)
    """Of the examples, and of completions above temperature 0; `None` where nothing is drawn, or by chance."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Texts that end a completion and are no part of it."""
    verifier: str = DEFAULT_VERIFIER
    """The reward function by which an answer counts as right."""

    search: SearchName = "samples"
    """Whether a problem's completions are drawn each by itself, or found together by a search, see `engines.guided`."""
    beam_width: int = Field(4, ge=2, le=256)
    """Continuations of a beam that a search tries; its beams are as many as the completions, a multiple of it."""
    judge: str = ""
    """The process reward model that guides a search."""
    judge_weights: str = ""
    """As `weights`, of the judge."""

    @model_serializer(mode="wrap")
    def _as_on_record(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what came later and is not asked for, so that a spec on record from before is equal to its like."""
        fields = type(self).model_fields
        left_out = {name for name in _LATER if getattr(self, name) == fields[name].default}
        return {name: value for name, value in write(self).items() if name not in left_out}

    @property
    def style(self) -> PromptStyle:
        """`prompt_style` as what writes prompts."""
        return PROMPT_STYLES[self.prompt_style]

    @property
    def form(self) -> AnswerForm:
        """`answer_form` as what finds answers."""
        return form_named(self.answer_form)

    @property
    def prompting(self) -> Prompting:
        """How questions are put to the model."""
        return Prompting(self.system_prompt, self.system_turn)


def evaluation_spec(model: str, problem_set: ProblemSet, **settings: object) -> EvaluationSpec:
    """The spec of measuring a model as it is now; what is not set is as the style of its prompt has it.

    Raises:
        ConfigError: a setting is out of range, several samples at temperature 0 would all be the same, or as of
            `require_examples`.
        ModelError: as of `weights_stamp`.
    """
    style = PROMPT_STYLES.get(settings.get("prompt_style", "chat"), CHAT)  # type: ignore[call-overload]
    values = {
        "model": model,
        "source": problem_set.source,
        "content_hash": problem_set.content_hash,
        "weights": weights_stamp(model),
        "shots": style.shots,
        "system_prompt": style.system_prompt,
        "answer_form": style.answer_form,
        "stop": style.stop,
        "verifier": style.verifier,
    } | settings
    try:
        spec = EvaluationSpec.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = ".".join(map(str, wrong["loc"]))
        raise ConfigError(f"{name} = {wrong['input']!r}: {wrong['msg'].lower()}.", "Correct this value.") from error
    _require_sense(spec, problem_set)
    return spec.model_copy(update=_idle(spec))


def _idle(spec: EvaluationSpec) -> dict[str, object]:
    """Settings that do nothing beside the others, as they are when nobody sets them: specs that measure the same are equal."""
    fields = EvaluationSpec.model_fields
    unread = ("system_turn", "chat_template") if spec.style.is_text else ()
    undrawn = ("seed",) if not spec.shots and spec.temperature == 0 else ()
    return {name: fields[name].default for name in (*unread, *undrawn)}


def _require_sense(spec: EvaluationSpec, problem_set: ProblemSet) -> None:
    if spec.samples > 1 and spec.temperature == 0:
        raise ConfigError(
            f"{spec.samples} samples at temperature 0 would be {spec.samples} times the same completion.",
            "Give a temperature above 0, for example 1.",
        )
    if spec.shots and spec.seed is None:
        raise ConfigError(f"shots = {spec.shots}: which examples is drawn by a seed, and seed is not set.", "Set a seed.")
    require_examples(problem_set, spec.split, spec.shots, spec.style, spec.form)
    if spec.search != "samples":
        _check_search(spec)


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
    if spec.style is not CHAT or spec.stop:
        raise ConfigError(
            f"search = {spec.search} asks as runs do, without prompt_style = {spec.prompt_style} or texts that end it.",
            "Set prompt_style=chat and leave out stop.",
        )
    if not judge_named(spec.judge).scores_steps:
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
    return newest_with(store, EVALUATE.kind, spec.model_dump(mode="json"))


def shown_examples(spec: EvaluationSpec, problem_set: ProblemSet) -> list[list[Problem]]:
    """The worked examples before each of the `evaluated_problems`.

    Raises:
        SourceError: as of `evaluated_problems`.
    """
    return draw_examples(example_pool(problem_set), evaluated_problems(spec, problem_set), spec.shots, spec.seed or 0)


def asked_prompts(spec: EvaluationSpec, problem_set: ProblemSet) -> list[Prompt]:
    """What the model reads of each of the `evaluated_problems`.

    Raises:
        SourceError: as of `evaluated_problems`.
    """
    problems = evaluated_problems(spec, problem_set)
    return write_prompts(spec.style, spec.prompting, spec.form, problems, shown_examples(spec, problem_set))


def measure(process: JobProcess, home: Home, spec: EvaluationSpec) -> None:
    """Measure as the job, in this process. What an earlier process of the job measured is not measured again.

    Raises:
        StopRequested: the job was asked to stop; every batch that was measured is on record.
        SourceError: its problems cannot be loaded any more.
        ModelError: the model cannot be loaded.
        ArtefactError: it is an uploaded checkpoint and cannot be fetched.
        RewardError: a reward function gives no score.
        ConfigError: with its examples a prompt is longer than the model takes.
    """
    store = process.store
    problem_set = load_problems(spec.source, home)
    problems, prompts = evaluated_problems(spec, problem_set), asked_prompts(spec, problem_set)
    process.begin()
    if spec.shots:
        _require_room(spec, home, prompts)
    evaluation = process.patiently(lambda: open_evaluation(store, process.job.id, spec.split, 0, spec.split))
    complete = _completer(spec, home)
    evaluate_model(
        complete if spec.seed is None or spec.temperature == 0 else _seeded(complete, spec.seed, len(evaluation.done)),
        problems,
        prompts=prompts,
        max_completion_length=spec.max_completion_length,
        temperature=spec.temperature,
        form=spec.form,
        required=spec.style.measures,
        report=partial(_report, process, spec.samples, len(problems)),
        samples=spec.samples,
        batch_size=_batch_size(spec),
        done=evaluation.done,
        keep=lambda items: process.patiently(lambda: add_items(store, evaluation, items)),
    )
    process.patiently(lambda: complete_evaluation(store, evaluation))


def _completer(spec: EvaluationSpec, home: Home) -> SeededComplete:
    """What completes prompts; torch and the model are loaded here, once the accelerator is free."""
    model = model_on_this_disk(spec.model, home)
    template = None if spec.style.is_text else spec.chat_template
    if spec.vllm:
        from training.engines import vllm_batches

        return vllm_batches.load_completer(model, template, spec.stop)
    from training.engines import hugging_face

    loaded = hugging_face.load_model(model, template)
    return partial(hugging_face.complete, *loaded, stop=spec.stop) if spec.search == "samples" else _searcher(spec, loaded)


def _searcher(spec: EvaluationSpec, loaded: tuple[Any, Any]) -> SeededComplete:
    from training.engines.guided import GuidedSearch
    from training.judging.scoring import load_judge

    assert spec.search != "samples"
    score, sizes = load_judge(judge_named(spec.judge)), {"number": spec.samples, "width": spec.beam_width}
    return GuidedSearch(*loaded, spec.search, **sizes, score=score, steps_of=solution_steps)


def _batch_size(spec: EvaluationSpec) -> int:
    """Completions at once: those of whole problems where they are found together."""
    return BATCH_SIZE if spec.search == "samples" else max(1, BATCH_SIZE // spec.samples) * spec.samples


def _seeded(complete: SeededComplete, seed: int, done: int) -> Complete:
    """What draws each batch by a seed of its own, so that a process that goes on draws as one that was never killed.

    Args:
        done: the completions that were made before.
    """
    place = done

    def drawn(prompts: Sequence[Prompt], max_new_tokens: int, temperature: float) -> list[tuple[str, int]]:
        nonlocal place
        own = int(np.random.SeedSequence((seed, place)).generate_state(1)[0])
        place += len(prompts)
        return complete(prompts, max_new_tokens, temperature, own)

    return drawn


def _require_room(spec: EvaluationSpec, home: Home, prompts: Sequence[Prompt]) -> None:
    """Refuse prompts that leave a model no room for a completion; nobody would see what it was not shown.

    Raises:
        ConfigError: one does.
    """
    from training.engines import hugging_face

    model = model_on_this_disk(spec.model, home)
    tokenizer = hugging_face.load_tokenizer(model, None if spec.style.is_text else spec.chat_template)
    lengths = [len(ids) for ids in hugging_face.prompt_tokens(tokenizer, prompts)]
    most = hugging_face.context_length(model)
    if most is None:
        return
    room = most - spec.max_completion_length
    if over := sum(length > room for length in lengths):
        raise ConfigError(
            f"shots = {spec.shots}: of {count(len(prompts), 'prompt')} {over:,} {agree(over, 'is', 'are')} longer than the "
            f"{room:,} tokens that the model's {most:,} leave beside a completion of {spec.max_completion_length:,}; the "
            f"longest has {max(lengths):,}.",
            "Show fewer examples, or ask for shorter completions.",
        )


def _report(process: JobProcess, samples: int, total: int, completions: int) -> None:
    process.progress(completions // samples, total, f"evaluated {completions // samples:,} of {total:,} problems")
    process.check_stop()


EVALUATE = JobType("evaluate", EvaluationSpec.model_validate, measure, scores=True, takes_accelerator=True, goes_on=True)
