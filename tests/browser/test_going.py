"""From one page to another by buttons and links, in Chromium: what was prefilled is there, and the window never turns white."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAG_LAYER, drag_lasso
from tests.browser.leaving import LASSOS, TABS, Watched, ended_run, expect_duplicate
from training.home import Home
from training.presets import load_preset
from training.store import Store

pytestmark = pytest.mark.browser

OPENING_MS = 120_000
SELECTED = re.compile(r"^[\d,]+ selected, \d")


def test_duplicate_leads_to_launch_and_back(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    run_id, config = ended_run(Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url))
    address, watched = start_app(tmp_path), Watched(page)
    run_page, launch = f"{address}/runs?run={run_id}&tab=Configuration", f"{address}/launch?from={run_id}"
    for _ in range(2):
        page.goto(run_page)
        page.get_by_role("button", name="Duplicate").click()
        watched.go_on_clicking(TABS)
        expect_duplicate(page, run_id, config)
        watched.expect_whole()
    page.goto(run_page)
    page.get_by_role("button", name="Duplicate").click()
    expect_duplicate(page, run_id, config)
    expect(page).to_have_url(launch)
    page.go_back()
    expect(page.get_by_role("button", name="Duplicate")).to_be_visible()
    expect(page).to_have_url(run_page)
    page.go_forward()
    expect_duplicate(page, run_id, config)
    watched.expect_whole()


def test_a_selection_leads_to_launch_and_back(app: str, page: Page) -> None:
    watched = Watched(page)
    page.goto(f"{app}/?q=how")
    expect(page.locator(DRAG_LAYER).first).to_be_visible(timeout=OPENING_MS)
    drag_lasso(page)
    line = page.get_by_text(SELECTED)
    expect(line).to_be_visible()
    selected = line.inner_text()
    for _ in range(3):
        page.get_by_role("button", name="Train on these").click()
        watched.go_on_clicking(LASSOS)
        expect(page.get_by_role("button", name="Launch the run")).to_be_visible()
        chosen = page.get_by_role("combobox", name="Train on")
        expect(chosen).to_have_value(re.compile(rf"^selection@1, {selected.split()[0]} problem"))
        watched.expect_whole()
        expect(page).to_have_url(f"{app}/launch?train_on=selection%401")
        page.go_back()
        expect(page).to_have_url(f"{app}/?q=how")
        expect(line).to_have_text(selected)


def test_a_link_from_one_run_to_another_is_in_the_address_and_goes_back_in_one_step(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    ended, _ = ended_run(store)
    config = load_preset("demo").model_dump(mode="json")
    other = store.create_job("train", "demo", config, total=100, backend="a cluster")[0].id  # waits for as long as one looks
    runs = f"{start_app(tmp_path)}/runs"
    for before in (runs, f"{runs}?run={ended}&tab=Configuration"):
        page.goto(before)
        page.get_by_role("link", name=f"{other}, queued").click()
        after = f"{runs}?run={other}" + ("&tab=Configuration" if "tab" in before else "")
        expect(page).to_have_url(after)
        page.get_by_role("tab", name="Health").click()
        expect(page).to_have_url(f"{runs}?run={other}&tab=Health")
        page.go_back()
        expect(page).to_have_url(after)
        page.go_back()
        expect(page).to_have_url(before)
        expect(page.get_by_text(ended if "tab" in before else "Every run, and what it came to.").first).to_be_visible()


def test_a_link_in_the_sidebar_is_followed_while_one_goes_on_clicking(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    run_id, _ = ended_run(Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url))
    address, watched = start_app(tmp_path), Watched(page)
    page.goto(f"{address}/runs?run={run_id}")
    expect(page.get_by_role("button", name="Duplicate")).to_be_visible()
    watched.go_on_clicking(TABS)
    page.get_by_role("link", name="Launch").click()
    expect(page.get_by_role("button", name="Launch the run")).to_be_visible()
    watched.expect_whole()
