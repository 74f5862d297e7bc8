"""Studies from outside: what one will amount to, launching it, giving it further seeds, and which there are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training.config import StageConfig
from training.errors import ConfigError, shown
from training.home import Home
from training.preflight import Preflight
from training.preflight.sequence import with_sequence
from training.preflight.subject import Finding
from training.presets import load_preset
from training.runs.launch import as_second, check_run, go_on, launch_job, prepare_run
from training.store import LOCAL, Job, Store
from training.studies.conducting import STUDY
from training.studies.plan import (
    FIRST,
    MOST_RUNS,
    Arm,
    PlannedRun,
    Search,
    StudySpec,
    check_plan,
    end_runs,
    planned_run,
)


@dataclass(frozen=True)
class ArmCheck:
    """What the checks found of one arm, with the first seed."""

    arm: Arm
    found: tuple[Preflight, ...]
    """Of each stage."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all stages, each once."""
        return tuple(dict.fromkeys(finding for stage in self.found for finding in stage.findings))

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")


@dataclass(frozen=True)
class StudyCheck:
    """What a study will amount to, as far as it can be told before; `None` where it cannot."""

    arms: tuple[ArmCheck, ...]
    runs: int
    total_s: float | None
    """One run after another, going by earlier ones."""
    tokens: float | None
    most_tokens: int
    left_gib: float | None
    """What its runs leave on the disk."""

    @property
    def is_refused(self) -> bool:
        """Whether launching would refuse it."""
        return any(finding.certain for check in self.arms for finding in check.errors)


def study_of(
    base: StageConfig,
    vary: Mapping[str, Sequence[Any]],
    seeds: int,
    *,
    own_presets: Path | None = None,
    backend: str = LOCAL,
    at_once: int = 1,
    search: Search | None = None,
) -> StudySpec:
    """A study of a configuration, with as many seeds from its own one on.

    Args:
        own_presets: the folder with a person's own presets, for those that `first` names.

    Raises:
        ConfigError: as of `check_plan`, or a preset of a stage before is not there.
    """
    firsts = [name for name in vary.get(FIRST, ()) if name]
    spec = StudySpec(
        base=base.model_dump(mode="json"),
        vary={name: tuple(values) for name, values in vary.items()},
        seeds=tuple(range(base.seed, base.seed + seeds)),
        before={name: load_preset(name, own=own_presets).model_dump(mode="json") for name in firsts},
        backend=backend,
        at_once=at_once,
        search=search,
    )
    check_plan(spec)
    return spec


def check_study(store: Store, home: Home, spec: StudySpec, *, ask_hub: bool = True) -> StudyCheck:
    """`preflight` of every arm, and what they come to together.

    Args:
        ask_hub: as of `preflight`.

    Raises:
        SourceError, SubsetError, ModelError, CheckpointError, StoreError, BackendError: as of `prepare_run` and `check_run`.
    """

    def look(config: StageConfig) -> Preflight:
        config, problem_set = prepare_run(store, home, config)
        return check_run(store, home, config, problem_set, spec.backend, ask_hub=ask_hub)

    checks = tuple(_check_arm(run, look) for run in _looked_at(spec))
    each = spec.runs / len(checks)
    stages = [found for check in checks for found in check.found]
    return StudyCheck(
        arms=checks,
        runs=spec.runs,
        total_s=_total([found.expectation.total_s for found in stages], each),
        tokens=_total([found.expectation.tokens for found in stages], each),
        most_tokens=round(sum(found.expectation.most_tokens for found in stages) * each),
        left_gib=_total([found.left_gib for found in stages], each),
    )


def _looked_at(spec: StudySpec) -> Iterator[PlannedRun]:
    """A run of each arm; of a search those at the ends of its ranges."""
    if spec.search is not None:
        return end_runs(spec, spec.search)
    return (planned_run(spec, arm, spec.seeds[0]) for arm in spec.arms)


def _check_arm(run: PlannedRun, look: Callable[[StageConfig], Preflight]) -> ArmCheck:
    if run.first is None:
        return ArmCheck(run.arm, (look(run.config),))
    then = look(as_second(run.first, run.config))
    return ArmCheck(run.arm, (look(run.first), with_sequence(then, run.first, run.config)))


def _total(values: Sequence[float | None], each: float) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) * each if len(known) == len(values) else None


def launch_study(store: Store, home: Home, spec: StudySpec, name: str = "study") -> str:
    """Check every arm, then start the job that conducts the study; return its id.

    Where a study of exactly this was stopped, failed or lost, it goes on.

    Raises:
        ConfigError: an arm is certain to fail; it is named.
        BackendError: the job's process cannot be started.
    """
    for check in check_study(store, home, spec).arms:
        for finding in check.errors:
            if finding.certain:
                raise ConfigError(f"{check.arm.label}: {finding.text}", finding.remedy)
    return launch_job(store, home, STUDY, spec, name=name, total=spec.runs)


def add_seeds(store: Store, home: Home, study_id: str, seeds: int) -> str:
    """Give a study so many further seeds, whatever became of it; return its id.

    Raises:
        ConfigError: it is no study, a search, or there would be too many runs.
    """
    job, spec = study_on_record(store, study_id)
    if spec.search is not None:
        raise ConfigError(
            f"{study_id} is a search, whose trials have one seed.", "Run its best settings as a study with seeds."
        )
    last = max(spec.seeds)
    wider = spec.model_copy(update={"seeds": (*spec.seeds, *range(last + 1, last + 1 + seeds))})
    if wider.runs > MOST_RUNS:
        raise ConfigError(f"The study would be {wider.runs:,} runs.", f"{MOST_RUNS:,} are the most.")
    store.change_spec(study_id, wider.model_dump(mode="json"))
    if not job.active:
        go_on(store, home, study_id, also_finished=True)
    return study_id


def study_on_record(store: Store, study_id: str) -> tuple[Job, StudySpec]:
    """A study and what it is told.

    Raises:
        UnknownJobError: there is no job of that id.
        ConfigError: it is no study, or none for this program.
    """
    job = store.job(study_id)
    if job.kind != STUDY.kind:
        raise ConfigError(f"{shown(study_id)} is no study.", "`python -m training studies` lists them.")
    return job, spec_of(job)


def spec_of(job: Job) -> StudySpec:
    """What a study on record is told.

    Raises:
        ConfigError: it is none for this program.
    """
    try:
        return STUDY.parse(job.spec)
    except ValidationError as error:
        raise ConfigError(
            f"What {job.id} is told cannot be read.", "Look at it with the version of the program that made it."
        ) from error
