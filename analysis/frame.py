"""A problem set as a table: one row a problem, with all that can be counted, coloured, filtered or shown of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.atlas import Atlas
from analysis.clusters import Clusters
from training.data.problem import Problem

_OPERATORS = {"+": "+", "-": "−", "*": "×", "x": "×", "×": "×", "/": "÷", "÷": "÷"}
UNCLUSTERED = "unclustered"


def problem_frame(problems: Sequence[Problem]) -> pd.DataFrame:
    """One row a problem, in order.

    Columns: id, split, steps and equations (int), length (words of the question, int), gold (text), magnitude (|gold|,
    float), operations (the operators used, as in "+ ×", or "none"), question.
    """
    return pd.DataFrame(
        {
            "id": [problem.id for problem in problems],
            "split": [problem.split for problem in problems],
            "steps": [len(problem.steps) for problem in problems],
            "equations": [len(problem.equations) for problem in problems],
            "length": [len(problem.question.split()) for problem in problems],
            "gold": [problem.gold for problem in problems],
            "magnitude": [abs(float(problem.gold)) for problem in problems],
            "operations": [operations(problem) for problem in problems],
            "question": [problem.question for problem in problems],
        }
    )


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
