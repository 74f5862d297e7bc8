"""Several runs compared: curves over each other, then what was set differently, what came of it, and their evaluations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from analysis.export import csv_text
from dashboard import data, run_data
from dashboard.addresses import COMPARED
from dashboard.axes import AXES, STEP, Axis, offered_axes
from dashboard.comparison_figures import Panel, RunCurve, comparison_panels, legend
from dashboard.comparison_tables import (
    WINDOW_STEPS,
    differing_settings,
    evaluation_rows,
    final_and_best,
    shown_evaluations,
)
from dashboard.components.run.comparison_problems import render_problems
from dashboard.components.run.curve_controls import chosen_window, render_controls, take_zoom
from dashboard.components.run.plot_grid import render_plot_grid
from dashboard.components.shared.errors import fragment, render_error
from dashboard.components.shared.table import render_table
from dashboard.curve_figures import Look
from dashboard.curves import Curve, arranged, run_curves
from dashboard.figures import panels_json
from dashboard.keys import Keys
from dashboard.memory import Compared
from dashboard.state import State
from dashboard.text import plain
from dashboard.thinning import POINTS
from training.errors import AtlasError
from training.store import RUN_KINDS, TRAINED_KINDS, Job
from training.store.job_search import newest_run_ids
from training.stored_config import KNOWN_OF_LOGS, stored_config
from training.text import words_listed

_POLL_S = 2.0
_OFFERED = 1000
"""The newest runs, which the field offers; the list of runs has all."""
_USUAL = ("reward", "correctness", "soft_correctness", "length")
"""Keys of the curves that a comparison begins with."""


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
    active = any(run.active for run in runs)
    fragment(_render_curves, run_every=_POLL_S if active else None)(runs, catalogue, state)
    render_problems(runs)
    _render_settings(runs)
    _render_evaluations(runs)


def _render_choice(run_ids: Sequence[str]) -> None:
    st.multiselect("Runs", run_ids, placeholder="Choose two or more", max_selections=run_data.COMPARED, **Compared.runs.bind())


def _axes(run: Job) -> list[str]:
    """Keys of the axes that a run has; one whose configuration cannot be read has its steps."""
    try:
        return offered_axes(stored_config(run.spec), run_data.logged_names(run.id))
    except AtlasError:
        return [STEP]


def _render_curves(runs: Sequence[Job], catalogue: Sequence[Curve], state: State) -> None:
    """The curves and what they come to, as they are chosen now."""
    offered = {run.id: _axes(run) for run in runs}
    chosen = arranged(catalogue, state.compared.curves or _USUAL)
    known = [key for key in AXES if any(key in axes for axes in offered.values())]
    render_controls(known, catalogue, chosen, Compared.curves, max(run.total for run in runs), state)
    drawn = [run for run in runs if state.shown.axis in offered[run.id]]
    if left_out := [run.id for run in runs if run not in drawn]:
        axis = AXES[state.shown.axis].lower()
        st.caption(plain(f"{words_listed(left_out)}: not drawn over {axis}, which is not known of them."))
    _render_panels([run.id for run in runs], run_data.axes_of(drawn, state.shown.axis), chosen, state)
    state.write_url(*COMPARED)


def _render_panels(run_ids: Sequence[str], axes: Mapping[str, Axis], curves: Sequence[Curve], state: State) -> None:
    """The curves of the runs that have an axis."""
    panels = [Panel(curve, _run_curves(axes, curve)) for curve in curves]
    panels = [panel for panel in panels if panel.runs]
    if not panels:
        st.caption("None of these runs has taken a step yet; their curves appear here.")
        return

    def arrange(keys: list[str]) -> None:
        state.compared.curves = tuple(keys)

    longest = max((run for panel in panels for run in panel.runs.values()), key=lambda run: int(run.series[0][-1]))
    view = " ".join([*run_ids, state.shown.axis])
    has_marks = any(run.points for panel in panels for run in panel.runs.values())
    look = Look(view, int(longest.series[0][-1]), state.shown.smoothing, chosen_window(state), has_marks)
    render_plot_grid(
        panels_json(comparison_panels(panels, run_ids, look)),
        key=Keys.COMPARED_GRID,
        name="comparison",
        on_zoomed=lambda window: take_zoom(window, longest.axis, state),
        on_arranged=arrange,
        legend=[entry for entry in legend(run_ids) if entry.name in axes],
    )
    st.caption(_note(panels, state))
    table = final_and_best(panels)
    st.subheader("Final and best values", anchor=False)
    number = st.column_config.NumberColumn(format="%.3g")
    render_table(table, hide_index=True, column_config=dict.fromkeys(("final", "highest", "lowest"), number))
    st.caption(f"Means of {WINDOW_STEPS} steps in a row, with the last step of each; for a reward the highest is the best.")
    _render_download(table, "values")


def _catalogue(runs: Sequence[Job]) -> list[Curve]:
    """Every curve that one of the runs may have; a run whose configuration cannot be read adds none."""
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
    return list(found.values())


def _run_curves(axes: Mapping[str, Axis], curve: Curve) -> dict[str, RunCurve]:
    """By run id, of those that have the curve."""
    found = {}
    for run_id, axis in axes.items():
        series = run_data.series_of(run_id, [curve.name])[curve.name]
        if len(series[1]):
            found[run_id] = RunCurve(series, axis, run_data.points_of(run_id).get(curve.name, ()))
    return found


def _note(panels: Sequence[Panel], state: State) -> str:
    parts = ["Click a run in the legend to hide it, with Shift to see it alone; drag to zoom, double-click to undo."]
    if state.shown.smoothing:
        parts.append("Faint lines are the values as measured.")
    if any(run.points for panel in panels for run in panel.runs.values()):
        parts.append("Diamonds are evaluations with their 95% intervals.")
    longest = max(len(curve.series[1]) for panel in panels for curve in panel.runs.values())
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
    return run.spec if run.kind in TRAINED_KINDS else {name: run.spec[name] for name in KNOWN_OF_LOGS if name in run.spec}


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
