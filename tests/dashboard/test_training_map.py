"""The tab that shows a run on the map, without a browser: from before its first step to after its evaluations."""

import json

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from dashboard import data
from tests.app_testing import follow, run_app, words
from tests.fakes import record_evaluation
from training.groups import Rollout
from training.presets import load_preset
from training.store import Store
from training.store.curation import find_subset, subset_ids
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.usefixtures("dashboard_home")

SCORES = {1: (1.0, 0.0), 2: (1.0, 1.0), 3: (0.0, 0.0)}
"""What the two completions of a step earned."""


def new_run(store: Store, **changes: str) -> str:
    overrides = ["num_generations=2", "per_device_train_batch_size=2", "max_steps=10"]
    config = load_preset("demo", [*overrides, *(f"{name}={value}" for name, value in changes.items())])
    return store.create_job("train", "demo", config.model_dump(mode="json"), total=10)[0].id


def record_step(store: Store, run_id: str, step: int) -> str:
    """One group of the step's own problem; the problem's id."""
    problem = data.problem_set("demo").of_split("train")[step]
    rollouts = [
        Rollout(step, 0, position, problem.id, "x", {"correctness": score}, score, 0.0, 40, "stop")
        for position, score in enumerate(SCORES[step])
    ]
    store.record(run_id, rollouts=rollouts)
    return problem.id


@pytest.fixture
def run_id(store: Store) -> str:
    run_id = new_run(store)
    for step in SCORES:
        record_step(store, run_id, step)
    return run_id


def open_map(run_id: str, **address: str) -> AppTest:
    test = run_app("runs", run=run_id, tab="Map", **address)
    assert not test.exception
    return test


def button(test: AppTest, label: str) -> Button:
    return next(button for button in test.button if button.label == label)


def test_before_the_first_step_the_tab_says_what_comes(store: Store) -> None:
    assert "The map takes colour with the first step." in words(open_map(new_run(store)))


def test_the_map_says_what_was_met_so_far_or_in_a_window(run_id: str) -> None:
    said = words(open_map(run_id))
    assert "Steps 1 to 3: 3 of" in said
    assert "pass rate 50% on average" in said
    assert "240 tokens in 3 groups" in said
    assert "67% went into groups whose completions all earned the same" in said
    assert "Steps 1 to 2: 2 of" in words(open_map(run_id, until="2"))
    windowed = words(open_map(run_id, until="2", last="1", map="mean_reward"))
    assert "Step 2: 1 of" in windowed
    assert "mean reward 1 on average" in windowed


def test_what_is_chosen_stands_in_the_address(run_id: str) -> None:
    test = open_map(run_id, until="2")
    next(box for box in test.selectbox if box.label == "Steps shown").set_value(1).run()
    assert not test.exception
    assert dict(test.query_params) == {"run": run_id, "tab": "Map", "until": "2", "last": "1"}


def test_a_live_run_takes_in_the_next_step(store: Store) -> None:
    run_id = new_run(store)
    store.start(run_id)
    record_step(store, run_id, 1)
    test = open_map(run_id)
    assert "Step 1: 1 of" in words(test)
    record_step(store, run_id, 2)
    assert "Steps 1 to 2: 2 of" in words(test.run())


def test_a_chosen_problem_shows_its_text_and_groups(run_id: str) -> None:
    problem = data.problem_set("demo").of_split("train")[2]
    test = open_map(run_id, point=problem.id)
    assert problem.question in words(test)
    assert "1 group in these steps." in words(test)
    assert "No group of these steps is about it." in words(open_map(run_id, point=problem.id, until="1"))


def test_what_still_has_signal_is_saved_and_goes_to_launch(run_id: str, store: Store) -> None:
    test = open_map(run_id)
    button(test, "Train on what still has signal").click().run()
    assert not test.exception
    train = [problem.id for problem in data.problem_set("demo").of_split("train")]
    subset = find_subset(store, "signal")
    assert subset_ids(store, subset) == tuple(problem for problem in train if problem not in (train[2], train[3]))
    assert follow(test).query_params == {"from": run_id, "train_on": "signal@1"}


def test_a_source_without_a_map_offers_to_build_it(store: Store) -> None:
    folder = data.home().root / "own"
    folder.mkdir(parents=True)
    lines = [json.dumps({"question": f"What is {n} + 1?", "answer": f"It is {n + 1}.\n#### {n + 1}"}) for n in range(4)]
    (folder / "train.jsonl").write_text("\n".join(lines))
    run_id = new_run(store, source=str(folder))
    rollouts = [
        Rollout(1, 0, i, "train-1", "x", {"correctness": score}, score, 0.0, 40, "stop") for i, score in enumerate((1, 0))
    ]
    store.record(run_id, rollouts=rollouts)
    test = open_map(run_id)
    assert "no map yet" in words(test)
    assert "Build the map" in [button.label for button in test.button]


def test_test_problems_stand_with_what_became_of_them_and_the_nearest_trained_one(run_id: str, store: Store) -> None:
    tests = data.problem_set("demo").of_split("test")[:3]
    for label, step, scores in (("before", 0, (0.0, 1.0, 1.0)), ("after", 3, (1.0, 0.0, 1.0))):
        items = [EvaluationItem(problem.id, "x", {"correctness": s}, 3) for problem, s in zip(tests, scores, strict=True)]
        record_evaluation(store, run_id, label, step, "test", items)
    test = open_map(run_id, map="test", point=tests[1].id)
    said = words(test)
    assert "3 test problems from before (step 0) to after (step 3): gained 1, lost 1, right in both 1" in said
    assert "Test problem, lost" in said
    assert tests[1].question in said
    assert "Nearest trained problem, cosine 0." in said


def test_a_completion_stands_beside_its_place_on_the_map(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Completions")
    assert not test.exception
    pictures = [element.proto.body for element in test.get("html") if "data:image/svg" in element.proto.body]
    assert len(pictures) == 1
    button(test, "Show on the map").click().run()
    assert not test.exception
    shown = data.problem_set("demo").of_split("train")[3]
    arrived = follow(test)
    assert arrived.query_params["problem"] == shown.id
    assert shown.question in words(arrived)


def test_pools_say_where_problems_stand_what_was_drawn_and_what_choosing_would_save(store: Store, run_id: str) -> None:
    said = words(open_map(run_id, map="pool"))
    assert "Steps 1 to 3: 3 of" in said
    assert "1 being learnt" in said
    assert "67% of 240 tokens went into 2 groups that taught nothing" in said
    assert "no problem was met again, so nothing can be said of pools; dynamic sampling would have filled 1 step for" in said
    record_step(store, run_id, 1)
    again = data.problem_set("demo").of_split("train")[1].id
    store.record(
        run_id, rollouts=[Rollout(4, 0, p, again, "x", {"correctness": 1.0 - p}, 1.0 - p, 0.0, 40, "stop") for p in (0, 1)]
    )
    assert "drawing from pools by their shares would have" in words(open_map(run_id, map="pool"))


def test_what_was_replaced_is_told_with_its_reason(store: Store) -> None:
    run_id = new_run(store, sampling="pools", dynamic_sampling_rounds="2")
    problems = data.problem_set("demo").of_split("train")
    store.record(
        run_id,
        rollouts=[
            Rollout(1, index, p, problems[index].id, "x", {"correctness": score}, score, 0.0, 40, "stop", dropped)
            for index, scores, dropped in ((0, (1.0, 0.0), ""), (1, (1.0, 1.0), "flat"), (2, (0.0, 1.0), "surplus"))
            for p, score in enumerate(scores)
        ],
    )
    said = words(open_map(run_id, map="pool"))
    assert "The run chooses already: by pools and up to 2 further rounds." in said
    assert "Not learnt from: 2 groups of 2 problems with 160 tokens, 67% of those in these steps" in said
    assert "1 because all earned the same, 1 because the step had enough" in said
    card = words(run_app("runs", run=run_id, tab="Completions", browse="search", verdict="dropped"))
    assert "4 completions" in card
