"""A real Ray head on this machine that pretends to have one A100, for the tests in this folder."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from tests.ports import free_port

pytest.importorskip("ray", reason="ray is not installed: pip install '.[cluster]'")

_HEAD = (
    *("start", "--head", "--block", "--disable-usage-stats", "--port=0", "--node-ip-address=127.0.0.1"),
    *("--num-cpus=2", "--num-gpus=1", '--resources={"accelerator_type:A100": 1}', "--object-store-memory=100000000"),
    "--dashboard-host=127.0.0.1",
)
"""As the README starts one."""

_STARTS = 4
"""Ray gives up by itself where a busy machine lets its processes wait for half a minute."""
_START_S = 600


@dataclass
class Head:
    """A head that can be killed and started anew at the same address."""

    folder: Path
    """Short, as the names of sockets in it may have 107 characters."""
    dashboard_port: int
    agent_port: int
    """Of the process that starts jobs; its usual one may be another head's."""
    client_port: int
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
        psutil.wait_procs(self.members, timeout=60)
        self.process.wait(timeout=60)
        self.process, self.members = None, []

    def _begin(self) -> None:
        tools = Path(sys.executable).parent
        own = {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else it listens on this machine's other addresses too
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("GRPO_ATLAS_", "RAY_"))} | own
        command = ["nice", "-n", "19", sys.executable, "-m", "ray.scripts.scripts", *_HEAD]
        command += [f"--temp-dir={self.folder / 'ray'}", f"--dashboard-port={self.dashboard_port}"]
        command += [f"--dashboard-agent-listen-port={self.agent_port}", f"--ray-client-server-port={self.client_port}"]
        with (self.folder / "head.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _is_up(self) -> bool:
        """Whether the head takes jobs: its node is there, and what starts jobs on it answers."""
        assert self.process is not None
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(OSError, KeyError, ValueError):
                (node,) = self._ask("/api/v0/nodes")["data"]["result"]["result"]
                assert "accelerator_type:A100" in node["resources_total"]
                self._ask(f"/api/v0/logs?node_id={node['node_id']}")
                return True
            time.sleep(0.3)
        return False

    def _ask(self, path: str) -> Any:
        with urlopen(self.address + path, timeout=60) as answer:
            return json.load(answer)

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


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A head of this module alone."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    found = Head(folder, free_port(), free_port(), free_port())
    try:
        found.start()
        yield found
    finally:
        found.kill()
        shutil.rmtree(folder, ignore_errors=True)
