"""The kinds of jobs: what each is told, and what its process does.

A kind of this package is an entry of `_OWN`. One of another package is an entry point of the group `grpo_atlas.jobs` that
names its `JobType`, so that nothing here needs to know that package; a person's own package may add one in the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from training.errors import ConfigError
from training.home import Home
from training.jobs.job_process import JobProcess
from training.store import JobKind

Spec = TypeVar("Spec", bound=BaseModel)

ENTRY_POINTS = "grpo_atlas.jobs"
"""The group of entry points; each is called as its kind."""

_OWN = {
    "train": "training.jobs.train.job:TRAIN",
    "sft": "training.jobs.train.job:SFT",
    "evaluate": "training.jobs.evaluate:EVALUATE",
    "output": "training.jobs.output:OUTPUT",
    "import": "training.jobs.importing:IMPORT",
    "judge": "training.jobs.judge:JUDGE",
    "study": "training.studies.conducting:STUDY",
}


@dataclass(frozen=True)
class JobType(Generic[Spec]):
    """A kind of job."""

    kind: JobKind
    parse: Callable[[Mapping[str, Any]], Spec]
    """From what the store has of a job's spec."""
    run: Callable[[JobProcess, Home, Spec], None]
    """What its process does. Begins with `JobProcess.begin` when nothing more is to be waited for."""
    scores: bool = False
    """Whether it scores completions, so that a person's own reward functions become known before it begins."""
    takes_accelerator: bool = False
    """Whether it waits for its turn on the accelerator of its machine, and holds it to its end."""
    goes_on: bool = False
    """Whether one that was stopped, failed or lost goes on when the same is asked for again, instead of a new one."""


def type_of(kind: JobKind) -> JobType[Any]:
    """The type of a kind, imported now.

    Raises:
        ConfigError: no package here has that kind.
    """
    found: JobType[Any]
    if kind in _OWN:
        module, _, name = _OWN[kind].partition(":")
        found = getattr(import_module(module), name)
        return found
    for entry in entry_points(group=ENTRY_POINTS, name=kind):
        found = entry.load()
        return found
    raise ConfigError(f"There is no kind of job {kind!r} here.", "Install the package that it is of: `pip install .` for ours.")
