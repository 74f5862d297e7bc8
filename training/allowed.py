"""What a page may name: the models and the sources of problems that whoever started the dashboard allows.

Loading a model or a file runs and shows what is in it, so a folder typed into a page must lie in one of `Home.allowed`.
Command lines are not held to it: who has a shell may read what they like. Nothing here reads a file's content.
"""

import re
from pathlib import Path

import sqlalchemy as sa

from training.artefacts import is_url
from training.data.sources import named_sources, parse_source
from training.errors import AtlasError, ModelError, SourceError, shown
from training.home import Home
from training.judging.judges import split_judge
from training.models.beginnings import parse_beginning, pinned_model
from training.paths import is_folder, parse_path
from training.store import Store, schema

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
"""owner/name, as the Hugging Face Hub allows it."""

_EMBEDDING_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
"""Those of sentence-transformers need no owner."""

_REMEDY = "Start the dashboard with GRPO_ATLAS_FOLDERS naming a folder around it (several are separated by a colon)."


def allowed_model(name: str, store: Store, home: Home) -> str:
    """The model as it may be loaded: "demo", a Hub name, a run's checkpoint by its step, an absolute folder, links followed, or
    an uploaded checkpoint's URL.

    Folders are those of recorded checkpoints, and those in `Home.allowed`. A name that reads like one of the Hub is one,
    whatever lies in the working folder.

    Raises:
        ModelError: a page may not name it, or its folder is not there.
        CheckpointError, StoreError: there is no such run, or it has no such checkpoint.
    """
    name = name.strip()
    if parse_beginning(name) is not None:
        return pinned_model(name, store)
    if name == "demo" or (_HUB_NAME.fullmatch(name) and ".." not in name and "--" not in name):
        return name
    if is_url(name) and _is_checkpoint(store, name):
        return name
    if not _is_path(name):
        raise ModelError(f"{shown(name)} is not a model's name.", 'Use "demo", a Hub name such as owner/name, or a folder.')
    folder = _resolve(name, ModelError)
    if not _is_checkpoint(store, name) and not _lies_in(folder, home):
        raise ModelError(f"A page may not load a model from {shown(name)}.", _REMEDY)
    if not is_folder(folder):
        raise ModelError(f"There is no folder {shown(name)}.", "Check the path; a model's folder holds its config.json.")
    return str(folder)


def allowed_judge(name: str, store: Store, home: Home) -> str:
    """The judge as it may be asked; its model is held to `allowed_model`.

    Raises:
        ModelError, CheckpointError, StoreError: as of `allowed_model`.
    """
    asked, model = split_judge(name.strip())
    allowed = allowed_model(model, store, home)
    return f"{asked}:{allowed}" if asked else allowed


def allowed_source(source: str, home: Home) -> str:
    """The source as it may be read: its line, with an absolute path, links followed. A named one may be read wherever it lies.

    Raises:
        SourceError: a page may not name it, or it is none.
    """
    source = source.strip()
    parsed = parse_source(source, home)
    if parsed.path is None or str(parsed) in {str(parse_source(name, home)) for name in named_sources(home)}:
        return str(parsed)
    if not source or not _lies_in(parsed.path, home):
        raise SourceError(f"A page may not read problems from {shown(source)}.", _REMEDY)
    return str(parsed)


def allowed_log(path: str, home: Home) -> Path:
    """The folder or file of another trainer's log as it may be read: an absolute path, links followed.

    Raises:
        SourceError: a page may not name it.
    """
    found = _resolve(path.strip(), SourceError)
    if not _lies_in(found, home):
        raise SourceError(
            f"A page may not read a log from {shown(path)}.", f"{_REMEDY[:-1]}, or read it by `python -m training import`."
        )
    return found


def allowed_embedding(name: str, home: Home) -> str:
    """The embedding model as it may be loaded: a name such as all-MiniLM-L6-v2 or owner/name, or an absolute folder.

    Raises:
        ModelError: a page may not name it, or its folder is not there.
    """
    name = name.strip()
    if _EMBEDDING_NAME.fullmatch(name) and ".." not in name and not is_folder(Path(name)):
        return name
    folder = _resolve(name, ModelError)
    if not name or not _lies_in(folder, home):
        raise ModelError(f"A page may not load an embedding model from {shown(name)}.", _REMEDY)
    if not is_folder(folder):
        raise ModelError(f"There is no folder {shown(name)}.", "Check the path, or name a sentence-transformers model.")
    return str(folder)


def _is_path(name: str) -> bool:
    return name.startswith(("/", "~", "."))


def _resolve(name: str, error: type[AtlasError]) -> Path:
    return parse_path(name, error, follow=True)


def _lies_in(path: Path, home: Home) -> bool:
    return any(path.is_relative_to(folder.resolve()) for folder in home.allowed)


def _is_checkpoint(store: Store, path: str) -> bool:
    """Whether a run's process recorded exactly this path; a cluster's checkpoints lie outside the home."""
    table = schema.checkpoints
    with store.reading() as connection:
        return connection.scalar(sa.select(table.c.seq).where(table.c.path == path).limit(1)) is not None
