"""Deleting a run with everything that is of it: its rows in the store, its folder with log and checkpoints, its uploads.

Whole or not at all, wherever the process dies: a mark in the home says what is being deleted, then the rows go in one
transaction, then folder and uploads, then the mark. Whoever opens the store to look at runs (`open_store`) first brings to an
end what such a mark is left of: where the rows are still there nothing was deleted, else the rest goes too. So nobody ever
sees a part of a run. Where the place of the uploads could not be reached, the mark stays until the next deletion.
"""

import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from training.artefacts import is_copy_of, remove_copies
from training.backends.registry import backend_named
from training.errors import ArtefactError, StoreError, StoreFailedError
from training.home import Home
from training.names import is_component
from training.store import Job, Store, schema
from training.store.database import shown_url
from training.store.following import waiting_for
from training.text import count, size_text

_MADE_OF = {"output": "run", "judge": "job"}
"""Kinds of jobs that work on what another one left -> what their specs call that."""


@dataclass(frozen=True)
class Belongings:
    """What goes with a run."""

    steps: int
    completions: int
    evaluations: int
    checkpoints: int
    size_bytes: int
    """Of its folder."""


def belongings_of(store: Store, home: Home, job_id: str) -> Belongings:
    """What deleting the run would delete.

    Raises:
        StoreError: there is no such run.
    """
    store.job(job_id)
    with store.reading() as connection:

        def rows(table: sa.Table) -> int:
            return connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.job_id == job_id)) or 0

        steps = sa.select(sa.func.max(schema.scalars.c.step)).where(schema.scalars.c.job_id == job_id)
        return Belongings(
            steps=connection.scalar(steps) or 0,
            completions=rows(schema.rollouts),
            evaluations=rows(schema.evaluations),
            checkpoints=rows(schema.checkpoints),
            size_bytes=_size_bytes(_folder(home, job_id)),
        )


def belongings_line(found: Belongings) -> str:
    """As people read it: `150 steps, 4,800 completions, 2 evaluations, 2 checkpoints; a folder of 26.1 MB`."""
    counts = {name: getattr(found, f"{name}s") for name in ("step", "completion", "evaluation", "checkpoint")}
    words = ", ".join(count(number, name) for name, number in counts.items())
    return f"{words}; a folder of {size_text(found.size_bytes)}"


def check_deletable(store: Store, home: Home, job: Job) -> None:
    """Raise `StoreError` while the run has a process, or may have one."""
    if job.active:
        raise StoreError(f"{job.id} is {job.status} and cannot be deleted.", "Stop it first.")
    if waiting := waiting_for(store, job.id):
        raise StoreError(f"{waiting[0].id} waits to begin with the last checkpoint of {job.id}.", "Stop it first.")
    if any(other.spec.get(_MADE_OF[other.kind]) == job.id for other in store.active_jobs(tuple(_MADE_OF))):
        raise StoreError(f"Something is being made of {job.id}.", "Wait for it, or stop it first.")
    if job.status == "lost" and backend_named(job.backend, home).status(job) == "alive":
        raise StoreError(f"The process of {job.id} ({job.worker}) is still alive.", "Wait for it, or end it first.")


def delete_job(store: Store, home: Home, job_id: str) -> None:
    """Delete a run that has ended: rows, folder and uploads. Its id is not given again.

    Raises:
        StoreError: there is no such run, it is active, or its folder cannot be deleted.
    """
    finish_deletions(store, home)
    folder = _folder(home, job_id)
    uploads = _uploads(store, store.job(job_id))
    mark = _mark(home, job_id)
    try:
        with store.writing() as connection:  # nobody can resume the run meanwhile
            _lock(connection, job_id)
            check_deletable(store, home, store.job(job_id))
            if folder is not None and mark is not None:
                _make_mark(mark, uploads, folder)
            connection.execute(schema.deleted_jobs.insert().values(id=job_id, deleted_at=store.now()))
            connection.execute(schema.jobs.delete().where(schema.jobs.c.id == job_id))
    except StoreError:
        if mark is not None:
            with suppress(OSError):
                mark.unlink(missing_ok=True)
        raise
    if folder is not None:
        _delete_files(mark, folder)


def open_store(home: Home) -> Store:
    """The run store, for who looks at runs: no part of a run is in it that was being deleted by a process that died.

    Raises:
        StoreError: as `Store.open`.
    """
    store = Store.open(home.store_url)
    with suppress(StoreFailedError):  # it can only be read: what it shows is whole in any case
        finish_deletions(store, home, uploads=False)
    return store


def unknown_runs(store: Store, home: Home) -> str:
    """What a store that was empty when it was opened means in a home with runs, in words; empty where nothing is odd."""
    there = home.folders_there() if store.is_new else set()
    folders = len(there - store.jobs_named(there).keys())
    if not folders:
        return ""
    return (
        f"The run store {shown_url(home.store_url)} was empty, and {home.runs} holds "
        f"{f'{folders:,} folders of jobs' if folders > 1 else 'the folder of a job'} that it does not know. If it was deleted, "
        "put a copy of it back in its place."
    )


def finish_deletions(store: Store, home: Home, *, uploads: bool = True) -> None:
    """Bring what a killed deletion left to one end or the other. Costs a look into a folder when there is nothing.

    Args:
        uploads: whether to delete uploads too, for which other machines are asked.
    """
    for mark in _marks(home):
        job_id = mark.name.removeprefix(_of_store(home))
        if not is_component(job_id):  # nothing that this program has put there
            continue
        with store.writing() as connection:  # waits for a deletion that is under way
            if is_there := _lock(connection, job_id):
                with suppress(OSError):  # the home can only be read
                    mark.unlink(missing_ok=True)
        if not is_there:
            _delete_files(mark, home.job_folder(job_id), uploads=uploads)


def _marks(home: Home) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(home.deletions.glob(f"{_of_store(home)}*"))


def _of_store(home: Home) -> str:
    """Begins the names of a store's marks: another store may have a run of the same id in this home."""
    return f"{zlib.crc32(shown_url(home.store_url).encode()):08x} "


def _make_mark(mark: Path, uploads: list[str], folder: Path) -> None:
    """Say what is being deleted; an empty file, where there are no uploads, so that it can be made on a full disk too."""
    try:
        if folder.exists() and not os.access(folder.parent, os.W_OK | os.X_OK):
            raise StoreError(f"{folder} cannot be deleted (its folder cannot be written).", "Check who owns it.")
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(json.dumps(uploads) if uploads else "", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder} cannot be deleted ({error.strerror or error}).", "Check who owns it.") from error


def _folder(home: Home, job_id: str) -> Path | None:
    """The run's folder; `None` where another program gave it an id that would lead elsewhere, so that it has none."""
    return home.job_folder(job_id) if is_component(job_id) else None


def _mark(home: Home, job_id: str) -> Path | None:
    """What says that a run is being deleted; `None` where no file can be named after it."""
    name = f"{_of_store(home)}{job_id}"
    return home.deletions / name if is_component(name) and is_component(job_id) else None


def _uploads(store: Store, job: Job) -> list[str]:
    """The folder of the run where artefacts go, as the records of its uploads tell it."""
    found = [*(checkpoint.path for checkpoint in store.checkpoints(job.id)), job.tracker]
    copies = [url for url in found if is_copy_of(url, job.id) and not url.startswith("http")]
    return sorted({url.rstrip("/").rpartition("/")[0] for url in copies})


def _delete_files(mark: Path | None, folder: Path, *, uploads: bool = True) -> None:
    """Delete a run's folder and uploads, then the mark; it stays while the uploads cannot be reached."""
    if folder.is_symlink():  # what a link leads to is not the run's own
        with suppress(OSError):
            folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if mark is None:
        return
    try:
        listed = mark.read_text(encoding="utf-8")
        if os.path.lexists(folder) or (listed and not uploads):
            return
        for url in json.loads(listed or "[]"):
            remove_copies(url)
        mark.unlink(missing_ok=True)
    except ArtefactError as error:
        print(f"{error} They are deleted with the next run that is.", file=sys.stderr)
    except OSError:  # another process has just finished it, or will
        return


def _lock(connection: sa.Connection, job_id: str) -> bool:
    """Hold the run's row until the transaction ends, where writers do not wait for each other anyway; whether it is there."""
    return connection.scalar(sa.select(schema.jobs.c.id).where(schema.jobs.c.id == job_id).with_for_update()) is not None


def _size_bytes(folder: Path | None) -> int:
    """Of the files in a folder; nothing where links in it lead, and nothing that cannot be looked at."""
    if folder is None or folder.is_symlink():
        return 0
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files)
