"""The newcomer's whole way on the demo in Chromium, with real training: open, lasso, launch, watch, stop."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAG_LAYER, drag_lasso, start_dashboard, stop
from training.home import Home
from training.store import Store

pytestmark = pytest.mark.browser

RUN_TIMEOUT_MS = 1_200_000
CURVE_POINTS = """() => {
    const traces = document.querySelector(".js-plotly-plot")?._fullData ?? [];
    return Math.max(0, ...traces.filter(({ fill }) => fill !== "toself").map(({ x }) => x.length));
}"""
"""Of the longest line of the first panel, beside which there are a band and evaluations."""


def test_the_newcomers_whole_way(page: Page, tmp_path: Path) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home")})
    store = Store.open(home.store_url)
    dashboard, address = start_dashboard(home.root, tmp_path / "log.txt", {})
    try:
        page.goto(address)
        expect(page.locator(DRAG_LAYER).first).to_be_visible()
        drag_lasso(page)
        expect(page.get_by_text("selected,", exact=False)).to_be_visible()

        page.get_by_role("link", name="Launch").click()
        page.get_by_role("button", name="Launch the run").click()
        expect(page.get_by_text("demo-1", exact=True)).to_be_visible()
        page.wait_for_function(f"({CURVE_POINTS})() >= 2", timeout=RUN_TIMEOUT_MS)
        seen = page.evaluate(CURVE_POINTS)
        page.wait_for_function(f"({CURVE_POINTS})() > {seen}", timeout=RUN_TIMEOUT_MS)
        page.get_by_role("tab", name="Completions").click()
        expect(page.get_by_text("Advantage").first).to_be_visible()
    finally:
        stop(dashboard)

    steps_without = store.job("demo-1").done
    dashboard, address = start_dashboard(home.root, tmp_path / "log-2.txt", {})
    try:
        page.goto(f"{address}/runs?run=demo-1")
        page.wait_for_function(f"({CURVE_POINTS})() > {steps_without}", timeout=RUN_TIMEOUT_MS)
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    finally:
        stop(dashboard)
        if store.job("demo-1").active:
            store.request_stop("demo-1")
    stopped = store.job("demo-1")
    assert stopped.status == "stopped"
    assert [checkpoint.step for checkpoint in store.checkpoints("demo-1")][-1] == stopped.done
    assert {rollout.step for rollout in store.rollouts("demo-1")} == set(range(1, int(stopped.done) + 1))
