"""A run on the map: its problems coloured by how training went up to a step, where its compute went, and its test problems."""

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.compute import in_steps
from analysis.outcomes import OF_TRAINING
from analysis.pools import POOL, POOL_TITLES
from dashboard import map_data, run_data
from dashboard.components.map.map_plot import Timeline
from dashboard.components.map.place_on_map import open_on_map, parameters_for
from dashboard.components.run.brushed import render_brushed, render_cluster_curves
from dashboard.components.run.changed_on_map import render_test_problems
from dashboard.components.run.compute_spent import render_compute, trainable
from dashboard.components.run.groups_table import render_groups
from dashboard.components.run.pools import render_pools
from dashboard.components.run.run_map import render_run_map, selected_ids
from dashboard.components.shared.build_progress import render_map_of
from dashboard.components.shared.completions import render_question
from dashboard.components.shared.panes import panes
from dashboard.components.shared.style import PROBLEM_PANEL
from dashboard.keys import Keys
from dashboard.memory import TEST_CHANGES, RunMap
from dashboard.state import State
from dashboard.training_map_figure import colouring_of
from training.config import RunConfig, StageConfig
from training.sampling.pools import POOLS
from training.store import Job
from training.text import count, percent, significant

MAP = "Map"
"""The tab's title."""
_OTHER_TITLES = {TEST_CHANGES: "Test problems", POOL: "Pool"}
_WINDOWS = (1, 5, 10, 25, 50, 100, 250, 1_000)


def render_training_map(run: Job, config: StageConfig, state: State) -> None:
    """The whole tab, as far as the run is."""
    groups = run_data.groups_of(run.id)
    evaluated = sum(evaluation.split == "test" for evaluation in run_data.evaluations_of(run.id)) >= 2
    if groups.empty and not evaluated:
        st.caption("The map takes colour with the first step.")
        return
    atlas = render_map_of(config.source, parameters_for(config.source, state))
    if atlas is None:
        return
    if not atlas.problem_set.whole.has_content(config.content_hash):
        st.caption("The source holds other problems now than this run trained on, so their map would show it in wrong places.")
        return
    _render_controls(groups, evaluated, state)
    if state.run_map.colour == TEST_CHANGES:
        render_test_problems(run, config, atlas, state)
    elif isinstance(config, RunConfig):
        _render_training(run, config, atlas, groups, state)


def _render_controls(groups: pd.DataFrame, evaluated: bool, state: State) -> None:
    offered = [measure for measure in OF_TRAINING if groups[measure].notna().any()]
    offered += [POOL] if "pass_rate" in offered else []
    offered += [TEST_CHANGES] if evaluated else []
    if state.run_map.colour not in offered:
        state.run_map.colour = offered[0]
    colour, window, _ = st.columns([7, 2.5, 1.5], vertical_alignment="bottom")
    with colour:
        st.segmented_control(
            "Colour by",
            offered,
            format_func=lambda key: _OTHER_TITLES.get(key) or OF_TRAINING[key].title,
            required=True,
            help="Of training, as far as the step below the map; or which test problems were gained and lost. A problem's pool "
            "is what the policy makes of it: too hard, being learnt, mastered.",
            **RunMap.colour.bind(),
        )
    if state.run_map.colour == TEST_CHANGES:
        return
    steps = int(groups["step"].nunique())
    windows = sorted({0, *(size for size in _WINDOWS if size < steps), state.run_map.window})
    window.selectbox(
        "Steps shown",
        windows,
        format_func=lambda size: f"the last {count(size, 'step')}" if size else "all steps so far",
        help="Up to the step chosen below the map.",
        **RunMap.window.bind(),
    )


def _render_training(run: Job, config: RunConfig, atlas: Atlas, groups: pd.DataFrame, state: State) -> None:
    first, last = int(groups["step"].iloc[0]), int(groups["step"].iloc[-1])
    until = min(max(state.run_map.step, first), last) if state.run_map.step else last
    of_pools = state.run_map.colour == POOL
    groups = run_data.pools_of(run.id) if of_pools else groups
    shown = in_steps(groups, until, state.run_map.window)
    words = _described(atlas, shown, state)
    measure = "pass_rate" if of_pools else state.run_map.colour
    left, right = panes("map", [2, 1], gap="medium")
    with left:
        colouring = colouring_of(state.run_map.colour, groups, config.maximum_reward)
        spec = map_data.timeline_spec(atlas, colouring, dark=st.context.theme.type == "dark")
        timeline = Timeline(
            run_data.timeline_of(run.id, atlas, state.run_map.colour),
            first,
            last,
            state.run_map.step,
            state.run_map.window,
            on_stepped=RunMap.step.set,
        )
        render_run_map(atlas, spec, words, state, timeline)
        st.caption(words)
    with right, st.container(key=PROBLEM_PANEL, gap="small"):
        _render_problem(config, atlas, shown, state)
    if state.run_map.rows:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("Selected problems", anchor=False, width="content")
            st.button("Clear selection", key="clear brushed", type="tertiary", on_click=RunMap.rows.reset)
        render_brushed(run, config, shown, selected_ids(atlas, state), measure, state)
    if of_pools and not shown.empty:
        render_pools(run.id, config, groups, shown, len(trainable(config, atlas.problem_set)))
    render_cluster_curves(run, atlas, measure)
    render_compute(run, config, atlas, shown, groups, state)


def _described(atlas: Atlas, shown: pd.DataFrame, state: State) -> str:
    """The map in words."""
    if shown.empty:
        return "No problem was met in these steps."
    first, last = int(shown["step"].min()), int(shown["step"].max())
    steps = f"Step {first:,}" if first == last else f"Steps {first:,} to {last:,}"
    met = f"{shown['problem'].nunique():,} of {count(len(atlas.problem_set.problems), 'problem')} met"
    words = f"{steps}: {met} in {count(len(shown), 'group')}"
    if state.run_map.colour == "times_seen":
        return f"{words}."
    if state.run_map.colour == POOL:
        stand = shown.drop_duplicates("problem", keep="last")[POOL].value_counts()
        pools = ", ".join(f"{stand[place]:,} {POOL_TITLES[pool].lower()}" for place, pool in enumerate(POOLS) if place in stand)
        return f"{words}; {pools}."
    about = OF_TRAINING[state.run_map.colour]
    mean = float(shown[state.run_map.colour].mean())
    return f"{words}; {about.title.lower()} {percent(mean) if about.scale == 'share' else significant(mean)} on average."


def _render_problem(config: RunConfig, atlas: Atlas, shown: pd.DataFrame, state: State) -> None:
    """The chosen problem with its groups, or how to choose one."""
    row = map_data.row_of(atlas, state.run_map.problem)
    if row is None:
        st.markdown("**No problem chosen**")
        st.caption(
            "Click a point to read the problem and its groups; draw a lasso, or click a cluster's name, for the curves of "
            "those problems alone. Play shows how training went from step to step."
        )
        return
    problem = atlas.problem_set.problems[row]
    render_question(problem.id, problem)
    render_groups(shown[shown["problem"] == problem.id], f"{Keys.PROBLEM_GROUPS} {problem.id}", state)
    if st.button("Show in Explore", key="map to explore", icon=":material/scatter_plot:", type="tertiary"):
        open_on_map(config.source, problem.id, state)
