"""Rollouts of other trainers, read into the ledger: `import`."""

from typing import Annotated

import typer

from training.command_line.sources import SourceLine, warn_of_left_out
from training.command_line.stores import open_here
from training.data.problems import load_problems
from training.errors import SourceError
from training.imports.logs import NAMES
from training.jobs.importing import bring_in, imported_config, queue_import
from training.jobs.job_process import job_process
from training.paths import parse_path


def import_rollouts(
    path: Annotated[str, typer.Argument(help="a TRL output folder, verl's rollout_data_dir, or a file of rows")],
    source: SourceLine = "auto",
    columns: Annotated[
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help=f"which columns are which: {', '.join(NAMES)}; reward=a,b")
    ] = None,
    verifier: Annotated[
        str, typer.Option(metavar="NAME", help="the reward that says what is right, of the log or of this program")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", help="keep up with a log that is still written, until Ctrl-C")] = False,
) -> int:
    """Read another trainer's completions: a run to look at, like one of this program."""
    home, store = open_here()
    problem_set = load_problems(source, home)
    warn_of_left_out(problem_set)
    mapping = dict(_pair(text) for text in columns or ())
    config = imported_config(parse_path(path, SourceError), problem_set, mapping, verifier)
    job = queue_import(store, home, config)
    print(f"run_id: {job.id}")
    whose = "the log's" if config.verifier in config.rewards else "this program's own; --verifier takes another"
    rewards = ", ".join(config.rewards) or "none"
    print(f"{config.layout}: rewards {rewards}; right by {config.verifier}, {whose}", flush=True)
    if job.active and job.status != "queued":
        print(f"{job.id} is being read already.")
        return 0
    with job_process(store, job.id) as process:
        bring_in(process, home, config, idle_s=float("inf") if follow else 0.0)
    print(store.job(job.id).reason)
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, mark, column = text.partition("=")
    if not mark or not name or not column:
        raise typer.BadParameter(f"{text!r} is not NAME=COLUMN", param_hint="--columns")
    return name, column
