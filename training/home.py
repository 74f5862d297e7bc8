"""Where things lie: the home folder, the store's URL, and the files that ship with the project.

Read once from the environment at a process's edge and passed on; nothing here is global state.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from training.errors import HomeError

ASSETS = Path(__file__).resolve().parent.parent / "assets"
DEMO_MODEL = ASSETS / "demo-model"
DEMO_DATA = ASSETS / "demo-data"
DEMO_ATLAS = ASSETS / "demo-atlas"


@dataclass(frozen=True)
class Home:
    """The folders and addresses of one installation."""

    root: Path
    store_url: str
    data: Path | None
    """The folder that the source `auto` tries first (`GRPO_ATLAS_DATA`)."""

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
        """Read `GRPO_ATLAS_HOME`, `GRPO_ATLAS_STORE` and `GRPO_ATLAS_DATA`, and make sure the home can be written.

        Raises:
            HomeError: the home folder cannot be made or written.
        """
        configured = environ.get("GRPO_ATLAS_HOME")
        root = Path(configured).expanduser().absolute() if configured else Path(platformdirs.user_data_dir("grpo-atlas"))
        data = environ.get("GRPO_ATLAS_DATA")
        home = cls(
            root=root,
            store_url=environ.get("GRPO_ATLAS_STORE") or f"sqlite:///{root / 'store.db'}",
            data=Path(data).expanduser().absolute() if data else None,
        )
        home._prepare()
        return home

    def environment(self) -> dict[str, str]:
        """The variables that make another process use this home."""
        variables = {"GRPO_ATLAS_HOME": str(self.root), "GRPO_ATLAS_STORE": self.store_url}
        return variables | ({"GRPO_ATLAS_DATA": str(self.data)} if self.data else {})

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
