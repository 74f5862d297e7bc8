"""Runs that a benchmark makes once and keeps: a run that is there already is not made again."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.home import Home
from training.intervals import mean_interval
from training.presets import load_preset
from training.runs.launch import launch_run
from training.store import Job, Store
from training.text import with_interval

_LOOK_S = 2.0


def opened(folder: Path) -> tuple[Home, Store]:
    """The home in this folder, made where there is none, and its store."""
    folder.mkdir(parents=True, exist_ok=True)
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(folder)})
    return home, Store.open(home.store_url)


def run_named(store: Store, home: Home, name: str, preset: str, changes: Sequence[str]) -> Job:
    """The run of that name once it has ended, made now if it is not there."""
    found = next((job.id for job in store.jobs() if job.name == name), None)
    if found is None:
        found = launch_run(store, home, load_preset(preset, changes).model_copy(update={"preset": name}))
    return finished(store, found)


def finished(store: Store, job_id: str) -> Job:
    """The job once it has ended, which has to be well."""
    while (found := store.job(job_id)).active:
        time.sleep(_LOOK_S)
    assert found.status == "finished", found.reason
    return found


def mean_told(values: Sequence[float]) -> str:
    """`0.512 (0.440 to 0.584)`: the mean with its 95% interval by Student's t, where there are two and more."""
    mean, interval = float(np.mean(values)), mean_interval(np.array(values, dtype=np.float64))
    return with_interval(mean, *interval) if interval else f"{mean:.3f}"
