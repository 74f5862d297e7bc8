"""A run's checkpoints: their folders and what the store has of them always say the same.

The record is what makes a checkpoint one: it is made when the folder is complete and the ledger has caught up, and taken
back before the folder is deleted. A folder without a record is the rest of a save that was cut short. The record of one
that was uploaded (`uploads`) names the copy's URL; a folder on some disk may still stand for it. Needs no torch.
"""

import hashlib
import os
import shutil
from pathlib import Path

import sqlalchemy as sa

from training.artefacts import fetch, is_complete, is_copy_of, is_url, stands_for
from training.errors import CheckpointError
from training.home import Home
from training.models.checksums import FOR_RESUMING_ALONE, find_damage
from training.models.checksums import NAME as CHECKSUMS
from training.models.uploads import delete_files
from training.names import is_component
from training.store import Checkpoint, Store, schema

_FETCHED_KEPT = 4
"""Uploaded models that are kept on this disk after they were fetched to be measured or asked."""


def checkpoint_to_resume(store: Store, job_id: str, step: int | None = None, folder: Path | None = None) -> Checkpoint | None:
    """The checkpoint of a step, or the latest; `None` for the run's beginning: step 0, or no checkpoint so far.

    Args:
        folder: the run's folder; what stands for an uploaded checkpoint there saves asking for the copy.

    Raises:
        CheckpointError: there is none of that step, or its folder or copy is not there or, by its files' sizes, damaged.
        ArtefactError: it was uploaded, and the place cannot be asked for it.
    """
    known = store.checkpoints(job_id)
    if step == 0 or (step is None and not known):
        return None
    chosen = known[-1] if step is None else next((checkpoint for checkpoint in known if checkpoint.step == step), None)
    if chosen is None:
        raise CheckpointError(f"{job_id} has no checkpoint of step {step:,}.", _others(known))
    if is_url(chosen.path):
        is_here = folder is not None and stands_for(_folder_of(chosen, folder), chosen.path)
        problem = None if is_here or is_complete(chosen.path) else "it is not there any more"
    else:
        problem = damage_of(chosen)
    if problem is not None:
        raise _unusable(store, job_id, chosen, problem)
    return chosen


def on_this_disk(store: Store, job_id: str, checkpoint: Checkpoint, folder: Path) -> str:
    """Where a checkpoint lies on this disk, each file as it was saved; an uploaded one is fetched to the run's folder first.

    Raises:
        CheckpointError: a file is not as it was saved.
        ArtefactError: it cannot be fetched.
    """
    here = _folder_of(checkpoint, folder) if is_url(checkpoint.path) else Path(checkpoint.path)
    if is_url(checkpoint.path) and not stands_for(here, checkpoint.path):
        fetch(checkpoint.path, here)
    if problem := find_damage(here, contents=True):
        raise _unusable(store, job_id, checkpoint, problem)
    return str(here)


def model_on_this_disk(model: str, home: Home) -> str:
    """A model's name as it is; for an uploaded checkpoint the folder that stands for it, fetched into the cache if need be.

    Raises:
        CheckpointError: it is a checkpoint, and a file of the model is not as it was saved.
        ArtefactError: it cannot be fetched.
    """
    found = _fetched(model, home) if is_url(model) else model
    check_model(found)
    return found


def check_model(model: str) -> None:
    """Read a model that is the folder of a checkpoint, and compare its files with what was saved; others are taken as they are.

    Raises:
        CheckpointError: a file of the model is not as it was saved.
    """
    is_checkpoint = os.path.isfile(os.path.join(model, CHECKSUMS))  # noqa: PTH113, PTH118 - a Hub's name may be no path at all
    if is_checkpoint and (problem := find_damage(Path(model), contents=True, without=FOR_RESUMING_ALONE)):
        raise CheckpointError(f"The checkpoint {model} is damaged: {problem}.", "Use an earlier checkpoint of its run.")


def _fetched(model: str, home: Home) -> str:
    *_, job_id, name = model.split("/")
    if is_copy_of(model, job_id) and is_component(job_id):
        here = home.job_folder(job_id) / name.rpartition("-")[0]
        if stands_for(here, model):
            return str(here)
    cache = home.cache / "artefacts"
    fetched = fetch(model, cache / hashlib.sha256(model.encode()).hexdigest()[:16])
    fetched.touch()  # the last to be forgotten
    for old in sorted(cache.glob("[!.]*"), key=lambda path: path.stat().st_mtime)[:-_FETCHED_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return str(fetched)


def damage_of(checkpoint: Checkpoint) -> str | None:
    """What is wrong with a checkpoint as far as its files' sizes tell; of a URL nothing, as copies are complete."""
    if is_url(checkpoint.path):
        return None
    folder = Path(checkpoint.path)
    return find_damage(folder) if folder.is_dir() else "its folder is not there any more"


def recorded_checkpoints(store: Store) -> dict[str, tuple[str, int]]:
    """Folder -> (run, step) of every run's checkpoints, the newest first."""
    table = schema.checkpoints
    query = sa.select(table.c.path, table.c.job_id, table.c.step).order_by(table.c.seq.desc())
    with store.reading() as connection:
        return {row.path: (row.job_id, row.step) for row in connection.execute(query)}


def keep_newest(store: Store, job_id: str, limit: int, folder: Path) -> None:
    """Delete all but the newest `limit` checkpoints, each from the record first, and then what is the run's own.

    Args:
        folder: the run's.
    """
    for checkpoint in store.checkpoints(job_id)[:-limit]:
        store.forget_checkpoint(job_id, checkpoint.step)
        delete_files(checkpoint, job_id, folder)


def delete_unrecorded(store: Store, job_id: str, folder: Path) -> None:
    """Delete the checkpoint folders in a run's folder that are not on record: cut short, or of steps that were forgotten."""
    known = {
        (_folder_of(found, folder) if is_url(found.path) else Path(found.path)).resolve() for found in store.checkpoints(job_id)
    }
    for path in folder.glob("checkpoint-*"):
        if path.resolve() not in known:
            shutil.rmtree(path, ignore_errors=True)


def _folder_of(checkpoint: Checkpoint, folder: Path) -> Path:
    """Where in a run's folder an uploaded checkpoint lies, if it does."""
    return folder / f"checkpoint-{checkpoint.step}"


def _unusable(store: Store, job_id: str, chosen: Checkpoint, problem: str) -> CheckpointError:
    """Why a checkpoint cannot be gone on from, and which can."""
    usable = [found for found in store.checkpoints(job_id) if found.step != chosen.step and damage_of(found) is None]
    text = f"The checkpoint of step {chosen.step:,} of {job_id} ({chosen.path}) cannot be used: {problem}."
    return CheckpointError(text, _others(usable))


def _others(usable: list[Checkpoint]) -> str:
    if not usable:
        return "Begin again with --checkpoint 0."
    return f"Choose another with --checkpoint: {', '.join(str(checkpoint.step) for checkpoint in usable)}, or 0 to begin again."
