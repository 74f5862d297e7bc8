"""What stands above the map: its colours, its view, the search, the filters, and the map's own settings."""

from itertools import islice

import numpy as np
import pandas as pd
import streamlit as st

from analysis.atlas import MAX_SEED, STORED_NEIGHBORS, Atlas, AtlasParameters
from analysis.embed import TFIDF
from analysis.frame import MATCH, categories, further_columns
from analysis.jobs import PREPARE, PrepareSpec
from analysis.outcomes import outcome
from dashboard import data, filters, map_data
from dashboard.access import may_act, way_in
from dashboard.actions import launch_job
from dashboard.colourings import COLOURINGS, COLUMN, offered_for
from dashboard.components.shared.build_progress import start_build
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.exploration import NEAREST_MEANINGS, Exploration, nearness
from dashboard.fields import TEXT_CHARACTERS
from dashboard.filters import COMBINE, MEANING, MODES
from dashboard.keys import Keys
from dashboard.memory import Filtering, MapLook, MapParameters, Selection
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_embedding
from training.store import RUN_KINDS, Store
from training.store.curation import Subset, list_subsets
from training.store.job_search import jobs_on, newest_with
from training.text import count

_RUNS_OFFERED = 8
"""The newest runs on this source whose outcomes can colour the map."""
_COMBINE_HELP = "Whether a lasso makes a new selection, adds to the one before, takes away from it, or keeps what is in both."


def render_controls(shown: Exploration, state: State) -> None:
    """One row of controls, and below it what they leave in question."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _render_colour(shown.atlas, state)
        _render_view(shown.atlas, state)
        _render_search()
        with st.popover("Filter", icon=":material/filter_alt:"):
            _render_filters(shown, state)
        with st.popover("Map", icon=":material/tune:"):
            _render_settings(shown.atlas, state)
    with st.container():  # always there, so that the map below keeps its place among the page's elements, and with it its plot
        if shown.problem:
            render_error(shown.problem)
        if state.filters.query.strip() and state.filters.mode == MEANING and not shown.problem and MATCH not in shown.frame:
            _render_preparing(shown.atlas.parameters.model)
    _render_narrowing(shown, state)


def colour_title(key: str) -> str:
    """What a colouring is called."""
    column, _, job_id = key.partition(":")
    if column == COLUMN:
        return job_id
    return f"{outcome(column).title} in {job_id}" if job_id else COLOURINGS[column].title


def _render_search() -> None:
    icon = ":material/search:"
    st.text_input("Search", placeholder="years old, or “each day”", icon=icon, width=220, **Filtering.query.bind_text())
    st.selectbox(
        "Search by",
        list(MODES),
        format_func=MODES.__getitem__,
        help=(
            'Words: all must occur, "a phrase" in quotes, -word must not. Regex: a regular expression. '
            "Meaning: what reads most alike, by the map's own embedding model."
        ),
        width=130,
        **Filtering.mode.bind(),
    )


def _colourings_by_runs(store: Store, atlas: Atlas) -> list[str]:
    runs = islice(
        jobs_on(store, (*RUN_KINDS, "evaluate"), atlas.problem_set.source, atlas.problem_set.whole.content_hash), _RUNS_OFFERED
    )
    return [f"{column}:{job.id}" for job in runs for column in data.outcomes(job.id)]


def _render_colour(atlas: Atlas, state: State) -> None:
    offered = list(offered_for(map_data.frame(atlas)))
    offered += data.readable(lambda store: _colourings_by_runs(store, atlas), [])
    if state.look.colour not in offered:  # of an older run, by a link; `explore` has made sure that it is there
        offered.append(state.look.colour)
    st.selectbox("Colour by", offered, format_func=colour_title, width=200, **MapLook.colour.bind())


def _render_view(atlas: Atlas, state: State) -> None:
    offered = list(atlas.views)
    if state.look.view not in offered:
        state.look.view = offered[0]
    st.segmented_control("View", offered, required=True, help="3-D takes clicks, not lassos.", **MapLook.view.bind())


def _render_filters(shown: Exploration, state: State) -> None:
    frame = shown.frame
    splits = [split for split in ("train", "test") if (frame["split"] == split).any()]
    st.pills("Split", splits, **Filtering.split.bind_out_of_sight())
    steps = sorted({filters.count_category(number) for number in frame["steps"]}, key=lambda text: int(text.rstrip("+")))
    st.pills("Steps", steps, selection_mode="multi", **Filtering.steps.bind_out_of_sight())
    if "cluster" in frame:
        st.multiselect(
            "Clusters",
            [label for label in shown.titles if label >= 0] + [-1],
            format_func=lambda label: shown.titles[label],
            **Filtering.clusters.bind_out_of_sight(),
        )
    _render_column_filter(frame, state)
    saved: list[Subset] = data.readable(lambda store: list_subsets(store, shown.atlas.problem_set.whole.content_hash), [])
    if saved or state.filters.subset:
        st.selectbox(
            "Subset",
            ["", *(subset.reference for subset in saved)],
            format_func=lambda name: name or "all",
            **Filtering.subset.bind_out_of_sight(),
        )


def _render_column_filter(frame: pd.DataFrame, state: State) -> None:
    """The categories of the data's own columns, and what an address asks for besides."""
    offered = [filters.column_value(column, value) for column in further_columns(frame) for value in categories(frame[column])]
    offered += [asked for asked in state.filters.where if asked not in offered]
    if offered:
        st.multiselect(
            "Columns of the data",
            offered,
            format_func=lambda asked: ": ".join(filters.column_and_value(asked)),
            help="Several values of one column: any of them. Several columns: all of them.",
            **Filtering.where.bind_out_of_sight(),
        )


def _render_narrowing(shown: Exploration, state: State) -> None:
    """What is asked of the problems, with ways to ask for less, and what the next lasso does. Always there: nothing jumps."""
    phrases = shown.asked.described(shown.titles)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if phrases:
            passing = f"{int(shown.passing.sum()):,} of {len(shown.frame):,} problems"
            hint = " Search by meaning also finds other wordings." if state.filters.query and not shown.passing.any() else ""
            st.caption(f"Only {plain(' · '.join(phrases))}: {passing}.{hint}", width="content")
            st.button("Clear filters", key="clear filters", type="tertiary", on_click=state.filters.clear)
        if MATCH in shown.frame:
            _render_nearness(shown, state)
        if state.selection.rows:
            st.caption(f"{count(len(state.selection.rows), 'problem')} selected.", width="content")
            st.button("Clear selection", type="tertiary", on_click=state.selection.clear)
        if not phrases and not state.selection.rows:
            selects = "" if state.look.view == "3-D" else "Draw a lasso to select problems, "
            st.caption(f"{selects}click one to read it; Ctrl and the wheel zoom.".capitalize(), width="content")
        st.space("stretch")
        st.segmented_control(
            "What a lasso does",
            list(COMBINE),
            format_func=lambda name: f"{name} lasso" if name == "New" else name,
            required=True,
            help=_COMBINE_HELP,
            label_visibility="collapsed",
            disabled=state.look.view == "3-D",
            **Selection.combine.bind(),
        )


def _render_nearness(shown: Exploration, state: State) -> None:
    """How near to what is searched for a problem must be."""
    cosines = shown.frame[MATCH].to_numpy()

    def take() -> None:
        state.filters.near = float(st.session_state[Keys.NEARNESS])

    highest = max(float(np.ceil(100 * cosines.max()) / 100), 0.01)
    st.session_state[Keys.NEARNESS] = min(max(state.filters.near or nearness(cosines), 0.0), highest)
    told = f"The least cosine of a question to the search. Until you move it, the {NEAREST_MEANINGS} nearest are found."
    st.slider("How near", 0.0, highest, step=0.01, key=Keys.NEARNESS, on_change=take, help=told, width=200)


def _render_settings(atlas: Atlas, state: State) -> None:
    """Which map of the source is shown. Another one is built in the background, from the same embeddings if it can be."""
    st.toggle("Cluster names", **MapLook.labels.bind())
    st.toggle("Density lines", **MapLook.density.bind())
    if atlas.report is not None and atlas.report.leakage is not None:
        told = "Lines between test problems and train problems that hold them; of what is selected also those near in topic."
        st.toggle("Leakage pairs", help=told, disabled=state.look.view == "3-D", **MapLook.pairs.bind_out_of_sight())
    shown = state.parameters
    with st.form("map settings", border=False):
        st.caption(
            "Another layout keeps embeddings and neighbours, so it takes seconds; another model starts from the questions."
        )
        neighbors = st.number_input(
            "Neighbours", 2, STORED_NEIGHBORS, shown.neighbors, help="How many nearest problems UMAP holds each one to."
        )
        min_dist = st.number_input(
            "Minimum distance",
            0.0,
            1.0,
            shown.min_dist,
            step=0.05,
            help="UMAP's min_dist: small packs similar problems tightly.",
        )
        seed = st.number_input("Seed", 0, MAX_SEED, shown.seed, help="UMAP's random state.")
        model = st.text_input(
            "Embedding model",
            shown.model,
            max_chars=TEXT_CHARACTERS,
            help=f"A sentence-transformers model on the Hub, a folder with one, or {TFIDF}.",
        )
        compare_with = st.text_input(
            "Compare with",
            shown.compare_with,
            max_chars=TEXT_CHARACTERS,
            help="The model whose neighbours Insights compares this one's with.",
        )
        if st.form_submit_button("Show this map", type="primary"):
            with boundary():
                named = allowed_embedding(model.strip() or MapParameters.model.default, data.home())
                compared = allowed_embedding(compare_with.strip() or TFIDF, data.home())
                _show(atlas, AtlasParameters(named, neighbors, min_dist, seed, compared), state)


def _show(atlas: Atlas, wanted: AtlasParameters, state: State) -> None:
    """Switch to a map, building what is missing of it; a model that is not known here yet is fetched by the build.

    For who may not act, nothing is built: the page then says that there is no such map yet.
    """
    found = data.atlas(atlas.problem_set, wanted)
    if may_act() and (found is None or not found.complete):
        start_build(atlas.problem_set, wanted)
    state.parameters.choose(wanted)
    st.rerun()


def _render_preparing(model: str) -> None:
    """The model is not ready for queries: have a job make it so."""
    spec = PrepareSpec(model=model)
    job = newest_with(data.store(), PREPARE.kind, spec.model_dump())
    if job is not None and not job.active and job.status != "finished":
        render_error("Search by meaning is not possible now.", job.reason)
        return
    if not may_act() and not (job is not None and job.active):
        st.caption(
            f"The model is not prepared for search by meaning yet, and only who may act can prepare it. {plain(way_in())}"
        )
        return
    if job is None or not job.active:
        launch_job(data.store(), data.home(), PREPARE, spec, name="search by meaning")

    def wait() -> None:
        if map_data.search_is_ready(model):
            st.rerun(scope="app")
        st.caption("Preparing the model for search by meaning. This is done once and takes about half a minute.")

    fragment(wait, run_every=1.0)()
