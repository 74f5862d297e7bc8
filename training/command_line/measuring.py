"""Models and single completions measured: `evaluate`, `score`."""

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.command_line.outputs import evaluation_facts, evaluation_lines
from training.command_line.parameters import AsJson
from training.command_line.sources import MappedColumns, SourceLine, mapped, warn_of_left_out
from training.command_line.stores import open_here
from training.data.bad_row import BadRow
from training.data.problems import load_problems
from training.data.rows import parse_json, read_lines
from training.data.sample import stated
from training.errors import SourceError, StoreError, shown
from training.home import Home
from training.jobs.evaluate import EVALUATE, evaluated_problems, evaluation_spec
from training.jobs.running import run_job
from training.paths import reason
from training.rewards import score_completion
from training.rewards.adversarial import check_cases, print_bench
from training.rewards.own import register_own_rewards
from training.runs.launch import queue_job
from training.store.evaluations import complete_evaluations


def evaluate(
    model: Annotated[str, typer.Option(help='a Hub name, a folder (a checkpoint, say), or "demo"')] = "demo",
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    split: Annotated[Literal["train", "test"], typer.Option()] = "test",
    fraction: Annotated[float, typer.Option(min=0, max=1, help="a share of the split, above 0: a seeded sample")] = 1.0,
    temperature: Annotated[float, typer.Option(min=0, max=10, help="0 takes the likeliest token")] = 0.0,
    samples: Annotated[int, typer.Option(min=1, metavar="K", help="completions a problem, for pass@k")] = 1,
    max_completion_length: Annotated[int, typer.Option(min=1, metavar="TOKENS")] = 200,
    vllm: Annotated[bool, typer.Option("--vllm", help="generate with vLLM, on a GPU")] = False,
    as_json: AsJson = False,
) -> int:
    """Measure a model: the article's table on one split, kept in the store; a killed one goes on."""
    home, store = open_here()
    problem_set = load_problems(mapped(source, columns, home), home)
    warn_of_left_out(problem_set)
    spec = evaluation_spec(
        model,
        problem_set,
        split=split,
        fraction=fraction,
        temperature=temperature,
        samples=samples,
        max_completion_length=max_completion_length,
        vllm=vllm,
    )
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
    if as_json:
        facts = {"id": job.id, "problems": len(problems), "samples": spec.samples, "seconds": took_s}
        print(json.dumps(facts | evaluation_facts(evaluation, steps), indent=2))
    else:
        tokens = sum(item.tokens for item in evaluation.items)
        chosen = stated(problem_set.of_split(spec.split), len(problems), spec.split)
        print(f"{spec.model} on {chosen} of {problem_set.name}, kept as {job.id}")
        print(f"{len(evaluation.items):,} completions, {tokens:,} tokens, {took_s:,.0f} s")
        print(*evaluation_lines(evaluation, steps), sep="\n")
    return 0


def score(
    jsonl: Annotated[
        str | None, typer.Option(metavar="FILE", help='lines of {"completion", "answer"}; - is standard input')
    ] = None,
    adversarial: Annotated[
        bool,
        typer.Option("--adversarial", help="the shipped misleading completions; status 1 if one scores unexpectedly"),
    ] = False,
) -> int:
    """Score completions by every reward function, unweighted."""
    if adversarial == (jsonl is not None):
        raise typer.BadParameter("give one of the two", param_hint="--jsonl, --adversarial")
    if jsonl is None:
        return 0 if print_bench(check_cases()) else 1
    register_own_rewards(Home.from_environment().rewards)
    for completion, answer in _completions(jsonl):
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
        raise SourceError(f'{place} is not {{"completion", "answer"}} ({bad}).', "Correct the line.") from bad
    return row["completion"], row["answer"]
