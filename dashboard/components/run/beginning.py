"""A run before its first step: its stages, the evaluation as it fills, the end of the log."""

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components.run.log import render_log_end
from dashboard.components.shared.panes import panes
from dashboard.components.shared.table import render_table
from dashboard.run_stages import Place, stages_of
from dashboard.text import plain
from training.config import RunConfig, StageConfig
from training.evaluation.evaluate import evaluation_table
from training.store import TRAINED_KINDS, Job
from training.store.evaluations import Evaluation, begun_evaluation, complete_evaluations
from training.text import count, span

_LOG_LINES = 12
_MARKS: dict[Place, tuple[str, str]] = {
    "done": (":green[:material/check_circle:]", "done"),
    "now": (":blue[:material/pending:]", "now"),
    "to come": (":gray[:material/radio_button_unchecked:]", "to come"),
}


def render_beginning(run: Job, config: StageConfig) -> None:
    """What the run does until its first step is on record, or that it ended before."""
    if run.kind not in TRAINED_KINDS or not run.active:
        ended = "" if run.active else " The run ended before it."
        st.caption(f"{_appear(config)}{ended}")
    stages, evaluated = panes("beginning", [2, 3])
    if run.kind in TRAINED_KINDS and run.active:
        with stages:
            _render_stages(run, config)
    with evaluated:
        _render_before(run)
    with st.expander("The end of the log", expanded=True):
        render_log_end(run, _LOG_LINES)


def _render_stages(run: Job, config: StageConfig) -> None:
    st.markdown("**Until the first step**")
    with st.container(gap="xxsmall"):
        for stage in stages_of(run, config):
            icon, word = _MARKS[stage.place]
            title = f"**{stage.title}**" if stage.place == "now" else stage.title
            detail = f": {plain(stage.detail)}" if stage.detail else ""
            st.markdown(f"{icon} {title} ({word}){detail}")
    st.caption(_appear(config))


def _appear(config: StageConfig) -> str:
    return f"Curves{' and completions' if isinstance(config, RunConfig) else ''} appear with the first step."


def _render_before(run: Job) -> None:
    """The table of the evaluation before training, of the problems that are measured so far."""
    complete = next((found for found in complete_evaluations(data.store(), run.id) if found.step == 0), None)
    evaluation = complete or (begun_evaluation(data.store(), run.id) if run.active else None)
    if evaluation is None or not evaluation.items:
        return
    so_far = "" if complete else " so far"
    st.markdown(f"**Before training**, {count(evaluation.problems, f'{evaluation.split} problem')}{so_far}")
    render_table(before_table(evaluation), hide_index=True, alt="The evaluation before training, measure by measure")


def before_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a measure: its value, its 95% interval and its maximum."""
    return pd.DataFrame(
        [
            {
                "measure": score.title,
                "value": f"{score.value:.3f}",
                "95% interval": span(score.low, score.high),
                "maximum": f"{score.maximum:.1f}",
            }
            for score in evaluation_table(evaluation).values()
        ]
    )
