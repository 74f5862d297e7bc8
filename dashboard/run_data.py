"""What pages read of runs: curves, completions, health, checkpoints. See `caching` for how it is kept.

A run may be going on, so everything is cached by how far its records reach; every cache has a bound.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.atlas import Atlas
from analysis.brushing import largest_clusters, over_steps, stretches
from analysis.outcomes import RunGroups
from analysis.pools import POOL, drawn_by_step, sizes_by_step, with_pools
from dashboard import axes, figures, map_data, step_figures, training_map_figure
from dashboard.axes import Axis
from dashboard.background import Reading
from dashboard.caching import cached
from dashboard.changed_problems import changed_problems
from dashboard.comparison_tables import Scores, scores_of
from dashboard.curve_figures import Look, Onset, curve_figure, in_words
from dashboard.curves import Curve
from dashboard.data import home, problems_by_id, store, web_files
from dashboard.evaluated_points import Points, RunPoints
from dashboard.live_run import LiveRun, Now, View
from dashboard.run_changes import RunChanges
from dashboard.run_head import Head, head_names, head_of
from dashboard.step_figures import Bin
from training.config import StageConfig
from training.doctor.examination import Health, examine
from training.doctor.signals import SIGNALS
from training.insight.agreement import Agreement, agreement_of
from training.insight.disagreement import Disagreement, disagreement_of
from training.insight.judges import Part, offered_judges, usual_judges
from training.prior import kept_prior
from training.rewards import verifier_of
from training.store import Job, Store
from training.store.answer_marks import Judges
from training.store.evaluations import Evaluation, complete_evaluations, last_evaluation
from training.store.ledger import group_rewards, newest_rollout, step_reach, step_rows
from training.store.scalar_series import EMPTY, RunSeries, Series, series_names
from training.store.sessions import elapsed_s, sessions_of, step_times
from training.stored_config import rollout_config, stored_config

_RUNS = 8
"""Runs whose records are kept in memory; the curves of one of 100,000 steps take about 40 MB."""

COMPARED = 32
"""The most runs that are compared; their curves are kept, of which a comparison reads few of each."""

_LONG = 5_000
"""Steps."""

_HEALTH_SHARE = 20
"""A run that goes on is examined again when it is longer by a twentieth."""


def series_of(run_id: str, names: Iterable[str]) -> dict[str, Series]:
    """A run's series by name, as they stand now, for reading only."""
    rows = store()  # first: where it is another one than before, nothing that was kept is used
    return _run_series(run_id).read(rows, names)[1]


def _last_scalar(run_id: str) -> int:
    return store().last_scalar(run_id)


@cached(_RUNS, by=_last_scalar)
def logged_names(run_id: str) -> frozenset[str]:
    """The names of the scalars that a run logs."""
    return frozenset(series_names(store(), run_id))


@cached(4 * _RUNS, by=lambda run_id, view: (_last_scalar(run_id), _last_evaluation(run_id)))
def curves_json(run_id: str, view: View) -> bytes:
    """A run's curves, ready for the browser; made anew when a step was logged, once for all sessions that look at it.

    See `curve_figures.curve_figure` and `figures.panels_json`.
    """
    rows = store()
    axis = axes_of([rows.job(run_id)], view.axis)[run_id]
    return _panels(run_id, view, _run_series(run_id).read(rows, view.names)[1], axis, points_of(run_id))


def axes_of(runs: Sequence[Job], key: str) -> dict[str, Axis]:
    """What the curves of each run are drawn over, by its id: all on one axis.

    Args:
        runs: the runs.
        key: of `axes.AXES`.
    """
    elapsed = {run.id: elapsed_of(run.id) if key == axes.TIME else EMPTY for run in runs}
    longest_s = max((float(times[-1]) for _, times in elapsed.values() if len(times)), default=0.0)
    return {
        run.id: axes.axis_named(
            key,
            completions_per_step=stored_config(run.spec).completions_per_step,
            tokens=series_of(run.id, [axes.TOKENS_LOGGED])[axes.TOKENS_LOGGED] if key == axes.TOKENS else EMPTY,
            elapsed=elapsed[run.id],
            longest_s=longest_s,
        )
        for run in runs
    }


@cached(COMPARED, by=_last_scalar)
def elapsed_of(run_id: str) -> Series:
    """A run's steps, and the seconds of training that led to each."""
    return _elapsed(store(), run_id)


def _elapsed(rows: Store, run_id: str) -> Series:
    steps, times = step_times(rows, run_id)
    return steps, elapsed_s(times, sessions_of(rows, [run_id]).get(run_id, []))


def points_of(run_id: str) -> Points:
    """What the run's evaluations came to, see `evaluated_points`."""
    rows = store()
    kept = _run_points(run_id)
    with kept.lock:
        return kept.points.read(rows)


def head_now(run: Job, config: StageConfig) -> Head:
    """The head of a run's page."""
    rows = store()  # first: where it is another one than before, nothing that was kept is used
    return head_of(run, config, series_of(run.id, head_names(config)), _run_changes(run.id).read(rows, config))


@cached(_RUNS)
def live_run(run_id: str) -> LiveRun:
    """What moves of a run that goes on, for all sessions together."""
    rows, kept, changes, evaluated = store(), _run_series(run_id), _run_changes(run_id), _run_points(run_id)
    config = stored_config(rows.job(run_id).spec)

    def look() -> Now:  # without a session, as whatever the reader calls
        newest, found = kept.read(rows, head_names(config))
        return Now(newest, head_of(rows.job(run_id), config, found, changes.read(rows, config)))

    def make(view: View) -> bytes:
        with evaluated.lock:
            points = evaluated.points.read(rows)
        series = kept.read(rows, view.names)[1]
        axis = axes.axis_named(
            view.axis,
            completions_per_step=config.completions_per_step,
            tokens=series.get(axes.TOKENS_LOGGED, EMPTY),
            elapsed=_elapsed(rows, run_id) if view.axis == axes.TIME else EMPTY,
        )
        return _panels(run_id, view, series, axis, points)

    return LiveRun(run_id, web_files(), look, make)


def _examined_to(run: Job) -> int:
    """The step up to which a run is examined: of one that goes on, up to a twentieth of its length behind."""
    last = store().last_rollout_step(run.id)
    return last - last % max(1, last // _HEALTH_SHARE) if run.active else last


def health_of(run: Job) -> Health | None:
    """What the doctor says of the run, `None` before it has rollouts; of a long run, of a sample of its steps."""
    found = _health(run)
    _seen(run.id).examined = True
    return found


@cached(_RUNS, by=lambda run: (_examined_to(run), last_evaluation(store(), run.id)))
def _health(run: Job) -> Health | None:
    last = _examined_to(run)
    return examine(store(), run.id, last) if last else None


@dataclass
class _Seen:
    """Whether a run was examined once."""

    examined: bool = False


@cached(_RUNS)
def _seen(run_id: str) -> _Seen:
    return _Seen()


def is_soon_examined(run: Job) -> bool:
    """Whether the run is short, or was examined before: a long one takes a second, for which its curves need not wait."""
    return run.done < _LONG or _seen(run.id).examined


def onsets_of(run: Job) -> tuple[Onset, ...]:
    """Where the run's findings begin, for its curves."""
    health = health_of(run)
    found = {} if health is None else health.findings
    return tuple(
        Onset(finding.onset, SIGNALS[name].title, SIGNALS[name].level, SIGNALS[name].curves) for name, finding in found.items()
    )


@cached(_RUNS, by=lambda run: (_examined_to(run), last_evaluation(store(), run.id)))
def agreement(run: Job) -> Agreement:
    """What the run's completions say against the gold answers."""
    return agreement_of(store(), run.id)


def _judged_to(run: Job, *_: object) -> tuple[int, int]:
    """How far a run's completions are read to be judged: all of one that has ended."""
    return _examined_to(run) if run.active else newest_rollout(store(), run.id), last_evaluation(store(), run.id)


@cached(_RUNS, by=_judged_to)
def usual_judges_of(run: Job, evaluation: str) -> Judges:
    """The judges to begin with, see `training.insight.judges.usual_judges`."""
    return usual_judges(store(), Part(run.id, evaluation))


@cached(_RUNS, by=_judged_to)
def offered_judges_of(run: Job, evaluation: str) -> tuple[str, ...]:
    """The judges that can be asked, see `training.insight.judges.offered_judges`."""
    return offered_judges(store(), Part(run.id, evaluation))


@cached(_RUNS, by=_judged_to)
def disagreement(run: Job, evaluation: str, judges: Judges) -> Reading[Disagreement]:
    """What two judges say of a run's completions, as it is being read."""
    rows, part = store(), Part(run.id, evaluation)
    problems = problems_by_id(str(run.spec.get("source", "")), str(run.spec.get("content_hash", "")))
    golds = {problem.id: problem.gold for problem in problems.values()}
    return Reading(lambda told: disagreement_of(rows, part, judges, golds, told=told))


def _last_evaluation(run_id: str) -> int:
    return last_evaluation(store(), run_id)


@cached(_RUNS, by=_last_evaluation)
def evaluations_of(run_id: str) -> tuple[Evaluation, ...]:
    """The run's complete evaluations, oldest first."""
    return tuple(complete_evaluations(store(), run_id))


@cached(4 * COMPARED, by=_last_evaluation)
def evaluation_scores(run_id: str) -> tuple[Scores, ...]:
    """What the run's complete evaluations came to, oldest first."""
    return tuple(scores_of(evaluation) for evaluation in complete_evaluations(store(), run_id))


def _step_reach(run_id: str, step: int, *_: object) -> tuple[int, int]:
    return step_reach(store(), run_id, step)


@cached(4 * _RUNS, by=_step_reach)
def step_of(run_id: str, step: int) -> pd.DataFrame:
    """`step_figures.step_frame` of a step; of no other step anything is read."""
    rows = store()
    return step_figures.step_frame(step_rows(rows, run_id, step), verifier_of(rows.job(run_id).spec))


@cached(32 * _RUNS, by=_step_reach)
def step_histogram(run_id: str, step: int, column: str, chosen: Bin | None) -> figures.Spec:
    """`step_figures.histogram` of a column of a step."""
    return figures.spec(step_figures.histogram(step_of(run_id, step), column, chosen))


@cached(4 * _RUNS, by=_step_reach)
def step_scatter(run_id: str, step: int) -> figures.Spec:
    """`step_figures.advantage_against_length` of a step."""
    return figures.spec(step_figures.advantage_against_length(step_of(run_id, step)))


def groups_of(run_id: str) -> pd.DataFrame:
    """`analysis.outcomes.group_frame` of a run as it stands now, for reading only."""
    return _current_groups(run_id)[1]


@cached(_RUNS, by=lambda run_id, *_: _current_groups(run_id)[0])
def rewards_of(run_id: str, names: tuple[str, ...]) -> pd.DataFrame:
    """A row a group, in training order: `problem`, `step`, and the unweighted mean of each reward function (float)."""
    found = group_rewards(store(), run_id, names)
    means = pd.DataFrame([means for *_, means in found], columns=list(names), dtype=float)
    return pd.DataFrame({"problem": [row[0] for row in found], "step": [row[1] for row in found]}).join(means)


@cached(4 * _RUNS, by=lambda run_id, *_: _current_groups(run_id)[0])
def curves_by_cluster(run_id: str, shown: Atlas, measure: str, most: int) -> dict[int | None, pd.DataFrame]:
    """Cluster -> `analysis.brushing.over_steps` of a measure, of those that training met most; `None` -> that of all problems.

    Args:
        measure: a key of `analysis.outcomes.OF_TRAINING`.
    """
    groups = groups_of(run_id)
    edges = stretches(int(groups["step"].min()), int(groups["step"].max()))
    parts = largest_clusters(groups, map_data.cluster_of(shown), most)
    curves: dict[int | None, pd.DataFrame] = {None: over_steps(groups, measure, edges)}
    for label, part in parts.items():
        curves[label] = over_steps(part, measure, edges)
    return curves


@cached(_RUNS, by=lambda run_id, *_: _current_groups(run_id)[0])
def pools_of(run_id: str) -> pd.DataFrame:
    """`groups_of` a run with the pools that its problems went through, by its own limits."""
    config = rollout_config(store().job(run_id).spec)
    return with_pools(groups_of(run_id), config.pool_limits, kept_prior(home().job_folder(run_id)))


@cached(_RUNS, by=lambda run_id, *_: _current_groups(run_id)[0])
def pools_over_steps(run_id: str, problems: int) -> figures.Spec:
    """How the pools fill, and what the steps draw from them, see `training_map_figure.pools_figure`.

    Args:
        problems: how many the run trains on.
    """
    groups = pools_of(run_id)
    return figures.spec(training_map_figure.pools_figure(sizes_by_step(groups, problems), drawn_by_step(groups)))


@cached(4 * _RUNS, by=lambda run_id, *_: _current_groups(run_id)[0])
def timeline_of(run_id: str, shown: Atlas, measure: str) -> figures.Spec:
    """What colours a map step by step, see `training_map_figure.timeline`; made anew when completions were recorded."""
    rows, positions = map_data.rows(shown.problem_set), map_data.flat_positions(shown)
    groups = pools_of(run_id) if measure == POOL else groups_of(run_id)
    return training_map_figure.timeline(groups, rows, positions, measure)


@cached(_RUNS, by=lambda run_id, shown: (_current_groups(run_id)[0], _last_evaluation(run_id)))
def changes_of(run_id: str, shown: Atlas) -> tuple[Evaluation, Evaluation, pd.DataFrame] | None:
    """The run's first and last evaluation of test problems, and `changed_problems` of them; `None` without two."""
    tests = [evaluation for evaluation in evaluations_of(run_id) if evaluation.split == "test"]
    if len(tests) < 2:
        return None
    first, last = tests[0], tests[-1]
    return first, last, changed_problems(first, last, shown, map_data.rows(shown.problem_set), groups_of(run_id))


@cached(16 * _RUNS, by=lambda folder: folder.stat().st_mtime_ns if folder.is_dir() else None)
def folder_size(folder: Path) -> int | None:
    """Bytes of the files in a folder, `None` where it is not there."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else None


def _current_groups(run_id: str) -> tuple[int, pd.DataFrame]:
    """How far the run's rollouts are read, and its groups as they stand there."""
    rows = store()  # first: where it is another one than before, nothing that was kept is used
    kept = _run_groups(run_id)
    with kept.lock:
        kept.groups.update(rows)
        return kept.groups.newest, kept.groups.frame


@dataclass(frozen=True)
class _Kept:
    """A run's series, which several sessions read."""

    series: RunSeries
    lock: threading.Lock

    def read(self, rows: Store, names: Iterable[str]) -> tuple[int, dict[str, Series]]:
        """How far the run's scalars are read, and the series as they stand there."""
        with self.lock:
            self.series.update(rows)
            return self.series.newest, {name: self.series.get(rows, name) for name in names}


@dataclass(frozen=True)
class _KeptPoints:
    """What a run's evaluations came to, which several sessions read."""

    points: RunPoints
    lock: threading.Lock


@dataclass(frozen=True)
class _KeptGroups:
    """A run's groups, which several sessions read."""

    groups: RunGroups
    lock: threading.Lock


@cached(_RUNS)
def _run_groups(run_id: str) -> _KeptGroups:
    return _KeptGroups(RunGroups(run_id), threading.Lock())


@cached(_RUNS)
def _run_changes(run_id: str) -> RunChanges:
    return RunChanges(run_id)


@cached(COMPARED)
def _run_points(run_id: str) -> _KeptPoints:
    return _KeptPoints(RunPoints(run_id, stored_config(store().job(run_id).spec)), threading.Lock())


@cached(COMPARED)
def _run_series(run_id: str) -> _Kept:
    return _Kept(RunSeries(run_id), threading.Lock())


def _panels(run_id: str, view: View, series: Mapping[str, Series], axis: Axis, points: Points) -> bytes:
    def drawn(curve: Curve) -> dict[str, object]:
        look = Look(
            f"{run_id} {curve.key}", view.max_steps, view.weight, view.window, has_marks=bool(points), onsets=view.onsets
        )
        return curve_figure(series, curve, axis, look, points)

    return figures.panels_json(
        figures.Panel(curve.key, in_words(series, curve, points, view.onsets), drawn(curve)) for curve in view.shown
    )
