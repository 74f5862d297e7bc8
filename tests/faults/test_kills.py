"""Runs whose process is killed at each of their states: gone on with, each has the ledger of one that was not interrupted."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import PATIENCE_S, SMALL, Cli, wait_for_job
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


METHODS: dict[str, tuple[str, ...]] = {
    "grpo": (),
    "rloo": ("--set=method=rloo",),
    "by pools": ("--set=sampling=pools", "--set=pool_warmup_steps=1"),
    "with groups replaced": ("--set=dynamic_sampling_rounds=2",),
    "by pools, with groups replaced": ("--set=sampling=pools", "--set=dynamic_sampling_rounds=2"),
    "several steps a generation": ("--set=num_iterations=2", "--set=save_steps=3"),
    "without an adapter": ("--set=lora_rank=0", "--set=learning_rate=1e-5"),
    "sft": ("--preset=demo-sft", "--set=max_steps=4", "--set=save_steps=2", "--set=evaluation_problems=0"),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_of_any_method_goes_on_as_if_it_had_not_been(method: str, cli: Cli, store: Store, home: Home) -> None:
    small = () if method == "sft" else (*SMALL, "--set=max_completion_length=64")
    for wait in (["--wait"], []):
        done = cli("launch", *small, *METHODS[method], *wait, OMP_NUM_THREADS="1")  # sums in one order
        assert done.returncode == 0, done.stderr
    interrupted, whole = (job.id for job in store.jobs())
    kill_when(lambda job, store, folder: job.done >= 3, interrupted, store, home)
    assert wait_for_job(store, interrupted, lambda job: not job.active).status == "lost"

    assert cli("resume", interrupted, OMP_NUM_THREADS="1").returncode == 0

    for run_id in (interrupted, whole):
        ended = wait_for_job(store, run_id, lambda job: not job.active)
        assert (ended.status, ended.done) == ("finished", 4), ended.reason
    assert store.rollouts(interrupted) == store.rollouts(whole)
    assert bool(store.rollouts(whole)) != (method == "sft")
    assert learnt(store, interrupted) == learnt(store, whole)


def learnt(store: Store, run_id: str) -> list[tuple[int, str, float]]:
    """What TRL logged of each step, but for what is time."""
    logged = [(found.step, found.name, found.value) for found in store.scalars(run_id) if found.name in ("loss", "grad_norm")]
    assert {step for step, _, _ in logged} == {1, 2, 3, 4}
    return sorted(logged)


def kill_when(is_there: State, run_id: str, store: Store, home: Home) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_there(job := store.job(run_id), store, home.job_folder(run_id)):
        assert job.active, f"{job.status}: {job.reason}"
        assert time.monotonic() < deadline, job.message
        time.sleep(0.01)
    os.kill(int(job.worker.rpartition(":")[2]), signal.SIGKILL)
