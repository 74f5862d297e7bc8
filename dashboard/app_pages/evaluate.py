"""Evaluate: what training changed, measured on problems that it did not train on; and asking a model oneself."""

import streamlit as st

from dashboard.components.evaluate.comparison import render_comparison
from dashboard.components.evaluate.form import render_measuring
from dashboard.components.evaluate.playground import render_playground
from dashboard.components.evaluate.scaling import render_scaling
from dashboard.components.shared.style import render_title
from dashboard.memory import Evaluated
from dashboard.state import State

PARTS = {
    "compare": ("Compare", render_comparison),
    "scaling": ("Test-time scaling", render_scaling),
    "measure": ("Measure a model", render_measuring),
    "ask": ("Playground", render_playground),
}

render_title("Evaluate", "What training changed on problems that it did not train on, by the article's five measures.")
state = State()
part = st.segmented_control(
    "Part",
    list(PARTS),
    required=True,
    format_func=lambda key: PARTS[key][0],
    label_visibility="collapsed",
    **Evaluated.part.bind(),
)
shown = PARTS[str(part)][1](state)
state.write_url(Evaluated.part, *shown)
