"""Figures of how training went on some of the problems: over the steps, beside the others, by reward and by cluster."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.outcomes import Outcome
from dashboard import figures, theme

_COLUMNS = 3
_PANEL_PX = 170


def selection_figure(selected: pd.DataFrame, others: pd.DataFrame, about: Outcome) -> go.Figure:
    """A measure by stretches of steps, of the selected problems and of the others, with 95% bands.

    Args:
        selected, others: as `analysis.brushing.over_steps` gives them.
        about: the measure.
    """
    figure = go.Figure()
    for name, frame, colour in (("others", others, theme.QUIET), ("selected", selected, theme.SELECTION)):
        figure.add_traces(_line(name, frame, colour, about.scale == "share"))
    figures.quiet(figure)
    figure.update_xaxes(title={"text": "step"})
    figure.update_yaxes(title={"text": about.title.lower()}, **_axis(about.scale == "share"))
    return figure


def rewards_figure(means: Mapping[str, pd.DataFrame], maxima: Mapping[str, float | None]) -> go.Figure:
    """Each reward function by stretches of steps, as a share of its maximum where it has one.

    Args:
        means: title of a reward function -> its `over_steps`.
        maxima: title -> its maximum, `None` where there is none.
    """
    figure = go.Figure()
    for (title, frame), colour in zip(
        means.items(), theme.CATEGORIES * (1 + len(means) // len(theme.CATEGORIES)), strict=False
    ):
        share = maxima[title] or 1.0
        scaled = frame.assign(**{name: frame[name] / share for name in ("mean", "low", "high")})
        figure.add_traces(_line(title, scaled, colour, is_share=True)[-1:])
    figures.quiet(figure)
    figure.update_xaxes(title={"text": "step"})
    figure.update_yaxes(title={"text": "share of the maximum"}, tickformat=".0%", rangemode="tozero")
    return figure


def clusters_figure(by_cluster: Mapping[str, pd.DataFrame], everything: pd.DataFrame, about: Outcome) -> go.Figure:
    """A small panel a cluster with its curve and band, over the curve of all problems.

    Args:
        by_cluster: title -> its `over_steps`.
        everything: that of all problems.
    """
    rows = max(1, -(-len(by_cluster) // _COLUMNS))
    titles = [html.escape(title, quote=False) for title in by_cluster]
    figure = make_subplots(
        rows, _COLUMNS, shared_xaxes="all", shared_yaxes="all", subplot_titles=titles, vertical_spacing=0.28 / rows
    )
    is_share = about.scale == "share"
    for place, (title, frame) in enumerate(by_cluster.items()):
        cell = {"row": place // _COLUMNS + 1, "col": place % _COLUMNS + 1}
        for trace in (
            _line("all problems", everything, theme.QUIET, is_share)[-1],
            *_line(title, frame, theme.TRAIN, is_share),
        ):
            figure.add_trace(trace, **cell)
    figures.quiet(figure, height=rows * _PANEL_PX + 40)
    figure.update_layout(showlegend=False)
    figure.update_annotations(font={"size": 12})
    figure.update_yaxes(**_axis(is_share))
    return figure


def differing_figure(over_steps: pd.DataFrame) -> go.Figure:
    """The share of completions on which two judges differ by stretches of steps, with its 95% band.

    Args:
        over_steps: as `analysis.disagreement.differing_over_steps` gives it.
    """
    figure = go.Figure(_line("differ", over_steps, theme.TRAIN, is_share=True))
    figures.quiet(figure)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title={"text": "step"})
    figure.update_yaxes(title={"text": "completions that differ"}, tickformat=".0%", rangemode="tozero")
    return figure


def _line(name: str, frame: pd.DataFrame, colour: str, is_share: bool) -> Sequence[Any]:
    """The band, as far as it is known, and above it the line with its points."""
    known = frame.dropna(subset=["low", "high"])
    shown = ".1%" if is_share else ".3g"
    steps, low, high = (known[column].to_numpy(np.float64) for column in ("step", "low", "high"))
    band = figures.band(steps, low, high, colour)
    line = go.Scatter(
        x=frame["step"],
        y=frame["mean"],
        name=html.escape(name, quote=False),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 6},
        customdata=frame[["first", "last", "groups", "problems"]],
        hovertemplate=(
            f"{html.escape(name, quote=False)}: %{{y:{shown}}}<br>steps %{{customdata[0]}} to %{{customdata[1]}}, "
            "%{customdata[2]} groups of %{customdata[3]} problems<extra></extra>"
        ),
    )
    return [band, line] if len(known) else [line]


def _axis(is_share: bool) -> dict[str, Any]:
    return {"tickformat": ".0%", "range": [-0.02, 1.02]} if is_share else {"rangemode": "tozero"}
