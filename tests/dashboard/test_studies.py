"""Studies on the pages, without a browser: launched from the form, listed, read, stopped, widened; their figures and tables."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.study_figures import NAMED_ARMS, cost_figure, effect_figure
from dashboard.study_tables import arm_table, arms_met, run_rows
from tests.app_testing import follow, run_app, words
from tests.study_runs import add_study, ranks_and_losses
from training.backends.local import LocalBackend
from training.home import Home
from training.store import Store
from training.studies.launching import study_on_record
from training.studies.members import members_of
from training.studies.results import StudyResult, results_of

pytestmark = pytest.mark.usefixtures("dashboard_home")

VARY = "lora_rank = 2, 8\nloss_type = grpo, dapo"


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    jobs: list[str] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: jobs.append(job.id) or "")
    return jobs


@pytest.fixture
def finished(store: Store, home: Home) -> str:
    return add_study(store, home, ranks_and_losses())


def results(store: Store, study_id: str) -> StudyResult:
    _, spec = study_on_record(store, study_id)
    return results_of(store, spec, members_of(store, study_id, spec))


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label.replace("\\", "") == label).click().run()


def test_the_form_launches_a_study_and_leads_to_it(store: Store, submitted: list[str]) -> None:
    test = run_app("launch", vary=VARY, seeds="2")
    assert not test.exception
    assert "8 runs: 4 arms × 2 seeds" in words(test)
    test = follow(press(test, "Launch the study"))
    assert submitted == ["study-1"]
    assert test.query_params["study"] == "study-1"
    assert "What the settings do is shown here once runs have finished" in words(test)
    _, spec = study_on_record(store, "study-1")
    assert (spec.seeds, dict(spec.vary)) == ((42, 43), {"lora_rank": (2, 8), "loss_type": ("grpo", "dapo")})


def test_a_ready_study_fills_the_form() -> None:
    test = run_app("launch")
    next(box for box in test.selectbox if box.label == "Begin with").set_value("sft-first").run()
    assert not test.exception
    assert (test.query_params["preset"], test.query_params["vary"]) == ("demo-raw", "first = , demo-sft")
    assert "6 runs: 2 arms × 3 seeds" in words(test)


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ("lora_ranks = 2, 8", "lora_ranks"),
        ("lora_rank", "is not an assignment"),
        ("lora_rank = 2, 2", "a value twice"),
        ("model = demo, /etc", "/etc"),
    ],
)
def test_what_cannot_be_varied_is_told_in_place(vary: str, told: str) -> None:
    test = run_app("launch", vary=vary)
    assert not test.exception
    assert told in words(test)
    assert next(button for button in test.button if button.key == "launch").disabled


def test_a_second_run_and_a_study_do_not_go_together() -> None:
    test = run_app("launch", vary=VARY, then="demo")
    assert "A study has no second run" in words(test)


def test_the_list_of_runs_has_the_studies_above_it(finished: str) -> None:
    test = run_app("runs")
    assert not test.exception
    table = test.main.dataframe[0].value
    assert table["study"].tolist() == [finished]
    assert table["varies"].tolist() == ["lora_rank 2, 8; loss_type grpo, dapo; 3 seeds"]
    assert table["progress"].tolist() == [100.0]


def test_a_studys_page_answers_first_and_names_its_runs(finished: str) -> None:
    test = run_app("runs", study=finished)
    assert not test.exception
    said = words(test)
    assert "lora_rank 8 instead of 2." in said
    assert "More than chance" in said
    assert "12 of 12 runs finished" in [bar.proto.text for bar in test.get("progress")]
    runs = test.main.dataframe[-1].value
    assert runs["run"].tolist() == [f"{finished}-{number}" for number in range(1, 13)]
    assert test.query_params["arm"] == "lora_rank 2, loss_type grpo"


def test_a_study_that_was_stopped_goes_on_from_its_page(store: Store, home: Home, submitted: list[str]) -> None:
    study_id = add_study(store, home, ranks_and_losses(), finished=5)
    press(run_app("runs", study=study_id), "Resume")
    assert submitted == [study_id]
    assert store.job(study_id).status == "queued"


def test_seeds_are_added_on_its_page(finished: str, store: Store, submitted: list[str]) -> None:
    press(run_app("runs", study=finished), "Add them")
    _, spec = study_on_record(store, finished)
    assert spec.seeds == (42, 43, 44, 45)
    assert submitted == [finished]


def test_a_link_to_a_study_is_followed_from_one_of_its_runs(finished: str) -> None:
    test = run_app("runs", run=f"{finished}-1")
    assert test.title[0].value.replace("\\", "") == f"{finished}-1"
    for name in list(test.query_params):
        del test.query_params[name]
    test.query_params["study"] = finished
    test.run()
    assert not test.exception
    assert test.title[0].value.replace("\\", "") == finished


def test_a_study_of_another_version_is_told_and_listed(store: Store) -> None:
    store.create_job("study", "study", {"arms": "of a later version"})
    assert run_app("runs").main.dataframe[0].value["varies"].tolist() == [""]
    assert "cannot be read" in words(run_app("runs", study="study-1"))


def test_problems_that_were_not_fetched_are_told_before_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.data.needs_fetch", lambda source: True)
    assert "have not been fetched yet" in words(run_app("launch", vary=VARY))


def test_what_is_no_study_is_said(store: Store) -> None:
    test = run_app("runs", study="nothing-1")
    assert not test.exception
    assert "nothing-1" in words(test)


def test_each_arm_has_a_row_with_its_interval(finished: str, store: Store) -> None:
    table = arm_table(results(store, finished).arms)
    assert table["lora_rank"].tolist() == ["2", "2", "8", "8"]
    assert table["runs"].tolist() == [3, 3, 3, 3]
    assert " to " in table["after"][0]


def test_each_run_has_a_row(finished: str, store: Store) -> None:
    _, spec = study_on_record(store, finished)
    table = run_rows(members_of(store, finished, spec))
    assert table["seed"].tolist() == [42] * 4 + [43] * 4 + [44] * 4
    assert table["status"].tolist() == [["finished"]] * 12


def test_two_arms_are_held_against_each_other_problem_by_problem(finished: str, store: Store) -> None:
    first, *_, last = results(store, finished).arms
    met = arms_met(first, last)
    assert len(met) == 100
    assert met["change"].mean() == pytest.approx(last.after.value - first.after.value)


def test_the_effects_figure_has_a_point_with_its_interval_for_each(finished: str, store: Store) -> None:
    effects = results(store, finished).effects
    [points] = effect_figure(effects).data
    assert list(points.y) == ["loss_type dapo instead of grpo", "lora_rank 8 instead of 2"], "the first is on top"
    assert list(points.marker.symbol) == ["circle" if effect.is_more_than_chance else "circle-open" for effect in effects[::-1]]
    assert points.error_x.array[1] == pytest.approx(effects[0].interval[1] - effects[0].difference)


def test_an_effect_of_one_seed_has_a_point_and_no_interval(store: Store, home: Home) -> None:
    study_id = add_study(store, home, ranks_and_losses(seeds=1))
    [points] = effect_figure(results(store, study_id).effects).data
    assert list(points.error_x.array) == [None, None]
    assert list(points.marker.symbol) == ["circle-open", "circle-open"]


def test_the_cost_figure_has_a_point_for_each_arm(finished: str, store: Store) -> None:
    arms = results(store, finished).arms
    figure = cost_figure(arms)
    assert [trace.name for trace in figure.data] == [arm.arm.label for arm in arms]
    assert json.loads(figure.to_json())["layout"]["yaxis"]["title"]["text"] == "share right after"
    many = cost_figure(arms * NAMED_ARMS)
    assert sum(trace.showlegend for trace in many.data) == NAMED_ARMS, "a legend of all would leave no room for the figure"
