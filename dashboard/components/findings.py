"""The findings: what each is, what it means, its figure, and a button that shows it on the map."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from analysis.atlas import Atlas
from analysis.findings import Difficulty, Leakage, LeakagePair, Mixing
from dashboard import data, figures
from dashboard.components.plot import render_plot
from dashboard.state import Keys, State
from dashboard.text import plain

_EXPLORE = "app_pages/explore.py"


def render_mixing(mixing: Mixing, state: State) -> None:
    """Whether test problems lie among train problems."""
    figure = figures.mixing_figure(mixing.test_share, mixing.chance, mixing.base_rate)
    if _render_finding(
        "Are the splits mixed",
        mixing.reading,
        "If they were not, a score on test would measure other wording as well as skill.",
        figures.spec(figure),
        key="mixing",
        height="150px",
        button="Show the splits on the map",
    ):
        _show(state, colour="split")


def render_difficulty(atlas: Atlas, difficulty: Difficulty, state: State) -> None:
    """Whether position tells how many steps a problem takes."""
    steps = data.frame(atlas)["steps"].to_numpy()
    figure = figures.difficulty_figure(steps, steps[atlas.neighbors.indices].mean(axis=1))
    if _render_finding(
        "Does position tell difficulty",
        difficulty.reading,
        "Where it says little, a region of the map is a topic, not a level: choosing by region does not choose by difficulty.",
        figures.spec(figure),
        key="difficulty",
        button="Show the steps on the map",
    ):
        _show(state, colour="steps")


def render_leakage(atlas: Atlas, leakage: Leakage, state: State) -> None:
    """How near test problems come to train problems, and the nearest pairs."""
    cosines = _nearest_train_cosines(atlas)
    left_out = leakage.tests - len(cosines)
    note = f" The figure leaves out {left_out:,} without a train problem among their neighbours." if left_out else ""
    _render_finding(
        "Does train leak into test",
        leakage.reading,
        f"A near copy in train can be remembered instead of solved; read the pairs below before trusting a score.{note}",
        figures.spec(figures.leakage_figure(cosines, list(leakage.above))),
        key="leakage",
    )
    _render_pairs(atlas, leakage.pairs, state)


def _render_finding(
    title: str, reading: str, meaning: str, spec: figures.Spec, *, key: str, height: str = "260px", button: str = ""
) -> bool:
    """The words beside the figure; whether the button was pressed."""
    st.subheader(title, anchor=False, divider="gray")
    words, chart = st.columns([2, 3], gap="large", vertical_alignment="center")
    with words:
        st.markdown(plain(reading))
        st.caption(meaning)
        pressed = bool(button) and st.button(button, key=f"show {key}")
    with chart:
        render_plot(spec, key=f"figure {key}", view=key, alt=f"{title}. {reading}", height=height)
    return pressed


def _render_pairs(atlas: Atlas, pairs: Sequence[LeakagePair], state: State) -> None:
    questions = {problem.id: problem.question for problem in atlas.problem_set.problems}
    table = pd.DataFrame(
        [
            {
                "cosine": pair.cosine,
                "test": pair.test_id,
                "test question": questions[pair.test_id],
                "train": pair.train_id,
                "train question": questions[pair.train_id],
            }
            for pair in pairs
        ]
    )
    st.markdown(f"**The {len(pairs)} nearest pairs**")
    choice = st.dataframe(
        table,
        key=Keys.PAIRS,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=280,
        row_height=52,
        column_config={
            "cosine": st.column_config.NumberColumn(format="%.3f", width="small"),
            "test": st.column_config.TextColumn(width="small"),
            "train": st.column_config.TextColumn(width="small"),
            "test question": st.column_config.TextColumn(width="large"),
            "train question": st.column_config.TextColumn(width="large"),
        },
    )
    rows = choice["selection"]["rows"]
    shown = [pairs[row] for row in rows] or pairs
    if st.button(
        "Show this pair on the map" if rows else "Show the pairs on the map", help="Selects both problems of each pair."
    ):
        both = tuple(problem for pair in shown for problem in (pair.test_id, pair.train_id))
        _show(state, colour="split", selected=both, problem=shown[0].test_id)


def _nearest_train_cosines(atlas: Atlas) -> NDArray[np.float32]:
    """(tests with a train problem among their K neighbours,) cosine to the nearest one."""
    is_train = np.array([problem.split == "train" for problem in atlas.problem_set.problems])
    tests = np.flatnonzero(~is_train)
    similarities = np.where(is_train[atlas.neighbors.indices[tests]], atlas.neighbors.similarities[tests], -np.inf)
    nearest = similarities.max(axis=1)
    return np.asarray(nearest[np.isfinite(nearest)], np.float32)


def _show(state: State, *, colour: str, selected: tuple[str, ...] = (), problem: str = "") -> None:
    state.colour, state.selected, state.problem = colour, selected, problem
    st.switch_page(_EXPLORE)
