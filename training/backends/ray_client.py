"""Ray's own client of its Jobs API, with time limits, and its failures as this project's errors.

The one module that imports Ray, and imported only where a cluster is asked: it takes a second and 100 MB.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import ray
import requests
from ray.dashboard.modules.dashboard_sdk import SubmissionClient
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from training.backends.cluster import Gpus, JobRequest, Submission
from training.errors import BackendError, UnreachableError

_UPLOAD_S = 120.0
"""For a package of some megabytes over a slow line."""
_START_S = 30.0
"""For a job to be taken or ended: a head that is starting waits ten seconds for what does it."""
_HEAD_FAILED = "status code 5"
"""In the words of Ray's client for any answer but "done": the fault is not in what was asked."""
_AWAY = (502, 503, 504)
"""What a proxy says when the head is not there."""
_REFUSED = (401, 403)
_USAGE = re.compile(r"([\d.]+)/[\d.]+ GPU\b")
"""`0.0/1.0 GPU`: what Ray's autoscaler says of a node's resources; every now and then it says nothing for seconds."""


class RayClient(JobSubmissionClient):
    """See `training.backends.cluster.Cluster`."""

    def __init__(self, address: str, headers: Mapping[str, str], timeout_s: float) -> None:
        # JobSubmissionClient's own beginning lets RAY_ADDRESS replace the address, and waits for an answer without end.
        SubmissionClient.__init__(self, address=address, headers=dict(headers))
        self._client_ray_version = ray.__version__
        self._timeout_s = timeout_s

    def submit(self, asked: JobRequest) -> bool:
        """Start a job, unless there is one of that name; whether it was started."""
        runtime_env: dict[str, Any] = {
            "working_dir": self._upload(asked.code),
            "py_modules": [self._upload(asked.private)],
            "env_vars": dict(asked.variables),
        }
        if asked.requirements:
            runtime_env["pip"] = {"packages": list(asked.requirements), "pip_check": False}
        try:
            self.submit_job(
                entrypoint=asked.entrypoint,
                submission_id=asked.name,
                metadata=dict(asked.metadata),
                runtime_env=runtime_env,
                entrypoint_num_gpus=asked.gpus or None,
                entrypoint_resources=dict(asked.resources) or None,
            )
        except RuntimeError as error:
            if self.find(asked.name) is not None:
                return False
            if _HEAD_FAILED in str(error):
                raise UnreachableError(
                    f"{self._address} takes no jobs now ({_last_line(str(error))}).", "See the head's logs; it may be starting."
                ) from error
            raise BackendError(f"Ray does not take {asked.name} ({_last_line(str(error))}).", "See the head's logs.") from error
        return True

    def find(self, name: str) -> Submission | None:
        """A job by its submission id."""
        response = self._do_request("GET", f"/api/jobs/{name}")
        return None if response.status_code == requests.codes.not_found else _submission(self._json(response))

    def submissions(self) -> list[Submission]:
        """All jobs that the head knows and that were submitted to it, oldest first."""
        found = [_submission(row) for row in self._json(self._do_request("GET", "/api/jobs/")) if row.get("submission_id")]
        return sorted(found, key=lambda submission: submission.submitted_at)

    def gpus(self, accelerator_type: str) -> Gpus:
        """The GPUs of the nodes that have accelerators of a type; of all nodes without one."""
        nodes = self._json(self._do_request("GET", "/api/v0/nodes"))["data"]["result"]["result"]
        usage = self._json(self._do_request("GET", "/nodes?view=summary"))["data"]["nodeLogicalResources"]
        free: float | None = 0.0
        total = 0.0
        for node in nodes:
            there = node["resources_total"] or {}
            if node["state"] != "ALIVE" or (accelerator_type and f"accelerator_type:{accelerator_type}" not in there):
                continue
            if number := there.get("GPU", 0.0):
                told = _USAGE.search(usage.get(node["node_id"], ""))
                free = None if told is None or free is None else free + number - float(told[1])
                total += number
        return Gpus(free, total)

    def log_end(self, name: str, lines: int) -> str:
        """The last lines that a job printed."""
        node = self._json(self._do_request("GET", f"/api/jobs/{name}")).get("driver_node_id")
        if node is None:  # it never came to a machine; what went wrong with that is all there is
            return self.get_job_logs(name)
        asked = f"submission_id={name}&node_id={node}&lines={lines}&timeout={max(1, int(self._timeout_s))}"
        response = self._do_request("GET", f"/api/v0/logs/file?{asked}")
        return response.content.decode("utf-8", "replace") if response.status_code == requests.codes.ok else ""

    def end(self, name: str) -> None:
        """SIGTERM, and SIGKILL after a while."""
        self.stop_job(name)

    def _upload(self, package: bytes) -> str:
        """The package's URI; what the cluster has already is not sent again."""
        name = f"_ray_pkg_{hashlib.sha1(package).hexdigest()}.zip"
        place = f"/api/packages/gcs/{name}"
        if self._do_request("GET", place).status_code != requests.codes.ok:
            self._json(self._do_request("PUT", place, data=package, timeout=_UPLOAD_S), empty=True)
        return f"gcs://{name}"

    def _json(self, response: requests.Response, *, empty: bool = False) -> Any:
        if response.status_code != requests.codes.ok:
            raise UnreachableError(
                f"{self._address} answers with status {response.status_code} ({_last_line(response.text)}).",
                "See the head's logs; it may still be starting.",
            )
        try:
            return None if empty else response.json()
        except json.JSONDecodeError as error:
            raise UnreachableError(
                f"What answers at {self._address} is no Ray head.", "Check the backend's address."
            ) from error

    def _do_request(self, method: str, endpoint: str, **options: Any) -> requests.Response:
        """One request in limited time.

        Raises:
            UnreachableError: nobody answers, a proxy stands before a head that is away, or it wants other credentials.
        """
        patience_s = max(options.pop("timeout", _START_S if method == "POST" else 0.0), self._timeout_s)
        try:
            response = super()._do_request(method, endpoint, timeout=(self._timeout_s, patience_s), **options)
        except AuthenticationError as error:
            raise self._refused() from error
        except requests.exceptions.RequestException as error:
            raise UnreachableError(
                f"{self._address} cannot be reached ({_cause(error, self._timeout_s, patience_s)}).",
                "Check that the Ray head runs and that its address is right.",
            ) from error
        if response.status_code in _REFUSED:
            raise self._refused()
        if response.status_code in _AWAY:
            raise UnreachableError(
                f"The head behind {self._address} is away (status {response.status_code}).", "Wait for it, or start it."
            )
        return response

    def _refused(self) -> UnreachableError:
        return UnreachableError(f"{self._address} refuses us.", "Check the backend's headers, and the variables they name.")


def _submission(row: Mapping[str, Any]) -> Submission:
    return Submission(
        name=str(row["submission_id"]),
        status=row["status"],
        message=row.get("message") or "",
        error=row.get("error_type") or "",
        metadata=row.get("metadata") or {},
        submitted_at=(row.get("start_time") or 0) / 1000,
    )


def _cause(error: Exception, timeout_s: float, patience_s: float) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        is_connected = isinstance(error, requests.exceptions.ReadTimeout)
        return f"no answer within {patience_s if is_connected else timeout_s:g} s"
    found = re.search(r"\[Errno -?\d+\] ([^)'\"]+)", str(error))
    return found[1].lower() if found else type(error).__name__


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no words"])[-1][:300]
