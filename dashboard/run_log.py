"""A run's log as lines with levels, searched and filtered. Nothing here knows Streamlit.

What a process prints is for people: the levels only say what to show, and nothing follows from them.
"""

import html
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["error", "warning", "other"]
LEVELS: tuple[Level, ...] = get_args(Level)

_ERROR = re.compile(r"\b(?:ERROR|CRITICAL|FATAL)\b|^[\w.]*(?:Error|Exception|Interrupt)\b(?::|$)|^error\b", re.MULTILINE)
_WARNING = re.compile(r"\bWARN(?:ING)?\b|\b\w*[Ww]arning:")
_TRACEBACK = "Traceback (most recent call last)"
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What colours a terminal and moves its cursor."""


@dataclass(frozen=True)
class LogLine:
    """One line."""

    number: int
    """Counted from 1 in what there is of the log."""
    level: Level
    text: str


def log_lines(text: str) -> list[LogLine]:
    """The lines of a log; of one that was written over, as progress bars are, what it came to. Empty ones are left out."""
    found: list[LogLine] = []
    in_traceback = False
    for number, line in enumerate(text.split("\n"), start=1):
        shown = _TERMINAL.sub("", line).rstrip("\r").rpartition("\r")[2].rstrip()
        if not shown:
            continue
        if _TRACEBACK in shown:
            in_traceback = True
        # A traceback is indented, and ends with the line that is not: the error itself.
        ends = in_traceback and not shown.startswith((" ", "\t")) and _TRACEBACK not in shown
        level: Level = "error" if in_traceback or _ERROR.search(shown) else "warning" if _WARNING.search(shown) else "other"
        in_traceback = in_traceback and not ends
        found.append(LogLine(number, level, shown))
    return found


def matching(lines: Iterable[LogLine], search: str = "", levels: Collection[str] = ()) -> list[LogLine]:
    """The lines in which all words occur, capital or not, of these levels; with none, of all."""
    words = [word.casefold() for word in search.split()]
    return [
        line for line in lines if (not levels or line.level in levels) and all(word in line.text.casefold() for word in words)
    ]


def log_html(lines: Iterable[LogLine], search: str = "") -> str:
    """The lines as HTML that wraps, each with its number and level, what was searched for marked."""
    return f'<div class="atlas-log">{"".join(_line_html(line, search) for line in lines)}</div>'


def _line_html(line: LogLine, search: str) -> str:
    told = f'<span class="level">{line.level} </span>' if line.level != "other" else ""
    return (
        f'<div class="{line.level}"><span class="number">{line.number}</span>{told}{"".join(_marked(line.text, search))}</div>'
    )


def _marked(text: str, search: str) -> Iterator[str]:
    words = [re.escape(word) for word in search.split()]
    if not words:
        yield html.escape(text)
        return
    for place, part in enumerate(re.split(f"({'|'.join(words)})", text, flags=re.IGNORECASE)):
        yield f"<mark>{html.escape(part)}</mark>" if place % 2 else html.escape(part)
