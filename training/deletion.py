"""Deleting a run with everything that is of it: its rows in the store, its folder with log and checkpoints, its uploads.

Whole or not at all: the folder first gets another name and a list of the uploads, then the rows go in one transaction, then
uploads and folder. If the process dies between, the next look (`finish_deletions`) either gives the folder its name back,
because the rows are still there, or finishes; so does it where the place of the uploads could not be reached.
"""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from training.backends.local import job_folder
from training.errors import ArtefactError, StoreError
from training.home import Home
from training.launch import backend_named
from training.models.artefacts import is_copy_of, remove_copies
from training.names import COMPONENT_BYTES, is_component
from training.store import Job, Store, schema

_LEAVING = ".deleted "
"""Before the name of a folder that is on its way out; no run's id begins so."""

_UPLOADS = "uploads.json"
"""In such a folder, the URLs of what is to be deleted elsewhere."""


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

        def count(table: sa.Table) -> int:
            return connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.job_id == job_id)) or 0

        steps = sa.select(sa.func.max(schema.scalars.c.step)).where(schema.scalars.c.job_id == job_id)
        return Belongings(
            steps=connection.scalar(steps) or 0,
            completions=count(schema.rollouts),
            evaluations=count(schema.evaluations),
            checkpoints=count(schema.checkpoints),
            size_bytes=_size_bytes(_folder(home, job_id)),
        )


def belongings_line(found: Belongings) -> str:
    """As people read it: `150 steps, 4,800 completions, 2 evaluations, 2 checkpoints; a folder of 26.1 MB`."""
    counts = {name: getattr(found, f"{name}s") for name in ("step", "completion", "evaluation", "checkpoint")}
    words = ", ".join(f"{number:,} {name}{'' if number == 1 else 's'}" for name, number in counts.items())
    return f"{words}; a folder of {found.size_bytes / 1e6:,.1f} MB"


def check_deletable(store: Store, home: Home, job: Job) -> None:
    """Raise `StoreError` while the run has a process, or may have one."""
    if job.active:
        raise StoreError(f"{job.id} is {job.status} and cannot be deleted.", "Stop it first.")
    if any(output.spec.get("run") == job.id for output in store.active_jobs(("output",))):
        raise StoreError(f"Something is being made of {job.id}.", "Wait for it, or stop it first.")
    if job.status == "lost" and backend_named(job.backend, home).status(job) == "alive":
        raise StoreError(f"The process of {job.id} ({job.worker}) is still alive.", "Wait for it, or end it first.")


def delete_job(store: Store, home: Home, job_id: str) -> None:
    """Delete a run that has ended: rows, folder and uploads. Its id is not given again.

    Raises:
        StoreError: there is no such run, it is active, or its folder cannot be moved.
    """
    finish_deletions(store, home)
    uploads = _uploads(store, store.job(job_id))
    folder = _folder(home, job_id)
    with store.writing() as connection:  # nobody can resume the run meanwhile
        _lock(connection, job_id)
        check_deletable(store, home, store.job(job_id))
        if folder is not None:
            _move_away(folder, uploads)
        connection.execute(schema.deleted_jobs.insert().values(id=job_id, deleted_at=store.now()))
        connection.execute(schema.jobs.delete().where(schema.jobs.c.id == job_id))
    if folder is not None:
        _delete_files(_leaving(folder))


def finish_deletions(store: Store, home: Home) -> None:
    """Bring what a killed deletion left to one end or the other. Costs a look into a folder when there is nothing."""
    for leaving in home.runs.glob(f"{_LEAVING}*"):
        job_id = leaving.name.removeprefix(_LEAVING)
        if not is_component(job_id):  # nothing that this program has moved there
            continue
        with store.writing() as connection:  # waits for a deletion that is under way
            is_there = _lock(connection, job_id)
            if is_there and not job_folder(home, job_id).exists():
                (leaving / _UPLOADS).unlink(missing_ok=True)
                leaving.rename(job_folder(home, job_id))
        if not is_there:
            _delete_files(leaving)


def _folder(home: Home, job_id: str) -> Path | None:
    """The run's folder; `None` where another program gave it an id that would lead elsewhere, so that it has none."""
    return job_folder(home, job_id) if is_component(job_id) else None


def _move_away(folder: Path, uploads: list[str]) -> None:
    """Give a run's folder the name of one that leaves, with the list of its uploads in it.

    Raises:
        StoreError: it cannot be moved.
    """
    leaving = _leaving(folder)
    try:
        if folder.is_dir():
            folder.rename(leaving)
        if uploads:
            leaving.mkdir(exist_ok=True)
            (leaving / _UPLOADS).write_text(json.dumps(uploads))
    except OSError as error:
        raise StoreError(f"{folder} cannot be deleted ({error.strerror or error}).", "Check who owns it.") from error


def _uploads(store: Store, job: Job) -> list[str]:
    """The folder of the run where artefacts go, as the records of its uploads tell it."""
    found = [*(checkpoint.path for checkpoint in store.checkpoints(job.id)), job.tracker]
    copies = [url for url in found if is_copy_of(url, job.id) and not url.startswith("http")]
    return sorted({url.rstrip("/").rpartition("/")[0] for url in copies})


def _delete_files(leaving: Path) -> None:
    """Delete a leaving folder, its uploads first; it stays while they cannot be reached."""
    listed = leaving / _UPLOADS
    try:
        for url in json.loads(listed.read_text()) if listed.is_file() else ():
            remove_copies(url)
    except ArtefactError as error:
        print(f"{error} They are deleted with the next run that is.", file=sys.stderr)
        return
    if leaving.is_symlink():  # what a link leads to is not the run's own
        listed.unlink(missing_ok=True)
        leaving.unlink()
    else:
        shutil.rmtree(leaving, ignore_errors=True)


def _lock(connection: sa.Connection, job_id: str) -> bool:
    """Hold the run's row until the transaction ends, where writers do not wait for each other anyway; whether it is there."""
    return connection.scalar(sa.select(schema.jobs.c.id).where(schema.jobs.c.id == job_id).with_for_update()) is not None


def _leaving(folder: Path) -> Path:
    """What a folder is called on its way out; one whose name is too long for that keeps it."""
    name = f"{_LEAVING}{folder.name}"
    return folder.with_name(name) if len(os.fsencode(name)) <= COMPONENT_BYTES else folder


def _size_bytes(folder: Path | None) -> int:
    """Of the files in a folder; nothing where links in it lead, and nothing that cannot be looked at."""
    if folder is None or folder.is_symlink():
        return 0
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files)
