"""Postgres for real: two writers at once, and a server that is stopped, crashes and comes back in the middle of a run."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import streamlit as st

from tests.app_testing import run_app, words
from tests.postgres import PASSWORD, Postgres
from tests.tiny_runs import few_problems, go_on, rewarding_length, run_to_the_end, tiny
from training.errors import StoreAwayError, StoreError, StoreLostError
from training.home import Home
from training.jobs.train.outbox import NAME
from training.jobs.train.store_callback import StoreCallback
from training.store import Store, curation

STEPS = 8


@pytest.fixture
def home(tmp_path: Path, postgres_url: str) -> Home:
    return Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_STORE": postgres_url})


@pytest.fixture
def running(postgres: Postgres) -> Iterator[Postgres]:
    """The server, running again after the test."""
    yield postgres
    postgres.stop()
    postgres.start()


def at_once(work: Callable[[int], Any], times: int = 6) -> list[Any]:
    """The results of threads that begin together."""
    begin = threading.Barrier(times)

    def run(number: int) -> Any:
        begin.wait(300)
        return work(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(run, range(times)))


def test_dashboards_that_launch_the_same_run_at_once_get_one_run(home: Home) -> None:
    stores = [Store.open(home.store_url) for _ in range(6)]
    made = at_once(lambda number: stores[number].create_job("train", "demo", {"steps": 3}))
    assert {job.id for job, _ in made} == {"demo-1"}
    assert sum(new for _, new in made) == 1
    others = at_once(lambda number: stores[number].create_job("train", "demo", {"seed": number})[0].id)
    assert sorted(others) == [f"demo-{number}" for number in range(2, 8)]


def test_processes_that_open_an_empty_database_at_once_make_its_tables_once(postgres: Postgres) -> None:
    with postgres.database() as url:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        engine.dispose()
        for store in at_once(lambda _: Store.open(url)):
            assert store.jobs() == []
            store.close()


def test_a_stop_request_and_the_end_of_a_run_do_not_overtake_each_other(home: Home) -> None:
    first, second = (Store.open(home.store_url) for _ in range(2))
    for seed in range(10):
        job_id = first.create_job("train", "demo", {"seed": seed})[0].id
        first.start(job_id)

        def act(number: int, job_id: str = job_id) -> None:
            try:
                (first.end(job_id, "finished", "done") if number else second.request_stop(job_id))
            except StoreError:
                assert not number

        at_once(act, 2)
        assert first.job(job_id).status == "finished"


def test_people_who_save_a_subset_under_one_name_at_once_get_two_versions(home: Home) -> None:
    problems = few_problems()
    stores = [Store.open(home.store_url) for _ in range(3)]
    saved = at_once(lambda number: curation.save_subset(stores[number], "mine", problems, [problems.problems[0].id], ""), 3)
    assert sorted(subset.version for subset in saved) == [1, 2, 3]


def test_a_connection_that_the_server_closed_is_replaced_without_an_error(home: Home, running: Postgres) -> None:
    store = Store.open(home.store_url)
    running.stop()
    running.start()
    assert store.jobs() == []


def test_an_absent_server_is_said_with_its_address_and_without_the_password(home: Home, running: Postgres) -> None:
    store = Store.open(home.store_url)
    running.stop(signal.SIGQUIT)
    for call in (store.jobs, lambda: store.create_job("train", "demo", {}), lambda: Store.open(home.store_url)):
        with pytest.raises(StoreAwayError, match=f"127.0.0.1:{running.port}") as raised:
            call()
        assert PASSWORD not in str(raised.value)


def test_a_database_that_was_dropped_is_lost_and_not_waited_for(home: Home, running: Postgres) -> None:
    store = Store.open(home.store_url)
    store.jobs()
    running.drop(home.store_url)
    with pytest.raises(StoreLostError):
        store.jobs()


def test_pages_say_that_the_store_is_away_and_go_on_when_it_is_back(
    home: Home, running: Postgres, dashboard_home: None
) -> None:
    test = run_app("runs")
    assert "appear here as it learns" in words(test)
    running.stop()
    test.run()
    assert not test.exception
    assert [error.value.split("\n")[0].startswith("The run store") for error in test.error] == [True]
    assert PASSWORD not in words(test)
    running.start()
    test.run()
    assert not test.error
    assert "appear here as it learns" in words(test)
    st.cache_resource.clear()


def plan(monkeypatch: pytest.MonkeyPatch, steps: dict[int, Callable[[], None]]) -> None:
    """Has something happen when steps begin, once all before them is written as far as it can be."""

    def on_step_begin(callback: StoreCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
        if act := steps.pop(state.global_step + 1, None):
            callback._recorder.flush()
            act()

    monkeypatch.setattr(StoreCallback, "on_step_begin", on_step_begin)


def ledger(store: Store, run_id: str) -> tuple[list[int], list[int]]:
    """The steps of rollouts and of rewards, as they stand in the store."""
    return [r.step for r in store.rollouts(run_id)], [s.step for s in store.scalars(run_id) if s.name == "reward"]


WHOLE = ([step for step in range(1, STEPS + 1) for _ in range(4)], [*range(1, STEPS + 1)])


def test_a_run_outlasts_a_server_that_is_away_and_nothing_is_lost_or_there_twice(
    home: Home, running: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(monkeypatch, {3: lambda: running.stop(signal.SIGQUIT), 7: running.start})
    store = Store.open(home.store_url)
    config = tiny(max_steps=STEPS, save_steps=2, save_total_limit=2, evaluation_problems=2, evaluate_before=False)
    with rewarding_length():
        run = run_to_the_end(store, home, config)
    assert (run.status, run.done) == ("finished", STEPS)
    assert ledger(store, run.id) == WHOLE
    assert [checkpoint.step for checkpoint in store.checkpoints(run.id)] == [6, 8]
    assert sorted(path.name for path in home.job_folder(run.id).glob("checkpoint-*")) == ["checkpoint-6", "checkpoint-8"]
    assert not (home.job_folder(run.id) / NAME).exists()


class Killed(BaseException):
    """Ends the training like a kill: nobody records it."""


def test_a_run_killed_while_the_server_is_away_goes_on_from_the_checkpoint_that_waits_on_its_disk(
    home: Home, running: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        raise Killed

    plan(monkeypatch, {3: lambda: running.stop(signal.SIGQUIT), 6: kill})
    monkeypatch.setattr("training.jobs.train.recorder.PATIENCE_S", 0.0)
    store = Store.open(home.store_url)
    config = tiny(max_steps=STEPS, save_steps=4)
    with rewarding_length():
        with pytest.raises(Killed):
            run_to_the_end(store, home, config)
        running.start()
        assert ledger(store, "tiny-1")[1] == [1, 2]
        assert store.checkpoints("tiny-1") == []
        monkeypatch.undo()
        store.end("tiny-1", "lost", "killed")
        store.requeue("tiny-1")
        begun = store.job("tiny-1").started_at
        run = go_on(store, home, "tiny-1", config)
    assert run.status == "finished"
    assert run.started_at != begun
    assert ledger(store, run.id) == WHOLE
    assert [checkpoint.step for checkpoint in store.checkpoints(run.id)] == [4, 8]
