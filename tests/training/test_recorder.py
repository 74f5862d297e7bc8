"""The ledger's writer, on real databases; a gate stands in for a slow store."""

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from training.errors import StoreError, StoreLostError
from training.groups import Rollout
from training.home import Home
from training.jobs.train.outbox import NAME, deliver_left_behind
from training.jobs.train.recorder import Recorder
from training.store import Progress, Store, schema

pytestmark = pytest.mark.both_databases


class GatedStore(Store):
    """Takes nothing while its gate is closed, and remembers the steps of each transaction."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gate = threading.Event()
        self.asked = threading.Event()
        self.transactions: list[list[int]] = []

    def record(self, job_id: str, **given: Any) -> None:
        self.asked.set()
        assert self.gate.wait(300)
        self.transactions.append([rollout.step for rollout in given["rollouts"]])
        super().record(job_id, **given)


@pytest.fixture
def url(home: Home) -> str:
    return home.store_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store(url: str) -> Store:
    return Store.open(url)


@pytest.fixture
def run_id(store: Store) -> str:
    return store.create_job("train", "demo", {})[0].id


@pytest.fixture
def slow(url: str) -> GatedStore:
    return GatedStore.open(url)  # type: ignore[return-value]


def rollout(step: int, position: int = 0) -> Rollout:
    return Rollout(step, 0, position, "train-3", "5", {"correctness": 1.0}, 1.0, 0.0, 9, "stop")


def hand_over(recorder: Recorder, step: int) -> None:
    recorder.add_rollouts([rollout(step, 0), rollout(step, 1)])
    recorder.add_scalars(step, {"reward": 1.0, "kl": None}, Progress(step, 10, "training"))


def test_everything_handed_over_is_in_the_store_in_order(store: Store, run_id: str, folder: Path) -> None:
    with Recorder(store, run_id, folder) as recorder:
        for step in range(1, 11):
            hand_over(recorder, step)
    assert [(r.step, r.position) for r in store.rollouts(run_id)] == [(step, n) for step in range(1, 11) for n in (0, 1)]
    assert [(s.step, s.name, s.value) for s in store.scalars(run_id)[-2:]] == [(10, "reward", 1.0), (10, "kl", None)]
    assert len(store.scalars(run_id)) == 20
    assert (store.job(run_id).done, store.job(run_id).total) == (10, 10)


def test_a_flush_makes_what_was_handed_over_visible_to_others(store: Store, run_id: str, url: str, folder: Path) -> None:
    with Recorder(store, run_id, folder) as recorder:
        hand_over(recorder, 1)
        recorder.flush()
        assert len(Store.open(url).rollouts(run_id)) == 2
        assert len(Store.open(url).scalars(run_id)) == 2


def test_a_slow_store_stalls_no_step_and_gets_what_gathered_in_one_transaction(
    slow: GatedStore, run_id: str, folder: Path
) -> None:
    with Recorder(slow, run_id, folder) as recorder:
        hand_over(recorder, 1)
        assert slow.asked.wait(300)
        for step in (2, 3, 4):
            hand_over(recorder, step)
        assert slow.transactions == []
        slow.gate.set()
    assert slow.transactions == [[1, 1], [2, 2, 3, 3, 4, 4]]


def test_a_step_waits_when_the_store_is_that_many_steps_behind(slow: GatedStore, run_id: str, folder: Path) -> None:
    with Recorder(slow, run_id, folder, capacity_steps=2) as recorder:
        hand_over(recorder, 1)
        hand_over(recorder, 2)
        third = threading.Thread(target=hand_over, args=(recorder, 3))
        third.start()
        third.join(0.2)
        assert third.is_alive()
        slow.gate.set()
        third.join(300)
    assert slow.last_rollout_step(run_id) == 3


def hand_over_many(recorder: Recorder) -> None:
    for step in range(1, 10_000):
        hand_over(recorder, step)


def crash_after_a_step(recorder: Recorder) -> None:
    hand_over(recorder, 1)
    raise ZeroDivisionError


def break_store(store: Store) -> None:
    """Take a table away behind the store's back, so that no step can be written any more."""
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE rollouts RENAME COLUMN completion TO other")


def steps_waiting(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / NAME).read_text().splitlines()[1:]]


def hand_over_until_asked_to_stop(recorder: Recorder) -> int:
    """How many steps that took; the last has a checkpoint."""
    step = 0
    while not recorder.stop_requested:
        step += 1
        hand_over(recorder, step)
        recorder.flush()
    recorder.add_checkpoint(step, "checkpoint")
    assert not recorder.flush()
    return step


def test_a_store_that_fails_asks_the_run_to_stop_and_what_it_has_not_got_waits_on_this_disk(
    store: Store, run_id: str, folder: Path
) -> None:
    break_store(store)
    recorder = Recorder(store, run_id, folder)
    recorder.__enter__()
    steps = hand_over_until_asked_to_stop(recorder)
    with pytest.raises(StoreError, match=rf"took no more of {run_id} \(.*rollouts.*{NAME}"):
        recorder.__exit__(None, None, None)
    assert steps_waiting(folder) == [*(n for step in range(1, steps + 1) for n in (step, step)), steps]


def test_a_store_and_a_disk_that_fail_stop_the_run_at_its_next_hand_over(store: Store, run_id: str, folder: Path) -> None:
    break_store(store)
    folder.write_text("in the way")
    with (
        pytest.raises(StoreError, match=rf"took no more of {run_id} \(.*rollouts.*{NAME} cannot be written"),
        Recorder(store, run_id, folder) as recorder,
    ):
        hand_over_many(recorder)


def test_a_failed_write_surfaces_at_a_flush_and_at_the_end(store: Store, run_id: str, folder: Path) -> None:
    break_store(store)
    folder.write_text("in the way")
    recorder = Recorder(store, run_id, folder)
    recorder.__enter__()
    hand_over(recorder, 1)
    with pytest.raises(StoreError, match="rollouts"):
        recorder.flush()
    with pytest.raises(StoreError, match="rollouts"):
        recorder.__exit__(None, None, None)


def test_a_step_that_waits_for_room_learns_that_the_store_failed(slow: GatedStore, run_id: str, folder: Path) -> None:
    break_store(slow)
    folder.write_text("in the way")
    outcome: list[BaseException] = []

    def wait_for_room(recorder: Recorder) -> None:
        try:
            hand_over(recorder, 2)
        except StoreError as error:
            outcome.append(error)

    recorder = Recorder(slow, run_id, folder, capacity_steps=1)
    recorder.__enter__()
    hand_over(recorder, 1)
    waiting = threading.Thread(target=wait_for_room, args=(recorder,))
    waiting.start()
    slow.gate.set()
    waiting.join(300)
    assert len(outcome) == 1
    with pytest.raises(StoreError):
        recorder.__exit__(None, None, None)


def test_a_run_that_crashes_leaves_its_last_steps_on_record_and_its_own_error(store: Store, run_id: str, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), Recorder(store, run_id, folder) as recorder:
        crash_after_a_step(recorder)
    assert store.last_rollout_step(run_id) == 1


def test_a_crash_is_not_hidden_by_a_store_that_fails_too(store: Store, run_id: str, folder: Path) -> None:
    break_store(store)
    with pytest.raises(ZeroDivisionError) as raised, Recorder(store, run_id, folder) as recorder:
        crash_after_a_step(recorder)
    assert "not on record either" in raised.value.__notes__[0]


def test_a_stop_request_is_known_after_the_next_write(store: Store, run_id: str, folder: Path) -> None:
    store.start(run_id)
    with Recorder(store, run_id, folder) as recorder:
        assert not recorder.stop_requested
        store.request_stop(run_id)
        hand_over(recorder, 1)
    assert recorder.stop_requested


def test_an_idle_recorder_looks_for_a_stop_request(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("training.jobs.train.recorder._LOOK_S", 0.01)
    store.start(run_id)
    with Recorder(store, run_id, folder) as recorder:
        store.request_stop(run_id)
        for _ in range(30_000):
            if recorder.stop_requested:
                break
            threading.Event().wait(0.01)
    assert recorder.stop_requested


def test_writing_a_step_again_changes_nothing(store: Store, run_id: str) -> None:
    for _ in range(2):
        store.record(run_id, rollouts=[rollout(1), rollout(1, 1)], scalars=[(1, {"reward": 1.0}), (2, {"reward": 2.0})])
    store.record(run_id, scalars=[(2, {"eval_reward": 3.0})])
    assert store.rollouts(run_id) == [rollout(1), rollout(1, 1)]
    assert [(s.step, s.name) for s in store.scalars(run_id)] == [(1, "reward"), (2, "reward"), (2, "eval_reward")]


def test_a_record_is_written_whole_or_not_at_all(store: Store, run_id: str) -> None:
    nameless: Any = {None: 1.0}
    with pytest.raises(StoreError, match="name"):
        store.record(run_id, rollouts=[rollout(1)], scalars=[(1, nameless)])
    assert store.rollouts(run_id) == []


def only_on_sqlite(home: Home) -> None:
    if not home.store_url.startswith("sqlite"):
        pytest.skip("Postgres keeps no file that could be taken away")


def steps_on_record(store: Store, run_id: str) -> tuple[list[int], list[int]]:
    return [r.step for r in store.rollouts(run_id) if r.position == 0], [
        s.step for s in store.scalars(run_id) if s.name == "reward"
    ]


def until_asked_to_stop(recorder: Recorder, step: int) -> None:
    """The steps of a run from this one on: the store is looked at beside them."""
    while not recorder.stop_requested:
        hand_over(recorder, step)
        recorder.flush()
        step += 1
    recorder.add_checkpoint(step - 1, "checkpoint")
    recorder.flush()


def test_a_run_whose_store_is_deleted_keeps_its_whole_ledger_and_an_older_copy_gets_it_once(
    store: Store, home: Home, run_id: str, folder: Path, tmp_path: Path
) -> None:
    only_on_sqlite(home)
    path = home.root / "store.db"
    store.start(run_id)
    recorder = Recorder(store, run_id, folder)
    recorder.__enter__()
    for step in (1, 2, 3):
        hand_over(recorder, step)
    recorder.flush()
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        source.backup(copy)
    for step in (4, 5):
        hand_over(recorder, step)
    recorder.flush()
    path.unlink()
    until_asked_to_stop(recorder, 6)
    with pytest.raises(StoreLostError, match=r"is gone.*resume the run"):
        recorder.__exit__(None, None, None)
    last = max(steps_waiting(folder))
    (tmp_path / "copy.db").replace(path)
    restored = Store.open(home.store_url)
    assert steps_on_record(restored, run_id) == ([1, 2, 3], [1, 2, 3])
    restored.start(run_id)
    for _ in range(2):
        deliver_left_behind(restored, run_id, folder)
        assert steps_on_record(restored, run_id) == ([*range(1, last + 1)], [*range(1, last + 1)])
    assert [checkpoint.step for checkpoint in restored.checkpoints(run_id)] == [last]
    assert restored.job(run_id).done == last


def test_what_a_copy_from_before_the_runs_session_lacks_is_delivered_to_it(
    store: Store, home: Home, run_id: str, folder: Path, tmp_path: Path
) -> None:
    only_on_sqlite(home)
    path = home.root / "store.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        source.backup(copy)
    store.start(run_id)
    recorder = Recorder(store, run_id, folder)
    recorder.__enter__()
    hand_over(recorder, 1)
    recorder.flush()
    (tmp_path / "copy.db").replace(path)
    until_asked_to_stop(recorder, 2)
    with pytest.raises(StoreLostError, match="was replaced"):
        recorder.__exit__(None, None, None)
    restored = Store.open(home.store_url)
    restored.start(run_id)
    deliver_left_behind(restored, run_id, folder)
    assert steps_on_record(restored, run_id)[0][:2] == [1, 2]


@pytest.mark.parametrize("change", ["fewer steps", "fewer scalars", "no session", "no run"])
def test_a_store_that_was_restored_from_an_older_one_ends_the_run_and_gets_no_later_step(
    store: Store, run_id: str, folder: Path, change: str
) -> None:
    changes = {
        "fewer steps": lambda: store.truncate(run_id, 1),
        "fewer scalars": lambda: forget(store, schema.scalars.c.job_id == run_id),
        "no session": lambda: forget(store, schema.sessions.c.job_id == run_id),
        "no run": lambda: forget(store, schema.jobs.c.id == run_id),
    }
    store.start(run_id)
    recorder = Recorder(store, run_id, folder)
    recorder.__enter__()
    for step in (1, 2):
        hand_over(recorder, step)
    recorder.flush()
    changes[change]()
    before = store.last_rollout_step(run_id)
    until_asked_to_stop(recorder, 3)
    with pytest.raises(StoreLostError, match="does not know all"):
        recorder.__exit__(None, None, None)
    assert store.last_rollout_step(run_id) == before
    assert steps_waiting(folder)[:2] == [3, 3]


def forget(store: Store, which: sa.ColumnElement[bool]) -> None:
    with store.writing() as connection:
        [table] = {column.table for column in sa.sql.visitors.iterate(which) if isinstance(column, sa.Column)}
        connection.execute(sa.delete(table).where(which))
