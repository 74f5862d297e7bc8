"""A source of problems, in one line: a location, and after `?` what is not as everybody writes it.

`/data/exam.csv?question=prompt&gold=key`, `hub:owner/name?config=main&test=validation`, `/data/all.jsonl?hold_out=0.1`. Named
ones are kept in `sources.toml` of the home folder. Reading a source is for `training.data.problems`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

import tomli_w

from training.data.columns import COLUMN_NAMES, Columns
from training.data.duplicates import KEYS
from training.data.files import SplitNames
from training.errors import SourceError, shown
from training.files import replace_file
from training.home import Home
from training.names import NAME_RULE, is_name
from training.paths import parse_path, read_toml, reason

BUILT_IN = ("demo", "hub", "auto")
"""Sources that everybody has: the generated demo, GSM8K on the Hub, and whichever of these is there."""

HUB = "hub:"
NAMED_SOURCES_FILE = "sources.toml"
OPTIONS = (*COLUMN_NAMES, "train", "test", "config", "revision", "hold_out", "seed", "together")
"""What may stand after the `?`."""
_FIRST_OPTION = re.compile(rf"\?(?=(?:{'|'.join(OPTIONS)})=)")
_MOST_CHARACTERS = 8_000


@dataclass(frozen=True)
class HoldOut:
    """Train problems that become test problems: a share of them, or a number."""

    size: float = 0.0
    """Below 1 a share, else a number; 0 for none."""
    seed: int = 0
    together: str = "question"
    """Problems that stay together: a key of `duplicates.KEYS`, or the name of a column whose value they share."""


@dataclass(frozen=True)
class Source:
    """Where problems come from and how they are read."""

    location: str
    """demo, hub, auto, `hub:owner/name`, or an absolute path."""
    columns: Columns = field(default_factory=Columns)
    splits: SplitNames = field(default_factory=SplitNames)
    config: str = ""
    """Of a data set on the Hub: one of its configurations."""
    revision: str = ""
    """And its commit, branch or tag."""
    hold_out: HoldOut = HoldOut()

    def options(self) -> dict[str, str]:
        """What is not as everybody writes it, by name."""
        options = {
            "train": self.splits.train,
            "test": self.splits.test,
            "config": self.config,
            "revision": self.revision,
            "hold_out": f"{self.hold_out.size:g}" if self.hold_out.size else "",
            "seed": str(self.hold_out.seed) if self.hold_out.seed else "",
            "together": self.hold_out.together if self.hold_out.together != HoldOut.together else "",
        }
        return self.columns.changed() | {name: value for name, value in options.items() if value}

    def __str__(self) -> str:
        """The line that `parse_source` reads; equal sources have equal lines."""
        location = self.location.replace("?", "%3F")
        return f"{location}?{urlencode(said, quote_via=quote, safe=_PLAIN)}" if (said := self.options()) else location

    @property
    def hub_name(self) -> str | None:
        """owner/name of a data set on the Hub, `None` for others."""
        return self.location.removeprefix(HUB) if self.location.startswith(HUB) else None

    @property
    def path(self) -> Path | None:
        """The file or folder, `None` for what lies elsewhere."""
        return None if self.location in BUILT_IN or self.location.startswith(HUB) else Path(self.location)


_PLAIN = "/{} #$.:-_,"
"""What stands as it is in a source's line."""


def parse_source(text: str, home: Home) -> Source:
    """A source as a person wrote it: a name of `named_sources`, or a line as above.

    Raises:
        SourceError: an option that there is not, a value that it does not take, or what cannot be a path.
    """
    text = text.strip()
    if is_name(text) and text not in BUILT_IN:
        text = named_sources(home).get(text, text)
    if len(text) > _MOST_CHARACTERS:
        raise SourceError("The source is too long.", f"At most {_MOST_CHARACTERS:,} characters are read.")
    location, said = _parted(text)
    if location not in BUILT_IN and not location.startswith(HUB):
        location = str(parse_path(location.replace("%3F", "?"), SourceError, follow=True))
    pairs = (pair.partition("=") for pair in said.split("&") if pair)
    return _source(location, {unquote(name): unquote(value) for name, _, value in pairs})


def with_options(source: Source, pairs: Sequence[str]) -> Source:
    """A source with options such as `question=problem` put over its own.

    Raises:
        SourceError: as `parse_source`.
    """
    return _source(source.location, source.options() | dict(pair.partition("=")[::2] for pair in pairs))


def _source(location: str, options: Mapping[str, str]) -> Source:
    for name in options:
        if name not in OPTIONS or not options[name]:
            raise SourceError(
                f"{shown(f'{name}={options[name]}')} says nothing of a source.",
                f"Give NAME=VALUE, such as question=problem; the names are {', '.join(OPTIONS)}.",
            )
    return Source(
        location,
        Columns(**{name: value for name, value in options.items() if name in COLUMN_NAMES}),
        SplitNames(options.get("train", ""), options.get("test", "")),
        options.get("config", ""),
        options.get("revision", ""),
        _hold_out(options),
    )


def named_sources(home: Home) -> Mapping[str, str]:
    """Name -> the line of each source that is kept.

    Raises:
        SourceError: `sources.toml` cannot be read.
    """
    file = home.root / NAMED_SOURCES_FILE
    try:
        found = read_toml(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, tomllib.TOMLDecodeError) as error:
        raise SourceError(f"{file} cannot be read ({reason(error)}).", "Correct it, or delete it.") from error
    return {name: line for name, line in found.items() if isinstance(line, str)}


def keep_source(home: Home, name: str, source: Source) -> None:
    """Keep a source under a name; one that has it already is replaced.

    Raises:
        SourceError: it cannot be called so, or the file cannot be written.
    """
    if name in BUILT_IN or not is_name(name):
        raise SourceError(f"A source cannot be called {shown(name)}.", f"{NAME_RULE} {', '.join(BUILT_IN)} are taken.")
    _write_sources(home, {**named_sources(home), name: str(source)})


def forget_source(home: Home, name: str) -> None:
    """Keep a source no longer; runs that read it have its line.

    Raises:
        SourceError: there is none of this name, or the file cannot be written.
    """
    kept = dict(named_sources(home))
    if kept.pop(name, None) is None:
        raise SourceError(f"There is no source named {shown(name)}.", "`python -m analysis sources` lists them.")
    _write_sources(home, kept)


def _write_sources(home: Home, sources: Mapping[str, str]) -> None:
    """Replace the file of named sources, all or nothing."""
    home.require_writable()
    content = tomli_w.dumps(dict(sorted(sources.items()))).encode()
    try:
        replace_file(home.root / NAMED_SOURCES_FILE, lambda stream: stream.write(content))
    except OSError as error:
        raise SourceError(f"The sources cannot be kept ({reason(error)}).", "Free some space in the home folder.") from error


def _parted(text: str) -> tuple[str, str]:
    """Location and options, whose values may have question marks; a file whose name has one is one if it is there."""
    if first := _FIRST_OPTION.search(text):
        return text[: first.start()], text[first.end() :]
    location, mark, said = text.rpartition("?")
    if not mark or ("=" not in said and Path(text).exists()):
        return text, ""
    return location, said


def _hold_out(options: Mapping[str, str]) -> HoldOut:
    """
    Raises:
        SourceError: a value is out of range.
    """
    try:
        size, seed = float(options.get("hold_out") or 0), int(options.get("seed") or 0)
    except ValueError:
        size, seed = -1.0, 0
    together = options.get("together") or HoldOut.together
    if not 0 <= size < 1e9 or (size >= 1 and size != int(size)) or not 0 <= seed < 2**32:
        said = " ".join(f"{name}={options[name]}" for name in ("hold_out", "seed", "together") if name in options)
        raise SourceError(
            f"The hold-out {shown(said)} is not understood.",
            f"hold_out is a share below 1 or a number, seed a number from 0, together {', '.join(KEYS)} or a column.",
        )
    return HoldOut(size, seed, together)
