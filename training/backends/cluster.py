"""What a backend needs of a Ray cluster, in words that know nothing of Ray: the edge at which tests put a stand-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

SubmissionStatus = Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED"]

START_TIMEOUT = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
"""Ray's word for a job that waited too long for its turn: 15 minutes, unless the head was started with another
RAY_JOB_START_TIMEOUT_SECONDS."""


@dataclass(frozen=True)
class Submission:
    """A job as Ray knows it."""

    name: str
    """Its submission id."""
    status: SubmissionStatus
    message: str = ""
    error: str = ""
    """Ray's word for the kind of failure."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    submitted_at: float = 0.0
    """Unix seconds."""

    @property
    def is_over(self) -> bool:
        return self.status not in ("PENDING", "RUNNING")


@dataclass(frozen=True)
class Gpus:
    """What there is of one kind."""

    free: float | None
    """`None` while the cluster does not say."""
    total: float


@dataclass(frozen=True)
class JobRequest:
    """A job to be started."""

    name: str
    """Its submission id; Ray takes each once."""
    entrypoint: str
    """A shell command."""
    metadata: Mapping[str, str]
    code: bytes
    private: bytes
    """Packages, see `training.backends.packaging`."""
    variables: Mapping[str, str]
    """Of the job's environment; Ray shows and logs them."""
    requirements: Sequence[str]
    """Lines for pip; empty installs nothing."""
    gpus: float
    resources: Mapping[str, float]
    """What else must be free."""


class Cluster(Protocol):
    """Every method raises `UnreachableError` when the cluster does not answer in time."""

    def submit(self, asked: JobRequest) -> bool:
        """Start a job, unless there is one of that name; whether it was started."""

    def find(self, name: str) -> Submission | None:
        """A job by its submission id."""

    def submissions(self) -> list[Submission]:
        """All jobs that the head knows and that were submitted to it, oldest first."""

    def gpus(self, accelerator_type: str) -> Gpus:
        """The GPUs of the nodes that have accelerators of a type; of all nodes without one."""

    def log_end(self, name: str, lines: int) -> str:
        """The last lines that a job printed."""

    def end(self, name: str) -> None:
        """SIGTERM, and SIGKILL after a while."""
