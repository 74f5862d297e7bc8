"""The drawer: the problem that is read, with the way to the one before and after it in the table, and to the whole map."""

import streamlit as st

from dashboard.components.map.problem_panel import render_problem_panel
from dashboard.components.shared.style import DRAWER, PINNED_DRAWER, PROBLEM_PANEL
from dashboard.exploration import Exploration
from dashboard.state import State


def render_drawer(shown: Exploration, state: State) -> None:
    """Over the map's right side; pinned, the map makes room for it."""
    with st.container(key=PINNED_DRAWER if state.selection.pinned else DRAWER), st.container(key=PROBLEM_PANEL, gap="small"):
        _render_ways(shown, state)
        render_problem_panel(shown.atlas, state)


def _render_ways(shown: Exploration, state: State) -> None:
    before, after = around(list(shown.rows["id"]), state.selection.problem)

    def read(problem_id: str) -> None:
        state.selection.problem = problem_id

    def pin() -> None:
        state.selection.pinned = not state.selection.pinned

    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for label, icon, problem_id, key in (
            ("Previous", "chevron_left", before, "Left"),
            ("Next", "chevron_right", after, "Right"),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                type="tertiary",
                key=f"drawer {label}",
                shortcut=key,
                disabled=not problem_id,
                on_click=read,
                args=(problem_id,),
                help="In the order of the table.",
            )
        st.space("stretch")
        pinned = state.selection.pinned
        told = "Pinned, it leaves the whole map in sight."
        st.button("Unpin" if pinned else "Pin", key="drawer pin", type="tertiary", on_click=pin, help=told)
        st.button("Close", key="drawer close", icon=":material/close:", type="tertiary", on_click=read, args=("",))


def around(ids: list[str], problem_id: str) -> tuple[str, str]:
    """The ids before and after one, empty where there is none; of one that is not in the list the first is after it."""
    if problem_id not in ids:
        return "", ids[0] if ids else ""
    place = ids.index(problem_id)
    return ids[place - 1] if place else "", ids[place + 1] if place + 1 < len(ids) else ""
