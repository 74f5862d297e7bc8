"""Jobs among thousands: counts are counts, lists are paged, and the oldest one is found."""

import json
from typing import Any

import pytest

from tests.many_runs import add_runs, tag
from training.__main__ import main
from training.backends.local import LocalBackend
from training.data.problems import load_problems
from training.errors import StoreError
from training.home import Home
from training.jobs.evaluate import evaluation_spec, measured_before
from training.preflight.expectation import expect
from training.presets import load_preset
from training.runs.deletion import check_deletable
from training.store import Store, schema
from training.store.job_search import RunFilter, find_runs, jobs_with, newest_run_ids, newest_with
from training.store.run_marks import Marks, set_marks

pytestmark = pytest.mark.both_databases

RUNS = 1200


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.store_url, lambda: 5000.0)


def use(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)


def oldest_is_special(number: int) -> dict[str, Any]:
    if number > 1:
        return {}
    spec = load_preset("demo").model_dump(mode="json") | {"model": "somebody/Größe-1B", "subset": "hard ones@2"}
    return {"spec": spec, "status": "failed", "reason": "no room"}


def found(store: Store, **asked: Any) -> list[str]:
    return [run.id for run in find_runs(store, RunFilter(**asked), page=1, size=10).runs]


def test_the_oldest_of_many_runs_is_found_by_whatever_is_known_of_it(store: Store) -> None:
    add_runs(store, RUNS, oldest_is_special, steps=1)
    set_marks(store, "demo-1", Marks(("first try",), "Keep: 100% of_all"))
    tag(store, {f"demo-{number}": ["other"] for number in range(2, RUNS + 1)})
    whole = find_runs(store, RunFilter(), page=1, size=10)
    assert (whole.matching, whole.total, len(whole.runs)) == (RUNS, RUNS, 10)
    assert whole.runs[0].id == f"demo-{RUNS}"
    for search in ("GRÖß", "größe", "Größe", "somebody/", "ones@2", "first", "KEEP", "100%", "of_all"):
        assert found(store, search=search) == ["demo-1"], search
    assert found(store, search="größe other") == []
    assert found(store, statuses=("failed",)) == ["demo-1"]
    assert found(store, tags=("first try",)) == ["demo-1"]
    assert found(store, tags=("FIRST TRY",)) == []
    assert found(store, search="demo-1", statuses=("failed", "lost")) == ["demo-1"]
    assert find_runs(store, RunFilter(tags=("other",)), page=1, size=10).matching == RUNS - 1
    assert find_runs(store, RunFilter(search="demo-1"), page=1, size=10).matching == 1 + 10 + 100 + 201


def test_pages_hold_each_run_once_and_a_page_too_far_is_the_last(store: Store) -> None:
    add_runs(store, 25, steps=1)
    pages = [find_runs(store, RunFilter(), page=page, size=10) for page in (1, 2, 3, 4, 1_000_000)]
    ids = [run.id for page in pages[:3] for run in page.runs]
    assert ids == [f"demo-{number}" for number in range(25, 0, -1)]
    assert [page.page for page in pages] == [1, 2, 3, 3, 3]
    assert find_runs(store, RunFilter(search="nothing"), page=3, size=10).page == 1


def test_archived_runs_are_counted_and_shown_when_asked_for(store: Store) -> None:
    add_runs(store, 3, steps=1)
    set_marks(store, "demo-2", Marks(archived=True))
    assert found(store) == ["demo-3", "demo-1"]
    assert find_runs(store, RunFilter(), page=1, size=10).total == 3
    assert found(store, archived=True) == ["demo-3", "demo-2", "demo-1"]


def test_a_status_is_what_a_run_is_in_truth(store: Store) -> None:
    """Its row says running until somebody has noticed that its process is gone."""
    states = {1: "running", 2: "queued", 3: "stopping", 4: "stopped"}
    alive = {"heartbeat_at": 4999.0, "ended_at": None}
    add_runs(store, 4, lambda number: {"status": states[number]} | (alive if number == 2 else {}), steps=1)
    assert found(store, statuses=("lost",)) == ["demo-3", "demo-1"]
    assert found(store, statuses=("running", "stopping")) == []
    assert found(store, statuses=("queued",)) == ["demo-2"]
    assert found(store, statuses=("stopped", "queued")) == ["demo-4", "demo-2"]


@pytest.mark.parametrize("text", ["\0", "\\u0000", "' OR 1=1 --", "%", "_", "\\", "/", "\ud800", '"', "x" * 10_000])
def test_odd_words_find_nothing_and_break_nothing(text: str, store: Store) -> None:
    add_runs(store, 2, lambda number: {"spec": {"preset": "a\0b", "model": "m"}} if number == 1 else {}, steps=1)
    assert found(store, search=text, tags=("x",)) == []
    assert found(store, search=f"{text}nowhere") == []
    assert found(store, search="demo-1") == ["demo-1"]
    assert list(jobs_with(store, ("train",), source=text)) == []


def test_active_jobs_are_found_however_many_came_after(store: Store, home: Home) -> None:
    alive = {"heartbeat_at": 4999.0, "ended_at": None, "started_at": 1.0}
    states: dict[int, dict[str, Any]] = {
        1: alive | {"status": "running", "accelerator": True},
        2: alive | {"status": "queued", "accelerator": True},
        3: alive | {"status": "running", "kind": "output", "spec": {"run": "demo-9"}},
        4: alive | {"status": "running", "backend": "cluster"},
    }
    add_runs(store, RUNS, lambda number: states.get(number, {}), steps=1)
    assert [job.id for job in store.active_jobs()] == ["demo-4", "demo-3", "demo-2", "demo-1"]
    assert [job.id for job in store.active_jobs(("output",))] == ["demo-3"]
    state = LocalBackend(home).state(store)
    assert (state.kind, state.running, state.waiting) == ("busy", ("demo-1",), ("demo-2",))
    with pytest.raises(StoreError, match="Something is being made"):
        check_deletable(store, home, store.job("demo-9"))


def test_what_was_measured_long_ago_is_not_measured_again(store: Store) -> None:
    problems = load_problems("demo")
    settings = {"split": "test", "fraction": 1.0, "temperature": 0, "samples": 1, "max_completion_length": 200}
    spec = evaluation_spec("demo", problems, **settings)
    made = {"kind": "evaluate", "name": "evaluate"}
    add_runs(
        store, 300, lambda n: made | {"spec": spec.model_dump() if n == 1 else spec.model_dump() | {"samples": n}}, steps=1
    )
    before = measured_before(store, spec)
    assert before is not None
    assert before.id == "demo-1"
    assert newest_with(store, "evaluate", spec.model_dump() | {"samples": 1.5}) is None
    assert newest_with(store, "build", spec.model_dump()) is None


def test_a_run_is_gone_by_whatever_its_age(store: Store) -> None:
    other = load_preset("demo").model_dump(mode="json") | {"model": "owner/other"}
    add_runs(store, 400, lambda number: {} if number <= 2 else {"spec": other}, steps=5)
    with store.writing() as connection:
        connection.execute(schema.scalars.update().values(name="step_time"))
    assert expect(load_preset("demo"), 100, store).basis == ("demo-2", "demo-1")
    assert newest_run_ids(store, 2) == ["demo-400", "demo-399"]


def test_list_says_how_many_there_are_and_shows_the_others_when_asked(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(home, monkeypatch)
    add_runs(store, 250, steps=1)

    def listed(*options: str) -> tuple[list[str], str]:
        assert main(["list", "--json", *options]) == 0
        printed = capsys.readouterr()
        return [run["run_id"] for run in json.loads(printed.out)], printed.err

    ids, told = listed()
    assert (len(ids), ids[0]) == (200, "demo-250")
    assert "200 of 250 runs" in told
    assert listed("--limit", "2") == (["demo-250", "demo-249"], told.replace("200 of", "2 of"))
    assert listed("--limit", "2", "--offset", "248")[0] == ["demo-2", "demo-1"]
    ids, told = listed("--all")
    assert (len(ids), ids[-1], told) == (250, "demo-1", "")
    assert main(["list", "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("3 of 250 runs")
    assert main(["list", "--offset", "1000"]) == 0
    assert capsys.readouterr().out.startswith("0 of 250 runs")


@pytest.mark.parametrize(
    "options", [["--limit", "0"], ["--limit", "-1"], ["--offset", "-1"], ["--limit", "x"], ["--all", "--limit", "3"]]
)
def test_list_takes_no_other_numbers(options: list[str]) -> None:
    assert main(["list", *options]) == 2
