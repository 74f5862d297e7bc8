"""A problem set as a table: one row a problem, with all that can be counted, coloured, filtered or shown of it."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.atlas import Atlas
from analysis.clusters import Clusters
from training.data.gold import number_value
from training.data.problem import Problem, Value

_OPERATORS = {"+": "+", "-": "−", "*": "×", "x": "×", "×": "×", "/": "÷", "÷": "÷"}
UNCLUSTERED = "unclustered"

MATCH = "match"
"""Column of the cosines to what is searched for by meaning."""
_COUNTED = ("id", "split", "steps", "equations", "length", "gold", "magnitude", "operations", "question", "answer")
OWN_COLUMNS = frozenset((*_COUNTED, "cluster", "nearest_test", "kept", MATCH))
"""What a table of problems means by these names; a column of the data that is called so is left out of it."""
MOST_CATEGORIES = 50

_NUMERAL = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?", re.ASCII)
_DIGITS = re.compile(r"(\d+)")


def problem_frame(problems: Sequence[Problem]) -> pd.DataFrame:
    """One row a problem, in order.

    Columns: id, split, steps and equations (int), length (words of the question, int), gold (text), magnitude (|gold|,
    float, NaN where it is no number), operations (the operators used, as in "+ ×", or "none"), question; and what travels
    along, see `further_columns`.
    """
    own = pd.DataFrame(
        {
            "id": [problem.id for problem in problems],
            "split": [problem.split for problem in problems],
            "steps": [len(problem.steps) for problem in problems],
            "equations": [len(problem.equations) for problem in problems],
            "length": [len(problem.question.split()) for problem in problems],
            "gold": [problem.gold for problem in problems],
            "magnitude": [_magnitude(problem.gold) for problem in problems],
            "operations": [operations(problem) for problem in problems],
            "question": [problem.question for problem in problems],
        }
    )
    further = pd.DataFrame(_travelling(problems), index=own.index)
    return pd.concat([own, further], axis=1) if len(further.columns) else own


def further_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that come from the data: numbers (NaN where missing) or texts (empty where missing)."""
    return [column for column in frame.columns if column not in OWN_COLUMNS]


def categories(values: "pd.Series[Any]") -> list[str]:
    """The different texts of a column as people count them, the missing one left out; none where they are too many or one."""
    if pd.api.types.is_numeric_dtype(values):
        return []
    found = set(values.unique()) - {""}
    return sorted(found, key=natural) if 2 <= len(found) <= MOST_CATEGORIES else []


def natural(text: str) -> tuple[object, ...]:
    """What texts are sorted by so that "Level 9" comes before "Level 10"."""
    parts = _DIGITS.split(text.casefold())
    return tuple(int(part) if place % 2 and len(part) < 19 else part for place, part in enumerate(parts))


def atlas_frame(atlas: Atlas) -> pd.DataFrame:
    """`problem_frame` and what the atlas adds, as far as it is built.

    Columns added: cluster (int, -1 unclustered), nearest_test (cosine, float), kept (share, float).
    """
    frame = problem_frame(atlas.problem_set.problems)
    if atlas.clusters is not None:
        frame["cluster"] = atlas.clusters.labels.astype(int)
    if atlas.nearest_test is not None and not np.isnan(atlas.nearest_test).all():
        frame["nearest_test"] = atlas.nearest_test
    if atlas.kept is not None:
        frame["kept"] = atlas.kept
    return frame


def cluster_frame(atlas: Atlas) -> pd.DataFrame:
    """One row a cluster, by falling size, of a finished atlas.

    Columns: problems (int), test (share), steps (mean), isolation (share), typical problem (its question).
    """
    questions = {problem.id: problem.question for problem in atlas.problem_set.problems}
    topics = atlas.report.topics.topics if atlas.report is not None and atlas.report.topics is not None else ()
    return pd.DataFrame(
        {
            "problems": [topic.size for topic in topics],
            "test": [topic.test_share for topic in topics],
            "steps": [topic.mean_steps for topic in topics],
            "isolation": [topic.isolation for topic in topics],
            "typical problem": [questions[topic.typical_id] for topic in topics],
        }
    )


def _magnitude(gold: str) -> float:
    value = number_value(gold)
    return math.nan if value is None else abs(value)


def _travelling(problems: Sequence[Problem]) -> dict[str, "pd.Series[Any]"]:
    names = dict.fromkeys(name for problem in problems for name in problem.columns if name not in OWN_COLUMNS)
    return {name: _column([problem.columns.get(name) for problem in problems]) for name in names}


def _column(values: Collection[Value | None]) -> "pd.Series[Any]":
    """Numbers where all that are there are numbers that a float holds, else texts."""
    present = [value for value in values if value is not None]
    if present and all(
        isinstance(value, str) and _NUMERAL.fullmatch(value) for value in present
    ):  # as a table of texts has them
        values = [None if value is None else _number(str(value)) for value in values]
        present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53 for value in present):
        whole = len(present) == len(values) and all(isinstance(value, int) for value in present)
        return pd.Series([math.nan if value is None else value for value in values], dtype="int64" if whole else "float64")
    return pd.Series(["" if value is None else _text(value) for value in values], dtype=object)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _text(value: Value) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def operations(problem: Problem) -> str:
    """The operators that a problem's equations use, each once, as in "+ ×"."""
    used = {
        _OPERATORS[sign] for equation in problem.equations for sign in equation.expression.lstrip("-") if sign in _OPERATORS
    }
    return " ".join(sign for sign in ("+", "−", "×", "÷") if sign in used) or "none"


def cluster_titles(clusters: Clusters, problem_ids: Sequence[str], named: Mapping[str, str]) -> Mapping[int, str]:
    """Cluster number -> its title: the name given by hand to the cluster around a problem, else its words; -1 included.

    Args:
        named: typical problem's id -> name; of two names for one cluster the later wins.
    """
    titles = dict(enumerate(clusters.names))
    rows = {problem_id: row for row, problem_id in enumerate(problem_ids)}
    for problem_id, name in named.items():
        if problem_id in rows and (label := int(clusters.labels[rows[problem_id]])) >= 0:
            titles[label] = name
    return titles | {-1: UNCLUSTERED}
