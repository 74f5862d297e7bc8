"""Where things lie: the home folder, the store's URL, and the files that ship with the project.

Read once from the environment at a process's edge and passed on; nothing here is global state.
"""

import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import platformdirs

from training.errors import ConfigError, HomeError, shown
from training.names import folder_in
from training.paths import parse_path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
DEMO_MODEL = ASSETS / "demo-model"
DEMO_PRM = ASSETS / "demo-prm"
DEMO_DATA = ASSETS / "demo-data"
DEMO_ATLAS = ASSETS / "demo-atlas"

_PROBE_BYTES = 64 * 1024
"""A disk without this much room counts as full: SQLite needs as much to begin."""

STOP_GRACE_S = 600.0
"""A step of a large model, or saving its checkpoint, takes minutes; a run that is stuck shows no progress for longer."""

DASHBOARD_TOKEN = "GRPO_ATLAS_TOKEN"
"""A variable that only the dashboard's own process may have: whoever writes code that another one loads could read it."""


def inherited_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that a process started from this one may inherit: all but the dashboard's token."""
    return {name: value for name, value in environ.items() if name != DASHBOARD_TOKEN}


@dataclass(frozen=True)
class Home:
    """The folders and addresses of one installation."""

    root: Path
    store_url: str = field(repr=False)
    """May hold a password."""
    data: Path | None
    """The folder that the source `auto` tries first (`GRPO_ATLAS_DATA`)."""
    rewards: Path | None = None
    """The file with a person's own reward functions (`GRPO_ATLAS_REWARDS`)."""
    folders: tuple[Path, ...] = ()
    """Further folders from which a page may name models and problems (`GRPO_ATLAS_FOLDERS`, separated as in PATH)."""
    backends: Path | None = None
    """The file that configures backends (`GRPO_ATLAS_BACKENDS`); `None` for `backends.toml` in the home."""
    alerts: Path | None = None
    """The file that says whom to alert (`GRPO_ATLAS_ALERTS`); `None` for `alerts.toml` in the home."""
    stop_grace_s: float = STOP_GRACE_S
    """From a request to stop, or the last progress after it, until a job of this machine is ended by force
    (`GRPO_ATLAS_STOP_GRACE_S`)."""

    @property
    def allowed(self) -> tuple[Path, ...]:
        """The folders from which a page may name models and problems."""
        own = (self.root, ASSETS) if self.data is None else (self.root, ASSETS, self.data)
        return (*own, *self.folders)

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def job_folder(self, job_id: str) -> Path:
        """Where a job's log, checkpoints and other files lie.

        Raises:
            StoreError: its id would lead elsewhere.
        """
        return folder_in(self.runs, job_id)

    def folders_there(self) -> set[str]:
        """The ids of jobs that have a folder here: the store need not know them, as one that was begun anew does not."""
        return {path.name for path in self.runs.iterdir()} if self.runs.is_dir() else set()

    @property
    def presets(self) -> Path:
        """A person's own presets, beside those that ship."""
        return self.root / "presets"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def deletions(self) -> Path:
        """What is being deleted, see `training.runs.deletion`."""
        return self.root / "deletions"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Home":
        """Read `GRPO_ATLAS_HOME`, `_STORE`, `_DATA`, `_REWARDS`, `_FOLDERS`, `_BACKENDS`, `_ALERTS`, `_STOP_GRACE_S`.

        Makes the folders.

        A home that is there and cannot be written may still be looked at; see `require_writable`.

        Raises:
            HomeError: the home folder is not there and cannot be made, or cannot be read; or one of the others is no path.
            ConfigError: `GRPO_ATLAS_STOP_GRACE_S` is no number of seconds.
        """
        root = _path("GRPO_ATLAS_HOME", environ) or Path(platformdirs.user_data_dir("grpo-atlas"))
        home = cls(
            root=root,
            store_url=environ.get("GRPO_ATLAS_STORE") or f"sqlite:///{quote(str(root / 'store.db'), safe='/')}",
            data=_path("GRPO_ATLAS_DATA", environ),
            rewards=_path("GRPO_ATLAS_REWARDS", environ),
            folders=_paths("GRPO_ATLAS_FOLDERS", environ),
            backends=_path("GRPO_ATLAS_BACKENDS", environ),
            alerts=_path("GRPO_ATLAS_ALERTS", environ),
            stop_grace_s=_seconds("GRPO_ATLAS_STOP_GRACE_S", environ, STOP_GRACE_S),
        )
        home._prepare()
        return home

    def environment(self) -> dict[str, str]:
        """The variables that make another process use this home."""
        variables = {"GRPO_ATLAS_HOME": str(self.root), "GRPO_ATLAS_STORE": self.store_url}
        variables["GRPO_ATLAS_STOP_GRACE_S"] = repr(self.stop_grace_s)
        paths = {"GRPO_ATLAS_DATA": self.data, "GRPO_ATLAS_REWARDS": self.rewards, "GRPO_ATLAS_BACKENDS": self.backends}
        paths |= {"GRPO_ATLAS_ALERTS": self.alerts}
        if self.folders:
            variables["GRPO_ATLAS_FOLDERS"] = os.pathsep.join(map(str, self.folders))
        return variables | {name: str(path) for name, path in paths.items() if path}

    def why_unwritable(self) -> str:
        """Why nothing can be written to the home now, in the system's words; empty where it can."""
        probe = self.root / f".write-probe-{os.getpid()}-{threading.get_ident()}"
        try:
            try:
                probe.write_bytes(bytes(_PROBE_BYTES))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def require_writable(self) -> None:
        """Raise `HomeError` where nothing can be written to the home."""
        if reason := self.why_unwritable():
            raise self._unwritable(reason)

    def _prepare(self) -> None:
        try:
            for folder in (self.root, self.cache, self.runs, self.presets, self.locks, self.deletions):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not (self.root.is_dir() and os.access(self.root, os.R_OK | os.X_OK)):
                raise self._unwritable(error.strerror or str(error)) from error

    def _unwritable(self, reason: str) -> HomeError:
        return HomeError(
            f"The home folder {self.root} cannot be written ({reason}).",
            "Set GRPO_ATLAS_HOME to a folder that you may write to, or free some space there.",
        )


def _path(name: str, environ: Mapping[str, str]) -> Path | None:
    """The path that a variable holds."""
    text = environ.get(name, "")
    return _parsed(name, text) if text else None


def _paths(name: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The paths that a variable holds, separated as in PATH."""
    return tuple(_parsed(name, text) for text in environ.get(name, "").split(os.pathsep) if text)


def _parsed(name: str, text: str) -> Path:
    try:
        return parse_path(text, HomeError)
    except HomeError as error:
        raise HomeError(f"{name}: {error.problem}", "Correct or unset that variable.") from error


def _seconds(name: str, environ: Mapping[str, str], default: float) -> float:
    text = environ.get(name) or repr(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{name} = {shown(text)} is no number of seconds.", "Correct or unset that variable.")
    return value
