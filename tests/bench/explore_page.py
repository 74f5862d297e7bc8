"""How long a person waits on Explore, in Chromium on a finished map: opening, lasso, another colouring.

`python -m tests.bench.explore_page --home HOME --source FOLDER [--rounds 5]`, HOME with the source's map in it. In turns with a
bare page of Streamlit and plotly with the same points, table and bars: on a busy machine the ratio counts.

Opening is measured twice: in a browser that has never seen the program (its cache empty), and coming from another page.
All other times run inside the page, from the release of the mouse to the frame that shows the result.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated
from urllib.parse import quote

import typer
from playwright.sync_api import Browser, Page, sync_playwright

from analysis.atlas import AtlasParameters
from tests.browser.conftest import CHROMIUM_ARGUMENTS, MAP, drag_lasso, start_dashboard, stop

POINTS = f"{MAP}?._fullData?.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0)"
LASSO = ((0.36, 0.36), (0.56, 0.36), (0.56, 0.56), (0.36, 0.56), (0.36, 0.38))
"""About 1,500 points of GSM8K's map."""
GOALS_S = {"open": 4.0, "come from another page": 0.5, "lasso": 0.3, "colour": 0.3}
QUIET = {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_SERVER_HEADLESS": "true"}
BARE = Path(__file__).with_name("bare_page.py")

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
    home: Annotated[Path, typer.Option()],
    source: Annotated[str, typer.Option()],
    problems: int = 8792,
    rounds: int = 5,
    model: str = AtlasParameters.model,
) -> None:
    """How long a person waits on Explore, in Chromium on a finished map, beside a bare page of Streamlit and plotly."""
    table = home / "bench.parquet"
    exported = ["export", "--source", source, "--model", model, "--format", "map-parquet", "--out", str(table)]
    environment = {**os.environ, "GRPO_ATLAS_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "analysis", *exported], check=True, env=environment, stdout=subprocess.DEVNULL)
    folders = {"GRPO_ATLAS_DATA": source, "GRPO_ATLAS_FOLDERS": str(Path(model).parent)}
    query = "" if model == AtlasParameters.model else f"/?model={quote(model)}"
    ours, address = start_dashboard(home, home / "bench.log", folders)
    bare, bare_address = start_dashboard(home, home / "bare.log", {"TABLE": str(table), **QUIET}, BARE)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
            for _ in range(rounds + 1):
                found["ours"].append(_visit(browser, address + query, problems))
                found["bare"].append(_visit(browser, bare_address, problems))
            browser.close()
    finally:
        stop(ours)
        stop(bare)
    for name, goal in GOALS_S.items():
        times = {who: [visit[name] for visit in visits[1:]] for who, visits in found.items()}
        print(
            f"{name}: median {median(times['ours']):.2f} s, highest {max(times['ours']):.2f} s (goal {goal:g} s); bare page "
            f"{median(times['bare']):.2f} s; ratio {median(times['ours']) / median(times['bare']):.2f}"
        )
    print(json.dumps(found))


def _visit(browser: Browser, address: str, problems: int) -> dict[str, float]:
    """The four times, by a browser that has not seen the program."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    drawn = f"{POINTS} === {problems}"
    started = time.monotonic()
    page.goto(address)
    page.wait_for_function(f"() => {drawn}", polling=10, timeout=60_000)
    seconds = {"open": time.monotonic() - started}
    page.wait_for_timeout(1500)
    seconds["lasso"] = _lasso(page)
    seconds["colour"] = _colour(page)
    page.get_by_role("link", name="Launch").click()
    page.get_by_role("button", name="Launch the run").wait_for()
    page.wait_for_timeout(1500)
    seconds["come from another page"] = _timed(page, page.get_by_role("link", name="Explore").click, drawn)
    page.context.close()
    return seconds


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
