"""Figures of the findings: numbers go in, a plotly figure comes out. Nothing here knows Streamlit."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from analysis.findings import Correlation, Topics
from dashboard import theme
from dashboard.figures import quiet
from training.text import shorten

_PLACES: Mapping[str, tuple[float, float]] = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, -1),
    "bottom center": (0, 1),
    "top right": (1, -1),
    "top left": (-1, -1),
    "bottom right": (1, 1),
    "bottom left": (-1, 1),
}
"""Where a name may stand beside its point: plotly's word -> to which side, right and down."""
_NAME_CHARACTERS = 26
_CHARACTER_PX, _LINE_PX, _POINT_PX = 6.3, 15, 6
_WIDTHS_PX, _HEIGHT_PX = (330, 1400), 240
"""Of the narrowest and the widest chart inside its axes: between them distances grow and names stay as they are."""
_MOST_ISOLATED = 1.12
_FAINT = "rgba(138,148,158,0.4)"
_SURE = 4
"""So many of the most striking have their names even over the points of others."""
_Box = tuple[float, float, float, float]
"""Left, right, top, bottom in pixels."""
_Boxes = tuple[_Box, _Box]
"""In the narrowest and in the widest chart."""

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
_FEW = 10
"""Problems below which their spread says nothing, however small it looks."""


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
            name=f"mean, with 80% of the problems (a ring: fewer than {_FEW})",
            x=own,
            y=mean,
            error_y={"array": high - mean, "arrayminus": mean - low, "thickness": 1.2, "width": 0},
            customdata=by_own.size(),
            mode="lines+markers",
            marker={"symbol": ["circle-open" if size < _FEW else "circle" for size in by_own.size()], "size": 7},
            line={"color": theme.TRAIN, "width": 2},
            hovertemplate="%{x} steps (%{customdata:,} problems): neighbours have %{y:.2f} on average<extra></extra>",
        )
    )
    quiet(figure)
    figure.update_xaxes(title={"text": "steps of the problem"}, dtick=1 if len(own) <= _EVERY_STEP else None)
    figure.update_yaxes(title={"text": "mean steps of its neighbours"}, rangemode="tozero")
    return figure


def topics_figure(topics: Topics, titles: Mapping[int, str]) -> go.Figure:
    """Every cluster by its size and by how much it lies by itself; those named that have room, the most striking first."""
    sizes = np.log10([topic.size for topic in topics.topics])
    low, high = float(sizes.min()) - 0.1, float(sizes.max()) + 0.1
    striking = sorted(topics.topics, key=lambda topic: topic is not topics.island)
    points = {
        topic.number: ((np.log10(topic.size) - low) / (high - low), 1 - topic.isolation / _MOST_ISOLATED) for topic in striking
    }
    texts = {topic.number: shorten(titles[topic.number], _NAME_CHARACTERS) for topic in striking}
    places = place_names(points, texts)
    figure = go.Figure(
        go.Scatter(
            x=[topic.size for topic in topics.topics],
            y=[topic.isolation for topic in topics.topics],
            text=[html.escape(texts[topic.number], quote=False) if topic.number in places else "" for topic in topics.topics],
            customdata=[[titles[topic.number], topic.test_share, topic.mean_steps] for topic in topics.topics],
            mode="markers+text",
            textposition=[places.get(topic.number, "middle right") for topic in topics.topics],
            textfont={"size": 11},
            marker={"color": theme.TRAIN, "size": 8, "opacity": 0.75},
            hovertemplate=(
                "%{customdata[0]}<br>%{x:,} problems, %{y:.0%} of their neighbours inside<br>"
                "%{customdata[1]:.0%} test, %{customdata[2]:.2f} steps on average<extra></extra>"
            ),
        )
    )
    quiet(figure)
    figure.update_xaxes(
        title={"text": "problems in the cluster"},
        type="log",
        range=[low, high],
        tickvals=_TICKS,
        ticktext=[f"{tick:,}" for tick in _TICKS],
    )
    figure.update_yaxes(title={"text": "isolation: neighbours inside"}, tickformat=".0%", range=[0, _MOST_ISOLATED])
    return figure


def place_names(points: Mapping[int, tuple[float, float]], texts: Mapping[int, str]) -> dict[int, str]:
    """Where names can stand so that none leaves the chart or covers another or a point, in a chart of any width.

    Args:
        points: number -> its place as shares of the chart's width from the left and height from the top; earlier ones are named
            rather than later ones.
        texts: number -> its name.

    Returns:
        Number -> plotly's `textposition`; a name without room is left out.
    """
    spots = {number: _in_all_widths(*point) for number, point in points.items()}
    placed: dict[int, str] = {}
    taken: list[_Boxes] = []
    for rank, (number, point) in enumerate(points.items()):
        boxes = {place: _in_all_widths(*point, place, len(texts[number]) * _CHARACTER_PX) for place in _PLACES}
        free = [place for place, box in boxes.items() if _is_inside(box) and not _meet_any(box, taken)]
        others = [spot for other, spot in spots.items() if other != number]
        clear = [place for place in free if not _meet_any(boxes[place], others)]
        if _meet_any(spots[number], taken) or not (clear or (free and rank < _SURE)):
            continue
        placed[number] = (clear or free)[0]
        taken += [boxes[placed[number]], spots[number]]
    return placed


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
    """How near each train problem comes to its nearest test problem, and where the threshold cuts, if there is one."""
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
    if threshold:
        figure.add_vline(x=threshold, line=line, annotation_text=f"{threshold:.2f}", annotation_position="top")
    figure.update_layout(bargap=0.08, showlegend=False)
    figure.update_xaxes(title={"text": "cosine to the nearest test problem"})
    figure.update_yaxes(title={"text": "train problems"})
    return figure


def counts_figure(counts: Mapping[str, int], notes: Mapping[str, int] | None = None) -> go.Figure:
    """Problems by kind; notes, which weigh less, fainter and below."""
    figure = go.Figure()
    for name, group, colour in (("failures", counts, theme.QUIET), ("notes", notes or {}, _FAINT)):
        figure.add_trace(
            go.Bar(
                name=name,
                x=list(group.values()),
                y=list(group),
                orientation="h",
                text=[f"{number:,}" for number in group.values()],
                textposition="outside",
                cliponaxis=False,
                marker={"color": colour},
                hovertemplate="%{y}: %{x:,} problems<extra></extra>",
            )
        )
    quiet(figure)
    figure.update_layout(showlegend=bool(notes), margin={"r": 48})
    figure.update_xaxes(title={"text": "problems"}, rangemode="tozero")
    order = [*counts, *(notes or {})][::-1]
    figure.update_yaxes(showgrid=False, categoryorder="array", categoryarray=order)
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
    figure.add_vline(x=chance, line=line, annotation_text="chance", annotation_position="top right", annotation_yshift=14)
    figure.update_layout(bargap=0.08, showlegend=False)
    figure.update_xaxes(title={"text": "share of the 15 true neighbours that are near on the map"}, tickformat=".0%")
    figure.update_yaxes(title={"text": "problems"})
    return figure


def _in_all_widths(across: float, down: float, place: str = "", text_px: float = 0.0) -> _Boxes:
    """What a point's name covers in the narrowest and in the widest chart; the point itself where there is no name."""
    x_side, y_side = _PLACES.get(place, (0, 0))
    half_width, half_height = (text_px / 2, _LINE_PX / 2) if text_px else (_POINT_PX, _POINT_PX)
    middle = down * _HEIGHT_PX + y_side * (half_height + _POINT_PX)
    narrow, wide = (
        (centre - half_width, centre + half_width, middle - half_height, middle + half_height)
        for centre in (across * width + x_side * (half_width + _POINT_PX) for width in _WIDTHS_PX)
    )
    return narrow, wide


def _is_inside(boxes: _Boxes) -> bool:
    return all(
        left >= 0 and right <= width and top >= 0 and bottom <= _HEIGHT_PX
        for (left, right, top, bottom), width in zip(boxes, _WIDTHS_PX, strict=True)
    )


def _meet_any(boxes: _Boxes, others: Iterable[_Boxes]) -> bool:
    return any(
        one[0] < two[1] and two[0] < one[1] and one[2] < two[3] and two[2] < one[3]
        for other in others
        for one, two in zip(boxes, other, strict=True)
    )
