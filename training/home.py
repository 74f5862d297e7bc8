"""Where things lie: the home folder, the store's URL, and the files that ship with the project.

Read once from the environment at a process's edge and passed on; nothing here is global state.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import platformdirs

from training.errors import HomeError
from training.paths import parse_path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
DEMO_MODEL = ASSETS / "demo-model"
DEMO_DATA = ASSETS / "demo-data"
DEMO_ATLAS = ASSETS / "demo-atlas"


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
            HomeError: the home folder cannot be made or written, or one of the others is no path.
        """
        root = _path("GRPO_ATLAS_HOME", environ) or Path(platformdirs.user_data_dir("grpo-atlas"))
        home = cls(
            root=root,
            store_url=environ.get("GRPO_ATLAS_STORE") or f"sqlite:///{quote(str(root / 'store.db'), safe='/')}",
            data=_path("GRPO_ATLAS_DATA", environ),
            rewards=_path("GRPO_ATLAS_REWARDS", environ),
            folders=_paths("GRPO_ATLAS_FOLDERS", environ),
            backends=_path("GRPO_ATLAS_BACKENDS", environ),
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
