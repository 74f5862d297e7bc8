"""The verifier check: which reference solutions fail recomputation or their own reward, listed and shown on the map."""

from collections import Counter

import pandas as pd
import streamlit as st

from analysis.atlas import Atlas
from analysis.verifier import FAILURE_KINDS, VerifierReport
from dashboard import finding_figures
from dashboard.components.map.findings import Heading, render_finding, show_on_map
from dashboard.components.shared.table import render_table
from dashboard.figures import spec
from dashboard.keys import Keys
from dashboard.state import State
from training.text import count

_SHOWN = 1000
"""Rows of the table."""


def render_verifier(atlas: Atlas, report: VerifierReport, state: State) -> None:
    """The finding, then every failure."""
    heading = Heading(
        "verifier",
        "Do the reference solutions hold?",
        report.reading,
        "A wrong gold answer, or one that no reward can recognise, teaches the model to be wrong.",
    )
    titles = {kind: kind.replace("_", " ") for kind in FAILURE_KINDS}
    render_finding(
        heading, spec(finding_figures.failures_figure({titles[kind]: number for kind, number in report.counts.items()}))
    )
    found = [kind for kind in FAILURE_KINDS if report.counts[kind]]
    if not found:
        return
    kinds = st.pills("Failures", found, selection_mode="multi", format_func=titles.__getitem__, key=Keys.FAILURE_KINDS)
    for kind in kinds:
        st.caption(FAILURE_KINDS[kind])
    gravity = list(FAILURE_KINDS)
    failures = [failure for failure in report.failures if not kinds or failure.kind in kinds]
    failures.sort(key=lambda failure: gravity.index(failure.kind))
    table = pd.DataFrame(
        {
            "problem": [failure.problem_id for failure in failures],
            "failure": [titles[failure.kind] for failure in failures],
            "what": [failure.detail for failure in failures],
        }
    )
    choice = render_table(
        table.head(_SHOWN),
        key=Keys.FAILURES,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        height=280,
        column_config={"what": st.column_config.TextColumn(width="large")},
    )
    rows = choice["selection"]["rows"]
    problems = list(Counter(failures[row].problem_id for row in rows) if rows else Counter(f.problem_id for f in failures))
    label = f"Show {count(len(problems), 'problem')} on the map"
    if st.button(label, key="show failures", disabled=not problems):
        show_on_map(state, colour="split", atlas=atlas, problems=problems, how="verifier failures")
