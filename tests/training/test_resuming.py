"""Resumed runs against runs that were not interrupted, and full disks: TRL in this process on the demo model."""

import json
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import record_evaluation
from tests.tiny_runs import rewarding_length, tiny
from training.config import RunConfig
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.errors import CheckpointError
from training.groups import Rollout
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.train.stage import train
from training.jobs.train.store_callback import StoreCallback
from training.models.checkpoints import checkpoint_to_resume
from training.models.checksums import NAME
from training.runs import launch
from training.store import Store
from training.store.evaluations import complete_evaluations

STEPS = 6
CONFIG = tiny(precision="float32", max_steps=STEPS, save_total_limit=3)
"""Hot sampling, a large learning rate and a reward of the length: weights, optimiser and every random number show."""

Train = Callable[..., None]


class NoProcesses:
    """A backend that starts nothing; the test is the process."""

    def submit(self, job: Any, command: Any) -> None:
        pass

    def status(self, job: Any) -> str:
        return "gone"


@pytest.fixture(autouse=True)
def length_is_rewarded() -> Iterator[None]:
    with rewarding_length():
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def store(home: Home) -> Store:
    return Store.open(home.store_url)


@pytest.fixture(scope="module")
def problems() -> ProblemSet:
    """Five train problems, two a step: a pass over the data takes two steps."""
    demo = load_problems("demo")
    return replace(demo, problems=demo.of_split("train")[:5])


def create(store: Store, name: str) -> str:
    return store.create_job("train", name, {})[0].id


@pytest.fixture
def training(store: Store, home: Home, problems: ProblemSet, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`training(run_id, stop_at=2)` trains as the run's process until it ends, or until it is asked to stop in step 2."""
    monkeypatch.setattr(launch, "backend_named", lambda name, home: NoProcesses())

    def run(run_id: str, config: RunConfig = CONFIG, *, stop_at: int = 0) -> None:
        def on_step_begin(callback: StoreCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
            callback._process.signalled = state.global_step + 1 == stop_at

        monkeypatch.setattr(StoreCallback, "on_step_begin", on_step_begin)
        with job_process(store, run_id) as process:
            process.begin()
            train(config, problems, process, home.job_folder(run_id))

    return run


@pytest.fixture(scope="module")
def whole(store: Store) -> dict[int, str]:
    """num_iterations -> a run that was not interrupted; filled on first use."""
    return {}


def uninterrupted(whole: dict[int, str], store: Store, training: Train, iterations: int = 1) -> str:
    if iterations not in whole:
        whole[iterations] = create(store, f"whole-{iterations}")
        training(whole[iterations], CONFIG.model_copy(update={"num_iterations": iterations}))
    return whole[iterations]


def ledger(store: Store, run_id: str) -> list[Rollout]:
    return store.rollouts(run_id)


def learning(store: Store, run_id: str) -> list[tuple[int, str, float | None]]:
    measured = ("step_time", "system/", "time/")
    return [(s.step, s.name, s.value) for s in store.scalars(run_id) if not s.name.startswith(measured)]


def folders(home: Home, run_id: str) -> list[str]:
    return sorted(path.name for path in home.job_folder(run_id).glob("checkpoint-*"))


@pytest.mark.parametrize(("iterations", "stop_at"), [(1, 2), (1, 3), (2, 3)])
def test_a_resumed_run_is_the_run_that_was_not_interrupted(
    iterations: int, stop_at: int, whole: dict[int, str], store: Store, home: Home, training: Train
) -> None:
    """Stops at the end of a pass over the data, within the second pass, and between two uses of one generation batch."""
    expected = uninterrupted(whole, store, training, iterations)
    config = CONFIG.model_copy(update={"num_iterations": iterations})
    run_id = create(store, f"stopped-{iterations}-{stop_at}")
    training(run_id, config, stop_at=stop_at)
    assert store.job(run_id).status == "stopped"
    assert store.checkpoints(run_id)[-1].step == stop_at
    launch.resume_run(store, home, run_id)
    training(run_id, config)
    assert store.job(run_id).reason == f"all {STEPS} steps done"
    assert ledger(store, run_id) == ledger(store, expected)
    assert learning(store, run_id) == learning(store, expected)
    assert any(rollout.advantage for rollout in ledger(store, run_id) if rollout.step <= stop_at), "nothing was learnt before"


def test_the_ledger_has_each_step_once(whole: dict[int, str], store: Store, training: Train) -> None:
    rollouts = ledger(store, uninterrupted(whole, store, training))
    places = [(step, group, position) for step in range(1, STEPS + 1) for group in (0, 1) for position in (0, 1)]
    assert [(r.step, r.group_index, r.position) for r in rollouts] == places


def test_a_chosen_checkpoint_forgets_what_came_after_it(
    whole: dict[int, str], store: Store, home: Home, training: Train
) -> None:
    expected = uninterrupted(whole, store, training)
    run_id = create(store, "chosen")
    training(run_id, stop_at=5)
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)] == [2, 4, 5]
    for step in (0, 2, 4):
        record_evaluation(store, run_id, f"step-{step}", step, "test", [])
    launch.resume_run(store, home, run_id, step=2)
    assert store.last_rollout_step(run_id) == store.scalars(run_id)[-1].step == 2
    assert [evaluation.step for evaluation in complete_evaluations(store, run_id)] == [0, 2]
    training(run_id, stop_at=3)
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)] == [2, 3]
    assert folders(home, run_id) == ["checkpoint-2", "checkpoint-3"]
    assert ledger(store, run_id) == [rollout for rollout in ledger(store, expected) if rollout.step <= 3]


def test_a_run_killed_after_its_last_step_is_not_trained_a_step_more(
    whole: dict[int, str], store: Store, home: Home, training: Train
) -> None:
    run_id = uninterrupted(whole, store, training)
    before = ledger(store, run_id)
    store.end(run_id, "failed", "killed while the trained model was evaluated")
    launch.resume_run(store, home, run_id)
    training(run_id)
    assert store.job(run_id).reason == f"all {STEPS} steps done"
    assert ledger(store, run_id) == before


def test_old_checkpoints_leave_the_disk_and_the_record_together(store: Store, home: Home, training: Train) -> None:
    run_id = create(store, "limited")
    training(run_id, CONFIG.model_copy(update={"max_steps": 3, "save_steps": 1, "save_total_limit": 1}))
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)] == [3]
    assert folders(home, run_id) == ["checkpoint-3"]


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Lets this process write no file above a size, as a full disk would cut it off, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("full_at", ["model.safetensors", "optimizer.pt"])
def test_a_disk_that_is_full_during_a_checkpoint_keeps_the_one_before(
    full_at: str,
    whole: dict[int, str],
    store: Store,
    home: Home,
    training: Train,
    file_size_limit: Callable[[int], None],
) -> None:
    expected = uninterrupted(whole, store, training)
    run_id = create(store, f"full-{full_at}")
    one_kept = CONFIG.model_copy(update={"save_total_limit": 1})
    training(run_id, one_kept, stop_at=2)
    checkpoint = Path(store.checkpoints(run_id)[0].path)

    launch.resume_run(store, home, run_id)
    file_size_limit((checkpoint / full_at).stat().st_size - 1024)
    with pytest.raises(CheckpointError, match="checkpoint-4 could not be saved"):
        training(run_id, one_kept)
    file_size_limit(resource.RLIM_INFINITY)
    failed = store.job(run_id)
    assert failed.status == "failed"
    assert "Make room, then resume the run" in failed.reason
    assert [found.step for found in store.checkpoints(run_id)] == [2]
    assert folders(home, run_id) == ["checkpoint-2"]
    assert store.last_rollout_step(run_id) == 4

    launch.resume_run(store, home, run_id)
    training(run_id, one_kept)
    assert ledger(store, run_id) == ledger(store, expected)


def test_a_checkpoint_holds_all_that_a_resume_asks_for(whole: dict[int, str], store: Store, training: Train) -> None:
    run_id = uninterrupted(whole, store, training)
    last = store.checkpoints(run_id)[-1]
    assert checkpoint_to_resume(store, run_id) == last
    assert {path.name for path in Path(last.path).iterdir()} - set(json.loads((Path(last.path) / NAME).read_text())) == {NAME}
