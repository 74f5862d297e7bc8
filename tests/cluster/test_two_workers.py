"""A run on two processes (gloo, on the CPU) by a real Ray Train, against the same run on one."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cluster import worker_hooks
from tests.cluster.worker_hooks import LOSS_TYPES, gradient, parameters
from tests.tiny_runs import few_problems, go_on, tiny
from training.backends import local
from training.config import RunConfig
from training.distributed import Workers, room_for, train_on_workers
from training.errors import AtlasError
from training.evaluations import complete_evaluations
from training.home import Home
from training.jobs import job_process
from training.rewards import REWARDS
from training.store import Job, Store

ray = pytest.importorskip("ray", reason="Ray is not installed")

SETTINGS: dict[str, Any] = {
    "rewards": {"length": 1.0},
    "max_steps": 5,
    "num_generations": 4,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "max_grad_norm": 1e6,
    "learning_rate": 1e-4,
    "save_steps": 2,
    "evaluation_problems": 3,
    "evaluation_steps": 3,
    "evaluate_after": True,
}
"""Two groups of four a step; one of them on each of two processes."""


@dataclass(frozen=True)
class Ran:
    """A run that has ended, and where its processes wrote down what they saw."""

    job: Job
    store: Store
    home: Home
    seen: Path


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A Ray of this module's own, and the length as a reward."""
    REWARDS["length"] = worker_hooks.LENGTH
    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=128 * 2**20, logging_level="warning")
    yield
    ray.shutdown()
    del REWARDS["length"]


def new_run(folder: Path, config: RunConfig, **hooks: Any) -> tuple[Home, Store, Job]:
    home = replace(
        Home.from_environment({"GRPO_ATLAS_HOME": str(folder / "home")}), rewards=worker_hooks.rewards_file(folder, **hooks)
    )
    store = Store.open(home.store_url)
    job, _ = store.create_job("train", "two", config.model_dump(mode="json"), total=config.max_steps)
    local.job_folder(home, job.id).mkdir(parents=True)
    return home, store, job


def on_two_workers(folder: Path, config: RunConfig, max_failures: int = 0, **hooks: Any) -> Ran:
    """A whole run as its job's process would do it."""
    home, store, job = new_run(folder, config, **hooks)
    workers = Workers(2, max_failures=max_failures)
    with job_process(store, job.id) as process, room_for(workers, process.check_stop):
        process.begin()
        train_on_workers(config, few_problems(), process, home, local.job_folder(home, job.id), workers)
    return Ran(store.job(job.id), store, home, folder)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The run on one process."""
    folder = tmp_path_factory.mktemp("one")
    config = tiny(**SETTINGS)
    home, store, job = new_run(folder, config)
    with worker_hooks.installed(folder):
        return Ran(go_on(store, home, job.id, config), store, home, folder)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same on two."""
    return on_two_workers(tmp_path_factory.mktemp("two"), tiny(**SETTINGS))


def ledger(ran: Ran) -> list[tuple[Any, ...]]:
    """Everything of every rollout but the advantage, which is rounded."""
    return [astuple(replace(rollout, advantage=round(rollout.advantage, 4))) for rollout in ran.store.rollouts(ran.job.id)]


def test_parameters_are_identical_on_both_after_every_step(two: Ran) -> None:
    start = None
    for step in range(1, 6):
        first, second = (parameters(two.seen, step, rank) for rank in (0, 1))
        assert first == second
        assert first != start
        start = first


def test_the_ledger_is_that_of_one_process(one: Ran, two: Ran) -> None:
    assert two.job.status == "finished", two.job.reason
    assert ledger(two) == ledger(one)
    counts = Counter((rollout.step, rollout.group_index) for rollout in two.store.rollouts(two.job.id))
    assert counts == {(step, group): 4 for step in range(1, 6) for group in (0, 1)}
    assert any(rollout.advantage for rollout in two.store.rollouts(two.job.id))


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_gradients_are_those_of_one_process(one: Ran, two: Ran, step: int) -> None:
    alone, shared = gradient(one.seen, step), gradient(two.seen, step)
    assert torch.linalg.vector_norm(alone) > 0
    difference = torch.linalg.vector_norm(shared - alone) / torch.linalg.vector_norm(alone)
    print(f"step {step}, {LOSS_TYPES[(step - 1) % 4]}: gradients differ by {difference:.1e} of their length")
    assert difference < 1e-3


def test_the_loss_by_each_devices_tokens_depends_on_the_number_of_processes(one: Ran, two: Ran) -> None:
    assert LOSS_TYPES[3] == "bnpo"
    alone, shared = gradient(one.seen, 4), gradient(two.seen, 4)
    difference = torch.linalg.vector_norm(shared - alone) / torch.linalg.vector_norm(alone)
    print(f"bnpo: gradients differ by {difference:.1e} of their length")
    assert difference > 1e-3


def test_evaluations_are_shared_out_and_equal(one: Ran, two: Ran) -> None:
    found = [
        [(evaluation.label, evaluation.step, evaluation.items) for evaluation in complete_evaluations(ran.store, ran.job.id)]
        for ran in (one, two)
    ]
    assert [label for label, _, _ in found[1]] == ["before", "step-3", "after"]
    assert found[0][0] == found[1][0]
    assert all(len(items) == 3 for _, _, items in found[1])


def test_a_checkpoint_holds_the_randomness_of_each_process(two: Ran) -> None:
    latest = Path(two.store.checkpoints(two.job.id)[-1].path)
    assert latest.name == "checkpoint-5"
    assert {path.name for path in latest.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}


def test_a_run_goes_on_from_its_checkpoint_after_a_worker_was_killed(one: Ran, tmp_path: Path) -> None:
    config = tiny(**SETTINGS)
    ran = on_two_workers(tmp_path, config, max_failures=1, dies=True)
    assert (tmp_path / "died").exists()
    assert ran.job.status == "finished", ran.job.reason
    assert ledger(ran) == ledger(one)
    steps = Counter(scalar.step for scalar in ran.store.scalars(ran.job.id) if scalar.name == "reward")
    assert steps == dict.fromkeys(range(1, 6), 1)


def test_a_run_fails_with_its_worker_and_says_why(tmp_path: Path) -> None:
    config = tiny(**SETTINGS | {"evaluation_problems": 0})
    with pytest.raises(AtlasError, match="Worker 2 of 2 was lost"):
        on_two_workers(tmp_path, config, dies=True)
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home")}).store_url)
    job = store.jobs("train")[0]
    assert job.status == "failed"
    assert job.reason.startswith("Worker 2 of 2 was lost: its process ended unexpectedly.")
    assert {rollout.step for rollout in store.rollouts(job.id)} == {1, 2, 3}


def test_a_signal_ends_both_processes_at_the_same_step_with_a_checkpoint(tmp_path: Path) -> None:
    config = tiny(**SETTINGS | {"max_steps": 100_000, "evaluation_problems": 0, "save_steps": 100_000, "source": "demo"})
    home, store, job = new_run(tmp_path, config)
    variables = os.environ | home.environment() | {"GRPO_ATLAS_WORKERS": "2", "PYTHONPATH": str(Path.cwd())}
    variables.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-m", "training", "run", "--job", job.id]
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=variables, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
        try:
            while process.poll() is None and store.last_rollout_step(job.id) < 2:
                time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0, (tmp_path / "log.txt").read_text()[-3000:]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    ended = store.job(job.id)
    assert ended.status == "stopped"
    (checkpoint,) = store.checkpoints(job.id)
    assert ended.reason == f"stopped on request at step {checkpoint.step} of 100000, checkpoint saved"
    last = [max(int(path.name.split("-")[1]) for path in tmp_path.glob(f"parameters-*-rank-{rank}")) for rank in (0, 1)]
    assert last == [checkpoint.step] * 2
    counts = Counter(rollout.step for rollout in store.rollouts(job.id))
    assert counts == dict.fromkeys(range(1, checkpoint.step + 1), 8)
