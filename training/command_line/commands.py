"""What the commands of `python -m training` do with runs; those on models are `training.command_line.model_commands`.

Each takes its parsed options and returns the exit status.
"""

import argparse
import json
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.backends.registry import backend_named, backend_names, backend_state
from training.command_line.outputs import (
    backend_line,
    comparison_facts,
    comparison_lines,
    counterfactual_lines,
    evaluation_facts,
    evaluation_lines,
    evaluation_size,
    health_lines,
)
from training.errors import ConfigError, SourceError, StoreFailedError, shown
from training.files import replace_file
from training.home import Home
from training.insight.counterfactuals import reweigh
from training.insight.health import MIN_STEPS, examine
from training.insight.report import report_html
from training.names import is_name
from training.preflight import Preflight
from training.preflight.calibration import with_calibration
from training.preflight.text import preflight_facts, preflight_lines
from training.presets import load_preset, preset_description, preset_paths, preset_text
from training.rewards.own import register_own_rewards
from training.runs import launch
from training.runs.deletion import belongings_line, belongings_of, check_deletable, delete_job, open_store, unknown_runs
from training.runs.reconciling import Reconciler, reconcile
from training.store import LOCAL, Job, Store
from training.store.evaluations import complete_evaluations

_WAIT_POLL_S = 0.5


def launch_run(options: argparse.Namespace) -> int:
    """Start a run; with `--wait` follow it to its end: 1 unless it finished."""
    if options.dry_run:
        return check_run(options)
    home, store = open_here()
    config = load_preset(options.preset, options.assignments, home.presets)
    run_id = launch.launch_run(store, home, config, options.backend, _tell)
    print(json.dumps({"run_id": run_id}) if options.json else f"run_id: {run_id}", flush=True)
    return _wait(store, home, run_id) if options.wait else 0


def check_run(options: argparse.Namespace) -> int:
    """Print what preflight finds: 1 with errors."""
    home, store = open_here()
    config, problem_set = launch.prepare_run(store, home, load_preset(options.preset, options.assignments, home.presets))
    found = launch.check_run(store, home, config, problem_set, options.backend)
    measured = None
    if getattr(options, "calibrate", False) and options.backend != LOCAL:
        raise ConfigError(f"Calibrating measures this machine, not {options.backend}.", "Leave out --calibrate or --backend.")
    if getattr(options, "calibrate", False) and not found.errors:
        measured = launch.calibrate_run(store, home, config, problem_set, lambda doing: print(doing, file=sys.stderr))
        found = with_calibration(config, found, measured)
    if options.json:
        print(json.dumps(preflight_facts(config, found, measured), indent=2))
    else:
        print(*preflight_lines(config, problem_set.name, found, measured), sep="\n")
    return 1 if found.errors else 0


def _tell(found: Preflight) -> None:
    """Errors that are not certain, and warnings; notes are for `preflight`."""
    for finding in found.findings:
        if finding.severity != "note" and not finding.certain:
            print(f"{finding.severity}: {finding.text} {finding.remedy}", file=sys.stderr)


def show_presets(options: argparse.Namespace) -> int:
    """Print the presets, or one of them whole."""
    own = Home.from_environment().presets
    paths = preset_paths(own)
    if options.preset is not None:
        config = load_preset(options.preset, own=own)
        print(preset_text(config, preset_description(paths.get(options.preset) or Path(options.preset))), end="")
        return 0
    for name, path in paths.items():
        print(f"{name if is_name(name) else shown(name)}\n{textwrap.indent(textwrap.fill(_described(path), 96), '    ')}")
    return 0


def _described(path: Path) -> str:
    """What a preset says of itself, or why it cannot be used."""
    try:
        load_preset(str(path))
    except ConfigError as error:
        return f"cannot be used. {error.problem}"
    return preset_description(path)


def show_backends(options: argparse.Namespace) -> int:
    """Print where runs may go, each asked at the same time as the others."""
    home, store = open_here(rewards=False)
    names = backend_names(home)
    with ThreadPoolExecutor(len(names)) as pool:
        states = dict(zip(names, pool.map(lambda name: backend_state(name, home, store), names), strict=True))
    if options.json:
        print(json.dumps([{"backend": name} | asdict(state) for name, state in states.items()], indent=2))
        return 0
    for name, state in states.items():
        print(f"{name:<16} {state.kind:<11} {backend_line(state)}")
    return 0


def list_runs(options: argparse.Namespace) -> int:
    """Print the runs, newest first."""
    home, store = open_here(rewards=False)
    _reconcile(store, home)
    total = store.count_jobs("train")
    runs = store.jobs("train", None if options.all else options.limit, options.offset)
    left_out = f"{len(runs):,} of {total:,} runs; --limit N, --offset N or --all shows others"
    if options.json:
        print(json.dumps([_job_facts(run) for run in runs], indent=2))
        if len(runs) < total:
            print(left_out, file=sys.stderr)  # a list is what programs read
        return 0
    if not total:
        print("No runs yet. `python -m training launch --preset demo` starts one.")
    for run in runs:
        step = f"step {run.done:,.0f} of {run.total:,.0f}"
        print(f"{run.id:<24} {run.backend:<9} {run.status:<9} {step}  {run.reason or run.message}")
    if len(runs) < total:
        print(left_out)
    return 0


def show_run(options: argparse.Namespace) -> int:
    """Print one run, or the end of its log."""
    home, store = open_here(rewards=False)
    _reconcile(store, home)
    run = store.job(options.run)
    if options.log:
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
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"{run.id}  {run.status} on {run.backend}  step {run.done:,.0f} of {run.total:,.0f}  {run.reason or run.message}")
    if run.tracker:
        print(f"  Weights & Biases: {run.tracker}")
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


def show_health(options: argparse.Namespace) -> int:
    """Print what deserves a look in a run."""
    _, store = open_here(rewards=False)
    health = examine(store, options.run)
    if options.json:
        print(json.dumps({"run_id": options.run, "checked": health.steps >= MIN_STEPS} | asdict(health), indent=2))
    else:
        print(*health_lines(health), sep="\n")
    return 0


def reweigh_run(options: argparse.Namespace) -> int:
    """Print what other weights would have made of a run's advantages."""
    _, store = open_here()
    found = reweigh(store, options.run, dict(options.weight) or None, options.scale_rewards)
    if options.json:
        print(json.dumps({"run_id": options.run} | asdict(found), indent=2))
    else:
        print(*counterfactual_lines(found), sep="\n")
    return 0


def stop_run(options: argparse.Namespace) -> int:
    """Ask a run to stop, or end it."""
    home, store = open_here(rewards=False)
    print(launch.stop_run(store, home, options.run, force=options.force))
    if options.wait:
        _wait(store, home, options.run)
    return 0


def resume_run(options: argparse.Namespace) -> int:
    """Go on with a run from a checkpoint."""
    home, store = open_here()
    print(f"run_id: {launch.resume_run(store, home, options.run, options.checkpoint)}")
    return 0


def delete_run(options: argparse.Namespace) -> int:
    """Delete an ended run, or say what would go."""
    home, store = open_here(rewards=False)
    run = store.job(options.run)
    check_deletable(store, home, run)
    print(f"{run.id}: {belongings_line(belongings_of(store, home, run.id))}")
    if not options.yes:
        print("Nothing was deleted. With --yes all of it goes, for good.")
        return 1
    delete_job(store, home, run.id)
    print("deleted")
    return 0


def write_report(options: argparse.Namespace) -> int:
    """Write a run as one HTML file."""
    home, store = open_here()
    text = report_html(store, home, options.run)
    try:
        replace_file(options.out, lambda file: file.write(text.encode()))
    except OSError as error:
        raise SourceError(
            f"{options.out} cannot be written ({error.strerror}).", "Name a file in a folder that is there and has room."
        ) from error
    print(f"{options.out}: {len(text.encode()):,} bytes")
    return 0


def open_here(*, rewards: bool = True) -> tuple[Home, Store]:
    """The home and the run store that the environment names.

    Args:
        rewards: have own reward functions known. Without them, runs whose functions cannot be used can be looked at, stopped
            and deleted.
    """
    home = Home.from_environment()
    if rewards:
        register_own_rewards(home.rewards)
    store = open_store(home)
    if notice := unknown_runs(store, home):
        print(f"warning: {notice}", file=sys.stderr)
    return home, store


def _reconcile(store: Store, home: Home) -> None:
    """`reconcile`, as far as the store can be written: else it tells what it knows."""
    try:
        reconcile(store, home)
    except StoreFailedError as error:
        print(f"warning: {error}", file=sys.stderr)


def _wait(store: Store, home: Home, run_id: str) -> int:
    """Follow a run on standard error until it ends; 0 if it finished."""
    shown = ""
    reconciler = Reconciler(store, home)
    while (run := store.job(run_id)).active:
        reconciler.wake()
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
        "tracker": job.tracker,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
    }


def _latest_scalars(store: Store, job_id: str) -> dict[str, float | None]:
    return {scalar.name: scalar.value for scalar in store.scalars(job_id)}
