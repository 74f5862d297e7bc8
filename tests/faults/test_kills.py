"""Runs whose process is killed at each of their states: gone on with, each has the ledger of one that was not interrupted."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import PATIENCE_S, Cli, wait_for_job
from training.home import Home
from training.store import Job, Rollout, Store
from training.store.evaluations import complete_evaluations

EVALUATED = ("--set=evaluation_problems=8", "--set=save_total_limit=5")

State = Callable[[Job, Store, Path], bool]

STATES: dict[str, State] = {
    "it has just come up": lambda job, store, folder: bool(job.worker),
    "it loads the model": lambda job, store, folder: job.message == "loading the model",
    "it evaluates before": lambda job, store, folder: "before training" in job.message,
    "it has taken a step": lambda job, store, folder: store.last_rollout_step(job.id) >= 1,
    "it saves a checkpoint": lambda job, store, folder: any(folder.glob("checkpoint-*")),
    "it has a checkpoint": lambda job, store, folder: bool(store.checkpoints(job.id)),
    "it is past a checkpoint": lambda job, store, folder: store.last_rollout_step(job.id) >= 3,
    "it evaluates after": lambda job, store, folder: "after training" in job.message,
}


@pytest.fixture(scope="module")
def whole() -> dict[str, list[Rollout]]:
    """The ledger of a run that was not interrupted, once there is one."""
    return {}


@pytest.mark.parametrize("state", STATES)
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    state: str, whole: dict[str, list[Rollout]], launch: Callable[..., str], cli: Cli, store: Store, home: Home
) -> None:
    if not whole:
        whole["ledger"] = store.rollouts(launch(*EVALUATED, wait=True))
    run_id = launch(*EVALUATED, "--set=save_steps=2")
    kill_when(STATES[state], run_id, store, home)
    assert wait_for_job(store, run_id, lambda job: not job.active).status == "lost"

    assert cli("resume", run_id).returncode == 0
    ended = wait_for_job(store, run_id, lambda job: not job.active)
    assert (ended.status, ended.done) == ("finished", 4), ended.reason
    assert store.rollouts(run_id) == whole["ledger"]
    assert [evaluation.label for evaluation in complete_evaluations(store, run_id)] == ["before", "after"]
    saved = {Path(checkpoint.path).name for checkpoint in store.checkpoints(run_id)}
    assert {path.name for path in home.job_folder(run_id).glob("checkpoint-*")} == saved


def kill_when(is_there: State, run_id: str, store: Store, home: Home) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_there(job := store.job(run_id), store, home.job_folder(run_id)):
        assert job.active, f"{job.status}: {job.reason}"
        assert time.monotonic() < deadline, job.message
        time.sleep(0.01)
    os.kill(int(job.worker.rpartition(":")[2]), signal.SIGKILL)
