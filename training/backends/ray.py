"""Runs on a Ray cluster, through Ray Jobs: submitted once, looked at, ended by force where asking was not enough.

A run's submission id is its own id, with the attempt behind it once it was resumed, as Ray takes each id once; what tells a
run from another installation's run of equal id is in the job's metadata. So submitting twice starts one job.
"""

import hashlib
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import sqlalchemy as sa

from training.backends import BackendState
from training.backends.cluster import Cluster, JobRequest, Submission
from training.backends.configuration import RayConfig, expand, variable
from training.backends.entry import ATTEMPT, EXPECTED
from training.backends.packaging import OWN_REWARDS, code_package, pinned_requirements, private_package
from training.backoff import Backoff
from training.errors import AtlasError, BackendError, UnreachableError
from training.home import Home
from training.processes import State
from training.store import Job, Store

_TRIES = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 2.0
"""Before a submission is tried again; to submit twice starts one job."""
_LOG_LINES = 1000
_TYPE_SHARE = 0.001
"""Of the resource that a node with such accelerators has once: enough to be sent there, and never used up."""
_HERE = ("127.0.0.1", "localhost", "::1")


class RayBackend:
    """See `training.backends.Backend`."""

    def __init__(
        self,
        name: str,
        config: RayConfig,
        home: Home,
        connect: Callable[[RayConfig, Mapping[str, str]], Cluster] | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.config = config
        self.title = config.title or name
        self._home = home
        self._connect = connect or _connect
        self._environ = environ
        self._clock = clock

    @property
    def workers(self) -> int:
        return self.config.workers

    @property
    def artefacts(self) -> str:
        return self.config.artefacts

    @property
    def cluster(self) -> "RayBackend":
        return self

    @property
    def stop_grace_s(self) -> float:
        return self.config.stop_grace_s

    def state(self, store: Store) -> BackendState:
        needed = self.config.gpus
        try:
            cluster = self._cluster()
            gpus = cluster.gpus(self.config.accelerator_type)
            jobs = cluster.submissions()
        except AtlasError as error:
            return BackendState("unreachable", reason=str(error))
        running = tuple(_run_of(job) for job in jobs if job.status == "RUNNING")
        waiting = tuple(_run_of(job) for job in jobs if job.status == "PENDING")
        kind = self.config.accelerator_type or "GPU"
        reason = "" if gpus.total >= needed else f"The cluster has {gpus.total:g} of the {needed} {kind} that a run needs."
        is_free = not waiting and (gpus.free >= needed if gpus.free is not None else not running and gpus.total >= needed)
        return BackendState("free" if is_free else "busy", running, waiting, reason, gpus.free, gpus.total)

    def machine(self) -> None:
        return None

    def submit(self, job: Job, command: Sequence[str]) -> str:
        waits = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S, self._clock)
        for _ in range(_TRIES - 1):
            with suppress(UnreachableError):
                self._submit(job, command)
                return ""
            waits.fail()
            waits.wait()
        self._submit(job, command)
        return ""

    def status(self, job: Job) -> State:
        try:
            found = self.submission(job)
        except AtlasError:
            return "unknown"
        return "gone" if found is None or found.is_over else "alive"

    def logs(self, job: Job, characters: int = 20_000) -> str:
        found = self.submission(job)
        return self._cluster().log_end(found.name, _LOG_LINES)[-characters:] if found else ""

    def stop(self, job: Job) -> None:
        found = self.submission(job)
        if found is not None and not found.is_over:
            self._cluster().end(found.name)

    def submission(self, job: Job) -> Submission | None:
        cluster = self._cluster()
        found = (cluster.find(name) for name in submission_names(job))
        return next((submission for submission in found if submission and _is_of(submission, job)), None)

    def without_secrets(self, text: str) -> str:
        for name in self.config.secrets:
            if self._environ.get(name):
                text = text.replace(self._environ[name], f"<{name}>")
        return text

    def _submit(self, job: Job, command: Sequence[str]) -> None:
        cluster = self._cluster()
        for name in submission_names(job):
            found = cluster.find(name)
            if found is None and cluster.submit(self._request(job, name, command)):
                return
            found = found or cluster.find(name)
            if found is not None and _is_of(found, job):
                return
        raise BackendError(
            f"{self.title} has jobs named {' and '.join(submission_names(job))} that are not of this run.",
            "Delete them there with `ray job delete`, or duplicate the run.",
        )

    def _request(self, job: Job, name: str, command: Sequence[str]) -> JobRequest:
        config = self.config
        private = {"GRPO_ATLAS_STORE": self._store_url()}
        private |= {secret: variable(secret, self.name, self._environ) for secret in config.secrets}
        # Several workers get their GPUs through Ray Train, and the process that starts them none.
        gpus = config.gpus if config.workers == 1 else 0
        kinds = {f"accelerator_type:{config.accelerator_type}": _TYPE_SHARE} if config.accelerator_type else {}
        needs = any(job.spec.get(key) for key in ("use_vllm", "load_in_4bit")) or job.spec.get("engine") == "unsloth"
        return JobRequest(
            name=name,
            entrypoint=shlex.join([config.python, "-m", "training.backends.entry", *command]),
            metadata=_metadata(job),
            code=code_package(self._home.rewards),
            private=private_package(private),
            variables=self._variables(private) | {ATTEMPT: str(job.attempt)},
            requirements=pinned_requirements(gpu=needs, artefacts=config.artefacts) if config.pip == "pinned" else (),
            gpus=gpus,
            resources=kinds,
        )

    def _variables(self, private: Mapping[str, str]) -> dict[str, str]:
        config = self.config
        own = {
            "GRPO_ATLAS_HOME": config.home,
            EXPECTED: ",".join(private),
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        if config.workers > 1:
            own["GRPO_ATLAS_WORKERS"] = str(config.workers)
            own["GRPO_ATLAS_GPUS_PER_WORKER"] = str(config.gpus // config.workers)
            own["GRPO_ATLAS_MAX_FAILURES"] = str(config.max_failures)
            own["GRPO_ATLAS_ACCELERATOR_TYPE"] = config.accelerator_type
        if config.artefacts:
            own["GRPO_ATLAS_ARTEFACTS"] = config.artefacts
        if self._home.rewards is not None:
            own["GRPO_ATLAS_REWARDS"] = OWN_REWARDS
        return own | dict(config.environment)

    def _store_url(self) -> str:
        """The store as the job reaches it."""
        if self.config.store:
            return expand(self.config.store, self.name, self._environ, in_url=True)
        is_file = sa.make_url(self._home.store_url).get_backend_name() == "sqlite"
        if is_file and urlsplit(self.config.address).hostname not in _HERE:
            raise BackendError(
                f"The run store is an SQLite file, which the machines of {self.title} cannot reach.",
                "Set GRPO_ATLAS_STORE, and store in the backend's configuration, to a Postgres database.",
            )
        return self._home.store_url

    def _cluster(self) -> Cluster:
        headers = {key: expand(text, self.name, self._environ) for key, text in self.config.headers.items()}
        return self._connect(self.config, headers)


def submission_names(job: Job) -> tuple[str, str]:
    """The submission ids of a run's present attempt: the one to take, and the one for when another's run has taken that."""
    name = job.id if job.attempt == 1 else f"{job.id}-{job.attempt}"
    return name, f"{name}-{hashlib.sha1(repr(job.created_at).encode()).hexdigest()[:8]}"


def _metadata(job: Job) -> dict[str, str]:
    return {"grpo_atlas_run": job.id, "grpo_atlas_created": repr(job.created_at), "grpo_atlas_attempt": str(job.attempt)}


def _is_of(submission: Submission, job: Job) -> bool:
    return _metadata(job).items() <= submission.metadata.items()


def _run_of(submission: Submission) -> str:
    return submission.metadata.get("grpo_atlas_run") or submission.name


def _connect(config: RayConfig, headers: Mapping[str, str]) -> Cluster:
    try:
        from training.backends.ray_client import RayClient
    except ImportError as error:
        raise BackendError(
            f"Ray is not installed here ({error.name}).", "Install it with `pip install '.[cluster]'` in the project's folder."
        ) from error
    return RayClient(config.address, headers, config.timeout_s)
