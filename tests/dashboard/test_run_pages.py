"""Launch, Runs and Evaluate without a browser: empty, full, and with errors. No training starts here."""

import fcntl
from pathlib import Path

import pytest
import streamlit as st

from dashboard import data
from tests.app_testing import follow, run_app, words
from tests.fakes import record_evaluation
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.usefixtures("dashboard_home")

RIGHT, WRONG = "<reasoning>\nx\n</reasoning>\n<answer>\n{}\n</answer>\n", "<answer>$1 <script></answer>"


@pytest.fixture
def run_id(store: Store) -> str:
    """A run under way: two steps of one group, an evaluation before and after."""
    config = load_preset("demo", ["num_generations=2", "per_device_train_batch_size=2", "max_steps=10"])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=10)
    store.start(job.id)
    problem = data.problem_set("demo").problems[0]
    for step in (1, 2):
        completions = [RIGHT.format(problem.gold), WRONG]
        rewards = [score_completion(completion, problem.gold) for completion in completions]
        totals = [sum(value or 0.0 for value in row.values()) for row in rewards]
        store.record(
            job.id,
            rollouts=[
                Rollout(step, 0, position, problem.id, completion, row, total, 1.0 - 2 * position, 30, "stop")
                for position, (completion, row, total) in enumerate(zip(completions, rewards, totals, strict=True))
            ],
        )
        means = {f"rewards/{name}/mean": (rewards[0][name] or 0.0) / 2 for name in rewards[0]}
        store.record(job.id, scalars=[(step, means | {"reward": sum(totals) / 2, "reward_std": 1.0, "step_time": 3.0})])
        store.progress(job.id, step, 10, "training")
    for label, answers in (("before", ["1", "2"]), ("after", ["3", "4"])):
        tests = data.problem_set("demo").of_split("test")[:2]
        texts = [
            RIGHT.format(problem.gold if label == "after" else answer) for problem, answer in zip(tests, answers, strict=True)
        ]
        items = [EvaluationItem(p.id, text, score_completion(text, p.gold), 9) for p, text in zip(tests, texts, strict=True)]
        record_evaluation(store, job.id, label, 0, "test", items)
    return job.id


def test_an_empty_page_says_what_comes_here_and_offers_the_launch() -> None:
    test = run_app("runs")
    assert not test.exception
    assert [button.label for button in test.main.button] == ["Launch a run", "Read"]
    assert follow(test.main.button[0].click().run()).title[0].value == "Launch"


def test_the_list_of_runs_names_each(run_id: str) -> None:
    test = run_app("runs")
    assert not test.exception
    assert test.main.dataframe[0].value["run"].tolist() == [run_id]


def test_a_link_to_a_run_that_is_not_there_is_an_error_with_a_remedy() -> None:
    test = run_app("runs", run="nobody-1")
    assert not test.exception
    assert "There is no run 'nobody-1'" in words(test)


def test_a_store_that_cannot_be_opened_is_said_with_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_STORE", f"sqlite:///{tmp_path}/no/such/folder/store.db")
    st.cache_resource.clear()
    test = run_app("runs")
    assert not test.exception
    assert "GRPO_ATLAS_STORE" in words(test)


def test_a_second_dashboard_on_the_same_store_is_announced(home: Home) -> None:

    with (home.locks / "dashboard.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "Another dashboard is open on this store" in words(run_app("runs"))
    assert "Another dashboard" not in words(run_app("runs"))


def test_a_run_on_record_elsewhere_says_where(store: Store, run_id: str) -> None:
    store.set_tracker(run_id, "/a folder/offline-run-1")
    assert "wandb sync '/a folder/offline-run-1'" in [code.value for code in run_app("runs", run=run_id).code]
    store.set_tracker(run_id, "https://wandb.example/r/demo-1")
    test = run_app("runs", run=run_id)
    assert not test.exception
    assert [button.proto.url for button in test.get("link_button")] == ["https://wandb.example/r/demo-1"]
