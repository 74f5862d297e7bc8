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
from training.errors import StoreError, shown
from training.evaluation import recorded
from training.evaluation.recorded import Sampled, sampled_of, scored_samples, scores_of, scoring_rewards
from training.evaluation.scaling import Gain, SampledScore, judge_gains, scaling_curves
from training.home import Home
from training.jobs.judge import JUDGE, judge_spec
from training.jobs.running import run_job
from training.judging.steps import AGGREGATIONS, Aggregation
from training.rewards import REWARDS, title_of
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
RightBy = Annotated[
    str,
    typer.Option(
        metavar="REWARD", help="by which an answer is right, such as soft_correctness; by the job's verifier if not given"
    ),
]


def judge(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="a run, an evaluation, or an imported file of samples")],
    judge: JudgeName = "demo",
    evaluation: Annotated[str, typer.Option(metavar="LABEL", help="of a run, only this one, such as after")] = "",
    aggregation: AggregationName = "last",
    right_by: RightBy = "",
    as_json: AsJson = False,
) -> int:
    """Have a judge score the completions of evaluations, and choose by its scores; a killed one goes on."""
    home, store = open_here()
    found = [_measured_by(sampled, right_by) for sampled in sampled_of(store, job_id, evaluation)]
    _require_choice(found, judge)
    if any(judge not in scoring_rewards(sampled) for sampled in found):
        judge_here(store, home, job_id, judge, evaluation)
    judged = [(sampled, scored_samples(sampled, scores_of(store, sampled, judge), aggregation)) for sampled in found]
    if as_json:
        facts = [
            {"job": sampled.job_id, "evaluation": sampled.label, "right_by": sampled.evaluation.verifier.name}
            | {"sampled": curve_facts(scaling_curves(samples, sampled.ks))}
            | {"against_majority": [asdict(gain) for gain in judge_gains(samples)]}
            for sampled, samples in judged
        ]
        print(json.dumps({"judge": judge, "aggregation": aggregation, "evaluations": facts}, indent=2))
        return 0
    for sampled, samples in judged:
        problems, verifier = count(sampled.evaluation.problems, "problem"), title_of(sampled.evaluation.verifier.name).lower()
        by_steps = "" if judge in scoring_rewards(sampled) else f", {AGGREGATIONS[aggregation][0].lower()}"
        print(f"{sampled.job_id} {sampled.label}, {problems}, right by {verifier}, chosen by {judge}{by_steps}")
        print(*curve_lines(scaling_curves(samples, sampled.ks)), *gain_lines(judge_gains(samples)), sep="\n")
    return 0


def gain_lines(gains: Sequence[Gain]) -> list[str]:
    """What a judge's choices are worth."""
    return [f"  {gain.reading}" for gain in gains]


def _measured_by(sampled: Sampled, name: str) -> Sampled:
    """It with another reward function by which answers are right, where one is named."""
    if not name:
        return sampled
    known = dict.fromkeys(reward for item in sampled.evaluation.items for reward in item.rewards)
    if name not in known:
        raise StoreError(f"{sampled.job_id} has no values of {shown(name)}.", f"On record are {', '.join(known)}.")
    return recorded.right_by(sampled, name)


def _require_choice(found: Sequence[Sampled], judge: str) -> None:
    """Raise `StoreError` where there is nothing to choose from, or the chooser knows what is right."""
    if all(len({item.problem_id for item in sampled.evaluation.items}) == len(sampled.evaluation.items) for sampled in found):
        raise StoreError(
            f"{found[0].job_id} has one completion a problem: there is nothing to choose from.",
            "Measure with --samples, or a run with evaluation_samples above 1 and evaluation_temperature above 0.",
        )
    if judge in REWARDS and any(judge not in scoring_rewards(sampled) for sampled in found):
        usable = dict.fromkeys(name for sampled in found for name in scoring_rewards(sampled))
        raise StoreError(
            f"{judge} knows the gold answer, or is not on record: it cannot choose among completions.",
            f"Choose by a judge, or by {', '.join(usable) or 'a reward that does not know the gold answer'}.",
        )


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


def judged_here(store: Store, home: Home, job_id: str, judge: str) -> tuple[list[SampledScore], list[Gain]]:
    """What a judge makes of a job's one evaluation, asked now as far as it was not: curves, and what its choices are worth.

    Raises:
        StoreError, ModelError: as of `judge_here`.
    """
    judge_here(store, home, job_id, judge)
    sampled, *_ = sampled_of(store, job_id)
    samples = scored_samples(sampled, scores_of(store, sampled, judge), "last")
    return scaling_curves(samples, sampled.ks), judge_gains(samples)


def curve_facts(curves: Sequence[SampledScore]) -> list[dict[str, Any]]:
    """The figures by name, with intervals and tokens."""
    return [{"figure": score.title} | asdict(score) for score in curves]
