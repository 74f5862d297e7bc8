"""What the commands of `python -m training` do with models: measure one, score completions, merge, push and export checkpoints.

Each takes its parsed options and returns the exit status.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from training.command_line.commands import open_here
from training.command_line.outputs import evaluation_facts, evaluation_lines
from training.data.problems import load_problems
from training.data.rows import BadRow, parse_json, read_lines
from training.errors import SourceError, StoreError, shown
from training.home import Home
from training.jobs import output as after_run
from training.jobs.evaluate import EVALUATE, evaluated_problems, evaluation_spec
from training.jobs.running import run_job
from training.paths import reason
from training.rewards import score_completion
from training.rewards.adversarial import check_cases, print_bench
from training.rewards.own import register_own_rewards
from training.runs.launch import queue_job
from training.store.evaluations import complete_evaluations


def evaluate(options: argparse.Namespace) -> int:
    """Measure a model here and now: 1 if it was stopped."""
    home, store = open_here()
    problem_set = load_problems(options.source, home)
    settings = ("split", "fraction", "temperature", "samples", "max_completion_length", "vllm")
    spec = evaluation_spec(options.model, problem_set, **{name: getattr(options, name) for name in settings})
    problems = evaluated_problems(spec, problem_set)
    job, waits = queue_job(store, home, EVALUATE, spec, total=len(problems))
    if not waits:
        raise StoreError(f"{job.id} is measuring exactly this.", f"See it with `python -m training show {job.id}`.")
    if job.done:
        print(f"going on with {job.id}, {job.done:,.0f} of {len(problems):,} problems are done", file=sys.stderr)
    run_job(store, home, job.id)
    evaluation = next(iter(complete_evaluations(store, job.id)), None)
    if evaluation is None:
        print(f"{job.id} was stopped; the same command goes on with it", file=sys.stderr)
        return 1
    ended = store.job(job.id)
    took_s = max(0.0, (ended.ended_at or ended.heartbeat_at) - (ended.started_at or ended.created_at))
    steps = {problem.id: len(problem.steps) for problem in problems}
    if options.json:
        facts = {"id": job.id, "problems": len(problems), "samples": spec.samples, "seconds": took_s}
        print(json.dumps(facts | evaluation_facts(evaluation, steps), indent=2))
    else:
        tokens = sum(item.tokens for item in evaluation.items)
        print(f"{spec.model} on {len(problems):,} {spec.split} problems of {problem_set.name}, kept as {job.id}")
        print(f"{len(evaluation.items):,} completions, {tokens:,} tokens, {took_s:,.0f} s")
        print(*evaluation_lines(evaluation, steps), sep="\n")
    return 0


def merge_run(options: argparse.Namespace) -> int:
    """Save a run's checkpoint as a whole model."""
    return _make(options, "merge", out=str(options.out or ""))


def export_run(options: argparse.Namespace) -> int:
    """Save a run's checkpoint as a GGUF file."""
    return _make(options, "export", out=str(options.out or ""), quantization=options.quantization)


def push_run(options: argparse.Namespace) -> int:
    """Push a run's checkpoint to the Hub once that is confirmed: 1 if it is not."""
    return _make(options, "push", repository=options.repository, public=options.public)


def _make(options: argparse.Namespace, action: after_run.Action, **settings: Any) -> int:
    home, store = open_here()
    spec = after_run.output_spec(store, home, options.run, action, options.checkpoint, **settings)
    if action == "push" and not options.yes and not _confirmed(spec):
        print("Nothing was pushed.")
        return 1
    job, waits = queue_job(store, home, after_run.OUTPUT, spec, name=action)
    if not waits:
        raise StoreError(f"{job.id} is making exactly this.", "Wait for it.")
    print(run_job(store, home, job.id).reason)
    return 0


def _confirmed(spec: after_run.OutputSpec) -> bool:
    seen = "everybody can see" if spec.public else "is private unless it is there already"
    print(f"Step {spec.step:,} of {spec.run}, merged, goes to {spec.repository} on the Hugging Face Hub, which {seen}.")
    if not sys.stdin.isatty():
        print("Confirm with --yes.")
        return False
    return input("Push? [y/N] ").strip().lower() in ("y", "yes")


def score(options: argparse.Namespace) -> int:
    """Score completions: 1 if a shipped one scores unexpectedly."""
    if options.adversarial:
        return 0 if print_bench(check_cases()) else 1
    register_own_rewards(Home.from_environment().rewards)
    for completion, answer in _completions(options.jsonl):
        print(json.dumps({"rewards": score_completion(completion, answer)}))
    return 0


def _completions(file: str) -> Iterator[tuple[str, str]]:
    """Completion and answer of each line; whoever names a pipe here waits for it.

    Raises:
        SourceError: the file cannot be read, or a line is not such a pair.
    """
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
            for number, line in enumerate(read_lines(stream), start=1):
                if isinstance(line, BadRow) or line.strip():
                    yield _completion_row(line, f"{file}:{number}")
    except (OSError, ValueError) as error:
        raise SourceError(f"{shown(file)} cannot be read ({reason(error)}).", "Give a JSON Lines file in UTF-8.") from error


def _completion_row(line: bytes | BadRow, place: str) -> tuple[str, str]:
    try:
        if isinstance(line, BadRow):
            raise line
        row = parse_json(line)
        if not isinstance(row, dict):
            raise BadRow("the line is not an object")
        if missing := [key for key in ("completion", "answer") if not isinstance(row.get(key), str)]:
            raise BadRow(f"{missing[0]!r} is missing or not text")
    except BadRow as bad:
        raise SourceError(f'{place} is not {{"completion", "answer"}} ({bad}).', "Mend the line.") from bad
    return row["completion"], row["answer"]
