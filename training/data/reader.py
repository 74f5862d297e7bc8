"""Rows into problems: by a known layout, a person's mapping, or the one over the other."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from training.data.bad_row import BadRow
from training.data.columns import LETTER, LETTERS, Columns, cell, cell_or_none, filled, filled_in_parts, finder, text_of
from training.data.files import SplitNames
from training.data.gold import NO_GOLD, Gold, parse_gold
from training.data.layouts import Layout, recognise, settle
from training.data.patterns import Pattern
from training.data.problem import Equation, Problem, Split, Value
from training.data.rows import column_names, read_rows
from training.data.steps import SPLITTERS, kind_of_steps
from training.errors import SourceError, shown

_EQUATION = re.compile(r"<<([^<>]*)>>")

_TRAVELLING_CHARACTERS = 200
_TRAVELLING_NUMBERS = 24
_MOST_TRAVELLING = 24
"""Of the columns that nothing is read from: as long as a cell and a list of numbers may be, and how many there may be. The
numbers of which a question is made are among them: a reward may have to look at them."""
_PROBED_ROWS = 200
"""The first rows, which show how answers are written."""


class RowReader:
    """Turns rows into problems by a mapping."""

    def __init__(self, layout: Layout, splits: SplitNames | None = None) -> None:
        self.layout = layout
        self.columns = layout.columns
        self.splits = splits or SplitNames()
        self.find, self.why_not = finder(layout.columns)
        self.steps = SPLITTERS[layout.columns.steps or "lines"]
        self.cut = Pattern(layout.columns.cut) if layout.columns.cut else None
        self.used = frozenset(layout.columns.roots())
        self.in_question = frozenset(layout.columns.in_question())

    def problem(self, row: object, problem_id: str, split: Split) -> Problem:
        """
        Raises:
            BadRow: the row cannot be read.
            PatternError: a regular expression of the mapping takes too long.
        """
        if not isinstance(row, dict):
            raise BadRow("the row is not an object")
        question = filled(row, self.columns.question)
        if self.cut is not None:
            question = self.cut.cut_from(question)
        answer = self._answer(row)
        gold = self._gold(row)
        return Problem(
            id=problem_id,
            split=split,
            question=question,
            answer=answer,
            steps=self.steps(answer) if self.columns.solution else (),
            equations=tuple(parse_equation(text) for text in _EQUATION.findall(answer)) if "<<" in answer else (),
            gold=gold.text,
            gold_kind=gold.kind,
            columns=self._travelling(row),
        )

    def split(self, named: str | None, row: object) -> str:
        """The split that a row is of, `train` or a name of test splits.

        Raises:
            BadRow: its own column says another.
        """
        if named is not None or not isinstance(row, dict):
            return named or "train"
        column = self.columns.split or "split"
        if column not in row:
            return "train"
        said = row[column]
        split = self.splits.split(said)
        if split is None:
            raise BadRow("its split is neither train nor test", repr(said))
        return split

    def id(self, row: object, default: str) -> str:
        """
        Raises:
            BadRow: its own column has none.
        """
        if not self.columns.id or not isinstance(row, dict):
            return default
        value = cell(row, self.columns.id)
        return text_of(str(value) if isinstance(value, int) else value, self.columns.id)[:_TRAVELLING_CHARACTERS]

    def _answer(self, row: Mapping[str, Any]) -> str:
        """The reference solution; the gold answer's text where the row has none."""
        columns = self.columns
        if columns.solution and (columns.gold == columns.solution or cell_or_none(row, columns.solution) is not None):
            return filled_in_parts(row, columns.solution)
        value = cell_or_none(row, columns.gold)
        return "" if value is None else str(value)

    def _gold(self, row: Mapping[str, Any]) -> Gold:
        if self.columns.gold == "none":
            return NO_GOLD
        latex, comma = self.layout.latex, self.columns.decimal == "comma"
        if self.find is None:
            value = cell(row, self.columns.gold)
            if self.columns.found == LETTER:
                value = _letter(value)
            return parse_gold(value, latex=latex, decimal_comma=comma)
        found = self.find(filled_in_parts(row, self.columns.gold))
        if found is None:
            raise BadRow(self.why_not)
        return parse_gold(found, latex=latex or self.columns.found == "box", decimal_comma=comma)

    def _travelling(self, row: Mapping[str, Any]) -> Mapping[str, Value]:
        kept: dict[str, Value] = {}
        for name, value in row.items():
            is_read = name in self.used and (name not in self.in_question or isinstance(value, str))
            if is_read or len(kept) == _MOST_TRAVELLING:
                continue
            if (light := _light(value)) is not None:
                kept[str(name)] = light
        return kept


def _letter(value: object) -> object:
    """The letter of the choice with this number from 0; a letter is one already."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 0 <= value < len(LETTERS):
        raise BadRow("the number of its choice is out of range", str(value))
    return LETTERS[value]


def parse_problem(row: object, problem_id: str, split: Split) -> Problem:
    """Turn a row with `question` and an `answer` that ends in `#### <gold>` into a problem.

    Raises:
        BadRow: a key is missing or not text, or there is no gold answer after a `####`.
    """
    columns = Columns(question="question", solution="answer", gold="answer", found="hashes", steps="lines")
    return RowReader(Layout("GSM8K", frozenset(), columns)).problem(row, problem_id, split)


def parse_equation(text: str) -> Equation:
    """The equation in an annotation, given what stands between `<<` and `>>`."""
    expression, mark, result = text.rpartition("=")
    return Equation(expression.strip(), result.strip()) if mark else Equation(text.strip(), "")


def layout_of(first: Path, mapped: Columns) -> Layout:
    """How files like this one are read: by a mapping that is given, over a layout that is recognised.

    Raises:
        SourceError: neither says where the question and the answer are.
    """
    names = column_names(first)
    found = recognise(names or ("question", "answer"))
    if found is None and mapped.question and (mapped.gold or mapped.solution):
        found = Layout("a mapping", frozenset(), Columns())
    if found is None:
        there = ", ".join(name for name in names if "." not in name) or "none"
        raise SourceError(
            f"{first} has no columns that are known: {shown(there)}.",
            "Say which is what: in the page under How it is read, on a command line behind the path, ?question=NAME&gold=NAME, "
            "or with --columns question=NAME gold=NAME where there is one.",
        )
    if mapped.changed():
        found = replace(found, name="a mapping" if mapped.question or mapped.gold else found.name)
        found = replace(found, columns=replace(found.columns, **_over(found.columns, mapped)))
    rows = (row for _, row in islice(read_rows(first, found.columns.roots()), _PROBED_ROWS) if isinstance(row, dict))
    return _with_steps(settle(found, probed := list(rows)), probed)


def _over(known: Columns, mapped: Columns) -> dict[str, str]:
    """What a mapping changes of a known one: with another place of the answer, how it is found there is open again."""
    changed = mapped.changed()
    if ("gold" in changed or "solution" in changed) and "found" not in changed:
        changed["found"] = ""
    if "solution" in changed and "gold" not in changed:
        changed["gold"] = ""
    return changed


def _with_steps(layout: Layout, rows: Sequence[Mapping[str, Any]]) -> Layout:
    columns = layout.columns
    if columns.steps or not columns.solution:
        return layout
    solutions = [str(row_value) for row in rows if (row_value := cell_or_none(row, columns.solution)) is not None]
    return replace(layout, columns=replace(columns, steps=kind_of_steps(solutions)))


def _light(value: object) -> Value | None:
    """A cell that travels along, `None` for one that is empty or too much."""
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        value = "; ".join(value)
    if isinstance(value, str):
        return value if 0 < len(value) <= _TRAVELLING_CHARACTERS else None
    if isinstance(value, list) and 0 < len(value) <= _TRAVELLING_NUMBERS and all(map(_is_number, value)):
        return tuple(value)
    return value if isinstance(value, bool | int | float) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
