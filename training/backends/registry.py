"""The kinds of backends, and the backends that there are: this machine, and those of `backends.toml`, checked when it is read.

A new kind is one entry of `TYPES`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from training.backends import Backend, BackendState
from training.backends.configuration import RayConfig
from training.backends.local import LocalBackend
from training.backends.ray import RayBackend
from training.errors import AtlasError, BackendError, ConfigError, shown
from training.home import Home
from training.paths import read_toml, reason
from training.store import LOCAL, Store

Config = TypeVar("Config", bound=BaseModel)

EXAMPLE = Path(__file__).with_name("example.toml")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True)
class BackendType(Generic[Config]):
    """A kind of backend."""

    config: type[Config]
    """What a table of the file may hold."""
    make: Callable[[str, Config, Home], Backend]


TYPES: Mapping[str, BackendType[Any]] = {"ray": BackendType(RayConfig, RayBackend)}
"""`kind` in the file -> its type."""


def backends_file(home: Home) -> Path:
    """Where the backends are configured: `GRPO_ATLAS_BACKENDS`, or `backends.toml` in the home."""
    return home.backends or home.root / "backends.toml"


def backend_names(home: Home) -> tuple[str, ...]:
    """This machine, then the backends that are configured.

    Raises:
        ConfigError: their configuration is wrong.
    """
    return (LOCAL, *_configured(home))


def backend_named(name: str, home: Home) -> Backend:
    """The backend of that name; this machine whatever the configuration holds.

    Raises:
        BackendError: there is none.
        ConfigError: the configuration is wrong.
    """
    if name == LOCAL:
        return LocalBackend(home)
    known = _configured(home)
    if name not in known:
        raise BackendError(
            f"There is no backend {name!r}.",
            f"Use one of {', '.join((LOCAL, *known))}, or configure it in {backends_file(home)}.",
        )
    found, config = known[name]
    return found.make(name, config, home)


def backend_state(name: str, home: Home, store: Store) -> BackendState:
    """How a backend is now; one that cannot even be made from its configuration is as good as unreachable."""
    try:
        return backend_named(name, home).state(store)
    except AtlasError as error:
        return BackendState("unreachable", reason=str(error))


def _configured(home: Home) -> dict[str, tuple[BackendType[Any], BaseModel]]:
    """Name -> its type and what configures it, in the file's order; none where there is no file.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.
    """
    file = backends_file(home)
    try:
        tables = read_toml(file)
    except FileNotFoundError:
        if home.backends is not None:
            raise ConfigError(f"There is no file {file}.", "Correct or unset GRPO_ATLAS_BACKENDS.") from None
        tables = {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{file} cannot be read ({reason(error)}).", f"Correct it; {EXAMPLE.name} shows how one looks."
        ) from error
    return {name: _parse(name, table, file) for name, table in tables.items()}


def _parse(name: str, table: object, file: Path) -> tuple[BackendType[Any], BaseModel]:
    remedy = f"Correct it in {file}; {EXAMPLE.name} explains every key."
    if name == LOCAL:
        raise ConfigError(f"{file} configures {LOCAL!r}, which is always there.", "Take the table out, or rename it.")
    if not _NAME.fullmatch(name) or not isinstance(table, dict):
        raise ConfigError(f"{file}: {shown(name)} is no backend.", "Begin each with a line such as [a100].")
    kind, known = table.get("kind"), " or ".join(f'"{name}"' for name in TYPES)
    if not isinstance(kind, str) or kind not in TYPES:
        raise ConfigError(f"Backend {name!r}: kind must be {known}.", remedy)
    try:
        return TYPES[kind], TYPES[kind].config.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"Backend {name!r}: {_told(error)}.", remedy) from error


def _told(error: ValidationError) -> str:
    """The first thing wrong. Values are left out: one may be a secret that was put into the wrong place."""
    wrong = error.errors(include_input=False)[0]
    place = ".".join(str(part) for part in wrong["loc"])
    message = wrong["msg"].removeprefix("Value error, ")
    if wrong["type"] == "extra_forbidden":
        return f"there is no key {place}"
    if wrong["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {message}" if place else message
