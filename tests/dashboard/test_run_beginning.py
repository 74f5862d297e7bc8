"""A run before its first step: its stages, the evaluation as it fills, and the end of the log."""

import pytest

from dashboard.run_stages import stages_of
from tests.app_testing import run_app, words
from training.home import Home
from training.presets import load_preset
from training.store import Phase, Store
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, open_evaluation

pytestmark = pytest.mark.usefixtures("dashboard_home")

TITLES = (
    "Waiting for its turn",
    "Starting",
    "Loading the model",
    "Evaluating before training",
    "Generating and learning: the first step",
)


@pytest.fixture
def run_id(store: Store) -> str:
    config = load_preset("demo", ["evaluation_problems=40"])
    return store.create_job("train", "demo", config.model_dump(mode="json"), total=150)[0].id


@pytest.mark.parametrize(
    ("phase", "message", "now"),
    [
        (None, "", 0),
        ("", "starting", 1),
        ("loading", "loading the model", 2),
        ("evaluating", "evaluating before training: 16 of 40 problems", 3),
        ("training", "training", 4),
    ],
)
def test_a_run_passes_its_stages_in_order(store: Store, run_id: str, phase: Phase | None, message: str, now: int) -> None:
    if phase is not None:
        store.start(run_id)
        store.progress(run_id, 0, 150, message, phase)
    stages = stages_of(store.job(run_id), load_preset("demo", ["evaluation_problems=40"]))
    assert tuple(stage.title for stage in stages) == TITLES
    assert [stage.place for stage in stages] == ["done"] * now + ["now"] + ["to come"] * (4 - now)
    details = {stage.title: stage.detail for stage in stages if stage.detail}
    assert details == ({TITLES[3]: message} if now == 3 else {TITLES[4]: message} if now == 4 else {})


def test_a_run_that_evaluates_nothing_has_no_such_stage(store: Store, run_id: str) -> None:
    config = load_preset("demo", ["evaluation_problems=0"])
    assert TITLES[3] not in [stage.title for stage in stages_of(store.job(run_id), config)]


def test_the_evaluation_before_is_shown_as_it_fills_with_the_end_of_the_log(store: Store, run_id: str, home: Home) -> None:
    store.start(run_id)
    store.progress(run_id, 0, 150, "evaluating before training: 16 of 40 problems", "evaluating")
    items = [EvaluationItem(f"test-{n}", "", {"correctness": float(n < 4)}, 3) for n in range(16)]
    evaluation = open_evaluation(store, run_id, "before", 0, "test")
    add_items(store, evaluation, items)
    home.job_folder(run_id).mkdir(parents=True)
    (home.job_folder(run_id) / "log.txt").write_text("".join(f"line {number}\n" for number in range(1, 40)))
    test = run_app("runs", run=run_id)
    assert not test.exception
    said = words(test).replace("*", "")
    assert "Evaluating before training (now): evaluating before training: 16 of 40 problems" in said
    assert "Before training, 16 test problems so far" in said
    table = test.main.dataframe[0].value
    assert table.to_numpy().tolist() == [["Hard correctness", "0.250", "0.102 to 0.495", "1.0"]]
    log = "".join(element.proto.body for element in test.main.get("html") if "atlas-log" in element.proto.body)
    assert "line 39" in log
    assert "line 27<" not in log
    complete_evaluation(store, evaluation)
    assert "Before training, 16 test problems\n" in words(test.run()).replace("*", "") + "\n"


def test_a_run_that_ended_before_its_first_step_says_so_and_shows_its_log(store: Store, run_id: str) -> None:
    store.start(run_id)
    store.end(run_id, "failed", "no room")
    said = words(run_app("runs", run=run_id))
    assert "The run ended before it." in said
    assert "Nothing was printed yet." in said
    assert "(now)" not in said
