"""A run of two stages on the pages, without a browser: launched from the form, one line in the list, ways to each other."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.run_rows import Row, queue_of, run_table
from tests.app_testing import APP, TIMEOUT_S, run_app, words
from tests.tiny_runs import tiny, tiny_sft
from training.backends.local import LocalBackend
from training.home import Home
from training.runs.deletion import delete_job
from training.runs.launch import launch_stages
from training.store import Store
from training.store.job_search import RunFilter, find_runs

pytestmark = pytest.mark.usefixtures("dashboard_home")


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    jobs: list[str] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: jobs.append(job.id) or "")
    return jobs


@pytest.fixture
def both(store: Store, home: Home, submitted: list[str]) -> tuple[str, str]:
    first = tiny_sft(preset="demo-sft", max_steps=30, per_device_train_batch_size=4)
    return launch_stages(store, home, first, tiny(preset="demo", max_steps=60))


def open_launch(**address: str) -> AppTest:
    test = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        test.query_params[name] = value
    return test.switch_page("app_pages/launch.py").run()


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label.replace("\\", "") == label).click().run()


def listed(test: AppTest) -> Any:
    return test.main.dataframe[0].value


def test_the_list_has_one_line_for_both_with_the_stages_named(both: tuple[str, str], store: Store) -> None:
    first, second = both
    store.start(first)
    store.progress(first, 15, 30, "training", "training")
    test = run_app("runs")
    assert not test.exception
    table = listed(test)
    assert (table["run"].tolist(), table["stages"].tolist()) == ([second], ["sft → grpo"])
    assert table["status"].tolist() == [["running"]]
    assert table["how it stands"].tolist() == [f"{first}: training"]
    assert table["progress"].tolist() == [pytest.approx(100 * 15 / 90)]
    assert "1 run" in words(test)
    found = find_runs(store, RunFilter(), page=1, size=10)
    assert ([run.id for run in found.runs], found.matching, found.total) == ([second], 1, 1)


def test_a_line_is_found_by_the_first_stages_id(both: tuple[str, str], store: Store) -> None:
    assert find_runs(store, RunFilter(search=both[0]), page=1, size=10).matching == 1


def test_once_the_first_has_ended_the_line_is_the_seconds(both: tuple[str, str], store: Store) -> None:
    first, second = (store.job(run_id) for run_id in both)
    store.end(first.id, "finished", "all 30 steps done")
    [row] = run_table([Row(second, first=store.job(first.id))], ("status", "how it stands", "steps")).to_dict("records")
    assert (row["status"], row["how it stands"], row["steps"]) == (["queued"], "", "0 of 60")


def test_lists_without_another_stage_have_no_column_of_stages(store: Store) -> None:
    store.create_job("train", "demo", tiny().model_dump(mode="json"))
    assert "stages" not in listed(run_app("runs"))


def test_a_first_whose_second_was_deleted_has_its_own_line_again(both: tuple[str, str], store: Store, home: Home) -> None:
    store.withdraw(both[1])
    delete_job(store, home, both[1])
    table = listed(run_app("runs"))
    assert (table["run"].tolist(), table["stages"].tolist()) == ([both[0]], ["sft"])


def test_each_of_the_two_leads_to_the_other(both: tuple[str, str]) -> None:
    first, second = both
    for run_id, other in ((first, second), (second, first)):
        test = run_app("runs", run=run_id)
        assert not test.exception
        links = [link.proto for link in test.main.get("page_link")]
        assert [link.label for link in links if other in link.label.replace("\\", "")]
        assert f"run={other}" in links[0].query_string


def test_the_first_is_opened_from_the_line(both: tuple[str, str]) -> None:
    first, second = both
    test = run_app("runs")
    test.session_state["runlist_marked"] = (second,)
    opened = press(test.run(), f"Open {first}")
    assert not opened.exception
    assert opened.query_params["run"] == first


def test_the_queue_says_what_the_second_waits_for(both: tuple[str, str], store: Store) -> None:
    waiting = queue_of(store.active_jobs())
    assert waiting[1].waits_for == f"for {both[0]}, with whose last checkpoint it begins"
    store.start(both[0])
    [second] = queue_of(store.active_jobs())
    assert second.waits_for.startswith(f"for {both[0]}, step 0 of 30")


def test_the_form_queues_a_second_run_behind_the_first(submitted: list[str], store: Store) -> None:
    test = open_launch(preset="demo-sft", then="demo")
    assert not test.exception
    said = words(test)
    assert "Then demo: 60 steps of 4 problems × 8 completions" in said
    press(test, "Launch the run")
    assert not test.exception
    first, second = reversed(store.jobs())
    assert (first.id, second.id, second.follows) == ("demo-sft-1", "demo-1", "demo-sft-1")
    assert second.spec["model"] == f"run:demo-sft-1@{first.spec['max_steps']}"
    assert submitted == [first.id, second.id]


def test_what_the_second_would_be_refused_for_is_said_before_it_is_pressed(store: Store) -> None:
    test = open_launch(preset="demo-sft", then="article-llama-3.1-8b")
    assert not test.exception
    assert "It would be refused" in words(test)
    assert next(button for button in test.button if button.label == "Launch the run").disabled


def test_a_link_with_an_unknown_second_preset_says_so(store: Store) -> None:
    test = open_launch(preset="demo-sft", then="nothing")
    assert not test.exception
    assert "There is no preset" in words(test)
