"""Two judges on a run's page: choice, table, marking, list, files, and who may mark. Without a browser."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.background import Reading
from dashboard.components.run import disagreement as page
from tests.app_testing import TIMEOUT_S, run_app, words
from tests.fakes import record_evaluation
from training.errors import SourceError
from training.groups import Rollout
from training.insight.disagreement import disagreement_of
from training.insight.judges import Part
from training.presets import load_preset
from training.rewards import ARTICLE_REWARDS, score_completion
from training.store import Store
from training.store.answer_marks import marked_answers
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.usefixtures("dashboard_home")

HARD_SOFT = ("correctness", "soft_correctness")
STEPS = 15


def record_run(store: Store, *texts: str, steps: int = STEPS) -> str:
    """A finished run: two problems a step, each answered in these ways, `{}` standing for the gold answer."""
    config = load_preset("demo", ["num_generations=4", "per_device_train_batch_size=8"])
    spec = config.model_dump(mode="json") | {"content_hash": data.problem_set("demo").content_hash}
    run_id = store.create_job("train", "demo", spec, total=steps)[0].id
    store.start(run_id)
    problems = data.problem_set("demo").problems
    for step in range(1, steps + 1):
        rollouts = []
        for group, problem in enumerate((problems[step], problems[step + 1])):
            for position, text in enumerate(text.format(problem.gold) for text in texts):
                scored = score_completion(text, problem.gold)
                rewards = {name: scored[name] for name in ARTICLE_REWARDS}
                rollouts.append(Rollout(step, group, position, problem.id, text, rewards, 1.0, 0.0, 9, "stop"))
        store.record(run_id, rollouts=rollouts)
    store.end(run_id, "finished", "done")
    return run_id


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page waits for the judges, however busy the machine is."""
    monkeypatch.setattr(page, "_AT_ONCE_S", TIMEOUT_S)


@pytest.fixture
def run_id(store: Store) -> str:
    return record_run(store, "<answer>{}</answer>", "<answer>${}</answer>", "so <answer>${}</answer>", "<answer>x</answer>")


def opened(run_id: str, **address: Any) -> AppTest:
    test = run_app("runs", run=run_id, tab="Disagreement", **address)
    assert not test.exception
    assert not test.error
    return test


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label == label).click().run()


def table(test: AppTest, column: str) -> pd.DataFrame:
    return next(frame.value for frame in test.dataframe if column in frame.value)


def test_the_usual_judges_are_counted_with_intervals(run_id: str) -> None:
    test = opened(run_id)
    chosen = {box.label: box.value for box in test.selectbox}
    assert (chosen["Completions of"], chosen["Judge"], chosen["against"]) == ("", *HARD_SOFT)
    assert "Hard correctness and soft correctness differ on 60 of 120 completions: 50.0%" in words(test)
    cells = table(test, "wrong")
    assert "Rows: what hard correctness says. Columns: what soft correctness says." in words(test)
    assert cells.iloc[0, 1].startswith("30: 25.0% (")
    assert cells.iloc[1, 1].startswith("60: 50.0% (")
    assert cells.iloc[0, 2].startswith("0: 0.0% (0.0% to ")


def test_marking_goes_through_the_random_order_and_gives_rates(store: Store, run_id: str) -> None:
    found = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    test = opened(run_id)
    assert "Answer 1 of 32 in the random order, 0 marked" in words(test)
    test = press(test, "Soft correctness is right")
    test = press(test, "Hard correctness is right")
    test = press(test, "Unclear")
    marks = marked_answers(store, run_id, HARD_SOFT)
    assert [marks[answer.key].verdict for answer in found.differing[:3]] == ["right", "wrong", "unclear"]
    assert {mark.who for mark in marks.values()} == {"this machine"}
    assert "Answer 4 of 32 in the random order, 3 marked" in words(test)
    rates = table(test, "unclear")
    assert list(rates["marked"]) == [2, 0, 0, 2]
    right, wrong = (answer.times for answer in found.differing[:2])
    assert rates["of marked"][0].startswith(f"{right / (right + wrong):.1%} (")
    assert rates["rate"][0] != ""
    listed = table(test, "marked by")
    assert list(listed["mark"][:4]) == ["right", "wrong", "unclear", ""]
    assert len(listed) == 25


def test_an_answer_is_read_again_and_its_mark_taken_back(store: Store, run_id: str) -> None:
    first = disagreement_of(store, Part(run_id), HARD_SOFT, {}).differing[0]
    test = press(opened(run_id), "Soft correctness is right")
    test = opened(run_id, answer=first.digest)
    assert "Marked right by this machine" in words(test)
    press(test, "Take back")
    assert marked_answers(store, run_id, HARD_SOFT) == {}


def test_pages_of_the_list_hold_all_that_differ(run_id: str) -> None:
    test = press(opened(run_id), "Next")
    assert len(table(test, "marked by")) == 7
    assert "Page 2 of 2, 32 answers" in words(test)
    test = opened(run_id, answers=9, right_by="first")
    assert "No answer is like that" in words(test)


def test_a_judge_that_is_not_on_record_is_asked_now(run_id: str) -> None:
    test = opened(run_id, other_judge="value_correctness")
    assert "Hard correctness and value correctness differ on 60 of 120" in words(test)
    assert "Value correctness is not on record and asked now." in words(test)


def test_while_judges_are_asked_the_page_says_how_far_they_are(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_AT_ONCE_S", 0.0)
    monkeypatch.setattr(page, "_POLL_S", 0.05)
    test = run_app("runs", run=run_id, tab="Disagreement", other_judge="value_correctness")
    while "differ on 60 of 120" not in words(test):
        assert not test.error
        test = test.run()


def test_one_judge_against_itself_asks_for_another(run_id: str) -> None:
    assert "Choose two judges." in words(opened(run_id, judge="correctness", other_judge="correctness"))


def test_judges_that_agree_leave_nothing_to_mark(store: Store) -> None:
    run_id = record_run(store, "<answer>{}</answer>", "<answer>x</answer>", steps=2)
    assert "The judges never differ." in words(opened(run_id))


def test_a_run_without_completions_says_what_comes_here(store: Store) -> None:
    run_id = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"))[0].id
    assert "those on which two judges of answers differ appear here" in words(opened(run_id))


def test_an_evaluation_is_judged_by_itself(store: Store, run_id: str) -> None:
    problem = data.problem_set("demo").problems[0]
    texts = [f"<answer>{problem.gold}</answer>", f"<answer>${problem.gold}.00</answer>"]
    items = [EvaluationItem(problem.id, text, score_completion(text, problem.gold), 9) for text in texts]
    record_evaluation(store, run_id, "after", STEPS, "test", items)
    test = opened(run_id, judged="after")
    assert "differ on 1 of 2 completions" in words(test)


@pytest.fixture
def public() -> Iterator[None]:
    """The server listens on all addresses, and nobody has signed in."""
    st.config.set_option("server.address", "0.0.0.0")
    yield
    st.config.set_option("server.address", "127.0.0.1")


def test_who_looks_on_sees_all_and_marks_nothing(
    public: None, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marking(test: AppTest) -> list[Any]:
        return [button for button in test.button if button.label in ("Soft correctness is right", "Unclear")]

    monkeypatch.delenv("GRPO_ATLAS_TOKEN", raising=False)
    test = opened(run_id)
    assert [button.disabled for button in marking(test)] == [True, True]
    monkeypatch.setattr("dashboard.components.run.judged_answers.acts", lambda help=None: {"help": help})
    marking(test.run())[0].click().run()
    assert "You are looking on" in words(test)
    assert marked_answers(store, run_id, HARD_SOFT) == {}


def test_what_is_read_in_the_background_is_read_once_and_again_after_an_error() -> None:
    calls: list[int] = []

    def read(told: Any) -> int:
        calls.append(len(calls))
        told(1, 2)
        if len(calls) == 1:
            raise SourceError("It is away.", "Wait.")
        return 42

    reading = Reading(read)
    with pytest.raises(SourceError, match="It is away"):
        reading.wait(60)
    assert [reading.wait(60), reading.wait(0)] == [42, 42]
    assert (reading.done, reading.total) == (1, 2)
    assert calls == [0, 1]
