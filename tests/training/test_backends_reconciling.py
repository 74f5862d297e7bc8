"""A run that its cluster sees otherwise than the store: never shown as failed while it lives, never as running when dead."""

from collections.abc import Callable

import pytest

from tests.cluster_fakes import FakeCluster, fake_backend
from tests.fakes import Clock
from training.backends.cluster import START_TIMEOUT
from training.backends.ray import RayBackend
from training.errors import StoreError
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.train.job import TRAIN
from training.presets import load_preset
from training.runs import launch, reconciling
from training.runs.launch import launch_job, resume_run, stop_run
from training.runs.reconciling import MISSING_FOR_S, Waits, reconcile
from training.store import Job, Store

HEAD_OUT = "http://head:8265 cannot be reached (connection refused)."


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Store:
    return Store.open(home.store_url, clock=clock)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture(autouse=True)
def backend(cluster: FakeCluster, home: Home, monkeypatch: pytest.MonkeyPatch) -> RayBackend:
    """`a100`, wherever a backend is asked for by name."""
    made = fake_backend(cluster, home, {"HF_TOKEN": "hf_hunter2"}, secrets=("HF_TOKEN",), stop_grace_s=30)
    monkeypatch.setattr(launch, "backend_named", lambda name, home: made)
    monkeypatch.setattr(reconciling, "backend_named", lambda name, home: made)
    return made


@pytest.fixture
def job(store: Store, home: Home, backend: RayBackend) -> Job:
    """Submitted, and waiting for its turn."""
    return store.job(submit(store, home))


def submit(store: Store, home: Home, name: str = "demo") -> str:
    return launch_job(store, home, TRAIN, load_preset("demo", [f"preset={name}"]), name=name, backend="a100")


def come_up(store: Store, job: Job) -> None:
    store.beat(job.id, worker="node:7")
    store.start(job.id)


def test_a_run_that_waits_on_a_cluster_for_a_day_is_queued(store: Store, home: Home, clock: Clock, job: Job) -> None:
    clock.now += 86_400
    reconcile(store, home)
    assert store.job(job.id).status == "queued"
    assert [waiting.id for waiting in store.queue("a100")] == [job.id]


def test_a_job_that_failed_before_it_could_say_so_fails_with_the_end_of_its_log(
    store: Store, home: Home, cluster: FakeCluster, job: Job
) -> None:
    cluster.becomes("demo-1", "FAILED", "runtime_env setup failed: no space left\nTraceback")
    cluster.log = "pip install\nerror: hf_hunter2 refused\n\n"
    reconcile(store, home)
    ended = store.job(job.id)
    assert ended.status == "failed"
    why, log = "Its job on One A100 failed: runtime_env setup failed: no space left", "pip install / error: <HF_TOKEN> refused"
    assert ended.reason == f"{why}. Its log ends: {log}"


def test_a_run_whose_heart_beats_is_running_whatever_its_cluster_says(
    store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job
) -> None:
    come_up(store, job)
    for change in (lambda: cluster.becomes("demo-1", "FAILED", "its supervisor died"), cluster.restart):
        change()
        reconcile(store, home)
        assert store.job(job.id).status == "running"
        clock.now += 5
        store.beat(job.id)


def test_a_run_that_was_killed_is_failed_once_its_heart_is_silent(
    store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job
) -> None:
    come_up(store, job)
    cluster.becomes("demo-1", "FAILED", "Job entrypoint command failed with exit code 137, last available logs (truncated):\nx")
    clock.now += 30
    assert store.job(job.id).status == "lost"
    reconcile(store, home)
    assert store.job(job.id).status == "failed"
    assert "failed with exit code 137" in store.job(job.id).reason


def test_a_restarted_head_is_named_as_what_ended_the_run(
    store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job
) -> None:
    come_up(store, job)
    cluster.restart()
    clock.now += 30
    reconcile(store, home)
    ended = store.job(job.id)
    assert (ended.status, "its head was restarted" in ended.reason) == ("failed", True)
    assert resume_run(store, home, job.id) == job.id
    assert list(cluster.known) == ["demo-1-2"]


def test_a_run_that_a_new_head_does_not_know_is_submitted_again(
    store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job
) -> None:
    cluster.restart()
    reconcile(store, home)
    assert list(cluster.known) == []  # its first submission may still be under way
    clock.now += MISSING_FOR_S + 1
    reconcile(store, home)
    reconcile(store, home)
    assert list(cluster.known) == ["demo-1"]
    assert store.job(job.id).status == "queued"


def test_a_run_that_waited_longer_than_ray_allows_is_submitted_again(
    store: Store, home: Home, cluster: FakeCluster, job: Job
) -> None:
    cluster.becomes("demo-1", "FAILED", "Job supervisor actor failed to start within 900 s.", START_TIMEOUT)
    reconcile(store, home)
    assert store.job(job.id).status == "queued"
    assert cluster.known["demo-1-2"].status == "PENDING"


def test_an_unreachable_head_is_told_since_when_and_asked_ever_more_rarely(
    store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job
) -> None:
    cluster.away_for = 3
    asked_at = Waits(clock)
    reconcile(store, home, asked_at)
    first = store.job(job.id)
    assert first.status == "queued"
    assert first.message == f"One A100 is unreachable since 1970-01-01 00:16 UTC: {HEAD_OUT}"
    for pause_s, away_for in ((9, 2), (2, 1), (19, 1), (2, 0)):
        clock.now += pause_s
        reconcile(store, home, asked_at)
        assert cluster.away_for == away_for
        assert store.job(job.id).message == first.message
    clock.now += 41
    reconcile(store, home, asked_at)
    assert store.job(job.id).message == ""


def test_no_run_is_ended_by_an_unreachable_head(store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job) -> None:
    come_up(store, job)
    cluster.away_for = 2
    reconcile(store, home)
    assert store.job(job.id).status == "running"
    clock.now += 30
    reconcile(store, home)
    assert store.job(job.id).status == "lost"


def test_a_run_that_does_not_stop_is_ended_after_a_while(
    store: Store, home: Home, cluster: FakeCluster, clock: Clock, job: Job
) -> None:
    come_up(store, job)
    cluster.becomes("demo-1", "RUNNING")
    stop_run(store, home, job.id)
    for pause_s, ended in ((29, []), (2, ["demo-1"])):
        clock.now += pause_s
        store.beat(job.id)
        reconcile(store, home)
        assert cluster.ended == ended
    cluster.becomes("demo-1", "STOPPED")
    clock.now += 30
    reconcile(store, home)
    assert (store.job(job.id).status, store.job(job.id).reason) == ("stopped", "ended by force through One A100")


def test_a_run_that_is_taken_out_of_the_queue_leaves_the_clusters_too(
    store: Store, home: Home, cluster: FakeCluster, job: Job
) -> None:
    assert "taken out of the queue" in stop_run(store, home, job.id)
    assert cluster.ended == ["demo-1"]


def test_the_process_of_an_attempt_that_was_given_up_does_not_run(
    store: Store, home: Home, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_run(store, home, job.id)
    resume_run(store, home, job.id)
    monkeypatch.setenv("GRPO_ATLAS_ATTEMPT", "1")
    with pytest.raises(StoreError, match="attempt 1 of demo-1, which was queued again"), job_process(store, job.id):
        raise AssertionError("it ran")
    assert store.job(job.id).status == "queued"


@pytest.mark.parametrize("change", [Store.beat, Store.start, lambda store, job_id: store.end(job_id, "stopped", "on request")])
def test_what_moved_since_it_was_seen_is_not_ended(
    change: Callable[[Store, str], None], store: Store, clock: Clock, job: Job
) -> None:
    clock.now += 1
    change(store, job.id)
    before = store.job(job.id)
    assert store.conclude(job, "failed", "as somebody saw it") is False
    assert store.queue_anew(job) is None
    store.note_unreachable(job, clock.now, "waits")
    assert store.job(job.id) == before


def test_no_cluster_is_asked_where_no_run_is_on_one(store: Store, home: Home, cluster: FakeCluster) -> None:
    store.create_job("train", "here", {})
    cluster.away_for = 1
    reconcile(store, home)
    assert cluster.away_for == 1
