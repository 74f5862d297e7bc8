"""What `alerts.toml` says: channels, and what each is told; `example.toml` explains it.

The file holds no secret: what is secret is named as `${NAME}` and taken from the environment when something is sent.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from training.credentials import REFERENCE, SECRET_WORDS
from training.errors import ConfigError, shown
from training.home import Home
from training.names import is_name
from training.paths import read_toml, reason
from training.signal_names import SignalName

Event = Literal["alarm", "audit", "finished", "stopped", "failed"]
"""What a channel may be told: findings of the doctor by their level, and ends of runs."""

EXAMPLE = Path(__file__).with_name("example.toml")

_OPEN = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "syslog", "dbus", "gnome", "macosx", "windows"})
"""Kinds of addresses that need hold nothing secret."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Channel(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """As apprise takes it, with `${NAME}` for what is secret."""
    on: tuple[Event, ...] = ("alarm", "failed")
    signals: tuple[SignalName, ...] = ()
    """Which findings; all where it is empty."""

    @field_validator("url")
    @classmethod
    def _hides_secrets(cls, value: str) -> str:
        if not _SCHEME.match(value):
            raise ValueError("must be an address as apprise takes it, such as json://127.0.0.1:9000/runs")
        parts = urlsplit(REFERENCE.sub("REFERENCE", value))
        if parts.password is not None and parts.password != "REFERENCE":
            raise ValueError("holds a password: write it as ${NAME}, a variable of the environment")
        if any(_sounds_secret(key) and text != "REFERENCE" for key, text in parse_qsl(parts.query)):
            raise ValueError("holds a secret behind the question mark: write it as ${NAME}, a variable of the environment")
        if parts.scheme.lower() not in _OPEN and not REFERENCE.search(value):
            raise ValueError(
                f"has to name what is secret in a {parts.scheme} address as ${{NAME}}, a variable of the environment"
            )
        return value

    @property
    def kind(self) -> str:
        """The part of the address that may be shown: `slack`, `json`."""
        return self.url.partition("://")[0].lower()

    def wants(self, event: Event, signal: SignalName | None = None) -> bool:
        """Whether it is told of an event."""
        return event in self.on and (signal is None or not self.signals or signal in self.signals)


def _sounds_secret(key: str) -> bool:
    name = key.upper().lstrip("+- ").replace("-", "_")  # apprise marks headers with a plus, which a query reads as a space
    return name == "AUTHORIZATION" or any(word in name for word in SECRET_WORDS)


def alerts_file(home: Home) -> Path:
    """Where channels are configured: `GRPO_ATLAS_ALERTS`, or `alerts.toml` in the home."""
    return home.alerts or home.root / "alerts.toml"


def channels_of(home: Home) -> Mapping[str, Channel]:
    """Name -> channel, in the file's order; none where there is no file.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.
    """
    file = alerts_file(home)
    remedy = f"Correct it in {file}; {EXAMPLE.name} beside the program's alerts explains every key."
    try:
        tables = read_toml(file)
    except FileNotFoundError:
        if home.alerts is not None:
            raise ConfigError(f"There is no file {file}.", "Correct or unset GRPO_ATLAS_ALERTS.") from None
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read ({reason(error)}).", remedy) from error
    return {name: _parse(name, table, remedy) for name, table in tables.items()}


def _parse(name: str, table: object, remedy: str) -> Channel:
    if not is_name(name) or not isinstance(table, dict):
        raise ConfigError(f"{shown(name)} is no channel of alerts.", "Begin each with a line such as [team].")
    try:
        return Channel.model_validate(table)
    except ValidationError as error:
        wrong = error.errors(include_input=False)[0]  # an input may be a secret that was put into the wrong place
        place = ".".join(str(part) for part in wrong["loc"])
        raise ConfigError(f"Channel {name!r}: {place}: {wrong['msg'].removeprefix('Value error, ')}.", remedy) from error
