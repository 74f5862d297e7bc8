"""Insights: what the map says about the data set, each finding with its figure and a way back to the map."""

import streamlit as st

from dashboard import data
from dashboard.components.build_progress import render_map_source
from dashboard.components.findings import render_difficulty, render_leakage, render_mixing
from dashboard.state import State
from dashboard.text import count, plain

state = State()
st.title("Insights", anchor=False)
st.caption("What the map says about the data set before anything is trained on it.")
atlas = render_map_source(state)
if atlas is not None:
    st.markdown(f"**{plain(atlas.problem_set.name)}**, {count(len(atlas.problem_set.problems), 'problem')}")
    found = data.findings_of(atlas)
    if found.mixing is not None:
        render_mixing(found.mixing, state)
    if found.leakage is not None:
        render_leakage(atlas, found.leakage, state)
    if found.difficulty is not None:
        render_difficulty(atlas, found.difficulty, state)
    if not found.readings:
        st.write("This source has one split and one step count, so there is nothing to compare.")
state.write_url(State.source)
