"""What can be made of several completions a problem: `judge`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from training.command_line.outputs import curve_lines
from training.command_line.parameters import AsJson
from training.command_line.stores import open_here
from training.errors import StoreError
from training.evaluation.recorded import sampled_of, scored_samples, scores_of, scoring_rewards
from training.evaluation.scaling import SampledScore, judge_gains, scaling_curves
from training.home import Home
from training.jobs.judge import JUDGE, judge_spec
from training.jobs.running import run_job
from training.judging.steps import AGGREGATIONS, Aggregation
from training.runs.launch import queue_job
from training.store import Store
from training.text import count

JudgeName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help='a classifier of whole completions or of steps by Hub name, folder, or "demo"; of language models marks:NAME or '
        "likelihood:NAME; or a reward on record",
    ),
]
AggregationName = Annotated[Aggregation, typer.Option(help="how the scores of a completion's steps become one")]


def judge(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="a run, an evaluation, or an imported file of samples")],
    judge: JudgeName = "demo",
    evaluation: Annotated[str, typer.Option(metavar="LABEL", help="of a run, only this one, such as after")] = "",
    aggregation: AggregationName = "last",
    as_json: AsJson = False,
) -> int:
    """Have a judge score the completions of evaluations, and choose by its scores; a killed one goes on."""
    home, store = open_here()
    found = sampled_of(store, job_id, evaluation)
    if any(judge not in scoring_rewards(sampled) for sampled in found):
        judge_here(store, home, job_id, judge, evaluation)
    shown = [(sampled, scored_samples(sampled, scores_of(store, sampled, judge), aggregation)) for sampled in found]
    if as_json:
        facts = [
            {"job": sampled.job_id, "evaluation": sampled.label}
            | {"sampled": curve_facts(scaling_curves(samples, sampled.ks))}
            | {"against_majority": [asdict(gain) for gain in judge_gains(samples)]}
            for sampled, samples in shown
        ]
        print(json.dumps({"judge": judge, "aggregation": aggregation, "evaluations": facts}, indent=2))
        return 0
    for sampled, samples in shown:
        problems, called = count(sampled.evaluation.problems, "problem"), AGGREGATIONS[aggregation][0].lower()
        print(f"{sampled.job_id} {sampled.label}, {problems}, chosen by {judge}, {called}")
        print(*curve_lines(scaling_curves(samples, sampled.ks)), sep="\n")
        print(*(f"  {gain.reading}" for gain in judge_gains(samples)), sep="\n")
    return 0


def judge_here(store: Store, home: Home, job_id: str, judge: str, label: str = "") -> None:
    """Judge what is not judged yet, in this process.

    Raises:
        StoreError: another process is at it, or it was stopped.
        ModelError: there is no such judge.
    """
    job, waits = queue_job(store, home, JUDGE, judge_spec(store, job_id, judge, label))
    if not waits:
        raise StoreError(f"{job.id} is judging exactly this.", f"See it with `python -m training show {job.id}`.")
    process = run_job(store, home, job.id)
    if store.job(job.id).status != "finished":
        raise StoreError(f"{job.id} was stopped.", "Give the same command again: it goes on.")
    print(process.reason, file=sys.stderr)


def judged_here(store: Store, home: Home, job_id: str, judge: str) -> list[SampledScore]:
    """What a judge makes of the one evaluation that a job measured, asked now as far as it was not.

    Raises:
        StoreError, ModelError: as of `judge_here`.
    """
    judge_here(store, home, job_id, judge)
    sampled, *_ = sampled_of(store, job_id)
    return scaling_curves(scored_samples(sampled, scores_of(store, sampled, judge), "last"), sampled.ks)


def curve_facts(curves: Sequence[SampledScore]) -> list[dict[str, Any]]:
    """The figures by name, with intervals and tokens."""
    return [{"figure": score.title} | asdict(score) for score in curves]
