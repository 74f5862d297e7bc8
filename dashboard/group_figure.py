"""The course of groups of runs: the mean of each with its band. Values go in, a plotly figure comes out; no Streamlit here."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard import figures, theme
from training.intervals import mean_interval

POINTS = 41
"""Where the courses are drawn, from the first step of a run to its last."""
_AT = np.linspace(0, 1, POINTS)

Band = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def group_figure(courses: Mapping[str, Sequence[Sequence[float]]]) -> go.Figure:
    """A line a group, the mean over its runs, in a band that is the mean's 95% interval.

    Args:
        courses: name of a group -> the values of each of its runs, evenly over the run's steps.
    """
    figure = go.Figure()
    for place, (name, runs) in enumerate(courses.items()):
        colour = theme.CATEGORIES[place % len(theme.CATEGORIES)]
        mean, low, high = mean_course(runs)
        figure.add_trace(figures.band(_AT, low, high, colour, legendgroup=name))
        hover = f"{name}, {len(runs)} runs, at %{{x:.0%}} of the steps: %{{y:.3f}}<extra></extra>"
        line = {"color": colour, "width": 2}
        figure.add_trace(go.Scatter(x=_AT, y=mean, name=name, legendgroup=name, mode="lines", line=line, hovertemplate=hover))
    figures.quiet(figure, view=" ".join(courses))
    figure.update_xaxes(title={"text": "share of a run's steps"}, tickformat=".0%")
    figure.update_yaxes(title={"text": "total reward"}, rangemode="tozero")
    return figure


def mean_course(runs: Sequence[Sequence[float]]) -> Band:
    """(mean, low, high) at `POINTS` places, of runs of any length; of a single run the band is its line."""
    values = np.stack(
        [np.interp(_AT, np.linspace(0, 1, len(run)), run) if len(run) > 1 else np.full(POINTS, run[0]) for run in runs]
    )
    mean = values.mean(axis=0)
    bands = [mean_interval(values[:, place]) or (mean[place], mean[place]) for place in range(POINTS)]
    low, high = np.array(bands).T
    return mean, low, high
