"""One problem in full: question, solution with each equation checked, gold answer, nearest problems, history in runs."""

import re
from collections.abc import Sequence

import streamlit as st

from analysis.atlas import Atlas
from analysis.equations import EquationCheck, check_equation
from analysis.verifier import Remark, check_problem
from dashboard import data, map_data
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.going import Page
from dashboard.components.shared.style import EQUATIONS, NEIGHBORS
from dashboard.state import State
from dashboard.text import plain
from training.data.problem import Problem
from training.data.reader import parse_equation
from training.store.ledger import ProblemHistory, problem_history
from training.text import count, percent, shorten, significant

_NEAREST = 6
_LONGEST = 20_000
"""Characters of a text that are shown; a question may have a million."""
_COLUMNS_WIDTH = 500
"""Characters of what the data says besides."""
_ANNOTATION = re.compile(r"<<([^<>]*)>>")
_DOUBT, _NOTE = "✗", "Note:"
_MARKS = {"exact": "✓", "rounded": "≈", "wrong": _DOUBT, "unreadable": "?"}


def render_problem_panel(atlas: Atlas, state: State) -> None:
    """The problem that is chosen."""
    problems = atlas.problem_set.problems
    row = map_data.row_of(atlas, state.selection.problem)
    if row is None:
        st.info(plain(f"There is no problem {state.selection.problem} in this source. Choose another on the map."))
        return
    _render_problem(problems[row], _remarks(atlas, problems[row]))
    st.markdown("**Nearest problems**")
    nearest = zip(atlas.neighbors.indices[row, :_NEAREST], atlas.neighbors.similarities[row, :_NEAREST], strict=True)
    with st.container(key=NEIGHBORS, gap="xsmall"):
        for neighbor, similarity in nearest:
            _render_neighbor(problems[int(neighbor)], float(similarity), state)
    with boundary(tells_away=False):
        _render_history(
            problem_history(data.store(), atlas.problem_set.source, problems[row].id, atlas.problem_set.whole.content_hash)
        )


def _render_problem(problem: Problem, remarks: Sequence[Remark]) -> None:
    facts = [problem.split, count(len(problem.steps), "step"), count(len(problem.equations), "equation")]
    st.markdown(f"**{plain(problem.id)}** · {' · '.join(facts)}")
    if problem.columns:
        st.caption(plain(shorten(" · ".join(f"{name}: {value}" for name, value in problem.columns.items()), _COLUMNS_WIDTH)))
    _render_text(problem.question)
    st.markdown("**Reference solution**")
    for number, step in enumerate(problem.steps, start=1):
        with st.container(gap="xxsmall"):
            _render_text(f"{number}.  {_ANNOTATION.sub('', step)}")
            checks = [check_equation(parse_equation(text)) for text in _ANNOTATION.findall(step)]
            if checks:
                with st.container(key=f"{EQUATIONS}_{number}", gap="xxsmall"):
                    for check in checks:
                        st.caption(_checked(check))
    gold = f"**{plain(problem.gold)}**" if problem.gold else "none, a reward decides"
    st.markdown(f"Gold answer  {gold}")
    for remark in remarks:
        st.caption(f"{_DOUBT if remark.is_failure else _NOTE}  {plain(remark.detail)}")


def _remarks(atlas: Atlas, problem: Problem) -> Sequence[Remark]:
    """What the report says of a problem; before there is one, what can be said of the problem by itself."""
    if atlas.report is None:
        return check_problem(problem)
    return [remark for remark in atlas.report.verifier.remarks if remark.problem_id == problem.id]


def _render_text(text: str) -> None:
    st.text(text[:_LONGEST])
    if len(text) > _LONGEST:
        st.caption(f"The first {_LONGEST:,} of {len(text):,} characters; an export has all of them.")


def _checked(check: EquationCheck) -> str:
    """The equation with its verdict, and the right value where it is another."""
    equation = f"{check.equation.expression} = {check.equation.result}"
    remark = {
        "exact": "",
        "rounded": "rounded",
        "wrong": f"is {significant(float(check.value))}" if check.value is not None else "",
        "unreadable": f"not checked: {check.reason}",
    }[check.verdict]
    return f"{_MARKS[check.verdict]}  {plain(shorten(equation, 200))}" + (f", {plain(remark)}" if remark else "")


def _render_neighbor(neighbor: Problem, similarity: float, state: State) -> None:
    def choose() -> None:
        state.selection.problem = neighbor.id

    st.button(
        f"{similarity:.2f} · {neighbor.split} · {plain(shorten(neighbor.question, 70))}",
        key=f"neighbor {neighbor.id}",
        on_click=choose,
        type="tertiary",
        wrap=True,
        help=f"Go to {plain(neighbor.id)}; {similarity:.2f} is the cosine of the two questions' embeddings.",
    )


def _render_history(runs: list[ProblemHistory]) -> None:
    st.markdown("**History in runs**")
    if not runs:
        st.caption("No run or evaluation has met this problem.")
    for run in runs:
        st.page_link(Page.RUNS, label=plain(run.job_id), query_params={"run": run.job_id})
        st.caption(" · ".join(_facts(run)))


def _facts(run: ProblemHistory) -> list[str]:
    facts = []
    if run.completions:
        facts.append(f"{count(run.completions, 'completion')} in {count(run.groups, 'group')}")
    if run.pass_rate is not None:
        facts.append(f"{percent(run.pass_rate)} right")
    if run.mean_reward is not None:
        facts.append(f"mean reward {significant(run.mean_reward)}")
    for label, score in run.evaluated.items():
        facts.append(f"{plain(label)}: {_verdict(score)}")
    return facts


def _verdict(score: float | None) -> str:
    if score is None:
        return "not scored"
    return {1.0: "right", 0.0: "wrong"}.get(score, f"{percent(score)} right")
