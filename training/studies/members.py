"""Which runs on record are which of a study's: read off what they were told, as nothing else says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.config import StageConfig
from training.store import Job, Store
from training.store.run_table import setting_of
from training.studies.plan import FIRST, Arm, Settings, StudySpec

Key = tuple[str, int]
"""Of an arm, and a seed."""


@dataclass(frozen=True)
class Member:
    """A run of a study, with the stage before where there is one."""

    run: Job
    first: Job | None
    arm: Arm
    seed: int

    @property
    def key(self) -> Key:
        return self.arm.key, self.seed

    @property
    def stages(self) -> tuple[Job, ...]:
        """In the order in which they run."""
        return (self.run,) if self.first is None else (self.first, self.run)

    @property
    def active(self) -> bool:
        return any(job.active for job in self.stages)

    @property
    def finished(self) -> bool:
        return self.run.status == "finished"

    @property
    def unfinished(self) -> tuple[Job, ...]:
        """The stages that have ended before their end, first ones first."""
        return tuple(job for job in self.stages if not job.active and job.status != "finished")

    @property
    def reason(self) -> str:
        """Why it ended before its end."""
        return next((job.reason for job in self.unfinished), "")


def members_of(store: Store, study_id: str, spec: StudySpec) -> list[Member]:
    """The runs of a study that are on record, in the order in which they were launched."""
    jobs = store.runs_of_study(study_id)
    by_id = {job.id: job for job in jobs}
    followed = {job.follows for job in jobs}
    found = []
    for run in jobs:
        if run.id not in followed and not _is_first_alone(run, spec):
            first = by_id.get(run.follows)
            found.append(Member(run, first, Arm(_settings(spec, run, first)), int(run.spec.get("seed", 0))))
    return found


def _is_first_alone(run: Job, spec: StudySpec) -> bool:
    """Whether it is a first stage behind which no second one was queued: the study's process was gone in between."""
    preset = run.spec.get("preset")
    return preset != spec.base.get("preset") and preset in {before.get("preset") for before in spec.before.values()}


def key_of(spec: StudySpec, config: StageConfig, first: StageConfig | None, seed: int) -> Key:
    """The key that a planned run will have on record.

    Args:
        config: with everything named exactly, as of `training.runs.launch.prepare_run`.
    """
    return Arm(_of_values(spec, config.model_dump(mode="json"), first.preset if first else "")).key, seed


def _settings(spec: StudySpec, run: Job, first: Job | None) -> Settings:
    return _of_values(spec, run.spec, str(first.spec.get("preset", "")) if first else "")


def _of_values(spec: StudySpec, values: Mapping[str, Any], first: str) -> dict[str, Any]:
    return {name: first if name == FIRST else setting_of(values, name) for name in spec.settings}
