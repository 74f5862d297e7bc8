"""Figures: a frame goes in, a plotly figure comes out. Nothing here knows Streamlit, so each is testable without a browser."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import theme
from dashboard.filters import count_category

_BAND_OPACITY = 0.18
_LEGEND_LINE_PX = 20


@dataclass(frozen=True)
class Spec:
    """A figure, or what goes with one, as the browser gets it."""

    json: str
    revision: str
    """SHA-256 of the JSON: equal revisions are equal figures, so an unchanged one need not be sent or drawn again."""


def spec(figure: go.Figure) -> Spec:
    """Serialise a figure once."""
    return _spec(str(figure.to_json(remove_uids=False)))  # by them plotly.js tells what the legend hides


def spec_of(value: object) -> Spec:
    """What else the browser gets beside a figure."""
    return _spec(json.dumps(value, separators=(",", ":")))


def _spec(text: str) -> Spec:
    return Spec(text, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True)
class Panel:
    """One of several small figures."""

    key: str
    alt: str
    """Its text alternative."""
    figure: dict[str, Any]
    """As plotly.js takes it, with numpy arrays in it: a `go.Figure` checks so much that nothing else takes as long."""


def panels_json(panels: Iterable[Panel]) -> bytes:
    """Several figures as the browser gets them: a list in JSON, each with the revision that tells whether it has changed."""
    written = []
    for panel in panels:
        figure = json.dumps(panel.figure, separators=(",", ":"), default=typed_array, allow_nan=False)
        head = json.dumps({"key": panel.key, "alt": panel.alt, "revision": _spec(figure).revision})
        written.append(f'{head[:-1]},"figure":{figure}}}')
    return f"[{','.join(written)}]".encode()


def typed_array(values: object) -> dict[str, str]:
    """An array of one dimension as plotly.js reads it in binary."""
    if not isinstance(values, np.ndarray) or values.dtype.str[1:] not in ("i2", "i4", "f4"):
        raise TypeError(f"{type(values)} cannot be part of a figure")
    return {"dtype": values.dtype.str[1:], "bdata": base64.b64encode(values.tobytes()).decode()}


def quiet(figure: go.Figure, *, height: int | None = None, view: str | None = None) -> go.Figure:
    """The layout all figures share: no background, thin margins, faint horizontal lines, a legend on top.

    `view` names what the figure shows: as long as it stays the same, a redrawn figure keeps the person's zoom.
    """
    figure.update_layout(
        template="none",
        height=height,
        uirevision=view,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 48, "r": 8, "t": 32, "b": 40},
        font={"size": 12},
        legend={"orientation": "h", "x": 0, "y": 1.0, "xanchor": "left", "yanchor": "bottom", "title": {"side": "left"}},
        hoverlabel={"align": "left", "font": {"size": 12}},
        hovermode="closest",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor="rgba(138,148,158,0.25)", zeroline=False, automargin=True)
    return figure


def height_with_legend(px: int, entries: int) -> str:
    """As CSS: a figure of so many pixels, higher by a line for each entry of its legend beyond two, lest that squeeze it."""
    return f"{px + _LEGEND_LINE_PX * max(0, entries - 2)}px"


def band(x: NDArray[Any], low: NDArray[Any], high: NDArray[Any], colour: str, **rest: Any) -> dict[str, Any]:
    """The area around a line, as a trace.

    Args:
        x, low, high: (N,) where it lies, in the order of the line.
        colour: of the line; the page shows it lighter where it is dark.
    """
    return {
        "type": "scatter",
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([high, low[::-1]]),
        "fill": "toself",
        "fillcolor": colour,
        "opacity": _BAND_OPACITY,
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        **rest,
    }


def counts_figure(
    selected: pd.DataFrame | None, everything: pd.DataFrame, column: str, *, unit: str, outlined: Collection[str] = ()
) -> go.Figure:
    """How often each count is, by split, among the selected problems, if there are any, beside its share among all.

    A bar's `customdata` is its category, as `counts_as_categories` names it.

    Args:
        selected: the selected rows of `everything`.
        everything: a row a problem, with the split.
        column: the counts.
        unit: what is counted.
        outlined: categories whose bars stand out, because they filter.
    """
    order = list(counts_as_categories(everything[column]).cat.categories)
    figure = go.Figure()
    groups = [("selection", selected)] if selected is not None else []
    for name, rows in [*groups, ("all", everything)]:
        look = _HATCHED if groups and rows is everything else {}
        shares = _shares(rows, column, order)
        for split, colour in theme.SPLIT_COLOURS.items():
            if (everything["split"] == split).any():
                figure.add_trace(
                    go.Bar(
                        name=f"{split}, {name}",
                        x=order,
                        y=shares[split],
                        customdata=order,
                        offsetgroup=name,
                        marker={
                            "color": colour,
                            "pattern": look and look | {"fgcolor": colour},
                            "line": {"color": theme.SELECTION, "width": [2.5 * (category in outlined) for category in order]},
                        },
                        hovertemplate=f"%{{x}} {unit}, {split}: %{{y:.1%}} of {name} ({len(rows):,})<extra></extra>",
                    )
                )
    quiet(figure)
    figure.update_layout(barmode="stack", bargap=0.3, bargroupgap=0.06, dragmode=False, legend={"traceorder": "normal"})
    figure.update_xaxes(title={"text": unit}, type="category")
    figure.update_yaxes(title={"text": "share of problems"}, tickformat=".0%", rangemode="tozero")
    return figure


_HATCHED = {"shape": "/", "fillmode": "replace", "size": 5, "solidity": 0.4}
"""Bars to compare with: told apart from the others without colour, in the legend too."""


def counts_as_categories(counts: "pd.Series[int]", order: Sequence[str] | None = None) -> "pd.Series[Any]":
    """Counts as ordered categories (`"2"`, ..., `"8+"`), the rare high ones in one."""
    labels = [count_category(number) for number in counts]
    present = order or sorted(set(labels), key=lambda label: int(label.rstrip("+")))
    return pd.Series(pd.Categorical(labels, categories=list(present), ordered=True), index=counts.index)


def _shares(rows: pd.DataFrame, column: str, order: Sequence[str]) -> dict[str, list[float]]:
    """Of each split, the share of all rows that each category has, in order."""
    categories = counts_as_categories(rows[column], order)
    found = {}
    for split in theme.SPLIT_COLOURS:
        counts = categories[rows["split"] == split].value_counts(sort=False)
        found[split] = [float(counts.get(category, 0)) / max(1, len(rows)) for category in order]
    return found
