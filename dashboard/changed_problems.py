"""Test problems between two evaluations of a run, each with the trained problem that lies nearest to it.

Frames only; nothing here knows Streamlit.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.atlas import Atlas
from analysis.neighbors import nearest_among
from analysis.outcomes import problem_outcomes
from dashboard.evaluation_figures import changes_frame
from training.store.evaluations import Evaluation

COLUMNS = ["change", "problem", "nearest", "cosine", "nearest pass rate", "nearest groups"]


def changed_problems(
    before: Evaluation,
    after: Evaluation,
    atlas: Atlas,
    rows: Mapping[str, int],
    groups: pd.DataFrame,
) -> pd.DataFrame:
    """One row a test problem that was judged in both evaluations, by the run's verifier, and that the map has.

    Args:
        before: the evaluation that is compared with.
        after: a later one.
        atlas: of the run's source.
        rows: problem id -> row of the atlas.
        groups: `analysis.outcomes.group_frame` of the run, which says what was trained on.

    Returns:
        `change` (a key of `evaluation_figures.CHANGES`), `problem`, `nearest` (id of the trained problem whose question is
        most alike, `None` where nothing was trained on), `cosine`, and that problem's pass rate and number of groups.
    """
    changes = changes_frame(before, after, after.verifier, {})[["change", "problem"]]
    found = changes[changes["problem"].isin(list(rows))].reset_index(drop=True)
    outcomes = problem_outcomes(groups)
    trained = np.sort(np.array([rows[problem] for problem in outcomes.index if problem in rows], np.int64))
    asked = np.array([rows[problem] for problem in found["problem"]], np.int64)
    nearest, cosines = nearest_among(atlas.embeddings, asked, trained)
    problems = atlas.problem_set.problems
    ids = [problems[row].id if row >= 0 else None for row in nearest.tolist()]
    of_nearest = outcomes.reindex(ids)
    found["nearest"] = pd.Series(ids, dtype=object)
    found["cosine"] = cosines
    found["nearest pass rate"] = of_nearest["pass_rate"].to_numpy()
    found["nearest groups"] = of_nearest["times_seen"].to_numpy()
    return found[COLUMNS]
