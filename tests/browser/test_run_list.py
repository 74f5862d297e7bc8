"""The list of runs in Chromium: what is chosen stays chosen while the list polls."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from training.home import Home
from training.presets import load_preset
from training.processes import identify
from training.store import Store


def add_run(store: Store, seed: int) -> None:
    config = load_preset("demo", [f"seed={seed}"])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=config.max_steps)
    store.end(job.id, "finished", "done")


def test_the_chosen_run_stays_chosen_when_another_comes_above_it(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    for seed in (1, 2):
        add_run(store, seed)
    page.goto(f"{start_app(tmp_path)}/runs")
    table = page.locator("[data-testid=stDataFrame]").first
    expect(table.locator("canvas").first).to_be_visible()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 33 * 2.5)  # the box before the second row, the older run
    chosen = page.get_by_role("heading", name="demo-1", exact=True)
    expect(chosen).to_be_visible()
    add_run(store, 3)
    expect(page.get_by_text("3 runs")).to_be_visible()
    expect(chosen).to_be_visible()
    expect(page.locator("[aria-selected=true]", has_text="demo-1").first).to_be_attached()


def box_of(place: Locator) -> tuple[float, float, float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def test_deleting_from_a_runs_page_asks_above_all_else_and_can_be_called_off(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    add_run(store, 1)
    page.goto(f"{start_app(tmp_path)}/runs?run=demo-1&tab=Configuration")
    for answer in ("Cancel", "Delete 1 run"):
        page.get_by_role("button", name="Tags & notes").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        dialog = page.get_by_role("dialog").filter(has_text="Delete for good")
        expect(dialog).to_be_visible()
        expect(page.get_by_test_id("stPopoverBody")).to_be_hidden()
        left, top, right, bottom = box_of(dialog)
        for x, y in ((left + 9, top + 9), (right - 9, top + 9), (left + 9, bottom - 9), (right - 9, bottom - 9)):
            on_top = "([x, y]) => !!document.elementFromPoint(x, y).closest('[role=dialog]')"
            assert page.evaluate(on_top, [x, y])
        delete = dialog.get_by_role("button", name="Delete 1 run")
        expect(delete).to_have_css("background-color", "rgb(198, 40, 40)")
        dialog.get_by_role("button", name=answer).click()
        expect(dialog).to_be_hidden()
        assert bool(store.jobs("train")) is (answer == "Cancel")
    expect(page.get_by_role("button", name="Launch a run")).to_be_visible()


def test_deleting_at_once_closes_the_popover_too(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    """Both clicks come before the server has answered to the first, as they do where it is slow."""
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    add_run(store, 1)
    page.goto(f"{start_app(tmp_path)}/runs?run=demo-1&tab=Configuration")
    opener = page.get_by_role("button", name="Tags & notes")
    opener.wait_for()
    opener.evaluate(
        """async (opener) => {
            opener.click();
            const found = () => [...document.querySelectorAll('[data-testid=stPopoverBody] button')];
            while (!found().some((button) => button.textContent.includes("Delete"))) await new Promise(requestAnimationFrame);
            found().find((button) => button.textContent.includes("Delete")).click();
        }"""
    )
    expect(page.get_by_role("dialog").filter(has_text="Delete for good")).to_be_visible()
    expect(page.get_by_test_id("stPopoverBody")).to_be_hidden(timeout=20_000)


def test_the_tab_of_the_browser_says_how_far_a_run_is_until_it_is_left(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    config = load_preset("demo")
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=150)
    store.beat(job.id, "here", identify(os.getpid()))  # a process that lives as long as the test
    store.start(job.id)
    store.progress(job.id, 0, 150, "loading the model", "loading")
    address = f"{start_app(tmp_path)}/runs?run=demo-1"
    page.goto(address)
    expect(page).to_have_title("demo-1 0/150")
    expect(page.get_by_text("Loading the model (now)")).to_be_visible()
    store.record("demo-1", scalars=[(84, {"reward": 1.0})])
    store.progress(job.id, 84, 150, "training", "training")
    expect(page).to_have_title("demo-1 84/150")
    page.get_by_role("button", name="All runs").click()
    expect(page).to_have_title("GRPO Atlas")
    page.goto(address)
    expect(page).to_have_title("demo-1 84/150")
    store.end(job.id, "finished", "done")
    expect(page).to_have_title("GRPO Atlas")


@pytest.mark.parametrize("width", [820, 1440])
def test_nothing_in_the_tags_and_notes_of_a_run_is_cut(
    start_app: Callable[..., str], page: Page, tmp_path: Path, width: int
) -> None:
    add_run(Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url), 1)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{start_app(tmp_path)}/runs?run=demo-1&tab=Configuration")
    page.get_by_role("button", name="Tags & notes").click()
    popover = page.get_by_test_id("stPopoverBody")
    for name in ("Save", "Archive", "Delete"):
        label = popover.get_by_role("button", name=name, exact=True)
        expect(label).to_be_in_viewport(ratio=1)
        assert label.evaluate(
            "button => [...button.querySelectorAll('*')].every(part => part.scrollWidth <= part.clientWidth + 1)"
        )
