"""What the Explore page shows now: the map's problems, which of them pass the filters, and which are selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.atlas import Atlas
from analysis.frame import MATCH, further_columns
from analysis.outcomes import outcome
from analysis.search_pool import SearchError
from dashboard import data, filters, map_data
from dashboard.colourings import COLUMN, ByNumber, Colouring, by_cluster, offered_for
from dashboard.filters import Filters
from dashboard.memory import MapLook
from dashboard.state import State
from training.errors import StoreFailedError
from training.store.curation import SubsetError, matching_subset, subset_ids

NEAREST_MEANINGS = 50
"""Problems that a search by meaning finds, unless it is said how near they must be."""


@dataclass(frozen=True)
class Exploration:
    """One look at a map."""

    atlas: Atlas
    frame: pd.DataFrame
    """`analysis.frame.atlas_frame`, with `MATCH` while meaning is searched for, and the outcome that colours the map."""
    colouring: Colouring
    titles: Mapping[int, str]
    """Cluster number -> its title."""
    asked: Filters
    """What is asked of the problems: the session's filters, without a search or a subset that could not be applied."""
    passing: NDArray[np.bool_]
    """(N,) which problems pass the filters."""
    selected: NDArray[np.bool_] | None
    """(N,) which are selected on the map; `None` when nothing is."""
    problem: str = ""
    """Why the search or a filter could not be applied, if so."""

    @property
    def narrowed(self) -> bool:
        """Whether filters or a selection leave something out."""
        return self.selected is not None or not bool(self.passing.all())

    @property
    def current(self) -> NDArray[np.bool_]:
        """(N,) what is selected of what passes; what passes when nothing is selected."""
        return self.passing if self.selected is None else self.passing & self.selected

    @property
    def rows(self) -> pd.DataFrame:
        """The current problems, the best matches first while meaning is searched for."""
        rows = self.frame[self.current]
        return rows.sort_values(MATCH, ascending=False, kind="stable") if MATCH in rows else rows

    @property
    def ids(self) -> Sequence[str]:
        return list(self.frame["id"][self.current])


def explore(atlas: Atlas, state: State) -> Exploration:
    """Apply the session's filters, search, selection and colouring to a map."""
    titles = map_data.cluster_titles(atlas)
    if titles:  # before clusters are built, what a link asks for waits
        state.filters.clusters = tuple(label for label in state.filters.clusters if label in titles)
    of_data = further_columns(map_data.frame(atlas))
    state.filters.where = tuple(asked for asked in state.filters.where if filters.column_and_value(asked)[0] in of_data)
    frame, colouring = _coloured(map_data.frame(atlas), titles, state)
    asked = state.filters.value
    found, cosines, problem = _search(atlas, state)
    if found is None:
        asked = replace(asked, query="")
    if cosines is not None:
        frame = frame.assign(**{MATCH: cosines})
    subset = None
    if state.filters.subset:
        try:
            subset = subset_ids(data.store(), matching_subset(data.store(), state.filters.subset, atlas.problem_set.whole))
        except (SubsetError, StoreFailedError) as error:
            problem, asked = str(error), replace(asked, subset="")
    selected = None
    if state.selection.rows:
        selected = np.zeros(len(frame), bool)
        selected[[row for row in state.selection.rows if row < len(frame)]] = True
    return Exploration(
        atlas=atlas,
        frame=frame,
        colouring=colouring,
        titles=titles,
        asked=asked,
        passing=filters.mask(frame, asked, subset=subset, found=found),
        selected=selected,
        problem=problem,
    )


def described(shown: Exploration, state: State) -> str:
    """How the current problems were chosen, in words."""
    return "; ".join([*shown.asked.described(shown.titles), *state.selection.picked]) or "all problems"


def _coloured(frame: pd.DataFrame, titles: Mapping[int, str], state: State) -> tuple[pd.DataFrame, Colouring]:
    """The frame with the column that the session's colouring needs; by split where it cannot be had."""
    column, _, job_id = state.look.colour.partition(":")
    if job_id and column != COLUMN and column in (outcomes := data.readable(lambda _: data.outcomes(job_id), pd.DataFrame())):
        values = outcomes[column].reindex(frame["id"]).to_numpy()
        about = outcome(column)
        return frame.assign(**{column: values}), ByNumber(f"{about.title} in {job_id}", column, scale=about.scale)
    offered = offered_for(frame)
    if state.look.colour not in offered:
        state.look.colour = MapLook.colour.default
    if state.look.colour == "cluster":
        return frame, by_cluster(titles)
    return frame, offered[state.look.colour]


def _search(atlas: Atlas, state: State) -> tuple[NDArray[np.bool_] | None, NDArray[np.float32] | None, str]:
    """(which rows the query finds, their cosines if it was read by meaning, why it could not be read)."""
    query, mode = state.filters.query, state.filters.mode
    if not query.strip():
        return None, None, ""
    try:
        if mode != filters.MEANING:
            return map_data.text_matches(atlas, query, "regex" if mode == "regex" else "words"), None, ""
        cosines = map_data.meaning_matches(atlas, query)
    except SearchError as error:
        return None, None, str(error)
    if cosines is None:
        return None, None, ""
    return cosines >= (state.filters.near or nearness(cosines)), cosines, ""


def nearness(cosines: NDArray[np.float32]) -> float:
    """The cosine that the nearest ones have at least."""
    return float(np.sort(cosines)[-min(NEAREST_MEANINGS, len(cosines))])
