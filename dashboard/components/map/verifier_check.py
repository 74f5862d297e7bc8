"""The verifier check: which reference solutions fail recomputation or their own reward, listed and shown on the map."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.verifier import FAILURE_KINDS, NOTE_KINDS, REMARK_KINDS, REMARK_TITLES, Remark, RemarkKind, VerifierReport
from dashboard import finding_figures
from dashboard.components.map.findings import Heading, render_finding, show_on_map
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.figures import spec
from dashboard.keys import Keys
from dashboard.state import State
from training.text import count

_SHOWN = 1000
"""Rows of the table."""
_TALLEST_PX = 280


def render_verifier(atlas: Atlas, report: VerifierReport, state: State) -> None:
    """The finding, then every failure, and the notes if they are asked for."""
    heading = Heading(
        "verifier", report, "A wrong gold answer, or one that no reward can recognise, teaches the model to be wrong."
    )
    failures = {REMARK_TITLES[kind]: report.counts[kind] for kind in FAILURE_KINDS}
    notes = {REMARK_TITLES[kind]: report.counts[kind] for kind in NOTE_KINDS if report.counts[kind]}
    render_finding(atlas, heading, spec(finding_figures.counts_figure(failures, notes)))
    found = [kind for kind in REMARK_KINDS if report.counts[kind]]
    if not found:
        return
    kinds = st.pills(
        "Failures and notes",
        found,
        selection_mode="multi",
        default=[kind for kind in found if kind in FAILURE_KINDS],
        format_func=_title,
        help="A note is no failure: the solution may well be right.",
        key=Keys.FAILURE_KINDS,
    )
    for kind in kinds:
        st.caption(f"{_title(kind)}: {REMARK_KINDS[kind]}")
    gravity = list(REMARK_KINDS)
    remarks = sorted(
        (remark for remark in report.remarks if remark.kind in kinds), key=lambda remark: gravity.index(remark.kind)
    )
    if remarks:
        _render_remarks(atlas, remarks, state)


def _render_remarks(atlas: Atlas, remarks: Sequence[Remark], state: State) -> None:
    table = pd.DataFrame(
        {
            "problem": [remark.problem_id for remark in remarks],
            "class": ["failure" if remark.is_failure else "note" for remark in remarks],
            "kind": [REMARK_TITLES[remark.kind] for remark in remarks],
            "what": [remark.detail for remark in remarks],
        }
    )
    choice = render_table(
        table.head(_SHOWN),
        key=Keys.FAILURES,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        height=fitted_height(min(len(table), _SHOWN), _TALLEST_PX),
        column_config={"what": st.column_config.TextColumn(width="large")},
    )
    rows = choice["selection"]["rows"]
    chosen = [remarks[row] for row in rows if row < len(remarks)] or remarks
    problems = list(dict.fromkeys(remark.problem_id for remark in chosen))
    if st.button(f"Show {count(len(problems), 'problem')} on the map", key="show failures"):
        show_on_map(state, colour="split", atlas=atlas, problems=problems, how="remarks on solutions")


def _title(kind: RemarkKind) -> str:
    return REMARK_TITLES[kind].capitalize()
