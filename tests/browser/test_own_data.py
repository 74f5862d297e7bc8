"""A table of one's own, from the dialog that maps its columns to a run on it."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from training.home import Home
from training.store import Store

pytestmark = pytest.mark.browser

ROWS = [f"What is {number} plus {number % 7}?,{number + number % 7},Level {number % 3 + 1}" for number in range(60)]


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("dialog").get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_an_unknown_table_is_mapped_kept_and_trained_on(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    (tmp_path / "exam.csv").write_text("\n".join(["asked,key,level", *ROWS, "nothing,,Level 1"]))
    address = start_app(tmp_path)
    page.goto(address)
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="Folder or file").click()
    path = page.get_by_role("textbox", name="Path")
    path.fill(str(tmp_path / "exam.csv"))
    path.press("Enter")
    expect(page.get_by_text("no columns that are known")).to_be_visible()
    page.get_by_role("button", name="How it is read").click()
    choose(page, "Question", "asked")
    choose(page, "Gold", "key")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("60 problems can be read")).to_be_visible()
    expect(dialog.get_by_text("1 of 61 train rows left out")).to_be_visible()
    dialog.get_by_role("textbox", name="Name").fill("exam")
    dialog.get_by_role("textbox", name="Name").press("Tab")
    dialog.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("exam.csv has 60 problems and no map yet")).to_be_visible()
    expect(page.get_by_role("combobox", name="Data set")).to_have_value("exam")
    changes = {"source": "exam", "evaluation_problems": 0, "max_steps": 1, "save_steps": 1}
    page.goto(f"{address}/launch?set={quote(json.dumps(changes))}")
    page.get_by_role("button", name="Launch the run").click()
    expect(page.get_by_text("demo-1", exact=True)).to_be_visible()
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)})
    store = Store.open(home.store_url)
    run = store.job("demo-1")
    assert run.spec["source"] == f"{tmp_path / 'exam.csv'}?question=asked&gold=key"
    assert run.spec["content_hash"]
    store.request_stop(run.id)
