"""The problems that two runs both met, each with its pass rate in both: wherever the runs were trained."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from analysis.outcomes import outcome
from dashboard import data
from dashboard.comparison_tables import both_met, common_outcomes, reading_of
from dashboard.components.run.compared_on_map import render_compared_map
from dashboard.components.shared.completions import render_question
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.keys import Keys
from dashboard.memory import Compared
from dashboard.state import State
from dashboard.text import plain
from training.store import Job
from training.store.records import is_on

_TABLE_HEIGHT = 320


def render_problems(runs: Sequence[Job]) -> None:
    """The first and the last run chosen, where they are on the same problems."""
    first, last = runs[0], runs[-1]
    if first.id == last.id:
        return
    st.subheader("Problem by problem", anchor=False)
    same = first.spec.get("source") == last.spec.get("source")
    if not (same and is_on(first.spec, last.spec.get("content_hash", ""))):
        st.caption(plain(f"{first.id} and {last.id} are on other problems."))
        return
    outcomes, state = (data.outcomes(first.id), data.outcomes(last.id)), State()
    by = _render_choice(common_outcomes(*outcomes), state)
    met = both_met(*outcomes, by)
    if met.empty:
        st.caption(plain(f"No problem was met by both {first.id} and {last.id}."))
        return
    st.markdown(plain(reading_of(met, first.id, last.id)))
    with boundary():
        render_compared_map(met, str(first.spec.get("source")), first.id, last.id, state)
    _render_table(met, first, last)


def _render_choice(offered: Sequence[str], state: State) -> str:
    """By what they are compared, where there is a choice; the first one unless another is chosen."""
    if state.compared.by not in offered[1:]:
        state.compared.by = ""
    if len(offered) > 1:
        st.segmented_control(
            "Compared by",
            ["", *offered[1:]],
            format_func=lambda column: _way_title(column or offered[0]),
            required=True,
            help="Their answers to the problems of an evaluation that both have, or their completions in training.",
            **Compared.by.bind(),
        )
    return state.compared.by or next(iter(offered), "")


def _way_title(column: str) -> str:
    return "Training" if column == "pass_rate" else outcome(column).title


def _render_table(met: pd.DataFrame, first: Job, last: Job) -> None:
    problems = data.problems_by_id(str(first.spec.get("source")), str(first.spec.get("content_hash", "")))
    shown = met.rename_axis("problem").reset_index()
    shown["question"] = [problems[found].question if found in problems else "" for found in shown["problem"]]
    share = st.column_config.NumberColumn
    choice = render_table(
        shown,
        key=Keys.BOTH_MET,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=fitted_height(len(shown), _TABLE_HEIGHT),
        column_config={
            "before": share(f"pass rate in {first.id}", format="percent"),
            "after": share(f"pass rate in {last.id}", format="percent"),
            "change": share(format="percent"),
        },
        alt=f"Problems that {first.id} and {last.id} both met, with the pass rate in each",
    )
    rows = choice["selection"]["rows"]
    if rows and rows[0] < len(shown):
        chosen = str(shown["problem"][rows[0]])
        render_question(chosen, problems.get(chosen))
