"""Where a run's tokens went: into groups all right, all wrong or mixed, and into groups that taught nothing.

What a group is comes from `outcomes.group_frame`. A group whose completions all earned the same has no advantage in it, so
the tokens spent on it changed nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from training.groups import KINDS, Kind, kind_of


@dataclass(frozen=True)
class Spent:
    """What went into the groups of one kind."""

    kind: Kind
    flat: bool
    """Whether all completions of a group earned the same, so that the group taught nothing."""
    tokens: int
    groups: int


TOPICLESS = -1
"""The cluster of problems that are in none, or not on the map."""


def in_steps(groups: pd.DataFrame, until: int, window: int = 0) -> pd.DataFrame:
    """The groups up to a step, or of the last `window` steps up to it."""
    after = until - window if window else 0
    return groups[(groups["step"] > after) & (groups["step"] <= until)]


def kinds(groups: pd.DataFrame) -> "pd.Series[Any]":
    """The `Kind` of each group."""
    rates = (None if rate != rate else rate for rate in groups["pass_rate"].tolist())
    return pd.Series([kind_of(rate) for rate in rates], index=groups.index, dtype=object)


def spent(groups: pd.DataFrame) -> list[Spent]:
    """Tokens and groups by kind, what taught something before what did not; combinations that do not occur are left out."""
    kind, flat = kinds(groups), groups["flat"]
    found = []
    for is_flat in (False, True):
        for name in KINDS:
            tokens = groups["tokens"][(kind == name) & (flat == is_flat)]
            if len(tokens):
                found.append(Spent(name, is_flat, int(tokens.sum()), len(tokens)))
    return found


def spent_by_cluster(groups: pd.DataFrame, clusters: Mapping[str, int]) -> pd.DataFrame:
    """The same by cluster, the most tokens wasted first.

    Args:
        groups: rows of `group_frame`.
        clusters: problem id -> cluster number; problems that are not there count as `TOPICLESS`.

    Returns:
        Indexed by cluster number: `problems`, `groups`, `tokens` (int), `wasted` (int, tokens of groups that taught
        nothing), `wasted_share`, and the shares of the tokens in groups `right`, `wrong` and `mixed`.
    """
    of = groups["problem"].map(lambda problem: clusters.get(problem, TOPICLESS)).astype(int)
    kind = kinds(groups)
    tokens = groups["tokens"]
    columns = {"tokens": tokens, "wasted": tokens.where(groups["flat"], 0)}
    columns |= {name: tokens.where(kind == name, 0) for name in ("right", "wrong", "mixed")}
    by = pd.DataFrame(columns).groupby(of)
    found = by.sum()
    found["wasted_share"] = found["wasted"] / found["tokens"].clip(lower=1)
    for name in ("right", "wrong", "mixed"):
        found[name] = found[name] / found["tokens"].clip(lower=1)
    found["groups"] = by.size()
    found["problems"] = groups["problem"].groupby(of).nunique()
    order = ["problems", "groups", "tokens", "wasted", "wasted_share", "right", "wrong", "mixed"]
    return found.rename_axis(None)[order].sort_values("wasted", ascending=False, kind="stable")


def with_signal(groups: pd.DataFrame, trainable: Iterable[str]) -> tuple[list[str], int]:
    """The problems that training can still learn from: the latest group was mixed, or there was none.

    A group of which nothing was judged counts as mixed when its rewards differ.

    Args:
        groups: rows of `group_frame`, in training order.
        trainable: ids of the problems that the run trains on.

    Returns:
        Their ids in the order of `trainable`, and how many of them were never seen.
    """
    latest = groups.drop_duplicates("problem", keep="last")
    kind = kinds(latest)
    mixed = (kind == "mixed") | ((kind == "unjudged") & ~latest["flat"])
    by_problem = dict(zip(latest["problem"], mixed, strict=True))
    chosen = [problem for problem in trainable if by_problem.get(problem, True)]
    return chosen, sum(problem not in by_problem for problem in chosen)
