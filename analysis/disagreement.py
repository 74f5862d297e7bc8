"""How often two judges differ, over the steps of a run and by cluster of the map, with intervals over problems."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.brushing import STRETCH, stretches
from analysis.compute import TOPICLESS
from training.insight.disagreement import Disagreement, Tally, share_of

_BY_CLUSTER = ["problems", "completions", "differing", "first_only", "second_only", "mean", "low", "high"]


def differing_over_steps(tallies: Sequence[Tally]) -> pd.DataFrame:
    """The share of completions on which judges differ by stretches of steps.

    Args:
        tallies: of a run, at least one of a completion that both judged.

    Returns:
        A row for each stretch with such completions: the columns of `brushing.over_steps`, a tally being a group.
    """
    judged = [tally for tally in tallies if tally.judged]
    steps = np.array([tally.step for tally in judged])
    edges = stretches(int(steps.min()), int(steps.max()))
    parts: dict[int, list[Tally]] = defaultdict(list)
    for tally, place in zip(judged, np.searchsorted(edges, steps, side="right") - 1, strict=True):
        parts[int(place)].append(tally)
    rows = []
    for place, part in sorted(parts.items()):
        first, last = int(edges[place]), int(edges[place + 1]) - 1
        problems = len({tally.problem_id for tally in part})
        rows.append((first, last, (first + last) / 2, len(part), problems, *_estimate(part)))
    return pd.DataFrame(rows, columns=STRETCH)


def differing_by_problem(found: Disagreement) -> pd.Series:
    """Problem id -> the share of its completions on which the judges differ, of problems with any that both judged."""
    shares = {tally.problem_id: tally.differing / tally.judged for tally in found.by_problem if tally.judged}
    return pd.Series(shares, dtype=float)


def differing_by_cluster(found: Disagreement, clusters: Mapping[str, int]) -> pd.DataFrame:
    """How often the judges differ in each cluster, first where they surely do so most often: by the low end of the interval.

    Args:
        found: what the judges said.
        clusters: problem id -> cluster number.

    Returns:
        Indexed by cluster (`TOPICLESS` for none): `problems`, `completions` that both judged, `differing` ones, those of them
        that only the first and only the second judge finds right, and the share that differs, `mean`, with its 95% interval.
    """
    parts: dict[int, list[Tally]] = defaultdict(list)
    for tally in found.by_problem:
        if tally.judged:
            parts[clusters.get(tally.problem_id, TOPICLESS)].append(tally)
    rows = {label: (len(part), *_sums(part), *_estimate(part)) for label, part in parts.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=_BY_CLUSTER)
    return table.sort_values(["low", "completions"], ascending=False)


def _sums(part: Iterable[Tally]) -> tuple[int, int, int, int]:
    rows = [(tally.judged, tally.differing, tally.first_only, tally.second_only) for tally in part]
    judged, differing, first, second = (sum(column) for column in zip(*rows, strict=True))
    return judged, differing, first, second


def _estimate(part: Iterable[Tally]) -> tuple[float, float, float]:
    estimate = share_of(part).estimate
    assert estimate is not None  # of tallies with completions that both judged
    return estimate
