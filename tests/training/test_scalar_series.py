"""A run's scalars as arrays, on a real SQLite file."""

import pytest

from training.store import Store
from training.store.scalar_series import RunSeries, series_names

pytestmark = pytest.mark.both_databases


@pytest.fixture
def run_id(store: Store) -> str:
    run_id = store.create_job("train", "demo", {})[0].id
    store.record(run_id, scalars=[(step, {"reward": step / 2, "kl": None}) for step in (1, 2, 3)])
    return run_id


def values(series: RunSeries, store: Store, name: str = "reward") -> list[tuple[int, float]]:
    series.update(store)
    return list(zip(*(part.tolist() for part in series.get(store, name)), strict=True))


def test_steps_without_a_value_are_left_out_and_an_unknown_name_has_none(store: Store, run_id: str) -> None:
    series = RunSeries(run_id)
    assert values(series, store) == [(1, 0.5), (2, 1.0), (3, 1.5)]
    assert values(series, store, "kl") == []
    assert values(series, store, "nothing") == []
    assert series_names(store, run_id) == ["kl", "reward"]


def test_what_is_recorded_later_is_appended_and_other_runs_are_left_out(store: Store, run_id: str) -> None:
    series = RunSeries(run_id)
    values(series, store)
    other = store.create_job("train", "demo", {"seed": 1})[0].id
    store.record(other, scalars=[(4, {"reward": 9.0})])
    store.record(run_id, scalars=[(4, {"reward": 2.0}), (5, {"reward": None}), (6, {"reward": 3.0})])
    assert values(series, store)[2:] == [(3, 1.5), (4, 2.0), (6, 3.0)]


def test_a_series_asked_for_later_ends_where_the_others_do(store: Store, run_id: str) -> None:
    series = RunSeries(run_id)
    values(series, store)
    store.record(run_id, scalars=[(4, {"reward": 2.0, "loss": 1.0})])
    assert series.get(store, "loss")[0].tolist() == []
    assert values(series, store, "loss") == [(4, 1.0)]


def test_a_step_written_again_has_its_new_value(store: Store, run_id: str) -> None:
    series = RunSeries(run_id)
    values(series, store)
    store.record(run_id, scalars=[(2, {"reward": 7.0})])
    assert values(series, store) == [(1, 0.5), (2, 7.0), (3, 1.5)]
    store.record(run_id, scalars=[(3, {"reward": 8.0})])
    assert values(series, store) == [(1, 0.5), (2, 7.0), (3, 8.0)]


@pytest.mark.parametrize("steps_again", [(), (2,), (2, 3, 4)])
def test_a_resumed_run_that_went_back_is_read_anew(store: Store, run_id: str, steps_again: tuple[int, ...]) -> None:
    series = RunSeries(run_id)
    values(series, store)
    store.truncate(run_id, after_step=1)
    store.record(run_id, scalars=[(step, {"reward": 10.0 * step}) for step in steps_again])
    assert values(series, store) == [(1, 0.5), *((step, 10.0 * step) for step in steps_again)]
