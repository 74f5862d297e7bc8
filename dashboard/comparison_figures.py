"""Curves of several runs over each other: one figure, one panel a curve, one legend that shows and hides a run in all of them.

Values go in, a plotly figure comes out. Nothing here knows Streamlit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard import figures, theme
from dashboard.curves import Curve, smoothed
from dashboard.thinning import thinned

RUN_COLOURS = (theme.TRAIN, theme.TEST, *theme.TOPICS[:5])
"""Okabe-Ito, its yellow darker, so that it shows on white."""
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_PANELS_IN_A_ROW = 2
_PANEL_PX = 250
_LEGEND_ROW_PX = 24
_LEGEND_ENTRIES_IN_A_ROW = 6
_RAW_OPACITY = 0.22
_MINUTE_S, _HOUR_S = 60.0, 3600.0


@dataclass(frozen=True)
class RunCurve:
    """The values of one run under one curve."""

    steps: NDArray[np.int64]
    """(S,) ascending."""
    values: NDArray[np.float64]
    """(S,) without NaN."""
    elapsed_s: NDArray[np.float64]
    """(S,) seconds of work that led to each step."""


@dataclass(frozen=True)
class Panel:
    """One curve of all runs that have it."""

    curve: Curve
    runs: Mapping[str, RunCurve]
    """By run id."""


def comparison_figure(panels: Sequence[Panel], run_ids: Sequence[str], *, axis: str, smoothing: float, view: str) -> go.Figure:
    """All panels on one x axis, long curves thinned to what a screen can show.

    Args:
        run_ids: all compared runs; a run's place decides its colour and line.
        axis: "step" or "time".
        smoothing: the weight of the past, 0 for none; with it the values as measured stay faintly behind.
        view: what is shown; the person's zoom and hidden runs are kept as long as it stays the same.
    """
    rows, columns = grid(len(panels))
    unit, scale = _axis(panels, axis)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[panel.curve.title for panel in panels],
        horizontal_spacing=0.07,
        vertical_spacing=0.36 / (rows + 1),
    )
    named: set[str] = set()
    for place, panel in enumerate(panels):
        row, column = place // columns + 1, place % columns + 1
        for run_id, curve in panel.runs.items():
            x = curve.steps.astype(float) if axis == "step" else curve.elapsed_s / scale
            for trace in _traces(run_id, list(run_ids).index(run_id), curve, x, smoothing, unit):
                trace.update(showlegend=trace.showlegend is not False and run_id not in named)
                figure.add_trace(trace, row, column)
            named.add(run_id)
        if panel.curve.maximum is not None and _highest(panel) >= panel.curve.maximum / 2:  # else it would flatten the curves
            figure.add_hline(y=panel.curve.maximum, line={"color": theme.QUIET, "width": 1, "dash": "dot"}, row=row, col=column)
    return _laid_out(figure, len(panels), columns, f"training time, {unit}" if axis == "time" else "step", len(named), view)


def figure_height_px(panels: int, runs: int) -> int:
    """How high the figure of that many panels and runs is."""
    return grid(panels)[0] * _PANEL_PX + _legend_px(runs) + 20


def grid(panels: int) -> tuple[int, int]:
    """Rows and columns of that many panels."""
    columns = min(_PANELS_IN_A_ROW, max(1, panels))
    return max(1, -(-panels // columns)), columns


def run_line(place: int) -> dict[str, str]:
    """Colour and dash of the run at a place: seven colours, then the next kind of line."""
    return {
        "color": RUN_COLOURS[place % len(RUN_COLOURS)],
        "dash": _DASHES[place // len(RUN_COLOURS) % len(_DASHES)],
    }


def _traces(run_id: str, place: int, curve: RunCurve, x: NDArray[np.float64], smoothing: float, unit: str) -> list[go.Scatter]:
    line = run_line(place)
    mode = "lines+markers" if len(curve.values) < 3 else "lines"
    common: dict[str, Any] = {"name": run_id, "legendgroup": run_id, "mode": mode}
    found = []
    if smoothing:
        places = thinned(curve.steps, curve.values)
        faint = go.Scatter(x=x[places], y=curve.values[places], line=line | {"width": 1}, opacity=_RAW_OPACITY)
        found.append(faint.update(common | {"showlegend": False, "hoverinfo": "skip"}))
    drawn = smoothed(curve.values, smoothing)
    places = thinned(curve.steps, drawn)
    main = go.Scatter(x=x[places], y=drawn[places], line=line | {"width": 1.8}, marker={"size": 5})
    hover = f"{run_id}: %{{y:.3g}} at {'step %{x:,.0f}' if unit == 'step' else '%{x:.3g} ' + unit}<extra></extra>"
    found.append(main.update(common | {"hovertemplate": hover}))
    return found


def _highest(panel: Panel) -> float:
    return max(float(curve.values.max()) for curve in panel.runs.values())


def _axis(panels: Sequence[Panel], axis: str) -> tuple[str, float]:
    """The x axis's unit, and how many seconds it has: minutes while hours would be small fractions."""
    if axis == "step":
        return "step", 1.0
    longest = max((float(curve.elapsed_s[-1]) for panel in panels for curve in panel.runs.values()), default=0.0)
    return ("hours", _HOUR_S) if longest >= 2 * _HOUR_S else ("minutes", _MINUTE_S)


def _laid_out(figure: go.Figure, panels: int, columns: int, x_title: str, runs: int, view: str) -> go.Figure:
    height = figure_height_px(panels, runs)
    figures.quiet(figure, view=view)
    legend_px = _legend_px(runs)
    figure.update_layout(
        margin={"l": 40, "r": 12, "t": legend_px + 22, "b": 42},
        legend={"y": 1 + 22 / max(1, height - legend_px - 64), "groupclick": "togglegroup", "tracegroupgap": 0},
        hovermode="closest",
    )
    figure.update_annotations(font={"size": 13}, xanchor="left")
    for place, annotation in enumerate(figure.layout.annotations[:panels]):
        annotation.x = figure.layout[f"xaxis{place + 1 if place else ''}"].domain[0]
    figure.update_xaxes(matches="x", rangemode="tozero", showticklabels=True)
    for place in range(panels):
        is_lowest = place + columns >= panels
        figure.update_xaxes(
            title={"text": x_title if is_lowest else "", "standoff": 2}, row=place // columns + 1, col=place % columns + 1
        )
    figure.update_yaxes(nticks=5, rangemode="tozero")
    return figure


def _legend_px(runs: int) -> int:
    return _LEGEND_ROW_PX * -(-runs // _LEGEND_ENTRIES_IN_A_ROW)
