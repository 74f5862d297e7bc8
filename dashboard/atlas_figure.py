"""The map's figure: a point a problem in two or three dimensions, and what is drawn over it. Nothing here knows Streamlit.

What travels to the browser is small: a point's `customdata` is its row, and its text lies in a file of its own. What the
colours mean is for `colourings`.
"""

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import contours, figures, theme
from dashboard.colourings import ByCategory, ByNumber, Colouring
from dashboard.figures import Spec
from training.text import shorten


@dataclass(frozen=True)
class Label:
    """A cluster's name on the map."""

    place: Sequence[float]
    """x, y and, in three dimensions, z."""
    text: str
    cluster: int
    colour: str = ""
    """Empty for the colour of the page's text."""


_TRACES = 10
"""Groups that mix are drawn in turns, so that none is covered where points are dense, in about so many traces altogether:
each takes 20 ms to draw where there is no GPU. Of many groups the rarer ones lie on top."""
_LONG_LEGEND = 12
"""More entries than this stand in a list beside the map, which scrolls."""
_LIST_WIDTH = 232
_LIST = {"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top", "tracegroupgap": 0, "font": {"size": 11}, "maxheight": 1}
_ISOLATING = {"itemclick": "toggleothers", "itemdoubleclick": "toggle"}
_BAR = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "len": 260, "lenmode": "pixels"}
_QUANTILES = (0.005, 0.995)
"""A continuous scale ends here, so that a few extremes do not take all its colours."""
_HOVER_CHARACTERS = 110
_DEPTH_SIZE = 0.45
"""Points in three dimensions, as a share of those in two: they lie in front of each other."""
_CAMERA = {"eye": {"x": 0.95, "y": 0.95, "z": 0.6}}


def map_figure(
    frame: pd.DataFrame, positions: NDArray[np.float32], colouring: Colouring, *, dark: bool, view: str
) -> go.Figure:
    """The atlas: traces by group, so that the legend can hide them.

    Args:
        frame: a row a problem, with the colouring's column.
        positions: (N, 2) or (N, 3) float32, in the frame's order.
        colouring: what the colours mean.
        dark: whether the page is dark.
        view: hidden legend entries stay hidden as long as it stays equal.
    """
    values = frame[colouring.column]
    if isinstance(colouring, ByCategory):
        traces = _named_trace if colouring.named_on_map else _category_traces
        figure = go.Figure(traces(values, positions, colouring, dark=dark))
        legend: dict[str, Any] = {"title": {"text": colouring.legend}}
        top = 28
    else:
        figure = go.Figure(_number_traces(values, positions, colouring))
        figure.update_layout(coloraxis=_coloraxis(values, colouring, dark=dark))
        legend, top = {"x": 1, "xanchor": "right"}, 48
    is_list = sum(bool(trace.showlegend) for trace in figure.data) > _LONG_LEGEND
    figures.quiet(figure, view=view)
    figure.update_layout(
        margin={"l": 36, "r": _LIST_WIDTH if is_list else 8, "t": top, "b": 0},
        legend={"itemsizing": "constant", **_ISOLATING, **legend, **(_LIST if is_list else {})},
        showlegend=True,
        modebar={"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": theme.QUIET},
    )
    return _without_axes(figure, positions.shape[1])


def texts(ids: Sequence[str], questions: Sequence[str]) -> Spec:
    """What the browser shows of the point under the pointer, by row: ids and the beginnings of the questions, plain text."""
    beginnings = [shorten(question, _HOVER_CHARACTERS) for question in questions]
    return figures.spec_of({"ids": ids, "texts": beginnings})


def overlay(
    positions: NDArray[np.float32],
    *,
    labels: Sequence[Label] = (),
    clusters: NDArray[np.integer] | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    density: bool = False,
) -> Spec:
    """What is drawn over the points: contours of their density, lines between pairs, and labels, the most important first.

    The browser leaves out labels that would overlap an earlier one, at whatever zoom; under the pointer a label lights up its
    cluster. Three dimensions have no contours and no lines.

    Args:
        positions: (N, 2) or (N, 3) float32.
        labels: of clusters.
        clusters: (N,) the cluster of each point, -1 for none.
        pairs: rows that a line connects.
        density: whether there are contours.
    """
    flat = positions.shape[1] == 2
    lines = contours.density_contours(positions) if density and flat else None
    return figures.spec_of(
        {
            "labels": [
                {
                    "place": [round(float(place), 4) for place in label.place],
                    "text": label.text,
                    "cluster": label.cluster,
                    "colour": label.colour,
                }
                for label in labels
            ],
            "clusters": None if clusters is None else figures.typed_array(clusters.astype(np.int16)),
            "pairs": list(pairs) if flat else [],
            "contours": lines and {"x": lines.origin[0], "y": lines.origin[1], "unit": lines.unit, "paths": lines.paths},
        }
    )


def point_size(points: int) -> float:
    """Diameter in pixels: about 8 for a few hundred points, 4 for ten thousand."""
    return float(np.clip(14 - 2.5 * np.log10(max(points, 1)), 2.5, 10))


def point_opacity(points: int) -> float:
    """Lower where points have to share pixels: 0.8 for ten thousand, 0.6 for a hundred thousand."""
    return float(np.clip(1.6 - 0.2 * np.log10(max(points, 1)), 0.4, 0.85))


def _category_traces(
    values: "pd.Series[Any]", positions: NDArray[np.float32], colouring: ByCategory, *, dark: bool
) -> list[dict[str, Any]]:
    groups = colouring.groups(values, positions, dark)
    in_turns = colouring.mixed and positions.shape[1] == 2
    layers = max(1, _TRACES // max(1, len(groups))) if in_turns else 1
    drawn = sorted(enumerate(groups), key=lambda ranked: -len(ranked[1].rows)) if in_turns else list(enumerate(groups))
    return [
        points(
            positions,
            group.rows[layer::layers],
            {"color": group.colour},
            name=html.escape(group.name, quote=False),
            legendgroup=group.name,
            legendrank=rank + 1,
            showlegend=layer == 0,
            uid=_uid(colouring.column, group.name, layer),
            meta={"title": colouring.title, "value": group.name},
        )
        for layer in range(layers)
        for rank, group in drawn
        if len(group.rows) > layer
    ]


def _named_trace(
    values: "pd.Series[Any]", positions: NDArray[np.float32], colouring: ByCategory, *, dark: bool
) -> list[dict[str, Any]]:
    """One trace of many groups, the first of them below the others; `meta` has the group of each point."""
    groups = colouring.groups(values, positions, dark)
    colours = list(dict.fromkeys([group.colour for group in groups] + [theme.QUIET]))
    sizes = [len(group.rows) for group in groups]
    marker = {
        "color": np.repeat([colours.index(group.colour) for group in groups], sizes).astype(np.float32),
        "colorscale": [[place / max(1, len(colours) - 1), colour] for place, colour in enumerate(colours)],
        "cmin": 0,
        "cmax": max(1, len(colours) - 1),
    }
    return [
        points(
            positions,
            np.concatenate([group.rows for group in groups]),
            marker,
            showlegend=False,
            uid=_uid(colouring.column),
            meta={
                "title": colouring.title,
                "names": [group.name for group in groups],
                "groups": np.repeat(np.arange(len(groups), dtype=np.int16), sizes),
            },
        )
    ]


def _number_traces(values: "pd.Series[Any]", positions: NDArray[np.float32], colouring: ByNumber) -> list[dict[str, Any]]:
    numbers = colouring.on_axis(values)
    known, unknown = (np.flatnonzero(mask).astype(np.int32) for mask in (np.isfinite(numbers), ~np.isfinite(numbers)))
    traces = [
        points(
            positions,
            unknown,
            {"color": theme.QUIET, "opacity": 0.25},
            name=colouring.unknown,
            showlegend=True,
            uid=_uid(colouring.column, "unknown"),
            meta={"title": colouring.title, "value": colouring.unknown},
        ),
        points(
            positions,
            known,
            {"color": numbers[known], "coloraxis": "coloraxis"},
            name=colouring.title,
            showlegend=False,
            uid=_uid(colouring.column, "known"),
            meta=meaning(colouring),
        ),
    ]
    return [trace for trace in traces if len(trace["customdata"])]


def meaning(colouring: ByNumber) -> dict[str, Any]:
    """What the browser says of a point's number."""
    told = {"title": colouring.title, "unit": colouring.unit, "scale": colouring.scale}
    return told | ({"levels": [name for name, _ in colouring.levels]} if colouring.levels else {})


def points(positions: NDArray[np.float32], rows: NDArray[np.int32], marker: Mapping[str, Any], **rest: Any) -> dict[str, Any]:
    """A trace of some points. The browser shows their texts itself, and in three dimensions their selection."""
    flat = positions.shape[1] == 2
    size, opacity = point_size(len(positions)) * (1 if flat else _DEPTH_SIZE), point_opacity(len(positions))
    trace = {
        "type": "scattergl" if flat else "scatter3d",
        "mode": "markers",
        **{axis: positions[rows, place] for place, axis in zip(range(positions.shape[1]), "xyz", strict=False)},
        "customdata": rows,
        "hoverinfo": "none",
        "marker": {"size": size, "opacity": opacity, "line": {"width": 0}, **marker},
        **rest,
    }
    if flat:
        faint = float(marker.get("opacity", 1.0))  # what only stands for something stays behind what is selected
        trace["selected"] = {"marker": {"opacity": 0.95 * faint, "size": size + 1}}
        trace["unselected"] = {"marker": {"opacity": opacity * faint / 8}}
    return trace


def _uid(*parts: object) -> str:
    """A trace's identity over redraws. Letters and digits only: plotly.js puts it into a CSS selector."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _coloraxis(values: "pd.Series[Any]", colouring: ByNumber, *, dark: bool) -> dict[str, Any]:
    numbers = colouring.on_axis(values)
    known = numbers[np.isfinite(numbers)]
    low, high = colouring.span or (np.quantile(known, _QUANTILES).tolist() if len(known) else (0.0, 1.0))
    if low == high:
        low, high = low - 0.5, high + 0.5
    unit = f", {colouring.unit}" if colouring.unit else ""
    title = {"text": f"{colouring.title}{unit}", "side": "top", "font": {"size": 12}}
    bar = {**_BAR, "thickness": 8, "outlinewidth": 0, "ypad": 2, "xpad": 4, "title": title, "ticks": ""}
    colours: Sequence[Any] = theme.differences(dark=dark) if colouring.signed else theme.magnitudes(9, dark=dark)
    if colouring.levels:
        low, high = -0.5, len(colouring.levels) - 0.5
        colours = _stepped([colour for _, colour in colouring.levels])
    return {"cmin": low, "cmax": high, "colorscale": colours, "colorbar": {**bar, **colouring.ticks(low, high)}}


def _stepped(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A colour scale of equal parts, each of one colour."""
    parts = len(colours)
    return [(end / parts, colour) for place, colour in enumerate(colours) for end in (place, place + 1)]


def _without_axes(figure: go.Figure, dimensions: int) -> go.Figure:
    """A layout has no units, so no axes; a distance is the same in all directions."""
    if dimensions == 2:
        figure.update_layout(dragmode="lasso")
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False, scaleanchor="x")
    else:
        hidden = {"visible": False, "showspikes": False}
        scene = {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data", "camera": _CAMERA}
        figure.update_layout(dragmode="orbit", scene=scene)
    return figure
