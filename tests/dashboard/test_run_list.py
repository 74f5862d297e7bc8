"""The list of runs, its queue, and comparing runs: without a browser, on a store with made-up runs."""

import math

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.run_rows import queue_of
from tests.app_testing import run_app, words
from tests.fakes import record_evaluation
from tests.many_runs import add_runs
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset
from training.store import Store, job_rows
from training.store.evaluations import EvaluationItem
from training.store.job_search import RunFilter, find_runs
from training.store.run_marks import Marks, marks_of, set_marks

pytestmark = pytest.mark.usefixtures("dashboard_home")


@pytest.fixture
def store(home: Home, monkeypatch: pytest.MonkeyPatch) -> Store:
    """No run of it counts as lost, however slow the machine is."""
    monkeypatch.setattr(job_rows, "LOST_AFTER_S", math.inf)
    return Store.open(home.store_url)


def add_run(store: Store, *settings: str, steps: int = 6, ended: bool = True) -> str:
    """A run whose reward is its step, by tenths."""
    config = load_preset("demo", ["max_steps=8", *settings])
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=8, accelerator=True)[0].id
    store.start(run_id)
    store.record(
        run_id,
        rollouts=[Rollout(1, 0, 0, "train-0", "a", {"correctness": 1.0}, 1.0, 0.5, 3, "stop")],
        scalars=[(step, {"reward": step / 10, "rewards/correctness/mean": step / 8}) for step in range(1, steps + 1)],
    )
    store.progress(run_id, steps, 8, "training")
    if ended:
        store.end(run_id, "finished", "done")
    return run_id


def queue_run(store: Store, seed: int) -> str:
    spec = load_preset("demo", [f"seed={seed}"]).model_dump(mode="json")
    return store.create_job("train", "demo", spec, total=8, accelerator=True)[0].id


@pytest.fixture
def three_runs(store: Store) -> list[str]:
    """demo-1 tagged, demo-2 archived, demo-3 plain."""
    ids = [add_run(store), add_run(store, "learning_rate=1e-4"), add_run(store, "seed=7", "beta=0.5", steps=3)]
    set_marks(store, ids[0], Marks(("baseline", "lr sweep"), "Keep for all comparisons."))
    set_marks(store, ids[1], Marks(("lr sweep",), archived=True))
    return ids


def open_list(*chosen: str, **address: str) -> AppTest:
    """The list with these runs chosen in it."""
    test = run_app("runs", **address)
    if chosen:
        test.session_state["runlist_marked"] = chosen
        test.run()
    assert not test.exception
    return test


def shown_ids(test: AppTest) -> list[str]:
    return [str(run_id) for run_id in test.main.dataframe[0].value["run"]]


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label == label).click().run()


def test_a_row_says_how_a_run_stands_and_what_is_kept_with_it(three_runs: list[str]) -> None:
    test = open_list(columns="status,progress,steps,took,tags,note,reward,learning_rate,rewards.integer")
    row = test.main.dataframe[0].value.iloc[-1]
    assert row["run"] == "demo-1"
    assert (row["learning_rate"], row["rewards.integer"]) == ("0.003", "1")
    assert list(row["status"]) == ["finished"]
    assert (row["progress"], row["steps"]) == (75.0, "6 of 8")
    assert row["took"].endswith(" s")
    assert list(row["tags"]) == ["baseline", "lr sweep"]
    assert row["note"] == "Keep for all comparisons."
    assert list(row["reward"]) == pytest.approx([step / 40 for step in range(1, 7)])  # shares of the highest total, 4
    assert "Choose a row" in words(test)


def test_archived_runs_are_listed_only_when_asked_for(three_runs: list[str]) -> None:
    assert shown_ids(open_list()) == ["demo-3", "demo-1"]
    assert "2 runs, 1 more" in words(open_list())
    assert shown_ids(open_list(archived="True")) == ["demo-3", "demo-2", "demo-1"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (RunFilter(search="demo-3"), ["demo-3"]),
        (RunFilter(search="COMPARISONS keep"), ["demo-1"]),
        (RunFilter(search="keep nothing"), []),
        (RunFilter(tags=("lr sweep",)), ["demo-1"]),
        (RunFilter(tags=("lr sweep",), archived=True), ["demo-2", "demo-1"]),
        (RunFilter(tags=("lr sweep", "baseline"), archived=True), ["demo-1"]),
        (RunFilter(statuses=("failed", "lost")), []),
        (RunFilter(statuses=("failed", "finished")), ["demo-3", "demo-1"]),
    ],
)
def test_runs_are_found_by_words_tags_and_status(
    three_runs: list[str], store: Store, asked: RunFilter, found: list[str]
) -> None:
    assert [run.id for run in find_runs(store, asked, page=1, size=10).runs] == found


def test_an_address_says_which_runs_are_listed(three_runs: list[str]) -> None:
    test = open_list(find="keep", tag="baseline", status="finished")
    assert shown_ids(test) == ["demo-1"]
    assert next(widget for widget in test.text_input if widget.label == "Search").value == "keep"
    assert test.query_params == {"find": "keep", "tag": "baseline", "status": "finished"}


def test_where_nothing_matches_one_button_brings_all_runs_back(three_runs: list[str]) -> None:
    test = open_list(find="nothing of the kind")
    assert "0 runs, 3 more" in words(test)
    assert shown_ids(press(test, "Show all runs")) == ["demo-3", "demo-2", "demo-1"]


def test_a_new_run_moves_the_rows_and_the_chosen_one_stays_chosen(three_runs: list[str], store: Store) -> None:
    test = open_list("demo-1")
    before = test.main.dataframe[0].proto
    assert '"rows": [1]' in before.selection_default
    add_run(store, "seed=9")
    test.run()
    after = test.main.dataframe[0].proto
    assert shown_ids(test) == ["demo-4", "demo-3", "demo-1"]
    assert '"rows": [2]' in after.selection_default
    assert after.id != before.id


def test_tags_and_a_note_are_kept_with_the_chosen_run(three_runs: list[str], store: Store) -> None:
    test = open_list("demo-3")
    tags = [widget for widget in test.multiselect if widget.label == "Tags"][-1]
    assert tags.options == ["baseline", "lr sweep"]
    tags.set_value(["baseline"])
    test.text_area[0].set_value("  Second try. ")
    press(test, "Save")
    assert marks_of(store, "demo-3") == Marks(("baseline",), "Second try.")


def test_an_archived_run_leaves_the_list_and_comes_back(three_runs: list[str], store: Store) -> None:
    test = press(open_list("demo-1"), "Archive")
    assert shown_ids(test) == ["demo-3"]
    assert marks_of(store, "demo-1").tags == ("baseline", "lr sweep")
    press(open_list("demo-1", archived="True"), "Unarchive")
    assert not marks_of(store, "demo-1").archived


def test_deleting_asks_says_what_goes_and_then_leaves_nothing(three_runs: list[str], store: Store, home: Home) -> None:
    home.job_folder("demo-1").mkdir()
    (home.job_folder("demo-1") / "log.txt").write_bytes(b"x" * 2_000_000)
    test = press(open_list("demo-1"), "Delete")
    assert "demo-1: 6 steps, 1 completion, 0 evaluations, 0 checkpoints; a folder of 1.91 MiB" in words(test).replace("*", "")
    assert len(store.jobs("train")) == 3
    press(test, "Delete 1 run")
    assert [run.id for run in store.jobs("train")] == ["demo-3", "demo-2"]
    assert not home.job_folder("demo-1").exists()


def test_an_active_run_cannot_be_deleted_from_the_list(store: Store) -> None:
    run_id = add_run(store, ended=False)
    test = open_list(run_id)
    assert [button.disabled for button in test.button if button.label == "Delete"] == [True]


def test_a_queue_is_in_order_and_says_what_each_waits_for(store: Store) -> None:
    assert queue_of(store.active_jobs()) == []
    running = add_run(store, ended=False)
    waiting = [queue_run(store, seed) for seed in (1, 2, 3)]
    queue = queue_of(store.active_jobs())
    assert [place.job.id for place in queue] == waiting
    assert [place.waits_for for place in queue] == [
        f"for {running}, step 6 of 8",
        f"for {running}, step 6 of 8, and 1 job before it",
        f"for {running}, step 6 of 8, and 2 jobs before it",
    ]
    store.end(running, "finished", "done")
    assert queue_of(store.active_jobs())[1].waits_for == f"for {waiting[0]}"


def test_a_queued_run_without_a_process_is_cancelled_at_once(store: Store) -> None:
    add_run(store, ended=False)
    run_id = queue_run(store, 1)
    test = press(open_list(), "Cancel")
    assert not test.exception
    assert (store.job(run_id).status, store.job(run_id).reason) == ("stopped", "taken out of the queue")
    assert "Cancel" not in [button.label for button in test.button]


def test_chosen_runs_are_compared_under_an_address_of_their_own(three_runs: list[str]) -> None:
    test = press(open_list("demo-1", "demo-3"), "Compare 2 runs")
    assert not test.exception
    assert test.query_params == {"runs": "demo-1,demo-3"}
    frames = [frame.value for frame in test.main.dataframe]
    (first,) = (frame for frame in frames if "setting" in frame)
    (second,) = (frame for frame in frames if "final" in frame)
    assert {"Settings that differ", "Final and best values", "Evaluations"} <= set(words(test).split("\n"))
    assert sorted(first["setting"]) == ["beta", "seed"]
    assert set(second["run"]) == {"demo-1", "demo-3"}
    assert press(test, "All runs").main.dataframe[0].value["run"].tolist() == ["demo-3", "demo-1"]


def test_a_shared_comparison_keeps_its_curves_smoothing_and_axis(three_runs: list[str], store: Store) -> None:
    items = [EvaluationItem("test-0", "72", {"correctness": 1.0, "soft_correctness": 1.0}, 3)]
    record_evaluation(store, "demo-1", "before", 0, "test", items)
    address = {"runs": "demo-1,demo-2", "curves": "correctness", "smooth": "0.6", "axis": "time"}
    test = run_app("runs", **address)
    assert not test.exception
    assert test.query_params == address
    said = words(test)
    assert "Faint lines are the values as measured" in said
    tables = [frame.value for frame in test.main.dataframe]
    assert {tuple(table["curve"].unique()) for table in tables if "curve" in table} == {("Hard correctness",)}
    evaluated = next(table for table in tables if "evaluation" in table)
    assert evaluated["Hard correctness"].tolist() == ["1.000 (0.207 to 1.000)"]


def test_a_run_whose_tokens_nobody_logged_is_left_out_over_tokens_and_said_so(three_runs: list[str], store: Store) -> None:
    store.record("demo-1", scalars=[(step, {"num_tokens": 100.0 * step}) for step in range(1, 7)])
    test = run_app("runs", runs="demo-1,demo-3", axis="tokens")
    assert not test.exception
    assert "demo-3: not drawn over tokens" in words(test)
    (values,) = (frame.value for frame in test.main.dataframe if "final" in frame.value)
    assert set(values["run"]) == {"demo-1"}


def test_a_run_that_is_gone_is_left_out_of_a_shared_comparison(three_runs: list[str]) -> None:
    test = run_app("runs", runs="demo-1,gone-9,demo-3")
    assert not test.exception
    assert "There is no run gone-9" in words(test)
    assert test.query_params == {"runs": "demo-1,demo-3"}


def test_runs_without_a_step_are_compared_without_curves(store: Store) -> None:
    ids = [queue_run(store, seed) for seed in (1, 2)]
    test = run_app("runs", runs=",".join(ids))
    assert not test.exception
    assert "None of these runs has taken a step yet" in words(test)
    assert "None of these runs has been evaluated" in words(test)


def evaluate(store: Store, run_id: str, label: str, step: int, right: int) -> None:
    items = [EvaluationItem(f"test-{place}", "", {"correctness": float(place < right)}, 3) for place in range(20)]
    record_evaluation(store, run_id, label, step, "test", items)


def test_the_list_says_what_runs_came_to_by_which_measure(three_runs: list[str], store: Store) -> None:
    evaluate(store, "demo-1", "before", 0, 5)
    evaluate(store, "demo-1", "after", 6, 15)
    table = open_list(columns="verifier,before,after,change,final reward").main.dataframe[0].value
    row = table.iloc[-1]
    assert row["verifier"] == "correctness"
    assert row["before"] == "0.250 (0.112 to 0.469)"
    assert row["after"] == "0.750 (0.531 to 0.888)"
    assert row["change"] == "0.500 (0.191 to 0.695)"
    assert row["final reward"] == "0.400"
    assert table["before"].tolist() == ["", row["before"]]


def test_a_name_stands_in_the_list_and_is_the_title_of_the_runs_page(three_runs: list[str], store: Store) -> None:
    test = open_list("demo-3")
    assert "id" not in test.main.dataframe[0].value
    next(widget for widget in test.text_input if widget.label == "Name").set_value("No *KL* [term]")
    test = press(test, "Save")
    assert marks_of(store, "demo-3").name == "No *KL* [term]"
    assert shown_ids(test) == ["No *KL* [term]", "demo-1"]
    assert test.main.dataframe[0].value["id"].tolist() == ["demo-3", "demo-1"]
    assert "No *KL* [term] (demo-3)" in words(test)
    page = run_app("runs", run="demo-3")
    assert page.title[0].value.replace("\\", "") == "No *KL* [term]"
    assert "demo-3" in [caption.value.replace("\\", "") for caption in page.caption]


def test_the_order_is_of_all_pages_and_in_the_address(store: Store) -> None:
    add_runs(store, 250, steps=1)
    test = open_list(sort="seed", rising="True")
    assert shown_ids(test)[:2] == ["demo-1", "demo-2"]
    assert test.query_params == {"sort": "seed", "rising": "True"}
    test = press(test, "Older")
    assert shown_ids(test)[0] == "demo-101"
    next(widget for widget in test.selectbox if widget.label == "Sort by").set_value("launched").run()
    assert test.query_params == {"rising": "True"}  # another order begins at its first page
    assert shown_ids(open_list(sort="nonsense", columns="nonsense,model"))[0] == "demo-250"


def test_a_pinned_baseline_stays_on_top_and_the_others_are_held_against_it(three_runs: list[str], store: Store) -> None:
    evaluate(store, "demo-1", "after", 6, 5)
    evaluate(store, "demo-3", "after", 3, 15)
    test = press(open_list("demo-1"), "Pin as baseline")
    table = test.main.dataframe[0].value
    assert table["run"].tolist() == ["demo-1", "demo-3"]
    assert test.query_params == {"baseline": "demo-1"}
    assert table["after, against baseline"].tolist() == ["baseline", "0.500 (0.191 to 0.695)"]
    assert table["reward, against baseline"].tolist() == ["", "−0.200"]
    assert table["differs in"].tolist() == ["", "beta, seed"]
    assert "after, against baseline" not in press(test, "Unpin").main.dataframe[0].value
    assert "after, against baseline" not in open_list(baseline="gone-1").main.dataframe[0].value


def test_runs_are_grouped_by_a_setting_with_means_over_seeds(store: Store) -> None:
    for rate, seed, steps in (("1e-4", 1, 6), ("1e-4", 2, 4), ("1e-5", 1, 2)):
        add_run(store, f"learning_rate={rate}", f"seed={seed}", steps=steps)
    test = open_list(group_by="learning_rate")
    groups = test.main.dataframe[0].value
    assert groups["learning_rate"].tolist() == ["1e-05", "0.0001"]
    assert groups[["runs", "seeds"]].to_numpy().tolist() == [[1, 1], [2, 2]]
    assert groups["final reward"].tolist() == ["0.150 (1 run)", "0.325 (-0.628 to 1.278)"]
    assert groups["which"].tolist() == ["demo-3", "demo-2, demo-1"]
    assert groups["differ also in"].tolist() == ["", ""]
    assert "By `learning_rate`: 2 values in 3 runs." in words(test).replace("*", "")


def test_of_many_runs_all_are_counted_paged_and_found(store: Store) -> None:
    add_runs(store, 1_300, steps=2)
    set_marks(store, "demo-1", Marks(("first try",)))
    test = open_list()
    assert "1,300 runs, 1 to 100 shown" in words(test)
    assert (len(shown_ids(test)), shown_ids(test)[0]) == (100, "demo-1300")
    test = press(test, "Oldest")
    assert "1,300 runs, 1,201 to 1,300 shown" in words(test)
    assert shown_ids(test)[-1] == "demo-1"
    assert test.query_params == {"page": "13"}
    assert shown_ids(press(test, "Newer"))[-1] == "demo-101"
    assert shown_ids(open_list(page="13"))[-1] == "demo-1"
    test = open_list(page="13", find="first")
    assert shown_ids(test) == ["demo-1"]
    assert "1 run, 1,299 more are filtered out" in words(test)
    assert shown_ids(open_list(tag="first try")) == ["demo-1"]


def test_another_search_begins_at_its_first_page(store: Store) -> None:
    add_runs(store, 300, steps=1)
    test = open_list(page="3")
    assert shown_ids(test)[-1] == "demo-1"
    next(widget for widget in test.text_input if widget.label == "Search").set_value("demo").run()
    assert shown_ids(test)[0] == "demo-300"
    assert test.query_params == {"find": "demo"}


def test_the_oldest_of_many_runs_is_compared(store: Store) -> None:
    add_runs(store, 1_100, steps=2)
    test = run_app("runs", runs="demo-1,demo-2,gone-1")
    assert not test.exception
    assert test.query_params == {"runs": "demo-1,demo-2"}
    said = words(test)
    assert "There is no run gone-1" in said
    assert "1,000 of 1,100 runs" in said
    assert {"Settings that differ", "Final and best values"} <= set(said.split("\n"))


def test_the_sidebar_shows_what_runs_and_how_many_more_wait(store: Store) -> None:
    running = add_run(store, ended=False)
    waiting = [queue_run(store, seed) for seed in range(1, 25)]
    test = run_app("insights")
    assert not test.exception
    links = [str(link.proto.label) for link in test.sidebar.get("page_link")]
    assert [link.partition(",")[0].replace("\\", "") for link in links] == [running, *waiting[:3]]
    assert "and 21 more queued" in [caption.value for caption in test.sidebar.caption]


def test_news_of_a_run_is_told_however_many_came_after(store: Store) -> None:
    running = add_run(store, ended=False)
    for seed in range(1, 25):
        queue_run(store, seed)
    test = run_app("insights")
    store.end(running, "failed", "no room")
    test.run()
    assert [toast.value for toast in test.toast if running in toast.value.replace("\\", "")]
