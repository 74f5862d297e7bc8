"""Figures: a frame goes in, a plotly figure comes out. Nothing here knows Streamlit, so each is testable without a browser."""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import text, theme

_LAYERS = 5
"""Each category is drawn in turns, so that a rare one does not cover the others where points are dense."""
FADED = 0.1
"""Opacity of points outside the selection."""
_MERGE_FROM = 8
"""Counts from here on share a colour; in GSM8K fewer than 2% of the problems have as many steps."""


@dataclass(frozen=True)
class Spec:
    """A figure as the browser gets it."""

    json: str
    revision: str
    """Equal revisions are equal figures, so that an unchanged one need not be drawn again."""


@dataclass(frozen=True)
class Colouring:
    """One way to colour the map: ordered categories, each with a colour."""

    label: str
    legend: str
    """Stands before the categories in the legend."""
    categories: Callable[[pd.DataFrame], "pd.Series[str]"]
    colours: Callable[[Sequence[str], bool], Mapping[str, str]]
    """(categories in order, whether the page is dark) to colours."""


def spec(figure: go.Figure) -> Spec:
    """Serialise a figure once."""
    json = str(figure.to_json())
    return Spec(json, hashlib.sha256(json.encode()).hexdigest())


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


def map_figure(frame: pd.DataFrame, colour: str, *, dark: bool, view: str) -> go.Figure:
    """The atlas: one point a problem, its id in `customdata`, traces by category so that the legend can hide them.

    Args:
        frame: `analysis.atlas.atlas_frame`.
        colour: a key of `COLOURINGS`.
        dark: whether the page is dark.
        view: what keeps the person's zoom as long as it stays equal.
    """
    colouring = COLOURINGS[colour]
    values = colouring.categories(frame)
    present = [str(category) for category in values.cat.categories]
    colours = colouring.colours(present, dark)
    size = point_size(len(frame))
    layers = np.arange(len(frame)) % _LAYERS
    figure = go.Figure()
    for layer, category in itertools.product(range(_LAYERS), present):
        rows = frame[(values == category).to_numpy() & (layers == layer)]
        figure.add_trace(
            go.Scattergl(
                name=category,
                legendgroup=category,
                showlegend=layer == 0,
                x=rows["x"].to_numpy(np.float32),
                y=rows["y"].to_numpy(np.float32),
                customdata=rows["id"].tolist(),
                text=[text.hover(question) for question in rows["question"]],
                hovertemplate="%{text}<br><i>%{customdata}</i><extra></extra>",
                mode="markers",
                marker={"color": colours[category], "size": size, "opacity": 0.8},
                unselected={"marker": {"opacity": FADED}},
                selected={"marker": {"opacity": 0.95, "size": size + 1}},
            )
        )
    quiet(figure, view=view)
    figure.update_layout(
        margin={"l": 0, "r": 36, "t": 28, "b": 0},
        legend={"title": {"text": colouring.legend}, "itemsizing": "constant"},
        showlegend=True,
        dragmode="lasso",
        modebar={"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": theme.QUIET},
        newselection={"line": {"color": theme.QUIET, "width": 1.5, "dash": "dot"}},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def point_size(points: int) -> float:
    """Diameter in pixels: about 8 for a few hundred points, 4 for ten thousand."""
    return float(np.clip(14 - 2.5 * np.log10(max(points, 1)), 2.5, 10))


def counts_figure(selected: "pd.Series[int] | None", everything: "pd.Series[int]", *, unit: str) -> go.Figure:
    """The share of each count among selected problems, if there are any, beside its share among all."""
    order = list(_merged(everything).cat.categories)
    figure = go.Figure()
    groups = [("selection", selected, theme.SELECTION)] if selected is not None else []
    for name, counts, colour in [*groups, ("all", everything, theme.QUIET)]:
        shares = _merged(counts, order).value_counts(normalize=True, sort=False)
        figure.add_trace(
            go.Bar(
                name=f"{name} ({len(counts):,})",
                x=order,
                y=[float(shares.get(category, 0.0)) for category in order],
                marker={"color": colour},
                hovertemplate=f"%{{x}} {unit}: %{{y:.1%}} of {name}<extra></extra>",
            )
        )
    quiet(figure)
    figure.update_layout(barmode="group", bargap=0.3, bargroupgap=0.06)
    figure.update_xaxes(title={"text": unit}, type="category")
    figure.update_yaxes(title={"text": "share of problems"}, tickformat=".0%", rangemode="tozero")
    return figure


def _merged(counts: "pd.Series[int]", order: Sequence[str] | None = None) -> "pd.Series[Any]":
    """Counts as ordered categories, the rare high ones in one."""
    labels = [str(number) if number < _MERGE_FROM else f"{_MERGE_FROM}+" for number in counts]
    present = order or sorted(set(labels), key=lambda label: int(label.rstrip("+")))
    return pd.Series(pd.Categorical(labels, categories=list(present), ordered=True), index=counts.index)


def _splits(frame: pd.DataFrame) -> "pd.Series[Any]":
    present = [split for split in theme.SPLIT_COLOURS if (frame["split"] == split).any()]
    return pd.Series(pd.Categorical(frame["split"], categories=present), index=frame.index)


def _split_colours(categories: Sequence[str], dark: bool) -> Mapping[str, str]:
    return theme.SPLIT_COLOURS


def _magnitude_colours(categories: Sequence[str], dark: bool) -> Mapping[str, str]:
    return dict(zip(categories, theme.magnitudes(len(categories), dark=dark), strict=True))


COLOURINGS: Mapping[str, Colouring] = {
    "split": Colouring("Split", "", _splits, _split_colours),
    "steps": Colouring("Steps", "steps", lambda frame: _merged(frame["steps"]), _magnitude_colours),
    "equations": Colouring("Equations", "equations", lambda frame: _merged(frame["equations"]), _magnitude_colours),
}


def mixing_figure(test_share: float, chance: tuple[float, float], base_rate: float) -> go.Figure:
    """The share of test among the neighbours of test problems, beside what chance gives."""
    low, high = chance
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            name="chance, 95%",
            x=[low, high],
            y=["", ""],
            mode="lines",
            line={"color": theme.QUIET, "width": 14},
            opacity=0.5,
            hovertemplate="chance gives %{x:.1%}<extra></extra>",
        )
    )
    for name, share, marker in (
        (
            "all problems",
            base_rate,
            {"color": theme.QUIET, "size": 18, "symbol": "line-ns", "line": {"width": 2, "color": theme.QUIET}},
        ),
        ("neighbours of test problems", test_share, {"color": theme.TEST, "size": 13}),
    ):
        figure.add_trace(
            go.Scatter(
                name=name, x=[share], y=[""], mode="markers", marker=marker, hovertemplate=f"{name}: %{{x:.1%}}<extra></extra>"
            )
        )
    quiet(figure)
    span = max(0.04, 2 * abs(test_share - base_rate), 2 * (high - low))
    figure.update_xaxes(
        title={"text": "share that is test"}, tickformat=".0%", range=[max(0, base_rate - span), base_rate + span]
    )
    figure.update_yaxes(visible=False)
    return figure


def difficulty_figure(steps: NDArray[Any], neighbor_steps: NDArray[Any]) -> go.Figure:
    """The mean step count of the neighbours by a problem's own: flat where position says nothing, the diagonal where all."""
    by_own = pd.DataFrame({"own": steps, "neighbors": neighbor_steps}).groupby("own")["neighbors"]
    mean, low, high = by_own.mean(), by_own.quantile(0.1), by_own.quantile(0.9)
    own = mean.index.to_numpy()
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            name="position telling all",
            x=own,
            y=own,
            mode="lines",
            line={"color": theme.QUIET, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            name="mean, with 80% of the problems",
            x=own,
            y=mean,
            error_y={"array": high - mean, "arrayminus": mean - low, "thickness": 1.2, "width": 0},
            customdata=by_own.size(),
            mode="lines+markers",
            line={"color": theme.TRAIN, "width": 2},
            hovertemplate="%{x} steps (%{customdata:,} problems): neighbours have %{y:.2f} on average<extra></extra>",
        )
    )
    quiet(figure)
    figure.update_xaxes(title={"text": "steps of the problem"}, dtick=1)
    figure.update_yaxes(title={"text": "mean steps of its neighbours"}, rangemode="tozero")
    return figure


def leakage_figure(cosines: NDArray[Any], thresholds: Sequence[float]) -> go.Figure:
    """How near each test problem comes to its nearest train problem."""
    figure = go.Figure(
        go.Histogram(
            x=cosines,
            xbins={"start": 0, "end": 1, "size": 0.02},
            marker={"color": theme.TEST, "line": {"width": 0}},
            hovertemplate="cosine %{x}: %{y:,} test problems<extra></extra>",
        )
    )
    quiet(figure)
    for threshold in thresholds:
        line = {"color": theme.QUIET, "width": 1.5, "dash": "dot"}
        figure.add_vline(x=threshold, line=line, annotation_text=f"{threshold:.2f}", annotation_position="top")
    figure.update_layout(bargap=0.08, showlegend=False)
    figure.update_xaxes(title={"text": "cosine to the nearest train problem"})
    figure.update_yaxes(title={"text": "test problems"})
    return figure
