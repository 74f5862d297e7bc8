"""The map: a point a problem, coloured, with what is in question standing out and a ring around the chosen problem."""

import numpy as np
import streamlit as st

from analysis.leakage import PAIR_KINDS, PairKind
from dashboard import data, map_data
from dashboard.colourings import ByCategory
from dashboard.components.map.map_plot import MapParts, render_map
from dashboard.components.shared.style import MAP_HEIGHT
from dashboard.exploration import Exploration
from dashboard.filters import combine
from dashboard.keys import Keys
from dashboard.state import State
from dashboard.text import file_name
from training.text import count


def render_atlas_map(shown: Exploration, state: State) -> None:
    """Draw the map. A lasso or box changes the session's selection, a click its problem."""
    atlas, frame = shown.atlas, shown.frame

    def choose(row: int) -> None:
        state.selection.problem = str(frame["id"].iloc[row])

    def select(rows: list[int]) -> None:
        if not rows:
            state.selection.clear()
            return
        how, before = state.selection.combine, state.selection.picked
        chosen = combine(how, state.selection.rows, rows)
        step = f"{how.lower()} lasso of {len(rows):,}" if before else f"lasso of {len(rows):,}"
        state.selection.picked = (step,) if how == "New" else (*before, step)
        state.selection.rows = chosen

    parts = map_parts(shown, state)
    render_map(
        parts,
        key=Keys.MAP,
        view=f"{atlas.problem_set.content_hash} {atlas.parameters} {state.look.view}",
        name=f"{file_name(atlas.problem_set.name)}-map-by-{file_name(shown.colouring.title).lower()}",
        height=MAP_HEIGHT,
        files=data.web_files(),
        chosen=map_data.row_of(atlas, state.selection.problem),
        on_selected=select,
        on_clicked=choose,
    )
    st.caption(parts.words)


def map_parts(shown: Exploration, state: State) -> MapParts:
    """What the session's map is made of."""
    atlas, look = shown.atlas, state.look
    dark = st.context.theme.type == "dark"
    standing_out = np.flatnonzero(shown.current) if shown.narrowed else np.empty(0, int)
    if shown.narrowed and not len(standing_out):
        standing_out = np.array([len(shown.frame)])  # a row that no point has: all of them fade
    return MapParts(
        figure=map_data.map_spec(atlas, shown.frame, shown.colouring, shown.titles, look.view, dark=dark),
        texts=map_data.map_texts(atlas.problem_set),
        overlay=map_data.map_overlay(
            atlas,
            shown.titles if look.labels else {},
            look.view,
            coloured=isinstance(shown.colouring, ByCategory) and shown.colouring.named_on_map,
            pairs=_pair_kinds(shown, state),
            density=look.density,
        ),
        standing_out=standing_out,
        words=_alternative(shown, state),
    )


def _pair_kinds(shown: Exploration, state: State) -> tuple[PairKind, ...]:
    """Of which pairs lines are drawn: of all only where a selection leaves few."""
    if not state.look.pairs:
        return ()
    return tuple(kind for kind in PAIR_KINDS if kind != "topic" or shown.selected is not None)


def _alternative(shown: Exploration, state: State) -> str:
    """The map in words."""
    frame = shown.frame
    train = int((frame["split"] == "train").sum())
    axes = (
        "first two principal components" if state.look.view == "PCA" else "near points are worded alike, the axes have no units"
    )
    return (
        f"Map of {count(len(frame), 'problem')}, {train:,} train and {len(frame) - train:,} test, "
        f"coloured by {shown.colouring.title.lower()}; {axes}."
    )
