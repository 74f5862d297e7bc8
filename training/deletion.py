"""Deleting a run with everything that is of it: its rows in the store, and its folder with log and checkpoints.

Whole or not at all: the folder first gets another name, then the rows go in one transaction, then the folder. If the
process dies between, the next look (`finish_deletions`) either gives the folder its name back, because the rows are still
there, or finishes.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from training import schema
from training.backends.local import job_folder
from training.errors import StoreError
from training.home import Home
from training.launch import backend_named
from training.store import Job, Store

_LEAVING = ".deleted "
"""Before the name of a folder that is on its way out; no run's id begins so."""


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
            size_bytes=_size_bytes(job_folder(home, job_id)),
        )


def belongings_line(found: Belongings) -> str:
    """As people read it: `150 steps, 4,800 completions, 2 evaluations, 2 checkpoints; a folder of 26.1 MB`."""
    counts = {name: getattr(found, f"{name}s") for name in ("step", "completion", "evaluation", "checkpoint")}
    words = ", ".join(f"{number:,} {name}{'' if number == 1 else 's'}" for name, number in counts.items())
    return f"{words}; a folder of {found.size_bytes / 1e6:,.1f} MB"


def check_deletable(home: Home, job: Job) -> None:
    """Raise `StoreError` while the run has a process, or may have one."""
    if job.active:
        raise StoreError(f"{job.id} is {job.status} and cannot be deleted.", "Stop it first.")
    if job.status == "lost" and backend_named(job.backend, home).status(job) == "alive":
        raise StoreError(f"The process of {job.id} ({job.worker}) is still alive.", "Wait for it, or end it first.")


def delete_job(store: Store, home: Home, job_id: str) -> None:
    """Delete a run that has ended: rows and folder. Its id is not given again.

    Raises:
        StoreError: there is no such run, it is active, or its folder cannot be moved.
    """
    finish_deletions(store, home)
    folder = job_folder(home, job_id)
    leaving = _leaving(folder)
    with store.writing() as connection:  # nobody can resume the run meanwhile
        _lock(connection, job_id)
        check_deletable(home, store.job(job_id))
        try:
            if folder.is_dir():
                folder.rename(leaving)
        except OSError as error:
            raise StoreError(f"{folder} cannot be deleted ({error.strerror or error}).", "Check who owns it.") from error
        connection.execute(schema.deleted_jobs.insert().values(id=job_id, deleted_at=store.now()))
        connection.execute(schema.jobs.delete().where(schema.jobs.c.id == job_id))
    shutil.rmtree(leaving, ignore_errors=True)


def finish_deletions(store: Store, home: Home) -> None:
    """Bring what a killed deletion left to one end or the other. Costs a look into a folder when there is nothing."""
    for leaving in home.runs.glob(f"{_LEAVING}*"):
        job_id = leaving.name.removeprefix(_LEAVING)
        with store.writing() as connection:  # waits for a deletion that is under way
            is_there = _lock(connection, job_id)
            if is_there and not job_folder(home, job_id).exists():
                leaving.rename(job_folder(home, job_id))
        if not is_there:
            shutil.rmtree(leaving, ignore_errors=True)


def _lock(connection: sa.Connection, job_id: str) -> bool:
    """Hold the run's row until the transaction ends, where writers do not wait for each other anyway; whether it is there."""
    return connection.scalar(sa.select(schema.jobs.c.id).where(schema.jobs.c.id == job_id).with_for_update()) is not None


def _leaving(folder: Path) -> Path:
    return folder.with_name(f"{_LEAVING}{folder.name}")


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
