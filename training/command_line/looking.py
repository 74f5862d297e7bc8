"""Reading what runs left on record: `list`, `show`, `health`, `rollouts`, `evaluation`, `reweigh`, `report`."""

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from training.backends.registry import backend_named
from training.command_line.outputs import (
    comparison_facts,
    comparison_lines,
    counterfactual_lines,
    evaluation_facts,
    evaluation_lines,
    evaluation_size,
    health_facts,
    health_lines,
)
from training.command_line.parameters import AsJson, RunId
from training.command_line.stores import open_here, reconcile_here
from training.doctor.examination import examine
from training.errors import SourceError
from training.files import replace_file
from training.groups import Scale
from training.insight.counterfactuals import reweigh
from training.insight.report import report_html
from training.insight.rollout_files import rollout_lines, write_parquet
from training.jobs.evaluation_files import evaluation_named, judged_by, problems_asked, result_lines, results, write_results
from training.store import RUN_KINDS, Job, Store
from training.store.evaluations import complete_evaluations, evaluation_headings
from training.stored_config import require_completions, stage_of

RowsFile = Annotated[Path, typer.Option(metavar="FILE", help="ends in .jsonl or .parquet")]

_LISTED = 200
"""Runs that `list` shows unless it is told otherwise."""


def list_runs(
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="so many of them at most", show_default=str(_LISTED))
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="leave out the newest N")] = 0,
    as_json: AsJson = False,
) -> int:
    """The runs, newest first."""
    if everything and limit is not None:
        raise typer.BadParameter("not allowed with --limit", param_hint="--all")
    home, store = open_here(rewards=False)
    reconcile_here(store, home)
    total = store.count_jobs(RUN_KINDS)
    runs = store.jobs(RUN_KINDS, None if everything else limit or _LISTED, offset)
    left_out = f"{len(runs):,} of {total:,} runs; --limit N, --offset N or --all shows others"
    if as_json:
        print(json.dumps([_job_facts(run) for run in runs], indent=2))
        if len(runs) < total:
            print(left_out, file=sys.stderr)  # a list is what programs read
        return 0
    if not total:
        print("No runs yet. `python -m training launch --preset demo` starts one.")
    for run in runs:
        step = f"step {run.done:,.0f} of {run.total:,.0f}"
        told = "; ".join(filter(None, [f"after {run.follows}" if run.follows else "", run.reason or run.message]))
        print(f"{run.id:<24} {run.backend:<9} {run.status:<9} {step}  {told}".rstrip())
    if len(runs) < total:
        print(left_out)
    return 0


def show_run(
    run_id: RunId,
    as_json: AsJson = False,
    log: Annotated[bool, typer.Option("--log", help="print the end of the run's log instead")] = False,
) -> int:
    """One run: status, progress, figures, evaluations, checkpoints."""
    home, store = open_here(rewards=False)
    reconcile_here(store, home)
    run = store.job(run_id)
    if log:
        print(backend_named(run.backend, home).logs(run), end="")
        return 0
    evaluations = complete_evaluations(store, run.id)
    facts = _job_facts(run) | {
        "config": run.spec,
        "latest": _latest_scalars(store, run.id),
        "evaluations": {evaluation.label: evaluation_facts(evaluation) for evaluation in evaluations},
        "comparison": comparison_facts(evaluations),
        "checkpoints": [asdict(checkpoint) for checkpoint in store.checkpoints(run.id)],
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"{run.id}  {run.status} on {run.backend}  step {run.done:,.0f} of {run.total:,.0f}  {run.reason or run.message}")
    if run.tracker:
        print(f"  Weights & Biases: {run.tracker}")
    for name in (
        *(("reward",) if "reward" in facts["latest"] else ("loss", "mean_token_accuracy")),
        "step_time",
        *(key for key in facts["latest"] if key.startswith("rewards/") and key.endswith("/mean")),
    ):
        if facts["latest"].get(name) is not None:
            print(f"  {name:<34} {facts['latest'][name]:.3g}")
    for evaluation in evaluations:
        print(f"Evaluation {evaluation.label}, {evaluation_size(evaluation)}")
        print(*evaluation_lines(evaluation), sep="\n")
    for line in comparison_lines(evaluations):
        print(line)
    for checkpoint in store.checkpoints(run.id):
        print(f"Checkpoint of step {checkpoint.step:,}: {checkpoint.path}")
    return 0


def show_health(run_id: RunId, as_json: AsJson = False) -> int:
    """What to look at in a run: the doctor's signals, each with onset, arithmetic, evidence, remedy and source."""
    _, store = open_here(rewards=False)
    require_completions(store.job(run_id).spec)
    health = examine(store, run_id)
    if as_json:
        print(json.dumps({"run_id": run_id} | health_facts(health), indent=2))
    else:
        print(*health_lines(health), sep="\n")
    return 0


def write_rollouts(
    run_id: RunId,
    out: RowsFile,
) -> int:
    """A run's completions with rewards and advantages, as a file for other programs."""
    _, store = open_here(rewards=False)
    require_completions(store.job(run_id).spec)
    _require_kind(out)

    def write(stream: BinaryIO) -> None:
        if out.suffix == ".parquet":
            write_parquet(store, run_id, stream)
        else:
            stream.writelines(rollout_lines(store, run_id))

    replace_file(out, write)
    print(out)
    return 0


def write_evaluation(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="of an evaluation, or of a run that evaluates")],
    out: RowsFile,
    label: Annotated[str, typer.Option("--evaluation", metavar="LABEL", help="which, of a run: before, step-50, after")] = "",
) -> int:
    """An evaluation's completions with questions, extracted answers, rewards and settings, as a file for other programs."""
    home, store = open_here(rewards=False)
    job = store.job(job_id)
    evaluation = evaluation_named(job, complete_evaluations(store, job.id), label)
    _require_kind(out)
    named = (job.id, evaluation.label)
    key = next(found.key for found in evaluation_headings(store) if (found.job_id, found.label) == named)
    rows = results(job, evaluation, problems_asked(job, home), judged_by(store, key))

    def write(stream: BinaryIO) -> None:
        if out.suffix == ".parquet":
            write_results(rows, stream)
        else:
            stream.writelines(result_lines(rows))

    replace_file(out, write)
    print(out)
    return 0


def _require_kind(out: Path) -> None:
    if out.suffix not in (".jsonl", ".parquet"):
        raise typer.BadParameter(f"{str(out)!r} ends neither in .jsonl nor in .parquet", param_hint="--out")


def reweigh_run(
    run_id: RunId,
    weights: Annotated[
        list[str] | None, typer.Option("--weight", metavar="NAME=W", help="a reward function's weight; others are 0")
    ] = None,
    scale_rewards: Annotated[Scale | None, typer.Option(help="whose deviation divides; the run's own if not given")] = None,
    as_json: AsJson = False,
) -> int:
    """A run's advantages under other reward weights, from its ledger."""
    changed = dict(map(_weight, weights or ())) or None
    _, store = open_here()
    found = reweigh(store, run_id, changed, scale_rewards)
    if as_json:
        print(json.dumps({"run_id": run_id} | asdict(found), indent=2))
    else:
        print(*counterfactual_lines(found), sep="\n")
    return 0


def _weight(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        weight = float(value)
    except ValueError:
        weight = math.nan
    if math.isfinite(weight):
        return name.strip(), weight
    raise typer.BadParameter(f"{text!r} is not NAME=W, such as correctness=1", param_hint="--weight")


def write_report(run_id: RunId, out: Annotated[Path, typer.Option(metavar="FILE", help="the file to write")]) -> int:
    """A run as one HTML file that opens anywhere."""
    home, store = open_here()
    text = report_html(store, home, run_id)
    try:
        replace_file(out, lambda file: file.write(text.encode()))
    except OSError as error:
        raise SourceError(
            f"{out} cannot be written ({error.strerror}).", "Name a file in a folder that is there and has room."
        ) from error
    print(f"{out}: {len(text.encode()):,} bytes")
    return 0


def _job_facts(job: Job) -> dict[str, Any]:
    return {
        "run_id": job.id,
        "status": job.status,
        "reason": job.reason,
        "message": job.message,
        "step": int(job.done),
        "max_steps": int(job.total),
        "backend": job.backend,
        "tracker": job.tracker,
        "stage": stage_of(job.spec),
        "follows": job.follows,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
    }


def _latest_scalars(store: Store, job_id: str) -> dict[str, float | None]:
    return {scalar.name: scalar.value for scalar in store.scalars(job_id)}
