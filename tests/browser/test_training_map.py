"""The steps of a run on the map: what only a browser can tell."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAG_LAYER
from training.data.problems import load_problems
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset
from training.store import Store

pytestmark = pytest.mark.browser

STEPS = 20
BOX = "document.querySelector('.st-key-training_map .atlas-plot')"
MET = f"{BOX}?._fullData?.find(({{ uid }}) => uid === 'met')"
COLOURED = f"{MET}?.marker.color.length"


def test_slider_and_play_colour_the_map_without_moving_it(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)})
    store = Store.open(home.store_url)
    run_id = store.create_job("train", "demo", load_preset("demo", []).model_dump(mode="json"), total=STEPS)[0].id
    problems = load_problems("demo", home).of_split("train")
    rows = [
        Rollout(step, 0, position, problems[step].id, "x", {"correctness": score}, score, 0.0, 9, "stop")
        for step in range(1, STEPS + 1)
        for position, score in enumerate((1.0, step / STEPS))
    ]
    store.record(run_id, rollouts=rows)
    store.end(run_id, "finished", "done")
    page.goto(f"{start_app(tmp_path)}/runs?run={run_id}&tab=Map")
    expect(page.locator(DRAG_LAYER).first).to_be_visible()
    page.wait_for_function(f"() => {COLOURED} === {STEPS}")
    page.evaluate(f"Plotly.relayout({BOX}, {{'xaxis.range': [0, 5], 'yaxis.range': [0, 5]}})")
    view = page.evaluate(f"[...{BOX}._fullLayout.xaxis.range, ...{BOX}._fullLayout.yaxis.range]")

    slider = page.get_by_role("slider", name="Step")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"() => {COLOURED} === 1")
    expect(page.get_by_text(f"Step 1 of {STEPS}", exact=True)).to_be_visible()
    page.wait_for_url("**until=1*")
    expect(page.get_by_text("Step 1: 1 of", exact=False).first).to_be_visible()

    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"() => {COLOURED} > 3")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function("() => /until=([4-9]|1\\d)/.test(location.href)")
    chosen = int(slider.input_value())
    page.wait_for_function(f"(step) => {COLOURED} === step", arg=chosen)
    assert page.evaluate(f"[...{BOX}._fullLayout.xaxis.range, ...{BOX}._fullLayout.yaxis.range]") == pytest.approx(view)
