"""Where a run's tokens went, overall and by cluster, and training on what it can still learn from."""

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.compute import TOPICLESS, spent, spent_by_cluster, with_signal
from analysis.frame import UNCLUSTERED
from dashboard import data, figures, map_data
from dashboard.access import acts
from dashboard.addresses import LAUNCH
from dashboard.components.map.subset import saved_subset
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.going import Page, go_to
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import plain
from dashboard.training_map_figure import part_title, spent_figure
from training.config import RunConfig
from training.data.problem import ProblemSet
from training.rewards import title_of
from training.store import Job
from training.store.curation import matching_subset, subset_ids
from training.text import count, percent

_TABLE_HEIGHT = 260


def render_compute(run: Job, config: RunConfig, atlas: Atlas, shown: pd.DataFrame, groups: pd.DataFrame, state: State) -> None:
    """The bar, the table and the button.

    Args:
        shown: the groups of the steps that the map shows, rows of `analysis.outcomes.group_frame`.
        groups: all of the run's.
    """
    st.markdown("**Where the compute went**")
    left, right = panes("spent", [2, 3], gap="medium")
    with left:
        _render_bar(shown, config.verifier)
        with boundary():
            _render_train(run, config, groups, state)
    with right:
        _render_clusters(atlas, shown)


def _render_bar(shown: pd.DataFrame, verifier: str) -> None:
    parts = spent(shown)
    total = sum(part.tokens for part in parts)
    if not total:
        st.caption("The log does not say how long completions are.")
        return
    wasted = sum(part.tokens for part in parts if part.flat) / max(1, total)
    words = ", ".join(f"{part_title(part.kind, part.flat).lower()} {percent(part.tokens / max(1, total))}" for part in parts)
    render_chart(figures.spec(spent_figure(parts)), key=Keys.SPENT, alt=f"Tokens by kind of group: {words}", height="150px")
    st.caption(
        f"{count(total, 'token')} in {count(len(shown), 'group')} of these steps. {percent(wasted)} went into groups whose "
        "completions all earned the same: they have no advantage in them and taught nothing. Right and wrong are by "
        f"{plain(title_of(verifier).lower())}."
    )


def _render_clusters(atlas: Atlas, shown: pd.DataFrame) -> None:
    if atlas.clusters is None:
        st.caption("By cluster, when the map is finished.")
        return
    titles = map_data.cluster_titles(atlas)
    table = spent_by_cluster(shown, map_data.cluster_of(atlas))
    names = [titles.get(label, UNCLUSTERED if label == TOPICLESS else f"cluster {label}") for label in table.index]
    share = st.column_config.NumberColumn(width="small", format="percent")
    render_table(
        table.assign(cluster=names),
        key=Keys.SPENT_CLUSTERS,
        hide_index=True,
        height=_TABLE_HEIGHT,
        column_order=["cluster", "wasted", "wasted_share", "tokens", "right", "wrong", "mixed", "problems", "groups"],
        column_config={
            "cluster": st.column_config.TextColumn(width="medium"),
            "wasted": st.column_config.NumberColumn(
                "wasted", width="small", format="localized", help="Tokens in groups whose completions all earned the same."
            ),
            "wasted_share": st.column_config.ProgressColumn(
                "of its tokens", width="small", format="percent", min_value=0.0, max_value=1.0, color="gray"
            ),
            "tokens": st.column_config.NumberColumn(width="small", format="localized"),
            "right": share | {"label": "all right"},
            "wrong": share | {"label": "all wrong"},
            "mixed": share | {"label": "some right"},
        },
        alt="Tokens by cluster of the problems, the most wasted first",
    )


def _render_train(run: Job, config: RunConfig, groups: pd.DataFrame, state: State) -> None:
    problems = data.problem_set(config.source)
    if not problems.has_content(config.content_hash):
        st.caption("The source holds other problems now than this run trained on; there is nothing to choose from them.")
        return
    chosen, unseen = with_signal(groups, trainable(config, problems))
    if st.button(
        "Train on what still has signal",
        key="train on signal",
        icon=":material/rocket_launch:",
        **acts(
            disabled=not chosen,
            help="Saves these problems as a subset and opens Launch with it and with this run's configuration.",
        ),
    ):
        with boundary():
            how = f"some right in the latest group of {run.id}, or never met by step {int(groups['step'].max()):,}"
            state.launch.subset = saved_subset("signal", problems, chosen, how).reference
            state.launch.origin, state.launch.changes = run.id, {}
            go_to(Page.LAUNCH, LAUNCH)
    st.caption(
        plain(
            f"{count(len(chosen), 'problem')}: {len(chosen) - unseen:,} whose latest group had some completions right, and "
            f"{unseen:,} never met."
        )
    )


def trainable(config: RunConfig, problems: ProblemSet) -> list[str]:
    """Ids of what the run trains on, in the data set's order.

    Raises:
        SubsetError: its subset is not there any more, or of other data.
    """
    train = [problem.id for problem in problems.of_split("train")]
    if not config.subset:
        return train
    store = data.store()
    kept = set(subset_ids(store, matching_subset(store, config.subset, problems)))
    return [problem_id for problem_id in train if problem_id in kept]
