"""Leaving the queue: a queued run ends as stopped whatever has become of its process."""

import os
import subprocess
import sys

import pytest

from training.backends.local import worker_name
from training.errors import StoreError
from training.home import Home
from training.jobs.job_process import StopRequested, job_process
from training.processes import identify
from training.runs.launch import stop_run
from training.store import Store

pytestmark = pytest.mark.both_databases


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.store_url, lambda: 1000.0)  # time stands still: no run counts as lost, however slow the machine


@pytest.fixture
def run_id(store: Store) -> str:
    return store.create_job("train", "demo", {"seed": 1})[0].id


def test_a_run_whose_process_never_came_up_leaves_the_queue_at_once(store: Store, home: Home, run_id: str) -> None:
    assert "taken out of the queue" in stop_run(store, home, run_id)
    assert (store.job(run_id).status, store.job(run_id).reason) == ("stopped", "taken out of the queue")
    assert store.queue("local") == []
    with pytest.raises(StoreError, match="already stopped"):
        stop_run(store, home, run_id)


def test_a_run_whose_process_is_gone_leaves_the_queue_at_once(store: Store, home: Home, run_id: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        store.beat(run_id, worker="here", process=identify(process.pid))
        process.communicate(b"\n")
    stop_run(store, home, run_id)
    assert store.job(run_id).status == "stopped"


def test_a_run_whose_process_lives_is_asked_to_leave(store: Store, home: Home, run_id: str) -> None:
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        store.beat(run_id, worker="here", process=identify(alive.pid))
        assert "asked to leave the queue" in stop_run(store, home, run_id)
        assert store.job(run_id).status == "queued"
        assert store.stop_requested(run_id)
    finally:
        alive.communicate(b"\n")


def test_a_process_that_comes_up_while_its_run_is_withdrawn_ends_too(store: Store, home: Home, run_id: str) -> None:
    with job_process(store, run_id) as process:
        store.withdraw(run_id)  # as if the stop had come just before the process was known
        with pytest.raises(StopRequested):
            process.check_stop()
        raise StopRequested
    assert store.job(run_id).status == "stopped"


def test_a_withdrawn_run_can_be_queued_again_and_is_not_stopped_by_the_old_request(
    store: Store, home: Home, run_id: str
) -> None:
    stop_run(store, home, run_id)
    store.requeue(run_id)
    assert not store.stop_requested(run_id)
    with job_process(store, run_id) as process:
        process.check_stop()
        process.begin()
    assert store.job(run_id).status == "finished"


def test_a_run_at_work_is_asked_to_stop_and_cannot_be_withdrawn(store: Store, home: Home, run_id: str) -> None:
    store.beat(run_id, worker=worker_name())
    store.start(run_id)
    assert f":{os.getpid()}" in store.job(run_id).worker
    with pytest.raises(StoreError, match="Only queued jobs can be withdrawn"):
        store.withdraw(run_id)
    assert "ends at its next step" in stop_run(store, home, run_id)
    assert store.job(run_id).status == "stopping"
