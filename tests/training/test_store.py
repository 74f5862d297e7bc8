"""The store's contract, on a real SQLite file and on a real Postgres."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fakes import Clock, record_evaluation
from training.errors import StoreError
from training.groups import Rollout
from training.home import Home
from training.insight.rollout_pages import Asked, rollout_page
from training.store import LOST_AFTER_S, Store, schema
from training.store.answer_marks import mark_answer, marked_answers
from training.store.evaluations import EvaluationItem, complete_evaluations, open_evaluation
from training.store.ledger import group_outcomes
from training.store.run_marks import Marks, marks_of, set_marks
from training.store.run_table import standings

pytestmark = pytest.mark.both_databases


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Store:
    return Store.open(home.store_url, clock)


def rollout(step: int, position: int = 0) -> Rollout:
    return Rollout(
        step, 0, position, "train-3", "<answer>5</answer>", {"correctness": 1.0, "integer": None}, 1.0, 0.5, 9, "stop"
    )


def test_ids_count_up_within_a_name(store: Store) -> None:
    ids = [store.create_job("train", name, {"n": n})[0].id for n, name in enumerate(["demo", "demo", "demo-2", "demo"])]
    assert ids == ["demo-1", "demo-2", "demo-2-1", "demo-3"]


def test_an_equal_active_job_is_not_made_twice(store: Store) -> None:
    first, new = store.create_job("train", "demo", {"steps": 3})
    assert new
    assert store.create_job("train", "demo", {"steps": 3}) == (first, False)
    store.end(first.id, "finished", "done")
    assert store.create_job("train", "demo", {"steps": 3})[0].id == "demo-2"


def test_a_job_goes_from_queued_to_its_end(store: Store, clock: Clock) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    assert store.job(job_id).status == "queued"
    store.start(job_id)
    store.progress(job_id, 3, 10, "training")
    running = store.job(job_id)
    assert (running.status, running.fraction, running.message) == ("running", 0.3, "training")
    clock.now += 5
    store.end(job_id, "finished", "all 10 steps done")
    ended = store.job(job_id)
    assert (ended.status, ended.reason, ended.ended_at, ended.active) == ("finished", "all 10 steps done", 1005.0, False)


def test_a_job_without_heartbeat_is_lost_until_it_beats_again(store: Store, clock: Clock) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    store.start(job_id)
    clock.now += LOST_AFTER_S
    assert store.job(job_id).status == "running"
    clock.now += 1
    lost = store.job(job_id)
    assert lost.status == "lost"
    assert "no heartbeat for 21 s" in lost.reason
    store.beat(job_id)
    assert store.job(job_id).status == "running"


def test_a_stop_request_is_seen_once_and_handled_by_the_end(store: Store) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    store.start(job_id)
    assert not store.stop_requested(job_id)
    store.request_stop(job_id)
    store.request_stop(job_id)
    assert store.job(job_id).status == "stopping"
    assert store.stop_requested(job_id)
    store.end(job_id, "stopped", "on request")
    assert not store.stop_requested(job_id)
    with pytest.raises(StoreError, match="already stopped"):
        store.request_stop(job_id)


def test_only_ended_unfinished_jobs_can_be_queued_again(store: Store, clock: Clock) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    with pytest.raises(StoreError, match="is queued and cannot be resumed"):
        store.requeue(job_id)
    store.start(job_id)
    clock.now += LOST_AFTER_S + 1
    assert store.requeue(job_id).status == "queued"
    store.end(job_id, "finished", "done")
    with pytest.raises(StoreError, match="is finished"):
        store.requeue(job_id)


@pytest.mark.parametrize("set_back_s", [21, 3600, 10**9])
def test_a_heartbeat_from_the_future_is_as_old_as_one_from_the_past(store: Store, clock: Clock, set_back_s: float) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    store.beat(job_id, worker="elsewhere:7")
    store.start(job_id)
    clock.now -= 20
    assert store.job(job_id).status == "running"
    clock.now -= set_back_s - 20
    assert store.job(job_id).status == "lost"
    assert f"{set_back_s:,} s after now" in store.job(job_id).reason
    assert store.requeue(job_id).status == "queued"
    assert store.job(job_id).status == "queued"


def test_the_step_to_go_on_from_is_known_though_the_clock_was_set_back(store: Store, clock: Clock) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    store.start(job_id)
    began = clock.now
    clock.now -= 900
    store.resume_at(job_id, 40)
    assert store.chosen_step(job_id, since=began) == 40


def test_a_database_on_a_server_tells_the_time_whatever_the_machines_clock_is_set_to(
    home: Home, store_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = time.time()
    monkeypatch.setattr(time, "time", lambda: before - 86_400.0)
    now = Store.open(home.store_url).now()
    if store_kind == "postgres":
        assert abs(now - before) < 3600
    else:
        assert now == before - 86_400.0


def test_the_queue_is_in_submission_order_without_the_lost(store: Store, clock: Clock) -> None:
    store.create_job("train", "lost", {}, accelerator=True)
    clock.now += LOST_AFTER_S + 1
    store.create_job("train", "first", {}, accelerator=True)
    store.create_job("build", "map", {})
    store.create_job("evaluate", "second", {}, accelerator=True)
    assert [job.id for job in store.queue("local")] == ["first-1", "second-1"]


def test_scalars_are_read_after_a_cursor(store: Store) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    store.record(job_id, scalars=[(1, {"reward": 0.5, "kl": None})])
    first = store.scalars(job_id)
    assert [(scalar.step, scalar.name, scalar.value) for scalar in first] == [(1, "reward", 0.5), (1, "kl", None)]
    store.record(job_id, scalars=[(2, {"reward": 0.6})])
    assert [scalar.value for scalar in store.scalars(job_id, after=first[-1].seq)] == [0.6]
    assert store.last_scalar(job_id) == store.scalars(job_id)[-1].seq


def test_rollouts_come_back_as_written(store: Store) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    written = [rollout(1), rollout(1, 1), rollout(2)]
    store.record(job_id, rollouts=written)
    assert store.rollouts(job_id) == written
    assert store.rollouts(job_id, step=2) == [rollout(2)]
    assert store.last_rollout_step(job_id) == 2


def test_text_of_any_characters_comes_back_and_is_found(store: Store) -> None:
    texts = ["a null \x00 in it", "half a pair \ud83d of two", "\ufdd00000 and \ufdd0", "50%_\\ Naïve 山"]
    job_id = store.create_job("train", "demo", {"system_prompt": "\x00"})[0].id
    store.record(job_id, rollouts=[replace(rollout(1, place), completion=text) for place, text in enumerate(texts)])
    assert [found.completion for found in store.rollouts(job_id)] == texts
    assert store.job(job_id).spec == {"system_prompt": "\x00"}
    for asked, found in (("NULL \x00", 0), ("\ud83d", 1), ("\ufdd0", 2), ("%_\\ na", 3)):
        assert texts[found] in [r.completion for r in rollout_page(store, job_id, Asked(text=asked)).rollouts]


def test_a_number_that_is_not_finite_is_kept_as_none(store: Store) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    odd = replace(rollout(1), rewards={"correctness": float("nan"), "integer": 0.5}, total=float("inf"))
    store.record(job_id, rollouts=[odd], scalars=[(1, {"kl": float("inf"), "reward": float("nan")})])
    assert store.rollouts(job_id) == [replace(odd, rewards={"correctness": None, "integer": 0.5}, total=None)]
    assert [scalar.value for scalar in store.scalars(job_id)] == [None, None]


def test_truncate_forgets_what_a_resumed_run_will_write_again(store: Store) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    for step in (1, 2, 3):
        store.record(job_id, scalars=[(step, {"reward": 1.0})])
        store.record(job_id, rollouts=[rollout(step)])
        store.add_checkpoint(job_id, step, f"checkpoint-{step}")
    store.truncate(job_id, after_step=2)
    assert [scalar.step for scalar in store.scalars(job_id)] == [1, 2]
    assert store.last_rollout_step(job_id) == 2
    assert [checkpoint.step for checkpoint in store.checkpoints(job_id)] == [1, 2]


def test_an_unknown_run_is_an_error_with_a_remedy(store: Store) -> None:
    for call in (store.job, store.start, store.request_stop, store.requeue):
        with pytest.raises(StoreError, match="There is no run 'nobody'"):
            call("nobody")


def test_many_writers_and_readers_share_one_store(home: Home) -> None:
    url = home.store_url
    job_id = Store.open(url).create_job("train", "demo", {})[0].id
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            mine = Store.open(url)
            for step in range(20):
                mine.record(job_id, scalars=[(step, {f"writer-{number}": 1.0})])
                mine.scalars(job_id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(Store.open(url).scalars(job_id)) == 120


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/store.db", "nonsense", "oracle+nothing://host/db"])
def test_a_store_that_cannot_be_opened_names_the_setting(url: str) -> None:
    with pytest.raises(StoreError, match="GRPO_ATLAS_STORE"):
        Store.open(url)


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(StoreError) as raised:
        Store.open("nonsense://user:secret@host/db")
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("something else entirely, not a database at all")
    with pytest.raises(StoreError):
        Store.open(f"sqlite:///{path}")
    assert path.read_text().startswith("something else")


def test_a_newer_database_is_refused(store: Store, home: Home) -> None:
    with store.writing() as connection:
        connection.execute(schema.schema_versions.insert().values(version=99, applied_at=0))
    with pytest.raises(StoreError, match="schema version 99"):
        Store.open(home.store_url)


def test_a_migration_and_its_record_are_one_transaction(store: Store) -> None:
    def tag(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN tag TEXT"))

    def broken(connection: sa.Connection) -> None:
        tag(connection)
        raise RuntimeError("half way")

    def columns_and_version() -> tuple[bool, int]:
        with store.reading() as connection:
            names = [column["name"] for column in sa.inspect(connection).get_columns("jobs")]
            return "tag" in names, connection.scalar(sa.select(sa.func.max(schema.schema_versions.c.version)))

    next_version = schema.VERSION + 1
    with pytest.raises(RuntimeError), store._writer.begin() as connection:
        schema.migrate(connection, 0.0, {next_version: broken}, next_version)
    assert columns_and_version() == (False, schema.VERSION)
    with store._writer.begin() as connection:
        assert schema.migrate(connection, 0.0, {next_version: tag}, next_version) == schema.VERSION
    assert columns_and_version() == (True, next_version)


COLUMNS_OF_VERSION_6 = ("accelerator", "phase", "unreachable_since")
COLUMNS_OF_VERSION_7 = ("problems", "right", "right_low", "right_high")


def drop_version_12(connection: sa.Connection) -> None:
    connection.exec_driver_sql("DROP TABLE judgements")


def drop_version_11(connection: sa.Connection) -> None:
    drop_version_12(connection)
    connection.exec_driver_sql("DROP INDEX jobs_by_study")
    connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN study")


def drop_version_10(connection: sa.Connection) -> None:
    drop_version_11(connection)
    connection.exec_driver_sql("DROP TABLE answer_marks")


def drop_version_9(connection: sa.Connection) -> None:
    drop_version_10(connection)
    connection.exec_driver_sql("DROP INDEX jobs_by_follows")
    connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN follows")


def drop_version_8(connection: sa.Connection) -> None:
    drop_version_9(connection)
    connection.exec_driver_sql("ALTER TABLE rollouts DROP COLUMN dropped")


def drop_version_7(connection: sa.Connection) -> None:
    drop_version_8(connection)
    for column in COLUMNS_OF_VERSION_7:
        connection.exec_driver_sql(f'ALTER TABLE evaluations DROP COLUMN "{column}"')
    connection.exec_driver_sql("ALTER TABLE run_marks DROP COLUMN name")


def test_evaluations_of_version_6_get_what_they_came_to(store: Store, home: Home) -> None:
    job_id = store.create_job("train", "demo", {"verifier": "soft_correctness"})[0].id
    items = [EvaluationItem(f"test-{n}", "", {"correctness": 0.0, "soft_correctness": n / 3}, 3) for n in range(4)]
    record_evaluation(store, job_id, "before", 0, "test", items)
    open_evaluation(store, job_id, "after", 3, "test")
    set_marks(store, job_id, Marks(("kept",)))
    standing = standings(store, [job_id])
    with store.writing() as connection:
        drop_version_7(connection)
        connection.exec_driver_sql("UPDATE schema_versions SET version = 6")
    store.close()
    store = Store.open(home.store_url)
    before = standing[job_id].before
    assert before is not None
    assert (before.value, before.problems) == (0.25, 4)
    assert standings(store, [job_id]) == standing
    assert marks_of(store, job_id) == Marks(("kept",))


def test_rollouts_of_version_7_were_all_learnt_from(store: Store, home: Home) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    rollout = Rollout(1, 0, 0, "train-0", "72", {"correctness": 1.0}, 1.0, 0.5, 3, "stop")
    store.record(job_id, rollouts=[rollout])
    with store.writing() as connection:
        drop_version_8(connection)
        connection.exec_driver_sql("UPDATE schema_versions SET version = 7")
    store.close()
    store = Store.open(home.store_url)
    assert store.rollouts(job_id) == [rollout]
    dropped = replace(rollout, group_index=1, dropped="flat")
    store.record(job_id, rollouts=[rollout, dropped])
    assert store.rollouts(job_id) == [rollout, dropped]
    assert [group.dropped for group in group_outcomes(store, job_id)] == ["", "flat"]


def test_jobs_of_version_8_follow_none(store: Store, home: Home) -> None:
    store.create_job("train", "demo", {})
    with store.writing() as connection:
        drop_version_9(connection)
        connection.exec_driver_sql("UPDATE schema_versions SET version = 8")
    store.close()
    store = Store.open(home.store_url)
    assert store.job("demo-1").follows == ""
    assert store.create_job("sft", "demo", {}, follows="demo-1")[0].follows == "demo-1"


def test_a_store_of_version_9_takes_marks_of_answers(store: Store, home: Home) -> None:
    store.create_job("train", "demo", {})
    with store.writing() as connection:
        drop_version_10(connection)
        connection.exec_driver_sql("UPDATE schema_versions SET version = 9")
    store.close()
    store = Store.open(home.store_url)
    mark_answer(store, "demo-1", ("correctness", "math"), ("train-0", "ab"), "right", "me")
    assert len(marked_answers(store, "demo-1", ("correctness", "math"))) == 1


def test_runs_of_version_10_are_of_no_study(store: Store, home: Home) -> None:
    store.create_job("train", "demo", {})
    with store.writing() as connection:
        drop_version_11(connection)
        connection.exec_driver_sql("UPDATE schema_versions SET version = 10")
    store.close()
    store = Store.open(home.store_url)
    assert store.job("demo-1").study == ""
    study = store.create_job("study", "study", {})[0].id
    assert [store.create_job("train", study, {}, study=study)[0]] == store.runs_of_study(study)


def test_what_version_5_said_in_texts_stands_in_columns(store: Store, home: Home, clock: Clock) -> None:
    at_work, waiting, building = (store.create_job(kind, kind, {})[0].id for kind in ("train", "evaluate", "build"))
    store.start(at_work)
    store.progress(at_work, 41, 100, "training; the checkpoint of step 40 is not uploaded")
    with store.writing() as connection:
        drop_version_7(connection)
        connection.execute(schema.requests.insert().values(job_id=at_work, kind="resume at 40", created_at=store.now()))
        connection.execute(schema.requests.insert().values(job_id=waiting, kind="stop", created_at=store.now()))
        for column in COLUMNS_OF_VERSION_6:
            connection.exec_driver_sql(f"ALTER TABLE jobs DROP COLUMN {column}")
        connection.exec_driver_sql("ALTER TABLE requests DROP COLUMN step")
        connection.exec_driver_sql("UPDATE schema_versions SET version = 5")
    store.close()
    store = Store.open(home.store_url, clock)
    assert [job.id for job in store.accelerator_jobs("local")] == [at_work, waiting]
    assert [store.job(job_id).phase for job_id in (at_work, waiting, building)] == ["training", "", ""]
    assert store.chosen_step(at_work, since=0) == 40
    assert store.stop_requested(waiting)


def test_a_store_of_the_first_version_gets_what_came_later(store: Store, home: Home) -> None:
    def shape() -> dict[str, set[tuple[str, str]]]:
        """Table or index -> its columns, with their types."""
        with store.reading() as connection:
            found = sa.inspect(connection)
            columns = {name: {(c["name"], str(c["type"])) for c in found.get_columns(name)} for name in found.get_table_names()}
            indexes = [index for name in columns for index in found.get_indexes(name)]
            return columns | {str(index["name"]): {(str(c), "") for c in index["column_names"]} for index in indexes}

    fresh = shape()
    job_id = store.create_job("train", "demo", {})[0].id
    record_evaluation(store, job_id, "before", 0, "test", [EvaluationItem("test-0", "72", {"correctness": 1.0}, 3)])
    with store.writing() as connection:
        drop_version_7(connection)
        for table in ("subsets", "cluster_names", "pair_verdicts", "run_marks", "sessions", "deleted_jobs"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        for index in ("rollouts_by_problem", "evaluation_items_by_problem", "scalars_by_name", "rollouts_by_total"):
            connection.exec_driver_sql(f"DROP INDEX {index}")
        connection.exec_driver_sql("ALTER TABLE evaluations DROP COLUMN completed_at")
        connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN tracker")
        for column in ("attempt", "process", "progress_at", *COLUMNS_OF_VERSION_6):
            connection.exec_driver_sql(f"ALTER TABLE jobs DROP COLUMN {column}")
        connection.exec_driver_sql("ALTER TABLE requests DROP COLUMN step")
        connection.exec_driver_sql("UPDATE schema_versions SET version = 1")
    store.close()
    store = Store.open(home.store_url)
    assert [len(evaluation.items) for evaluation in complete_evaluations(store, job_id)] == [1]
    assert shape() == fresh
