"""Models measured: `evaluate`."""

import json
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from training.command_line.outputs import evaluation_facts, evaluation_lines
from training.command_line.parameters import AnswerFormOfStyle, AsJson, ChatTemplateName, SystemTurnName
from training.command_line.scaling import gain_lines, judged_here
from training.command_line.sources import MappedColumns, SourceLine, mapped, warn_of_left_out
from training.command_line.stores import open_here
from training.data.problems import load_problems
from training.data.sample import stated
from training.errors import StoreError
from training.evaluation.asking import HARNESS_SEED, PROMPT_STYLES, PromptStyleName
from training.evaluation.scaling import sampled_scores
from training.jobs.evaluate import EVALUATE, evaluated_problems, evaluation_spec, search_settings
from training.jobs.running import run_job
from training.models.beginnings import recorded_model
from training.runs.launch import queue_job
from training.store.evaluations import SearchName, complete_evaluations

_STYLES = "how questions are put: " + "; ".join(f"{name}, {style.description}" for name, style in PROMPT_STYLES.items())


def evaluate(
    model: Annotated[str, typer.Option(help='a Hub name, a folder, a run\'s checkpoint (run:demo-1@40), or "demo"')] = "demo",
    source: SourceLine = "auto",
    columns: MappedColumns = None,
    split: Annotated[Literal["train", "test"], typer.Option()] = "test",
    fraction: Annotated[float, typer.Option(min=0, max=1, help="a share of the split, above 0: a seeded sample")] = 1.0,
    temperature: Annotated[float, typer.Option(min=0, max=10, help="0 takes the likeliest token")] = 0.0,
    samples: Annotated[int, typer.Option(min=1, metavar="K", help="completions a problem, for pass@k")] = 1,
    max_completion_length: Annotated[int, typer.Option(min=1, metavar="TOKENS")] = 200,
    prompt_style: Annotated[PromptStyleName, typer.Option(help=_STYLES)] = "chat",
    shots: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="worked examples of the train split before each question; the style's own if not given"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="draws the examples, and completions above temperature 0")] = HARNESS_SEED,
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="ends a completion; may be given again; the style's own if not given"),
    ] = None,
    system_prompt: Annotated[
        str | None, typer.Option(help="the turn before every question; empty leaves it out; the style's own if not given")
    ] = None,
    system_turn: SystemTurnName = "system",
    chat_template: ChatTemplateName = "model",
    answer_form: AnswerFormOfStyle = None,
    vllm: Annotated[bool, typer.Option("--vllm", help="generate with vLLM")] = False,
    search: Annotated[
        SearchName,
        typer.Option(help="completions each by itself, or together by a search that --judge guides"),
    ] = "samples",
    beam_width: Annotated[int, typer.Option(min=2, metavar="M", help="continuations of a beam that a search tries")] = 4,
    judge: Annotated[str, typer.Option(metavar="NAME", help="a judge that then scores the completions: see `judge`")] = "",
    as_json: AsJson = False,
) -> int:
    """Measure a model: the article's table on one split, kept in the store; a killed one goes on."""
    home, store = open_here()
    problem_set = load_problems(mapped(source, columns, home), home)
    warn_of_left_out(problem_set)
    chosen = {"shots": shots, "system_prompt": system_prompt, "answer_form": answer_form, "stop": stop}
    spec = evaluation_spec(
        recorded_model(model, store),
        problem_set,
        split=split,
        fraction=fraction,
        temperature=temperature,
        samples=samples,
        max_completion_length=max_completion_length,
        prompt_style=prompt_style,
        seed=seed,
        system_turn=system_turn,
        chat_template=chat_template,
        vllm=vllm,
        **{name: value for name, value in chosen.items() if value is not None},
        **search_settings(search, beam_width, judge),
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
    curves, gains = judged_here(store, home, job.id, judge) if judge else (sampled_scores(evaluation), [])
    if as_json:
        facts = {"id": job.id, "problems": len(problems), "samples": spec.samples, "seconds": took_s}
        worth = {"against_majority": [asdict(gain) for gain in gains]} if gains else {}
        print(json.dumps(facts | evaluation_facts(evaluation, steps, curves) | worth, indent=2))
    else:
        tokens = sum(item.tokens for item in evaluation.items)
        asked = stated(problem_set.of_split(spec.split), len(problems), spec.split)
        print(f"{spec.model} on {asked} of {problem_set.name}, kept as {job.id}")
        print(f"{len(evaluation.items):,} completions, {tokens:,} tokens, {took_s:,.0f} s")
        told = [f"An answer chosen by {judge}, last step", *gain_lines(gains)] if gains else []
        print(*evaluation_lines(evaluation, steps, curves), *told, sep="\n")
    return 0
