"""Deleting runs, with a real store and real folders; a deletion that is killed leaves a run whole or gone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.fakes import record_evaluation
from training.__main__ import main
from training.errors import StoreError
from training.groups import Rollout
from training.home import Home
from training.runs import deletion
from training.runs.deletion import belongings_of, delete_job, finish_deletions, open_store
from training.store import Store, schema
from training.store.evaluations import EvaluationItem
from training.store.run_marks import Marks, set_marks

pytestmark = pytest.mark.both_databases


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.store_url, lambda: 1000.0)  # time stands still: no run counts as lost, however slow the machine


@pytest.fixture
def run_id(store: Store, home: Home) -> str:
    """A finished run that has something of everything."""
    job_id = store.create_job("train", "demo", {"seed": 1})[0].id
    store.start(job_id)
    rollout = Rollout(1, 0, 0, "train-0", "a", {"correctness": 1.0}, 1.0, 0.5, 3, "stop")
    store.record(job_id, rollouts=[rollout], scalars=[(1, {"reward": 1.0}), (2, {"reward": 2.0})])
    record_evaluation(store, job_id, "before", 0, "test", [EvaluationItem("test-0", "72", {"correctness": 1.0}, 3)])
    set_marks(store, job_id, Marks(("a",)))
    checkpoint = home.job_folder(job_id) / "checkpoint-2"
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(b"x" * 1000)
    store.add_checkpoint(job_id, 2, str(checkpoint))
    store.end(job_id, "finished", "done")
    return job_id


def rows(store: Store) -> dict[str, int]:
    """Table -> its rows, of the tables that have some."""
    with store.reading() as connection:
        counts = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in schema.METADATA.sorted_tables
        }
    return {name: count for name, count in counts.items() if count}


def test_what_goes_is_told_before(store: Store, home: Home, run_id: str) -> None:
    found = belongings_of(store, home, run_id)
    assert (found.steps, found.completions, found.evaluations, found.checkpoints, found.size_bytes) == (2, 1, 1, 1, 1000)


def test_a_deleted_run_leaves_neither_rows_nor_files_and_its_id_is_not_given_again(
    store: Store, home: Home, run_id: str
) -> None:
    delete_job(store, home, run_id)
    assert rows(store) == {"schema_versions": 1, "deleted_jobs": 1}
    assert list(home.runs.iterdir()) == []
    assert store.create_job("train", "demo", {"seed": 1})[0].id == "demo-2"


def test_other_runs_stay(store: Store, home: Home, run_id: str) -> None:
    other = store.create_job("train", "demo", {"seed": 2})[0].id
    home.job_folder(other).mkdir()
    store.record(other, scalars=[(1, {"reward": 1.0})])
    delete_job(store, home, run_id)
    assert [job.id for job in store.jobs()] == [other]
    assert len(store.scalars(other)) == 1
    assert home.job_folder(other).is_dir()


def test_an_active_run_is_not_deleted(store: Store, home: Home) -> None:
    job_id = store.create_job("train", "demo", {})[0].id
    with pytest.raises(StoreError, match="is queued and cannot be deleted"):
        delete_job(store, home, job_id)
    store.start(job_id)
    with pytest.raises(StoreError, match="Stop it first"):
        delete_job(store, home, job_id)
    assert store.job(job_id).status == "running"


class Killed(BaseException):
    """Stands for the process's end: nothing in the program catches it."""


def kill_in(monkeypatch: pytest.MonkeyPatch, place: object, name: str, *, after: bool = False) -> None:
    """Have the process end where it calls this, or where that returns."""
    whole = getattr(place, name)

    def killed(*args: Any, **given: Any) -> None:
        if after:
            whole(*args, **given)
        raise Killed

    monkeypatch.setattr(place, name, killed)


def test_a_deletion_killed_before_the_rows_went_leaves_the_run_whole(
    store: Store, home: Home, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = store.writing

    @contextmanager
    def killed_at_the_end() -> Iterator[sa.Connection]:
        with writing() as connection:
            yield connection
            raise Killed

    before = rows(store)
    for kill in (
        lambda: kill_in(monkeypatch, deletion, "_make_mark", after=True),
        lambda: monkeypatch.setattr(store, "writing", killed_at_the_end),
    ):
        kill()
        with pytest.raises(Killed):
            delete_job(store, home, run_id)
        monkeypatch.undo()
        assert len(list(home.deletions.iterdir())) == 1
        assert rows(open_store(home)) == before
        assert (home.job_folder(run_id) / "checkpoint-2" / "model.safetensors").is_file()
        assert list(home.deletions.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "name", "after"),
    [
        (deletion, "_delete_files", False),
        (shutil, "rmtree", False),
        (shutil, "rmtree", True),
        (Path, "read_text", False),
    ],
)
def test_a_deletion_killed_after_the_rows_went_is_finished_by_the_next_look(
    store: Store, home: Home, run_id: str, monkeypatch: pytest.MonkeyPatch, place: object, name: str, after: bool
) -> None:
    kill_in(monkeypatch, place, name, after=after)
    with pytest.raises(Killed):
        delete_job(store, home, run_id)
    monkeypatch.undo()
    assert store.jobs() == []
    assert open_store(home).jobs() == []
    assert list(home.runs.iterdir()) == []
    assert list(home.deletions.iterdir()) == []


def test_a_look_leaves_uploads_to_the_next_deletion_and_asks_no_other_machine(
    store: Store, home: Home, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = tmp_path / "elsewhere" / run_id / "checkpoint-2-0123abcd"
    upload.mkdir(parents=True)
    store.add_checkpoint(run_id, 2, f"file://{upload}")
    kill_in(monkeypatch, deletion, "_delete_files")
    with pytest.raises(Killed):
        delete_job(store, home, run_id)
    monkeypatch.undo()
    looked = open_store(home)
    assert list(home.runs.iterdir()) == []
    assert upload.is_dir()
    finish_deletions(looked, home)
    assert not upload.exists()
    assert list(home.deletions.iterdir()) == []


def test_a_deletion_in_another_store_of_the_same_home_is_none_of_ours(
    store: Store, home: Home, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_in(monkeypatch, deletion, "_make_mark", after=True)
    with pytest.raises(Killed):
        delete_job(store, home, run_id)
    monkeypatch.undo()
    open_store(replace(home, store_url=f"sqlite:///{tmp_path}/other.db"))
    assert home.job_folder(run_id).is_dir()


def test_a_run_whose_folder_cannot_be_deleted_stays_whole(
    store: Store, home: Home, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(store)
    monkeypatch.setattr("training.runs.deletion.os.access", lambda path, mode: False)
    with pytest.raises(StoreError, match="cannot be deleted"):
        delete_job(store, home, run_id)
    assert rows(store) == before
    assert home.job_folder(run_id).is_dir()
    assert list(home.deletions.iterdir()) == []


def test_the_command_line_says_what_would_go_and_deletes_with_yes(
    store: Store, home: Home, run_id: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["delete", run_id]) == 1
    assert "2 steps, 1 completion, 1 evaluation, 1 checkpoint; a folder of 1,000 bytes" in capsys.readouterr().out
    assert store.job(run_id).status == "finished"
    assert main(["delete", run_id, "--yes"]) == 0
    assert store.jobs() == []
    assert main(["delete", run_id, "--yes"]) == 2
    assert "There is no run" in capsys.readouterr().err
