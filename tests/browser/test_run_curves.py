"""A run's curves under the mouse and while it goes on: what only a browser can tell."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAG_LAYER
from training.home import Home
from training.presets import load_preset
from training.store import Progress, Store

pytestmark = pytest.mark.browser

PATIENCE_MS = 120_000
IN_VIEW = "[...document.querySelectorAll('.js-plotly-plot')].filter((plot) => plot.atlas.inView)"
RANGES = f"{IN_VIEW}.map((plot) => plot._fullLayout.xaxis.range.join(' '))"
LAST_STEP = "document.querySelector('.js-plotly-plot')?._fullData?.at(-1).x.at(-1)"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)


@pytest.fixture
def run_id(store: Store) -> str:
    """A run under way at step 60 of 100."""
    config = load_preset("demo", ["max_steps=100"])
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=100)[0].id
    store.start(run_id)
    record(store, run_id, 1, 60)
    return run_id


def record(store: Store, run_id: str, first: int, last: int) -> None:
    scalars = [(step, {"reward": step / 50, "reward_std": 0.1}) for step in range(first, last + 1)]
    store.record(run_id, scalars=scalars, progress=Progress(last, 100, "training"))


def drag(page: Page) -> tuple[float, float]:
    """Drag over the middle of the first curve; where that began."""
    box = page.locator(DRAG_LAYER).first.bounding_box()
    assert box is not None
    places = [(box["x"] + share * box["width"], box["y"] + box["height"] / 2) for share in (0.3, 0.6)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()
    page.wait_for_function(f"() => {RANGES}.every((range) => range === {RANGES}[0] && range !== '0 100')")
    return places[0]


def test_dragging_over_one_curve_zooms_all_and_a_double_click_shows_the_whole_run(
    start_app: Callable[..., str], page: Page, tmp_path: Path, store: Store, run_id: str
) -> None:
    store.end(run_id, "finished", "done")
    page.goto(f"{start_app(tmp_path)}/runs?run={run_id}")
    expect(page.get_by_text("Every step is drawn.")).to_be_visible()
    place = drag(page)
    expect(page.get_by_text("of 100.", exact=False).first).to_be_visible()
    page.mouse.dblclick(*place)
    page.wait_for_function(f"() => {RANGES}.every((range) => range === '0 100')")


def test_steps_come_by_themselves_into_curves_that_stay_zoomed_until_the_run_has_ended(
    start_app: Callable[..., str], page: Page, tmp_path: Path, store: Store, run_id: str
) -> None:
    page.goto(f"{start_app(tmp_path)}/runs?run={run_id}")
    page.wait_for_function(f"() => {LAST_STEP} === 60")
    record(store, run_id, 61, 70)
    page.wait_for_function(f"() => {LAST_STEP} === 70")
    expect(page.get_by_text("step 70 of 100", exact=False).first).to_be_visible()
    drag(page)
    zoomed = page.evaluate(RANGES)[0]
    record(store, run_id, 71, 75)
    expect(page.get_by_text("step 75 of 100", exact=False).first).to_be_visible()
    assert set(page.evaluate(RANGES)) == {zoomed}
    store.end(run_id, "stopped", "on request")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_stop_is_never_lost_while_steps_come(
    start_app: Callable[..., str], page: Page, tmp_path: Path, store: Store, run_id: str
) -> None:
    ended = threading.Event()

    def go_on() -> None:
        step = 60
        while not ended.wait(0.1):
            step += 1
            record(store, run_id, step, step)

    page.context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        page.goto(f"{start_app(tmp_path)}/runs?run={run_id}")
        for _ in range(3):
            page.wait_for_function(f"() => {LAST_STEP} > 60")
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("button", name="Stop")).to_be_disabled()
            assert store.job(run_id).status == "stopping"
            store.start(run_id)
            expect(page.get_by_role("button", name="Stop")).to_be_enabled()
    finally:
        ended.set()
        writer.join()
