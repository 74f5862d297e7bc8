"""What colours on the map can mean: a registry of colourings, each naming the column it reads.

A colouring turns that column into groups or a scale. How points are drawn is for `atlas_figure`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.frame import categories, further_columns
from dashboard import theme
from dashboard.figures import counts_as_categories

COLUMN = "column"
"""Before a colon and the name of a column of the data: the key of the colouring by it."""

Scale = Literal["linear", "log", "share"]


@dataclass(frozen=True)
class Group:
    """Points of one colour, with one entry in the legend."""

    name: str
    colour: str
    rows: NDArray[np.int32]


@dataclass(frozen=True)
class ByCategory:
    """A few groups, each with a colour; the legend hides and shows them."""

    title: str
    column: str
    groups: Callable[["pd.Series[Any]", NDArray[np.float32], bool], Sequence[Group]]
    """(the column, the points' places, whether the page is dark) to groups in the legend's order."""
    legend: str = ""
    """Stands before the groups in the legend."""
    mixed: bool = True
    """Whether groups lie among each other, so that drawing one after another would bury the first."""
    named_on_map: bool = False
    """Whether the groups' names stand on the map itself, in their colours, so that no legend is needed."""


@dataclass(frozen=True)
class ByNumber:
    """A continuous scale; problems where the number is unknown (NaN) are grey."""

    title: str
    column: str
    unit: str = ""
    scale: Scale = "linear"
    """`share` is shown in percent; `log` is for numbers from 0 over several powers of ten."""
    span: tuple[float, float] | None = None
    """Where the colours begin and end; without it, where nearly all numbers lie."""
    unknown: str = "unknown"
    """What the problems without a number are called."""
    signed: bool = False
    """Whether the numbers are differences: the middle of the scale is none."""
    levels: tuple[tuple[str, str], ...] = ()
    """Names and colours of the whole numbers from 0, where the numbers only stand for them."""

    def on_axis(self, values: "pd.Series[Any]") -> NDArray[np.float32]:
        """(N,) where the numbers lie on the colour axis; on a log scale log10(1 + number), which takes 0."""
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (np.log10(1 + numbers) if self.scale == "log" else numbers).astype(np.float32)

    def ticks(self, low: float, high: float) -> dict[str, Any]:
        """The colour bar's ticks between two places on the axis."""
        if self.levels:
            return {"tickvals": [*range(len(self.levels))], "ticktext": [name for name, _ in self.levels]}
        if self.scale == "share":
            return {"tickformat": ".0%", "nticks": 6}
        if self.scale == "linear":
            return {"nticks": 6}
        numbers = [number for power in range(13) if low <= np.log10(1 + (number := 10**power)) <= high]
        return {"tickvals": np.log10(1 + np.array(numbers)).tolist(), "ticktext": [f"{number:,}" for number in numbers]}


Colouring = ByCategory | ByNumber


def available(frame: pd.DataFrame, colourings: Mapping[str, Colouring]) -> dict[str, Colouring]:
    """Those whose column the frame has, with at least one known value."""
    return {key: found for key, found in colourings.items() if found.column in frame and frame[found.column].notna().any()}


def offered_for(frame: pd.DataFrame) -> dict[str, Colouring]:
    """Those of the registry that the frame has columns for, and one for each column of the data that can be coloured by."""
    of_data = {f"{COLUMN}:{name}": found for name in further_columns(frame) if (found := _by_column(frame[name], name))}
    return available(frame, COLOURINGS) | of_data


def _by_column(values: "pd.Series[Any]", name: str) -> Colouring | None:
    if pd.api.types.is_numeric_dtype(values):
        return ByNumber(name, name) if values.nunique() > 1 else None
    return ByCategory(name, name, _categories) if categories(values) else None


def by_cluster(titles: Mapping[int, str]) -> ByCategory:
    """Clusters by title, in place of the registry's, which knows only their numbers."""

    def groups(values: "pd.Series[Any]", positions: NDArray[np.float32], dark: bool) -> Sequence[Group]:
        labels = values.to_numpy(int)
        rows = _rows_by(labels, sorted(set(labels.tolist())))
        named = [
            Group(titles.get(label, f"cluster {label}"), colour, rows[label])
            for label, colour in cluster_colours(labels, positions).items()
        ]
        loose = rows.get(-1)
        return ([Group("unclustered", theme.QUIET, loose)] if loose is not None else []) + named

    return ByCategory("Cluster", "cluster", groups, mixed=False, named_on_map=True)


def cluster_colours(labels: NDArray[np.integer], positions: NDArray[np.float32]) -> Mapping[int, str]:
    """Cluster -> its colour, another than that of the clusters near it."""
    clusters = [label for label in sorted(set(labels.tolist())) if label >= 0]
    centres = np.array([positions[labels == label].mean(axis=0) for label in clusters])
    return dict(zip(clusters, _apart(centres, theme.TOPICS), strict=True))


def _apart(centres: NDArray[np.float32], palette: Sequence[str]) -> list[str]:
    """A colour for each centre, in order: the one whose nearest user so far is the farthest away."""
    nearest = np.full((len(centres), len(palette)), np.inf)
    chosen = []
    for number, centre in enumerate(centres):
        colour = int(nearest[number].argmax())
        nearest[:, colour] = np.minimum(nearest[:, colour], np.linalg.norm(centres - centre, axis=1))
        chosen.append(palette[colour])
    return chosen


def _splits(values: "pd.Series[Any]", positions: NDArray[np.float32], dark: bool) -> Sequence[Group]:
    rows = _rows_by(values.to_numpy(), theme.SPLIT_COLOURS)
    return [Group(split, theme.SPLIT_COLOURS[split], found) for split, found in rows.items() if len(found)]


def _counts(values: "pd.Series[Any]", positions: NDArray[np.float32], dark: bool) -> Sequence[Group]:
    counts = counts_as_categories(values)
    names = list(counts.cat.categories)
    colours = theme.magnitudes(len(names), dark=dark)
    rows = _rows_by(counts.to_numpy(), names)
    return [Group(name, colour, rows[name]) for name, colour in zip(names, colours, strict=True)]


def _operations(values: "pd.Series[Any]", positions: NDArray[np.float32], dark: bool) -> Sequence[Group]:
    """A colour by how many operations are used: sixteen combinations have no sixteen colours, but an order."""
    kinds = {name: 0 if name == "none" else len(name.split()) for name in values.unique()}
    names = sorted(kinds, key=lambda name: (kinds[name], name))
    colours = theme.magnitudes(max(kinds.values()) + 1, dark=dark)
    rows = _rows_by(values.to_numpy(), names)
    return [Group(name, colours[kinds[name]], rows[name]) for name in names]


def _categories(values: "pd.Series[Any]", positions: NDArray[np.float32], dark: bool) -> Sequence[Group]:
    """Texts that differ in a number alone, as levels do, from low to high; others in any colours."""
    names = categories(values)
    is_scale = len({re.sub(r"\d+", "0", name) for name in names}) == 1
    colours = theme.magnitudes(len(names), dark=dark) if is_scale else list(islice(cycle(theme.CATEGORIES), len(names)))
    rows = _rows_by(values.to_numpy(), [*names, ""])
    found = [Group(name, colour, rows[name]) for name, colour in zip(names, colours, strict=True)]
    return found + ([Group("unknown", theme.QUIET, rows[""])] if len(rows[""]) else [])


def _rows_by(values: NDArray[Any], categories: Any) -> dict[Any, NDArray[np.int32]]:
    return {category: np.flatnonzero(values == category).astype(np.int32) for category in categories}


COLOURINGS: Mapping[str, Colouring] = {
    "split": ByCategory("Split", "split", _splits),
    "steps": ByCategory("Steps", "steps", _counts, legend="steps"),
    "equations": ByCategory("Equations", "equations", _counts, legend="equations"),
    "cluster": by_cluster({}),
    "length": ByNumber("Question length", "length", "words"),
    "magnitude": ByNumber("Size of the answer", "magnitude", scale="log"),
    "operations": ByCategory("Operations", "operations", _operations),
    "nearest_test": ByNumber("Nearest test problem", "nearest_test", "cosine"),
    "kept": ByNumber("Neighbours kept", "kept", "of its nearest", scale="share"),
}
