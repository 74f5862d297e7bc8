"""The command line of the training core, `python -m training`: runs from launch to health, evaluations, scores.

Facts go to standard output, as JSON with `--json`; errors go to standard error as one line and end with status 2.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from training import launch
from training.adversarial import check_cases, print_bench
from training.backends import local
from training.config import RunConfig, load_preset, parse_config, preset_paths
from training.counterfactuals import Scale, reweigh
from training.curation import restrict
from training.errors import ConfigError, SourceError, StoreError
from training.evaluate import evaluate_model
from training.health import MIN_STEPS, examine
from training.home import Home
from training.jobs import JobProcess, job_process
from training.outputs import (
    comparison_facts,
    comparison_lines,
    counterfactual_lines,
    evaluation_facts,
    evaluation_lines,
    evaluation_size,
    health_lines,
)
from training.problems import load_problems
from training.prompts import SYSTEM_PROMPT
from training.rewards import score_completion
from training.store import Job, Store
from training.terminal import run_command

_WAIT_POLL_S = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    return run_command(options.command, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Launch, watch, stop and evaluate GRPO runs.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str, *, run: bool = False
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        if run:
            added.add_argument("run", metavar="RUN", help="the run's id, as `list` shows it")
        return added

    settings = ", ".join(RunConfig.model_fields)
    command = add("launch", _launch, "Start a GRPO run as a detached process and print its run_id.")
    command.add_argument("--preset", default="demo", help=f"{', '.join(preset_paths())}, or a TOML file (default: demo)")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments", help=f"change a setting: {settings}"
    )
    command.add_argument("--backend", default=local.NAME, help=f"where it runs: {', '.join(launch.BACKENDS)}")
    command.add_argument("--wait", action="store_true", help="return when the run has ended; status 1 unless it finished")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = add("run", _run, "The training process itself; `launch` and `resume` start it.")
    command.add_argument("--job", required=True, metavar="RUN", help="the queued run")

    command = add("list", _list, "The runs, newest first.")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = add("show", _show, "One run: status, progress, figures, evaluations, checkpoints.", run=True)
    command.add_argument("--json", action="store_true", help="print as JSON")
    command.add_argument("--log", action="store_true", help="print the end of the run's log instead")

    command = add("health", _health, "What to look at in a run: signals from its ledger, each with its evidence.", run=True)
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = add("reweigh", _reweigh, "A run's advantages under other reward weights, from its ledger.", run=True)
    command.add_argument(
        "--weight",
        action="append",
        default=[],
        type=_weight,
        metavar="NAME=W",
        help="a reward function's weight; others are 0",
    )
    command.add_argument("--scale-rewards", choices=get_args(Scale), help="whose deviation divides; the run's own if not given")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = add("stop", _stop, "Ask a run to end at its next step, with a checkpoint.", run=True)
    command.add_argument("--wait", action="store_true", help="return when the run has ended")
    command.add_argument("--force", action="store_true", help="also signal the process, should it not look at the store")

    add("resume", _resume, "Go on with a stopped, failed or lost run from its latest checkpoint.", run=True)

    command = add("evaluate", _evaluate, "Measure a model: the article's table on one split, kept in the store.")
    command.add_argument("--model", default="demo", help='a Hub name, a folder (a checkpoint, say), or "demo"')
    command.add_argument("--source", default="auto", help="demo, hub, auto, or a folder or file (default: auto)")
    command.add_argument("--split", choices=("train", "test"), default="test")
    command.add_argument("--fraction", type=_share, default=1.0, help="the first share of the split, in (0, 1]")
    command.add_argument("--temperature", type=_temperature, default=0.0, help="0 (default) takes the likeliest token")
    command.add_argument("--samples", type=_count, default=1, metavar="K", help="completions a problem, for pass@k")
    command.add_argument("--max-completion-length", type=_count, default=200, metavar="TOKENS")
    command.add_argument("--json", action="store_true", help="print as JSON")

    command = add("score", _score, "Score completions by every reward function, unweighted.")
    scored = command.add_mutually_exclusive_group(required=True)
    scored.add_argument("--jsonl", metavar="FILE", help='lines of {"completion", "answer"}; - is standard input')
    scored.add_argument(
        "--adversarial", action="store_true", help="the shipped misleading completions; status 1 if one scores unexpectedly"
    )
    return parser


def _launch(options: argparse.Namespace) -> int:
    home, store = _open()
    config = load_preset(options.preset, options.assignments, home.presets)
    run_id = launch.launch_run(store, home, config, options.backend)
    print(json.dumps({"run_id": run_id}) if options.json else f"run_id: {run_id}", flush=True)
    return _wait(store, run_id) if options.wait else 0


def _run(options: argparse.Namespace) -> int:
    home, store = _open()
    with job_process(store, options.job) as process, local.accelerator(home, store, process.job, process.check_stop):
        process.check_stop()
        process.begin()
        process.progress(process.job.done, process.job.total, "starting")
        from training.grpo import train

        config = parse_config(process.job.spec)
        problem_set = load_problems(config.source, home)
        if config.subset:
            problem_set = restrict(problem_set, store, config.subset)
        train(config, problem_set, process, local.job_folder(home, process.job.id))
    return 0


def _list(options: argparse.Namespace) -> int:
    _, store = _open()
    runs = store.jobs("train")
    if options.json:
        print(json.dumps([_job_facts(run) for run in runs], indent=2))
        return 0
    if not runs:
        print("No runs yet. `python -m training launch --preset demo` starts one.")
    for run in runs:
        print(f"{run.id:<24} {run.status:<9} step {run.done:,.0f} of {run.total:,.0f}  {run.reason or run.message}")
    return 0


def _show(options: argparse.Namespace) -> int:
    home, store = _open()
    run = store.job(options.run)
    if options.log:
        print(launch.backend_named(run.backend, home).logs(run), end="")
        return 0
    evaluations = store.evaluations(run.id)
    facts = _job_facts(run) | {
        "config": run.spec,
        "latest": _latest_scalars(store, run.id),
        "evaluations": {evaluation.label: evaluation_facts(evaluation) for evaluation in evaluations},
        "comparison": comparison_facts(evaluations),
        "checkpoints": [asdict(checkpoint) for checkpoint in store.checkpoints(run.id)],
    }
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"{run.id}  {run.status}  step {run.done:,.0f} of {run.total:,.0f}  {run.reason or run.message}")
    for name in (
        "reward",
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


def _health(options: argparse.Namespace) -> int:
    _, store = _open()
    health = examine(store, options.run)
    if options.json:
        print(json.dumps({"run_id": options.run, "checked": health.steps >= MIN_STEPS} | asdict(health), indent=2))
    else:
        print(*health_lines(health), sep="\n")
    return 0


def _reweigh(options: argparse.Namespace) -> int:
    _, store = _open()
    found = reweigh(store, options.run, dict(options.weight) or None, options.scale_rewards)
    if options.json:
        print(json.dumps({"run_id": options.run} | asdict(found), indent=2))
    else:
        print(*counterfactual_lines(found), sep="\n")
    return 0


def _stop(options: argparse.Namespace) -> int:
    home, store = _open()
    store.request_stop(options.run)
    if options.force:
        run = store.job(options.run)
        launch.backend_named(run.backend, home).stop(run)
    print(f"{options.run} was asked to stop; it ends at its next step with a checkpoint.")
    if options.wait:
        _wait(store, options.run)
    return 0


def _resume(options: argparse.Namespace) -> int:
    home, store = _open()
    print(f"run_id: {launch.resume_run(store, home, options.run)}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    home, store = _open()
    problem_set = load_problems(options.source, home)
    problems = problem_set.of_split(options.split)
    problems = problems[: max(1, round(len(problems) * options.fraction))]
    if not problems:
        raise SourceError(f"{problem_set.name} has no {options.split} problems.", "Choose the other split or another source.")
    if options.samples > 1 and options.temperature == 0:
        raise ConfigError(
            f"--samples {options.samples} at temperature 0 would be {options.samples} times the same completion.",
            "Give a --temperature above 0, for example 1.",
        )
    settings = ("model", "split", "fraction", "temperature", "samples", "max_completion_length")
    spec = {name: getattr(options, name) for name in settings} | {"source": problem_set.source}
    job, new = store.create_job("evaluate", "evaluate", spec, total=len(problems))
    if not new:
        raise StoreError(f"{job.id} is measuring exactly this.", f"See it with `python -m training show {job.id}`.")
    with job_process(store, job.id) as process, local.accelerator(home, store, job, process.check_stop):
        process.begin()
        from training.engines import plain

        model, tokenizer = plain.load_model(options.model)
        items = evaluate_model(
            model,
            tokenizer,
            problems,
            system_prompt=SYSTEM_PROMPT,
            max_completion_length=options.max_completion_length,
            temperature=options.temperature,
            report=lambda done: _report_evaluation(process, done // options.samples, len(problems)),
            samples=options.samples,
        )
        store.add_evaluation(job.id, options.split, 0, options.split, items)
    evaluation = store.evaluations(job.id)[0]
    ended = store.job(job.id)
    took_s = (ended.ended_at or ended.heartbeat_at) - (ended.started_at or ended.created_at)
    steps = {problem.id: len(problem.steps) for problem in problems}
    if options.json:
        facts = {"id": job.id, "problems": len(problems), "samples": options.samples, "seconds": took_s}
        print(json.dumps(facts | evaluation_facts(evaluation, steps), indent=2))
    else:
        tokens = sum(item.tokens for item in items)
        print(f"{options.model} on {len(problems):,} {options.split} problems of {problem_set.name}, kept as {job.id}")
        print(f"{len(items):,} completions, {tokens:,} tokens, {took_s:,.0f} s")
        print(*evaluation_lines(evaluation, steps), sep="\n")
    return 0


def _report_evaluation(process: JobProcess, done: int, total: int) -> None:
    process.progress(done, total, f"evaluated {done:,} of {total:,} problems")
    process.check_stop()


def _score(options: argparse.Namespace) -> int:
    if options.adversarial:
        return 0 if print_bench(check_cases()) else 1
    try:
        text = sys.stdin.read() if options.jsonl == "-" else Path(options.jsonl).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{options.jsonl} cannot be read ({error}).", "Give a JSON Lines file in UTF-8.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            completion, answer = _completion_row(line, f"{options.jsonl}:{number}")
            print(json.dumps({"rewards": score_completion(completion, answer)}))
    return 0


def _completion_row(line: str, place: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
        completion, answer = row["completion"], row["answer"]
        if not isinstance(completion, str) or not isinstance(answer, str):
            raise TypeError("both must be text")
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f'{place} is not {{"completion", "answer"}} ({error}).', "Mend the line.") from error
    return completion, answer


def _open() -> tuple[Home, Store]:
    home = Home.from_environment()
    return home, Store.open(home.store_url)


def _wait(store: Store, run_id: str) -> int:
    """Follow a run on standard error until it ends; 0 if it finished."""
    shown = ""
    while (run := store.job(run_id)).active:
        line = f"{run.status}: step {run.done:,.0f} of {run.total:,.0f} {run.message}".rstrip()
        if line != shown:
            print(line, file=sys.stderr)
            shown = line
        time.sleep(_WAIT_POLL_S)
    print(f"{run.status}: {run.reason}", file=sys.stderr)
    return 0 if run.status == "finished" else 1


def _job_facts(job: Job) -> dict[str, Any]:
    return {
        "run_id": job.id,
        "status": job.status,
        "reason": job.reason,
        "message": job.message,
        "step": int(job.done),
        "max_steps": int(job.total),
        "backend": job.backend,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
    }


def _latest_scalars(store: Store, job_id: str) -> dict[str, float | None]:
    return {scalar.name: scalar.value for scalar in store.scalars(job_id)}


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError("must be between 0 and 10")
    return value


def _weight(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=W, such as correctness=1") from None


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
