"""How long a page of the list of runs takes among 10,000 runs on SQLite: its rows in several orders, grouping, and in Chromium.

    python -m tests.bench.run_list [--runs N]

The runs are made up: 50 steps and two evaluations each. A page has 100 of them.
"""

import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import typer
from playwright.sync_api import Page, sync_playwright

from dashboard.run_rows import COLUMN_NAMES, Row, run_table
from tests.bench.long_run import timed
from tests.browser.conftest import CHROMIUM_ARGUMENTS, start_dashboard, stop
from tests.many_runs import add_runs
from training.home import Home
from training.presets import load_preset
from training.store import Store
from training.store.job_search import RunFilter, find_runs, matching_runs
from training.store.overview import reward_sparklines
from training.store.run_marks import Marks, all_marks
from training.store.run_table import Order, grouped, standings
from training.store.schema import evaluations
from training.store.sessions import sessions_of

PAGE = 100
STEPS = 50
_SETTLE_MS = 3_000
ORDERS = ("launched", "final reward", "after", "learning_rate", "run")


def main(runs: int = 10_000) -> None:
    """Fill a store, then time what the list does."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.from_environment({"GRPO_ATLAS_HOME": folder})
        store = Store.open(home.store_url)
        timed(f"filling: {runs:,} runs", lambda: fill(store, runs))
        for by in ORDERS:
            timed(f"page 3, sorted by {by}, every column", partial(page, store, by))
        timed("a search by words", lambda: find_runs(store, RunFilter("demo 99"), page=1, size=PAGE))
        timed("grouped by learning_rate", lambda: grouped(store, matching_runs(store, RunFilter()), "learning_rate", 1_000))
        store.close()
        in_chromium(Path(folder))


def fill(store: Store, runs: int) -> None:
    """Runs of ten learning rates, each with what two evaluations came to."""
    random = np.random.default_rng(0)
    spec = load_preset("demo").model_dump(mode="json")
    add_runs(
        store, runs, lambda number: {"spec": spec | {"seed": number, "learning_rate": 1e-5 * (number % 10 + 1)}}, steps=STEPS
    )
    rows = [
        {
            "job_id": f"demo-{number}",
            "label": label,
            "step": step,
            "split": "test",
            "created_at": 1.0,
            "completed_at": 2.0,
            "problems": 200,
            "right": share,
            "right_low": share / 2,
            "right_high": (1 + share) / 2,
        }
        for number, shares in enumerate(random.random((runs, 2)).tolist(), start=1)
        for label, step, share in zip(("before", "after"), (0, STEPS), shares, strict=True)
    ]
    with store.writing() as connection:
        connection.execute(evaluations.insert(), rows)


def page(store: Store, by: str) -> None:
    """A page with all that the list can show."""
    found = find_runs(store, RunFilter(), page=3, size=PAGE, order=Order(by))
    ids = [run.id for run in found.runs]
    marks, rewards, worked = all_marks(store, ids), reward_sparklines(store, ids), sessions_of(store, ids)
    came_to = standings(store, ids)
    rows = [Row(run, marks.get(run.id, Marks()), rewards[run.id], worked[run.id], came_to[run.id]) for run in found.runs]
    assert len(run_table(rows, COLUMN_NAMES, rows[0])) == PAGE


def in_chromium(home: Path) -> None:
    """Opening the list in a browser that never saw the program, then turning its pages."""
    server, address = start_dashboard(home, home / "dashboard.log", {})
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            window = browser.new_page(viewport={"width": 1440, "height": 900})
            timed("the list in Chromium, for the first time", partial(open_list, window, f"{address}/runs"))
            for first in range(PAGE + 1, 4 * PAGE, PAGE):
                window.wait_for_timeout(_SETTLE_MS)
                timed(f"turning to runs from {first:,} on", partial(turn, window, f", {first:,} to"))
            browser.close()
    finally:
        stop(server)


def open_list(window: Page, address: str) -> None:
    window.goto(address)
    window.locator("[data-testid='stDataFrame'] canvas").first.wait_for(timeout=60_000)


def turn(window: Page, shown: str) -> None:
    window.get_by_role("button", name="Older").click()
    window.get_by_text(shown).wait_for(timeout=60_000)


if __name__ == "__main__":
    typer.run(main)
