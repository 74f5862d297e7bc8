"""The errors people see: each tells the problem, the value and the remedy.

Page and terminal show the text, never a traceback.
"""


class AtlasError(Exception):
    """Base of every expected error.

    `problem` is one sentence with the offending value; `remedy` is one sentence that says what to do.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class SourceError(AtlasError):
    """A problem source cannot be found, read, or holds no usable problem."""


class HomeError(AtlasError):
    """The folder for caches, runs and the store cannot be used."""


class ConfigError(AtlasError):
    """A preset, a `--set` assignment or a run configuration is not valid."""


class StoreError(AtlasError):
    """The run store cannot be opened, or a job named does not exist or is in the wrong state."""


class ModelError(AtlasError):
    """A model cannot be found, loaded or verified."""


class CheckpointError(AtlasError):
    """A checkpoint cannot be saved, or the one to resume from is not there or not complete."""


class BackendError(AtlasError):
    """A backend cannot start or reach a job."""


class RewardError(AtlasError):
    """A reward function cannot be loaded, raised, or returned what is no score."""
