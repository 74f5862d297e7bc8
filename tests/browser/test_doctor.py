"""The doctor's way through in Chromium: from the curves with their onset to the finding, its evidence and back."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.bench.doctor.scenarios import SCENARIOS, simulation_of
from tests.bench.doctor.simulation import write
from training.home import Home
from training.store import Store

pytestmark = pytest.mark.browser


def test_a_finding_is_marked_on_its_curve_told_whole_and_leads_to_what_shows_it(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    run_id = write(store, simulation_of(SCENARIOS["entropy collapses"], 0), "collapses", 0)
    store.start(run_id)
    store.end(run_id, "finished", "all steps done")
    address = start_app(tmp_path)

    page.goto(f"{address}/runs?run={run_id}")
    expect(page.get_by_text("Look at whether the run still explores").first).to_be_visible()
    marked = page.locator(".atlas-cell[aria-label*='alarm since step'], .atlas-cell [aria-label*='alarm since step']").first
    expect(marked).to_have_attribute("aria-label", re.compile("Entropy.*alarm since step [0-9]+: Entropy collapse"))

    page.get_by_role("tab", name="Health").click()
    finding = page.locator("[class*='st-key-'][class*='finding-entropy_collapse']")
    for part in ("alarm", "Entropy collapse since step", "What to do:", "Source:", "of the median of the first steps"):
        expect(finding.get_by_text(part).first).to_be_visible()
    expect(page.get_by_text("passed.").first).to_be_visible()
    finding.get_by_role("button", name=re.compile("step [0-9]+: entropy")).first.click()
    expect(page.get_by_text(re.compile("Step [0-9]+, group 1")).first).to_be_visible()
