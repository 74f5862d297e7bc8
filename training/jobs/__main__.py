"""The process of a job, `python -m training.jobs ID`: reads from the store what it is to do, and does it."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from training.home import Home
from training.jobs.running import run_job
from training.store import Store
from training.store.patience import patiently
from training.terminal import new_program, run_program


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the process of one job, and return the exit status."""
    return run_program(new_program({"job": be_job}), "python -m training.jobs", arguments)


def be_job(job: Annotated[str, typer.Argument(metavar="ID", help="the job's id")]) -> int:
    """The process of a queued job; launching it starts this."""
    home, store = patiently(_open)
    print(run_job(store, home, job).reason or "done")
    return 0


def _open() -> tuple[Home, Store]:
    home = Home.from_environment()
    return home, Store.open(home.store_url, create=False)


if __name__ == "__main__":
    sys.exit(main())
