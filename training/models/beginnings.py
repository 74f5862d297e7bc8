"""Runs that begin where another one stands: `run:demo-1@40` is the checkpoint of step 40, `run:demo-1` the latest.

A run keeps what it began from in its own folder, as hard links where the disk has them: it can be resumed, measured and merged
when the checkpoint, or the other run, is gone. Needs no torch.
"""

import os
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from training.artefacts import is_url
from training.errors import CheckpointError, ModelError, shown
from training.home import Home
from training.models.checkpoints import checkpoint_to_resume, on_this_disk
from training.models.checksums import FOR_RESUMING_ALONE
from training.store import Checkpoint, Job, Store

PREFIX = "run:"
_FOLDER = "base"


@dataclass(frozen=True)
class Beginning:
    """A run's checkpoint as a model to begin with."""

    run: str
    step: int | None
    """`None` for the latest."""

    def __str__(self) -> str:
        return f"{PREFIX}{self.run}" + ("" if self.step is None else f"@{self.step}")


def parse_beginning(model: str) -> Beginning | None:
    """What a model's name says; `None` where it names none of a run.

    Raises:
        ModelError: it begins like one and is none.
    """
    if not model.startswith(PREFIX):
        return None
    run, mark, step = model.removeprefix(PREFIX).partition("@")
    if not run or (mark and not (step.isascii() and step.isdigit() and int(step))):
        raise ModelError(f"{shown(model)} names no run's checkpoint.", "Write run:demo-1, or run:demo-1@40 for a step.")
    return Beginning(run, int(step) if mark else None)


def pinned_model(model: str, store: Store) -> str:
    """A model's name with the step that it means now; one that names no run's checkpoint as it is.

    Raises:
        ModelError: it begins like one and is none.
        CheckpointError: there is no such checkpoint.
        StoreError: there is no such run.
    """
    beginning = parse_beginning(model)
    return model if beginning is None else str(Beginning(beginning.run, _checkpoint(beginning, store).step))


def recorded_model(model: str, store: Store) -> str:
    """A model's name, of a run's checkpoint the folder or URL on record.

    Raises:
        ModelError, CheckpointError, StoreError: as `pinned_model`.
    """
    beginning = parse_beginning(model)
    return model if beginning is None else _checkpoint(beginning, store).path


def readable_model(model: str, store: Store) -> str:
    """As `recorded_model`, of an uploaded checkpoint what its run began with: that has the same files but for the weights.

    Raises:
        ModelError, CheckpointError, StoreError: as `pinned_model`.
    """
    beginning, path = parse_beginning(model), recorded_model(model, store)
    return readable_model(str(store.job(beginning.run).spec["model"]), store) if beginning and is_url(path) else path


def located_model(model: str, store: Store, home: Home) -> str:
    """What can be loaded on this machine under a model's name: a run's checkpoint by its folder, others as they are.

    Raises:
        ModelError, CheckpointError, StoreError: as `pinned_model`.
        ArtefactError: it was uploaded and cannot be fetched.
    """
    beginning = parse_beginning(model)
    if beginning is None:
        return model
    return on_this_disk(store, beginning.run, _checkpoint(beginning, store), home.job_folder(beginning.run))


def kept_model(model: str, store: Store, home: Home, job_id: str) -> str:
    """As `located_model` for the run that begins with it: from its own folder, into which it is put at first.

    Raises:
        ModelError, CheckpointError, StoreError, ArtefactError: as `located_model`.
        OSError: it cannot be put there.
    """
    if parse_beginning(model) is None:
        return model
    folder = home.job_folder(job_id) / _FOLDER
    if not folder.is_dir():
        _link_files(Path(located_model(model, store, home)), folder)
    return str(folder)


def begun_with(run: Job, store: Store, home: Home) -> str:
    """What a run on record began with, as `recorded_model`; what it keeps in its own folder of a checkpoint that is gone.

    Raises:
        ModelError, CheckpointError, StoreError: as `pinned_model`.
    """
    kept, model = home.job_folder(run.id) / _FOLDER, str(run.spec["model"])
    return str(kept) if parse_beginning(model) is not None and kept.is_dir() else recorded_model(model, store)


def _checkpoint(beginning: Beginning, store: Store) -> Checkpoint:
    known = store.checkpoints(store.job(beginning.run).id)
    if beginning.step is not None and all(checkpoint.step != beginning.step for checkpoint in known):
        others = ", ".join(str(Beginning(beginning.run, checkpoint.step)) for checkpoint in known)
        raise CheckpointError(
            f"{beginning.run} has no checkpoint of step {beginning.step:,}.",
            f"There is {others}." if others else "Wait for its first.",
        )
    found = checkpoint_to_resume(store, beginning.run, beginning.step)
    if found is None:
        raise CheckpointError(f"{beginning.run} has no checkpoint to begin with.", "Name another run, or wait for its first.")
    return found


def _link_files(source: Path, target: Path) -> None:
    """The model's files under another name, whole or not at all; what only resuming needs is left out."""
    partial = target.with_name(f".{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file() and not any(fnmatch(file.name, pattern) for pattern in FOR_RESUMING_ALONE):
            try:
                os.link(file, partial / file.name)
            except OSError:  # another disk, or one without links
                shutil.copy2(file, partial / file.name)
    partial.rename(target)
