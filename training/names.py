"""Names that become folders: what a preset or a job may be called, and the only way from a job's id to a path.

A name is checked where it enters (a configuration, a launch, a preset that is saved) and the id once more where a path is
made of it, as a store may hold what another program wrote.
"""

import os
import re
from pathlib import Path

from training.errors import StoreError, shown

NAME_RULE = "Use 1 to 60 letters (A to Z), digits, dots, dashes and underscores, with a letter or digit first."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

TITLE_RULE = NAME_RULE.replace("dots,", "spaces, dots,")
_TITLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,58}[A-Za-z0-9._-])?")
_TITLE_CHARACTERS = 60

COMPONENT_BYTES = 255
"""Of one folder's or file's name, on the file systems of Linux."""


def is_name(text: str) -> bool:
    """Whether a preset may be called so: the same in a file's name, an address and a command line."""
    return _NAME.fullmatch(text) is not None


def is_title(text: str) -> bool:
    """Whether a job may be called so: a name, in which spaces may stand too."""
    return _TITLE.fullmatch(text) is not None


def as_title(text: str) -> str:
    """The text as a job may be called: what may not stand there becomes dashes, and what is too long is cut off."""
    kept = re.sub(r"[^A-Za-z0-9 ._-]+", "-", text).lstrip(" ._-")[:_TITLE_CHARACTERS].rstrip()
    return kept or "job"


def is_component(text: str) -> bool:
    """Whether a text names one entry of a folder, neither hidden nor the folder itself nor one elsewhere."""
    try:
        size = len(os.fsencode(text))
    except UnicodeEncodeError:  # half a character
        return False
    return 0 < size <= COMPONENT_BYTES and not text.startswith(".") and not {"/", "\0"}.intersection(text)


def folder_in(parent: Path, job_id: str) -> Path:
    """The folder of a job in that of all.

    Raises:
        StoreError: the id would lead elsewhere, so the job has none.
    """
    if not is_component(job_id):
        raise StoreError(
            f"The job {shown(job_id)} has no folder: its name is none of a folder in {parent}.",
            "No job of this program is called so; `python -m training delete` takes it off the record.",
        )
    return parent / job_id


def lies_within(path: str | Path, folder: Path) -> bool:
    """Whether a path, links followed, lies below a folder, not being the folder itself."""
    try:
        found, around = Path(path).resolve(), folder.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null character
        return False
    return found != around and found.is_relative_to(around)
