"""Who reaches the program, what going back does, and what is told meanwhile: the parts of it that only a browser shows."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from training.home import Home
from training.presets import load_preset
from training.store import Store

pytestmark = pytest.mark.browser


def test_the_program_listens_on_this_machine_alone(app: str) -> None:
    """Started from another folder, with no address named: dashboard/.streamlit/config.toml is found beside the script."""
    port = int(app.rpartition(":")[2])
    listening = [found for found in psutil.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
    assert [found.laddr.ip for found in listening if found.laddr.port == port] == ["127.0.0.1"]


def test_back_returns_to_the_list_and_a_run_that_ends_elsewhere_is_told(
    start_app: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}).store_url)
    address = start_app(tmp_path)
    page.goto(f"{address}/runs?find=demo")
    expect(page.get_by_role("button", name="Launch a run")).to_be_visible()
    run, _ = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"), total=100)
    store.start(run.id)
    link = page.get_by_test_id("stSidebar").get_by_role("link", name=run.id)
    expect(link).to_be_visible()
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_url(f"**/runs?run={run.id}")
    store.beat(run.id)  # a busy machine takes longer than a run without a process counts as alive
    page.go_back()
    expect(page.get_by_label("Search", exact=True)).to_have_value("demo")
    store.beat(run.id)
    page.get_by_role("link", name="Evaluate").click()
    expect(page.get_by_role("heading", name="Evaluate")).to_be_visible()
    store.progress(run.id, 100, 100, "training")
    store.end(run.id, "finished", "done")
    expect(page.get_by_text(f"{run.id} finished: all 100 steps done")).to_be_visible()
