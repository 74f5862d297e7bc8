"""Which problems are in question: the filters of the Explore page as data, and selections put together. No Streamlit here."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

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
    "Intersect": lambda old, new: old & new,
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
    near: float = 0.0
    """The least cosine of a search by meaning; 0 for the `exploration.NEAREST_MEANINGS` nearest."""
    where: tuple[str, ...] = ()
    """Values of the data's own columns, as `column_value` writes them; of one column any of them."""

    @property
    def active(self) -> bool:
        return bool(self.split or self.steps or self.clusters or self.where or self.subset or self.query)

    @property
    def _nearness(self) -> str:
        return f" from a cosine of {self.near:.2f}" if self.near and self.mode == MEANING else ""

    def described(self, titles: Mapping[int, str]) -> Sequence[str]:
        """What is asked, one phrase a filter.

        Args:
            titles: cluster number -> its title.
        """
        phrases = [
            self.split and f"split {self.split}",
            self.steps and f"steps {', '.join(self.steps)}",
            self.clusters and f"cluster {'; '.join(titles.get(label, str(label)) for label in self.clusters)}",
            *(f"{column} {' or '.join(values)}" for column, values in _by_column(self.where).items()),
            self.subset and f"subset {self.subset}",
            self.query and f"{self.mode} “{self.query}”{self._nearness}",
        ]
        return [phrase for phrase in phrases if phrase]


def count_category(count: int) -> str:
    """The category of a step or equation count: itself, the rare high ones in one."""
    return str(count) if count < MERGE_FROM else f"{MERGE_FROM}+"


def column_value(column: str, value: str) -> str:
    """A value of a column in one text, such as `level:Level 5`, that a list parted by commas can hold."""
    return f"{_escaped(column).replace(':', '%3A')}:{_escaped(value)}"


def column_and_value(text: str) -> tuple[str, str]:
    """What `column_value` wrote."""
    column, _, value = text.partition(":")
    return unquote(column), unquote(value)


def mask(
    frame: pd.DataFrame, filters: Filters, *, subset: Collection[str] | None, found: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """(N,) which rows pass.

    Args:
        frame: `analysis.frame.atlas_frame`.
        filters: what is asked of split, steps, cluster and the data's own columns; a column that there is not asks nothing.
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
    for column, values in _by_column(filters.where).items():
        if column in frame:
            passing &= frame[column].astype(str).isin(values).to_numpy()
    if subset is not None:
        passing &= frame["id"].isin(subset).to_numpy()
    if found is not None:
        passing &= found
    return passing


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace(",", "%2C")


def _by_column(where: Sequence[str]) -> Mapping[str, Sequence[str]]:
    asked: dict[str, list[str]] = {}
    for column, value in map(column_and_value, where):
        asked.setdefault(column, []).append(value)
    return asked


def combine(how: str, old: Rows, new: Rows) -> tuple[int, ...]:
    """The selection after a lasso took `new` while `old` was selected."""
    return tuple(sorted(COMBINE[how](set(old), set(new))))


def toggled(values: Sequence[str], value: str) -> tuple[str, ...]:
    """The values without this one if it is among them, else with it."""
    return tuple(other for other in values if other != value) if value in values else (*values, value)
