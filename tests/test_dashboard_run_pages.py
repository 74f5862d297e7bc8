"""Launch, Runs and Evaluate without a browser: empty, full, and with errors. No training starts here."""

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st

from dashboard import data
from tests.app_testing import run_app, words
from training.config import load_preset
from training.home import Home
from training.rewards import score_completion
from training.store import EvaluationItem, Rollout, Store

RIGHT, WRONG = "<reasoning>\nx\n</reasoning>\n<answer>\n{}\n</answer>\n", "<answer>$1 <script></answer>"


@pytest.fixture(autouse=True)
def own_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GRPO_ATLAS_DATA", raising=False)
    st.cache_resource.clear()


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.store_url)


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
        store.add_rollouts(
            job.id,
            [
                Rollout(step, 0, position, problem.id, completion, row, total, 1.0 - 2 * position, 30, "stop")
                for position, (completion, row, total) in enumerate(zip(completions, rewards, totals, strict=True))
            ],
        )
        means = {f"rewards/{name}/mean": (rewards[0][name] or 0.0) / 2 for name in rewards[0]}
        store.add_scalars(job.id, step, means | {"reward": sum(totals) / 2, "reward_std": 1.0, "step_time": 3.0})
        store.progress(job.id, step, 10, "training")
    for label, answers in (("before", ["1", "2"]), ("after", ["3", "4"])):
        tests = data.problem_set("demo").of_split("test")[:2]
        texts = [
            RIGHT.format(problem.gold if label == "after" else answer) for problem, answer in zip(tests, answers, strict=True)
        ]
        items = [EvaluationItem(p.id, text, score_completion(text, p.gold), 9) for p, text in zip(tests, texts, strict=True)]
        store.add_evaluation(job.id, label, 0, "test", items)
    return job.id


@pytest.mark.parametrize("page", ["runs", "evaluate"])
def test_an_empty_page_says_what_comes_here_and_offers_the_launch(page: str) -> None:
    test = run_app(page)
    assert not test.exception
    assert [button.label for button in test.main.button] == ["Launch a run"]


def test_the_launch_form_has_every_setting_with_help() -> None:
    test = run_app("launch")
    assert not test.exception
    widgets = [*test.number_input, *test.text_input, *test.text_area, *test.toggle, *test.selectbox]
    labels = {widget.label for widget in widgets}
    assert {"Max steps", "Learning rate", "Loss type", "System prompt", "Wandb", "Hard correctness (at most 1)"} <= labels
    assert all(widget.help for widget in test.number_input)
    assert "100 steps of 4 problems × 8 completions, 3,200 completions in all" in words(test)


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("Max steps", 0, "max_steps = 0: input should be greater than or equal to 1"),
        ("Per device train batch size", 30, "make the batch a multiple of 8"),
        ("Learning rate", 0.0, "learning_rate = 0.0: input should be greater than 0"),
    ],
)
def test_a_wrong_setting_is_said_in_place_and_nothing_can_be_launched(label: str, value: float, message: str) -> None:
    test = run_app("launch")
    next(widget for widget in test.number_input if widget.label == label).set_value(value).run()
    assert message in words(test)
    assert "Launch the run" not in [button.label for button in test.button]


def test_a_source_that_is_not_there_is_said_and_the_form_keeps_its_values(store: Store) -> None:
    test = run_app("launch")
    next(widget for widget in test.text_input if widget.label == "Source").set_value("/nowhere").run()
    next(button for button in test.button if button.label == "Launch the run").click().run()
    assert "There is no source '/nowhere'" in words(test)
    assert next(widget for widget in test.text_input if widget.label == "Source").value == "/nowhere"
    assert store.jobs() == []


def test_a_malformed_preset_of_ones_own_is_said_in_place(home: Home) -> None:
    (home.presets / "mine.toml").write_text("# Mine.\nmax_steps = = 3\n")
    test = run_app("launch")
    next(widget for widget in test.selectbox if widget.label == "Preset").set_value("mine").run()
    assert not test.exception
    assert "mine.toml cannot be read" in words(test)


def test_launching_queues_the_run_and_goes_to_its_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[list[str]] = []
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: submitted.append(command))
    test = run_app("launch")
    next(button for button in test.button if button.label == "Launch the run").click().run()
    assert not test.exception
    assert submitted == [["-m", "training", "run", "--job", "demo-1"]]
    assert "demo-1" in words(test)
    assert store.job("demo-1").spec["source"] == "demo"


def test_a_run_shows_where_it_stands_its_figures_and_its_completions(run_id: str) -> None:
    test = run_app("runs", run=run_id)
    assert not test.exception
    said = words(test)
    assert "Step 2, group 1 of 1, 2 completions" in said
    assert {metric.label for metric in test.metric} >= {"Total reward", "Hard correctness", "Soft correctness"}
    assert "Stop" in [button.label for button in test.button]
    cards = "".join(element.proto.body for element in test.get("html"))
    assert "equals gold" in cards
    assert "<script>" not in cards


def test_a_chosen_step_that_a_resumed_run_went_back_behind_does_no_harm(run_id: str, store: Store) -> None:
    store.add_rollouts(run_id, [replace(rollout, step=3) for rollout in store.rollouts(run_id, step=2)])
    test = run_app("runs", run=run_id)
    next(toggle for toggle in test.toggle if toggle.label == "Latest step").set_value(False).run()
    test.select_slider[0].set_value(3).run()
    assert "Step 3, group 1 of 1" in words(test)
    store.truncate(run_id, after_step=2)
    test.run()
    assert not test.exception
    assert "Step 2, group 1 of 1" in words(test)


def test_stop_puts_the_request_into_the_store(run_id: str, store: Store) -> None:
    test = run_app("runs", run=run_id)
    next(button for button in test.button if button.label == "Stop").click().run()
    assert not test.exception
    assert store.job(run_id).status == "stopping"


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_an_ended_run_says_why_and_offers_to_resume(run_id: str, store: Store, status: str) -> None:
    store.end(run_id, status, "the disk is full")  # type: ignore[arg-type]
    test = run_app("runs", run=run_id)
    assert "the disk is full" in words(test) + str([progress.proto for progress in test.get("progress")])
    assert "Resume" in [button.label for button in test.button]


def test_the_list_of_runs_names_each(run_id: str) -> None:
    test = run_app("runs")
    assert not test.exception
    assert test.main.dataframe[0].value["run"].tolist() == [run_id]


def test_a_link_to_a_run_that_is_not_there_is_an_error_with_a_remedy() -> None:
    test = run_app("runs", run="nobody-1")
    assert not test.exception
    assert "There is no run 'nobody-1'" in words(test)


def test_evaluate_shows_the_articles_table_and_what_was_gained(run_id: str) -> None:
    test = run_app("evaluate")
    assert not test.exception
    table = test.main.dataframe[0].value
    assert table["measure"].tolist()[0] == "Hard correctness"
    assert table["after"].tolist()[0] == "1.000"
    assert "Gained: 2 problems" in words(test)


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
