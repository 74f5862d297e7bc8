"""Explore: the map over the whole width, what is in question now below it, and a drawer with the problem that is read."""

import streamlit as st

from analysis.atlas import Atlas
from dashboard.addresses import EXPLORE
from dashboard.components.map.atlas_map import render_atlas_map
from dashboard.components.map.controls import render_controls
from dashboard.components.map.drawer import render_drawer
from dashboard.components.map.selection import render_selection
from dashboard.components.run.brushed import render_in_a_run
from dashboard.components.shared.build_progress import render_map_source
from dashboard.components.shared.errors import boundary, fragment
from dashboard.components.shared.style import BESIDE_DRAWER, STAGE, render_title
from dashboard.exploration import explore
from dashboard.state import State


@fragment
def render_page(atlas: Atlas, state: State) -> None:
    """Everything about the map: a fragment, so that a lasso or another colouring leaves the rest of the window alone."""
    with boundary():
        shown = explore(atlas, state)
        render_controls(shown, state)
        with st.container(key=STAGE, gap="small"):
            render_atlas_map(shown, state)
            if state.selection.problem:
                render_drawer(shown, state)
            with st.container(key=BESIDE_DRAWER):
                render_selection(shown, state, render_in_a_run)
    state.write_url(*EXPLORE)


state = State()
render_title("Explore", "Each point is a problem; problems worded alike lie close together.")
atlas = render_map_source(state, stand_in=True)
if atlas is not None:
    render_page(atlas, state)
else:
    state.write_url(*EXPLORE)
