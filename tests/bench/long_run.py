"""How long the page of a long run takes: 100,000 steps opened, a poll, a zoom, and pages of 1,000,000 rollouts.

    python -m tests.bench.long_run

Writes a store of about 1.3 GB to a temporary folder. Times are of the data and figures alone, but for the last: those are
from the list of runs to the first curve in Chromium, once with a dashboard that has just been started and once more.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from dashboard import curves, figures
from dashboard.axes import step_axis
from dashboard.curve_figures import Look, curve_figure, in_words
from dashboard.thinning import Window
from tests.browser.conftest import CHROMIUM_ARGUMENTS, start_dashboard, stop
from training.doctor.examination import examine
from training.groups import Rollout
from training.home import Home
from training.insight.rollout_pages import Asked, Key, rollout_page
from training.presets import load_preset
from training.store import Store
from training.store.scalar_series import RunSeries, series_names
from training.store.schema import rollouts, scalars

STEPS = 100_000
ROLLOUTS = 1_000_000
GROUP, GROUPS = 8, 2
_SETTLE_MS = 4_000
_TEXT = "<reasoning>\nThe shop sold 48 apples and then half as many in May, so it is {} more, and {} in all\n</reasoning>"
_OTHERS = ("kl", "entropy", "loss", "grad_norm", "learning_rate", "step_time", "completions/mean_length", "num_tokens")


def timed(title: str, action: Callable[[], object]) -> None:
    """Print how long an action takes, by the clock and in processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    action()
    print(f"{title:<58} {time.perf_counter() - start:7.3f} s, {time.process_time() - cpu:7.3f} s of processor time", flush=True)


def fill(store: Store, run_id: str, names: list[str]) -> None:
    """The run's scalars and rollouts, written in bulk."""
    generator = np.random.default_rng(0)
    with store.writing() as connection:
        for first in range(1, STEPS + 1, 2_000):
            values = generator.random((2_000, len(names)))
            rows = [
                {"job_id": run_id, "step": first + row, "name": name, "value": value, "time": 0.0}
                for row, of_step in enumerate(values.tolist())
                for name, value in zip(names, of_step, strict=True)
            ]
            connection.execute(scalars.insert(), rows)
    a_step = GROUP * GROUPS
    with store.writing() as connection:
        for first in range(0, ROLLOUTS, 20_000):
            connection.execute(rollouts.insert(), [_row(run_id, generator, first + i, a_step) for i in range(20_000)])


def _row(run_id: str, generator: np.random.Generator, number: int, a_step: int) -> dict[str, object]:
    """The rollout of that number, counted over the run."""
    right = float(generator.random() < 0.5)
    step, group, position = 1 + number // a_step, number % a_step // GROUP, number % GROUP
    rewards = {"correctness": right, "soft_correctness": 1.0, "integer": 0.5}
    text = _TEXT.format(number, right)
    return {"job_id": run_id} | vars(Rollout(step, group, position, "train-1", text, rewards, 2.0 + right, 0.1, 40, "stop"))


def bench(folder: Path) -> None:
    """Fill a store, then time what the page does."""
    config = load_preset("demo", [f"max_steps={STEPS}"])
    names = sorted({*_OTHERS, *(name for curve in curves.run_curves(config, _OTHERS) for name in curve.names)})
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(folder)}).store_url)
    run_id = store.create_job("train", "long", config.model_dump(mode="json"), total=STEPS)[0].id
    store.start(run_id)
    store.end(run_id, "finished", f"all {STEPS:,} steps done")
    timed(f"filling: {STEPS:,} steps of {len(names)} scalars, {ROLLOUTS:,} rollouts", lambda: fill(store, run_id, names))

    series = RunSeries(run_id)

    def draw(window: Window | None = None) -> None:
        series.update(store)
        shown = curves.run_curves(config, series_names(store, run_id))
        known = {name: series.get(store, name) for curve in shown for name in curve.names}
        look = Look("v", STEPS, 0.6, window)
        figures.panels_json(
            figures.Panel(curve.key, in_words(known, curve, {}), curve_figure(known, curve, step_axis(), look, {}))
            for curve in shown
        )

    timed("opening the curves for the first time", draw)
    timed("drawing them all again", draw)
    store.record(run_id, scalars=[(STEPS + 1, dict.fromkeys(names, 0.5))])
    timed("a poll that finds a new step", draw)
    timed("zooming to 1,000 steps", lambda: draw((50_000.0, 51_000.0)))

    def page(asked: Asked, after: Key | None = None) -> Callable[[], object]:
        return lambda: rollout_page(store, run_id, asked, after)

    middle = ROLLOUTS // 2
    timed("the latest rollouts", page(Asked()))
    timed("a page in the middle", page(Asked(), (1 + middle // (GROUP * GROUPS), middle)))
    timed("the best, in the middle of equal totals", page(Asked(order="best"), (3.0, middle)))
    timed("wrong ones", page(Asked(verdict="wrong")))
    timed("a text that is nowhere, one look", page(Asked(text="nowhere")))
    timed("a text that is nowhere, the best first", page(Asked(text="nowhere", order="best")))
    timed("the rollouts of one step", lambda: store.rollouts(run_id, store.last_rollout_step(run_id)))
    timed("the health signals", lambda: examine(store, run_id))
    in_chromium(folder, run_id)


def in_chromium(folder: Path, run_id: str) -> None:
    """Time how long the run's page takes, coming from the list of runs."""
    server, address = start_dashboard(folder, folder / "dashboard.log", {})
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{address}/insights")
            page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)  # the page has loaded plotly.js then
            page.get_by_role("link", name="Runs").click()
            for title in ("the page in Chromium, for the first time", "the page in Chromium, again"):
                page.locator("[data-testid='stDataFrame']").wait_for(timeout=60_000)
                page.wait_for_timeout(_SETTLE_MS)
                timed(title, lambda: open_run(page, run_id))
                page.wait_for_timeout(_SETTLE_MS)
                page.get_by_role("button", name="All runs").click()
            browser.close()
    finally:
        stop(server)


def open_run(page: Page, run_id: str) -> None:
    page.evaluate(
        "run => { history.pushState({}, '', `/runs?run=${run}`); dispatchEvent(new PopStateEvent('popstate')); }", run_id
    )
    page.locator(".atlas-cell .main-svg").first.wait_for(timeout=60_000)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        bench(Path(temporary))
