"""The process of a job, `python -m training.jobs ID`: reads from the store what it is to do, and does it."""

import argparse
import sys

from training.home import Home
from training.jobs.running import run_job
from training.options import Parser
from training.store import Store
from training.store.patience import patiently
from training.terminal import run_command


def main(arguments: list[str] | None = None) -> int:
    """Be the process of one job, and return the exit status."""
    parser = Parser(prog="python -m training.jobs", description="The process of a queued job; launching it starts this.")
    parser.add_argument("job", metavar="ID", help="the job's id")
    return run_command(_run, parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> int:
    home, store = patiently(_open)
    print(run_job(store, home, options.job).reason or "done")
    return 0


def _open() -> tuple[Home, Store]:
    home = Home.from_environment()
    return home, Store.open(home.store_url, create=False)


if __name__ == "__main__":
    sys.exit(main())
