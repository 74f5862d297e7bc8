"""A run's checkpoints: their folders and what the store has of them always say the same.

The record is what makes a checkpoint one: it is made when the folder is complete and the ledger has caught up, and taken
back before the folder is deleted. A folder without a record is the rest of a save that was cut short. Needs no torch.
"""

import shutil
from pathlib import Path

import sqlalchemy as sa

from training import schema
from training.errors import CheckpointError
from training.store import Checkpoint, Store

_FILES = ("*.safetensors", "optimizer.pt", "scheduler.pt", "rng_state*.pth", "trainer_state.json")
"""What transformers' Trainer needs to go on exactly where it was: weights, optimiser, schedule, randomness, step."""


def checkpoint_to_resume(store: Store, job_id: str, step: int | None = None) -> Checkpoint | None:
    """The checkpoint of a step, or the latest; `None` for the run's beginning: step 0, or no checkpoint so far.

    Raises:
        CheckpointError: there is none of that step, or its folder is not there or not complete.
    """
    known = store.checkpoints(job_id)
    if step == 0 or (step is None and not known):
        return None
    chosen = known[-1] if step is None else next((checkpoint for checkpoint in known if checkpoint.step == step), None)
    if chosen is None:
        raise CheckpointError(f"{job_id} has no checkpoint of step {step:,}.", _others(known))
    others = [checkpoint for checkpoint in known if checkpoint != chosen and not missing_files(checkpoint)]
    if not Path(chosen.path).is_dir():
        raise CheckpointError(
            f"The checkpoint of step {chosen.step:,} of {job_id} is gone: {chosen.path} is not there.", _others(others)
        )
    if missing := missing_files(chosen):
        raise CheckpointError(
            f"The checkpoint of step {chosen.step:,} of {job_id} is not complete: {chosen.path} has no {missing[0]}.",
            _others(others),
        )
    return chosen


def missing_files(checkpoint: Checkpoint) -> list[str]:
    """Which of the files that a checkpoint needs are not in its folder, or empty."""
    folder = Path(checkpoint.path)
    return [pattern for pattern in _FILES if not any(path.stat().st_size for path in folder.glob(pattern))]


def recorded_checkpoints(store: Store) -> dict[str, tuple[str, int]]:
    """Folder -> (run, step) of every run's checkpoints, the newest first."""
    table = schema.checkpoints
    query = sa.select(table.c.path, table.c.job_id, table.c.step).order_by(table.c.seq.desc())
    with store.reading() as connection:
        return {row.path: (row.job_id, row.step) for row in connection.execute(query)}


def keep_newest(store: Store, job_id: str, limit: int) -> None:
    """Delete all but the newest `limit` checkpoints, each from the record first."""
    for checkpoint in store.checkpoints(job_id)[:-limit]:
        store.forget_checkpoint(job_id, checkpoint.step)
        shutil.rmtree(checkpoint.path, ignore_errors=True)


def delete_unrecorded(store: Store, job_id: str, folder: Path) -> None:
    """Delete the checkpoint folders in a run's folder that are not on record: cut short, or of steps that were forgotten."""
    known = {Path(checkpoint.path).resolve() for checkpoint in store.checkpoints(job_id)}
    for path in folder.glob("checkpoint-*"):
        if path.resolve() not in known:
            shutil.rmtree(path, ignore_errors=True)


def _others(usable: list[Checkpoint]) -> str:
    if not usable:
        return "Begin again with --checkpoint 0."
    return f"Choose another with --checkpoint: {', '.join(str(checkpoint.step) for checkpoint in usable)}, or 0 to begin again."
