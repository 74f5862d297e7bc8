"""Which problems are in question: the filters of the Explore page as data, and selections put together. No Streamlit here."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MEANING = "meaning"
MODES: Mapping[str, str] = {"words": "Words", "regex": "Regex", MEANING: "Meaning"}
"""How a query is read -> its name on the page."""
MERGE_FROM = 8
"""Counts from here on are one category; in GSM8K fewer than 2% of the problems have as many steps."""

Rows = Collection[int]

COMBINE: Mapping[str, Callable[[set[int], set[int]], set[int]]] = {
    "New": lambda old, new: new,
    "Add": lambda old, new: old | new,
    "Remove": lambda old, new: old - new,
    "Within": lambda old, new: old & new,
}
"""What a lasso does with the selection before it: replace it, union, difference, intersection."""


@dataclass(frozen=True)
class Filters:
    """What has to be true of a problem; an empty value asks nothing."""

    split: str = ""
    steps: tuple[str, ...] = ()
    """Categories of `count_category`."""
    clusters: tuple[int, ...] = ()
    subset: str = ""
    """Reference of a saved subset."""
    query: str = ""
    mode: str = "words"
    """A key of `MODES`."""

    @property
    def active(self) -> bool:
        return bool(self.split or self.steps or self.clusters or self.subset or self.query)

    def described(self, titles: Mapping[int, str]) -> Sequence[str]:
        """What is asked, one phrase a filter.

        Args:
            titles: cluster number -> its title.
        """
        phrases = [
            self.split and f"split {self.split}",
            self.steps and f"steps {', '.join(self.steps)}",
            self.clusters and f"cluster {'; '.join(titles.get(label, str(label)) for label in self.clusters)}",
            self.subset and f"subset {self.subset}",
            self.query and f"{self.mode} “{self.query}”",
        ]
        return [phrase for phrase in phrases if phrase]


def count_category(count: int) -> str:
    """The category of a step or equation count: itself, the rare high ones in one."""
    return str(count) if count < MERGE_FROM else f"{MERGE_FROM}+"


def mask(
    frame: pd.DataFrame, filters: Filters, *, subset: Collection[str] | None, found: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """(N,) which rows pass.

    Args:
        frame: `analysis.frame.atlas_frame`.
        filters: what is asked of split, steps and cluster.
        subset: ids of the subset in question, if one is.
        found: which rows the query found, if there is one.
    """
    passing = np.ones(len(frame), bool)
    if filters.split:
        passing &= (frame["split"] == filters.split).to_numpy()
    if filters.steps:
        passing &= frame["steps"].map(count_category).isin(filters.steps).to_numpy()
    if filters.clusters and "cluster" in frame:
        passing &= frame["cluster"].isin(filters.clusters).to_numpy()
    if subset is not None:
        passing &= frame["id"].isin(subset).to_numpy()
    if found is not None:
        passing &= found
    return passing


def combine(how: str, old: Rows, new: Rows) -> tuple[int, ...]:
    """The selection after a lasso took `new` while `old` was selected."""
    return tuple(sorted(COMBINE[how](set(old), set(new))))


def toggled(values: Sequence[str], value: str) -> tuple[str, ...]:
    """The values without this one if it is among them, else with it."""
    return tuple(other for other in values if other != value) if value in values else (*values, value)
