"""What is in question now, below the map: how much it is, where to take it, its table, its steps, and the clusters."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from analysis.atlas import Atlas
from analysis.frame import MATCH, further_columns
from dashboard import data, map_data
from dashboard.access import acts
from dashboard.actions import name_cluster
from dashboard.components.map.subset import render_take_further
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.exploration import Exploration
from dashboard.filters import count_category, toggled
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from training.text import count, percent

TABLE_LIMIT = 10_000
"""Rows of the table; the page has to carry them all to the browser."""
_QUESTION_WIDTH = 160
_COLUMNS_FIRST = 4
"""So many of the data's own columns stand before the question, the others at the end."""


def render_selection(shown: Exploration, state: State, in_run: Callable[[Exploration, State], None]) -> None:
    """The line with its buttons, then table and histogram, the clusters, or what a run made of it.

    Args:
        in_run: renders the latter.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{_line(shown)}**")
        st.space("stretch")
        render_take_further(shown, state)
    problems, clusters, in_a_run = st.tabs(["Problems", "Clusters", "In a run"], key=Keys.SELECTION_TABS, on_change="rerun")
    if problems.open:
        with problems:
            table, steps = panes("selection", [2, 1], gap="medium")
            with table:
                _render_table(shown, state)
            with steps:
                _render_steps(shown, state)
    if clusters.open:
        with clusters:
            _render_clusters(shown, state)
    if in_a_run.open:
        with in_a_run, boundary():
            in_run(shown, state)


def _line(shown: Exploration) -> str:
    rows = shown.rows
    test = percent((rows["split"] == "test").mean()) if len(rows) else "0%"
    if shown.selected is not None:
        return f"{len(rows):,} selected, {test} test"
    if shown.narrowed:
        return f"{len(rows):,} found, {test} test"
    return f"All {count(len(rows), 'problem')}, {test} test"


def _render_table(shown: Exploration, state: State) -> None:
    rows = shown.rows.head(TABLE_LIMIT)
    table = rows.assign(question=rows["question"].str.slice(0, _QUESTION_WIDTH))
    if "cluster" in table:
        table["cluster"] = table["cluster"].map(shown.titles)
    first = [column for column in table.columns if column not in map_data.frame(shown.atlas)]
    of_data = further_columns(map_data.frame(shown.atlas))
    known = ["id", *first, "split", "steps", "equations", "cluster", "gold", *of_data[:_COLUMNS_FIRST], "question"]
    order = list(dict.fromkeys([*known, *table.columns]))

    def choose() -> None:
        picked = st.session_state[Keys.TABLE]["selection"]["rows"]
        state.selection.problem = ids[picked[0]] if picked else ""

    ids = list(rows["id"])
    st.session_state[Keys.TABLE] = (
        {"selection": {"rows": [ids.index(state.selection.problem)]}}
        if (state.selection.problem in ids)
        else {"selection": {"rows": []}}
    )
    render_table(
        table[[column for column in order if column in table]],
        key=Keys.TABLE,
        on_select=choose,
        selection_mode="single-row",
        hide_index=True,
        height=320,
        column_config=_columns(shown),
    )
    if len(shown.rows) > TABLE_LIMIT:
        st.caption(f"The table shows the first {TABLE_LIMIT:,} of {len(shown.rows):,}; an export has all of them.")


def _columns(shown: Exploration) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "id": text(width="small"),
        "split": text(width="small"),
        "steps": number(width="small", help="Lines of the reference solution before ####."),
        "equations": number(width="small", help="Calculator annotations such as <<48/2=24>>."),
        "cluster": text(width="medium", help="The cluster's words, or the name given to it."),
        "gold": text(width="small"),
        "length": number(width="small", help="Words of the question."),
        "magnitude": number("|gold|", width="small", format="localized", help="The gold answer without its sign."),
        "operations": text(width="small", help="Operators that the equations use."),
        "nearest_test": number("nearest test", width="small", format="%.3f", help="Cosine to the nearest other test problem."),
        "kept": number(
            "neighbours kept",
            width="small",
            format="percent",
            help="Share of the nearest problems that are near on the map too.",
        ),
        MATCH: number(width="small", format="%.3f", help="Cosine of the question to the search."),
        "question": text(width="large"),
    }
    if shown.colouring.column not in columns and shown.colouring.column not in map_data.frame(shown.atlas):
        columns[shown.colouring.column] = number(shown.colouring.title, width="small", format="%.3g")
    return columns


def _render_steps(shown: Exploration, state: State) -> None:
    everything, selected = shown.frame, shown.rows if shown.narrowed else None

    def toggle(category: object) -> None:
        if category in set(everything["steps"].map(count_category)):
            state.filters.steps = toggled(state.filters.steps, str(category))

    of_all = f"Mean steps: {everything['steps'].mean():.2f} over all"
    caption = f"{of_all}, {selected['steps'].mean():.2f} here." if selected is not None and len(selected) else f"{of_all}."
    render_chart(
        map_data.steps_spec(shown.atlas, shown.current if shown.narrowed else None, state.filters.steps),
        key=Keys.STEPS_CHART,
        alt=f"Share of problems by number of solution steps and split. {caption}",
        height="290px",
        on_clicked=toggle,
    )
    st.caption(f"{caption} Click a bar to show only those problems.")


def _render_clusters(shown: Exploration, state: State) -> None:
    atlas = shown.atlas
    if atlas.clusters is None or atlas.report is None:
        st.caption("Clusters appear when the map is finished.")
        return
    if not atlas.clusters.names:
        st.caption("No clusters were found: no part of the map is denser than the rest.")
        return
    table = map_data.cluster_table(atlas)
    titles = [shown.titles[label] for label in range(len(table))]

    def choose() -> None:
        state.filters.clusters = tuple(int(row) for row in st.session_state[Keys.CLUSTER_TABLE]["selection"]["rows"])

    render_table(
        table.assign(cluster=titles)[["cluster", "problems", "test", "steps", "isolation", "typical problem"]],
        key=Keys.CLUSTER_TABLE,
        on_select=choose,
        selection_mode="multi-row",
        hide_index=True,
        height=320,
        column_config={
            "cluster": st.column_config.TextColumn(width="medium"),
            "problems": st.column_config.NumberColumn(width="small"),
            "test": st.column_config.NumberColumn("share of test", width="small", format="percent"),
            "steps": st.column_config.NumberColumn("mean steps", width="small", format="%.2f"),
            "isolation": st.column_config.NumberColumn(
                width="small", format="percent", help="Share of its problems' nearest problems that are in the cluster too."
            ),
            "typical problem": st.column_config.TextColumn(width="large", help="The one nearest to the cluster's mean."),
        },
    )
    unclustered = percent((atlas.clusters.labels < 0).mean())
    measures = ", ".join(f"{space} {value:.3f}" for space, value in atlas.clusters.modularity.items())
    st.caption(
        plain(
            f"{count(len(table), 'cluster')}, {unclustered} of the problems in none. HDBSCAN ran on {atlas.clusters.space}, "
            f"where its clusters fit the embeddings' neighbours best (modularity: {measures})."
        )
    )
    if len(state.filters.clusters) == 1 and state.filters.clusters[0] >= 0:
        _render_naming(atlas, state.filters.clusters[0], shown.titles[state.filters.clusters[0]])


def _render_naming(atlas: Atlas, label: int, title: str) -> None:
    assert atlas.clusters is not None
    problem_set = atlas.problem_set
    typical = problem_set.problems[atlas.clusters.typical[label]].id
    with st.form("name cluster", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of this cluster", title, key=f"{Keys.CLUSTER_NAME} {typical}", max_chars=60)
        told = "The name is kept when the map is rebuilt; clear it to show the cluster's words again."
        if st.form_submit_button("Rename", **acts(help=told)):
            with boundary():
                name_cluster(data.store(), problem_set.content_hash, typical, name)
                st.rerun()
