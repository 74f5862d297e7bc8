"""A real Ray head on this machine that pretends to have one A100, for the tests in this folder."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

pytest.importorskip("ray", reason="ray is not installed: pip install '.[cluster]'")

_HEAD = """
import sys
import ray

ray.init(
    num_cpus=2,
    num_gpus=1,
    resources={"accelerator_type:A100": 1},
    include_dashboard=True,
    dashboard_host="127.0.0.1",
    dashboard_port=int(sys.argv[1]),
    object_store_memory=100_000_000,
    log_to_driver=False,
    _temp_dir=sys.argv[2],
    _node_ip_address="127.0.0.1",
)
sys.stdin.read()  # until the tests end, however they do
"""
"""As `ray start --head` does, but for its server for remote Python sessions, which Ray Jobs does not use."""

_STARTS = 4
"""Ray gives up by itself where a busy machine lets its processes wait for half a minute."""
_START_S = 150


@dataclass
class Head:
    """A head that can be killed and started anew at the same address."""

    folder: Path
    """Short, as the names of sockets in it may have 107 characters."""
    dashboard_port: int
    process: subprocess.Popen[bytes] | None = None
    members: list[psutil.Process] = field(default_factory=list)
    """Its processes: those of its group, and the jobs, which have sessions of their own."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}"

    def start(self) -> None:
        for _ in range(_STARTS):
            self._begin()
            if self._is_up():
                return
            self.kill()
        raise RuntimeError((self.folder / "head.log").read_text()[-3000:])

    def kill(self) -> None:
        """End the head and its jobs as a machine that loses its power would."""
        if self.process is None:
            return
        self._look_at_members()
        for member in self.members:
            try:
                member.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(self.members, timeout=10)
        self.process.wait(timeout=10)
        self.process, self.members = None, []

    def _begin(self) -> None:
        tools = Path(sys.executable).parent
        own = {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("GRPO_ATLAS_", "RAY_"))} | own
        command = ["nice", "-n", "19", sys.executable, "-c", _HEAD, str(self.dashboard_port), str(self.folder / "ray")]
        with (self.folder / "head.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _is_up(self) -> bool:
        """Whether the head takes jobs: its dashboard answers, and its node is there."""
        assert self.process is not None
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urlopen(f"{self.address}/nodes?view=summary", timeout=5) as answer:
                    if b"accelerator_type:A100" in answer.read():
                        return True
            except (URLError, OSError):
                pass
            time.sleep(0.5)
        return False

    def _look_at_members(self) -> None:
        assert self.process is not None
        found = {}
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.process.pid or str(self.folder) in " ".join(process.cmdline()):
                    found |= {member.pid: member for member in (process, *process.children(recursive=True))}
            except (psutil.Error, ProcessLookupError):
                continue
        found.pop(os.getpid(), None)
        self.members = list(found.values())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    """The head of this session."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    found = Head(folder, free_port())
    try:
        found.start()
        yield found
    finally:
        found.kill()
        shutil.rmtree(folder, ignore_errors=True)
