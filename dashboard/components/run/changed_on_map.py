"""A run's test problems on the map: gained, lost, right or wrong in both evaluations, each beside the nearest trained one."""

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from dashboard import map_data, run_data
from dashboard.components.map.place_on_map import open_on_map
from dashboard.components.run.run_map import render_run_map
from dashboard.components.shared.completions import render_question
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.evaluation_figures import CHANGES
from dashboard.keys import Keys
from dashboard.memory import Evaluated
from dashboard.state import State
from dashboard.text import plain
from dashboard.training_map_figure import CHANGE, by_change
from training.config import RunConfig, StageConfig
from training.rewards import title_of
from training.store import Job
from training.text import count, percent

_TABLE_HEIGHT = 420


def render_test_problems(run: Job, config: StageConfig, atlas: Atlas, state: State) -> None:
    """The map, the table, and the texts of the problem chosen and of the trained one nearest to it."""
    found = run_data.changes_of(run.id, atlas)
    if found is None or found[2].empty:
        st.caption("No problem on the map was judged in two evaluations of test problems.")
        return
    before, after, changes = found
    between = f"from {plain(before.label)} (step {before.step:,}) to {plain(after.label)} (step {after.step:,})"
    left, right = panes("changed", [3, 2], gap="medium")
    with left:
        _render_map(atlas, changes, between, after.verifier.name, state)
    with right:
        _render_table(changes, state)
    _render_texts(config, atlas, changes, state)


def _render_map(atlas: Atlas, changes: pd.DataFrame, between: str, verifier: str, state: State) -> None:
    frame = map_data.frame(atlas)
    became = dict(zip(changes["problem"], changes["change"], strict=True))
    coloured = frame.assign(**{CHANGE: frame["id"].map(became).fillna("")})

    sizes = changes["change"].value_counts()
    parts = ", ".join(f"{title.lower()} {int(sizes.get(key, 0)):,}" for key, title in CHANGES.items() if sizes.get(key))
    words = f"{count(len(changes), 'test problem')} {between}: {parts}; by {plain(title_of(verifier).lower())}."
    spec = map_data.map_spec(atlas, coloured, by_change(CHANGES), {}, "2-D", dark=st.context.theme.type == "dark")
    render_run_map(atlas, spec, words, state)
    st.caption(words)


def _render_table(changes: pd.DataFrame, state: State) -> None:
    sizes = changes["change"].value_counts()
    kinds = [kind for kind in CHANGES if kind in sizes or kind in ("gained", "lost")]
    if state.evaluated.change not in kinds:
        state.evaluated.change = "gained"
    kind = st.segmented_control(
        "Problems",
        kinds,
        format_func=lambda key: f"{CHANGES[key]}: {int(sizes.get(key, 0)):,}",
        required=True,
        **Evaluated.change.bind(),
    )
    shown = changes[changes["change"] == kind].sort_values("cosine", ascending=False, ignore_index=True)

    def choose() -> None:
        picked = st.session_state[Keys.TEST_CHANGES]["selection"]["rows"]
        if picked:
            state.run_map.problem = str(shown["problem"][picked[0]])

    render_table(
        shown,
        key=Keys.TEST_CHANGES,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        height=_TABLE_HEIGHT,
        column_order=["problem", "nearest", "cosine", "nearest pass rate", "nearest groups"],
        column_config={
            "problem": st.column_config.TextColumn(width="small"),
            "nearest": st.column_config.TextColumn(
                "nearest trained", width="small", help="The problem of this run's training whose question is most alike."
            ),
            "cosine": st.column_config.NumberColumn(width="small", format="%.3f", help="Of the two questions' embeddings."),
            "nearest pass rate": st.column_config.NumberColumn(
                "its pass rate", width="small", format="percent", help="Over all its groups in this run."
            ),
            "nearest groups": st.column_config.NumberColumn("its groups", width="small", format="localized"),
        },
        alt="Test problems with the nearest trained problem",
    )
    cosines = shown["cosine"].dropna()
    mean = f", mean cosine {cosines.mean():.2f}" if len(cosines) else ""
    st.caption(f"{count(len(shown), 'problem')}{mean}. Choose a row to mark it on the map and read both.")


def _render_texts(config: StageConfig, atlas: Atlas, changes: pd.DataFrame, state: State) -> None:
    row = map_data.row_of(atlas, state.run_map.problem)
    if row is None:
        return
    problems = atlas.problem_set.problems
    found = changes[changes["problem"] == state.run_map.problem]
    left, right = panes("texts", 2, gap="medium")
    with left:
        became = f", {CHANGES[str(found['change'].iloc[0])].lower()}" if len(found) else ""
        st.markdown(f"**{'Test' if problems[row].split == 'test' else 'Train'} problem{became}**")
        render_question(problems[row].id, problems[row])
        if st.button("Show in Explore", key="map to explore", icon=":material/scatter_plot:", type="tertiary"):
            open_on_map(config.source, problems[row].id, state)
    if found.empty:
        return
    with right:
        nearest = found["nearest"].iloc[0]
        near = map_data.row_of(atlas, str(nearest)) if nearest else None
        if near is None:
            st.caption(
                "Nothing on the map was trained on."
                if isinstance(config, RunConfig)
                else "It learnt from the train problems' solutions; which of them it met is not on record."
            )
            return
        st.markdown(f"**Nearest trained problem, cosine {found['cosine'].iloc[0]:.2f}**")
        render_question(problems[near].id, problems[near])
        rate = found["nearest pass rate"].iloc[0]
        right_share = f", {percent(float(rate))} right" if pd.notna(rate) else ""
        st.caption(f"{count(int(found['nearest groups'].iloc[0]), 'group')} in training{right_share}.")
