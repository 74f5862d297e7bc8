"""Where a run's files go besides its own disk: copies of folders under one fsspec URL, and how they come back.

A copy is complete or absent. Object stores cannot rename, so each copy gets a name that is never used again, and its
manifest, which lists the files with their sizes, is written last and deleted first. The folder that was copied keeps the
manifest too, so that it can stand for its copy on the disk where it lies. When checkpoints are copied, and which are kept,
is `training.models.uploads`' business. Needs no torch.
"""

import importlib.util
import json
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import fsspec
from fsspec.registry import known_implementations

from training.errors import ArtefactError, shown
from training.locks import FileLock
from training.names import lies_within

VARIABLE = "GRPO_ATLAS_ARTEFACTS"
"""The environment variable that names the URL: s3://bucket/folder, gs://, file://, or a folder that all machines share."""

MANIFEST = "manifest.json"
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@|\?\S+")
"""In a driver's messages: a name and password before the host, and queries, which can be signatures."""

_COPY = re.compile(r".+-[0-9a-f]{8}")
"""How `upload` calls a copy: after the folder, with an end that is never used again. Nothing called otherwise is deleted."""

_LOCAL = ("file", "local")
_EXTRAS = {"s3a": "s3", "az": "abfs", "abfss": "abfs"}
"""Protocol -> the extra of the fsspec package that brings its driver, where the two have different names."""


@dataclass(frozen=True)
class Artefacts:
    """The place for the files of all runs; each has a folder of its own in it."""

    url: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Artefacts | None":
        """The place that `GRPO_ATLAS_ARTEFACTS` names, `None` without it.

        Raises:
            ArtefactError: the URL's kind is not known, or its driver is not installed.
        """
        url = environ.get(VARIABLE, "").strip()
        if not url:
            return None
        check_url(url)
        check_driver(url)
        return cls(url)

    def upload(self, job_id: str, folder: Path) -> str:
        """Copy a folder of a run, and return the URL of the copy.

        Raises:
            ArtefactError: the copy cannot be made; nothing counts as copied then.
        """
        name = f"{folder.name}-{secrets.token_hex(4)}"
        with _explained(self.url, "cannot be written"):
            system, root = _open(self.url)
            target = f"{root.rstrip('/')}/{job_id}/{name}"
            try:
                manifest = _copy_up(system, folder, target, name)
            except BaseException:
                with suppress(Exception):  # what is left without a manifest counts for nothing
                    system.rm(target, recursive=True)
                raise
        (folder / MANIFEST).write_bytes(manifest)
        return str(system.unstrip_protocol(target))

    def copies(self, job_id: str) -> list[str]:
        """The URLs of a run's copies, half-made ones included.

        Raises:
            ArtefactError: the place cannot be read.
        """
        with _explained(self.url, "cannot be read"):
            system, root = _open(self.url)
            try:
                found = system.ls(f"{root.rstrip('/')}/{job_id}", detail=False)
            except FileNotFoundError:
                return []
        return [str(system.unstrip_protocol(path)) for path in found]


def is_url(path: str) -> bool:
    """Whether a checkpoint's path is the URL of a copy, not a folder of some machine."""
    return "://" in path


def is_copy_of(url: str, job_id: str) -> bool:
    """Whether a URL reads like that of a copy that a job made: `.../<job>/<folder>-<8 digits>`, in a place of a known kind."""
    *_, owner, name = ("", *url.rstrip("/").split("/"))
    if not is_url(url) or owner != job_id or not _COPY.fullmatch(name):
        return False
    try:
        check_url(url)
    except ArtefactError:
        return False
    return True


def check_url(url: str) -> None:
    """Whether artefacts could go to a URL as far as can be read from it.

    Raises:
        ArtefactError: its kind is not known, or it carries credentials.
    """
    protocol = _protocol(url)
    shown = _redacted(url)
    if protocol not in known_implementations:
        raise ArtefactError(
            f"The artefacts' URL {shown!r} is of an unknown kind.", "Use s3://, gs://, abfs://, file:// or a folder."
        )
    if shown != url:
        raise ArtefactError(
            f"The artefacts' URL {shown!r} carries credentials, which would be on record with every checkpoint.",
            "Give them as the driver's environment variables, for example AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )


def check_driver(url: str) -> None:
    """Whether this Python has what reads and writes there.

    Raises:
        ArtefactError: it has not.
    """
    protocol = _protocol(url)
    if not _has_driver(protocol):
        raise ArtefactError(
            f"Artefacts are to go to {url}, and the driver of {protocol}:// is not installed.",
            f"Install it with {shlex.join(['pip', 'install', *driver_requirements(url)])}.",
        )


def driver_requirements(url: str) -> list[str]:
    """What pip installs for the driver of a URL's kind, in the version that belongs to the installed fsspec."""
    protocol = _protocol(url)
    if protocol in _LOCAL:
        return []
    version = metadata.version("fsspec")
    extra = _EXTRAS.get(protocol, protocol)
    if extra in (metadata.metadata("fsspec").get_all("Provides-Extra") or ()):
        return [f"fsspec[{extra}]=={version}"]
    return [known_implementations[protocol]["class"].partition(".")[0], f"fsspec=={version}"]


def is_complete(url: str) -> bool:
    """Whether a copy is there, whole.

    Raises:
        ArtefactError: the place cannot be read.
    """
    return _manifest(url) is not None


def fetch(url: str, folder: Path) -> Path:
    """Bring a copy to a folder of this disk, whole or not at all, unless it is there already; return the folder.

    Raises:
        ArtefactError: there is no such copy, or it cannot be read or written here.
    """
    manifest = _manifest(url)
    if manifest is None:
        raise ArtefactError(f"{url} is not there, or its upload was cut short.", "Use another checkpoint.")
    with _explained(url, "cannot be fetched"), _alone(folder):
        if _stands_for(folder, manifest):
            return folder
        system, root = _open(url)
        partial = folder.with_name(f".partial {folder.name}")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for name in json.loads(manifest)["files"]:
                if not lies_within(partial / name, partial):
                    raise OSError(f"its manifest names {shown(name)}, which is no file in it")
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                system.get_file(f"{root}/{name}", str(partial / name))
            (partial / MANIFEST).write_bytes(manifest)
            if not _stands_for(partial, manifest):
                raise OSError("files arrived with other sizes than they were sent with")
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def stands_for(folder: Path, url: str) -> bool:
    """Whether a folder of this disk is the one that was copied to a URL; asks nobody."""
    try:
        manifest = (folder / MANIFEST).read_bytes()
        return json.loads(manifest)["name"] == url.rstrip("/").rpartition("/")[2] and _stands_for(folder, manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remove(url: str) -> None:
    """Delete a copy, its manifest first; one that is gone is no error.

    Raises:
        ArtefactError: it cannot be deleted.
    """
    with _explained(url, "cannot be deleted"):
        system, root = _open(url)
        with suppress(FileNotFoundError):
            system.rm_file(f"{root}/{MANIFEST}")
        with suppress(FileNotFoundError):
            system.rm(root, recursive=True)


def remove_copies(url: str) -> None:
    """Delete all copies of a job, half-made ones included, given the URL of its folder; other things in it stay.

    Raises:
        ArtefactError: they cannot be deleted.
    """
    with _explained(url, "cannot be deleted"):
        system, root = _open(url)
        with suppress(FileNotFoundError):
            for path in system.ls(root, detail=False):
                if _COPY.fullmatch(str(path).rstrip("/").rpartition("/")[2]):
                    remove(str(system.unstrip_protocol(path)))
        with suppress(Exception):  # other things are in it, or folders are none of this place
            system.rmdir(root)


def _copy_up(system: Any, folder: Path, target: str, name: str) -> bytes:
    """Copy a folder's files, look whether they arrived, then write the manifest and return it."""
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}
    for file in files:
        system.put_file(str(folder / file), f"{target}/{file}")
    if wrong := [file for file, size in files.items() if system.size(f"{target}/{file}") != size]:
        raise OSError(f"{wrong[0]} arrived with another size than it was sent with")
    manifest = json.dumps({"name": name, "files": files}, indent=1).encode()
    system.pipe_file(f"{target}/{MANIFEST}", manifest)
    return manifest


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST]


def _manifest(url: str) -> bytes | None:
    with _explained(url, "cannot be read"):
        system, root = _open(url)
        try:
            return bytes(system.cat_file(f"{root}/{MANIFEST}"))
        except FileNotFoundError:
            return None


def _stands_for(folder: Path, manifest: bytes) -> bool:
    """Whether a folder has this very manifest, and the files that it lists."""
    try:
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}
        return (folder / MANIFEST).read_bytes() == manifest and sizes == json.loads(manifest)["files"]
    except OSError:
        return False


def _open(url: str) -> tuple[Any, str]:
    """(fsspec's file system, the path in it); nothing is remembered of what others may change."""
    local: dict[str, Any] = {"auto_mkdir": True} if _protocol(url) in _LOCAL else {}
    system, path = fsspec.core.url_to_fs(url, use_listings_cache=False, **local)
    return system, str(path)


def _protocol(url: str) -> str:
    return url.partition("://")[0] if is_url(url) else "file"


def _has_driver(protocol: str) -> bool:
    module = known_implementations[protocol]["class"].rpartition(".")[0]
    if not module.startswith("fsspec."):
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError:
        return False
    return True


@contextmanager
def _explained(url: str, what: str) -> Iterator[None]:
    """Whatever a driver raises becomes an `ArtefactError`: each has exceptions of its own, network's and service's."""
    try:
        yield
    except ArtefactError:
        raise
    except Exception as error:
        raise ArtefactError(
            f"{_redacted(url)} {what} ({_cause(error)}).",
            "Check the address, the credentials in the environment and the network.",
        ) from error


def _cause(error: Exception) -> str:
    """An error's first line, or its kind where it says nothing; never a credential."""
    lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
    return _redacted(lines[0]) if lines else type(error).__name__


def _redacted(text: str) -> str:
    return _CREDENTIALS.sub("", text)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from fetching to the same folder meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with closing(FileLock(folder.with_name(f".{folder.name}.lock"))) as lock, lock.held():
        yield
