"""Studies in Chromium: from the list to a study, to one of its runs and back; from the form to a study that runs."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import sideways
from tests.study_runs import add_study, ranks_and_losses
from training.home import Home
from training.runs.launch import stop_run
from training.store import Store


def opened(folder: Path) -> tuple[Home, Store]:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(folder)})
    return home, Store.open(home.store_url)


def open_row(page: Page, table: int, row: int, heading: str) -> None:
    """Click the box before a row, counted from 1, until what it opens is there: what comes above it may move the table."""
    found = page.get_by_test_id("stMain").get_by_test_id("stDataFrame").nth(table)
    opened = page.get_by_role("heading", name=heading, exact=True)
    for _ in range(5):
        expect(found.locator("canvas").first).to_be_visible()
        found.scroll_into_view_if_needed()
        box = found.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 16, box["y"] + 35 * (row + 0.5))
        with suppress(AssertionError):
            expect(opened).to_be_visible(timeout=15_000)
            return
    expect(opened).to_be_visible()


def test_a_study_opens_from_the_list_and_its_runs_from_it(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    home, store = opened(tmp_path)
    study_id = add_study(store, home, ranks_and_losses())
    page.goto(f"{start_app(tmp_path)}/runs")
    open_row(page, 0, 1, study_id)
    expect(page.get_by_text("lora_rank 8 instead of 2.")).to_be_visible()
    assert sideways(page) == 0
    expect(page.get_by_text("Choose a row to open its run.")).to_be_visible()
    tables = page.get_by_test_id("stMain").get_by_test_id("stDataFrame").count()
    open_row(page, tables - 1, 2, f"{study_id}-2")
    page.get_by_role("button", name="The study", exact=True).click()
    expect(page.get_by_role("heading", name=study_id, exact=True)).to_be_visible()
    page.get_by_role("button", name="All runs").click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()


def test_the_form_launches_a_study_that_can_be_stopped(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    home, store = opened(tmp_path)
    page.goto(f"{start_app(tmp_path)}/launch")
    page.get_by_text("Study: vary settings").click()
    varied = page.get_by_role("textbox", name="Settings and their values, one a line")
    varied.fill("lora_rank = 2, 4")
    varied.blur()
    expect(page.get_by_text("6 runs: 2 arms × 3 seeds")).to_be_visible()
    page.get_by_role("button", name="Launch the study").click()
    try:
        expect(page.get_by_role("heading", name="study-1", exact=True)).to_be_visible()
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible(timeout=120_000)
    finally:
        for job in store.active_jobs():
            stop_run(store, home, job.id, force=True)
