"""Clocks that are set while runs are at work, and afterwards: the dead are told as dead, can be gone on with and deleted."""

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import Cli, wait_for_job
from training.store import Store

SHIFTED = """
import os, time
shift_s = float(os.environ.get("SHIFT_S", 0))
real = time.time
time.time = lambda: real() + shift_s
"""


@pytest.fixture
def environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Each process's clock is `SHIFT_S` seconds ahead of this machine's."""
    (tmp_path / "sitecustomize.py").write_text(SHIFTED)
    environment["PYTHONPATH"] = f"{tmp_path}:{Path(__file__).resolve().parents[2]}"
    return environment


def status(cli: Cli, run_id: str, shift_s: float) -> str:
    done = cli("show", run_id, "--json", SHIFT_S=str(shift_s))
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["status"])


@pytest.mark.parametrize("shift_s", [-86_400.0, 86_400.0])
def test_a_run_lives_and_dies_by_its_process_whatever_the_clock_says(
    shift_s: float, launch: Callable[..., str], cli: Cli, store: Store, environment: dict[str, str]
) -> None:
    environment["SHIFT_S"] = str(shift_s)
    run_id = launch("--set=max_steps=100000", "--set=save_steps=1")
    environment["SHIFT_S"] = "0"
    job = wait_for_job(store, run_id, lambda job: job.done >= 1)
    for reader_s in (0, shift_s, -shift_s):
        assert status(cli, run_id, reader_s) == "running"
    psutil.Process(int(job.worker.rpartition(":")[2])).kill()
    for reader_s in (0, shift_s, -shift_s):
        assert status(cli, run_id, reader_s) == "lost"

    assert cli("resume", run_id).returncode == 0
    wait_for_job(store, run_id, lambda job: job.status == "running")
    assert cli("stop", run_id, "--wait").returncode == 0
    assert store.job(run_id).status == "stopped"
    assert cli("report", run_id, "--out", "report.html").returncode == 0
    assert cli("delete", run_id, "--yes").returncode == 0
    assert "There is no run" in cli("show", run_id).stderr
