"""Runs that were read from other trainers' logs, on the pages: what they offer, what they do not, and how one is read."""

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.app_testing import run_app, words
from tests.dashboard.test_run_view import record_run
from tests.training.test_imports import RIGHT, WRONG, bring, of_trl, write
from training.data.problems import load_problems
from training.home import Home
from training.store import RUN_KINDS, Store

pytestmark = pytest.mark.usefixtures("dashboard_home")


@pytest.fixture
def imported(store: Store, home: Home, tmp_path: Path) -> str:
    for step in range(1, 13):
        write(tmp_path / "log" / f"{step}.jsonl", of_trl(step, *([RIGHT, WRONG] if step % 2 else [WRONG, WRONG])))
    return bring(store, home, tmp_path / "log", load_problems("demo")).id


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.button}


def test_an_imported_run_is_read_on_and_offers_nothing_that_it_has_not(imported: str) -> None:
    test = run_app("runs", run=imported)
    assert not test.exception
    assert "Read on" in labels(test)
    assert not {"Resume", "Duplicate"} & labels(test)
    assert "Checkpoints" not in [tab.label for tab in test.tabs]


@pytest.mark.parametrize("tab", ["Curves", "Completions", "Map", "Health", "Disagreement", "System and log", "Configuration"])
def test_every_tab_shows_what_the_log_has(imported: str, tab: str) -> None:
    test = run_app("runs", run=imported, tab=tab)
    assert not test.exception
    assert not test.error


def test_the_configuration_says_where_the_run_comes_from_and_what_a_log_cannot_say(imported: str, tmp_path: Path) -> None:
    said = words(run_app("runs", run=imported, tab="Configuration"))
    assert str(tmp_path / "log") in said.replace("\\", "")
    assert "TRL" in said
    assert "logging_steps" in said.replace("\\", "")


def test_completions_of_rewards_that_nobody_here_knows_are_shown_and_found(imported: str) -> None:
    test = run_app("runs", run=imported, tab="Completions", browse="search", reward="accuracy", level="full")
    assert not test.exception
    assert "6 completions" in words(test)


def test_the_list_has_imported_runs_and_compares_them_with_ours_problem_by_problem(imported: str, store: Store) -> None:
    ours = record_run(store)
    assert [run.id for run in store.jobs(RUN_KINDS)] == [ours, imported]
    assert not run_app("runs").exception
    compared = run_app("runs", runs=f"{imported},{ours}")
    assert not compared.exception
    assert "1 problem was met by both" in words(compared)
    (settings,) = (frame.value for frame in compared.main.dataframe if "setting" in frame.value)
    assert not {"max_steps", "learning_rate"} & set(settings.loc[settings[imported] != "", "setting"])


@pytest.mark.parametrize(
    ("spec", "problem", "said"),
    [
        ({"source": "data/other.csv"}, "", "are on other problems"),
        ({"content_hash": "0" * 64}, "", "are on other problems"),
        ({}, "test-1", "No problem was met by both"),
    ],
)
def test_runs_that_have_no_problem_in_common_say_why(
    spec: dict[str, str], problem: str, said: str, imported: str, store: Store
) -> None:
    met = store.job(imported)
    other = store.create_job("import", "import", dict(met.spec) | spec)[0]
    if problem:
        store.record(other.id, rollouts=[replace(rollout, problem_id=problem) for rollout in store.rollouts(imported, 1)])
    test = run_app("runs", runs=f"{imported},{other.id}")
    assert not test.exception
    assert said in words(test)


def test_a_log_outside_the_allowed_folders_is_not_read_by_a_page(store: Store) -> None:
    test = run_app("runs")
    next(field for field in test.text_input if field.label == "Folder or file").set_value("/etc").run()
    next(button for button in test.button if button.label == "Read").click().run()
    assert not test.exception
    assert any("may not read a log" in error.value for error in test.error)
    assert store.jobs() == []


def test_a_log_is_read_from_the_page_by_a_job_of_its_own(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[str] = []
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: submitted.append(job.id))
    log = write(data.home().root / "log" / "1.jsonl", of_trl(1, RIGHT, WRONG))
    test = run_app("runs")
    next(field for field in test.text_input if field.label == "Folder or file").set_value(str(log)).run()
    next(field for field in test.text_input if field.label == "Problems").set_value("demo").run()
    next(button for button in test.button if button.label == "Read").click().run()
    assert not test.exception
    (job,) = store.jobs("import")
    assert submitted == [job.id]
    assert (job.spec["layout"], job.spec["source"]) == ("TRL", "demo")
