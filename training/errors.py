"""The errors people see: each tells the problem, the value and the remedy.

Page and terminal show the text, never a traceback.
"""

import errno
import reprlib

_SHOWN_CHARACTERS = 120

_SHORTENER = reprlib.Repr()
_SHORTENER.maxstring = _SHORTENER.maxother = _SHORTENER.maxlong = _SHOWN_CHARACTERS


def shown(value: object) -> str:
    """A value as an error names it: written as in Python, on one line, shortened where it is long, wide or deep."""
    try:
        return _SHORTENER.repr(value)
    except Exception:  # too deep, a number of more digits than Python writes, or whatever a value of somebody's own kind raises
        return f"a value of type {type(value).__name__}"


def one_line(text: str) -> str:
    """A text as a terminal may print it: on one line, without what would move its cursor or colour it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def shown_error(error: BaseException) -> str:
    """An error that nobody expected, on one line: its kind, and the beginning of what it says."""
    kind = type(error).__name__
    try:
        told = one_line(str(error))
    except Exception:  # an exception of somebody's own kind may raise where it is to say something
        return kind
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


class DiskError(AtlasError):
    """A file or folder cannot be read or written, say for want of room."""


class ConfigError(AtlasError):
    """A preset, a `--set` assignment or a run configuration is not valid."""


class PatternError(SourceError, ConfigError):
    """A regular expression that a person gave, for a source or for a run's answers, is none or takes too long."""


class StoreError(AtlasError):
    """The run store cannot be opened, or a job named does not exist or is in the wrong state."""


class UnknownJobError(StoreError):
    """There is no job of this id in the run store."""


class StoreFailedError(StoreError):
    """The database behind the run store does not do what was asked: it is away, gone, full, read-only or damaged."""


class StoreAwayError(StoreFailedError):
    """The run store cannot be reached now; trying again later is right."""


class StoreLostError(StoreFailedError):
    """The run store that was in use is not there any more, or is another one, or an older copy of it."""


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


class AlertError(AtlasError):
    """An alert cannot be sent."""


class StudyError(AtlasError):
    """A run of a study did not finish."""


class WorkerError(AtlasError):
    """A process of a run that trains on several was lost, or raised what nobody expected."""


class RewardError(AtlasError):
    """A reward function cannot be loaded, raised, or returned what is no score."""


_DISK_REMEDIES = {
    errno.ENOSPC: "Free some space there.",
    errno.EDQUOT: "Free some of your space there, or ask for more.",
    errno.EROFS: "Make the disk writable, or use a folder on another one.",
    errno.EACCES: "See who may read and write it.",
    errno.EPERM: "See who may read and write it.",
    errno.ENOENT: "See whether its folder is there.",
    errno.EMFILE: "Close what holds files open, or raise the limit (ulimit -n).",
    errno.EIO: "See whether the disk is failing (dmesg).",
}


def disk_error(error: OSError) -> DiskError:
    """What the operating system refused, in words: for the frames in which anything may be raised."""
    what = f"{error.filename} cannot be used" if error.filename else "A file cannot be used"
    remedy = _DISK_REMEDIES.get(error.errno or 0, "See whether the disk and the folder are there and writable.")
    return DiskError(f"{what} ({error.strerror or error}).", remedy)
