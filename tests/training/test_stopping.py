"""A stop is a request; where the end does not come, force follows after a grace, whoever looks first."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.fakes import Clock
from training.backends import local
from training.backends.local import end_overdue
from training.errors import BackendError, StoreError, StoreFailedError
from training.home import Home
from training.processes import identify, state_of
from training.runs.launch import stop_run
from training.store import Job, Store

pytestmark = pytest.mark.both_databases

STUCK = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); input()"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Iterator[Store]:
    opened = Store.open(home.store_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """With a grace of 60 s, after which there is hardly another."""
    monkeypatch.setattr(local, "FORCE_GRACE_S", 0.2)
    return replace(home, stop_grace_s=60)


@pytest.fixture
def stuck(store: Store) -> Iterator[Job]:
    """A run at work whose process heeds nothing."""
    command = [sys.executable, "-c", STUCK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        job = store.create_job("train", "demo", {})[0]
        store.beat(job.id, worker="here", process=identify(process.pid))
        store.start(job.id)
        yield store.job(job.id)
        process.kill()


def test_a_stuck_run_is_ended_by_force_at_once_if_that_is_asked_for(store: Store, home: Home, stuck: Job) -> None:
    told = stop_run(store, home, stuck.id, force=True)
    ended = store.job(stuck.id)
    assert (ended.status, ended.reason) == ("stopped", "ended by force")
    assert told == f"demo-1 is stopped: {ended.reason}."
    assert state_of(stuck.process) == "gone"
    assert (store.asked_to_stop("local"), store.stop_requested(stuck.id)) == ([], False)
    with pytest.raises(StoreError, match="already stopped"):
        stop_run(store, home, stuck.id, force=True)


def test_a_store_that_takes_nothing_keeps_nobody_from_ending_a_stuck_run(
    store: Store, home: Home, stuck: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, job_id: str, *, force: bool = False) -> None:
        raise StoreFailedError("The run store cannot be written (disk full).", "Free some space.")

    monkeypatch.setattr(Store, "request_stop", full)
    with pytest.raises(StoreFailedError, match="disk full"):
        stop_run(store, home, stuck.id, force=True)
    assert (store.job(stuck.id).status, state_of(stuck.process)) == ("lost", "gone")


def test_a_stuck_run_is_ended_by_force_when_it_gets_nowhere_for_the_grace(
    store: Store, home: Home, clock: Clock, stuck: Job
) -> None:
    stop_run(store, home, stuck.id)
    for later_s in (0, 59):
        clock.now = 1000.0 + later_s
        end_overdue(store, home)
        assert (store.job(stuck.id).status, state_of(stuck.process)) == ("stopping", "alive")
    store.progress(stuck.id, 1, 2, "saving a checkpoint")
    clock.now += 59
    end_overdue(store, home)
    assert state_of(stuck.process) == "alive"
    clock.now += 1
    end_overdue(store, home)
    ended = store.job(stuck.id)
    assert (ended.status, ended.reason) == ("stopped", "ended by force: asked to stop, it showed no progress for 60 s")
    assert (state_of(stuck.process), store.asked_to_stop("local")) == ("gone", [])
    assert store.requeue(stuck.id).status == "queued"


def test_a_run_that_was_not_asked_to_stop_is_never_ended(store: Store, home: Home, clock: Clock, stuck: Job) -> None:
    clock.now += 86_400
    end_overdue(store, home)
    assert (store.job(stuck.id).status, state_of(stuck.process)) == ("running", "alive")


@pytest.mark.parametrize("got_on", [False, True])
def test_the_grace_begins_anew_where_the_clock_was_set_back(
    got_on: bool, store: Store, home: Home, clock: Clock, stuck: Job
) -> None:
    stop_run(store, home, stuck.id)
    if got_on:
        store.progress(stuck.id, 1, 2, "saving a checkpoint")
    clock.now -= 900
    for seconds, state in ((0, "alive"), (59, "alive"), (1, "gone")):
        clock.now += seconds
        end_overdue(store, home)
        assert state_of(stuck.process) == state
    assert store.job(stuck.id).status == "stopped"


def test_whoever_comes_next_finishes_an_end_by_force(store: Store, home: Home, stuck: Job) -> None:
    store.request_stop(stuck.id, force=True)  # and then was killed
    end_overdue(store, home)
    assert (store.job(stuck.id).status, state_of(stuck.process)) == ("stopped", "gone")


def test_a_killed_process_whose_end_by_force_had_begun_counts_as_stopped(store: Store, home: Home, stuck: Job) -> None:
    store.request_stop(stuck.id, force=True)
    local.end(stuck.process, 0)
    assert store.job(stuck.id).status == "lost"
    end_overdue(store, home)
    assert (store.job(stuck.id).status, store.asked_to_stop("local")) == ("stopped", [])


def test_a_lost_run_can_be_stopped_and_then_counts_as_stopped(store: Store, home: Home, stuck: Job) -> None:
    local.end(stuck.process, 0)
    end_overdue(store, home)
    assert store.job(stuck.id).status == "lost"
    stop_run(store, home, stuck.id)
    assert (store.job(stuck.id).status, store.job(stuck.id).reason) == (
        "stopped",
        "its process was gone when it was asked to stop",
    )


def test_a_queued_run_whose_process_does_not_come_up_is_ended_by_force(store: Store, home: Home, stuck: Job) -> None:
    store.end(stuck.id, "stopped", "")
    job = store.requeue(stuck.id)
    store.set_process(job, stuck.process)
    assert store.job(stuck.id).status == "queued"
    stop_run(store, home, stuck.id, force=True)
    assert (store.job(stuck.id).status, state_of(stuck.process)) == ("stopped", "gone")


def test_a_process_elsewhere_is_asked_and_not_ended_from_here(store: Store, home: Home, clock: Clock, stuck: Job) -> None:
    there = stuck.process.replace(stuck.process.partition("|")[0], "elsewhere", 1)
    store.beat(stuck.id, worker="elsewhere:7", process=there)
    with pytest.raises(BackendError, match=r"elsewhere:7.*cannot be ended from here"):
        stop_run(store, home, stuck.id, force=True)
    assert (store.job(stuck.id).status, store.stop_requested(stuck.id)) == ("stopping", True)
    clock.now += 10_000
    end_overdue(store, home)
    assert (store.job(stuck.id).status, state_of(stuck.process)) == ("lost", "alive")
    assert "is lost; should its process (elsewhere:7) still live" in stop_run(store, home, stuck.id)
    assert store.stop_requested(stuck.id)


def test_the_process_of_a_later_attempt_is_not_taken_for_an_earlier_one(store: Store, stuck: Job) -> None:
    store.end(stuck.id, "stopped", "")
    before = store.requeue(stuck.id)
    store.end(stuck.id, "stopped", "")
    now = store.requeue(stuck.id)
    store.set_process(before, "an earlier one")
    assert store.job(stuck.id).process == ""
    store.set_process(now, "its own")
    store.set_process(now, "another")
    assert store.job(stuck.id).process == "its own"
