"""Evaluations, comparisons and what the ledger tells, as the command line gives them: facts for `--json`, lines for people."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from training.backends import BackendState
from training.doctor.examination import MIN_STEPS, Health
from training.doctor.finding import Finding, Signal
from training.doctor.signals import SIGNALS
from training.evaluation.comparison import (
    Comparison,
    answers_reading,
    compare_run,
    scores_by_steps,
    without_answer,
)
from training.evaluation.evaluate import evaluation_table
from training.evaluation.scaling import SampledScore, sampled_scores
from training.insight.counterfactuals import Counterfactual
from training.store.evaluations import Evaluation
from training.text import agree, count, listed, span, with_interval

_IDS_SHOWN = 10
"""Problems that a line names of a list; the facts name all."""


def evaluation_facts(
    evaluation: Evaluation, steps: Mapping[str, int] | None = None, curves: Sequence[SampledScore] | None = None
) -> dict[str, Any]:
    """The article's figures by key, their intervals, and what else the evaluation holds.

    Args:
        steps: problem id -> its number of steps; without it there are no figures by steps.
        curves: what several completions a problem come to; those that need no judge where not given.
    """
    table = evaluation_table(evaluation)
    facts: dict[str, Any] = {key: score.value for key, score in table.items()}
    facts["intervals"] = {key: [score.low, score.high] for key, score in table.items()}
    facts["tokens"] = sum(item.tokens for item in evaluation.items)
    facts["without_answer"] = without_answer(evaluation)
    if sampled := sampled_scores(evaluation) if curves is None else curves:
        facts["sampled"] = {score.title: [score.value, score.low, score.high] for score in sampled}
        facts["sampled_tokens"] = {score.title: score.tokens for score in sampled}
    if steps is not None:
        facts["by_steps"] = [asdict(row) for row in scores_by_steps(evaluation, steps)]
    return facts


def evaluation_size(evaluation: Evaluation) -> str:
    """How much was evaluated: `100 test problems`, `8 test problems, 16 completions`."""
    several = f", {len(evaluation.items):,} completions" if len(evaluation.items) > evaluation.problems else ""
    return count(evaluation.problems, f"{evaluation.split} problem") + several


def evaluation_lines(
    evaluation: Evaluation, steps: Mapping[str, int] | None = None, curves: Sequence[SampledScore] | None = None
) -> Iterator[str]:
    """The article's table; then, where there are several completions a problem, what they come to; then by steps.

    Args:
        steps, curves: as of `evaluation_facts`.
    """
    yield f"  {'Metric type':<22} {'Value':>6}  {'95% interval':<16} {'Max':>4}"
    for score in evaluation_table(evaluation).values():
        yield f"  {score.title:<22} {score.value:>6.3f}  {span(score.low, score.high):<16} {score.maximum:>4.1f}"
    if reading := answers_reading(evaluation):
        yield f"  {reading}"
    if sampled := sampled_scores(evaluation) if curves is None else curves:
        yield from curve_lines(sampled)
    if steps is not None:
        yield "By number of steps"
        for row in scores_by_steps(evaluation, steps):
            name = "unknown" if row.steps is None else f"{row.steps} steps"
            figures = ", ".join(f"{s.title.lower()} {with_interval(s.value, s.low, s.high)}" for s in row.scores.values())
            yield f"  {name:<10} {row.problems:>6,} {agree(row.problems, 'problem ', 'problems')}  {figures}"


def curve_lines(curves: Sequence[SampledScore]) -> Iterator[str]:
    """What several completions a problem come to: a line a figure, with its interval and what it cost a problem."""
    yield f"  {'Of several completions':<22} {'Value':>6}  {'95% interval':<16} {'Tokens a problem':>16}"
    for score in curves:
        tokens = f"{score.tokens:,.0f}" if score.tokens else ""
        yield f"  {score.title:<22} {score.value:>6.3f}  {span(score.low, score.high):<16} {tokens:>16}".rstrip()


def comparison_facts(evaluations: list[Evaluation]) -> dict[str, Any]:
    """`compare_run` with its readings; empty while there are not both evaluations."""
    return {
        key: {"reading": found.reading, "p_value": found.p_value, "problems": found.problems} | asdict(found)
        for key, found in compare_run(evaluations).items()
    }


def comparison_lines(evaluations: list[Evaluation]) -> Iterator[str]:
    """The same in words, the first problems of each list named."""
    comparisons = compare_run(evaluations)
    if comparisons:
        yield "Before against after, problem by problem"
    for found in comparisons.values():
        yield f"  {found.reading}"
        yield from _lists(found)


def _lists(found: Comparison) -> Iterator[str]:
    not_compared = (*found.only_before, *found.only_after, *found.unscored)
    for title, ids in (("Gained", found.gained), ("Lost", found.lost), ("Not compared", not_compared)):
        if ids:
            more = f" and {len(ids) - _IDS_SHOWN:,} more (--json names all)" if len(ids) > _IDS_SHOWN else ""
            yield f"    {title}: {', '.join(ids[:_IDS_SHOWN])}{more}"


def backend_line(found: BackendState) -> str:
    """What a backend's state means for a run launched now, in a sentence or two."""
    if found.kind == "unreachable":
        since = "" if found.since is None else f" Since {time.strftime('%H:%M', time.localtime(found.since))}."
        return found.reason + since
    noun = agree(found.total_gpus or 0, "GPU", "GPUs")
    gpus = "" if found.free_gpus is None else f"{found.free_gpus:g} of {found.total_gpus:g} {noun} free. "
    if found.kind == "free":
        return f"{gpus}The run starts at once."
    ahead = f"{', '.join(found.running)} {agree(len(found.running), 'is', 'are')} running" if found.running else ""
    number = len(found.waiting)
    waits = f"{number:,} {agree(number, 'job waits', 'jobs wait')}" if number else ""
    queue = " and ".join(part for part in (ahead, waits) if part)
    turn = f"{queue}; the run takes its turn after that." if queue else "The run waits until there is room."
    return f"{gpus}{found.reason + ' ' if found.reason else ''}{turn}"


def health_lines(health: Health) -> Iterator[str]:
    """Each finding, alarms first, then what passed, then what could not be checked, and how many passed."""
    if health.steps < MIN_STEPS:
        yield f"The run has {health.steps:,} steps on record; its signals are checked from {MIN_STEPS} on."
        return
    for name, finding in health.findings.items():
        yield from _finding_lines(SIGNALS[name], finding)
    for name in health.passed:
        yield f"{SIGNALS[name].title}: passed. {SIGNALS[name].passed}"
    for name, reason in health.unchecked.items():
        yield f"{SIGNALS[name].title}: not checked, {reason}."
    if health.steps < health.on_record:
        yield f"Checked on {health.steps:,} of {count(health.on_record, 'step')}, evenly apart."
    yield health.verdict


def health_facts(health: Health) -> dict[str, Any]:
    """What `health_lines` say, as facts."""
    facts = asdict(health) | {"checked": health.steps >= MIN_STEPS, "passed": health.passed}
    for name, finding in facts["findings"].items():
        signal = SIGNALS[name]
        finding |= {"level": signal.level, "title": signal.title, "remedy": signal.remedy, "source": signal.source}
    return facts


def _finding_lines(signal: Signal, finding: Finding) -> Iterator[str]:
    """Level, name and sentence; since when, by which arithmetic, the rows that show it, what to do, and the source."""
    yield f"{signal.level.upper()} {signal.name}: {signal.title}. {finding.sentence}"
    yield f"  since step {finding.onset:,}; {finding.arithmetic}"
    yield from (f"  {row.words}" for row in finding.evidence)
    yield f"  What to do: {signal.remedy}"
    yield f"  Source: {signal.source}."


def counterfactual_lines(found: Counterfactual) -> Iterator[str]:
    """How many rollouts would have been credited otherwise."""
    credit = found.credit
    sums_first = credit.method == "grpo" and credit.multi_objective_aggregation == "sum_then_normalize"
    scaled = f" and scale_rewards {credit.scale_rewards}" if sums_first else ""
    yield f"With {listed(found.weights)}{scaled}, of {found.rollouts:,} rollouts"
    yield f"  {len(found.flipped):,} would be encouraged instead of discouraged, or the reverse"
    yield f"  {len(found.silenced):,} would have no say any more, {len(found.awakened):,} would get one"
    yield f"  the mean size of an advantage would be {found.size_after:.3f}, not {found.size_before:.3f}"
