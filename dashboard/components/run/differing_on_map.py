"""Where on the map two judges differ: the share of each problem's completions, and the clusters from the most to the least."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from analysis.atlas import Atlas
from analysis.compute import TOPICLESS
from analysis.disagreement import differing_by_cluster, differing_by_problem
from analysis.frame import UNCLUSTERED
from dashboard import map_data
from dashboard.colourings import ByNumber
from dashboard.components.map.place_on_map import parameters_for
from dashboard.components.run.run_map import render_run_map, selected_ids
from dashboard.components.shared.build_progress import render_map_of
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.training_map_figure import rounded_up
from training.config import StageConfig
from training.insight.disagreement import Disagreement, share_of
from training.rewards import title_of
from training.text import span, with_interval

_DIFFERING = "differing"
_TABLE_HEIGHT = 420


def render_differing_on_map(config: StageConfig, found: Disagreement, state: State) -> None:
    """The map coloured by the share that differs, beside the table of clusters."""
    st.subheader("Where they differ", anchor=False)
    atlas = render_map_of(config.source, parameters_for(config.source, state))
    if atlas is None:
        return
    if not atlas.problem_set.whole.has_content(config.content_hash):
        st.caption("The source holds other problems now than this run was on, so their map would show it in wrong places.")
        return
    left, right = panes("differing map", [3, 2], gap="medium")
    with left:
        _render_map(atlas, found, state)
    with right:
        _render_clusters(found, map_data.cluster_of(atlas), map_data.cluster_titles(atlas))


def _render_map(atlas: Atlas, found: Disagreement, state: State) -> None:
    shares = differing_by_problem(found)
    frame = map_data.frame(atlas)
    coloured = frame.assign(**{_DIFFERING: frame["id"].map(shares).to_numpy(np.float64)})
    by = ByNumber(
        "Completions that differ", _DIFFERING, scale="share", span=(0.0, rounded_up(float(shares.max()))), unknown="not judged"
    )
    spec = map_data.map_spec(atlas, coloured, by, {}, "2-D", dark=st.context.theme.type == "dark")
    first, second = map(title_of, found.judges)
    words = f"Map of {len(shares):,} problems by the share of completions on which {first.lower()} and {second.lower()} differ."
    render_run_map(atlas, spec, words, state, key=Keys.DISAGREEMENT_MAP)
    chosen = selected_ids(atlas, state)
    share = share_of(tally for tally in found.by_problem if tally.problem_id in chosen)
    if share.estimate is not None:
        shown = with_interval(*share.estimate, form=".1%")
        st.markdown(f"Of the selected: {share.number:,} of {share.of:,} completions differ, {shown}.")
    else:
        st.caption("Draw a lasso, or click a cluster's name, for the share on those problems.")


def _render_clusters(found: Disagreement, clusters: Mapping[str, int], titles: Mapping[int, str]) -> None:
    table = differing_by_cluster(found, clusters)
    names = [UNCLUSTERED if label == TOPICLESS else titles.get(int(label), f"cluster {label}") for label in table.index]
    interval = [span(low, high, ".0%") for low, high in zip(table["low"], table["high"], strict=True)]
    first, second = map(title_of, found.judges)
    number = st.column_config.NumberColumn
    render_table(
        table.assign(cluster=names, interval=interval),
        key=Keys.DISAGREEMENT_CLUSTERS,
        hide_index=True,
        height=fitted_height(len(table), _TABLE_HEIGHT),
        column_order=["cluster", "mean", "interval", "differing", "completions", "first_only", "second_only", "problems"],
        column_config={
            "cluster": st.column_config.TextColumn(width="medium"),
            "mean": number("differ", width="small", format="percent"),
            "interval": st.column_config.TextColumn(width="small", help="95%, over problems."),
            "differing": number("number", width="small", format="localized"),
            "completions": number("of", width="small", format="localized"),
            "first_only": number("only the first", width="small", format="localized", help=f"Right by {first.lower()} alone."),
            "second_only": number(
                "only the second", width="small", format="localized", help=f"Right by {second.lower()} alone."
            ),
            "problems": number(width="small", format="localized"),
        },
        alt=f"Clusters by the share of completions on which {first.lower()} and {second.lower()} differ",
    )
