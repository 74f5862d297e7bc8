"""Preflight as the command line gives it: facts for `--json`, lines for people."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from training.config import RunConfig, StageConfig
from training.preflight import Preflight
from training.preflight.calibration import Calibration
from training.preflight.expectation import Expectation
from training.preflight.memory import MemoryEstimate, Part
from training.preflight.subject import Finding
from training.text import count, rough_duration, span

_WIDTH = 110
_INDENT = " " * 11


def preflight_facts(config: StageConfig, found: Preflight, measured: Calibration | None = None) -> dict[str, Any]:
    """Everything that was found, for programs."""
    facts: dict[str, Any] = {"config": config.model_dump(mode="json"), "findings": [asdict(one) for one in found.findings]}
    if found.memory is not None:
        facts["memory"] = asdict(found.memory) | {"peak_gib": found.memory.peak_gib, "dominant": found.memory.dominant.name}
    if measured is not None:
        facts["calibration"] = asdict(measured)
        facts["calibration"]["forecast"]["flat_interval"] = measured.forecast.flat_interval
    expected = found.expectation
    return facts | {"expectation": asdict(expected) | {"tokens": expected.tokens, "total_s": expected.total_s}}


def preflight_lines(
    config: StageConfig, problem_set: str, found: Preflight, measured: Calibration | None = None
) -> Iterator[str]:
    """The run in a line, the findings, memory by part, what to expect, and what was measured."""
    each_step = f"{config.completions_per_step} solutions"
    if isinstance(config, RunConfig):
        each_step = f"{config.groups_per_step} x {config.num_generations} completions"
    yield f"{config.preset or 'run'}: {config.model} on {problem_set}, {count(config.max_steps, 'step')} of {each_step}"
    for finding in found.findings:
        yield from finding_lines(finding)
    if not found.findings:
        yield "No problems found."
    if found.memory is not None:
        yield from memory_lines(found.memory)
    if measured is not None and isinstance(config, RunConfig):
        yield from calibration_lines(config, found, measured)
    yield from expectation_lines(found.expectation)


def finding_lines(finding: Finding) -> Iterator[str]:
    """What was found, and below it the remedy."""
    yield textwrap.fill(f"  {finding.severity:<8} {finding.text}", _WIDTH, subsequent_indent=_INDENT)
    yield textwrap.fill(finding.remedy, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def memory_lines(memory: MemoryEstimate) -> Iterator[str]:
    """The parts, always there first, and the peak."""
    size = "" if memory.gpu_gib is None else f" of {memory.gpu_gib:,.0f} GiB"
    where = f"the smallest GPU that it fits,{size[3:]}" if memory.is_smallest else f"a GPU{size}" if memory.on_gpu else "a CPU"
    yield f"Memory on {where}, an estimate with every completion at its greatest length"
    for part in memory.parts:
        yield f"  {part.name:<19} {_gib(part):>10}  {part.how}"
    yield f"  {'Peak':<19} {memory.peak_gib:>6.2f} GiB  while {memory.peak_phase}; the largest part: {memory.dominant.name}"


def calibration_lines(config: RunConfig, found: Preflight, measured: Calibration) -> Iterator[str]:
    """Estimate and measurement side by side, then what sampled groups forecast."""
    most = config.completions_per_step * config.max_completion_length // config.num_iterations
    estimate = "unknown" if found.memory is None else f"{found.memory.peak_gib:.2f} GiB"
    split = f"{rough_duration(measured.generation_s)} generating, {rough_duration(measured.learning_s)} learning"
    sampled = measured.forecast
    share, (low, high) = sampled.flat / sampled.groups, sampled.flat_interval
    yield f"{'Measured on ' + measured.device:<31} {'estimate':>15} {'measured':>10}"
    yield f"  {'Peak memory':<29} {estimate:>15} {measured.peak_gib:>6.2f} GiB"
    yield f"  {'Tokens per step':<29} {f'at most {most:,}':>15} {measured.tokens_a_step:>10,.0f}"
    yield f"  {'Time per step':<29} {'':>15} {rough_duration(measured.step_time_s):>10}  {split}"
    yield f"Forecast from {sampled.groups} groups of the model as it is"
    yield (
        f"  {sampled.flat} of {sampled.groups} without variance, {share:.0%} (95% interval {span(low, high, '.0%')}): "
        f"{sampled.all_right} all right, {sampled.all_wrong} all wrong"
    )
    cut = f"{sampled.cut_share:.0%} cut off at {config.max_completion_length:,}"
    yield f"  {sampled.mean_tokens:,.0f} tokens a completion, {cut}"


def _gib(part: Part) -> str:
    return f"{part.gib:.2f} GiB" if part.gib >= 0.1 else f"{part.gib * 1024:.1f} MiB"


def expectation_lines(expected: Expectation) -> Iterator[str]:
    """Completions, tokens and time."""
    yield "What to expect"
    tokens = f"at most {expected.most_tokens:,}" if expected.tokens is None else f"about {expected.tokens:,.0f}"
    met = f"each train problem is met {expected.epochs:.2g} times on average"
    yield f"  {expected.completions:,} {expected.learns_from}, {tokens} tokens; {met}"
    if expected.step_time_s is None:
        measures = "; `preflight --calibrate` measures two steps" if expected.learns_from == "completions" else ""
        yield f"  Time: no earlier run like this to go by{measures}."
        return
    steps = f"{count(expected.steps, 'step')} of {rough_duration(expected.step_time_s)}"
    evaluations = count(expected.evaluations, "evaluation")
    if expected.evaluation_s is None:
        training = rough_duration(expected.steps * expected.step_time_s)
        yield f"  Time: {steps}, {training}, and {evaluations} of unknown length"
    elif expected.evaluations:
        each = rough_duration(expected.evaluation_s / expected.evaluations)
        yield f"  Time: {rough_duration(expected.total_s or 0)}: {steps} and {evaluations} of {each}"
    else:
        yield f"  Time: {rough_duration(expected.total_s or 0)}: {steps}"
    yield f"  Going by {', '.join(expected.basis)}."
