"""What to expect of a run: its own arithmetic, and the pace of earlier runs like it."""

from typing import Any

import pytest

from tests.fakes import Clock, full_demo_run
from training.config import RunConfig
from training.home import Home
from training.preflight.expectation import evaluation_passes, expect
from training.store import Store
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, open_evaluation


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Store:
    return Store.open(home.store_url, clock)


def add_run(
    store: Store, clock: Clock, config: RunConfig, *, step_time_s: float, tokens: float, evaluation_s: float, steps: int = 10
) -> str:
    """A finished run that evaluated 100 problems."""
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=steps)
    store.start(job.id)
    values = {"step_time": step_time_s, "completions/mean_length": tokens}
    store.record(job.id, scalars=[(step, values) for step in range(1, steps + 1)])
    evaluation = open_evaluation(store, job.id, "before", 0, "test")
    add_items(store, evaluation, [EvaluationItem(f"test-{row}", "", {}, 1) for row in range(100)])
    clock.now += evaluation_s
    complete_evaluation(store, evaluation)
    store.end(job.id, "finished", "done")
    return job.id


def test_without_an_earlier_run_only_the_arithmetic_is_known(store: Store) -> None:
    found = expect(full_demo_run(), 2000, store)
    assert (found.completions, found.epochs, found.most_tokens) == (3200, 0.2, 512_000)
    assert found.basis == ()
    assert found.step_time_s is found.tokens is found.evaluation_s is found.total_s is None


def test_time_and_tokens_grow_with_the_completions_of_a_step(store: Store, clock: Clock) -> None:
    earlier = add_run(store, clock, full_demo_run(), step_time_s=2.0, tokens=50, evaluation_s=10)
    found = expect(full_demo_run(per_device_train_batch_size=64, max_steps=10, evaluation_problems=50), 2000, store)
    assert found.basis == (earlier,)
    assert found.step_time_s == pytest.approx(4.0)
    assert found.tokens == pytest.approx(10 * 64 * 50)
    assert found.evaluation_s == pytest.approx(2 * 50 * 0.1)
    assert found.total_s == pytest.approx(10 * 4.0 + 10)
    fewer = expect(full_demo_run(evaluation_problems=50), 2000, store, test_problems=5)
    assert fewer.evaluation_s == pytest.approx(2 * 5 * 0.1)


def test_one_slow_step_does_not_change_the_pace(store: Store, clock: Clock) -> None:
    job_id = add_run(store, clock, full_demo_run(), step_time_s=2.0, tokens=50, evaluation_s=10)
    store.record(job_id, scalars=[(11, {"step_time": 500.0})])
    assert expect(full_demo_run(), 2000, store).step_time_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    "change", [{"model": "other/model"}, {"lora_rank": 8}, {"use_vllm": True}, {"max_completion_length": 400}]
)
def test_a_run_of_another_kind_is_not_gone_by(store: Store, clock: Clock, change: dict[str, Any]) -> None:
    add_run(store, clock, full_demo_run(**change), step_time_s=2.0, tokens=50, evaluation_s=10)
    assert expect(full_demo_run(), 2000, store).basis == ()


def test_a_run_that_failed_or_has_hardly_a_step_is_not_gone_by(store: Store, clock: Clock) -> None:
    add_run(store, clock, full_demo_run(), step_time_s=2.0, tokens=50, evaluation_s=10, steps=2)
    failed = add_run(store, clock, full_demo_run(seed=7), step_time_s=2.0, tokens=50, evaluation_s=10)
    store.end(failed, "failed", "no memory")
    assert expect(full_demo_run(), 2000, store).basis == ()


def test_the_newest_runs_are_gone_by(store: Store, clock: Clock) -> None:
    ids = [add_run(store, clock, full_demo_run(), step_time_s=time_s, tokens=50, evaluation_s=10) for time_s in (9, 1, 2, 3)]
    found = expect(full_demo_run(), 2000, store)
    assert found.basis == (ids[3], ids[2], ids[1])
    assert found.step_time_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({}, 2),
        ({"evaluation_problems": 0}, 0),
        ({"evaluate_before": False}, 1),
        ({"evaluation_steps": 50}, 3),
        ({"evaluation_steps": 50, "evaluate_after": False}, 3),
        ({"evaluation_steps": 30}, 5),
    ],
)
def test_evaluations_are_counted_as_the_run_makes_them(settings: dict[str, Any], passes: int) -> None:
    assert evaluation_passes(full_demo_run(**settings)) == passes


def test_iterations_over_a_batch_generate_less(store: Store) -> None:
    found = expect(full_demo_run(num_iterations=2), 2000, store)
    assert (found.completions, found.epochs) == (1600, 0.1)
