"""Ray's client as the backend uses it, against answers of a head that would be hard to get from a real one."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from training.backends.cluster import JobRequest
from training.errors import AtlasError, BackendError, UnreachableError

pytest.importorskip("ray", reason="ray is not installed: pip install '.[cluster]'")

from training.backends.ray_client import RayClient

ASKED = JobRequest("demo-1", "python", {}, b"code", b"private", {}, (), 1, {"accelerator_type:A100": 0.001})
STARTING = "No available agent to submit job, please try again later."


class Head(ThreadingHTTPServer):
    """Has every package, answers a submission with one text, and knows `demo-1` or no job."""

    daemon_threads = True
    answer = (500, STARTING)
    knows_job = False
    speaks: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Head

    def do_GET(self) -> None:
        self.server.speaks.wait(10)
        if self.path == "/api/version":
            self._say(200, json.dumps({"version": "4", "ray_version": "2.60.0", "ray_commit": ""}))
        elif self.path.startswith("/api/packages"):
            self._say(200, "")
        elif self.server.knows_job:
            self._say(200, json.dumps({"submission_id": "demo-1", "status": "RUNNING"}))
        else:
            self._say(404, "Job demo-1 does not exist")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(*self.server.answer)

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        with suppress(BrokenPipeError):  # a client that waits no longer
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def head() -> Iterator[Head]:
    """On a free port."""
    with Head(("127.0.0.1", 0), Handler) as server:
        server.speaks = threading.Event()
        server.speaks.set()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.speaks.set()
        server.shutdown()


def client(head: Head, timeout_s: float = 60) -> RayClient:
    return RayClient(f"http://127.0.0.1:{head.server_port}", {}, timeout_s)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ((500, STARTING), UnreachableError, "takes no jobs now (.*No available agent"),
        ((400, "bad runtime_env"), BackendError, "Ray does not take demo-1 (.*bad runtime_env"),
        ((503, "nobody here"), UnreachableError, "is away .status 503"),
        ((401, "who are you"), UnreachableError, "refuses us"),
    ],
)
def test_a_head_that_cannot_take_jobs_yet_is_away_and_a_refusal_is_final(
    head: Head, answer: tuple[int, str], kind: type[AtlasError], told: str
) -> None:
    head.answer = answer
    with pytest.raises(kind, match=told.replace("(", r"\(", 1)) as found:
        client(head).submit(ASKED)
    assert type(found.value) is kind


def test_a_job_that_is_there_already_counts_as_submitted(head: Head) -> None:
    head.knows_job = True
    assert client(head).submit(ASKED) is False


def test_a_head_that_says_nothing_is_not_waited_for(head: Head) -> None:
    head.speaks.clear()
    with pytest.raises(UnreachableError, match=r"no answer within 0\.2 s"):
        client(head, timeout_s=0.2).find("demo-1")
