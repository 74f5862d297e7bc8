"""What the store holds: jobs and what they leave behind, as plain values. `training.store` hands them out and takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["queued", "running", "stopping", "stopped", "finished", "failed", "lost"]
JobKind = str
"""One of `training.jobs.kinds`."""

TRAINED_KINDS: tuple[JobKind, ...] = ("train", "sft")
"""The kinds of jobs that are runs trained here, one for each stage."""

RUN_KINDS: tuple[JobKind, ...] = (*TRAINED_KINDS, "import")
"""The kinds of jobs that are runs: trained here, or read from another trainer's logs."""

Phase = Literal["", "loading", "training", "evaluating"]
"""What a job does now, as far as anything follows from it; its message says it to people."""

ACTIVE: tuple[Status, ...] = ("queued", "running", "stopping")
"""The statuses of a job that has not ended."""


@dataclass(frozen=True)
class Job:
    """One training run, map build or evaluation. Times are Unix seconds."""

    seq: int
    id: str
    kind: JobKind
    name: str
    backend: str
    spec: dict[str, Any]
    """What the job does; for a training run the resolved `RunConfig`."""
    status: Status
    reason: str
    """Why the job ended as it did; empty while it is active."""
    message: str
    """What the job is doing now."""
    done: float
    total: float
    worker: str
    """`host:pid` of the job's process, for people; empty before it has come up."""
    tracker: str
    """Where the run is also on record: a Weights & Biases URL, or the folder of an offline one; else empty."""
    created_at: float
    started_at: float | None
    ended_at: float | None
    heartbeat_at: float
    attempt: int = 1
    """How often it was queued."""
    process: str = ""
    """Which process it has, see `training.processes.identify`; empty before one is started for it."""
    progress_at: float | None = None
    """When it last began, or said how far it is."""
    accelerator: bool = False
    """Whether it waits for its turn on the accelerator of its machine."""
    phase: Phase = ""
    unreachable_since: float | None = None
    """When its backend was first found not to answer, while the job has no process that could say how it is."""
    follows: str = ""
    """The id of the job that it waits for and begins from, as a run's second stage does; empty for none."""
    study: str = ""
    """The id of the study that it is a run of; empty for none."""

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def fraction(self) -> float:
        """Progress in 0..1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True)
class AskedStop:
    """A job that was asked to stop and has not ended, as far as is on record."""

    job: Job
    asked_at: float
    """Unix seconds."""
    by_force: bool
    """Whether its end by force has begun."""

    def silent_s(self, now: float) -> float:
        """Seconds since it was asked, or got on after that; below 0 where the clock was set back since it was asked."""
        got_on_at = self.job.progress_at or 0.0
        return now - max(self.asked_at, got_on_at if got_on_at <= now else 0.0)


@dataclass(frozen=True)
class Scalar:
    """One logged value of one step, under TRL's own name; `value` is `None` where TRL had none."""

    seq: int
    step: int
    name: str
    value: float | None
    time: float


@dataclass(frozen=True)
class Progress:
    """How far a job is, and what it does."""

    done: float
    total: float
    message: str
    phase: Phase = ""


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a run."""

    step: int
    path: str
    created_at: float


def is_on(spec: Mapping[str, Any], content_hash: str) -> bool:
    """Whether a job's problems are those of a content hash; what was recorded before hashes were kept is taken to be."""
    return not content_hash or spec.get("content_hash", "") in ("", content_hash)
