"""One problem in full: question, solution, gold answer, and the problems nearest to it."""

import re

import streamlit as st

from analysis.atlas import Atlas
from dashboard.components.style import NEIGHBORS
from dashboard.state import State
from dashboard.text import count, plain, shorten
from training.problems import Problem

_NEAREST = 6
_ANNOTATION = re.compile(r"<<[^<>]*>>")


def render_problem_panel(atlas: Atlas, state: State) -> None:
    """The chosen problem, or how to choose one."""
    problems = atlas.problem_set.problems
    index = next((index for index, problem in enumerate(problems) if problem.id == state.problem), None)
    if index is None:
        _render_nothing_chosen(state)
        return
    problem = problems[index]
    _render_problem(problem)
    st.markdown("**Nearest problems**")
    nearest = zip(atlas.neighbors.indices[index, :_NEAREST], atlas.neighbors.similarities[index, :_NEAREST], strict=True)
    with st.container(key=NEIGHBORS, gap="xsmall"):
        for neighbor, similarity in nearest:
            _render_neighbor(problems[int(neighbor)], float(similarity), state)


def _render_nothing_chosen(state: State) -> None:
    if state.problem:
        st.info(plain(f"There is no problem {state.problem} in this source. Choose another on the map."))
        return
    st.markdown("**No problem chosen**")
    st.caption("Click a point on the map, or a row of the table below it, to read the problem here.")


def _render_problem(problem: Problem) -> None:
    facts = [problem.split, count(len(problem.steps), "step"), count(len(problem.equations), "equation")]
    st.markdown(f"**{plain(problem.id)}** · {' · '.join(facts)}")
    st.text(problem.question)
    st.markdown("**Reference solution**")
    for number, step in enumerate(problem.steps, start=1):
        with st.container(gap="xxsmall"):
            st.text(f"{number}.  {_ANNOTATION.sub('', step)}")
            equations = [annotation[2:-2] for annotation in _ANNOTATION.findall(step)]
            if equations:
                st.caption(plain("   ".join(equations)))
    st.markdown(f"Gold answer  **{plain(problem.gold)}**")


def _render_neighbor(neighbor: Problem, similarity: float, state: State) -> None:
    def choose() -> None:
        state.problem = neighbor.id

    st.button(
        f"{similarity:.2f} · {neighbor.split} · {plain(shorten(neighbor.question, 70))}",
        key=f"neighbor {neighbor.id}",
        on_click=choose,
        type="tertiary",
        wrap=True,
        help=f"Go to {plain(neighbor.id)}; {similarity:.2f} is the cosine of the two questions' embeddings.",
    )
