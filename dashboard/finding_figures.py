"""Figures of the findings: numbers go in, a plotly figure comes out. Nothing here knows Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from analysis.findings import Correlation, Topics
from dashboard import theme
from dashboard.figures import quiet

_NAMED = 3
"""So many of the largest topics have their names in the figure, and the island; more would cover each other."""
_PLACES = ("top center", "middle left", "bottom center", "middle right")
"""Of names, from the highest point down: striking topics often lie close together."""

_TICKS = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
"""Of an axis with logarithms."""


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


_EVERY_STEP = 20
"""Numbers of steps up to which the axis names each."""


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
    figure.update_xaxes(title={"text": "steps of the problem"}, dtick=1 if len(own) <= _EVERY_STEP else None)
    figure.update_yaxes(title={"text": "mean steps of its neighbours"}, rangemode="tozero")
    return figure


def topics_figure(topics: Topics, titles: Mapping[int, str]) -> go.Figure:
    """Every cluster by its size and by how much it lies by itself, the most striking ones named."""
    striking = {topics.island.number}
    striking |= {topic.number for topic in topics.topics[:_NAMED]}
    highest_first = sorted(topics.topics, key=lambda topic: -topic.isolation)
    ranks = {topic.number: rank for rank, topic in enumerate(topic for topic in highest_first if topic.number in striking)}
    figure = go.Figure(
        go.Scatter(
            x=[topic.size for topic in topics.topics],
            y=[topic.isolation for topic in topics.topics],
            text=[titles[topic.number] if topic.number in striking else "" for topic in topics.topics],
            customdata=[[titles[topic.number], topic.test_share, topic.mean_steps] for topic in topics.topics],
            mode="markers+text",
            textposition=[_PLACES[ranks.get(topic.number, 0) % len(_PLACES)] for topic in topics.topics],
            marker={"color": theme.TRAIN, "size": 8, "opacity": 0.75},
            hovertemplate=(
                "%{customdata[0]}<br>%{x:,} problems, %{y:.0%} of their neighbours inside<br>"
                "%{customdata[1]:.0%} test, %{customdata[2]:.2f} steps on average<extra></extra>"
            ),
        )
    )
    quiet(figure)
    sizes = np.log10([topic.size for topic in topics.topics])
    figure.update_xaxes(
        title={"text": "problems in the cluster"},
        type="log",
        range=[sizes.min() - 0.1, sizes.max() + 0.25],  # names need room at the right
        tickvals=_TICKS,
        ticktext=[f"{tick:,}" for tick in _TICKS],
    )
    figure.update_yaxes(title={"text": "isolation: neighbours inside"}, tickformat=".0%", range=[0, 1.12])
    return figure


def correlations_figure(correlations: Sequence[Correlation]) -> go.Figure:
    """Rank correlation of the steps with each feature, with its 95% interval."""
    names = [correlation.name for correlation in correlations][::-1]
    rhos = np.array([correlation.rho for correlation in correlations])[::-1]
    low, high = np.array([correlation.interval for correlation in correlations])[::-1].T
    figure = go.Figure(
        go.Scatter(
            x=rhos,
            y=names,
            error_x={"array": high - rhos, "arrayminus": rhos - low, "thickness": 1.5, "width": 0},
            mode="markers",
            marker={"color": theme.TRAIN, "size": 10},
            hovertemplate="%{y}: %{x:+.2f}<extra></extra>",
        )
    )
    quiet(figure)
    figure.update_xaxes(title={"text": "rank correlation with the number of steps"}, range=[-1.05, 1.05], zeroline=True)
    return figure


def leakage_figure(cosines: NDArray[np.float32], threshold: float) -> go.Figure:
    """How near each train problem comes to its nearest test problem, and where the threshold cuts."""
    figure = go.Figure(
        go.Histogram(
            x=cosines,
            xbins={"start": 0, "end": 1, "size": 0.02},
            marker={"color": theme.TRAIN, "line": {"width": 0}},
            hovertemplate="cosine %{x}: %{y:,} train problems<extra></extra>",
        )
    )
    quiet(figure)
    line = {"color": theme.QUIET, "width": 1.5, "dash": "dot"}
    figure.add_vline(x=threshold, line=line, annotation_text=f"{threshold:.2f}", annotation_position="top")
    figure.update_layout(bargap=0.08, showlegend=False)
    figure.update_xaxes(title={"text": "cosine to the nearest test problem"})
    figure.update_yaxes(title={"text": "train problems"})
    return figure


def failures_figure(counts: Mapping[str, int]) -> go.Figure:
    """Problems by kind of failure."""
    names = list(counts)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[counts[name] for name in names],
            y=names,
            orientation="h",
            text=[f"{counts[name]:,}" for name in names],
            textposition="outside",
            cliponaxis=False,
            marker={"color": theme.QUIET},
            hovertemplate="%{y}: %{x:,} problems<extra></extra>",
        )
    )
    quiet(figure)
    figure.update_xaxes(title={"text": "problems"}, rangemode="tozero")
    figure.update_yaxes(showgrid=False)
    return figure


def kept_figure(kept: NDArray[np.float32], chance: float) -> go.Figure:
    """How many problems keep which share of their true neighbours on the map."""
    figure = go.Figure(
        go.Histogram(
            x=kept,
            xbins={"start": -1 / 30, "end": 31 / 30, "size": 1 / 15},
            marker={"color": theme.TRAIN, "line": {"width": 0}},
            hovertemplate="%{x} kept: %{y:,} problems<extra></extra>",
        )
    )
    quiet(figure)
    line = {"color": theme.QUIET, "width": 1.5, "dash": "dot"}
    figure.add_vline(x=chance, line=line, annotation_text="chance", annotation_position="top right")
    figure.update_layout(bargap=0.08, showlegend=False)
    figure.update_xaxes(title={"text": "share of the 15 true neighbours that are near on the map"}, tickformat=".0%")
    figure.update_yaxes(title={"text": "problems"})
    return figure
