"""The home and the store that a command works with, and a run followed to its end."""

import sys
import time

from training.errors import StoreFailedError
from training.home import Home
from training.rewards.own import register_own_rewards
from training.runs.deletion import open_store, unknown_runs
from training.runs.reconciling import Reconciler, reconcile
from training.store import RUN_KINDS, Store

_WAIT_POLL_S = 0.5


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


def reconcile_here(store: Store, home: Home) -> None:
    """`reconcile`, as far as the store can be written: else it tells what it knows."""
    try:
        reconcile(store, home)
    except StoreFailedError as error:
        print(f"warning: {error}", file=sys.stderr)


def wait_for(store: Store, home: Home, run_id: str) -> int:
    """Follow a run on standard error until it ends; 0 if it finished."""
    shown = ""
    reconciler = Reconciler(store, home)
    while (run := store.job(run_id)).active:
        reconciler.wake()
        step = f"step {run.done:,.0f} of {run.total:,.0f} " if run.kind in RUN_KINDS else ""
        line = f"{run.status}: {step}{run.message}".rstrip()
        if line != shown:
            print(line, file=sys.stderr)
            shown = line
        time.sleep(_WAIT_POLL_S)
    print(f"{run.status}: {run.reason}", file=sys.stderr)
    return 0 if run.status == "finished" else 1
