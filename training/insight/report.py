"""A run as one HTML file that opens anywhere: what it was, how it went, what it changed. No scripts, nothing fetched.

What is said is gathered here; how it is laid out is `report.html.j2`, which escapes everything that comes from data, models
or people and forbids scripts and requests to itself. The figures are `report_figures`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.config import RunConfig, StageConfig
from training.data.left_out import left_out
from training.data.problem import Problem, ProblemSet
from training.data.problems import load_problems
from training.doctor.examination import MIN_STEPS, examine
from training.doctor.signals import SIGNALS
from training.errors import AtlasError, ConfigError
from training.evaluation.comparison import (
    answers_reading,
    compare_evaluations,
    correctness_measures,
    scores_by_steps,
)
from training.evaluation.evaluate import ARTICLE_FIGURES, ARTICLE_TABLE, Score, evaluation_table
from training.evaluation.scaling import sampled_scores
from training.home import Home
from training.insight.report_figures import curve_svg, intervals_svg, thin
from training.presets import load_preset, preset_paths
from training.rewards import REWARDS, maximum_of, title_of
from training.settings import SETTINGS_OF, step_words
from training.store import RUN_KINDS, Job, Store
from training.store.evaluations import Evaluation, complete_evaluations
from training.store.scalar_series import RunSeries
from training.stored_config import KNOWN_OF_LOGS, ImportedConfig, stored_config
from training.templates import template
from training.text import duration, listed, with_interval

COMPLETIONS_SHOWN = 12
"""Problems of a kind, gained or lost, that are shown with both completions; all are named."""


def report_html(store: Store, home: Home, run_id: str) -> str:
    """The report of a training run as it stands now.

    Raises:
        StoreError: there is no such run.
        ConfigError: the job is no run.
    """
    run = store.job(run_id)
    if run.kind not in RUN_KINDS:
        raise ConfigError(f"{run_id} is not a run.", "`python -m training list` shows the runs.")
    config = stored_config(run.spec)
    evaluations = complete_evaluations(store, run_id)
    health = examine(store, run.id, int(run.done))
    problem_set = _problem_set(config, home)
    return template("insight/report.html.j2").render(
        run=run.id,
        facts=_facts(run, config, problem_set),
        evaluations=evaluations,
        answers_reading=answers_reading,
        completions_shown=COMPLETIONS_SHOWN,
        rewards_line=_rewards_line,
        health=health,
        generates=isinstance(config, RunConfig),
        min_steps=MIN_STEPS,
        signals=SIGNALS,
        settings=list(_settings(config, home)),
        **_measured(evaluations),
        **_changes(evaluations, {problem.id: problem for problem in problem_set.problems} if problem_set else {}),
        **_curves(store, run, config),
    )


def _facts(run: Job, config: StageConfig, problem_set: ProblemSet | None) -> dict[str, str]:
    told = run.reason or run.message
    passed_over = left_out(problem_set) if problem_set is not None else ""
    facts = {
        "Status": f"{run.status}: {told}" if told else run.status,
        "Steps": f"{run.done:,.0f} of {run.total:,.0f}",
        "Model": config.model,
        "Problems": config.source + (f", subset {config.subset}" if config.subset else ""),
        "Each step": step_words(config),
        "Launched": time.strftime("%d %B %Y %H:%M", time.localtime(run.created_at)),
        "Took": "not started" if run.started_at is None else duration((run.ended_at or run.heartbeat_at) - run.started_at),
    }
    return facts | ({"Left out": passed_over} if passed_over else {})


def _problem_set(config: StageConfig, home: Home) -> ProblemSet | None:
    """What the run trained on; `None` where the source cannot be read any more, or holds other problems."""
    try:
        found = load_problems(config.source, home, fetch=False)
    except AtlasError:
        return None
    return found if found.has_content(config.content_hash) else None


def _measured(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The article's table with its figure, and what several completions a problem add."""
    tables = [evaluation_table(evaluation) for evaluation in evaluations]
    measures = [
        [title, f"{REWARDS[reward].maximum:.1f}", *(_score(table.get(key)) for table in tables)]
        + [f"{figure:.3f}" for figure in ARTICLE_FIGURES[key]]
        for key, (title, reward) in ARTICLE_TABLE.items()
    ]
    points = [(title, [table.get(key) for table in tables]) for key, (title, _) in ARTICLE_TABLE.items()]
    tries = [
        [evaluation.label, score.title, with_interval(score.value, score.low, score.high)]
        for evaluation in evaluations
        for score in sampled_scores(evaluation)
    ]
    intervals = intervals_svg(points, [evaluation.label for evaluation in evaluations])
    return {"measures": measures, "intervals": intervals, "tries": tries}


def _changes(evaluations: Sequence[Evaluation], problems: Mapping[str, Problem]) -> dict[str, Any]:
    """First against last: the paired test, correctness by steps, and what was gained and lost."""
    if len(evaluations) < 2:
        return {"compared": {}}
    before, after = evaluations[0], evaluations[-1]
    steps = {problem_id: len(problem.steps) for problem_id, problem in problems.items()}
    later = {row.steps: row.scores.get("hard") for row in scores_by_steps(after, steps)}
    by_steps = [
        [
            "unknown" if row.steps is None else row.steps,
            f"{row.problems:,}",
            _score(row.scores.get("hard")),
            _score(later.get(row.steps)),
        ]
        for row in scores_by_steps(before, steps)
    ]
    compared = compare_evaluations(before, after)
    judged = next(compared[key] for key, measure in correctness_measures(after.verifier).items() if measure == after.verifier)
    return {"compared": compared, "judged": judged, "problems": problems, "by_steps": by_steps}


def _rewards_line(rewards: Mapping[str, float | None]) -> str:
    return ", ".join(f"{title_of(name)} {'none' if value is None else f'{value:.3g}'}" for name, value in rewards.items())


def _curves(store: Store, run: Job, config: StageConfig) -> dict[str, Any]:
    """(title, figure) of every series on record, and the most steps that a point of theirs stands for."""
    series = RunSeries(run.id)
    series.update(store)
    curves, stretch = [], 1
    for name, title, maximum in _curve_names(config):
        steps, values = series.get(store, name)
        if len(steps):
            thinned = thin(steps, values)
            stretch = max(stretch, thinned.stretch)
            curves.append((title, curve_svg(title, thinned, max(run.total, float(steps[-1])), maximum)))
    return {"curves": curves, "stretch": stretch}


def _curve_names(config: StageConfig) -> Iterator[tuple[str, str, float | None]]:
    """(TRL's name, title, maximum) of what the report draws."""
    if not isinstance(config, RunConfig):
        yield "loss", "Loss", None
        yield "mean_token_accuracy", "Tokens foreseen, share", 1.0
        yield "entropy", "Entropy, nats", None
        yield "grad_norm", "Gradient norm", None
        return
    yield "reward", "Total reward", config.maximum_reward
    for name in config.reward_weights:
        yield f"rewards/{name}/mean", title_of(name), maximum_of(name)
    yield "completions/mean_length", "Completion length, tokens", float(config.max_completion_length)
    yield "frac_reward_zero_std", "Groups without variance, share", 1.0
    yield "entropy", "Entropy, nats", None
    yield "kl", "KL from the start, nats", None
    yield "grad_norm", "Gradient norm", None


def _settings(config: StageConfig, home: Home) -> Iterator[tuple[str, str, str, str]]:
    """(group, name, value, what the preset has where that is something else) of every setting; of a log what is known."""
    if isinstance(config, ImportedConfig):
        yield from (("Log", name, _value(getattr(config, name)), "") for name in KNOWN_OF_LOGS)
        return
    try:
        is_known = config.preset in preset_paths(home.presets)
        base = load_preset(config.preset, own=home.presets).model_dump() if is_known else {}
    except AtlasError:
        base = {}
    for name, value in config.model_dump().items():
        usual = base.get(name, value)
        changed = "" if usual == value or name in ("preset", "content_hash", "source") else f"the preset has {_value(usual)}"
        yield SETTINGS_OF[config.stage][name].group, name, _value(value), changed


def _value(value: object) -> str:
    if isinstance(value, dict):
        return listed(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _score(score: Score | None) -> str:
    return "" if score is None else with_interval(score.value, score.low, score.high)
