"""The token view and the step at a glance on a run's page, without a browser; a stand-in for the models' process answers."""

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.app_testing import run_app, words
from tests.dashboard.test_run_view import button, cards, record_run
from training.errors import ModelError
from training.home import Home
from training.jobs.playground import Exchange, Models, Playground, Scores
from training.store import Store
from training.stored_config import ImportedConfig
from training.tokens.scores import Measured, Request, Scored

pytestmark = pytest.mark.usefixtures("dashboard_home")


def scored(text: str, shift: float) -> Scored:
    """A token for each character, the more likely under the first model the later it comes."""
    number = len(text)

    def measured(by: float) -> Measured:
        logprobs = [-1.0 + by * place for place in range(number)]
        return Measured(logprob=logprobs, entropy=[0.5] * number, likeliest=["x"] * number, likeliest_logprob=[-0.1] * number)

    ids = [ord(letter) for letter in text]
    parts = [(1, 1)] * number
    return Scored(
        ids=ids, texts=list(text), parts=parts, ended=False, model=measured(shift), against=measured(0), kl=[0.1] * number
    )


class Scoring(Playground):
    """Scores at once, or fails; remembers what it was asked."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.asked: list[tuple[Models, Request]] = []
        self.fails = False

    def score(self, models: Models, request: Request) -> Scores:
        self.asked.append((models, request))
        exchange: Scores = Exchange(models, request, 0.0, Future())
        if self.fails:
            exchange.future.set_exception(ModelError("It is out of memory.", "Choose a smaller one."))
        else:
            exchange.future.set_result([scored(text.completion, 0.001) for text in request.texts])
        return exchange


@pytest.fixture
def playground(home: Home, monkeypatch: pytest.MonkeyPatch) -> Scoring:
    found = Scoring(home)
    monkeypatch.setattr(data, "playground", lambda: found)
    return found


@pytest.fixture
def run_id(store: Store, tmp_path: Path) -> str:
    found = record_run(store)
    for step in (5, 10):
        store.add_checkpoint(found, step, str(tmp_path / f"checkpoint-{step}"))
    return found


def drawn(test: AppTest) -> dict[str, Any]:
    """What the browser gets of the coloured text."""
    protos = [element.proto for element in test.get("bidi_component")]
    (found,) = [json.loads(proto.json) for proto in protos if proto.component_name == "grpo_atlas_tokens"]
    return dict(found)


def test_a_completion_opens_by_token_and_is_scored_at_once(run_id: str, playground: Scoring, tmp_path: Path) -> None:
    test = run_app("runs", run=run_id, tab="Completions", step="7")
    button(test, "By token").click().run()
    assert not test.exception
    ((models, request),) = playground.asked
    assert (models.model, models.against) == (str(tmp_path / "checkpoint-10"), "demo")
    assert [message["role"] for message in request.prompt] == ["system", "user"]
    (text,) = request.texts
    assert json.loads(drawn(test)["content"]["json"])[0]["texts"] == list(text.completion)
    (table,) = (found.value for found in test.dataframe if "ratio" in found.value)
    assert len(table) == len(text.completion)
    assert "The record says 30 tokens" in words(test)
    assert next(toggle for toggle in test.toggle if toggle.label == "At a glance").disabled, "nothing stands above the text"
    assert {test.query_params[name] for name in ("tokens", "step", "completion")} == {"True", "7", "1"}


def test_a_link_asks_first_and_looks_on_without_scoring(run_id: str, playground: Scoring) -> None:
    test = run_app("runs", run=run_id, tab="Completions", step="7", tokens="True", completion="2", tokens_by="kl")
    assert not playground.asked
    button(test, "Score the tokens").click().run()
    assert not test.exception
    assert len(playground.asked) == 1
    assert drawn(test)["by"] == "kl"


def test_another_completion_beside_it_shows_where_the_two_part(run_id: str, playground: Scoring, tmp_path: Path) -> None:
    test = run_app("runs", run=run_id, tab="Completions", step="7")
    button(test, "By token").click().run()
    next(box for box in test.selectbox if box.label == "Beside it").select(2).run()
    assert not test.exception
    assert drawn(test)["titles"] == ["Completion 1, right", "Completion 2, wrong"]
    assert drawn(test)["parts"] == 1, "after <"
    assert "They part at token 2: here" in words(test)
    next(box for box in test.selectbox if box.label == "Against").select(5).run()
    assert playground.asked[-1][0].against == str(tmp_path / "checkpoint-5")
    asked = len(playground.asked)
    next(box for box in test.selectbox if box.label == "Against").select(0).run()
    assert len(playground.asked) == asked, "what was scored is kept"
    button(test, "Back to the group").click().run()
    assert "Step 7, group 1 of 2" in words(test)
    assert "tokens" not in test.query_params


def test_what_goes_wrong_is_said_and_can_be_tried_again(run_id: str, playground: Scoring) -> None:
    playground.fails = True
    test = run_app("runs", run=run_id, tab="Completions")
    button(test, "By token").click().run()
    assert "It is out of memory." in words(test)
    playground.fails = False
    button(test, "Try again").click().run()
    assert not test.exception
    assert drawn(test)["parts"] is None


def test_a_run_without_checkpoints_is_scored_as_it_began(store: Store, playground: Scoring) -> None:
    test = run_app("runs", run=record_run(store), tab="Completions")
    button(test, "By token").click().run()
    assert not test.exception
    assert (playground.asked[0][0].model, playground.asked[0][0].against) == ("demo", "demo")


def test_a_run_of_another_trainer_says_that_its_model_is_not_known(store: Store, playground: Scoring) -> None:
    run_id = record_run(store)
    rollouts = store.rollouts(run_id, 1)
    config = ImportedConfig(
        model="trl", source="demo", rewards={"correctness": 1.0}, verifier="correctness", path="x", layout="trl"
    )
    job, _ = store.create_job("import", "import", config.model_dump(mode="json"))
    store.record(job.id, rollouts=rollouts)
    test = run_app("runs", run=job.id, tab="Completions")
    button(test, "By token").click().run()
    assert not test.exception
    assert "neither its model nor its prompt" in words(test)
    assert not playground.asked
    button(test, "Back to the group").click().run()
    assert "Step 1, group 1 of 2" in words(test)


def test_a_link_to_a_bar_shows_the_completions_behind_it_and_leads_back(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions", step="7", bin="reward:correctness,1.0,1.0")
    assert not test.exception
    assert "2 completions of step 7: hard correctness 1" in words(test)
    assert cards(test).count("equals gold") == 2
    button(test, "All groups").click().run()
    assert "Step 7, group 1 of 2" in words(test)
    assert "bin" not in test.query_params


def test_a_bar_of_what_the_step_has_not_shows_nothing(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions", bin="reward:gone,0,1")
    assert not test.exception
    assert "0 completions of step 12" in words(test)


def test_the_groups_of_a_step_stand_by_spread_and_the_ways_lead_on(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions")
    (table,) = (found.value for found in test.dataframe if "spread" in found.value)
    assert len(table) == 2
    test.button(key="group Right").click().run()
    assert "Step 12, group 2 of 2" in words(test)
    assert test.button(key="group Right").disabled
    test.button(key="step Left").click().run()
    assert "Step 11, group 2 of 2" in words(test)
    assert test.query_params["step"] == "11"
