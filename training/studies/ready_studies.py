"""Ready studies: the article's design choices at the size of the demo, each a TOML file beside this module."""

from dataclasses import dataclass
from pathlib import Path

from training.errors import ConfigError, shown
from training.paths import read_toml
from training.presets import preset_description

_FOLDER = Path(__file__).resolve().parent / "ready"


@dataclass(frozen=True)
class ReadyStudy:
    """A study to begin with."""

    preset: str
    vary: tuple[str, ...]
    """As `plan.parse_vary` takes it."""
    description: str


def ready_studies() -> dict[str, ReadyStudy]:
    """Name -> study."""
    return {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.toml"))}


def ready_study(name: str) -> ReadyStudy:
    """A ready study by name.

    Raises:
        ConfigError: there is none of that name.
    """
    found = ready_studies()
    if name not in found:
        raise ConfigError(f"There is no ready study {shown(name)}.", f"Use one of {', '.join(found)}.")
    return found[name]


def _read(path: Path) -> ReadyStudy:
    values = read_toml(path)
    return ReadyStudy(values["preset"], tuple(values["vary"]), preset_description(path))
