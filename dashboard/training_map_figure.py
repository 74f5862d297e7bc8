"""Figures of a run on the map: problems coloured step by step, test problems by what became of them, and tokens spent.

Frames and arrays go in, plotly figures and what the browser needs beside them come out. Nothing here knows Streamlit. The
steps are put together in the browser (`components/map/timeline.js`), so that they can be played without asking the server.
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from analysis.compute import Spent
from analysis.outcomes import OF_TRAINING
from analysis.pools import POOL, POOL_TITLES
from dashboard import atlas_figure, figures, theme
from dashboard.colourings import ByCategory, ByNumber, Group
from dashboard.figures import Spec
from training.groups import Kind
from training.sampling.pools import POOLS
from training.text import percent

TIMELINE_TRACE = "met"
"""`uid` of the trace whose points the browser sets."""

KIND_TITLES = {"mixed": "Some right", "right": "All right", "wrong": "All wrong", "unjudged": "Not judged"}
_KIND_COLOURS = {
    "mixed": theme.POOLS["learning"],
    "right": theme.POOLS["mastered"],
    "wrong": theme.POOLS["too_hard"],
    "unjudged": theme.QUIET,
}
"""As of the pools that such groups put a problem into."""

MET = POOLS[1:]
"""The pools of problems that were met."""

CHANGE_COLOURS = {
    "gained": theme.TOPICS[0],
    "lost": theme.TOPICS[1],
    "right": theme.TOPICS[3],
    "wrong": theme.TOPICS[5],
    "mixed": theme.TOPICS[4],
}
"""Keys of `evaluation_figures.CHANGES`; what is right or wrong throughout has the colour that it has among tokens."""
CHANGE = "change"
_ELSEWHERE = "not evaluated"
_DIGITS = 4
_MARGIN = 0.04
_SILENT = 0.35
"""Opacity of what taught nothing, which is hatched too."""


def colouring_of(measure: str, groups: pd.DataFrame, highest_total: float | None) -> ByNumber:
    """How a measure of training colours the map; the same throughout a run, so that a colour keeps its meaning.

    Args:
        measure: a key of `analysis.outcomes.OF_TRAINING`, or `POOL`.
        groups: all rows of `analysis.outcomes.group_frame`.
        highest_total: what a completion can earn at most, where that is known.
    """
    if measure == POOL:
        levels = tuple((POOL_TITLES[pool], theme.POOLS[pool]) for pool in MET)
        return ByNumber("Pool", POOL, levels=levels, unknown="not met in these steps")
    about = OF_TRAINING[measure]
    values = groups[measure].dropna()
    highest = {
        "pass_rate": 1.0,
        "mean_reward": max(highest_total or rounded_up(float(values.max()) if len(values) else 1.0), 0.1),
        "reward_variance": rounded_up(float(values.quantile(0.98)) if len(values) else 1.0),
        "times_seen": rounded_up(float(groups["problem"].value_counts().max()) if len(groups) else 1.0),
    }[measure]
    lowest = min(0.0, float(values.min())) if measure == "mean_reward" and len(values) else 0.0
    lowest = -rounded_up(-lowest) if lowest else 0.0
    unit = {"times_seen": "groups"}.get(measure, "")
    return ByNumber(about.title, measure, unit, scale=about.scale, span=(lowest, highest), unknown="not met in these steps")


def rounded_up(number: float) -> float:
    """The next of 1, 2 and 5 times a power of ten; it rarely changes while a run goes on. 1 for what is not above 0."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return float(f"{next(factor for factor in (1, 2, 5, 10) if factor * power >= number * (1 - 1e-9)) * power:.3g}")


def timeline_figure(
    frame: pd.DataFrame, positions: NDArray[np.float32], colouring: ByNumber, *, dark: bool, view: str
) -> go.Figure:
    """The map before its first step: every problem in grey, and a trace without points for those that were met."""
    nothing = frame.assign(**{colouring.column: np.nan})
    figure = atlas_figure.map_figure(nothing, positions, colouring, dark=dark, view=view)
    met = atlas_figure.points(
        positions,
        np.empty(0, np.int32),
        {"color": [], "coloraxis": "coloraxis"},
        name=html.escape(colouring.title, quote=False),
        showlegend=False,
        uid=TIMELINE_TRACE,
        meta=atlas_figure.meaning(colouring),
    )
    met["marker"]["size"] += 2
    figure.add_trace(met)
    # Points that come and go must not move the view.
    for axis, places in zip(("xaxis", "yaxis"), positions.T, strict=True):
        low, high = float(places.min()), float(places.max())
        margin = _MARGIN * max(high - low, 1e-6)
        figure.update_layout({axis: {"range": [low - margin, high + margin]}})
    return figure


def timeline(groups: pd.DataFrame, rows: Mapping[str, int], positions: NDArray[np.float32], measure: str) -> Spec:
    """A run's groups as the browser gets them, in the order of the steps.

    `rows`, `x` and `y` hold each problem that was met once; `problems`, `steps` and `values` a group each, the first as
    places in those. `combine` says what is shown of several: their mean, their sum or the last one.

    Args:
        groups: rows of `group_frame`.
        rows: problem id -> row of the map; problems that it has not are left out.
        positions: (N, 2) float32.
        measure: a key of `OF_TRAINING`, or `POOL` of groups of `analysis.pools.with_pools`.
    """
    if measure == POOL:
        groups = groups.assign(**{POOL: groups[POOL].where(groups[POOL] > 0) - 1})  # as the places in `MET`
    places = groups["problem"].map(rows)
    shown = places.notna() & groups[measure].notna()
    met, problems = np.unique(places[shown].to_numpy(np.int64), return_inverse=True)
    xy = positions[met].astype(float).round(_DIGITS)
    return figures.spec_of(
        {
            "rows": met.tolist(),
            "x": xy[:, 0].tolist(),
            "y": xy[:, 1].tolist(),
            "problems": problems.tolist(),
            "steps": groups["step"][shown].tolist(),
            "values": groups[measure][shown].astype(float).round(_DIGITS).tolist(),
            "combine": {"times_seen": "sum", POOL: "last"}.get(measure, "mean"),
        }
    )


def by_change(titles: Mapping[str, str]) -> ByCategory:
    """Test problems by what became of them between two evaluations; the others in grey below them.

    Args:
        titles: key of a change -> its title, in the legend's order.
    """

    def groups(values: "pd.Series[Any]", positions: NDArray[np.float32], dark: bool) -> Sequence[Group]:
        found = values.to_numpy(object)
        named = [("", _ELSEWHERE, "rgba(138,148,158,0.3)")]
        # What stayed as it was first: what changed lies on top.
        order = sorted(titles, key=lambda key: key in ("gained", "lost"))
        named += [(key, titles[key], CHANGE_COLOURS[key]) for key in order]
        rows = ((title, colour, np.flatnonzero(found == key).astype(np.int32)) for key, title, colour in named)
        return [Group(title, colour, places) for title, colour, places in rows if len(places)]

    return ByCategory("Between the evaluations", CHANGE, groups, mixed=False)


def spent_figure(parts: Sequence[Spent]) -> go.Figure:
    """One bar: the tokens by kind of group, in the order given, what taught nothing hatched."""
    total = max(1, sum(part.tokens for part in parts))
    figure = go.Figure()
    for part in parts:
        share = part.tokens / total
        name = part_title(part.kind, part.flat)
        figure.add_trace(
            go.Bar(
                name=name,
                x=[share],
                y=[""],
                orientation="h",
                text=[percent(share) if share >= 0.05 else ""],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                marker={
                    "color": _KIND_COLOURS[part.kind],
                    "opacity": 1 - _SILENT if part.flat else 1,
                    "pattern": {"shape": "/" if part.flat else "", "size": 7, "solidity": 0.25},
                },
                hovertemplate=f"{name}: {part.tokens:,} tokens, {percent(share)}, {part.groups:,} groups<extra></extra>",
            )
        )
    figures.quiet(figure)
    figure.update_layout(
        barmode="stack",
        dragmode=False,
        bargap=0.1,
        margin={"l": 8, "r": 24, "t": 54, "b": 40},
        legend={"traceorder": "normal"},
    )
    figure.update_xaxes(title={"text": "share of the tokens"}, tickformat=".0%", range=[0, 1])
    figure.update_yaxes(visible=False)
    return figure


def pools_figure(sizes: pd.DataFrame, drawn: pd.DataFrame) -> go.Figure:
    """How many problems that were met each pool has after each step, above the shares of the groups drawn from each pool.

    Args:
        sizes: of `analysis.pools.sizes_by_step`.
        drawn: of `analysis.pools.drawn_by_step`.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, row_heights=[0.6, 0.4])
    shares = drawn.div(drawn.sum(axis=1).clip(lower=1), axis=0)
    for row, pools, table, form in ((1, MET, sizes, ",.0f"), (2, POOLS, shares, ".0%")):
        for pool in pools:
            figure.add_trace(
                go.Scatter(
                    name=POOL_TITLES[pool],
                    x=table.index,
                    y=table[pool],
                    stackgroup=f"pools {row}",
                    mode="lines",
                    line={"width": 0.5, "color": theme.POOLS[pool]},
                    legendgroup=pool,
                    showlegend=row == 2,
                    hovertemplate=f"{POOL_TITLES[pool]}: %{{y:{form}}}<extra></extra>",
                ),
                row=row,
                col=1,
            )
    figures.quiet(figure)
    figure.update_layout(hovermode="x unified")
    figure.update_yaxes(title={"text": "problems met"}, rangemode="tozero", nticks=4, row=1)
    figure.update_yaxes(title={"text": "groups drawn"}, tickformat=".0%", range=[0, 1], nticks=3, row=2)
    figure.update_xaxes(title={"text": "step"}, row=2)
    return figure


def part_title(kind: Kind, flat: bool) -> str:
    """What a part of the bar is called."""
    return f"{KIND_TITLES[kind]}, taught nothing" if flat else KIND_TITLES[kind]
