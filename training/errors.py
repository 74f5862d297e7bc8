"""The errors people see: each tells the problem, the value and the remedy.

Page and terminal show the text, never a traceback.
"""

import reprlib

_SHOWN_CHARACTERS = 120

_SHORTENER = reprlib.Repr()
_SHORTENER.maxstring = _SHORTENER.maxother = _SHORTENER.maxlong = _SHOWN_CHARACTERS


def shown(value: object) -> str:
    """A value as an error names it: written as in Python, on one line, shortened where it is long, wide or deep."""
    try:
        return _SHORTENER.repr(value)
    except (RecursionError, ValueError):  # too deep, or a number of more digits than Python writes
        return f"a value of the type {type(value).__name__}"


def one_line(text: str) -> str:
    """A text as a terminal may print it: on one line, without what would move its cursor or colour it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def shown_error(error: BaseException) -> str:
    """An error that nobody expected, on one line: its kind, and the beginning of what it says."""
    told = one_line(str(error))
    kind = type(error).__name__
    return f"{kind}: {told[:_SHOWN_CHARACTERS]}" if told else kind


class AtlasError(Exception):
    """Base of every expected error.

    `problem` is one sentence with the offending value; `remedy` is one sentence that says what to do.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["AtlasError"], tuple[str, str]]:
        return type(self), (self.problem, self.remedy)  # by nature only the joined text would go to another process


class SourceError(AtlasError):
    """A problem source cannot be found, read, or holds no usable problem."""


class HomeError(AtlasError):
    """The folder for caches, runs and the store cannot be used."""


class ConfigError(AtlasError):
    """A preset, a `--set` assignment or a run configuration is not valid."""


class StoreError(AtlasError):
    """The run store cannot be opened, or a job named does not exist or is in the wrong state."""


class StoreAwayError(StoreError):
    """The run store cannot be reached now; trying again later is right."""


class ModelError(AtlasError):
    """A model cannot be found, loaded or verified."""


class CheckpointError(AtlasError):
    """A checkpoint cannot be saved, or the one to resume from is not there or not complete."""


class ArtefactError(AtlasError):
    """Files cannot be copied to or from where artefacts go, or its URL cannot be used."""


class HubError(AtlasError):
    """The Hugging Face Hub does not answer, or refuses; or there is no token for it."""


class BackendError(AtlasError):
    """A backend cannot start or reach a job."""


class UnreachableError(BackendError):
    """A backend does not answer now; trying again later is right."""


class WorkerError(AtlasError):
    """A process of a run that trains on several was lost, or raised what nobody expected."""


class RewardError(AtlasError):
    """A reward function cannot be loaded, raised, or returned what is no score."""
