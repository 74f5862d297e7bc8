"""Evaluate without a browser: comparing, measuring and asking, empty and full. No model is loaded here."""

from concurrent.futures import Future
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.app_testing import run_app, words
from tests.fakes import record_evaluation
from training.errors import ModelError
from training.home import Home
from training.jobs.evaluate import evaluation_spec
from training.jobs.playground import Answer, Answers, Exchange, Models, Playground, Question
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.usefixtures("dashboard_home")

RIGHT = "<reasoning>\nx\n</reasoning>\n<answer>\n{}\n</answer>\n"
WRONG = "<answer>$1 <script>alert(1)</script></answer>"
PROBLEMS = 6


def items(right: int, samples: int = 1) -> list[EvaluationItem]:
    """The first problems of the demo's test split, the first `right` of them answered rightly, every second time at least."""
    found = []
    for place, problem in enumerate(data.problem_set("demo").of_split("test")[:PROBLEMS]):
        for sample in range(samples):
            text = RIGHT.format(problem.gold) if place < right and sample % 2 == 0 else WRONG
            found.append(EvaluationItem(problem.id, text, score_completion(text, problem.gold), 9))
    return found


@pytest.fixture
def run_id(store: Store, home: Home) -> str:
    """A finished run: 1 problem right before, 3 after step 5, 4 after; and its checkpoint of step 5."""
    config = load_preset("demo", ["source=demo", "max_steps=10"])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=10)
    for label, step, right in (("before", 0, 1), ("step-5", 5, 3), ("after", 10, 4)):
        record_evaluation(store, job.id, label, step, "test", items(right))
    checkpoint = home.runs / job.id / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    store.add_checkpoint(job.id, 5, str(checkpoint))
    store.end(job.id, "finished", "done")
    return job.id


@pytest.fixture
def measured(store: Store, run_id: str) -> str:
    """A finished evaluation of that checkpoint, four completions a problem."""
    model = store.checkpoints(run_id)[0].path
    settings = {"split": "test", "fraction": 0.01, "temperature": 1.0, "samples": 4, "max_completion_length": 100}
    spec = evaluation_spec(model, data.problem_set("demo"), **settings)
    job, _ = store.create_job("evaluate", "evaluate", spec.model_dump(), total=PROBLEMS)
    record_evaluation(store, job.id, "test", 0, "test", items(3, samples=4))
    store.end(job.id, "finished", "done")
    return job.id


def button(test: AppTest, label: str):
    return next(found for found in test.main.button if found.label == label)


def test_an_empty_page_says_what_comes_here_and_offers_both_ways() -> None:
    test = run_app("evaluate")
    assert not test.exception
    assert [found.label for found in test.main.button] == ["Launch a run", "Measure a model"]
    button(test, "Measure a model").click().run()
    assert "Nothing was measured outside a run yet." in words(test)


def evaluated(test: AppTest) -> list[str]:
    """What stands beside the maximum in the article's table."""
    return [name.replace("\\", "") for name in test.main.table[0].value][1:]


def test_a_run_opens_with_before_and_after_their_intervals_and_what_was_gained(run_id: str) -> None:
    test = run_app("evaluate")
    assert not test.exception
    table = test.main.table[0].value
    assert list(table) == ["maximum", "before", "after", "after − before"]
    assert table.loc["Hard correctness"].tolist()[2:] == [
        "0.667 (0.300\u00a0to\u00a00.903)",
        "+0.500 (-0.107\u00a0to\u00a0+0.857)",
    ]
    said = words(test)
    assert "Hard correctness rose from 0.167 to 0.667 on 6 problems, 3 gained and 0 lost" in said
    assert test.main.dataframe[0].value["problem"].tolist() == ["test-1", "test-2", "test-3"]
    cards = "".join(element.proto.body for element in test.get("html"))
    assert "equals gold" in cards
    assert "<script>" not in cards
    assert "6 test problems" in said
    assert "Report" in [element.proto.label for element in test.get("download_button")]


def test_several_evaluations_stand_side_by_side_and_any_two_are_compared(run_id: str) -> None:
    several = ",".join(f"{run_id}:{label}" for label in ("before", "step-5", "after"))
    test = run_app("evaluate", run=run_id, evaluations=several, base=f"{run_id}:step-5", article="True")
    table = test.main.table[0].value
    assert list(table)[1:] == ["before", "step 5", "after", "after − step 5", "article before", "article after"]
    assert "Strict format is its Hard format reward" in words(test)
    assert table["article after"].tolist()[0] == "0.785"
    assert "rose from 0.500 to 0.667 on 6 problems, 1 gained and 0 lost" in words(test)


def test_a_checkpoint_measured_alone_stands_beside_its_run_with_its_settings_and_leads_to_scaling(
    run_id: str, measured: str
) -> None:
    test = run_app("evaluate", run=run_id, evaluations=f"{run_id}:before,{measured}:test")
    assert not test.exception
    said = words(test)
    named = [f"{run_id} before", f"{measured}: {run_id}, step 5"]
    assert evaluated(test) == [*named, f"{named[1]} − {named[0]}"]
    assert "Completions were drawn differently" in said
    assert "temperature 1, 4 completions a problem" in said
    next(button for button in test.main.button if button.label == "Test-time scaling").click().run()
    assert (test.query_params["part"], test.query_params["scaled"]) == ("scaling", f"{measured}:test")
    assert "pass@k" in test.main.table[0].value


def test_evaluations_of_other_problems_are_not_offered(run_id: str, store: Store) -> None:
    other, _ = store.create_job("train", "mine", load_preset("demo", ["source=/data/mine"]).model_dump(mode="json"))
    record_evaluation(store, other.id, "before", 0, "test", items(1))
    test = run_app("evaluate", run=run_id, evaluations=f"{run_id}:after,{other.id}:before")
    assert evaluated(test) == [f"{run_id} after"]
    assert all("mine" not in option for option in test.multiselect[0].options)


def test_a_kind_without_problems_is_said(run_id: str) -> None:
    assert "No problem was lost by hard correctness." in words(run_app("evaluate", run=run_id, change="lost"))


def test_the_form_starts_an_evaluation_once_and_shows_it(run_id: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[list[str]] = []
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: submitted.append(command))
    test = run_app("evaluate", part="measure")
    assert not test.exception
    assert "400 test problems, 400 completions in all." in words(test)
    button(test, "Measure").click().run()
    assert submitted == [["-m", "training.jobs", "evaluate-1"]]
    job = store.jobs("evaluate")[0]
    assert (job.spec["model"], job.spec["max_completion_length"]) == (store.checkpoints(run_id)[0].path, 160)
    assert button(test, "Under way").disabled
    button(test, "Stop").click().run()
    assert not test.exception
    assert store.stop_requested(job.id)


def test_a_model_that_a_page_may_not_name_is_refused_and_nothing_starts(store: Store) -> None:
    test = run_app("evaluate", part="measure")
    test.main.selectbox[0].set_value("").run()
    for name in ("/etc", "$(id)"):
        next(field for field in test.main.text_input if field.label == "Hub name or folder").set_value(name).run()
        assert not test.exception
        assert name in "".join(error.value.replace("\\", "") for error in test.error)
        assert "Measure" not in [found.label for found in test.main.button]
    assert store.jobs() == []


def test_a_stopped_evaluation_goes_on(measured: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store._update(measured, status="stopped", reason="stopped on request")
    submitted: list[list[str]] = []
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: submitted.append(command))
    test = run_app("evaluate", part="measure")
    button(test, "Go on").click().run()
    assert not test.exception
    assert submitted == [["-m", "training.jobs", measured]]


class Answering(Playground):
    """Answers at once, or fails."""

    def ask(self, models: Models, question: Question) -> Answers:
        exchange: Answers = Exchange(models, question, 0.0, Future())
        if question.text == "fail":
            exchange.future.set_exception(ModelError("It is out of memory.", "Ask a smaller one."))
        else:
            exchange.future.set_result([Answer(WRONG, 7, False), Answer(RIGHT.format("7"), 9, True)])
        return exchange


@pytest.fixture
def answering(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "playground", lambda: Answering(home))


def cards(test: AppTest) -> str:
    return "".join(element.proto.body for element in test.get("html"))


def test_the_playground_shows_answers_as_text_with_every_reward(answering: None) -> None:
    test = run_app("evaluate", part="ask", ask="demo")
    assert button(test, "Ask").disabled
    test.text_area[0].set_value("How many <b>apples</b>?").run()
    button(test, "Ask").click().run()
    assert not test.exception
    assert "Integer" in cards(test)
    assert "Hard correctness" not in cards(test), "which needs gold"
    assert "<script>" not in cards(test)
    assert "cut off" in cards(test)
    next(field for field in test.text_input if field.label == "Gold answer").set_value("7").run()
    assert "Hard correctness" in cards(test)
    assert "1 of 2 answers equal gold." in words(test)


def test_the_playground_takes_a_problem_and_says_what_goes_wrong(answering: None) -> None:
    test = run_app("evaluate", part="ask", ask="demo")
    problem = data.problem_set("demo").of_split("test")[0]
    take = next(field for field in test.text_input if field.label == "Take a problem")
    take.set_value("test-0").run()
    assert test.text_area[0].value == problem.question
    assert next(field for field in test.text_input if field.label == "Gold answer").value == problem.gold
    take.set_value("nothing").run()
    assert "The source has no problem nothing" in words(test)
    test.text_area[0].set_value("fail").run()
    button(test, "Ask").click().run()
    assert not test.exception
    assert "It is out of memory." in words(test)


def test_a_folder_that_a_page_may_not_name_is_not_asked(answering: None, tmp_path: Path) -> None:
    test = run_app("evaluate", part="ask", ask=str(tmp_path))
    test.text_area[0].set_value("x").run()
    button(test, "Ask").click().run()
    assert "A page may not load a model from" in words(test)
    assert not cards(test).count("rollouts")
