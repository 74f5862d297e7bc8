"""Presets: run configurations by name, as TOML files that ship with the program or stand in a person's home.

A preset may be changed by `key=value` assignments. What a setting means and may be is `training.config`.
"""

import itertools
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from training.config import RunConfig, StageConfig, parse_config
from training.errors import ConfigError, one_line, shown
from training.files import replace_file
from training.names import NAME_RULE, is_name
from training.paths import MOST_BYTES, parse_path, read_text, read_toml, reason
from training.settings import CHOSEN_OF, SETTINGS_OF

PRESETS = Path(__file__).resolve().parent / "presets"


def preset_paths(own: Path | None = None) -> dict[str, Path]:
    """Name -> file of the presets that ship with the program, and of a person's own, which win over equal names."""
    folders = [PRESETS] if own is None else [PRESETS, own]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}


def preset_description(path: Path) -> str:
    """What a preset says of itself: the comment that its file begins with; nothing where it cannot be read."""
    try:
        lines = read_text(path, MOST_BYTES).splitlines()
    except (OSError, ValueError):
        return ""
    return " ".join(line.lstrip("# ") for line in itertools.takewhile(lambda line: line.startswith("#"), lines))


def load_preset(preset: str, assignments: Sequence[str] = (), own: Path | None = None) -> StageConfig:
    """A preset by name, or the TOML file at a path, with `key=value` assignments applied.

    Values are read as TOML, and as plain text when that fails; `rewards.integer=0` reaches into the table of rewards.

    Args:
        own: the folder with a person's own presets.

    Raises:
        ConfigError: no such preset, malformed TOML, an unknown key, or a value out of range.
    """
    paths = preset_paths(own)
    path = paths.get(preset) or parse_path(preset, ConfigError)
    try:
        values = read_toml(path)
    except FileNotFoundError as error:
        remedy = f"Use one of {', '.join(paths)}, or the path of a TOML file."
        raise ConfigError(f"There is no preset {shown(preset)}.", remedy) from error
    except (OSError, ValueError) as error:
        told = f"The preset {one_line(path.name)} cannot be read: {reason(error)}."
        raise ConfigError(told, "Correct the file; it must be TOML.") from error
    for assignment in assignments:
        key, value = parse_assignment(assignment)
        assign(values, key, parse_value(value))
    return parse_config({"preset": path.stem} | values)


def save_preset(config: StageConfig, name: str, folder: Path, description: str = "", *, overwrite: bool = False) -> Path:
    """Keep a configuration as a person's own preset; the file is there whole or not at all.

    Args:
        folder: the one with a person's own presets.
        description: one line, what the preset is for.
        overwrite: whether an own preset of that name may be replaced.

    Raises:
        ConfigError: the name cannot be a file's or is taken, or the folder cannot be written.
    """
    if not is_name(name):
        raise ConfigError(f"A preset cannot be named {shown(name)}.", NAME_RULE)
    if name in preset_paths():
        raise ConfigError(f"{name} ships with the program.", "Choose another name.")
    path = folder / f"{name}.toml"
    if path.exists() and not overwrite:
        raise ConfigError(f"There is a preset {name} already.", "Choose another name, or say that it is to be replaced.")
    line = "".join(letter for letter in " ".join(description.split()) if letter.isprintable())
    try:
        replace_file(path, lambda stream: stream.write(preset_text(config, line).encode()))
    except OSError as error:
        raise ConfigError(
            f"The preset {name} cannot be saved in {folder} ({error.strerror or error}).",
            "Free some space, or correct the permissions.",
        ) from error
    return path


def preset_text(config: StageConfig, description: str = "") -> str:
    """A configuration as a preset file, every setting with its value and, as a comment, what it means and may be."""
    return "\n".join(_preset_lines(config, description)) + "\n"


def _preset_lines(config: StageConfig, description: str) -> Iterator[str]:
    yield from _comment(description)
    chosen = [SETTINGS_OF[config.stage][name] for name in CHOSEN_OF[config.stage]]
    for group, settings in itertools.groupby(chosen, key=lambda setting: setting.group):
        yield from ("", f"# {group}")
        for setting in settings:
            value = config.model_dump(mode="json")[setting.name]
            several = "any" if isinstance(value, list) else "one"
            bounds = f"{several} of {', '.join(setting.choices)}" if setting.choices else setting.limits
            unit = f" {setting.unit}" if setting.unit and bounds else ""
            yield ""
            yield from _comment(f"{setting.title}. {setting.description}" + (f" ({bounds}{unit})" if bounds else ""))
            for choice, says in setting.meanings.items():
                yield from _comment(f"{choice}: {says}")
            # A table would swallow the settings after it, so that of the rewards stands in one line.
            table = isinstance(value, dict)
            yield f"{setting.name} = {_inline_table(value)}" if table else tomli_w.dumps({setting.name: value}).rstrip()


def _inline_table(values: dict[str, Any]) -> str:
    return "{ " + ", ".join(tomli_w.dumps({name: value}).strip() for name, value in values.items()) + " }"


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in textwrap.wrap(text, 118))


def parse_assignment(text: str) -> tuple[str, str]:
    """(key, value) of `key=value`.

    Raises:
        ConfigError: it is none.
    """
    key, mark, value = text.partition("=")
    if not mark or not key.strip():
        raise ConfigError(f"{shown(text)} is not an assignment.", "Write key=value, for example max_steps=20.")
    return key.strip(), value


def assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Set one value of a configuration; `rewards.integer` reaches into the table of rewards.

    Raises:
        ConfigError: the key reaches into what is no table.
    """
    *tables, last = key.split(".")
    for table in tables:
        values = values.setdefault(table, _usual(table)) if len(tables) == 1 else {}
        if len(tables) > 1 or not isinstance(values, dict):
            why = "only tables have settings in them, such as rewards.integer"
            raise ConfigError(f"{shown(key)} is not a setting: {why}.", "See `python -m training launch --help`.")
    values[last] = value


def _usual(table: str) -> dict[str, Any]:
    """What a table holds that a preset leaves out."""
    field = RunConfig.model_fields.get(table)
    return dict(field.default) if field is not None and isinstance(field.default, dict) else {}


def parse_value(text: str) -> Any:
    """The TOML value that a text is; the text itself where it is none."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # also numbers of thousands of digits, and brackets inside one another
        return text
    return found["value"] if found.keys() == {"value"} else text
