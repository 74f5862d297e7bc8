"""What can be known of a run before it starts, without torch: findings with remedies, memory by part, what to expect.

`preflight` gathers what the checks read and puts each check of `CHECKS_OF` the stage to it; checks only read. A finding that is
`certain` follows from the configuration, the data and the model's files alone, or from the disk as it is now, and
`training.runs.launch` refuses the run for it; one that rests on what was seen of other hardware or the network is only told.
Nothing here imports torch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import inf
from typing import Any

from training.config import RunConfig, StageConfig, StageName
from training.data.left_out import left_out
from training.data.problem import Problem, ProblemSet
from training.data.sample import sample
from training.errors import AtlasError, CheckpointError, ConfigError, ModelError, StoreError
from training.machines import Machine
from training.models.beginnings import readable_model
from training.preflight import choice, data, loss, settings, solutions
from training.preflight import machine as against_machine
from training.preflight.architecture import parse_architecture, published_architecture
from training.preflight.expectation import Expectation, expect
from training.preflight.memory import MemoryEstimate, estimate_memory, smallest_gpu
from training.preflight.model_files import COUNTED_CHARACTERS, ModelFiles, find_model, prompt_lengths
from training.preflight.subject import (
    LONGEST_COUNTED,
    SHORTEST_COUNTED,
    Finding,
    Prompts,
    Severity,
    Subject,
)
from training.prior import prior_of
from training.prompts import CHAT_TEMPLATES
from training.store import TRAINED_KINDS, Job, Store
from training.store.job_search import newest_with

_ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Preflight:
    """All that was found."""

    findings: tuple[Finding, ...]
    """Errors first, then warnings, then notes."""
    memory: MemoryEstimate | None
    """`None` where the model's sizes are not known."""
    expectation: Expectation
    left_gib: float | None = None
    """What it leaves on the disk where runs are kept; `None` where the model's sizes are not known."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which the run would fail or teach nothing."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def preflight(
    config: StageConfig,
    problem_set: ProblemSet,
    store: Store,
    machine: Machine | None,
    *,
    ask_hub: bool = True,
    workers: int = 1,
    artefacts: str = "",
) -> Preflight:
    """Check a run without starting anything.

    Args:
        problem_set: the run's problems, its train split narrowed to the subset if there is one.
        machine: the machine it is for (`devices.this_machine`); `None` leaves hardware, packages and disk unchecked.
        ask_hub: whether the Hub may be asked for a model that is not on this machine, which can take seconds.
        workers: processes that the run would have.
        artefacts: the URL that its checkpoints would be uploaded to, if to any.
    """
    model, model_error = _model(config, store, ask_hub)
    train, test = problem_set.of_split("train"), problem_set.of_split("test")
    subject: Subject[StageConfig] = Subject(
        config=config,
        name=problem_set.name,
        train=train,
        test=test,
        model=model,
        model_error=model_error,
        architecture=parse_architecture(model.config) if model else published_architecture(config.model),
        prompts=_prompts(config, train, test, model) if model else None,
        machine=machine,
        memory=None,
        expectation=expect(config, len(train), store, len(test)),
        workers=workers,
        left_out=left_out(problem_set),
        prior_error=_prior_error(config, train, store),
        artefacts=artefacts,
        twin=_twin(config, store),
    )
    subject = replace(subject, memory=_memory(subject))
    found = [finding for check in CHECKS_OF[config.stage] for finding in check(subject)]
    left_gib = None if subject.architecture is None else against_machine.left_gib(config, subject.architecture)
    return Preflight(in_order(found), subject.memory, subject.expectation, left_gib)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings, then notes; those of one severity as they came."""
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))


def _model(config: StageConfig, store: Store, ask_hub: bool) -> tuple[ModelFiles | None, AtlasError | None]:
    try:
        found = find_model(readable_model(config.model, store), ask_hub=ask_hub)
        template = CHAT_TEMPLATES.get(config.chat_template)
        return (replace(found, chat_template=template) if found and template else found), None
    except (ModelError, CheckpointError, StoreError) as error:
        return None, error


def _twin(config: StageConfig, store: Store) -> Job | None:
    spec = config.model_dump(mode="json")
    return next(filter(None, (newest_with(store, kind, spec) for kind in TRAINED_KINDS)), None)


def _prior_error(config: StageConfig, train: Sequence[Problem], store: Store) -> AtlasError | None:
    if not isinstance(config, RunConfig):
        return None
    try:
        prior_of(config, train, store)
    except (ConfigError, StoreError) as error:
        return error
    return None


def _prompts(config: StageConfig, train: tuple[Problem, ...], test: tuple[Problem, ...], model: ModelFiles) -> Prompts:
    asked = (*train, *sample(test, config.evaluation_problems))
    by_length = sorted(asked, key=lambda problem: len(problem.question), reverse=True)
    longest = _countable(by_length[:LONGEST_COUNTED], config.system_prompt)
    shortest = _countable(by_length[: len(longest) - 1 : -1][:SHORTEST_COUNTED], config.system_prompt)
    looked_at = [*longest, *shortest]
    lengths, counted = prompt_lengths(model, [problem.question for problem in looked_at], config.prompting)
    limit = config.max_prompt_length or inf
    too_long = sum(length > limit for problem, length in zip(looked_at, lengths, strict=True) if problem.split == "train")
    return Prompts(max(lengths, default=0), min(lengths, default=0), counted, too_long, len(longest))


def _countable(problems: Sequence[Problem], system_prompt: str) -> Sequence[Problem]:
    """As many of the first as may be counted, one at least."""
    characters = accumulate(len(problem.question) + len(system_prompt) for problem in problems)
    room = sum(total <= COUNTED_CHARACTERS for total in characters)
    return problems[: max(1, room)]


def _memory(subject: Subject[StageConfig]) -> MemoryEstimate | None:
    if subject.architecture is None:
        return None
    config, architecture, prompt = subject.config, subject.architecture, subject.prompt_bound
    gpu = subject.machine.gpu if subject.machine else None
    if gpu is not None:
        return estimate_memory(config, architecture, prompt_tokens=prompt, on_gpu=True, gpu_gib=gpu.memory_gib)
    on_gpu = subject.is_on_gpu or next(against_machine.needs_gpu(config), None) is not None
    fitting = smallest_gpu(config, architecture, prompt) if on_gpu else None
    machine_gib = subject.machine.memory_gib if subject.machine else None
    return fitting or estimate_memory(config, architecture, prompt_tokens=prompt, on_gpu=on_gpu, machine_gib=machine_gib)


Check = Callable[[Subject[Any]], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    settings.check_sizes,
    settings.check_twin,
    data.check_rows,
    data.check_repeats,
    settings.check_workers,
    against_machine.check_model,
    against_machine.check_elsewhere,
    settings.check_adapter,
    settings.check_together,
    against_machine.check_packages,
    against_machine.check_device,
    against_machine.check_heads,
    settings.check_template,
    settings.check_lengths,
    data.check_room,
    data.check_golds,
    data.check_earning,
    data.check_own_rewards,
    settings.check_rewards,
    settings.check_sampling,
    settings.check_learning_rate,
    choice.check_choice,
    loss.check_loss,
    loss.check_idle,
    against_machine.check_memory,
    against_machine.check_disk,
    settings.check_course,
    settings.check_artefacts,
    settings.check_stop_rules,
    settings.check_wandb,
)
"""Of a GRPO run, in the order in which findings of one severity are told."""

CHECKS_OF: Mapping[StageName, tuple[Check, ...]] = {
    "grpo": CHECKS,
    "sft": (
        settings.check_sizes,
        settings.check_twin,
        data.check_rows,
        data.check_repeats,
        settings.check_workers,
        against_machine.check_model,
        against_machine.check_elsewhere,
        settings.check_adapter,
        against_machine.check_packages,
        against_machine.check_device,
        settings.check_template,
        settings.check_lengths,
        solutions.check_solutions,
        solutions.check_room,
        solutions.check_answers,
        data.check_golds,
        data.check_own_rewards,
        against_machine.check_memory,
        against_machine.check_disk,
        settings.check_course,
        settings.check_artefacts,
        settings.check_wandb,
    ),
}
"""Stage -> its checks."""
