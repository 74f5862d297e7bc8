"""What pages read of one map: its table, search, figures. See `caching` for how it is kept."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import frame as frames
from analysis import repeats, search
from analysis.atlas import Atlas
from analysis.encoder import TextEncoder
from analysis.leakage import PairKind
from analysis.repeats import Distinct, Repeat, find_repeats
from analysis.report import NEIGHBORS
from analysis.search_pool import SearchBusyError, SearchError, SearchPool, Texts
from dashboard import atlas_figure, colourings, data, figures, training_map_figure
from dashboard.access import may_act
from dashboard.caching import cached
from dashboard.colourings import ByNumber, Colouring
from training.data.problem import ProblemSet
from training.store import curation

_MAPS = 4
"""Maps kept in memory; one of GSM8K takes about 30 MB."""

_QUERIES = 64
"""Searches whose results are kept in memory."""


@cached(_MAPS)
def frame(shown: Atlas) -> pd.DataFrame:
    """`analysis.frame.atlas_frame`, for reading only."""
    return frames.atlas_frame(shown)


def row_of(shown: Atlas, problem_id: str) -> int | None:
    """The row of a problem, `None` where the map has no such problem."""
    return rows(shown.problem_set).get(problem_id)


@cached(_MAPS)
def rows(problems: ProblemSet) -> Mapping[str, int]:
    """Problem id -> its row of the map."""
    return {problem.id: row for row, problem in enumerate(problems.problems)}


def flat_positions(shown: Atlas) -> NDArray[np.float32]:
    """(N, 2) places on the map; the first principal components until the layout is there."""
    return _positions(shown, "2-D" if shown.layout is not None else "PCA")


@cached(_MAPS)
def repeated(shown: Atlas) -> Mapping[str, Repeat]:
    """Id of each problem that repeats an earlier one -> how; those that are only near are found among the map's problems."""
    near = find_repeats(shown.problem_set.problems, shown.neighbors)
    whole = shown.problem_set.whole
    return near if whole is shown.problem_set else near | find_repeats(whole.problems)


@cached(_MAPS)
def distinct(shown: Atlas) -> Distinct:
    """What mixing and difficulty are measured on, see `analysis.repeats.distinct`."""
    problems = shown.problem_set.problems
    found = find_repeats(problems)
    return repeats.distinct(problems, found, shown.embeddings, shown.neighbors.first(NEIGHBORS).indices)


@cached(_MAPS)
def cluster_table(shown: Atlas) -> pd.DataFrame:
    """`analysis.frame.cluster_frame`, for reading only."""
    return frames.cluster_frame(shown)


@cached(_MAPS)
def cluster_of(shown: Atlas) -> Mapping[str, int]:
    """Problem id -> its cluster, -1 for none; empty before there are clusters."""
    if shown.clusters is None:
        return {}
    problems = shown.problem_set.problems
    return {problem.id: label for problem, label in zip(problems, shown.clusters.labels.tolist(), strict=True)}


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
    found = _text_matches(shown.problem_set, query, mode, data.search_pool(acts=may_act()))
    if isinstance(found, SearchError):
        raise SearchError(found.problem, found.remedy)
    return found


def search_is_ready(model: str) -> bool:
    """Whether the model of a map can be searched by meaning now."""
    return _encoder(model) is not None


def _encoder_stamp(model: str) -> str:
    return search.encoder_stamp(model, data.home())


@cached(_QUERIES, by=lambda shown, query: _encoder_stamp(shown.parameters.model))
def meaning_matches(shown: Atlas, query: str) -> NDArray[np.float32] | None:
    """(N,) cosines of the questions to the query; `None` while the model is not ready for it.

    Raises:
        SearchError: the map's model cannot be searched by meaning.
    """
    encoder = _encoder(shown.parameters.model)
    return None if encoder is None else search.rank_by_meaning(query, encoder, shown.embeddings)


@cached(4 * _MAPS, by=lambda shown, frame, colouring, *_, dark: _hash_of(frame[colouring.column]))
def map_spec(
    shown: Atlas, _frame: pd.DataFrame, colouring: Colouring, titles: Mapping[int, str], view: str, *, dark: bool
) -> figures.Spec:
    """The map's figure, ready for the browser.

    Args:
        _frame: `frame(shown)` with the colouring's column.
        titles: `cluster_titles(shown)`, which the legend may name.
    """
    kept_view = f"{shown.problem_set.content_hash} {view}"
    return figures.spec(atlas_figure.map_figure(_frame, _positions(shown, view), colouring, dark=dark, view=kept_view))


@cached(2 * _MAPS)
def timeline_spec(shown: Atlas, colouring: ByNumber, *, dark: bool) -> figures.Spec:
    """The map that the steps of a run colour, see `training_map_figure.timeline_figure`."""
    view = f"{shown.problem_set.content_hash} run"
    figure = training_map_figure.timeline_figure(frame(shown), flat_positions(shown), colouring, dark=dark, view=view)
    return figures.spec(figure)


@cached(_MAPS)
def map_texts(problems: ProblemSet) -> figures.Spec:
    """What the browser shows of a point under the pointer."""
    shown = problems.problems
    return atlas_figure.texts([problem.id for problem in shown], [problem.question for problem in shown])


@cached(4 * _MAPS)
def map_overlay(
    shown: Atlas,
    titles: Mapping[int, str],
    view: str,
    *,
    coloured: bool = False,
    pairs: Collection[PairKind] = (),
    density: bool = False,
) -> figures.Spec:
    """What is drawn over the map: the clusters' titles, lines between leakage pairs, and lines of density.

    Args:
        coloured: whether the titles have the colours of their clusters, as points have when they show those.
        pairs: of these kinds.
    """
    positions = _positions(shown, view)
    if shown.clusters is None:
        return atlas_figure.overlay(positions, density=density)
    members = shown.clusters.labels
    colours = colourings.cluster_colours(members, positions) if coloured else {}
    labels = [
        atlas_figure.Label(_label_place(positions[members == label]).tolist(), titles[label], label, colours.get(label, ""))
        for label in titles
        if label >= 0
    ]
    return atlas_figure.overlay(positions, labels=labels, clusters=members, pairs=_pairs(shown, pairs), density=density)


def _pairs(shown: Atlas, kinds: Collection[PairKind]) -> list[tuple[int, int]]:
    """The rows of the leakage pairs of these kinds, as far as they are known."""
    if shown.report is None or shown.report.leakage is None:
        return []
    row = rows(shown.problem_set)
    return [(row[pair.test_id], row[pair.train_id]) for pair in shown.report.leakage.pairs if pair.kind in kinds]


@cached(4 * _MAPS)
def steps_spec(shown: Atlas, current: NDArray[np.bool_] | None, outlined: tuple[str, ...]) -> figures.Spec:
    """The steps by split of the current problems, if they are fewer than all, against all; see `figures.counts_figure`."""
    everything = frame(shown)
    selected = None if current is None else everything[current]
    return figures.spec(figures.counts_figure(selected, everything, "steps", unit="steps", outlined=outlined))


@cached(_MAPS)
def _texts(problems: ProblemSet) -> Texts:
    return Texts.of([problem.question for problem in problems.problems])


@cached(_QUERIES)
def _text_matches(problems: ProblemSet, query: str, mode: search.Mode, _pool: SearchPool) -> NDArray[np.bool_] | SearchError:
    """What was found, or why nothing can be: a query that takes too long would take as long again with every rerun."""
    try:
        return search.match_text(_texts(problems), query, mode, _pool)
    except SearchBusyError:
        raise
    except SearchError as error:
        return SearchError(error.problem, error.remedy)


@cached(2, by=_encoder_stamp)
def _encoder(model: str) -> TextEncoder | None:
    return search.search_encoder(model, data.home())


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
