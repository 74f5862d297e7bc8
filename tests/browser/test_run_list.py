"""The list of runs in Chromium: what is chosen stays chosen while the list polls."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from training.home import Home
from training.presets import load_preset
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
