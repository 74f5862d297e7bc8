"""Two runs on the map: where one does better than the other, problem by problem, with paired intervals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.brushing import paired_by_cluster
from analysis.compute import TOPICLESS
from analysis.frame import UNCLUSTERED
from dashboard import map_data
from dashboard.colourings import ByNumber
from dashboard.comparison_tables import reading_of
from dashboard.components.map.place_on_map import parameters_for
from dashboard.components.run.run_map import render_run_map, selected_ids
from dashboard.components.shared.build_progress import render_map_of
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain

_CHANGE = "pass_rate_change"
_TABLE_HEIGHT = 420
_LEGEND_CHARACTERS = 48


def render_compared_map(met: pd.DataFrame, source: str, first: str, last: str, state: State) -> None:
    """The map coloured by the difference, and the clusters from the largest gain to the largest loss.

    Args:
        met: `comparison_tables.both_met`.
        source: of both runs.
        first, last: what they are called.
    """
    atlas = render_map_of(source, parameters_for(source, state))
    if atlas is None:
        return
    left, right = panes("compared map", [3, 2], gap="medium")
    with left:
        _render_map(atlas, met, first, last, state)
        chosen = met[met.index.isin(selected_ids(atlas, state))]
        if state.run_map.rows and len(chosen):
            st.markdown(f"Of the selected: {plain(reading_of(chosen, first, last))}")
        elif state.run_map.rows:
            st.caption("Both runs met none of the selected problems.")
        else:
            st.caption("Draw a lasso, or click a cluster's name, for the difference on those problems.")
    with right:
        _render_clusters(met, map_data.cluster_of(atlas), map_data.cluster_titles(atlas), first, last)


def _render_map(atlas: Atlas, met: pd.DataFrame, first: str, last: str, state: State) -> None:
    frame = map_data.frame(atlas)
    coloured = frame.assign(**{_CHANGE: frame["id"].map(met["change"]).to_numpy(np.float64)})
    title = f"Pass rate in {last} less that in {first}"
    legend = title if len(title) <= _LEGEND_CHARACTERS else "Difference in pass rate"
    by = ByNumber(legend, _CHANGE, scale="share", span=(-1.0, 1.0), unknown="not met by both", signed=True)
    spec = map_data.map_spec(atlas, coloured, by, {}, "2-D", dark=st.context.theme.type == "dark")
    render_run_map(atlas, spec, f"Map of {len(met):,} problems by {title.lower()}.", state, key=Keys.COMPARED_MAP)


def _render_clusters(met: pd.DataFrame, clusters: Mapping[str, int], titles: Mapping[int, str], first: str, last: str) -> None:
    table = paired_by_cluster(met, clusters)
    names = [UNCLUSTERED if label == TOPICLESS else titles.get(int(label), f"cluster {label}") for label in table.index]
    interval = [f"({low:+.0%} to {high:+.0%})" for low, high in zip(table["low"], table["high"], strict=True)]
    share = st.column_config.NumberColumn
    render_table(
        table.assign(cluster=names, interval=interval),
        key=Keys.COMPARED_CLUSTERS,
        hide_index=True,
        height=fitted_height(len(table), _TABLE_HEIGHT),
        column_order=["cluster", "problems", "change", "interval", "before", "after"],
        column_config={
            "cluster": st.column_config.TextColumn(width=115),
            "problems": share(width=65),
            "before": share(first, width="small", format="percent"),
            "after": share(last, width="small", format="percent"),
            "change": share("difference", width=80, format="percent"),
            "interval": st.column_config.TextColumn(width=112, help="95%, paired by problem."),
        },
        alt=f"Clusters by the difference between {first} and {last}",
    )
