"""Pages are left twenty times by each button beside two busy processes: the window stays whole, and Launch is prefilled."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAG_LAYER, chromium, drag_lasso, page, start_app  # noqa: F401 (fixtures)
from tests.browser.leaving import LASSOS, TABS, Watched, ended_run, expect_duplicate
from training.home import Home
from training.store import Store

TRIES = 20
TIMEOUT_MS = 300_000
SELECTED = re.compile(r"^[\d,]+ selected, \d")


@pytest.fixture(autouse=True)
def busy_machine() -> Iterator[None]:
    """Two processes that never rest."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.fixture
def patient(page: Page) -> Page:  # noqa: F811
    """A page that gives the busy machine time."""
    page.context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    return page


def test_duplicate(start_app: Callable[..., str], patient: Page, tmp_path: Path) -> None:  # noqa: F811
    run_id, config = ended_run(Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url))
    address, watched = start_app(tmp_path), Watched(patient)
    for number in range(TRIES):
        patient.goto(f"{address}/runs?run={run_id}&tab=Configuration")
        patient.get_by_role("button", name="Duplicate").click()
        if number % 2:
            watched.go_on_clicking(TABS)
        expect_duplicate(patient, run_id, config)
        watched.expect_whole()


def test_train_on_these(start_app: Callable[..., str], patient: Page, tmp_path: Path) -> None:  # noqa: F811
    address, watched = start_app(tmp_path), Watched(patient)
    patient.goto(address)
    expect(patient.locator(DRAG_LAYER).first).to_be_visible()
    drag_lasso(patient)
    line = patient.get_by_text(SELECTED)
    selected = line.inner_text()
    for number in range(TRIES):
        patient.get_by_role("button", name="Train on these").click()
        if number % 2:
            watched.go_on_clicking(LASSOS)
        expect(patient.get_by_role("button", name="Launch the run")).to_be_visible()
        chosen = patient.get_by_role("combobox", name="Train on")
        expect(chosen).to_have_value(re.compile(rf"^selection@1, {selected.split()[0]} problem"))
        watched.expect_whole()
        patient.go_back()
        expect(line).to_have_text(selected)


def test_a_link_of_the_sidebar(start_app: Callable[..., str], patient: Page, tmp_path: Path) -> None:  # noqa: F811
    run_id, _ = ended_run(Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url))
    address, watched = start_app(tmp_path), Watched(patient)
    for _ in range(TRIES):
        patient.goto(f"{address}/runs?run={run_id}")
        expect(patient.get_by_role("button", name="Duplicate")).to_be_visible()
        watched.go_on_clicking(TABS)
        patient.get_by_role("link", name="Launch").click()
        expect(patient.get_by_role("button", name="Launch the run")).to_be_visible()
        watched.expect_whole()
