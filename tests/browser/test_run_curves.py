"""A run's curves under the mouse: what only a browser can tell."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAG_LAYER
from training.home import Home
from training.presets import load_preset
from training.store import Store

pytestmark = pytest.mark.browser

RANGES = "[...document.querySelectorAll('.js-plotly-plot')].map((plot) => plot._fullLayout.xaxis.range.join(' '))"


def test_dragging_over_one_curve_zooms_all_and_a_double_click_shows_the_whole_run(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    config = load_preset("demo", ["max_steps=100"])
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=100)[0].id
    store.record(run_id, scalars=[(step, {"reward": step / 50, "reward_std": 0.1}) for step in range(1, 101)])
    store.end(run_id, "finished", "done")
    page.goto(f"{start_app(tmp_path)}/runs?run={run_id}")
    expect(page.get_by_text("Every step is drawn.")).to_be_visible()
    box = page.locator(DRAG_LAYER).first.bounding_box()
    assert box is not None
    places = [(box["x"] + share * box["width"], box["y"] + box["height"] / 2) for share in (0.3, 0.6)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()
    expect(page.get_by_text("of 100.", exact=False).first).to_be_visible()
    page.wait_for_function(f"() => {RANGES}.every((range) => range === {RANGES}[0] && range !== '0 100')")
    page.mouse.dblclick(*places[0])
    page.wait_for_function(f"() => {RANGES}.every((range) => range === '0 100')")
