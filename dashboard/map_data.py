"""What pages read of one map, cached: its table, search, figures. See `data` for the rules."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from analysis import frame as frames
from analysis import search
from analysis.atlas import Atlas, AtlasParameters
from analysis.encoder import TextEncoder
from analysis.search_pool import SearchBusyError, SearchError, SearchPool, Texts
from dashboard import atlas_figure, data, figures, training_map_figure
from dashboard.access import may_act
from dashboard.colourings import ByNumber, Colouring
from training.store import curation

_MAPS = 4
"""Maps kept in memory; one of GSM8K takes about 30 MB."""

_QUERIES = 64
"""Searches whose results are kept in memory."""


def frame(shown: Atlas) -> pd.DataFrame:
    """`analysis.frame.atlas_frame`, for reading only."""
    return _frame(*_identity(shown), shown)


def row_of(shown: Atlas, problem_id: str) -> int | None:
    """The row of a problem, `None` where the map has no such problem."""
    return _rows(shown.problem_set.content_hash, shown).get(problem_id)


def rows(shown: Atlas) -> Mapping[str, int]:
    """Problem id -> its row of the map."""
    return _rows(shown.problem_set.content_hash, shown)


def flat_positions(shown: Atlas) -> NDArray[np.float32]:
    """(N, 2) places on the map; the first principal components until the layout is there."""
    return _positions(shown, "2-D" if shown.layout is not None else "PCA")


def cluster_table(shown: Atlas) -> pd.DataFrame:
    """`analysis.frame.cluster_frame`, for reading only."""
    return _cluster_table(*_identity(shown), shown)


def cluster_titles(shown: Atlas) -> Mapping[int, str]:
    """Cluster number -> its title, names given by hand included; of no cluster before they are built."""
    if shown.clusters is None:
        return {}
    named: Mapping[str, str] = data.readable(lambda store: curation.named_clusters(store, shown.problem_set.content_hash), {})
    return frames.cluster_titles(shown.clusters, [problem.id for problem in shown.problem_set.problems], named)


def text_matches(shown: Atlas, query: str, mode: search.Mode) -> NDArray[np.bool_]:
    """(N,) which questions hold the words, or match the regular expression.

    Raises:
        SearchError: the query cannot be read or answered.
    """
    content_hash = shown.problem_set.content_hash
    found = _text_matches(content_hash, query, mode, _texts(content_hash, shown), data.search_pool(acts=may_act()))
    if isinstance(found, SearchError):
        raise SearchError(found.problem, found.remedy)
    return found


def search_is_ready(model: str) -> bool:
    """Whether the model of a map can be searched by meaning now."""
    return _encoder(model, search.encoder_stamp(model, data.home())) is not None


def meaning_matches(shown: Atlas, query: str) -> NDArray[np.float32] | None:
    """(N,) cosines of the questions to the query; `None` while the model is not ready for it.

    Raises:
        SearchError: the map's model cannot be searched by meaning.
    """
    encoder = _encoder(shown.parameters.model, search.encoder_stamp(shown.parameters.model, data.home()))
    return None if encoder is None else _meaning_matches(*_identity(shown), query, shown, encoder)


def map_spec(
    shown: Atlas, frame: pd.DataFrame, colouring: Colouring, titles: Mapping[int, str], view: str, *, dark: bool
) -> figures.Spec:
    """The map's figure, ready for the browser.

    Args:
        frame: `frame(shown)` with the colouring's column.
        titles: `cluster_titles(shown)`, which the legend may name.
    """
    values = _hash_of(frame[colouring.column])
    return _map_spec(*_identity(shown), colouring.title, values, repr(titles), view, dark, shown, frame, colouring)


def timeline_spec(shown: Atlas, colouring: ByNumber, *, dark: bool) -> figures.Spec:
    """The map that the steps of a run colour, see `training_map_figure.timeline_figure`."""
    return _timeline_spec(*_identity(shown), repr(colouring), dark, shown, colouring)


def map_texts(shown: Atlas) -> figures.Spec:
    """What the browser shows of a point under the pointer."""
    return _map_texts(shown.problem_set.content_hash, frame(shown))


def map_overlay(shown: Atlas, titles: Mapping[int, str], view: str, *, density: bool) -> figures.Spec:
    """What is drawn over the map: the clusters' titles, and lines of density."""
    return _map_overlay(*_identity(shown), tuple(titles.items()), view, density, shown)


def steps_spec(shown: Atlas, current: NDArray[np.bool_] | None, outlined: tuple[str, ...]) -> figures.Spec:
    """The steps by split of the current problems, if they are fewer than all, against all; see `figures.counts_figure`."""
    rows = "" if current is None else hashlib.sha256(current.tobytes()).hexdigest()
    return _steps_spec(*_identity(shown), rows, outlined, shown, current)


def _identity(shown: Atlas) -> tuple[str, AtlasParameters, int]:
    """What tells one look at an atlas from another."""
    return shown.problem_set.content_hash, shown.parameters, shown.stages


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _frame(content_hash: str, parameters: AtlasParameters, stages: int, _shown: Atlas) -> pd.DataFrame:
    return frames.atlas_frame(_shown)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _rows(content_hash: str, _shown: Atlas) -> Mapping[str, int]:
    return {problem.id: row for row, problem in enumerate(_shown.problem_set.problems)}


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _cluster_table(content_hash: str, parameters: AtlasParameters, stages: int, _shown: Atlas) -> pd.DataFrame:
    return frames.cluster_frame(_shown)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _texts(content_hash: str, _shown: Atlas) -> Texts:
    return Texts.of([problem.question for problem in _shown.problem_set.problems])


@st.cache_resource(show_spinner=False, max_entries=_QUERIES)
def _text_matches(
    content_hash: str, query: str, mode: search.Mode, _questions: Texts, _pool: SearchPool
) -> NDArray[np.bool_] | SearchError:
    """What was found, or why nothing can be: a query that takes too long would take as long again with every rerun."""
    try:
        return search.match_text(_questions, query, mode, _pool)
    except SearchBusyError:
        raise
    except SearchError as error:
        return SearchError(error.problem, error.remedy)


@st.cache_resource(show_spinner=False, max_entries=2)
def _encoder(model: str, stamp: str) -> TextEncoder | None:
    return search.search_encoder(model, data.home())


@st.cache_resource(show_spinner=False, max_entries=_QUERIES)
def _meaning_matches(
    content_hash: str, parameters: AtlasParameters, stages: int, query: str, _shown: Atlas, _encoder: TextEncoder
) -> NDArray[np.float32]:
    return search.rank_by_meaning(query, _encoder, _shown.embeddings)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _map_spec(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    title: str,
    values: str,
    titles: str,
    view: str,
    dark: bool,
    _shown: Atlas,
    _frame: pd.DataFrame,
    _colouring: Colouring,
) -> figures.Spec:
    positions = _positions(_shown, view)
    return figures.spec(atlas_figure.map_figure(_frame, positions, _colouring, dark=dark, view=f"{content_hash} {view}"))


@st.cache_resource(show_spinner=False, max_entries=2 * _MAPS)
def _timeline_spec(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    colours: str,
    dark: bool,
    _shown: Atlas,
    _colouring: ByNumber,
) -> figures.Spec:
    positions = flat_positions(_shown)
    figure = training_map_figure.timeline_figure(frame(_shown), positions, _colouring, dark=dark, view=f"{content_hash} run")
    return figures.spec(figure)


@st.cache_resource(show_spinner=False, max_entries=_MAPS)
def _map_texts(content_hash: str, _frame: pd.DataFrame) -> figures.Spec:
    return atlas_figure.texts(_frame)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _map_overlay(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    titles: tuple[tuple[int, str], ...],
    view: str,
    density: bool,
    _shown: Atlas,
) -> figures.Spec:
    positions = _positions(_shown, view)
    labels: list[atlas_figure.Label] = []
    if _shown.clusters is not None:
        members = _shown.clusters.labels
        labels = [(_label_place(positions[members == label]).tolist(), title) for label, title in titles if label >= 0]
    return atlas_figure.overlay(positions, labels=labels, density=density)


@st.cache_resource(show_spinner=False, max_entries=4 * _MAPS)
def _steps_spec(
    content_hash: str,
    parameters: AtlasParameters,
    stages: int,
    rows: str,
    outlined: tuple[str, ...],
    _shown: Atlas,
    _current: NDArray[np.bool_] | None,
) -> figures.Spec:
    everything = frame(_shown)
    selected = None if _current is None else everything[_current]
    return figures.spec(figures.counts_figure(selected, everything, "steps", unit="steps", outlined=outlined))


def _label_place(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the middle of a cluster, near its upper edge, where it covers fewer of the cluster's points."""
    place: NDArray[np.float32] = np.median(points, axis=0).astype(np.float32)
    place[1] = np.quantile(points[:, 1], 0.9)
    return place


def _positions(shown: Atlas, view: str) -> NDArray[np.float32]:
    """(N, 2) or (N, 3) of a view; of the best there is when that one is not built."""
    found = {str(name): points for name, points in shown.views.items()}
    return found[view] if view in found else next(iter(found.values()))


def _hash_of(values: "pd.Series[Any]") -> str:
    """Equal for equal columns."""
    return hashlib.sha256(pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes()).hexdigest()
