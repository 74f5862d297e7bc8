"""How long a person waits on Explore, in Chromium on a finished map: opening, lasso, another colouring, search by meaning.

`python -m tests.bench.explore_page --home HOME --source FOLDER [--rounds 5]`, HOME with the source's map in it.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, DRAG_LAYER, MAP, drag_lasso, start_dashboard, stop

POINTS = f"{MAP}?._fullData?.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0)"
LASSO = ((0.36, 0.36), (0.56, 0.36), (0.56, 0.56), (0.36, 0.56), (0.36, 0.38))
"""About 1,500 points of GSM8K's map."""
GOALS_S = {"open": 2.0, "lasso": 0.5, "colour": 0.5, "meaning": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--problems", type=int, default=8792)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    process, address = start_dashboard(options.home, options.home / "bench.log", {"GRPO_ATLAS_DATA": options.source})
    seconds: dict[str, list[float]] = {"open": [], "lasso": [], "colour": []}
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            for _ in range(options.rounds + 1):
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                seconds["open"].append(_timed(lambda: page.goto(address), page, f"{POINTS} === {options.problems}"))  # noqa: B023
                page.wait_for_timeout(1500)
                seconds["lasso"].append(_lasso(page))
                seconds["colour"].append(_colour(page))
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


def _timed(act: Callable[[], object], page: Page, until: str) -> float:
    started = time.monotonic()
    act()
    page.wait_for_function(f"() => {until}", polling=10, timeout=60_000)
    return time.monotonic() - started


def _lasso(page: Page) -> float:
    """From the mouse button's release to the line that says how many are selected."""
    page.locator(DRAG_LAYER).first.wait_for()
    drag_lasso(page, LASSO, release=False)
    said = "[...document.querySelectorAll('strong')].some((line) => /^[\\d,]+ selected, /.test(line.textContent))"
    return _timed(page.mouse.up, page, said)


def _colour(page: Page) -> float:
    """From the choice in the list to the map with its new legend."""
    page.get_by_role("combobox", name="Colour by").click()
    option = page.get_by_role("option", name="Steps", exact=True)
    option.wait_for()
    return _timed(option.click, page, f"{MAP}._fullData.some((trace) => trace.name === '8+')")


if __name__ == "__main__":
    main()
