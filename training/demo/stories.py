"""Draws the demo's stories: a theme, and a chain of moves with their numbers. Putting them into words is `word_problems`'.

Theme and number of calculations are drawn independently, so that a problem's topic says nothing about its length.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from training.demo.moves import START, Move
from training.demo.moves_money import MONEY
from training.demo.moves_things import THINGS
from training.demo.moves_ways import WAYS
from training.demo.theme import Theme
from training.demo.themes_away import AWAY
from training.demo.themes_home import HOME

THEMES = HOME | AWAY
MOVES = {move.name: move for move in (*THINGS, *MONEY, *WAYS)}

LIMIT = 100
"""The largest result in a solution: what a model of a few million parameters can still calculate."""

STEP_SHARES = {2: 0.26, 3: 0.29, 4: 0.22, 5: 0.13, 6: 0.06, 7: 0.03, 8: 0.01}
"""Share of problems by solution lines: GSM8K's."""

TRIES = 15
"""Chains tried from one beginning, before another is drawn: few beginnings should decide how long a story is."""

END_SHARES = {"things": 0.5, "money": 0.42, "minutes": 0.08}
"""What stories of things and money end with: left to chance, short ones would end with things, long ones with money."""

ENDS = {
    "things": ("count", "each", "boxes", "boxes each", "need", "parts"),
    "money": ("money", "shares", "bill", "part of bill", "goal", "weeks", "things"),
    "minutes": ("minutes", "minutes each", "minutes left"),
}

DRAWS = 6
"""Draws of a move's numbers, before those that fit are looked for one by one, or given up if there are several numbers."""

FAVOR = 5.0
"""How many times more a theme's `often` moves weigh."""

CALCULATION = re.compile(r"\[(\$?)([^=\]]+)=([a-z])\]")
T = TypeVar("T")
_OPERATORS: dict[str, Callable[[list[int]], float]] = {
    "+": sum,
    "*": math.prod,
    "-": lambda values: values[0] - sum(values[1:]),
    "/": lambda values: values[0] / math.prod(values[1:]),
}


@dataclass(frozen=True)
class Told:
    """A move in a story, with its numbers: what was given (`v`, `u`), drawn and calculated (`w` is what comes out)."""

    move: Move
    numbers: dict[str, int]


@dataclass(frozen=True)
class Story:
    theme: str
    chain: tuple[Told, ...]

    @property
    def structure(self) -> str:
        """The moves' names: "rate > lose > share"."""
        return " > ".join(told.move.name for told in self.chain)


def draw_story(rng: random.Random) -> Story:
    """Number of lines by its share, any theme and beginning, then chains until one has that many lines and small results."""
    steps = pick_weighted(STEP_SHARES, rng)
    theme = pick(list(THEMES), rng)
    while True:
        start = pick_weighted(_starts(THEMES[theme]), rng)
        end = pick_weighted(END_SHARES, rng)
        for _ in range(TRIES):
            chain = _draw_chain(THEMES[theme], MOVES[start], steps, rng)
            if chain and (MOVES[start].gives not in ("count", "money", "bill") or chain[-1].move.gives in ENDS[end]):
                return Story(theme, tuple(chain))


def _starts(theme: Theme) -> dict[str, float]:
    """The moves that a story may begin with, and their weights."""
    starts = [move for move in MOVES.values() if move.takes == START and can_tell(theme, move)]
    return {move.name: move.weight * (FAVOR if move.name in theme.often else 1.0) for move in starts}


def can_tell(theme: Theme, move: Move) -> bool:
    """Whether the theme has words for the move."""
    return move.name not in theme.without and bool(move.name in theme.says or move.texts or move.last)


def calculate(lines: tuple[str, ...], numbers: dict[str, int]) -> dict[str, int] | None:
    """`numbers` with each line's result; None if a result is not a whole number within 2 to `LIMIT`."""
    numbers = dict(numbers)
    for operator, terms, result in _calculations(lines):
        value = _OPERATORS[operator]([int(term) if term.isdigit() else numbers[term] for term in terms])
        if value != int(value) or not 2 <= value <= LIMIT:
            return None
        numbers[result] = int(value)
    return numbers


@cache
def _calculations(lines: tuple[str, ...]) -> list[tuple[str, list[str], str]]:
    """Operator, terms and name of the result of each."""
    found = CALCULATION.findall("\n".join(lines))
    operators = [next(symbol for symbol in expression if symbol in _OPERATORS) for _, expression, _ in found]
    return [(op, expression.split(op), result) for op, (_, expression, result) in zip(operators, found, strict=True)]


def pick(choices: Sequence[T], rng: random.Random) -> T:
    """`rng.choice`, whose draws are not promised to be the same in every Python version; `rng.random`'s are."""
    return choices[int(rng.random() * len(choices))]


def pick_weighted(shares: dict[T, float], rng: random.Random) -> T:
    point = rng.random() * sum(shares.values())
    for value, share in shares.items():
        point -= share
        if point < 0:
            return value
    return value


def _draw_chain(theme: Theme, start: Move, steps: int, rng: random.Random) -> list[Told] | None:
    """A chain with `steps` lines, or None where it ran into a dead end."""
    chain: list[Told] = []
    move, value, other = start, 0, 0
    while True:
        given = {"v": value} | ({"u": other} if other else {})
        numbers = _draw_numbers(move, given, rng) if len(move.lines) <= steps else None
        if numbers is None:
            return None
        if move.holder == "new" and chain[-1].move.holder != "both":
            other = value
        elif move.holder != "same" or move.gives != move.takes:
            other = 0
        chain.append(Told(move, numbers))
        value = numbers["w"] if move.lines else numbers["a"]
        steps -= len(move.lines)
        if not steps:
            return chain if _may_end(move) else None
        weights = {
            move.name: move.weight
            for move in _moves_from(chain[-1].move.gives)
            if _fits(move, steps, other, chain) and can_tell(theme, move)
        }
        if not weights:
            return None
        move = MOVES[pick_weighted(weights, rng)]


@cache
def _moves_from(kind: str) -> tuple[Move, ...]:
    return tuple(move for move in MOVES.values() if move.takes == kind)


def _may_end(move: Move) -> bool:
    return bool(move.asks or move.closes)


def _fits(move: Move, steps: int, other: int, chain: list[Told]) -> bool:
    """Whether the move may come next: lines left for it, someone to compare with, and not told too often already."""
    if len(move.lines) > steps or (move.compares and not other):
        return False
    told = [told.move.name for told in chain]
    if told.count(move.name) >= move.most or move.name in told[-1:]:
        return False
    return _may_end(move) if len(move.lines) == steps else not move.last


def _draw_numbers(move: Move, given: dict[str, int], rng: random.Random) -> dict[str, int] | None:
    """The move's numbers, evenly from those with which its results fit; None if there are none."""
    ranges = _ranges(move.numbers)
    for _ in range(DRAWS if ranges else 1):
        drawn = {name: pick(values, rng) for name, values in ranges}
        numbers = calculate(move.lines, given | drawn)
        if numbers:
            return numbers
    if len(ranges) != 1:
        return None
    [(name, values)] = ranges
    fitting = [numbers for value in values if (numbers := calculate(move.lines, given | {name: value}))]
    return pick(fitting, rng) if fitting else None


@cache
def _ranges(spec: str) -> list[tuple[str, range]]:
    """Parse "a=4..15 c=10..60/5"."""
    parsed = re.findall(r"([a-z])=(\d+)\.\.(\d+)(?:/(\d+))?", spec)
    return [(name, range(int(low), int(high) + 1, int(step or 1))) for name, low, high, step in parsed]
