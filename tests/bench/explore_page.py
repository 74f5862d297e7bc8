"""How long a person waits on Explore, in Chromium on a finished map: opening, lasso, another colouring.

`python -m tests.bench.explore_page --home HOME --source FOLDER [--rounds 5]`, HOME with the source's map in it.

Opening is measured twice: in a browser that has never seen the program (its cache empty), and coming from another page.
All other times run inside the page, from the release of the mouse to the frame that shows the result.
"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, MAP, drag_lasso, start_dashboard, stop

POINTS = f"{MAP}?._fullData?.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0)"
LASSO = ((0.36, 0.36), (0.56, 0.36), (0.56, 0.56), (0.36, 0.56), (0.36, 0.38))
"""About 1,500 points of GSM8K's map."""
GOALS_S = {"open": 2.0, "come from another page": 2.0, "lasso": 0.5, "colour": 0.5}

CLOCK = """(until) => {
    globalThis.waited = new Promise((resolve) => {
        let started;
        addEventListener("pointerup", () => { started ??= performance.now(); }, { capture: true });
        const look = () => {
            if (started !== undefined && eval(until)) resolve((performance.now() - started) / 1000);
            else requestAnimationFrame(look);
        };
        look();
    });
}"""


def main(
    home: Annotated[Path, typer.Option()], source: Annotated[str, typer.Option()], problems: int = 8792, rounds: int = 5
) -> None:
    """How long a person waits on Explore, in Chromium on a finished map: opening, lasso, another colouring."""
    process, address = start_dashboard(home, home / "bench.log", {"GRPO_ATLAS_DATA": source})
    seconds: dict[str, list[float]] = {name: [] for name in GOALS_S}
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            for _ in range(rounds + 1):
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                drawn = f"{POINTS} === {problems}"
                started = time.monotonic()
                page.goto(address)
                page.wait_for_function(f"() => {drawn}", polling=10, timeout=60_000)
                seconds["open"].append(time.monotonic() - started)
                page.wait_for_timeout(1500)
                seconds["lasso"].append(_lasso(page))
                seconds["colour"].append(_colour(page))
                page.get_by_role("link", name="Launch").click()
                page.get_by_role("button", name="Launch the run").wait_for()
                page.wait_for_timeout(1500)
                link = page.get_by_role("link", name="Explore")
                seconds["come from another page"].append(_timed(page, link.click, drawn))
                page.context.close()
            browser.close()
    finally:
        stop(process)
    for name, times in seconds.items():
        warm = times[1:]
        print(
            f"{name}: median {median(warm):.2f} s, highest {max(warm):.2f} s, first of the process {times[0]:.2f} s; "
            f"ratio to the goal of {GOALS_S[name]} s: {median(warm) / GOALS_S[name]:.2f}"
        )
    print(json.dumps(seconds))


def _timed(page: Page, act: Callable[[], object], until: str) -> float:
    """Seconds from the pointer's release to the first frame in which a JavaScript expression holds."""
    page.evaluate(CLOCK, until)
    act()
    return float(page.evaluate("waited"))


def _lasso(page: Page) -> float:
    """Until the line that says how many are selected."""
    drag_lasso(page, LASSO, release=False)
    said = "[...document.querySelectorAll('strong')].some((line) => /^[\\d,]+ selected, /.test(line.textContent))"
    return _timed(page, page.mouse.up, said)


def _colour(page: Page) -> float:
    """From the choice in the list to the map with its new legend."""
    page.get_by_role("combobox", name="Colour by").click()
    option = page.get_by_role("option", name="Steps", exact=True)
    option.wait_for()
    return _timed(page, option.click, f"{MAP}._fullData.some((trace) => trace.name === '8+')")


if __name__ == "__main__":
    typer.run(main)
