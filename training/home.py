"""Where things lie: the home folder, the store's URL, and the files that ship with the project.

Read once from the environment at a process's edge and passed on; nothing here is global state.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from training.errors import HomeError

ASSETS = Path(__file__).resolve().parent.parent / "assets"
DEMO_MODEL = ASSETS / "demo-model"
DEMO_DATA = ASSETS / "demo-data"
DEMO_ATLAS = ASSETS / "demo-atlas"

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

    @property
    def presets(self) -> Path:
        """A person's own presets, beside those that ship."""
        return self.root / "presets"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Home":
        """Read `GRPO_ATLAS_HOME`, `_STORE`, `_DATA`, `_REWARDS`, `_FOLDERS`, `_BACKENDS`; make sure the home can be written.

        Raises:
            HomeError: the home folder cannot be made or written.
        """
        root = _path(environ.get("GRPO_ATLAS_HOME")) or Path(platformdirs.user_data_dir("grpo-atlas"))
        home = cls(
            root=root,
            store_url=environ.get("GRPO_ATLAS_STORE") or f"sqlite:///{root / 'store.db'}",
            data=_path(environ.get("GRPO_ATLAS_DATA")),
            rewards=_path(environ.get("GRPO_ATLAS_REWARDS")),
            folders=tuple(filter(None, map(_path, environ.get("GRPO_ATLAS_FOLDERS", "").split(os.pathsep)))),
            backends=_path(environ.get("GRPO_ATLAS_BACKENDS")),
        )
        home._prepare()
        return home

    def environment(self) -> dict[str, str]:
        """The variables that make another process use this home."""
        variables = {"GRPO_ATLAS_HOME": str(self.root), "GRPO_ATLAS_STORE": self.store_url}
        paths = {"GRPO_ATLAS_DATA": self.data, "GRPO_ATLAS_REWARDS": self.rewards, "GRPO_ATLAS_BACKENDS": self.backends}
        if self.folders:
            variables["GRPO_ATLAS_FOLDERS"] = os.pathsep.join(map(str, self.folders))
        return variables | {name: str(path) for name, path in paths.items() if path}

    def _prepare(self) -> None:
        try:
            for folder in (self.root, self.cache, self.runs, self.presets, self.locks):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".write-probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise HomeError(
                f"The home folder {self.root} cannot be written ({error.strerror or error}).",
                "Set GRPO_ATLAS_HOME to a folder that you may write to.",
            ) from error


def _path(configured: str | None) -> Path | None:
    return Path(configured).expanduser().absolute() if configured else None
