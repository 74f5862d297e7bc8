"""What all curves share, of one run and of several: smoothing, the horizontal axis, which panels in which order, the zoom."""

from collections.abc import Sequence
from math import ceil, floor

import streamlit as st

from dashboard.axes import AXES, STEP, Axis
from dashboard.curves import Curve
from dashboard.fields import Field
from dashboard.keys import Keys
from dashboard.memory import ShownRun
from dashboard.state import State
from dashboard.thinning import Window

_SMOOTHING_HELP = (
    "Weight of the past in an exponential moving average, corrected for its start as TensorBoard does it; "
    "0 draws the values as measured."
)
_AXIS_HELP = "Training time leaves out the pauses of a resumed run; tokens are those of prompts and completions."


def render_controls(
    offered: Sequence[str],
    catalogue: Sequence[Curve],
    shown: Sequence[Curve],
    panels: Field[tuple[str, ...]],
    steps: float,
    state: State,
) -> None:
    """All controls, side by side where there is room.

    Args:
        offered: keys of the horizontal axes that the runs have.
        catalogue: all curves that they have.
        shown: those that are drawn, in their order.
        panels: what remembers which they are.
        steps: of the longest run.
        state: the session's memory.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.slider("Smoothing", 0.0, 0.99, step=0.01, width=220, help=_SMOOTHING_HELP, **ShownRun.smoothing.bind())
        state.shown.axis = chosen_axis(offered, state)
        st.segmented_control(
            "Horizontal axis",
            list(offered),
            required=True,
            format_func=AXES.__getitem__,
            help=_AXIS_HELP,
            **ShownRun.axis.bind(),
        )
        _render_panel_choice(catalogue, [curve.key for curve in shown], panels)
    _render_zoom(steps, state)


def chosen_axis(offered: Sequence[str], state: State) -> str:
    """The key of the horizontal axis, steps where the chosen one is not known of the runs."""
    return state.shown.axis if state.shown.axis in offered else STEP


def chosen_window(state: State) -> Window | None:
    """The steps in view, `None` for all."""
    return (state.shown.window[0], state.shown.window[1]) if state.shown.window else None


def take_zoom(zoomed: Window | None, axis: Axis, state: State) -> None:
    """Remember the steps of the part of the axis that one has zoomed to."""
    if zoomed is None:
        state.shown.window = ()
        return
    first, last = axis.steps_between(zoomed)
    state.shown.window = (max(0, floor(first)), ceil(last))


def _render_panel_choice(catalogue: Sequence[Curve], chosen: Sequence[str], panels: Field[tuple[str, ...]]) -> None:
    titles = {curve.key: curve.title for curve in catalogue}

    def take() -> None:
        picked = set(st.session_state[Keys.PANELS])
        panels.set((*(key for key in chosen if key in picked), *(key for key in titles if key in picked - set(chosen))))

    with st.popover(f"Panels: {len(chosen)} of {len(catalogue)}", icon=":material/grid_view:"):
        st.session_state[Keys.PANELS] = list(chosen)
        st.pills(
            "Panels", list(titles), selection_mode="multi", format_func=titles.__getitem__, key=Keys.PANELS, on_change=take
        )
        st.caption("Drag a chart by its title to move it, or use its menu.")
        st.button("As they were", key=Keys.USUAL_PANELS, on_click=panels.reset, disabled=not panels.get())


def _render_zoom(steps: float, state: State) -> None:
    window = chosen_window(state)
    with st.container(horizontal=True, vertical_alignment="center"):
        if window is None:
            st.caption(
                "Drag over a curve to look closer at a part of the run; the arrow keys move the crosshair.", width="content"
            )
            return
        st.caption(f"Steps {window[0]:,.0f} to {window[1]:,.0f} of {steps:,.0f}.", width="content")
        st.button("Whole run", key=Keys.WHOLE_RUN, type="tertiary", on_click=ShownRun.window.reset)
