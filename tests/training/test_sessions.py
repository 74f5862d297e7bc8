"""When a run was at work, and what a list of runs reads of many at once."""

import numpy as np
import pytest

from tests.fakes import Clock
from training.home import Home
from training.store import Store
from training.store.overview import POINTS, reward_sparklines
from training.store.sessions import Session, elapsed_s, sessions_of, worked_s

pytestmark = pytest.mark.both_databases


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Store:
    return Store.open(home.store_url, clock)


def test_a_start_opens_a_session_and_the_end_closes_it(store: Store, clock: Clock) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    assert sessions_of(store, [run_id]) == {}
    store.start(run_id)
    clock.now = 1060.0
    assert sessions_of(store, [run_id]) == {run_id: [Session(1000.0, None)]}
    store.end(run_id, "stopped", "stopped on request")
    clock.now = 5000.0
    store.requeue(run_id)
    store.start(run_id)
    assert sessions_of(store, [run_id]) == {run_id: [Session(1000.0, 1060.0), Session(5000.0, None)]}
    assert worked_s(sessions_of(store, [run_id])[run_id], last_heartbeat=5010.0) == 70.0


def test_the_session_of_a_run_whose_process_is_gone_ends_with_its_last_heartbeat(store: Store, clock: Clock) -> None:
    run_id = store.create_job("train", "demo", {})[0].id
    store.start(run_id)
    clock.now = 1030.0
    store.beat(run_id)
    clock.now = 9000.0
    assert store.job(run_id).status == "lost"
    store.requeue(run_id)
    assert sessions_of(store, [run_id]) == {run_id: [Session(1000.0, 1030.0)]}


def test_time_at_work_leaves_out_pauses_and_what_was_done_again() -> None:
    worked = [Session(100.0, 160.0), Session(1000.0, None)]
    times = np.array([110.0, 120.0, 1015.0, 1025.0])  # the first session's last steps were forgotten
    assert elapsed_s(times, worked).tolist() == [10.0, 20.0, 35.0, 45.0]
    assert elapsed_s(times[:2], []).tolist() == [0.0, 10.0]
    assert elapsed_s(times[:0], worked).tolist() == []


@pytest.mark.parametrize(
    ("times", "worked", "elapsed"),
    [
        ([5010.0, 5020.0, 1410.0, 1420.0], [Session(5000.0, None)], [10.0, 20.0, 20.0, 30.0]),
        ([5010.0, 5020.0, 1410.0, 1420.0], [Session(5000.0, 5020.0), Session(1400.0, None)], [10.0, 20.0, 30.0, 40.0]),
        (
            [5010.0, 5020.0, 5025.0],
            [Session(5000.0, 5020.0), Session(1400.0, 1401.0), Session(5022.0, None)],
            [10.0, 20.0, 23.0],
        ),
        ([10.0, 20.0], [Session(5000.0, None)], [0.0, 10.0]),
    ],
)
def test_a_clock_that_was_set_back_makes_no_time_negative_and_none_vanish(
    times: list[float], worked: list[Session], elapsed: list[float]
) -> None:
    assert elapsed_s(np.array(times), worked).tolist() == elapsed
    assert worked_s(worked, last_heartbeat=0.0) >= 0


def test_sparklines_of_all_runs_are_thinned_means_of_the_total_reward(store: Store) -> None:
    ids = [store.create_job("train", "demo", {"seed": seed})[0].id for seed in range(3)]
    for run_id, steps in zip(ids, (2, 1000, 0), strict=True):
        store.record(run_id, scalars=[(step, {"reward": step / 10, "kl": 99.0}) for step in range(1, steps + 1)])
        store.progress(run_id, steps, 1000, "training")
    found = reward_sparklines(store, ids)
    assert found.keys() == set(ids[:2])
    assert found[ids[0]] == pytest.approx([0.1, 0.2])
    long = found[ids[1]]
    assert len(long) == POINTS
    assert long == sorted(long)
    assert (long[0], long[-1]) == (pytest.approx(1.25, abs=0.5), pytest.approx(98.75, abs=0.5))
    assert reward_sparklines(store, []) == {}
