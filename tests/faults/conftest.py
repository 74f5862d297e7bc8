"""The real program as people run it: `cli` is `python -m training` in a process of its own, in a home of the test alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from training.home import Home
from training.store import Job, Store

SMALL = (
    "--preset=demo",
    "--set=max_steps=4",
    "--set=save_steps=2",
    "--set=num_generations=2",
    "--set=per_device_train_batch_size=4",
    "--set=max_completion_length=16",
    "--set=evaluation_problems=0",
)
"""A real run of seconds on the demo model, with checkpoints of steps 2 and 4."""

PATIENCE_S = 300.0
"""How long a loaded machine may take for any one thing."""

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(home: Home) -> dict[str, str]:
    """What processes of this test are given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRPO_ATLAS_")}
    return kept | home.environment() | {"HF_HUB_OFFLINE": "1"}


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """`cli("list", "--json")` runs a command to its end; a traceback is never what people are to see."""

    def run(*arguments: str, module: str = "training", **variables: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=environment | variables,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def launch(cli: Cli) -> Callable[..., str]:
    """`launch("--set=seed=3", wait=True)` starts a small run and gives its id."""

    def start(*changes: str, wait: bool = False) -> str:
        done = cli("launch", *SMALL, *changes, *(["--wait"] if wait else []))
        assert done.returncode == 0, done.stderr
        return next(word for word in done.stdout.replace("run_id:", " ").split() if word.startswith("demo-"))

    return start


def wait_for_job(store: Store, job_id: str, is_so: Callable[[Job], bool]) -> Job:
    """The job, as soon as it is as wanted."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so(job := store.job(job_id)):
        assert time.monotonic() < deadline, f"{job.status}: {job.reason}"
        time.sleep(0.2)
    return job
