"""Explore: the map, the problem chosen on it, and what is in question now."""

import streamlit as st

from analysis.atlas import Atlas
from dashboard.addresses import EXPLORE
from dashboard.components.map.atlas_map import render_atlas_map
from dashboard.components.map.controls import render_controls
from dashboard.components.map.problem_panel import render_problem_panel
from dashboard.components.map.selection import render_selection
from dashboard.components.shared.build_progress import render_map_source
from dashboard.components.shared.errors import boundary, fragment
from dashboard.components.shared.style import PROBLEM_PANEL, render_title
from dashboard.exploration import explore
from dashboard.state import State


@fragment
def render_page(atlas: Atlas, state: State) -> None:
    """Everything about the map: a fragment, so that a lasso or another colouring leaves the rest of the window alone."""
    with boundary():
        shown = explore(atlas, state)
        render_controls(shown, state)
        left, right = st.columns([2, 1], gap="medium")
        with left:
            render_atlas_map(shown, state)
        with right, st.container(key=PROBLEM_PANEL, gap="small"):
            render_problem_panel(atlas, state)
        render_selection(shown, state)
    state.write_url(*EXPLORE)


state = State()
render_title("Explore", "Each point is a problem; problems worded alike lie close together.")
atlas = render_map_source(state, stand_in=True)
if atlas is not None:
    render_page(atlas, state)
else:
    state.write_url(*EXPLORE)
