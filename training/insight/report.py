"""A run as one HTML file that opens anywhere: what it was, how it went, what it changed. No scripts, nothing fetched.

Everything that comes from data, models or people is escaped; the file also forbids scripts and requests to itself. The
figures are `report_figures`.
"""

import html
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from training.config import SETTINGS, RunConfig, stored_config
from training.data.problems import Problem, load_problems
from training.errors import AtlasError, ConfigError
from training.evaluation.comparison import compare_evaluations, sampled_scores, scores_by_steps
from training.evaluation.evaluate import ARTICLE_FIGURES, ARTICLE_TABLE, Score, evaluation_table
from training.home import Home
from training.insight.health import MIN_STEPS, SIGNALS
from training.insight.report_figures import curve_svg, intervals_svg, legend_html, thin
from training.insight.rollout_pages import examine_sampled
from training.presets import load_preset, preset_paths
from training.rewards import REWARDS
from training.store import Job, Store
from training.store.evaluations import Evaluation, complete_evaluations
from training.store.scalar_series import RunSeries

COMPLETIONS_SHOWN = 12
"""Problems of a kind, gained or lost, that are shown with both completions; all are named."""

_STYLE = (Path(__file__).with_name("report.css")).read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report_html(store: Store, home: Home, run_id: str) -> str:
    """The report of a training run as it stands now.

    Raises:
        StoreError: there is no such run.
        ConfigError: the job is no training run.
    """
    run = store.job(run_id)
    if run.kind != "train":
        raise ConfigError(f"{run_id} is not a training run.", "`python -m training list` shows the runs.")
    config = stored_config(run.spec)
    evaluations = complete_evaluations(store, run_id)
    body = "".join(
        (
            _header(run, config),
            _tables(evaluations),
            _changes(evaluations, _problems(config, home)),
            _curves(store, run, config),
            _health(store, run),
            _configuration(config, home),
        )
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(run.id)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def _header(run: Job, config: RunConfig) -> str:
    took = "" if run.started_at is None else _duration((run.ended_at or run.heartbeat_at) - run.started_at)
    facts = {
        "Status": f"{run.status}: {run.reason or run.message}" if run.reason or run.message else run.status,
        "Steps": f"{run.done:,.0f} of {run.total:,.0f}",
        "Model": config.model,
        "Problems": config.source + (f", subset {config.subset}" if config.subset else ""),
        "Each step": f"{config.groups_per_step:,} problems × {config.num_generations:,} completions",
        "Launched": time.strftime("%d %B %Y %H:%M", time.localtime(run.created_at)),
        "Took": took or "not started",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts.items())
    return f"<h1>{_text(run.id)}</h1><dl>{rows}</dl>"


def _problems(config: RunConfig, home: Home) -> Mapping[str, Problem]:
    """By id; none where the source cannot be read any more."""
    try:
        return {problem.id: problem for problem in load_problems(config.source, home, fetch=False).problems}
    except AtlasError:
        return {}


def _tables(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return "<h2>Evaluation</h2><p>The run has no complete evaluation.</p>"
    names = [evaluation.label for evaluation in evaluations]
    tables = [evaluation_table(evaluation) for evaluation in evaluations]
    rows = [
        [title, f"{REWARDS[reward].maximum:.1f}", *(_score(table.get(key)) for table in tables)]
        + [f"{figure:.3f}" for figure in ARTICLE_FIGURES[key]]
        for key, (title, reward) in ARTICLE_TABLE.items()
    ]
    points = [(title, [table.get(key) for table in tables]) for key, (title, _) in ARTICLE_TABLE.items()]
    sizes = "; ".join(
        f"{evaluation.label}: {len({item.problem_id for item in evaluation.items}):,} {evaluation.split} problems"
        for evaluation in evaluations
    )
    return (
        "<h2>Evaluation</h2>"
        + _table(["Measure", "Maximum", *names, "article before", "article after"], rows)
        + f"<p class='note'>{_text(sizes)}. In brackets 95% intervals. The article's columns are of another model, "
        + "Llama-3.1-8B-Instruct, on half of GSM8K's test split.</p>"
        + f"<figure>{intervals_svg(points, names)}<figcaption>{legend_html(names)}</figcaption></figure>"
        + _samples(evaluations)
    )


def _samples(evaluations: Sequence[Evaluation]) -> str:
    sampled = {evaluation.label: sampled_scores(evaluation) for evaluation in evaluations}
    rows = [
        [name, score.title, f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"]
        for name, scores in sampled.items()
        for score in scores
    ]
    return "<h3>With several tries</h3>" + _table(["Evaluation", "Figure", "Value"], rows) if rows else ""


def _changes(evaluations: Sequence[Evaluation], problems: Mapping[str, Problem]) -> str:
    """First against last: the paired test, correctness by steps, and what was gained and lost."""
    if len(evaluations) < 2:
        return ""
    before, after = evaluations[0], evaluations[-1]
    compared = compare_evaluations(before, after)
    parts = [f"<h2>{_text(before.label)} against {_text(after.label)}, problem by problem</h2>"]
    parts += [f"<p>{_text(comparison.reading)}</p>" for comparison in compared.values()]
    parts.append(_by_steps(before, after, problems))
    for title, ids in (("Gained", compared["hard"].gained), ("Lost", compared["hard"].lost)):
        parts.append(f"<h3>{title} by hard correctness: {len(ids):,}</h3>")
        parts += [_pair(problem_id, problems.get(problem_id), before, after) for problem_id in ids[:COMPLETIONS_SHOWN]]
        if len(ids) > COMPLETIONS_SHOWN:
            parts.append(f"<p class='note'>And {_text(', '.join(ids[COMPLETIONS_SHOWN:]))}.</p>")
    return "".join(parts)


def _by_steps(before: Evaluation, after: Evaluation, problems: Mapping[str, Problem]) -> str:
    if not problems:
        return "<p class='note'>The run's problems cannot be read any more, so nothing is said by number of steps.</p>"
    steps = {problem_id: len(problem.steps) for problem_id, problem in problems.items()}
    later = {row.steps: row.scores.get("hard") for row in scores_by_steps(after, steps)}
    rows = [
        [_steps(row.steps), f"{row.problems:,}", _score(row.scores.get("hard")), _score(later.get(row.steps))]
        for row in scores_by_steps(before, steps)
    ]
    headings = ["Steps", "Problems", f"hard correctness {before.label}", after.label]
    return "<h3>By number of steps</h3>" + _table(headings, rows)


def _steps(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _pair(problem_id: str, problem: Problem | None, before: Evaluation, after: Evaluation) -> str:
    asked = f"<p>{_text(problem.question)}</p><p class='note'>gold {_text(problem.gold)}</p>" if problem else ""
    cards = "".join(
        f"<div><h4>{_text(evaluation.label)}</h4><pre>{_text(item.completion)}</pre>"
        f"<p class='note'>{_text(_rewards(item.rewards))}</p></div>"
        for evaluation in (before, after)
        for item in evaluation.items
        if item.problem_id == problem_id
    )
    return (
        f"<details><summary>{_text(problem_id)}{_beginning(problem)}</summary>{asked}<div class='pair'>{cards}</div></details>"
    )


def _beginning(problem: Problem | None) -> str:
    """The first words of a question, so that one need not open it to know what it asks."""
    words = " ".join(problem.question.split()) if problem else ""
    return f" <span class='note'>{_text(words[:100])}{'…' if len(words) > 100 else ''}</span>" if words else ""


def _rewards(rewards: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{REWARDS[name].title if name in REWARDS else name} {'none' if value is None else f'{value:.3g}'}"
        for name, value in rewards.items()
    )


def _curves(store: Store, run: Job, config: RunConfig) -> str:
    series = RunSeries(run.id)
    series.update(store)
    figures, longest = [], 1
    for name, title, maximum in _curve_names(config):
        steps, values = series.get(store, name)
        if len(steps):
            thinned = thin(steps, values)
            longest = max(longest, thinned.stretch)
            drawn = curve_svg(title, thinned, max(run.total, float(steps[-1])), maximum)
            figures.append(f"<figure><figcaption>{_text(title)}</figcaption>{drawn}</figure>")
    if not figures:
        return "<h2>Curves</h2><p>The run has logged nothing yet.</p>"
    means = f" Points are means of {longest:,} steps, the band is their lowest and highest." if longest > 1 else ""
    note = f"<p class='note'>By step; the dotted line is the maximum.{means}</p>"
    return f"<h2>Curves</h2>{note}<div class='curves'>{''.join(figures)}</div>"


def _curve_names(config: RunConfig) -> Iterator[tuple[str, str, float | None]]:
    """(TRL's name, title, maximum) of what the report draws."""
    yield "reward", "Total reward", config.maximum_reward
    for name in config.reward_weights:
        yield f"rewards/{name}/mean", REWARDS[name].title, REWARDS[name].maximum
    yield "completions/mean_length", "Completion length, tokens", float(config.max_completion_length)
    yield "frac_reward_zero_std", "Groups without variance, share", 1.0
    yield "entropy", "Entropy, nats", None
    yield "kl", "KL from the start, nats", None
    yield "grad_norm", "Gradient norm", None


def _health(store: Store, run: Job) -> str:
    examined = examine_sampled(store, run.id, int(run.done))
    found = examined.health
    if found.steps < MIN_STEPS:
        return f"<h2>Health</h2><p>Signals are checked from {MIN_STEPS} steps on.</p>"
    parts = [
        f"<h3>{_text(SIGNALS[name].title)}</h3><p>{_text(finding.sentence)}</p><ul>"
        + "".join(f"<li>step {row.step:,}: {_text(row.shows)}</li>" for row in finding.evidence)
        + "</ul>"
        for name, finding in found.findings.items()
    ]
    parts += [
        f"<p class='note'>{_text(f'{SIGNALS[name].title}: not checked, {why}.')}</p>" for name, why in found.unchecked.items()
    ]
    sample = f" They were checked on {found.steps:,} of {examined.steps:,} steps." if found.steps < examined.steps else ""
    note = f"<p class='note'>Signals are reasons to look, not verdicts.{sample}</p>"
    nothing = "" if found.findings else f"<p>Nothing to look at in {examined.steps:,} steps.</p>"
    return "<h2>Health</h2>" + note + nothing + "".join(parts)


def _configuration(config: RunConfig, home: Home) -> str:
    """Every setting; those that differ from the preset's stand out with the preset's value."""
    try:
        is_known = config.preset in preset_paths(home.presets)
        base = load_preset(config.preset, own=home.presets).model_dump() if is_known else {}
    except AtlasError:
        base = {}
    rows = []
    for name, value in config.model_dump().items():
        usual = base.get(name, value)
        changed = "" if usual == value or name in ("preset", "source") else f"the preset has {_value(usual)}"
        rows.append([SETTINGS[name].group, name, _value(value), changed])
    return "<h2>Configuration</h2>" + _table(["Group", "Setting", "Value", "Changed"], rows)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {weight:g}" for name, weight in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _score(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _text(text: str) -> str:
    return html.escape(text, quote=True)
