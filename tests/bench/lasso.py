"""How well a lasso over many points follows the pointer: the time a frame takes while it is drawn, beside plotly's own lasso.

`python -m tests.bench.lasso [--points 100000] [--rounds 3]`: the map's component and a bare page of Streamlit and plotly with
as many points, in turns, in software-rendered Chromium.
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import typer
from playwright.sync_api import Browser, sync_playwright

from tests.bench.explore_page import BARE, QUIET
from tests.browser.conftest import CHROMIUM_ARGUMENTS, MAP, drag_lasso, start_dashboard, stop

OURS = Path(__file__).resolve().parents[1] / "browser" / "plot_app.py"
LASSO = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.5), (0.1, 0.5), (0.1, 0.12))
FRAMES = """() => {
    globalThis.frames_ms = [];
    let last = performance.now();
    const look = (now) => {
        frames_ms.push(now - last);
        last = now;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def main(points: int = 100_000, rounds: int = 3) -> None:
    """How well a lasso over many points follows the pointer."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        table = home / "points.parquet"
        points_table(points).to_parquet(table)
        ours, address = start_dashboard(home, home / "ours.log", QUIET, OURS)
        bare, bare_address = start_dashboard(home, home / "bare.log", {"TABLE": str(table), **QUIET}, BARE)
        found: dict[str, list[float]] = {"ours": [], "plotly": []}
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
                for _ in range(rounds):
                    found["ours"].append(frame_ms(browser, f"{address}/?points={points}", points))
                    found["plotly"].append(frame_ms(browser, bare_address, points))
                browser.close()
        finally:
            stop(ours)
            stop(bare)
    ours_ms, plotly_ms = median(found["ours"]), median(found["plotly"])
    ratio = ours_ms / plotly_ms
    print(f"a frame of a lasso over {points:,} points: {ours_ms:.0f} ms, plotly's {plotly_ms:.0f} ms, ratio {ratio:.2f}")


def points_table(points: int) -> pd.DataFrame:
    """As `bare_page.py` reads it, the points in the places of `plot_app.py`."""
    turn = 2 * np.pi * (np.arange(points) % 6) / 6
    places = 4 * np.column_stack([np.cos(turn), np.sin(turn)]) + np.random.default_rng(0).normal(scale=0.5, size=(points, 2))
    named = {"id": [f"train-{row}" for row in range(points)], "question": "How many apples and pears?", "gold": "1"}
    counted = {"steps": 2 + np.arange(points) % 9, "equations": 1, "cluster_name": "topic"}
    split = np.where(np.arange(points) % 7, "train", "test")
    return pd.DataFrame({**named, **counted, "split": split, "x": places[:, 0], "y": places[:, 1]})


def frame_ms(browser: Browser, address: str, points: int) -> float:
    """The median time of a frame while a lasso is drawn by five strokes."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(address)
    drawn = f"{MAP}?._fullData?.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0) === {points}"
    page.wait_for_function(f"() => {drawn}", timeout=180_000)
    page.wait_for_timeout(2000)
    page.evaluate(FRAMES)
    drag_lasso(page, LASSO, release=False)
    times: list[float] = page.evaluate("frames_ms")
    page.context.close()
    return median(times)


if __name__ == "__main__":
    typer.run(main)
