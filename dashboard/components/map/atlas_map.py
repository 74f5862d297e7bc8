"""The map: a point a problem, coloured, with what is in question standing out and a ring around the chosen problem."""

import numpy as np
import streamlit as st

from dashboard import data, map_data
from dashboard.colourings import ByCategory
from dashboard.components.map.map_plot import render_map
from dashboard.components.map.subset import file_name
from dashboard.components.shared.style import MAP_HEIGHT
from dashboard.exploration import Exploration
from dashboard.filters import combine
from dashboard.keys import Keys
from dashboard.state import State
from training.text import count


def render_atlas_map(shown: Exploration, state: State) -> None:
    """Draw the map. A lasso or box changes the session's selection, a click its problem."""
    atlas, frame = shown.atlas, shown.frame
    dark = st.context.theme.type == "dark"

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

    standing_out = np.flatnonzero(shown.current) if shown.narrowed else np.empty(0, int)
    if shown.narrowed and not len(standing_out):
        standing_out = np.array([len(frame)])  # a row that no point has: all of them fade
    render_map(
        map_data.map_spec(atlas, frame, shown.colouring, shown.titles, state.look.view, dark=dark),
        key=Keys.MAP,
        view=f"{atlas.problem_set.content_hash} {atlas.parameters} {state.look.view}",
        name=f"{file_name(atlas.problem_set.name)}-map-by-{file_name(shown.colouring.title).lower()}",
        alt=_alternative(shown, state),
        height=MAP_HEIGHT,
        files=data.web_files(),
        texts=map_data.map_texts(atlas.problem_set),
        overlay=map_data.map_overlay(
            atlas,
            shown.titles if state.look.labels else {},
            state.look.view,
            coloured=isinstance(shown.colouring, ByCategory) and shown.colouring.named_on_map,
            density=state.look.density,
        ),
        selected=standing_out,
        chosen=map_data.row_of(atlas, state.selection.problem),
        on_selected=select,
        on_clicked=choose,
    )
    st.caption(_alternative(shown, state))


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
