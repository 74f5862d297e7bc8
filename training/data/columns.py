"""Which columns of a row are what: a person's mapping, or that of a known layout.

A column is named as it stands in the file. `extra_info.question` is a field inside one, `messages.user` the last turn of that
role in a conversation, and `{Body} {Question}` a text made of several.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from training.data.answers import PLACES
from training.data.bad_row import BadRow
from training.data.patterns import Pattern
from training.errors import SourceError, shown

LETTER = "letter"
STEP_KINDS = ("lines", "sentences", "latex")

_ROLES: Mapping[str, tuple[str, ...]] = {
    "user": ("user", "human"),
    "assistant": ("assistant", "gpt", "model"),
    "system": ("system",),
}
_PLACE = re.compile(r"\{([^{}]+)\}")
_LETTERED = re.compile(r"\s*\(?[A-Za-z][).:]")

LETTERS = "ABCDEFGHIJ"
"""Of choices that have none of their own."""


@dataclass(frozen=True)
class Columns:
    """A mapping. What is left empty is found by itself, or is not there."""

    question: str = ""
    """A column, or a template such as `{Body} {Question}`."""
    solution: str = ""
    """The reference solution."""
    gold: str = ""
    """Where the answer that counts is found; `none` where there is none."""
    found: str = ""
    """How it is found there: the cell itself (`column`), the letter of the choice whose number from 0 it is (`letter`), a name
    of `answers.PLACES`, or `/regular expression/`."""
    split: str = ""
    id: str = ""
    steps: str = ""
    """How the solution falls into steps, one of `STEP_KINDS`."""
    decimal: str = ""
    """`comma` where 3,5 is three and a half."""
    cut: str = ""
    """A regular expression: what it matches is no part of the question."""

    def __post_init__(self) -> None:
        """
        Raises:
            SourceError: a value is none that there is, or no regular expression.
        """
        _one_of("found", self.found, ("column", LETTER, *PLACES), pattern=True)
        _one_of("steps", self.steps, STEP_KINDS)
        _one_of("decimal", self.decimal, ("comma", "point"))
        for pattern in filter(None, (self.cut, self.pattern)):
            Pattern(pattern)

    @property
    def pattern(self) -> str:
        """The regular expression by which the gold answer is found, empty where it is found otherwise."""
        return self.found[1:-1] if is_pattern(self.found) else ""

    def changed(self) -> dict[str, str]:
        """What is not left empty, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    def roots(self) -> tuple[str, ...]:
        """All that may be the names of columns that are read."""
        texts = (self.question, self.solution, self.gold, self.split or "split", self.id)
        paths = [path for text in texts if text for path in (_PLACE.findall(text) or [text])]
        return tuple(dict.fromkeys(name for path in paths for name in (path, path.split(".", 1)[0])))

    def in_question(self) -> tuple[str, ...]:
        """The columns of which the question is made, where it is made of several."""
        return tuple(_PLACE.findall(self.question))


COLUMN_NAMES = tuple(field.name for field in fields(Columns))


def is_pattern(found: str) -> bool:
    return len(found) > 2 and found.startswith("/") and found.endswith("/")


def finder(columns: Columns) -> Any:
    """The function that finds an answer in a text, `None` where the cell itself is the answer; and why it finds none."""
    if columns.pattern:
        return Pattern(columns.pattern).last, f"nothing matches {columns.found}"
    if columns.found in PLACES:
        function, _, why = PLACES[columns.found]
        return function, why
    return None, ""


def cell(row: Mapping[str, Any], place: str) -> Any:
    """What a row holds at a place: a column, a field inside one, a turn of a conversation.

    Raises:
        BadRow: there is no such column or field.
    """
    if place in row:
        return row[place]
    value: Any = row
    for name in place.split("."):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name in _ROLES:
            value = _last_turn(value, name)
        elif isinstance(value, str) and name == "user":
            return value  # a prompt that is plain text
        else:
            raise BadRow(f"the key {place!r} is missing")
    return value


def cell_or_none(row: Mapping[str, Any], place: str) -> Any:
    """A cell, also one inside of another; `None` where there is none."""
    try:
        return cell(row, place)
    except BadRow:
        return None


def filled(row: Mapping[str, Any], template: str) -> str:
    """A text from a column, or from a template of columns.

    Raises:
        BadRow: a column is missing, or is not text.
    """
    if not _PLACE.search(template):
        return text_of(cell(row, template), template)
    parts = {place: _written(cell(row, place)) for place in _PLACE.findall(template)}
    whole = _PLACE.sub(lambda match: "" if parts[match[1]] == "" else text_of(parts[match[1]], match[1]), template)
    return text_of(whole.strip(), template)


def filled_in_parts(row: Mapping[str, Any], template: str) -> str:
    """`filled`, also where the column is a list of texts: they are its lines.

    Raises:
        BadRow: as `filled`.
    """
    if not _PLACE.search(template):
        value = cell(row, template)
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            return text_of("\n".join(value), template)
    return filled(row, template)


def text_of(value: Any, name: str) -> str:
    """A cell as text.

    Raises:
        BadRow: it is none, or empty.
    """
    if not isinstance(value, str):
        raise BadRow(f"{name!r} is not text")
    if not value.strip():
        raise BadRow(f"{name!r} is empty")
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # JSON may hold half a character


def _written(value: Any) -> Any:
    """A number, or a list of them, as it stands in a sentence; choices a line each."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        return _choices(value["text"], value.get("label") or LETTERS)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "\n".join(value) if all(map(_LETTERED.match, value)) else _choices(value, LETTERS)
    return str(value) if isinstance(value, list | int | float) and not isinstance(value, bool) else value


def _choices(texts: Sequence[Any], labels: Sequence[Any]) -> str:
    return "\n".join(f"{label}. {text}" for label, text in zip(labels, texts, strict=False))


def _last_turn(turns: Sequence[Any], role: str) -> Any:
    for turn in reversed(turns):
        if isinstance(turn, Mapping) and (turn.get("role") or turn.get("from")) in _ROLES[role]:
            return _spoken(turn.get("content", turn.get("value")))
    raise BadRow(f"the conversation has no turn of {role}")


def _spoken(content: Any) -> Any:
    """A turn's text, also where it comes in parts; one that has others than text is none."""
    if isinstance(content, list) and content and all(isinstance(part, Mapping) and "text" in part for part in content):
        return "\n".join(str(part["text"]) for part in content)
    return content


def _one_of(name: str, value: str, known: Sequence[str], *, pattern: bool = False) -> None:
    if value and value not in known and not (pattern and is_pattern(value)):
        more = " or /a regular expression/" if pattern else ""
        raise SourceError(f"{name} = {shown(value)} is not known.", f"It is one of {', '.join(known)}{more}.")
