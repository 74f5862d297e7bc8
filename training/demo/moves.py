"""The moves that the demo's stories are made of: what each tells, how it goes on from a number, and how it is asked for.

A story is a chain of moves, as in "rate > lose > share": each takes the number that the one before it gave. A theme tells
a move in its own sentences where it has some, else in the move's. The language of the sentences and lines:

    {buys|gets}         one of the alternatives, drawn anew for each problem
    @a @b @k @n         the move's numbers, drawn from `numbers` ("a=4..15 c=10..60/5": every fifth from 10 to 60)
    @times_k @kth       the number k as "twice", "three times", ..., and as "third", "fourth", ...
    @A @H @N @P         people: the first one, whose number it is now, someone new, whose number was compared with
    @S @Hs @Ho          @H where a pronoun may stand, "Anna's" or "their", "Anna" or "them"; @he @his @him @His speak of @H
    @items @boxes ...   the theme's words and those of `WORDS`; @box, @friend: one of them
    [v*b=w]             in a line: a calculation. v is the number so far, u what it was compared with, w what comes out;
                        [$v*b=w] is in dollars

A line holds one calculation with one kind of operator, so that a small model can follow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Move:
    """One step of a story. `START` moves begin it and may calculate nothing."""

    name: str
    takes: str
    gives: str
    numbers: str
    lines: tuple[str, ...]
    texts: tuple[str, ...] = ()
    """Common sentences; without any, only themes that have their own tell the move."""
    asks: tuple[str, ...] = ()
    """Questions for the result; a move without any does not end a story."""
    closes: tuple[str, ...] = ()
    """Questions that tell the move and ask for its result in one."""
    holder: str = "same"
    """Whose the result is: "same", "new" (`@N`, compared with who had it), "both" (of those compared)."""
    compares: bool = False
    """It takes two numbers: there must be somebody to compare with."""
    most: int = 1
    """How often it may occur in one story, never twice running."""
    last: bool = False
    """It only ends a story: nothing is told, only asked."""
    weight: float = 1.0


START = "start"
UNITS = {
    "count": "@items",
    "boxes": "@boxes",
    "each": "@items",
    "need": "@items",
    "boxes each": "@boxes",
    "parts": "@part",
    "things": "@things",
    "minutes": "minutes",
    "miles": "miles",
    "minutes each": "minutes",
    "minutes left": "minutes",
    "miles left": "miles",
    "stops": "stops",
    "hours": "hours",
    "weeks": "weeks",
    "age": "years old",
    "years": "years",
}
"""What the numbers of a kind count; every other kind is dollars."""

TOGETHER = "{together|in all|altogether|in total}"


def move(name: str, kinds: str, numbers: str, lines: str, **more: Any) -> Move:
    """A `Move` from "what it takes > what it gives" and its lines, separated by " / "."""
    takes, gives = kinds.split(" > ")
    return Move(name, takes, gives, numbers, tuple(filter(None, lines.split(" / "))), **more)
