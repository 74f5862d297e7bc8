"""Where a step's time goes: what a watch adds up, and what a real run has on record of it."""

from typing import Any

import pytest

from tests.tiny_runs import go_on, tiny, tiny_sft
from training.config import StageConfig
from training.home import Home
from training.jobs.train.step_times import scalars
from training.jobs.train.stopwatch import PARTS, Stopwatch
from training.store import Job, Store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that is told, oldest first."""
    times: list[float] = []
    monkeypatch.setattr("training.jobs.train.stopwatch.time.perf_counter", lambda: times.pop(0))
    return times


def test_a_watch_adds_up_what_each_part_took_and_begins_anew(clock: list[float]) -> None:
    clock += [0.0, 2.0, 2.0, 2.5, 10.0, 11.0]
    watch = Stopwatch()
    with watch.part("generate"):
        pass
    with watch.part("reward"):
        pass
    with pytest.raises(ValueError, match="fails"), watch.part("generate"):
        raise ValueError("what fails took its time too")

    watch.tokens += 7
    assert watch.read() == ({"generate": 3.0, "reward": 0.5}, 7)
    assert watch.read() == ({}, 0)


def test_each_process_has_scalars_of_its_own() -> None:
    assert scalars([{"generate": 1.0}, {"generate": 2.0, "wait": 0.5}]) == {
        "time/generate": 1.0,
        "time/1/generate": 2.0,
        "time/1/wait": 0.5,
    }


@pytest.mark.parametrize("changes", [{}, {"method": "rloo"}, {"dynamic_sampling_rounds": 1}])
def test_every_step_of_a_run_says_where_its_time_went(store: Store, home: Home, changes: dict[str, Any]) -> None:
    job = run(store, home, tiny(**changes))

    by_step = logged(store, job.id)
    assert sorted(by_step) == [1, 2]
    for values in by_step.values():
        parts = [values[f"time/{part}"] for part in PARTS]
        assert all(seconds >= 0 for seconds in parts)
        assert values["time/generate"] > values["time/reward"] > 0
        assert values["step_time"] <= sum(parts) * 1.001
        assert values["time/generated_tokens_per_s"] > 0


def test_generations_that_serve_two_steps_are_in_the_time_of_the_first(store: Store, home: Home) -> None:
    job = run(store, home, tiny(num_iterations=2))

    by_step = logged(store, job.id)
    assert by_step[1]["time/generate"] > 0
    assert "time/generate" not in by_step[2]


def test_fine_tuning_has_no_parts(store: Store, home: Home) -> None:
    job = run(store, home, tiny_sft())

    assert not [name for values in logged(store, job.id).values() for name in values if name.startswith("time/")]


def run(store: Store, home: Home, config: StageConfig) -> Job:
    """A run of two steps that evaluates nothing."""
    created, _ = store.create_job("train", "tiny", config.model_dump(mode="json"))
    return go_on(store, home, created.id, config.model_copy(update={"evaluation_problems": 0}))


def logged(store: Store, job_id: str) -> dict[int, dict[str, float]]:
    by_step: dict[int, dict[str, float]] = {}
    for scalar in store.scalars(job_id):
        if scalar.value is not None:
            by_step.setdefault(scalar.step, {})[scalar.name] = scalar.value
    return by_step
