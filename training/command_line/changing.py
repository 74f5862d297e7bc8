"""Stopping runs, going on with them, deleting them: `stop`, `resume`, `delete`."""

from typing import Annotated

import typer

from training.command_line.parameters import RunId
from training.command_line.stores import open_here, wait_for
from training.runs import launch
from training.runs.deletion import belongings_line, belongings_of, check_deletable, delete_job


def stop_run(
    run_id: RunId,
    wait: Annotated[bool, typer.Option("--wait", help="return when the run has ended")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="end it within seconds, even if it is stuck; it keeps its checkpoints")
    ] = False,
) -> int:
    """Ask a run to end at its next step, with a checkpoint."""
    home, store = open_here(rewards=False)
    print(launch.stop_run(store, home, run_id, force=force))
    if wait:
        wait_for(store, home, run_id)
    return 0


def delete_run(
    run_id: RunId, yes: Annotated[bool, typer.Option("--yes", help="delete it; without, what would go is printed")] = False
) -> int:
    """Delete a run that has ended, with all it left: rows, log, checkpoints."""
    home, store = open_here(rewards=False)
    run = store.job(run_id)
    check_deletable(store, home, run)
    print(f"{run.id}: {belongings_line(belongings_of(store, home, run.id))}")
    if not yes:
        print("Nothing was deleted. With --yes all of it goes, for good.")
        return 1
    delete_job(store, home, run.id)
    print("deleted")
    return 0


def resume_run(
    run_id: RunId,
    checkpoint: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="STEP",
            help="the checkpoint's step, the latest if not given, 0 to begin again; what came after it is forgotten",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="return when the run has ended; status 1 unless it finished")] = False,
) -> int:
    """Go on with a stopped, failed or lost run from a checkpoint, or with a study or an evaluation where it stood."""
    home, store = open_here()
    print(f"run_id: {launch.resume_run(store, home, run_id, checkpoint)}", flush=True)
    return wait_for(store, home, run_id) if wait else 0
