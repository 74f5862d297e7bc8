"""Two judges of a run's answers held against each other: how often they differ, on what, and who is right."""

from operator import attrgetter
from typing import Any

import pandas as pd
import streamlit as st

from analysis.disagreement import differing_over_steps
from dashboard import data, figures, run_data
from dashboard.background import Reading
from dashboard.brushing_figures import differing_figure
from dashboard.components.run.differing_on_map import render_differing_on_map
from dashboard.components.run.judged_answers import render_answers
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.errors import boundary, fragment
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.keys import Keys
from dashboard.memory import Judging
from dashboard.state import State
from dashboard.text import plain
from training.config import StageConfig
from training.insight.disagreement import Disagreement, Share, reading_of, share_of
from training.insight.judges import parts_of
from training.rewards import title_of
from training.store import Job
from training.store.answer_marks import Judges
from training.text import count, with_interval, words_listed

DISAGREEMENT = "Disagreement"
"""The tab's title."""
_AT_ONCE_S = 2.0
"""How long the page waits before it says how far the judges are."""
_POLL_S = 0.5


def render_disagreement(run: Job, config: StageConfig, state: State) -> None:
    """The choice of completions and judges, and what came of it."""
    parts = [part.evaluation for part in parts_of(data.store(), run.id)]
    if not parts:
        st.caption("When there are completions, those on which two judges of answers differ appear here.")
        return
    judges = _render_choice(run, parts, state)
    if judges[0] == judges[1]:
        st.caption("Choose two judges.")
        return
    reading = run_data.disagreement(run, state.judging.evaluation, judges)
    found = reading.wait(_AT_ONCE_S)
    if found is None:
        fragment(_follow, run_every=_POLL_S)(reading, judges)
        return
    _render_found(run, config, found, state)


def _render_choice(run: Job, parts: list[str], state: State) -> Judges:
    if state.judging.evaluation not in parts:
        state.judging.evaluation = parts[0]
    of, first, second = st.columns(3, vertical_alignment="bottom")
    of.selectbox(
        "Completions of",
        parts,
        format_func=lambda label: f"evaluation {label}" if label else "training",
        **Judging.evaluation.bind(),
    )
    offered = run_data.offered_judges_of(run, state.judging.evaluation)
    usual = run_data.usual_judges_of(run, state.judging.evaluation)
    offered = tuple(dict.fromkeys((*offered, *usual)))
    for field, judge in zip((Judging.first, Judging.second), usual, strict=True):
        if field.get() not in offered:
            field.set(judge)
    first.selectbox(
        "Judge",
        offered,
        format_func=title_of,
        help="A completion is right by it that earns all that it can give. The run's verifier unless another is chosen.",
        **Judging.first.bind(),
    )
    second.selectbox(
        "against",
        offered,
        format_func=title_of,
        help="The one on record that differs most from the run's verifier unless another is chosen.",
        **Judging.second.bind(),
    )
    return state.judging.first, state.judging.second


def _follow(reading: Reading[Disagreement], judges: Judges) -> None:
    """How far the judges are, until they are through."""
    if reading.wait(0) is not None:
        st.rerun()
    names = words_listed([title_of(judge).lower() for judge in judges])
    told = f"{reading.done:,} of {reading.total:,} completions" if reading.total else "counting"
    st.progress(reading.done / reading.total if reading.total else 0.0, text=plain(f"Asking {names}: {told}"))


def _render_found(run: Job, config: StageConfig, found: Disagreement, state: State) -> None:
    st.markdown(f"**{plain(reading_of(found))}**")
    st.caption(plain(_how(found)))
    if share_of(found.by_problem).estimate is None:
        return
    left, right = panes("disagreement", [6, 5], gap="medium")
    with left:
        _render_cells(found)
    with right:
        _render_steps(found)
    with boundary():
        render_answers(run, config, found, state)
    if found.differing:
        with boundary():
            render_differing_on_map(config, found, state)


def _how(found: Disagreement) -> str:
    """How the figures were made."""
    asked = words_listed([title_of(judge) for judge in found.recomputed])
    judged = sum(tally.judged for tally in found.by_problem)
    sample = f", about {judged:,} of {found.completions:,} completions drawn at random" if judged < found.completions else ""
    now = f"{asked} {'is' if len(found.recomputed) == 1 else 'are'} not on record and asked now{sample}. " if asked else ""
    unjudged = sum(tally.unjudged for tally in found.by_problem)
    left_out = f" {count(unjudged, 'completion')} not judged by both left out." if unjudged else ""
    return f"{now}Intervals are 95%, over problems, as completions of one problem are not independent.{left_out}"


def _render_cells(found: Disagreement) -> None:
    """What the two say, against each other."""
    first, second = map(title_of, found.judges)
    rows = [("both_right", "first_only"), ("second_only", "both_wrong")]
    table = pd.DataFrame(
        [[_cell(share_of(found.by_problem, attrgetter(name))) for name in row] for row in rows],
        columns=["right", "wrong"],
    )
    table.insert(0, "", ["right", "wrong"])
    st.caption(plain(f"Rows: what {first.lower()} says. Columns: what {second.lower()} says."))
    render_table(
        table,
        key=Keys.DISAGREEMENT,
        hide_index=True,
        alt=f"Completions by what {first.lower()} and {second.lower()} say",
    )


def _cell(share: Share) -> str:
    assert share.estimate is not None  # of completions that both judged
    return f"{share.number:,}: {with_interval(*share.estimate, form='.1%')}"


def _render_steps(found: Disagreement) -> None:
    steps = {tally.step for tally in found.tallies if tally.judged}
    if len(steps) < 2:
        return
    over_steps = differing_over_steps(found.tallies)
    spec: Any = figures.spec(differing_figure(over_steps))
    last, first = over_steps["mean"].iloc[-1], over_steps["mean"].iloc[0]
    alt = f"Share of completions that differ over the steps: {first:.1%} in the first stretch, {last:.1%} in the last"
    render_chart(spec, key=Keys.DISAGREEMENT_STEPS, alt=alt, height="200px")
