"""Problems as files, JSON Lines, which every source can be, and CSV; any table as CSV.

A spreadsheet calculates a cell that begins like a formula, whoever wrote it: a question, a note, a name. In what is made
here such a cell begins with an apostrophe, as spreadsheets themselves mark text.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from analysis.frame import OWN_COLUMNS, further_columns, problem_frame
from training.data.answers import HASHES
from training.data.layouts import ROLE_NAMES
from training.data.problem import Problem, Value
from training.data.rows import spreadsheet_text


def jsonl(problems: Sequence[Problem]) -> bytes:
    """One object a line: question, answer, gold, split, id and what travels along. `load_problems` reads it back."""
    stated = _state_solutions(problems)
    rows = (_row(problem, stated=stated) for problem in problems)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def comma_separated(problems: Sequence[Problem]) -> bytes:
    """The columns of `problem_frame` and the answer, as `csv_text` writes them, in UTF-8. `load_problems` reads it back."""
    stated = _state_solutions(problems)
    frame = problem_frame(problems).assign(answer=[_answer(problem, stated=stated) for problem in problems])
    return csv_text(frame.rename(columns={name: _column(name) for name in further_columns(frame)})).encode()


def _state_solutions(problems: Sequence[Problem]) -> bool:
    """Whether there are reference solutions, so that an answer is more than the gold answer."""
    return any(problem.steps or HASHES in problem.answer for problem in problems)


def _row(problem: Problem, *, stated: bool) -> dict[str, Value]:
    row: dict[str, Value] = {"question": problem.question, "answer": _answer(problem, stated=stated)}
    if HASHES not in problem.answer and problem.gold:
        row["gold"] = problem.gold
    further = {_column(name): value for name, value in problem.columns.items() if name not in OWN_COLUMNS}
    return row | {"split": problem.split, "id": problem.id} | further


def _answer(problem: Problem, *, stated: bool) -> str:
    return problem.answer if stated else problem.gold


def _column(name: str) -> str:
    """A name that is not taken for that of the question or an answer when the file is read."""
    return f"{name}_" if name.casefold() in ROLE_NAMES else name


def csv_text(table: pd.DataFrame) -> str:
    """A table with its header as RFC 4180 says, texts in quotes; nothing in it is calculated."""
    shown = map_texts(table, _cell)
    shown.columns = [_cell(name) for name in table.columns]
    # Quoted, a text is one cell for spreadsheets as well that part them by semicolons.
    return str(shown.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n"))


def map_texts(table: pd.DataFrame, cell: Callable[[Any], Any]) -> pd.DataFrame:
    """The table with `cell` of each cell, apart from columns of numbers and times."""
    shown = table.copy()
    for place, kind in enumerate(table.dtypes):
        if not is_numeric_dtype(kind) and not is_datetime64_any_dtype(kind):
            mapped: Any = table.iloc[:, place].map(cell)
            shown.isetitem(place, mapped)
    return shown


def _cell(value: Any) -> Any:
    return spreadsheet_text(value) if isinstance(value, str) else value


FORMATS: Mapping[str, Callable[[Sequence[Problem]], bytes]] = {"jsonl": jsonl, "csv": comma_separated}
"""File ending -> what writes it."""
