"""The problems selected on a map in one run: curves beside those of the others, rewards, groups; and a curve a cluster."""

from itertools import islice

import numpy as np
import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.brushing import interval_of, over_steps, stretches
from analysis.compute import TOPICLESS
from analysis.outcomes import OF_TRAINING
from dashboard import data, figures, map_data, run_data
from dashboard.brushing_figures import clusters_figure, rewards_figure, selection_figure
from dashboard.components.run.groups_table import render_groups
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.panes import panes
from dashboard.exploration import Exploration
from dashboard.keys import Keys
from dashboard.state import State
from training.config import RunConfig
from training.rewards import REWARDS, title_of
from training.store import RUN_KINDS, Job
from training.store.job_search import jobs_on
from training.stored_config import rollout_config
from training.text import count, percent, significant, span

_OFFERED = 100
"""The newest runs on a data set, among which one chooses."""
_CLUSTERS = 9
"""Clusters with a curve of their own: those of which training met the most groups."""


def render_brushed(run: Job, config: RunConfig, groups: pd.DataFrame, ids: frozenset[str], measure: str, state: State) -> None:
    """What training did with the selected problems.

    Args:
        groups: the run's, rows of `analysis.outcomes.group_frame`.
        ids: of the selected problems.
        measure: a key of `OF_TRAINING`.
    """
    is_selected = groups["problem"].isin(ids)
    selected, others = groups[is_selected], groups[~is_selected]
    if selected.empty:
        st.caption(f"{count(len(ids), 'problem')} selected; training met none of them in these steps.")
        return
    st.markdown(_reading(selected, others, len(ids), measure))
    edges = stretches(int(groups["step"].min()), int(groups["step"].max()))
    about = OF_TRAINING[measure]
    left, right = panes(f"brushed {run.id}", 2, gap="medium")
    with left:
        curves = [over_steps(part, measure, edges) for part in (selected, others)]
        figure = selection_figure(curves[0], curves[1], about)
        alt = f"{about.title} over the steps of the selected problems and of the others"
        render_chart(figures.spec(figure), key=Keys.BRUSHED_CURVES, alt=alt, height="260px")
    with right:
        _render_rewards(run, config, ids, edges)
    render_groups(selected, f"{Keys.BRUSHED_GROUPS} {run.id}", state, with_problem=True)


def render_in_a_run(shown: Exploration, state: State) -> None:
    """What training did with the current problems in a run on this source."""
    problem_set = shown.atlas.problem_set
    on_these = jobs_on(data.store(), RUN_KINDS, problem_set.source, problem_set.whole.content_hash)
    runs = {run.id: run for run in islice(on_these, _OFFERED)}
    if not runs:
        st.caption("When a run trains on this data set, its curves of the selected problems appear here.")
        return
    run = runs[st.selectbox("Run", list(runs), key=Keys.BRUSHED_RUN, width=260)]
    groups = run_data.groups_of(run.id)
    if groups.empty:
        st.caption("This run has not met a problem yet.")
        return
    render_brushed(run, rollout_config(run.spec), groups, frozenset(shown.ids), "pass_rate", state)


def _reading(selected: pd.DataFrame, others: pd.DataFrame, chosen: int, measure: str) -> str:
    """The measure of both in a sentence."""
    about = OF_TRAINING[measure]
    met = f"Of **{count(chosen, 'problem')} selected** training met {selected['problem'].nunique():,}"
    words = f"{met} in {count(len(selected), 'group')}: {about.title.lower()} {_mean(selected, measure)}"
    return f"{words}, of the others {_mean(others, measure)}." if len(others) else f"{words}."


def _mean(groups: pd.DataFrame, measure: str) -> str:
    """The mean over groups with its interval, where there is one."""
    values = groups[measure].dropna().to_numpy(np.float64)
    if not len(values):
        return "unknown"
    is_share = OF_TRAINING[measure].scale == "share"
    low, high = interval_of(values, measure)
    mean = percent(float(values.mean())) if is_share else significant(float(values.mean()))
    return mean if np.isnan(low) else f"{mean} ({span(low, high, '.0%' if is_share else '.3g')})"


def _render_rewards(run: Job, config: RunConfig, ids: frozenset[str], edges: np.ndarray) -> None:
    names = tuple(name for name, weight in config.rewards.items() if weight)
    if not names:
        st.caption("The log names no reward functions.")
        return
    rewards = run_data.rewards_of(run.id, names)
    of_ids = rewards[rewards["problem"].isin(ids)]
    means = {title_of(name): over_steps(of_ids, name, edges) for name in names}
    maxima = {title_of(name): REWARDS[name].maximum if name in REWARDS else None for name in names}
    render_chart(
        figures.spec(rewards_figure(means, maxima)),
        key=Keys.BRUSHED_REWARDS,
        alt=f"Rewards of the selected problems over the steps: {', '.join(means)}",
        height="260px",
    )


def render_cluster_curves(run: Job, atlas: Atlas, measure: str) -> None:
    """A curve for each of the clusters that training met most.

    Args:
        measure: a key of `OF_TRAINING`.
    """
    found = run_data.curves_by_cluster(run.id, atlas, measure, _CLUSTERS)
    if len(found) == 1:
        return
    titles, about = map_data.cluster_titles(atlas), OF_TRAINING[measure]
    curves = {titles.get(label, f"cluster {label}"): curve for label, curve in found.items() if label is not None}
    st.markdown("**By cluster**")
    figure = clusters_figure(curves, found[None], about)
    alt = f"{about.title} over the steps, by cluster: {', '.join(curves)}"
    render_chart(figures.spec(figure), key=Keys.CLUSTER_CURVES, alt=alt, height=f"{int(figure.layout.height)}px")
    all_clusters = len([label for label in titles if label != TOPICLESS])
    st.caption(
        f"{about.title} of {len(curves)} of {count(all_clusters, 'cluster')}, those of which training met the most groups, "
        "with 95% intervals over the groups; in grey all problems."
    )
