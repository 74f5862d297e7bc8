"""Figures: a frame goes in, a plotly figure comes out. Nothing here knows Streamlit, so each is testable without a browser."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import theme

_MERGE_FROM = 8
"""Counts from here on share a colour; in GSM8K fewer than 2% of the problems have as many steps."""


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
    groups = [("selection", selected, 1.0)] if selected is not None else []
    for name, rows, opacity in [*groups, ("all", everything, 0.45 if groups else 1.0)]:
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
                            "opacity": opacity,
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


def counts_as_categories(counts: "pd.Series[int]", order: Sequence[str] | None = None) -> "pd.Series[Any]":
    """Counts as ordered categories (`"2"`, ..., `"8+"`), the rare high ones in one."""
    labels = [str(number) if number < _MERGE_FROM else f"{_MERGE_FROM}+" for number in counts]
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
