"""The file behind a store on SQLite, taken away, replaced, overwritten and unwritable while the store is open."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from training.errors import StoreAwayError, StoreError, StoreFailedError, StoreLostError
from training.home import Home
from training.store import Rollout, Store
from training.store.database import Database, connect


@pytest.fixture
def path(home: Home) -> Path:
    return home.root / "store.db"


@pytest.fixture
def run_id(store: Store) -> str:
    job_id = store.create_job("train", "demo", {})[0].id
    store.start(job_id)
    return job_id


@pytest.fixture
def copy(path: Path, store: Store, run_id: str, tmp_path: Path) -> Path:
    """What the store was when the run had just begun, as a file of its own; it has grown since."""
    place = tmp_path / "copy.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(place)) as target:
        source.backup(target)
    for step in range(1, 200):
        store.record(run_id, rollouts=[Rollout(step, 0, 0, "train-3", "5" * 9000, {}, 1.0, 0.0, 9, "stop")])
    return place


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


@pytest.mark.parametrize("how", [Path.unlink, lambda path: path.rename(path.with_name("elsewhere"))])
def test_a_store_whose_file_is_gone_says_so_to_readers_and_writers_and_makes_no_other(
    store: Store, run_id: str, path: Path, how: Callable[[Path], object]
) -> None:
    how(path)
    assert not store.is_current
    for call in (store.jobs, lambda: store.beat(run_id), lambda: store.create_job("train", "demo", {"seed": 2})):
        with pytest.raises(StoreLostError, match="is gone"):
            call()
    store.close()
    with pytest.raises(StoreLostError, match="is gone"):
        store.jobs()
    assert not path.exists()


def test_a_store_that_is_back_goes_on_with_all_that_it_had(store: Store, run_id: str, path: Path) -> None:
    store.progress(run_id, 3, 10, "training")
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(StoreLostError):
        store.jobs()
    path.with_name("elsewhere").rename(path)
    assert store.job(run_id).done == 3
    store.progress(run_id, 4, 10, "training")
    assert Store.open(f"sqlite:///{path}").job(run_id).done == 4


def test_a_replaced_store_is_never_read_or_written_as_if_it_were_the_former(
    store: Store, run_id: str, path: Path, copy: Path
) -> None:
    copy.replace(path)
    for call in (store.jobs, lambda: store.progress(run_id, 7, 10, "training")):
        with pytest.raises(StoreLostError, match="was replaced"):
            call()
    store.close()
    there = Store.open(f"sqlite:///{path}")
    assert (there.last_rollout_step(run_id), there.job(run_id).done) == (0, 0)
    there.close()
    assert is_sound(path)


def test_a_store_that_was_overwritten_in_place_is_not_used_any_more(store: Store, run_id: str, path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.job(run_id)
    shutil.copyfile(copy, path)
    with pytest.raises(StoreLostError, match="was overwritten"):
        store.job(run_id)


def test_a_store_that_was_vacuumed_goes_on(store: Store, run_id: str, path: Path, copy: Path) -> None:
    store.truncate(run_id, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.job(run_id)
        before = path.stat().st_size
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < before
    assert store.last_rollout_step(run_id) == 1


@pytest.mark.parametrize("suffixes", [["-wal"], ["-shm"], ["-wal", "-shm"]])
def test_what_stood_in_a_deleted_wal_is_not_lost(store: Store, run_id: str, path: Path, suffixes: list[str]) -> None:
    store.progress(run_id, 3, 10, "training")
    for suffix in suffixes:
        beside(path, suffix).unlink()
    store.progress(run_id, 4, 10, "training")
    assert store.job(run_id).done == 4
    other = Store.open(f"sqlite:///{path}")
    assert other.job(run_id).done == 4
    other.progress(run_id, 5, 10, "training")
    assert store.job(run_id).done == 5
    assert is_sound(path)


def test_what_is_held_can_be_read_after_it_was_replaced(store: Store, run_id: str, path: Path, copy: Path) -> None:
    held = store.hold()
    assert held is not None
    copy.replace(path)
    with pytest.raises(StoreLostError):
        store.jobs()
    assert held.last_rollout_step(run_id) == 199
    held.close()


def test_a_store_that_is_not_to_be_created_is_not(tmp_path: Path) -> None:
    with pytest.raises(StoreLostError, match="is not there"):
        Store.open(f"sqlite:///{tmp_path}/store.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_is_told_from_one_that_was_there(home: Home) -> None:
    assert Store.open(home.store_url).is_new
    assert not Store.open(home.store_url).is_new


@pytest.fixture
def unwritable(store: Store, run_id: str, path: Path) -> Store:
    """The store opened anew where SQLite cannot make the file that it needs to write."""
    store.close()
    beside(path, "-shm").mkdir()
    return Store.open(f"sqlite:///{path}")


def test_a_store_that_cannot_be_written_can_be_read(unwritable: Store, run_id: str) -> None:
    for _ in range(2):
        assert unwritable.job(run_id).status == "running"
        with pytest.raises(StoreFailedError, match="can only be read"):
            unwritable.beat(run_id)


def test_a_store_is_written_again_as_soon_as_it_can_be(unwritable: Store, run_id: str, path: Path) -> None:
    unwritable.job(run_id)
    beside(path, "-shm").rmdir()
    unwritable.progress(run_id, 2, 10, "training")
    assert unwritable.job(run_id).done == 2


def test_a_full_disk_is_told_with_what_to_do_and_nothing_is_half_written(store: Store, run_id: str) -> None:
    with store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    rollouts = [Rollout(1, 0, n, "train-3", "5" * 9000, {}, 1.0, 0.0, 9, "stop") for n in range(50)]
    with pytest.raises(StoreFailedError, match=r"its disk is full.*Free some space"):
        store.record(run_id, rollouts=rollouts, scalars=[(1, {"reward": 1.0})])
    assert (store.rollouts(run_id), store.scalars(run_id)) == ([], [])


def test_a_damaged_store_is_told_and_never_raises_anything_else(store: Store, copy: Path, run_id: str, path: Path) -> None:
    store.close()
    with path.open("r+b") as file:
        for place in range(4096, path.stat().st_size, 4096):
            file.seek(place)
            file.write(b"not a page of a database")
    with pytest.raises(StoreFailedError, match="is damaged"):
        Store.open(f"sqlite:///{path}").rollouts(run_id)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = connect(f"sqlite:///{tmp_path}/store.db")
    yield opened
    opened.engine.dispose()


def driver_error(code: int, text: str = "what SQLite says") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, StoreAwayError),
        (sqlite3.SQLITE_LOCKED, StoreAwayError),
        (sqlite3.SQLITE_FULL, StoreFailedError),
        (sqlite3.SQLITE_READONLY, StoreFailedError),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreLostError),
        (sqlite3.SQLITE_IOERR_WRITE, StoreFailedError),
        (sqlite3.SQLITE_CORRUPT, StoreFailedError),
        (sqlite3.SQLITE_NOTADB, StoreFailedError),
        (sqlite3.SQLITE_CANTOPEN, StoreFailedError),
        (sqlite3.SQLITE_PERM, StoreFailedError),
        (sqlite3.SQLITE_AUTH, StoreFailedError),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, StoreError),
        (sqlite3.SQLITE_TOOBIG, StoreError),
    ],
)
def test_every_error_of_sqlite_has_words_and_a_remedy(database: Database, code: int, kind: type[StoreError]) -> None:
    found = database.failure(driver_error(code))
    assert type(found) is kind
    assert "what SQLite says" in found.problem
    assert found.remedy.endswith(".")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY])
def test_a_full_disk_is_told_whatever_sqlite_calls_it(database: Database, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.store.sqlite_file.shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    assert "its disk is full" in database.failure(driver_error(code)).problem


def test_a_value_that_no_column_takes_is_an_error_in_words(store: Store, run_id: str) -> None:
    with pytest.raises(StoreError, match="cannot keep this value"):
        store.add_checkpoint(run_id, 2**70, "checkpoint")
