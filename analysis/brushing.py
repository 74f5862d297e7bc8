"""How training went on some problems: a measure over the steps, with intervals, and between two runs, problem by problem.

What a group is comes from `outcomes.group_frame`. A step meets few problems, so steps are put together into stretches.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.compute import TOPICLESS
from analysis.outcomes import OF_TRAINING
from training.intervals import mean_interval, paired_interval, share_interval

STRETCHES = 12
"""Parts of a training run; in each of them a handful of problems in fifty is met a few times."""
STRETCH = ["first", "last", "step", "groups", "problems", "mean", "low", "high"]
"""The columns of `over_steps`."""


def over_steps(groups: pd.DataFrame, measure: str, edges: NDArray[np.int64]) -> pd.DataFrame:
    """A measure of training by stretches of steps.

    Args:
        groups: rows of `group_frame`.
        measure: a column of it, such as a key of `OF_TRAINING` or a reward function's.
        edges: (S + 1,) int64, as `stretches` gives them.

    Returns:
        A row for each stretch in which one was met: `first` and `last` (steps), `step` (the middle), `groups`, `problems`,
        `mean` over the groups and its 95% interval `low` to `high` (NaN where one group tells none).
    """
    known = groups[groups[measure].notna()]
    stretch = np.searchsorted(edges, known["step"].to_numpy(), side="right") - 1
    rows = []
    for number, part in known.groupby(stretch, sort=True):
        first, last = int(edges[int(number)]), int(edges[int(number) + 1]) - 1  # type: ignore[call-overload]
        values = part[measure].to_numpy(np.float64)
        low, high = interval_of(values, measure)
        counts = (len(part), part["problem"].nunique())
        rows.append((first, last, (first + last) / 2, *counts, float(values.mean()), low, high))
    return pd.DataFrame(rows, columns=STRETCH)


def stretches(first: int, last: int) -> NDArray[np.int64]:
    """(S + 1,) int64: where each of at most `STRETCHES` stretches of steps begins, and the step after the last."""
    number = min(STRETCHES, last - first + 1)
    return np.unique(np.linspace(first, last + 1, number + 1).round().astype(np.int64))


def interval_of(values: NDArray[np.float64], measure: str) -> tuple[float, float]:
    """The 95% interval of the mean of (N,) values of groups: of shares as of shares, of others by Student's t."""
    if measure in OF_TRAINING and OF_TRAINING[measure].scale == "share":
        return share_interval(values)
    return mean_interval(values) or (np.nan, np.nan)


def largest_clusters(groups: pd.DataFrame, clusters: Mapping[str, int], most: int) -> dict[int, pd.DataFrame]:
    """Cluster -> the groups of its problems, of the clusters that training met most; problems in none are left out.

    Args:
        groups: rows of `group_frame`.
        clusters: problem id -> cluster number.
    """
    of = groups["problem"].map(clusters).fillna(TOPICLESS).astype(int)
    sizes = of[of != TOPICLESS].value_counts().head(most)
    return {int(label): groups[of == label] for label in sizes.index}  # type: ignore[call-overload]


def paired_by_cluster(met: pd.DataFrame, clusters: Mapping[str, int]) -> pd.DataFrame:
    """The difference between two runs by cluster, the largest gain first.

    Args:
        met: indexed by problem id, float columns `before`, `after` and `change`.
        clusters: problem id -> cluster number.

    Returns:
        Indexed by cluster (`TOPICLESS` for none): `problems`, means `before`, `after` and `change`, and the 95% interval of the
        mean change, `low` to `high`.
    """
    of = pd.Series([clusters.get(str(problem), TOPICLESS) for problem in met.index], index=met.index)
    rows = {}
    for label, part in met.groupby(of):
        low, high = paired_interval(part["change"].to_numpy(np.float64))
        rows[label] = {"problems": len(part), **part.mean().to_dict(), "low": low, "high": high}
    columns = ["problems", "before", "after", "change", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_values("change", ascending=False)
