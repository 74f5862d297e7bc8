"""The map: a point a problem, coloured, with the selection standing out and a ring around the chosen problem."""

import streamlit as st

from analysis.atlas import Atlas
from dashboard import data, figures
from dashboard.components.plot import render_plot
from dashboard.components.style import MAP_HEIGHT
from dashboard.state import Keys, State


def render_colour_choice(state: State) -> None:
    """Choose what the colours mean."""
    if state.colour not in figures.COLOURINGS:
        state.colour = State.colour.default
    st.session_state.setdefault(Keys.COLOUR_CHOICE, state.colour)
    chosen = st.segmented_control(
        "Colour",
        list(figures.COLOURINGS),
        format_func=lambda name: figures.COLOURINGS[name].label,
        key=Keys.COLOUR_CHOICE,
        label_visibility="collapsed",
        required=True,
    )
    state.colour = str(chosen)


def render_atlas_map(atlas: Atlas, state: State) -> None:
    """Draw the map. A lasso or box sets the session's selection, a click its problem."""
    frame = data.frame(atlas)
    train = int((frame["split"] == "train").sum())
    alternative = (
        f"Map of {len(frame):,} problems, {train:,} train and {len(frame) - train:,} test; "
        "near points are alike in wording, the axes have no units."
    )

    def choose(problem: str) -> None:
        state.problem = problem

    def select(problems: list[str]) -> None:
        state.selected = tuple(problems)

    render_plot(
        data.map_spec(atlas, state.colour, dark=st.context.theme.type == "dark"),
        key=Keys.MAP,
        view=atlas.problem_set.content_hash,
        alt=alternative,
        height=MAP_HEIGHT,
        selected=state.selected,
        chosen=state.problem,
        on_selected=select,
        on_clicked=choose,
    )
    st.caption(alternative)
