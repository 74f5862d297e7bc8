"""Explore: the map, the problem chosen on it, and what is selected."""

import streamlit as st

from dashboard.components.atlas_map import render_atlas_map, render_colour_choice
from dashboard.components.build_progress import render_map_source
from dashboard.components.export import render_export
from dashboard.components.problem_panel import render_problem_panel
from dashboard.components.selection import render_selection
from dashboard.components.style import PROBLEM_PANEL
from dashboard.state import State
from dashboard.text import count, plain

state = State()
st.title("Explore", anchor=False)
st.caption(
    "GRPO Atlas shows your RL data set as a map: each point is a problem, and problems with alike wording lie close together."
)
atlas = render_map_source(state, stand_in=True)
if atlas is not None:
    name, colour, export = st.columns([2, 2, 1], vertical_alignment="center")
    name.markdown(f"**{plain(atlas.problem_set.name)}**, {count(len(atlas.problem_set.problems), 'problem')}")
    with colour:
        render_colour_choice(state)
    with export:
        render_export(atlas)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        render_atlas_map(atlas, state)
    with right, st.container(key=PROBLEM_PANEL, gap="small"):
        render_problem_panel(atlas, state)
    render_selection(atlas, state)
state.write_url(State.source, State.colour, State.problem)
