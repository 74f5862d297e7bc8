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
from tests.tiny_runs import few_problems, go_on, tiny, tiny_sft
from training.config import RunConfig, StageConfig
from training.data.problems import load_problems
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.train.distributed import room_for, train_on_workers
from training.jobs.train.job import JOB_OF
from training.jobs.train.stage import train
from training.rewards import REWARDS
from training.store import Job, Store
from training.store.evaluations import complete_evaluations
from training.workers import Workers

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


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Two, with a Ray of this module's own that knows these tests, and the length as a reward."""
    own = {reward.name: reward for reward in (worker_hooks.LENGTH, worker_hooks.OFTEN_FLAT)}
    REWARDS.update(own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        with room_for(Workers(2, max_failures=1), lambda: None) as two:
            yield two
    for name in own:
        del REWARDS[name]


@pytest.fixture(autouse=True)
def free_room(workers: Workers) -> Iterator[None]:
    """Ray Train may end before it gives back its room, which else ends with the driver: of which all runs here share one."""
    from ray._raylet import PlacementGroupID
    from ray.util import placement_group_table, remove_placement_group
    from ray.util.placement_group import PlacementGroup

    yield
    for number, group in placement_group_table().items():
        if group["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(number))))


def new_run(folder: Path, config: StageConfig) -> tuple[Home, Store, Job]:
    folder.mkdir(exist_ok=True)
    rewards = folder / "own_rewards.py"
    rewards.write_text(worker_hooks.REWARDS_FILE)
    home = replace(Home.from_environment({"GRPO_ATLAS_HOME": str(folder / "home")}), rewards=rewards)
    store = Store.open(home.store_url)
    job, _ = store.create_job(JOB_OF[config.stage].kind, "two", config.model_dump(mode="json"), total=config.max_steps)
    home.job_folder(job.id).mkdir(parents=True)
    return home, store, job


def on_one(folder: Path, config: RunConfig) -> Ran:
    """The run on one process."""
    home, store, job = new_run(folder, config)
    with worker_hooks.installed(folder):
        return Ran(go_on(store, home, job.id, config), store, home, folder)


def on_two(folder: Path, config: RunConfig, workers: Workers) -> Ran:
    """The same on two, as its job's process would do it; the second of them is killed before step 4, once."""
    home, store, job = new_run(folder, config)
    problems: Any = worker_hooks.Hooked(few_problems(), folder, dies=True)
    with job_process(store, job.id) as process, room_for(workers, process.check_stop):
        process.begin()
        train_on_workers(config, problems, process, home, home.job_folder(job.id), workers)
    return Ran(store.job(job.id), store, home, folder)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, workers: Workers) -> Ran:
    return on_one(tmp_path_factory.mktemp("one"), tiny(**SETTINGS))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, workers: Workers) -> Ran:
    return on_two(tmp_path_factory.mktemp("two"), tiny(**SETTINGS), workers)


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


def test_the_run_went_on_from_its_checkpoint_after_a_worker_was_killed(two: Ran) -> None:
    assert (two.seen / "died").exists()
    assert (two.job.status, two.job.reason) == ("finished", "all 5 steps done")
    steps = Counter(scalar.step for scalar in two.store.scalars(two.job.id) if scalar.name == "reward")
    assert steps == dict.fromkeys(range(1, 6), 1)


def test_the_ledger_is_that_of_one_process(one: Ran, two: Ran) -> None:
    assert ledger(two) == ledger(one)
    counts = Counter((rollout.step, rollout.group_index) for rollout in two.store.rollouts(two.job.id))
    assert counts == {(step, group): 4 for step in range(1, 6) for group in (0, 1)}
    assert any(rollout.advantage for rollout in two.store.rollouts(two.job.id))


def test_two_processes_choose_and_replace_groups_as_one(tmp_path: Path, workers: Workers) -> None:
    choosing = {"rewards": {"often_flat": 1.0}, "sampling": "pools", "dynamic_sampling_rounds": 2, "evaluation_problems": 0}
    config = tiny(**SETTINGS | choosing)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = on_one(tmp_path / "one", config), on_two(tmp_path / "two", config, workers)
    assert ledger(two) == ledger(one)
    assert {rollout.dropped for rollout in two.store.rollouts(two.job.id)} >= {"", "flat"}
    for step in range(1, 5):
        assert difference(one, two, step) < 1e-4
        assert parameters(two.seen, step, 0) == parameters(two.seen, step, 1)


def test_two_processes_learn_from_solutions_as_one(tmp_path: Path, workers: Workers) -> None:
    """Two passes over eight problems, four a step."""
    settings = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "evaluation_problems": 3}
    config = tiny_sft(max_steps=4, evaluation_steps=2, learning_rate=1e-4, **settings)
    demo = load_problems("demo")
    problems = replace(demo, problems=(*demo.of_split("train")[:8], *demo.of_split("test")[:3]))
    losses, tokens = [], []
    for count in (1, 2):
        home, store, job = new_run(tmp_path / str(count), config)
        folder = home.job_folder(job.id)
        with job_process(store, job.id) as process, room_for(workers, process.check_stop):
            process.begin()
            if count == 1:
                train(config, problems, process, folder)
            else:
                train_on_workers(config, problems, process, home, folder, workers)
        assert store.job(job.id).reason == "all 4 steps done"
        assert [(found.label, found.problems) for found in complete_evaluations(store, job.id)] == [
            ("before", 3),
            ("step-2", 3),
            ("after", 3),
        ]
        losses.append([scalar.value for scalar in store.scalars(job.id) if scalar.name == "loss"])
        tokens.append([scalar.value for scalar in store.scalars(job.id) if scalar.name == "num_tokens"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert tokens[1] == tokens[0]


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_gradients_are_those_of_one_process(one: Ran, two: Ran, step: int) -> None:
    assert LOSS_TYPES[step - 1] in ("dapo", "grpo", "dr_grpo")
    assert difference(one, two, step) < 1e-4


def test_the_loss_by_each_devices_tokens_depends_on_the_number_of_processes(one: Ran, two: Ran) -> None:
    assert LOSS_TYPES[4] == "bnpo"
    assert difference(one, two, 5) > 1e-2


def difference(one: Ran, two: Ran, step: int) -> float:
    """Between two gradients, as a part of their length."""
    alone, shared = gradient(one.seen, step), gradient(two.seen, step)
    length = torch.linalg.vector_norm(alone)
    assert length > 0
    found = (torch.linalg.vector_norm(shared - alone) / length).item()
    print(f"step {step}, {LOSS_TYPES[step - 1]}: gradients differ by {found:.1e} of their length")
    return found


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


@pytest.mark.usefixtures("workers")
def test_a_signal_ends_both_processes_at_the_same_step_with_a_checkpoint(tmp_path: Path) -> None:
    config = tiny(**SETTINGS | {"max_steps": 100_000, "evaluation_problems": 0, "save_steps": 100_000, "source": "demo"})
    home, store, job = new_run(tmp_path, config)
    variables = os.environ | home.environment() | {"GRPO_ATLAS_WORKERS": "2", "PYTHONPATH": str(Path.cwd())}
    variables["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.cluster.worker_hooks", str(tmp_path), job.id]
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=variables, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
        try:
            while process.poll() is None and store.last_rollout_step(job.id) < 2:
                time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(300) == 0, (tmp_path / "log.txt").read_text()[-3000:]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    ended = store.job(job.id)
    assert ended.status == "stopped"
    (checkpoint,) = store.checkpoints(job.id)
    assert f"step {checkpoint.step} of" in ended.reason
    last = [max(int(path.name.split("-")[1]) for path in tmp_path.glob(f"parameters-*-rank-{rank}")) for rank in (0, 1)]
    assert last == [checkpoint.step] * 2
    counts = Counter(rollout.step for rollout in store.rollouts(job.id))
    assert counts == dict.fromkeys(range(1, checkpoint.step + 1), 8)
