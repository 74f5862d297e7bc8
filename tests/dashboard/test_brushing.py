"""A selection on a run's map and on Explore: the curves of those problems alone; and two runs on one map. Without a browser."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analysis.outcomes import OF_TRAINING
from dashboard import data, map_data, theme
from dashboard.brushing_figures import clusters_figure, rewards_figure, selection_figure
from dashboard.keys import Keys
from dashboard.memory import RunMap, Selection
from tests.app_testing import run_app, words
from tests.dashboard.test_training_map import new_run, record_step
from training.groups import Rollout
from training.store import Store

pytestmark = pytest.mark.usefixtures("dashboard_home")


@pytest.fixture
def run_id(store: Store) -> str:
    run_id = new_run(store)
    for step in (1, 2, 3):
        record_step(store, run_id, step)
    return run_id


def row_of(number: int) -> int:
    """The demo's row of the problem that a step of that number meets."""
    return map_data.rows(data.problem_set("demo"))[data.problem_set("demo").of_split("train")[number].id]


def with_rows(test: AppTest, key: str, *numbers: int) -> AppTest:
    test.session_state[key] = tuple(map(row_of, numbers))
    return test.run()


def test_a_selection_on_a_run_s_map_compares_it_with_the_others(run_id: str) -> None:
    test = with_rows(run_app("runs", run=run_id, tab="Map"), RunMap.rows.key, 1, 2)
    assert not test.exception
    said = words(test)
    assert "Of **2 problems selected** training met 2 in 2 groups: pass rate 75%" in said
    assert "of the others 0%" in said
    assert "2 groups in these steps" in said


def test_a_selection_that_training_never_met_says_so(run_id: str) -> None:
    test = with_rows(run_app("runs", run=run_id, tab="Map"), RunMap.rows.key, 7)
    assert not test.exception
    assert "1 problem selected; training met none of them in these steps." in words(test)


def test_a_selection_is_cleared(run_id: str) -> None:
    test = with_rows(run_app("runs", run=run_id, tab="Map"), RunMap.rows.key, 1)
    next(button for button in test.button if button.label == "Clear selection").click().run()
    assert "Selected problems" not in words(test)


def test_each_cluster_that_training_met_has_its_curve(run_id: str) -> None:
    test = run_app("runs", run=run_id, tab="Map")
    assert not test.exception
    assert "those of which training met the most groups" in words(test)


def test_explore_shows_a_run_on_what_is_selected(run_id: str) -> None:
    test = run_app()
    test.session_state[Keys.SELECTION_TABS] = "In a run"
    test = with_rows(test, Selection.rows.key, 1, 3)
    assert not test.exception
    assert next(box for box in test.selectbox if box.label == "Run").value == run_id
    assert "Of **2 problems selected** training met 2 in 2 groups: pass rate 25%" in words(test)


def test_two_runs_are_on_the_map_with_a_paired_interval_for_the_selection(store: Store, run_id: str) -> None:
    other = new_run(store, seed="7")
    for step in (1, 2, 3):
        problem = data.problem_set("demo").of_split("train")[step]
        store.record(other, rollouts=[Rollout(step, 0, 0, problem.id, "x", {"correctness": 1.0}, 1.0, 0.0, 40, "stop")])
    test = run_app("runs", runs=f"{run_id},{other}")
    assert not test.exception
    assert "3 problems were met by both" in words(test)
    said = words(with_rows(test, RunMap.rows.key, 3))
    assert "Of the selected: 1 problem was met by both" in said
    assert "a difference of +100.0% (95% interval" in said
    assert "Both runs met none of the selected problems." in words(with_rows(test, RunMap.rows.key, 7))


def curve(*means: float) -> pd.DataFrame:
    """`over_steps` as it could be."""
    rows = [(n, n, float(n), 3, 2, mean, mean - 0.1, mean + 0.1) for n, mean in enumerate(means, start=1)]
    return pd.DataFrame(rows, columns=["first", "last", "step", "groups", "problems", "mean", "low", "high"])


def test_a_selection_stands_out_from_the_others_and_both_have_a_band() -> None:
    figure = selection_figure(curve(0.2, 0.6), curve(0.3, 0.4), OF_TRAINING["pass_rate"])
    lines = {trace.name: trace.line.color for trace in figure.data if trace.fill != "toself"}
    assert lines == {"others": theme.QUIET, "selected": theme.SELECTION}
    assert sum(trace.fill == "toself" for trace in figure.data) == 2


def test_rewards_are_drawn_as_shares_of_their_maximum_where_they_have_one() -> None:
    figure = rewards_figure({"Integer": curve(0.25), "Length": curve(12.0)}, {"Integer": 0.5, "Length": None})
    assert [trace.y[0] for trace in figure.data] == [0.5, 12.0]


def test_a_cluster_s_title_is_text() -> None:
    figure = clusters_figure({"<b>apples</b>": curve(0.5)}, curve(0.4), OF_TRAINING["pass_rate"])
    assert [note.text for note in figure.layout.annotations] == ["&lt;b&gt;apples&lt;/b&gt;"]
