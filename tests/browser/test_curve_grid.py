"""A run's curves and those of several runs as a person works with them: axes, crosshair, order, files."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from training.home import Home
from training.presets import load_preset
from training.store import Progress, Store
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, open_evaluation

pytestmark = pytest.mark.browser

STEPS = 20
PLOTS = "[...document.querySelectorAll('.atlas-cell')]"
TITLES = f"{PLOTS}.map((plot) => plot.getAttribute('aria-label').split(' by step')[0])"
REWARD = '.atlas-cell[aria-label^="Total reward"]'
READOUTS = f"{PLOTS}.filter((plot) => plot.atlas.inView).map((plot) => plot.querySelector('.atlas-readout').innerText)"


def record(store: Store, seed: int) -> str:
    """A finished run of 20 steps, evaluated at the end: 8 of 10 problems are right."""
    config = load_preset("demo", [f"max_steps={STEPS}", f"seed={seed}"])
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=STEPS)[0].id
    store.start(run_id)
    scalars = [
        (
            step,
            {"reward": step / 10, "reward_std": 0.1, "rewards/correctness/mean": 0.5, "kl": 0.1, "num_tokens": 100.0 * step**2},
        )
        for step in range(1, STEPS + 1)
    ]
    store.record(run_id, scalars=scalars, progress=Progress(STEPS, STEPS, "training"))
    evaluation = open_evaluation(store, run_id, "after", STEPS, "test")
    rewards = [dict.fromkeys(config.reward_weights, float(place < 8)) for place in range(10)]
    add_items(store, evaluation, [EvaluationItem(f"test-{place}", "", found, 30) for place, found in enumerate(rewards)])
    complete_evaluation(store, evaluation)
    store.end(run_id, "finished", "done")
    return run_id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)


@pytest.fixture
def address(start_app: Callable[..., str], tmp_path: Path, store: Store) -> str:
    """The page of runs, with two of them."""
    for seed in (1, 2):
        record(store, seed)
    return f"{start_app(tmp_path)}/runs"


def open_page(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator(f"{REWARD} .atlas-tools")).to_be_attached()
    return page


def choose(page: Page, chart: str, item: str) -> None:
    page.locator(chart).get_by_role("button", name="More for this chart").click()
    page.get_by_role("menuitem", name=item).click()


def hover(page: Page, chart: Locator, share: float) -> None:
    box = chart.locator(".nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + share * box["width"] - 3, box["y"] + 20)
    page.mouse.move(box["x"] + share * box["width"], box["y"] + 20)


def test_curves_are_drawn_over_tokens_and_the_address_says_so(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1").get_by_role("radio", name="Tokens").click()
    page.wait_for_function(f"() => document.querySelector(`{REWARD}`)._fullLayout.xaxis.title.text === 'tokens'")
    line = page.evaluate(f"Array.from(document.querySelector(`{REWARD}`)._fullData.find((t) => t.meta.kind === 'line').x)")
    assert line == [100 * step**2 for step in range(1, STEPS + 1)]
    page.wait_for_url("**axis=tokens**")


def test_a_logarithmic_curve_leaves_out_its_band(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1&panels=reward,correctness")
    page.locator(REWARD).get_by_role("button", name="More for this chart").click()
    page.get_by_role("menuitemcheckbox", name="Logarithmic axis").click()
    plot = f"document.querySelector(`{REWARD}`)"
    page.wait_for_function(f"() => {plot}._fullLayout.yaxis.type === 'log'")
    assert "band" not in page.evaluate(f"{plot}._fullData.map((trace) => trace.meta.kind)")
    assert page.evaluate(f"{PLOTS}[1]._fullLayout.yaxis.type") == "linear"


def test_one_crosshair_goes_over_all_panels_and_tells_the_evaluation(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1&panels=reward,correctness")
    hover(page, page.locator(REWARD), 0.5)
    page.wait_for_function(f"() => JSON.stringify({READOUTS}) === JSON.stringify(['step 10\\n1', '0.5'])")
    hover(page, page.locator(REWARD), 0.98)
    page.wait_for_function(f"() => {READOUTS}[1].includes('evaluated 0.8 (0.49 to 0.943)')")
    page.mouse.move(2, 2)
    expect(page.locator(".atlas-readout:not([hidden])")).to_have_count(0)


def test_the_arrow_keys_move_the_crosshair(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1&panels=reward,correctness")
    page.locator(REWARD).get_by_role("button", name="Full screen").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => JSON.stringify({READOUTS}) === JSON.stringify(['step 3\\n0.3', '0.5'])")
    page.keyboard.press("Escape")
    expect(page.locator(".atlas-readout:not([hidden])")).to_have_count(0)


def test_panels_are_moved_hidden_and_brought_back_and_stand_in_the_address(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1&panels=correctness,reward,integer")
    choose(page, REWARD, "Move to the front")
    page.wait_for_function(f"() => {TITLES}.join() === 'Total reward,Hard correctness,Integer'")
    page.wait_for_url("**panels=reward**correctness**integer**")
    choose(page, ".atlas-cell[aria-label^='Hard correctness']", "Hide this panel")
    page.wait_for_function(f"() => {TITLES}.join() === 'Total reward,Integer'")
    page.get_by_role("button", name="Panels").click()
    page.get_by_role("button", name="Soft correctness").click()
    page.wait_for_function(f"() => {TITLES}.join() === 'Total reward,Integer,Soft correctness'")
    page.reload()
    page.wait_for_function(f"() => {TITLES}.join() === 'Total reward,Integer,Soft correctness'")


def test_a_panel_is_dragged_by_its_title_to_another_place(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1&panels=correctness,integer,reward")
    expect(page.locator(".atlas-grip")).to_have_count(3)
    page.locator(f"{REWARD} .atlas-grip").drag_to(page.locator(".atlas-cell").first, target_position={"x": 60, "y": 80})
    page.wait_for_function(f"() => {TITLES}.join() === 'Total reward,Hard correctness,Integer'")


def test_csv_of_a_curve_has_its_band_and_its_evaluation(page: Page, address: str, tmp_path: Path) -> None:
    open_page(page, f"{address}?run=demo-1")
    with page.expect_download() as download:
        choose(page, REWARD, "CSV")
    assert download.value.suggested_filename == "demo-1-reward.csv"
    download.value.save_as(tmp_path / "curve.csv")
    table = pd.read_csv(tmp_path / "curve.csv").set_index("series")
    assert table.loc["Total reward", "step"].tolist() == list(range(1, STEPS + 1))
    assert table.loc["Total reward", "Total reward"].tolist() == [step / 10 for step in range(1, STEPS + 1)]
    band = table.loc["one standard deviation around it"]
    assert (band["high"] - band["low"]).tolist() == pytest.approx([0.2] * STEPS)
    evaluated = table.loc["Total reward, evaluated"]
    assert evaluated["low"] < evaluated["Total reward"] < evaluated["high"]
    assert evaluated["text"] == "test problems"


def test_a_zoom_over_tokens_is_a_part_of_the_run_on_every_axis(page: Page, address: str) -> None:
    open_page(page, f"{address}?run=demo-1&axis=tokens")
    box = page.locator(f"{REWARD} .nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.27 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 50, steps=5)
    page.mouse.up()
    expect(page.get_by_text("of 20.")).to_contain_text("Steps 10 to 18 of 20.")
    page.get_by_role("radio", name="Step").click()
    page.wait_for_function(f"() => document.querySelector(`{REWARD}`)._fullLayout.xaxis.range[0] === 10")


def test_runs_are_compared_with_one_legend_one_crosshair_and_one_order(page: Page, address: str) -> None:
    open_page(page, f"{address}?runs=demo-1,demo-2&curves=reward,correctness")
    hover(page, page.locator(REWARD), 0.5)
    page.wait_for_function(f"() => {READOUTS}[0] === 'step 10\\ndemo-1 1\\ndemo-2 1' && {READOUTS}[1].includes('demo-2 0.5')")
    page.get_by_role("button", name="demo-1", exact=True).click()
    expect(page.get_by_role("button", name="demo-1", exact=True)).to_have_attribute("aria-pressed", "false")
    visible = f"{PLOTS}.map((plot) => new Set(plot._fullData.filter((t) => t.visible === true).map((t) => t.legendgroup)).size)"
    page.wait_for_function(f"() => {visible}.join() === '1,1'")
    page.get_by_role("button", name="demo-1", exact=True).click(modifiers=["Shift"])
    page.wait_for_function(
        f"() => {PLOTS}.every((plot) => plot._fullData[0].visible === true && plot._fullData[1].visible === false)"
    )
    choose(page, REWARD, "Move on one place")
    page.wait_for_url("**curves=correctness**reward**")


def test_an_image_of_compared_runs_names_them(page: Page, address: str, tmp_path: Path) -> None:
    open_page(page, f"{address}?runs=demo-1,demo-2&curves=reward")
    with page.expect_download() as download:
        choose(page, REWARD, "SVG")
    download.value.save_as(tmp_path / "curves.svg")
    image = (tmp_path / "curves.svg").read_text()
    assert ">demo-1<" in image
    assert ">demo-2<" in image


@pytest.mark.parametrize("width", [820, 1280, 1920])
@pytest.mark.parametrize("query", ["run=demo-1", "runs=demo-1,demo-2"])
def test_curves_and_their_controls_are_whole_in_windows_of_all_widths(page: Page, address: str, query: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, f"{address}?{query}")
    for control in (page.get_by_role("radio", name="Completions"), page.get_by_role("button", name="Panels")):
        box = control.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
    cells = page.evaluate(f"{PLOTS}.map((plot) => plot.getBoundingClientRect().right)")
    assert max(cells) <= width
    cut = page.evaluate(
        f"{PLOTS}.filter((plot) => plot._fullLayout).flatMap((plot) => [...plot.querySelectorAll('.gtitle')])"
        ".filter((title) => title.getBoundingClientRect().right > title.closest('.atlas-cell').getBoundingClientRect().right)"
        ".map((title) => title.textContent)"
    )
    assert cut == []
