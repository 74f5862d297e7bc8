"""Curves of several runs over each other: a figure a curve, in all of which a run has its own line.

Values go in, figures come out. Nothing here knows Streamlit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard import figures
from dashboard.axes import Axis
from dashboard.curve_figures import Drawn, Look, figure_of
from dashboard.curves import Curve, Line
from dashboard.evaluated_points import Point
from dashboard.run_colours import run_colour
from training.store.scalar_series import Series
from training.text import significant

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_LINES_OF_A_KIND = 6
"""So many runs have the same kind of line: more colours are hard to tell apart."""


@dataclass(frozen=True)
class RunCurve:
    """The values of one run under one curve."""

    series: Series
    """Ascending steps and values without NaN."""
    axis: Axis
    """Where its steps lie."""
    points: Sequence[Point] = ()
    """What its evaluations came to."""


@dataclass(frozen=True)
class Panel:
    """One curve of all runs that have it."""

    curve: Curve
    runs: Mapping[str, RunCurve]
    """By run id; at least one."""


@dataclass(frozen=True)
class LegendEntry:
    """A run in the legend of all panels, and its line in them."""

    name: str
    colour: str
    dash: str


def comparison_panels(panels: Sequence[Panel], run_ids: Sequence[str], look: Look) -> list[figures.Panel]:
    """A figure a panel, long curves thinned to what a screen can show.

    Args:
        panels: what is compared.
        run_ids: all compared runs, see `legend`.
        look: how the figures are drawn.
    """
    return [figures.Panel(panel.curve.key, _in_words(panel), _figure(panel, run_ids, look)) for panel in panels]


def legend(run_ids: Sequence[str]) -> list[LegendEntry]:
    """How each run is drawn: in the colour that stays with it, and with many runs in lines of several kinds."""
    kinds = [_DASHES[place // _LINES_OF_A_KIND % len(_DASHES)] for place in range(len(run_ids))]
    return [LegendEntry(run_id, run_colour(run_id), kind) for run_id, kind in zip(run_ids, kinds, strict=True)]


def _figure(panel: Panel, run_ids: Sequence[str], look: Look) -> dict[str, object]:
    drawn = []
    for entry in legend(run_ids):
        if (run := panel.runs.get(entry.name)) is not None:
            line = Line(panel.curve.name, entry.name, entry.colour, dash=entry.dash)
            drawn.append(Drawn(line, run.series, run.axis, run.points, group=entry.name))
    maximum = panel.curve.maximum
    is_near = maximum is not None and _highest(panel) >= maximum / 2  # else it would flatten the curves
    curve = panel.curve if is_near else replace(panel.curve, maximum=None)
    return figure_of(curve, drawn, replace(look, view=f"{look.view} {curve.key}"), maximum=curve.maximum)


def _highest(panel: Panel) -> float:
    return max(float(run.series[1].max()) for run in panel.runs.values())


def _in_words(panel: Panel) -> str:
    latest = ", ".join(f"{run_id} {significant(float(run.series[1][-1]))}" for run_id, run in panel.runs.items())
    return f"{panel.curve.title}, latest values: {latest}"
