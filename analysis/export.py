"""Problems as files: JSON Lines, which every source can be, and CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

from analysis.frame import problem_frame
from training.problems import Problem


def jsonl(problems: Sequence[Problem]) -> bytes:
    """One object a line: question, answer, split, id. `load_problems` reads it back."""
    rows = (
        {"question": problem.question, "answer": problem.answer, "split": problem.split, "id": problem.id}
        for problem in problems
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def comma_separated(problems: Sequence[Problem]) -> bytes:
    """The columns of `problem_frame` and the answer, with a header; quoted as RFC 4180 says, in UTF-8."""
    text = io.StringIO()
    frame = problem_frame(problems).assign(answer=[problem.answer for problem in problems])
    frame.to_csv(text, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    return text.getvalue().encode()


FORMATS: Mapping[str, Callable[[Sequence[Problem]], bytes]] = {"jsonl": jsonl, "csv": comma_separated}
"""File ending -> what writes it."""
