"""What a live run costs those who watch it: pages on a run that logs a step a second, as large as the demo's.

    python -m tests.bench.live_run [--viewers 10] [--browsers 1] [--seconds 40]

Browsers are pages of one Chromium with a context each, so nothing is shared between them; each takes most of a core, so
where cores are few, clients that say what a page says stand for the others (`page_client.py`). Nothing is measured before
every viewer has the curves, and each has to go on getting them. Printed are processor seconds of the dashboard's process for
each second by the clock, while steps come and while none does; how long a finished step takes from the time on its row to the
chart and to the line that show it; and what recording takes the writing process, watched or not. A machine that does anything
else beside has nothing to tell of the goals, so its load is printed too.
"""

import multiprocessing as mp
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import psutil
import typer
from playwright.sync_api import Browser, Page, sync_playwright

from dashboard import curves
from tests.bench.page_client import PageClient
from tests.browser.conftest import CHROMIUM_ARGUMENTS, start_dashboard, stop
from training.config import RunConfig
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset
from training.store import Progress, Store

STEPS_BEFORE = 100
STEP_S = 1.0
GOAL_LATENCY_S = 2.0
GOAL_CORES = {10: 0.5, 50: 1.0}
"""Viewers -> cores."""
OPENING_S = 300.0
WARM_UP_S = 8.0
OPENED_APART_S = 0.2
"""Fifty people do not open a page in one second, and what a page asks every few seconds it asks from when it was opened."""
_OTHERS = ("kl", "entropy", "loss", "grad_norm", "learning_rate", "step_time", "num_tokens", "clip_ratio/region_mean")
_TEXT = (
    "<reasoning>\nThe shop sold 48 apples and then half as many, so it is {} in all\n</reasoning>\n<answer>\n{}\n</answer>\n"
)
WATCH = """() => {
    globalThis.seen = {};
    const look = () => {
        const line = document.querySelector(".js-plotly-plot")?._fullData?.find((trace) => trace.fill === "none");
        const step = line?.x?.at(-1);
        if (step && !(step in globalThis.seen)) globalThis.seen[step] = Date.now() / 1000;
    };
    setInterval(look, 20);
}"""


def main(
    viewers: int = 10,
    browsers: Annotated[int, typer.Option(help="how many of the viewers are pages in Chromium")] = 1,
    seconds: float = 40.0,
) -> None:
    """What a live run costs those who watch it: pages on a run that logs a step a second, as large as the demo's."""
    with tempfile.TemporaryDirectory() as folder:
        bench(Path(folder), browsers, viewers - browsers, seconds)


def bench(folder: Path, browsers: int, clients: int, seconds: float) -> None:
    """Watch a run, then one that logs nothing, and print what it took."""
    url = Home.from_environment({"GRPO_ATLAS_HOME": str(folder)}).store_url
    store = Store.open(url)
    run_id = begin(store)
    ours, theirs = mp.Pipe()
    writer = mp.get_context("spawn").Process(target=write, args=(url, run_id, theirs), daemon=True)
    writer.start()
    alone = recorded(ours, seconds / 2)
    server, address = start_dashboard(folder, folder / "dashboard.log", {})
    process = psutil.Process(server.pid)
    others = [PageClient(f"{address}/runs?run={run_id}") for _ in range(clients)]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            for other in others:
                other.start()
                time.sleep(OPENED_APART_S)
            pages = [open_page(browser, f"{address}/runs?run={run_id}") for _ in range(browsers)]
            wait = pages[0].wait_for_timeout if pages else lambda milliseconds: time.sleep(milliseconds / 1_000)
            open_all(others, ours, wait)
            began, asked = time.time(), sum(other.asked for other in others)
            cores, watched = cores_of(process, lambda: recorded(ours, seconds, wait))
            asked = sum(other.asked for other in others) - asked
            wait(3_000)
            idle, _ = cores_of(process, lambda: wait(seconds * 500))
            seen = [page.evaluate("() => globalThis.seen") for page in pages]
            browser.close()
    finally:
        for other in others:
            other.close()
        stop(server)
        writer.terminate()
    times = {scalar.step: scalar.time for scalar in store.scalars(run_id) if scalar.name == "reward" and scalar.time >= began}
    assert all(latencies(times, viewer) for viewer in (*seen, *(other.seen for other in others))), "a viewer got no step"
    goal = next((cores for viewers, cores in GOAL_CORES.items() if browsers + clients <= viewers), max(GOAL_CORES.values()))
    every_s = seconds * clients / max(1, asked)
    print(f"{browsers} browsers and {clients} clients, {len(times)} steps; a client asked every {every_s:.2f} s")
    print(f"machine: {psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f} in the last minute, this bench included")
    print(f"dashboard: {cores:.3f} cores while steps come, {idle:.3f} while none does; goal {goal}, ratio {cores / goal:.2f}")
    print_latency("in a chart in Chromium", [late for of_page in seen for late in latencies(times, of_page)])
    print_latency("in a chart at the clients", [late for other in others for late in latencies(times, other.seen)])
    print_latency("in the line at the clients", [late for other in others for late in latencies(times, other.read)])
    print(
        f"recording a step: median {median(alone) * 1e3:.1f} ms unwatched, {median(watched) * 1e3:.1f} ms watched; "
        f"longest {max(alone) * 1e3:.0f} and {max(watched) * 1e3:.0f} ms"
    )


def open_all(others: list[PageClient], steps: Connection, wait: Callable[[float], object]) -> None:
    """Go on until every client has the curves and the line."""
    deadline = time.monotonic() + OPENING_S
    while not all(other.seen and other.read for other in others):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{sum(not other.seen for other in others)} clients have no curves after {OPENING_S:.0f} s")
        recorded(steps, 2.0, wait)
    recorded(steps, WARM_UP_S, wait)


def latencies(times: Mapping[int, float], seen: Mapping[str, float]) -> list[float]:
    """Seconds from each step's row to the first chart that shows it or a later one."""
    at = sorted((int(step), moment) for step, moment in seen.items())
    found = []
    for step, recorded_at in times.items():
        shown = [moment for later, moment in at if later >= step]
        if shown:
            found.append(min(shown) - recorded_at)
    return found


def print_latency(where: str, found: list[float]) -> None:
    if not found:
        return
    high = float(np.quantile(found, 0.95))
    print(
        f"a step is shown {where} after: median {median(found):.2f} s, 95th percentile {high:.2f} s, "
        f"longest {max(found):.2f} s; goal {GOAL_LATENCY_S} s, ratio {high / GOAL_LATENCY_S:.2f}"
    )


def open_page(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(address, timeout=120_000)
    page.get_by_role("button", name="Duplicate").wait_for(timeout=120_000)
    page.evaluate(WATCH)
    return page


def cores_of(process: psutil.Process, action: Callable[[], list[float] | None]) -> tuple[float, list[float]]:
    """Processor seconds of a process for each second by the clock that an action takes, and what the action gives."""
    before, started = process.cpu_times(), time.monotonic()
    given = action() or []
    after, took_s = process.cpu_times(), time.monotonic() - started
    return (after.user + after.system - before.user - before.system) / took_s, given


def recorded(steps: Connection, seconds: float, wait: Callable[[float], object] | None = None) -> list[float]:
    """Have the writer go on for so long; the seconds that it took to record each step."""
    steps.send(seconds)
    while wait and not steps.poll():
        wait(100)  # playwright answers its browser meanwhile
    times: list[float] = steps.recv()
    return times


# The writing process


def begin(store: Store) -> str:
    """A run under way."""
    config = load_preset("demo", ["max_steps=1000"])
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=config.max_steps)[0].id
    store.start(run_id)
    for step in range(1, STEPS_BEFORE + 1):
        record_step(store, run_id, config, step)
    return run_id


def write(url: str, run_id: str, orders: Connection) -> None:
    """Record a step a second for as long as told; between orders only beat."""
    store, config, step = Store.open(url), load_preset("demo", ["max_steps=1000"]), STEPS_BEFORE
    while True:
        while not orders.poll(1.0):
            store.beat(run_id)
        seconds, times = orders.recv(), []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            step += 1
            started = time.perf_counter()
            record_step(store, run_id, config, step)
            times.append(time.perf_counter() - started)
            time.sleep(max(0.0, STEP_S - times[-1]))
        orders.send(times)


def record_step(store: Store, run_id: str, config: RunConfig, step: int) -> None:
    """A step of the demo's size."""
    random = np.random.default_rng(step)
    rewards = {name: float(random.integers(2)) for name in config.reward_weights}
    rollouts = [
        Rollout(step, number // 8, number % 8, f"train-{number}", _TEXT.format(number, step), rewards, 2.0, 0.1, 45, "stop")
        for number in range(config.completions_per_step)
    ]
    names = {*_OTHERS, *(name for curve in curves.run_curves(config, _OTHERS) for name in curve.names)}
    scalars = {name: float(random.random()) for name in sorted(names)}
    store.record(run_id, rollouts=rollouts, scalars=[(step, scalars)], progress=Progress(step, config.max_steps, "training"))


if __name__ == "__main__":
    typer.run(main)
