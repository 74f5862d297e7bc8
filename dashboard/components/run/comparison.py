"""Several runs compared: curves over each other, then what was set differently, what came of it, and their evaluations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from analysis.export import csv_text
from dashboard import data, run_data
from dashboard.comparison_figures import Panel, RunCurve, comparison_figure, figure_height_px
from dashboard.comparison_tables import (
    WINDOW_STEPS,
    differing_settings,
    evaluation_rows,
    final_and_best,
    shown_evaluations,
)
from dashboard.components.run.comparison_problems import render_problems
from dashboard.components.shared.chart import render_chart
from dashboard.components.shared.errors import fragment, render_error
from dashboard.components.shared.table import render_table
from dashboard.curves import Curve, run_curves
from dashboard.figures import spec
from dashboard.keys import Keys
from dashboard.memory import Compared, ShownRun
from dashboard.state import State
from dashboard.text import plain
from dashboard.thinning import POINTS
from training.config import KNOWN_OF_LOGS, stored_config
from training.errors import AtlasError
from training.store import RUN_KINDS, Job
from training.store.job_search import newest_run_ids
from training.store.sessions import elapsed_s, sessions_of
from training.text import significant

_POLL_S = 2.0
_OFFERED = 1000
"""The newest runs, which the field offers; the list of runs has all."""
_USUAL = ("reward", "correctness", "soft_correctness", "length")
"""Keys of the curves that a comparison begins with."""
_AXES = {"step": "Step", "time": "Training time"}


def render_comparison(state: State) -> None:
    """Everything of a comparison; the curves are drawn anew while one of the runs is active."""
    store = data.store()
    asked = store.jobs_named(state.compared.runs)
    known = {run_id: job for run_id, job in asked.items() if job.kind in RUN_KINDS}
    if missing := [run_id for run_id in state.compared.runs if run_id not in known]:
        render_error(f"There is no run {', '.join(missing)}.", "The others are compared; choose more below.")
        state.compared.runs = tuple(run_id for run_id in state.compared.runs if run_id in known)
    if len(state.compared.runs) > run_data.COMPARED:
        st.caption(f"The first {run_data.COMPARED} of the {len(state.compared.runs):,} runs chosen are compared.")
        state.compared.runs = state.compared.runs[: run_data.COMPARED]
    runs = [known[run_id] for run_id in state.compared.runs]
    newest = newest_run_ids(store, _OFFERED)
    _render_choice(list(dict.fromkeys((*newest, *state.compared.runs))))
    if (total := store.count_jobs(RUN_KINDS)) > len(newest):
        st.caption(f"The newest {len(newest):,} of {total:,} runs are offered; older ones are found in the list of runs.")
    catalogue = _catalogue(runs)
    if not runs:
        return
    _render_controls(catalogue)
    chosen = [catalogue[key] for key in state.compared.curves or _USUAL if key in catalogue]
    active = any(run.active for run in runs)
    fragment(_render_curves, run_every=_POLL_S if active else None)([run.id for run in runs], chosen, state)
    render_problems(runs)
    _render_settings(runs)
    _render_evaluations(runs)


def _render_choice(run_ids: Sequence[str]) -> None:
    st.multiselect("Runs", run_ids, placeholder="Choose two or more", max_selections=run_data.COMPARED, **Compared.runs.bind())


def _render_controls(catalogue: dict[str, Curve]) -> None:
    curves, smoothing, axis = st.columns([5, 3, 2], vertical_alignment="top")
    curves.multiselect(
        "Curves",
        list(catalogue),
        placeholder="Total reward, correctness and length",
        format_func=lambda key: catalogue[key].title if key in catalogue else key,
        **Compared.curves.bind(),
    )
    smoothing.slider(
        "Smoothing",
        0.0,
        0.99,
        step=0.01,
        help="Weight of the past in an exponential moving average, corrected for its start as TensorBoard does it; "
        "0 draws the values as measured.",
        **ShownRun.smoothing.bind(),
    )
    axis.segmented_control(
        "Horizontal axis",
        list(_AXES),
        required=True,
        format_func=_AXES.__getitem__,
        help="Training time counts from each run's start; pauses of resumed runs are left out.",
        **Compared.axis.bind(),
    )


def _render_curves(run_ids: Sequence[str], curves: Sequence[Curve], state: State) -> None:
    panels = [Panel(curve, {run_id: _run_curve(run_id, curve, state.compared.axis) for run_id in run_ids}) for curve in curves]
    panels = [Panel(panel.curve, {name: run for name, run in panel.runs.items() if len(run.values)}) for panel in panels]
    panels = [panel for panel in panels if panel.runs]
    if not panels:
        st.caption("None of these runs has taken a step yet; their curves appear here.")
        return
    view = " ".join([*run_ids, *(panel.curve.key for panel in panels), state.compared.axis])
    figure = comparison_figure(panels, run_ids, axis=state.compared.axis, smoothing=state.shown.smoothing, view=view)
    height = f"{figure_height_px(len(panels), len(run_ids))}px"
    render_chart(spec(figure), key=Keys.COMPARED_CHART, alt=_text_alternative(panels), height=height)
    st.caption(_note(panels, state))
    table = final_and_best(panels)
    st.subheader("Final and best values", anchor=False)
    number = st.column_config.NumberColumn(format="%.3g")
    render_table(table, hide_index=True, column_config=dict.fromkeys(("final", "highest", "lowest"), number))
    st.caption(f"Means of {WINDOW_STEPS} steps in a row, with the last step of each; for a reward the highest is the best.")
    _render_download(table, "values")


def _catalogue(runs: Sequence[Job]) -> dict[str, Curve]:
    """Every curve that one of the runs may have, by key; a run whose configuration cannot be read adds none."""
    found: dict[str, Curve] = {}
    for run in runs:
        try:
            curves = run_curves(stored_config(run.spec), run_data.logged_names(run.id))
        except AtlasError:
            continue
        for curve in (curve for curve in curves if not curve.lines):
            known = found.setdefault(curve.key, curve)
            if known.maximum != curve.maximum:
                found[curve.key] = replace(known, maximum=None)  # one line cannot be the maximum of both
    return found


def _run_curve(run_id: str, curve: Curve, axis: str) -> RunCurve:
    steps, values = run_data.series_of(run_id, [curve.name])[curve.name]
    if axis == "step":
        return RunCurve(steps, values, np.zeros(len(steps)))
    timed, times = run_data.step_times(run_id)
    worked = sessions_of(data.store(), [run_id]).get(run_id, [])
    return RunCurve(steps, values, np.interp(steps, timed, elapsed_s(times, worked)) if len(timed) else np.zeros(len(steps)))


def _text_alternative(panels: Sequence[Panel]) -> str:
    parts = []
    for panel in panels:
        latest = ", ".join(f"{run_id} {significant(float(curve.values[-1]))}" for run_id, curve in panel.runs.items())
        parts.append(f"{panel.curve.title}, latest values: {latest}")
    return "; ".join(parts)


def _note(panels: Sequence[Panel], state: State) -> str:
    parts = ["Click a run in the legend to hide it, double-click to see it alone; drag to zoom, double-click to undo."]
    if state.shown.smoothing:
        parts.append("Faint lines are the values as measured.")
    longest = max(len(curve.values) for panel in panels for curve in panel.runs.values())
    if longest > POINTS:
        parts.append(f"Curves show {POINTS:,} of {longest:,} points, with peaks and dips kept (MinMaxLTTB).")
    return plain(" ".join(parts))


def _render_settings(runs: Sequence[Job]) -> None:
    st.subheader("Settings that differ", anchor=False)
    table = differing_settings({run.id: _known_settings(run) for run in runs})
    if table.empty:
        st.caption("All settings are the same.")
        return
    render_table(table, hide_index=True)
    _render_download(table, "settings")


def _known_settings(run: Job) -> Mapping[str, Any]:
    """A run's settings; of another trainer's those that its log tells."""
    return run.spec if run.kind == "train" else {name: run.spec[name] for name in KNOWN_OF_LOGS if name in run.spec}


def _render_evaluations(runs: Sequence[Job]) -> None:
    st.subheader("Evaluations", anchor=False)
    rows = evaluation_rows({run.id: run_data.evaluation_scores(run.id) for run in runs})
    if rows.empty:
        st.caption("None of these runs has been evaluated.")
        return
    render_table(shown_evaluations(rows), hide_index=True)
    st.caption("With 95% intervals: where they overlap widely, a difference may be chance.")
    _render_download(rows, "evaluations")


def _render_download(table: pd.DataFrame, name: str) -> None:
    st.download_button(
        "CSV",
        csv_text(table),
        f"comparison-{name}.csv",
        "text/csv",
        key=f"{Keys.COMPARED} {name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
