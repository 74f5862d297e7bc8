"""What pages read of runs, cached: curves, completions, health, checkpoints. With `data`, the only place with `st.cache_*`.

A run may be going on, so everything is cached by how far its records reach; every cache has a bound.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import figures
from dashboard.comparison_tables import Scores, scores_of
from dashboard.curves import Curve, curve_figure
from dashboard.data import store
from dashboard.thinning import Window
from training.evaluations import Evaluation, complete_evaluations, last_evaluation
from training.rollout_pages import Examination, examine_sampled
from training.scalar_series import RunSeries, Series, series_names
from training.sessions import step_times as step_times_of
from training.store import Job

_RUNS = 8
"""Runs whose records are kept in memory; the curves of one of 100,000 steps take about 40 MB."""

_COMPARED = 32
"""Runs whose curves are kept for comparisons, which read few of each."""

_HEALTH_SHARE = 20
"""A run that goes on is examined again when it is longer by a twentieth."""


def series_of(run_id: str, names: Iterable[str]) -> dict[str, Series]:
    """A run's series by name, as they stand now, for reading only."""
    return _current(run_id, names)[1]


def logged_names(run_id: str) -> frozenset[str]:
    """The names of the scalars that a run logs."""
    return _logged_names(run_id, store().last_scalar(run_id))


def curve_spec(run_id: str, curve: Curve, max_steps: int, weight: float = 0.0, window: Window | None = None) -> figures.Spec:
    """A run's curve, ready for the browser; made anew when a step was logged. See `curves.curve_figure`."""
    newest, series = _current(run_id, curve.names)
    return _curve_spec(run_id, newest, curve, max_steps, weight, window, series)


def health_of(run: Job) -> Examination | None:
    """The run's health signals, `None` before it has rollouts; of a long run, of a sample of its steps.

    Of a run that goes on they are up to a twentieth of its length old.
    """
    last = store().last_rollout_step(run.id)
    stride = max(1, last // _HEALTH_SHARE) if run.active else 1
    return _health(run.id, last - last % stride, run.started_at) if last else None


def evaluations_of(run_id: str) -> tuple[Evaluation, ...]:
    """The run's complete evaluations, oldest first."""
    return _evaluations(run_id, last_evaluation(store(), run_id))


def evaluation_scores(run_id: str) -> tuple[Scores, ...]:
    """What the run's complete evaluations came to, oldest first."""
    return _evaluation_scores(run_id, last_evaluation(store(), run_id))


def step_times(run_id: str) -> Series:
    """When each step was recorded, see `training.sessions.step_times`."""
    return _step_times(run_id, store().last_scalar(run_id))


def folder_size(folder: Path) -> int | None:
    """Bytes of the files in a folder, `None` where it is not there."""
    return _folder_size(str(folder), folder.stat().st_mtime_ns) if folder.is_dir() else None


def _current(run_id: str, names: Iterable[str]) -> tuple[int, dict[str, Series]]:
    """How far the run's scalars are read, and the series as they stand there."""
    kept = _run_series(run_id)
    with kept.lock:
        kept.series.update(store())
        return kept.series.newest, {name: kept.series.get(store(), name) for name in names}


@dataclass(frozen=True)
class _Kept:
    """A run's series, which several sessions read."""

    series: RunSeries
    lock: threading.Lock


@st.cache_resource(show_spinner=False, max_entries=_COMPARED)
def _run_series(run_id: str) -> _Kept:
    return _Kept(RunSeries(run_id), threading.Lock())


@st.cache_resource(show_spinner=False, max_entries=_RUNS)
def _logged_names(run_id: str, last_scalar: int) -> frozenset[str]:
    return frozenset(series_names(store(), run_id))


@st.cache_resource(show_spinner=False, max_entries=24 * _RUNS, hash_funcs={Curve: repr})
def _curve_spec(
    run_id: str,
    newest: int,
    curve: Curve,
    max_steps: int,
    weight: float,
    window: Window | None,
    _series: dict[str, Series],
) -> figures.Spec:
    view = f"{run_id} {curve.key}"
    return figures.spec(curve_figure(_series, curve, max_steps=max_steps, view=view, weight=weight, window=window))


@st.cache_resource(show_spinner=False, max_entries=_RUNS)
def _health(run_id: str, up_to_step: int, started_at: float | None) -> Examination:
    return examine_sampled(store(), run_id, up_to_step)


@st.cache_resource(show_spinner=False, max_entries=_RUNS)
def _evaluations(run_id: str, last_evaluation: int) -> tuple[Evaluation, ...]:
    return tuple(complete_evaluations(store(), run_id))


@st.cache_resource(show_spinner=False, max_entries=4 * _COMPARED)
def _evaluation_scores(run_id: str, last_evaluation: int) -> tuple[Scores, ...]:
    return tuple(scores_of(evaluation) for evaluation in complete_evaluations(store(), run_id))


@st.cache_resource(show_spinner=False, max_entries=_COMPARED)
def _step_times(run_id: str, last_scalar: int) -> Series:
    return step_times_of(store(), run_id)


@st.cache_resource(show_spinner=False, max_entries=16 * _RUNS)
def _folder_size(folder: str, modified_ns: int) -> int:
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
