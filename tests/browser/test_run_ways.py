"""Runs with real training under several eyes: two tabs on one run, from stopping to the report; and a run that fails."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from training.home import Home
from training.jobs.train.job import TRAIN
from training.presets import load_preset
from training.runs.launch import launch_job, launch_run
from training.store import Store

pytestmark = pytest.mark.browser

RUN_TIMEOUT_MS = 1_200_000
SMALL = ["max_steps=30", "per_device_train_batch_size=8", "num_generations=4", "evaluation_problems=8", "lora_rank=2"]


def test_two_tabs_see_one_run_stop_go_on_and_end_in_a_report(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)})
    store = Store.open(home.store_url)
    run_id = launch_run(store, home, load_preset("demo", SMALL))
    address = start_app(tmp_path)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{address}/runs?run={run_id}")
    expect(other.get_by_text("Total reward").first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.bring_to_front()  # Chromium draws no tab that lies behind
    page.get_by_role("button", name="Stop").click()
    expect(other.get_by_role("button", name="Resume")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    stopped_at = store.job(run_id).done
    assert 0 < stopped_at < 30

    other.bring_to_front()
    other.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect(page.get_by_text("all 30 steps done").first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    assert [len(store.rollouts(run_id, step=step)) for step in range(1, 31)] == [8] * 30

    page.goto(f"{address}/evaluate?run={run_id}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report").click()
    assert "Hard correctness" in Path(download.value.path()).read_text(encoding="utf-8")


def test_a_run_that_fails_says_why_and_what_to_do(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)})
    store = Store.open(home.store_url)
    config = load_preset("demo", ["model=/no/such/model", "source=demo"])
    run_id = launch_job(store, home, TRAIN, config, name="demo", total=60)
    page.goto(f"{start_app(tmp_path)}/runs?run={run_id}")
    expect(page.get_by_text("'/no/such/model'", exact=False).first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect(page.get_by_text("Resume goes on from the latest checkpoint", exact=False)).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
    assert store.job(run_id).status == "failed"
