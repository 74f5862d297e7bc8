"""A Ray cluster in memory, at the edge where the real one is asked."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

from training.backends.cluster import Gpus, JobRequest, Submission, SubmissionStatus
from training.backends.configuration import RayConfig
from training.backends.ray import RayBackend
from training.errors import UnreachableError
from training.home import Home


class FakeCluster:
    """Knows what was submitted; nothing runs."""

    def __init__(self, gpus: float = 1) -> None:
        self.asked: list[JobRequest] = []
        self.known: dict[str, Submission] = {}
        self.ended: list[str] = []
        self.log = ""
        self.away_for = 0
        """How many of the next questions find nobody."""
        self.headers: Mapping[str, str] = {}
        self._gpus = gpus

    def submit(self, asked: JobRequest) -> bool:
        self._answer()
        if asked.name in self.known:
            return False
        self.asked.append(asked)
        self.known[asked.name] = Submission(asked.name, "PENDING", metadata=asked.metadata, submitted_at=len(self.asked))
        return True

    def find(self, name: str) -> Submission | None:
        self._answer()
        return self.known.get(name)

    def submissions(self) -> list[Submission]:
        self._answer()
        return list(self.known.values())

    def gpus(self, accelerator_type: str) -> Gpus:
        self._answer()
        return Gpus(self._gpus - sum(job.status == "RUNNING" for job in self.known.values()), self._gpus)

    def log_end(self, name: str, lines: int) -> str:
        self._answer()
        return self.log

    def end(self, name: str) -> None:
        self._answer()
        self.ended.append(name)

    def becomes(self, name: str, status: SubmissionStatus, message: str = "", error: str = "") -> None:
        self.known[name] = replace(self.known[name], status=status, message=message, error=error)

    def restart(self) -> None:
        """A new head knows nothing of what was before."""
        self.known.clear()

    def _answer(self) -> None:
        if self.away_for:
            self.away_for -= 1
            raise UnreachableError("http://head:8265 cannot be reached (connection refused).", "Check that the Ray head runs.")


def fake_backend(cluster: FakeCluster, home: Home, environ: Mapping[str, str] | None = None, **settings: object) -> RayBackend:
    """The backend `a100` of that cluster."""
    values = {"kind": "ray", "title": "One A100", "address": "http://127.0.0.1:8265", "accelerator_type": "A100", "pip": "none"}

    def connect(config: RayConfig, headers: Mapping[str, str]) -> FakeCluster:
        cluster.headers = headers
        return cluster

    config = RayConfig.model_validate(values | settings)
    return RayBackend("a100", config, home, connect, environ or {}, clock=itertools.count(step=10).__next__)
