"""A run of two stages: the second waits for the first and begins with its last checkpoint, or ends as that did."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tiny_runs import rewarding_length, run_to_the_end, tiny, tiny_sft
from training.backends import local
from training.backends.cluster import Submission
from training.backends.local import LocalBackend
from training.command_line import launching
from training.config import StageConfig
from training.errors import ConfigError, StoreError
from training.home import Home
from training.jobs import running
from training.preflight.sequence import check_sequence
from training.runs import launch, reconciling
from training.runs.deletion import delete_job
from training.store import Status, Store
from training.store.following import Leave, first_stages, leave_of

FIRST = tiny_sft(preset="demo-sft", max_steps=1, save_steps=1)
THEN = tiny(preset="demo", max_steps=1, save_steps=1)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs whose processes would have been started, in order."""
    jobs: list[str] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: jobs.append(job.id) or "")
    monkeypatch.setattr(running, "_POLL_S", 0.01)
    monkeypatch.setattr(local, "_POLL_S", 0.01)
    return jobs


@pytest.fixture
def both(store: Store, home: Home, submitted: list[str]) -> tuple[str, str]:
    return launch.launch_stages(store, home, FIRST, THEN)


@pytest.fixture
def length_is_rewarded() -> Iterator[None]:
    with rewarding_length():
        yield


def test_both_are_queued_and_the_second_names_the_firsts_last_checkpoint(
    both: tuple[str, str], store: Store, submitted: list[str]
) -> None:
    first, second = (store.job(job_id) for job_id in both)
    assert both == ("demo-sft-1", "demo-1")
    assert (first.kind, first.follows, first.spec["model"]) == ("sft", "", "demo")
    assert (second.kind, second.follows, second.spec["model"]) == ("train", first.id, "run:demo-sft-1@1")
    assert submitted == [first.id, second.id]
    assert leave_of(store, second) == Leave(waits=True)
    assert first_stages(store, [first, second]) == {second.id: first}


def test_launching_the_same_twice_queues_nothing_more(both: tuple[str, str], store: Store, home: Home) -> None:
    assert launch.launch_stages(store, home, FIRST, THEN) == both
    assert store.count_jobs() == 2


@pytest.mark.usefixtures("length_is_rewarded")
def test_the_second_waits_for_the_first_and_trains_what_it_leaves(both: tuple[str, str], store: Store, home: Home) -> None:
    """Their processes are threads here, and the second one's is there first."""
    outcome: list[Any] = []
    first, second = both

    def be_second() -> None:
        outcome.append(running.run_job(Store.open(home.store_url), home, second).reason)

    waiting = threading.Thread(target=be_second)
    signals = pytest.MonkeyPatch()
    signals.setattr("training.jobs.job_process.signal.signal", lambda *_: None)  # of the main thread alone
    try:
        waiting.start()
        waiting.join(0.5)
        assert store.job(second).status == "queued"
        running.run_job(store, home, first)
        waiting.join(60)
    finally:
        signals.undo()
    assert outcome == ["all 1 steps done"]
    assert {store.job(job_id).status for job_id in both} == {"finished"}
    assert (home.job_folder(second) / "base" / "model.safetensors").is_file()
    assert store.last_rollout_step(second) == 1


@pytest.mark.parametrize(
    ("became", "status", "reason"),
    [
        ("failed", "failed", "demo-sft-1, whose last checkpoint it was to begin with, failed (no room)."),
        ("stopped", "stopped", "stopped with demo-sft-1, whose last checkpoint it was to begin with"),
    ],
)
def test_the_second_ends_as_the_first_did(
    became: Status, status: Status, reason: str, both: tuple[str, str], store: Store, home: Home
) -> None:
    first, second = both
    store.end(first, became, "no room")
    if status == "failed":
        with pytest.raises(StoreError, match="Resume demo-sft-1, then this run"):
            running.run_job(store, home, second)
    else:
        running.run_job(store, home, second)
    ended = store.job(second)
    assert ended.status == status
    assert ended.reason.startswith(reason)


def test_a_first_that_is_lost_or_deleted_fails_the_second(both: tuple[str, str], store: Store, home: Home) -> None:
    first, second = both
    store.start(first)
    store.beat(first, worker="host:1", process="none|1|1")
    assert leave_of(store, store.job(second)).waits or store.job(first).status == "lost"
    store.end(first, "failed", "broken")
    store.withdraw(second)
    delete_job(store, home, first)
    leave = leave_of(store, store.job(second))
    assert (leave.end, leave.remedy) == ("failed", "Launch both again.")


def test_stopping_the_queued_first_stops_the_second_too(both: tuple[str, str], store: Store, home: Home) -> None:
    first, second = both
    launch.stop_run(store, home, first)
    running.run_job(store, home, second)
    assert [store.job(job_id).status for job_id in both] == ["stopped", "stopped"]


def test_the_second_can_be_resumed_once_the_first_is(
    both: tuple[str, str], store: Store, home: Home, submitted: list[str]
) -> None:
    first, second = both
    for job_id in both:
        launch.stop_run(store, home, job_id)
    with pytest.raises(StoreError, match="Resume demo-sft-1, then this run"):
        launch.resume_run(store, home, second)
    launch.resume_run(store, home, first)
    launch.resume_run(store, home, second)
    assert submitted == [first, second, first, second]
    assert leave_of(store, store.job(second)).waits


def test_what_a_waiting_run_begins_with_is_not_deleted(both: tuple[str, str], store: Store, home: Home) -> None:
    first, second = both
    store.end(first, "finished", "done")
    with pytest.raises(StoreError, match="demo-1 waits to begin with the last checkpoint of demo-sft-1"):
        delete_job(store, home, first)
    store.withdraw(second)
    delete_job(store, home, first)


def test_neither_is_queued_where_one_would_be_refused(store: Store, home: Home, submitted: list[str]) -> None:
    with pytest.raises(ConfigError, match="test problems"):
        launch.launch_stages(store, home, FIRST, THEN.model_copy(update={"evaluation_problems": 10**6}))
    assert store.count_jobs() == 0


@pytest.mark.parametrize(
    ("first", "then", "found"),
    [
        (FIRST, THEN, []),
        (tiny_sft(lora_rank=4), tiny(engine="unsloth"), [("error", "engine")]),
        (tiny_sft(lora_rank=4), tiny(load_in_4bit=True, lora_rank=4), [("error", "load_in_4bit")]),
        (tiny_sft(answer_form="boxed"), THEN, [("warning", "answer_form")]),
        (FIRST, tiny(chat_template="plain"), [("warning", "chat_template")]),
        (tiny_sft(chat_template="plain"), THEN, []),
    ],
)
def test_what_does_not_go_together_is_told(first: StageConfig, then: StageConfig, found: list[tuple[str, str]]) -> None:
    assert [(finding.severity, finding.about) for finding in check_sequence(first, then)] == found


def test_a_run_begins_with_a_fine_tuned_checkpoint(store: Store, home: Home, submitted: list[str]) -> None:
    run = run_to_the_end(store, home, tiny_sft(lora_rank=4, lora_targets=("q_proj",)))
    second = launch.launch_run(store, home, tiny(model=f"run:{run.id}"))
    assert store.job(second).spec["model"] == f"run:{run.id}@2"


class _Cluster:
    """A backend elsewhere that knows no job yet."""

    title, workers, artefacts, stop_grace_s = "Cluster", 1, "", 60.0

    def __init__(self) -> None:
        self.submitted: list[str] = []

    @property
    def cluster(self) -> "_Cluster":
        return self

    def machine(self) -> None:
        return None

    def submit(self, job: Any, command: Any) -> str:
        self.submitted.append(job.id)
        return ""

    def submission(self, job: Any) -> Submission | None:
        return None

    def without_secrets(self, text: str) -> str:
        return text


def test_on_a_cluster_the_second_is_submitted_when_the_first_has_finished(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold the GPU that the first one waits for."""
    cluster = _Cluster()
    for module in (launch, reconciling):
        monkeypatch.setattr(module, "backend_named", lambda name, home: cluster)
    monkeypatch.setattr(reconciling, "MISSING_FOR_S", -1.0)
    first, second = launch.launch_stages(store, home, FIRST, THEN, backend="cluster")
    store.start(first)
    store.beat(first, worker="node:1")
    reconciling.reconcile(store, home)
    assert cluster.submitted == [first]
    store.end(first, "finished", "done")
    reconciling.reconcile(store, home)
    assert cluster.submitted == [first, second]


def test_on_a_cluster_the_second_ends_as_the_first_did(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = _Cluster()
    for module in (launch, reconciling):
        monkeypatch.setattr(module, "backend_named", lambda name, home: cluster)
    first, second = launch.launch_stages(store, home, FIRST, THEN, backend="cluster")
    store.end(first, "failed", "no GPU")
    reconciling.reconcile(store, home)
    assert store.job(second).status == "failed"
    assert "failed (no GPU)" in store.job(second).reason
    assert cluster.submitted == [first]


def test_the_command_line_queues_both_and_says_their_ids(
    home: Home, submitted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    launching.launch_run("demo-sft", ["max_steps=3", "save_steps=3"], "demo", ["seed=7"])
    assert capsys.readouterr().out == "run_id: demo-sft-1\nthen: demo-1\n"
    second = Store.open(home.store_url).job("demo-1")
    assert (second.spec["seed"], second.spec["model"], second.follows) == (7, "run:demo-sft-1@3", "demo-sft-1")
    with pytest.raises(ConfigError, match="Add --then PRESET"):
        launching.launch_run("demo-sft", [], None, ["seed=7"])


def test_the_command_line_checks_both(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    launching.launch_run("demo-sft", [], "demo", ["answer_form=boxed"], dry_run=True)
    said = capsys.readouterr().out
    assert "steps of 32 solutions" in said
    assert "The second stage asks otherwise than the first one taught: answer_form differs." in " ".join(said.split())
