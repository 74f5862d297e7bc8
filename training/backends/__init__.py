"""Where jobs run. A backend starts a job's process, shows its log and can end it; what the job does is in the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from training.backends.cluster import Submission
from training.machines import Machine
from training.processes import State
from training.store import Job, Store


@dataclass(frozen=True)
class BackendState:
    """Whether a run submitted now would begin at once."""

    kind: Literal["free", "busy", "unreachable"]
    running: tuple[str, ...] = ()
    """Ids of the jobs that hold the backend."""
    waiting: tuple[str, ...] = ()
    """Ids of the jobs that wait for their turn, in order."""
    reason: str = ""
    """Why it is unreachable, or why nothing can run there now."""
    free_gpus: float | None = None
    """GPUs that no job holds, as far as the backend counts them."""
    total_gpus: float | None = None
    since: float | None = None
    """When it was first found unreachable, Unix seconds, if somebody kept watch."""


class Backend(Protocol):
    """What every backend can do. Methods may be called from any process that has the store."""

    title: str
    """What people call it."""

    @property
    def workers(self) -> int:
        """How many processes train a run together there.

        Raises:
            ConfigError: what says it is no number of processes.
        """

    @property
    def artefacts(self) -> str:
        """The fsspec URL to which checkpoints are copied; empty where they stay."""

    @property
    def cluster(self) -> "OnCluster | None":
        """What can be asked of a backend whose jobs run elsewhere; `None` of this machine."""

    def state(self, store: Store) -> BackendState:
        """Whether it takes a run now."""

    def machine(self) -> Machine | None:
        """The machine that its jobs run on, as it is now; `None` where it cannot be looked at from here."""

    def submit(self, job: Job, command: Sequence[str]) -> str:
        """Start `python <command>` for a queued job; which process that is (`training.processes`), empty on another machine.

        Raises:
            BackendError: the process cannot be started.
        """

    def status(self, job: Job) -> State:
        """What the backend knows of the job's process."""

    def logs(self, job: Job, characters: int = 20_000) -> str:
        """The end of what the process printed; empty when there is nothing."""

    def stop(self, job: Job) -> None:
        """End the process by force. The way to stop a job is a request in the store; this is what follows.

        Raises:
            BackendError: it cannot be ended from here.
        """


class OnCluster(Protocol):
    """What a cluster knows of its jobs besides; see `training.runs.reconciling`."""

    @property
    def stop_grace_s(self) -> float:
        """From a request to stop until a job is ended by force."""

    def submission(self, job: Job) -> Submission | None:
        """The cluster's job of a run's present attempt; `None` where it knows none.

        Raises:
            UnreachableError: it does not answer.
        """

    def without_secrets(self, text: str) -> str:
        """A text from a job's log, without what nobody may read, should the job have printed it."""
