"""Insights: what the map says about the data set, each finding with its figure and a way back to the map."""

import streamlit as st

from dashboard.addresses import INSIGHTS
from dashboard.components.map.duplicates import render_duplicates
from dashboard.components.map.findings import render_difficulty, render_honesty, render_mixing, render_topics
from dashboard.components.map.leakage_workbench import render_leakage
from dashboard.components.map.verifier_check import render_verifier
from dashboard.components.shared.build_progress import render_map_source
from dashboard.components.shared.style import render_title
from dashboard.state import State

state = State()
render_title("Insights", "What the map says about the data set before anything is trained on it.")
atlas = render_map_source(state)
if atlas is not None:
    report = atlas.report
    if report is None:
        st.write("Findings appear when the map is finished.")
    else:
        if report.mixing is not None:
            render_mixing(atlas, report.mixing, state)
        if report.topics is not None:
            render_topics(atlas, report.topics, state)
        if report.difficulty is not None:
            render_difficulty(atlas, report.difficulty, state)
        if report.leakage is not None:
            render_leakage(atlas, report.leakage, state)
        if report.duplicates is not None:
            render_duplicates(atlas, report.duplicates, state)
        render_verifier(atlas, report.verifier, state)
        if report.honesty is not None:
            render_honesty(atlas, report.honesty, state)
state.write_url(*INSIGHTS)
