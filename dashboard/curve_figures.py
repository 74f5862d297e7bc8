"""Figures of curves: a run's scalars go in, a figure comes out as plotly.js takes it. Nothing here knows Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import figures, theme
from dashboard.axes import Axis
from dashboard.curves import Curve, Line
from dashboard.evaluated_points import Point, Points
from dashboard.thinning import POINTS, Window, in_window, thinned
from training.doctor.finding import Level
from training.store.scalar_series import EMPTY, Series
from training.text import significant, with_interval

_RAW_OPACITY, _RAW_OPACITY_OF_MANY = 0.4, 0.2
"""Of the values as logged, behind a smoothed line, and behind those of several runs."""
_ROOM = 0.015
"""Share of the axis beyond either end, for whole marks there."""
_ONSET_COLOURS: Mapping[Level, str] = {"alarm": theme.TEST, "audit": theme.QUIET}
"""Of the line at the step since which the doctor has found something."""
_TICKS = 4
"""Fewer steps than this have a tick each: more would say one number twice."""


@dataclass(frozen=True)
class Onset:
    """Since when the doctor has found something."""

    step: int
    title: str
    level: Level
    scalars: tuple[str, ...]
    """On whose curves it is marked."""

    def is_on(self, curve: Curve) -> bool:
        """Whether a curve shows one of its scalars."""
        return curve.name in self.scalars


@dataclass(frozen=True)
class Look:
    """How all figures of a grid are drawn."""

    view: str
    """What is shown; a person's zoom is kept as long as it stays the same."""
    max_steps: int
    weight: float = 0.0
    """Of the past in smoothed lines, 0 for none."""
    window: Window | None = None
    """The steps in view, `None` for all; within it thinning begins anew."""
    has_marks: bool = False
    """Whether any of the figures has evaluations in it, so that all leave the same room for those at the end."""
    onsets: tuple[Onset, ...] = ()
    """Where the doctor's findings begin, each on the curves of its scalars."""


@dataclass(frozen=True)
class Drawn:
    """One line and what it is made of."""

    line: Line
    series: Series
    axis: Axis
    points: Sequence[Point] = ()
    """Evaluations of the same measure."""
    points_colour: str = ""
    """That of the line where it is empty; otherwise that of the split."""
    group: str = ""
    """What the legend in the page shows and hides: a run."""


def curve_figure(series: Mapping[str, Series], curve: Curve, axis: Axis, look: Look, points: Points) -> dict[str, Any]:
    """One curve of a run over its whole length, so that every figure of it has the same axis.

    Args:
        series: of `curve.names`.
        curve: what is drawn.
        axis: where its steps lie.
        look: how it is drawn.
        points: what evaluations came to.
    """
    lines = curve.lines or (Line(curve.name, curve.title, theme.TRAIN),)
    drawn = [
        Drawn(line, series.get(line.name, EMPTY), axis, points.get(line.name, ()), "" if curve.lines else "split")
        for line in lines
    ]
    band = _band(series, curve, axis, look) if curve.band else None
    maximum = None if curve.lines else curve.maximum
    return figure_of(curve, drawn, look, maximum=maximum, band=band)


def figure_of(
    curve: Curve, drawn: Sequence[Drawn], look: Look, *, maximum: float | None, band: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Lines over each other, as plotly.js takes them, see `figures.Panel`.

    Args:
        curve: what they are of.
        drawn: at least one.
        look: how they are drawn.
        maximum: what the vertical axis reaches to at least.
        band: a trace behind the lines.
    """
    traces = [] if band is None else [band]
    lines = [_stacked(drawn, look)] if curve.stacked else [_line_traces(each, look) for each in drawn]
    traces += chain.from_iterable(lines)
    marks = [_marks(each, look) for each in drawn]
    traces += [mark for mark in marks if mark is not None]
    ends = sum(np.asarray(trace["y"], np.float64) for trace in traces) if curve.stacked else _ends(traces)
    values = _value_range(np.asarray(ends), maximum, zoomed=look.window is not None and not curve.stacked)
    return {"data": traces, "layout": _layout(curve, drawn, look, values)}


def in_words(series: Mapping[str, Series], curve: Curve, points: Points, onsets: Sequence[Onset] = ()) -> str:
    """Where each of the curve's lines stands now, what the last evaluation came to, and what the doctor found since when: the
    figure's text alternative.
    """
    lines = [(line.title, line.name, line.maximum) for line in curve.lines] or [("", curve.name, 1.0)]
    said = [f"{curve.title} by step"]
    for title, name, maximum in lines:
        if len(series[name][1]):
            said.append(f"{title} now {significant(float(series[name][1][-1]) / maximum)}".strip())
        for last in points.get(name, ())[-1:]:
            values = (last.value / maximum, last.low / maximum, last.high / maximum)
            said.append(f"{title} evaluated at step {last.step:,} {with_interval(*values)}".strip())
    said += [f"{onset.level} since step {onset.step:,}: {onset.title}" for onset in onsets if onset.is_on(curve)]
    return ", ".join(said)


def points_drawn(series: Series, window: Window | None) -> tuple[int, int]:
    """How many points of a series a figure shows, and how many there are in view."""
    there = len(series[0][in_window(series[0], window)])
    return min(there, POINTS), there


def smoothed(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """(S,) exponential moving average, `weight` being the share of the past, corrected for its start as TensorBoard does."""
    if not weight or not len(values):
        return values
    means: NDArray[np.float64] = pd.Series(values).ewm(alpha=1 - weight, adjust=True).mean().to_numpy()
    return means


def _line_traces(drawn: Drawn, look: Look) -> list[dict[str, Any]]:
    """The line; smoothed, with the values as logged faintly behind it."""
    line, (steps, logged) = drawn.line, drawn.series
    part = in_window(steps, look.window)
    kinds = [("smoothed" if look.weight else "", smoothed(logged, look.weight)[part] / line.maximum)]
    if look.weight:
        kinds.insert(0, ("as logged", logged[part] / line.maximum))
    traces = []
    faint = _RAW_OPACITY_OF_MANY if drawn.group else _RAW_OPACITY
    for kind, values in kinds:
        kept = thinned(steps[part], values)
        is_raw = kind == "as logged"
        traces.append(
            {
                "type": "scatter",
                "x": _compact(drawn.axis.at(steps[part][kept])),
                "y": _compact(values[kept]),
                "name": f"{line.title}, {kind}" if kind else line.title,
                "legendgroup": drawn.group,
                "mode": "lines+markers" if len(kept) < 3 else "lines",
                "line": {"color": line.colour, "width": 1.0 if is_raw else 1.8, "dash": line.dash},
                "opacity": faint if is_raw else 1.0,
                "hoverinfo": "none",
                "showlegend": not is_raw,
                "meta": {"kind": "raw" if is_raw else "line", "title": line.title},
            }
        )
    return traces


def _stacked(drawn: Sequence[Drawn], look: Look) -> list[dict[str, Any]]:
    """Areas on each other, the first one lowest, all at the steps at which the whole is drawn."""
    steps = np.unique(np.concatenate([each.series[0] for each in drawn]))
    steps = steps[in_window(steps, look.window)]
    heights = [smoothed(_at(steps, each.series), look.weight) / each.line.maximum for each in drawn]
    kept = thinned(steps, np.sum(heights, axis=0))
    return [
        {
            "type": "scatter",
            "x": _compact(each.axis.at(steps[kept])),
            "y": _compact(height[kept]),
            "name": each.line.title,
            "stackgroup": "parts",
            "mode": "lines",
            "line": {"color": each.line.colour, "width": 0.5},
            "hoverinfo": "none",
            "meta": {"kind": "line", "title": each.line.title},
        }
        for each, height in zip(drawn, heights, strict=True)
    ]


def _marks(drawn: Drawn, look: Look) -> dict[str, Any] | None:
    """Evaluations: diamonds with their 95% intervals, so that they are told from the line without colour."""
    first, last = look.window or (0, np.inf)
    points = [point for point in drawn.points if first <= point.step <= last]
    if not points:
        return None
    maximum = drawn.line.maximum
    value, low, high = (np.array([getattr(point, name) for point in points]) / maximum for name in ("value", "low", "high"))
    splits = [theme.SPLIT_COLOURS.get(point.split, theme.QUIET) for point in points]
    colours = splits if drawn.points_colour else [drawn.line.colour] * len(points)
    whiskers = {"array": _short(high - value), "arrayminus": _short(value - low), "color": colours[-1]}
    return {
        "type": "scatter",
        "x": _short(drawn.axis.at(np.array([point.step for point in points]))),
        "y": _short(value),
        "error_y": {"type": "data", "symmetric": False, "thickness": 1.5, "width": 4, **whiskers},
        "name": f"{drawn.line.title}, evaluated",
        "legendgroup": drawn.group,
        "text": [f"{point.split} problems" for point in points],
        "mode": "markers",
        "marker": {"symbol": "diamond", "size": 7, "color": colours},
        "cliponaxis": False,
        "hoverinfo": "none",
        "showlegend": False,
        "meta": {"kind": "evaluated", "title": drawn.line.title},
    }


def _band(series: Mapping[str, Series], curve: Curve, axis: Axis, look: Look) -> dict[str, Any]:
    """One standard deviation on either side, at the points where the line is drawn."""
    steps, means = series.get(curve.name, EMPTY)
    spread = _at(steps, series.get(curve.band or "", EMPTY))
    part = in_window(steps, look.window)
    steps, means, spread = steps[part], smoothed(means, look.weight)[part], smoothed(spread, look.weight)[part]
    kept = thinned(steps, means)
    low, high = means[kept] - spread[kept], means[kept] + spread[kept]
    around = axis.at(steps[kept])
    name, meta = "one standard deviation around it", {"kind": "band"}
    return figures.band(_compact(around), _compact(low), _compact(high), theme.TRAIN, name=name, meta=meta)


def _at(steps: NDArray[np.int64], series: Series) -> NDArray[np.float64]:
    """The series' values at these steps, 0 where it has none."""
    found = np.zeros(len(steps))
    if len(series[0]):
        places = np.minimum(np.searchsorted(series[0], steps), len(series[0]) - 1)
        matching = series[0][places] == steps
        found[matching] = series[1][places[matching]]
    return found


def _compact(values: NDArray[np.float64]) -> NDArray[Any]:
    """As the browser gets them, in binary: whole numbers as such, of others seven digits; more are only weight on the way."""
    is_whole = len(values) and np.isfinite(values).all() and not np.mod(values, 1).any() and np.abs(values).max() < 2**31
    return values.astype(np.int32 if is_whole else np.float32)


def _short(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.7g}") for value in values]


@cache
def _quiet_layout() -> dict[str, Any]:
    layout: dict[str, Any] = figures.quiet(go.Figure()).to_dict()["layout"]
    return layout


def _layout(curve: Curve, drawn: Sequence[Drawn], look: Look, values: Sequence[float]) -> dict[str, Any]:
    quiet = _quiet_layout()
    axis = drawn[0].axis
    named = ", ".join(f'<span style="color:{line.colour}"><b>{line.title}</b></span>' for line in curve.lines)
    below = {"text": named, "x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    maximum = curve.maximum
    axes = {"xref": "x domain", "x0": 0, "x1": 1, "y0": maximum, "y1": maximum}
    at_most = {"type": "line", **axes, "line": {"color": theme.QUIET, "width": 1, "dash": "dot"}}
    is_shown = maximum is not None and maximum <= values[1]
    return {
        **quiet,
        "uirevision": f"{look.view} {look.window} {axis.title}",
        "showlegend": False,
        "hovermode": False,
        "dragmode": "zoom",
        "margin": {"l": 36, "r": 18, "t": 44 if named else 28, "b": 36},
        "title": {"text": curve.title, "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top", "font": {"size": 13}},
        "annotations": [below | {"showarrow": False, "font": {"size": 11}, "borderpad": 0}] if named else [],
        "shapes": [*([at_most] if is_shown else []), *_onset_lines(curve, axis, look)],
        "meta": {"legend": bool(drawn[0].group)},
        "xaxis": {
            **quiet["xaxis"],
            **axis.ticks,
            "range": _range(drawn, look),
            "title": {"text": axis.title, "standoff": 2},
            **({"dtick": 1} if look.max_steps < _TICKS and axis.title == "step" else {}),
        },
        "yaxis": {
            **quiet["yaxis"],
            "range": list(values),
            "nticks": 4,
            "fixedrange": True,
            "exponentformat": "e",
            "minexponent": 4,
            "separatethousands": True,
        },
    }


def _onset_lines(curve: Curve, axis: Axis, look: Look) -> list[dict[str, Any]]:
    """A dashed line at each step since which the doctor has found something that the curve shows."""
    return [
        {
            "type": "line",
            **{"xref": "x", "yref": "y domain", "y0": 0, "y1": 1},
            **dict.fromkeys(("x0", "x1"), float(axis.at(np.array([onset.step]))[0])),
            "line": {"color": _ONSET_COLOURS[onset.level], "width": 1.5, "dash": "dash"},
            "name": f"{onset.level} since step {onset.step:,}: {onset.title}",
        }
        for onset in look.onsets
        if onset.is_on(curve)
    ]


def _range(drawn: Sequence[Drawn], look: Look) -> list[float]:
    """The whole run; over anything but steps only what of it is there, as nobody knows yet where it will end."""
    is_step = drawn[0].axis.title == "step"
    whole = (0, max(look.max_steps, 1))
    places = [each.axis.at(np.array(look.window or (whole if is_step else (0, _last_step(each.series))))) for each in drawn]
    first, last = float(min(place[0] for place in places)), float(max(place[1] for place in places))
    last = last if last > first else first + 1
    room = _ROOM * (last - first) if look.has_marks and look.window is None else 0
    return [first - room, last + room]


def _last_step(series: Series) -> int:
    return int(series[0][-1]) if len(series[0]) else 0


def _ends(traces: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """All values, and the ends of their intervals."""
    found = [np.asarray(trace["y"], np.float64) for trace in traces]
    for trace in traces:
        if bars := trace.get("error_y"):
            values = np.asarray(trace["y"])
            found += [values + bars["array"], values - bars["arrayminus"]]
    return np.concatenate([np.zeros(0), *found])


def _value_range(values: NDArray[np.float64], maximum: float | None, *, zoomed: bool) -> Sequence[float]:
    """From zero to the maximum; of a part of the run, just what is to be seen there. A gradient may be infinite."""
    values = values[np.isfinite(values)]
    if zoomed and len(values) and values.min() < values.max():
        room = 0.06 * float(values.max() - values.min())
        return [float(values.min()) - room, float(values.max()) + room]
    top = max(chain([maximum or 0.0], values.tolist()), default=1.0)
    return [min(chain([0.0], values.tolist())), 1.05 * top or 1.0]
