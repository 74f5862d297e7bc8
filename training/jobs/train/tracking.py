"""Weights & Biases beside the run store: one wandb run for each of ours, into which TRL's own integration logs.

Online with a key, else offline into the run's folder; it never prompts, and no network never ends a run.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from training.artefacts import Artefacts
from training.config import StageConfig
from training.credentials import has_wandb_key
from training.errors import AtlasError
from training.store import Job, Store
from training.store.patience import patiently

_PROJECT = "grpo-atlas"
_TIMEOUT_S = 30
"""How long an online run may take to begin before it goes offline; wandb's own limit is 90 s."""


@contextmanager
def tracked(config: StageConfig, store: Store, job: Job, folder: Path) -> Iterator[None]:
    """Keep a wandb run open around a training run, if it asks for one, and store its URL or folder.

    A resumed run goes on with the wandb run of the same id where that is online. The folder of an offline one is copied to
    where artefacts go when the run ends, if they go anywhere.
    """
    if not config.wandb:
        yield
        return
    run = _begin(config, job, folder)
    tracker = run.settings.sync_dir if run.offline else str(run.url)
    patiently(lambda: store.set_tracker(job.id, tracker))
    failed = True
    try:
        yield
        failed = False
    finally:
        run.finish(exit_code=int(failed))
        if run.offline:
            _upload(store, job, Path(run.settings.sync_dir))


def _upload(store: Store, job: Job, folder: Path) -> None:
    try:
        if (artefacts := Artefacts.from_environment()) is not None:
            store.set_tracker(job.id, artefacts.upload(job.id, folder))
    except AtlasError as error:  # the folder is still there, and stands in the store
        print(f"The offline run for Weights & Biases stays in {folder}: {error}", file=sys.stderr)


def _begin(config: StageConfig, job: Job, folder: Path) -> Any:
    """wandb's run: online, or offline without a key, on request (WANDB_MODE) or when the server does not answer."""
    import wandb

    def begin(mode: Literal["online", "offline"]) -> Any:
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            id=job.id,
            name=job.id,
            resume="allow",
            dir=str(folder),
            config={"run_config": config.model_dump(mode="json")},
            mode=mode,
            settings=wandb.Settings(init_timeout=_TIMEOUT_S, silent=True, console="off"),
        )

    if os.environ.get("WANDB_MODE", "online") != "online" or not has_wandb_key():
        return begin("offline")
    try:
        return begin("online")
    except wandb.Error as error:
        first = str(error).strip().split("\n")[0]
        print(f"Weights & Biases cannot be reached ({first}); logging offline.", file=sys.stderr)
        wandb.teardown()
        return begin("offline")
