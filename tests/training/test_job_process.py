"""A job's process and the local backend, with real processes and a real store."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.own_kinds.kinds import CODE, CodeSpec
from training.backends import local
from training.backends.registry import backend_named
from training.errors import (
    AtlasError,
    BackendError,
    DiskError,
    HomeError,
    SourceError,
    StoreError,
    StoreFailedError,
)
from training.home import Home
from training.jobs.job_process import JobProcess, StopRequested, _beat, job_process
from training.processes import identify, state_of
from training.runs.launch import launch_job, resume_run
from training.store import HEARTBEAT_S, Job, Store, schema

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("own_kinds")]

HELP = CodeSpec(code="import platform; print(platform.platform(), flush=True)")


def queued(store: Store, name: str = "demo") -> Job:
    return store.create_job("train", name, {"name": name}, accelerator=True)[0]


def wait_for(store: Store, job_id: str, *statuses: str) -> Job:
    for _ in range(6000):
        job = store.job(job_id)
        if job.status in statuses:
            return job
        time.sleep(0.1)
    raise AssertionError(f"{job_id} is still {job.status}: {job.message}")


def test_a_job_that_returns_is_finished_and_known_by_its_process(store: Store) -> None:
    job = queued(store)
    with job_process(store, job.id) as process:
        process.begin()
        assert store.job(job.id).status == "running"
        assert store.job(job.id).worker.endswith(f":{os.getpid()}")
        process.reason = "all done"
    assert (store.job(job.id).status, store.job(job.id).reason) == ("finished", "all done")


def test_a_job_that_ended_is_not_run_again(store: Store) -> None:
    job = queued(store)
    store.end(job.id, "finished", "all done")
    with pytest.raises(StoreError, match="is finished and waits for no process"), job_process(store, job.id):
        raise AssertionError("it ran")
    assert store.job(job.id).reason == "all done"


def test_an_expected_error_becomes_the_reason(store: Store) -> None:
    job = queued(store)
    with pytest.raises(SourceError), job_process(store, job.id):
        raise SourceError("There is no source 'x'.", "Use demo.")
    assert (store.job(job.id).status, store.job(job.id).reason) == ("failed", "There is no source 'x'. Use demo.")


def test_a_crash_becomes_the_reason_and_its_traceback_goes_to_the_log(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    job = queued(store)
    with pytest.raises(AtlasError, match="ZeroDivisionError"), job_process(store, job.id):
        _ = 1 / 0
    assert store.job(job.id).reason == "ZeroDivisionError: division by zero"
    assert "Traceback" in capfd.readouterr().err


def test_a_stop_request_ends_the_job_as_stopped(store: Store) -> None:
    job = queued(store)
    with job_process(store, job.id) as process:
        process.begin()
        store.request_stop(job.id)
        process.check_stop()
        raise AssertionError("the job went on")
    assert store.job(job.id).status == "stopped"


def test_a_termination_signal_counts_as_a_stop_request(store: Store) -> None:
    job = queued(store)
    with job_process(store, job.id) as process:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StopRequested):
            process.check_stop()


def test_a_job_that_is_killed_counts_as_lost_within_30_s_and_no_sooner_than_it_misses_beats(home: Home) -> None:
    now = 1000.0
    store = Store.open(home.store_url, clock=lambda: now)
    job = queued(store)
    store.start(job.id)
    now += 3 * HEARTBEAT_S
    assert store.job(job.id).status == "running"
    now = 1030.0
    assert store.job(job.id).status == "lost"


def test_a_heart_goes_on_beating_after_the_store_failed_once(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    class Beats:
        """Ends the heart after two beats."""

        waits = 0

        def wait(self, seconds: float) -> bool:
            self.waits += 1
            return self.waits > 2

    beaten: list[str] = []

    class FailsOnce:
        def beat(self, job_id: str) -> None:
            beaten.append(job_id)
            if len(beaten) == 1:
                raise StoreFailedError("The run store has no room.", "Free some.")

    _beat(FailsOnce(), "demo-1", Beats())  # type: ignore[arg-type]
    assert beaten == ["demo-1", "demo-1"]
    assert "a heartbeat of demo-1 did not reach the run store: The run store has no room." in capsys.readouterr().err


class FailingStore(Store):
    """Takes nothing of a job but its heartbeats and its end once it `fails`."""

    fails = False

    def _fail(self) -> None:
        if self.fails:
            raise StoreFailedError("The run store has no room.", "Free some.")

    def progress(self, *args: Any) -> None:
        self._fail()
        super().progress(*args)

    def stop_requested(self, job_id: str) -> bool:
        self._fail()
        return super().stop_requested(job_id)


@pytest.mark.parametrize(
    "ask",
    [
        lambda process: process.progress(1, 2, "working"),
        lambda process: process.stop_requested(),
        lambda process: process.patiently(lambda: process.store.progress(process.job.id, 1, 2, "working")),
    ],
)
def test_a_job_whose_store_fails_stops_at_its_next_chance_and_has_failed_with_the_stores_reason(
    home: Home, ask: Callable[[JobProcess], object]
) -> None:
    store = FailingStore.open(home.store_url)
    job = queued(store)

    def work() -> None:
        with job_process(store, job.id) as process:
            store.fails = True  # type: ignore[attr-defined]
            ask(process)
            process.check_stop()
            raise AssertionError("the job went on")

    with pytest.raises(StoreFailedError, match="no room"):
        work()
    assert (store.job(job.id).status, "no room" in store.job(job.id).reason) == ("failed", True)


def test_what_a_disk_refuses_a_job_becomes_the_reason_with_the_file_and_what_to_do(store: Store) -> None:
    job = queued(store)
    with pytest.raises(DiskError), job_process(store, job.id):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/file")
    reason = store.job(job.id).reason
    assert reason == "/somewhere/file cannot be used (No space left on device). Free some space there."


def test_a_new_job_takes_no_folder_that_is_there_though_the_store_does_not_know_it(store: Store, home: Home) -> None:
    (home.runs / "Help-7").mkdir()
    job_id = launch_job(store, home, CODE, HELP, name="help")
    assert job_id == "help-8"


def test_nothing_is_queued_where_the_home_cannot_be_written(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Home, "why_unwritable", lambda home: "No space left on device")
    with pytest.raises(HomeError, match="No space left"):
        launch_job(store, home, CODE, HELP, name="help")
    assert store.jobs() == []


def test_an_end_that_the_store_cannot_take_is_an_error_with_the_reason(store: Store) -> None:
    job = queued(store)
    said = r"demo-1 finished \(done\), and the run store could not take that \(.*requests"
    with pytest.raises(StoreError, match=said), job_process(store, job.id), store.writing() as connection:
        schema.requests.drop(connection)


def test_a_submitted_job_runs_detached_and_its_output_is_the_log(store: Store, home: Home) -> None:
    job_id = launch_job(store, home, CODE, HELP, name="help")
    backend = backend_named("local", home)
    for _ in range(6000):
        if backend.logs(store.job(job_id)):
            break
        time.sleep(0.1)
    assert "Linux" in backend.logs(store.job(job_id)) or "macOS" in backend.logs(store.job(job_id))


def test_a_job_inherits_the_environment_but_not_what_lets_people_act(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", "sixteen-letters-of-it")
    monkeypatch.setenv("HF_TOKEN", "for-the-hub")
    code = CodeSpec(code="import os; print(os.environ.get('HF_TOKEN'), 'GRPO_ATLAS_TOKEN' in os.environ, flush=True)")
    job_id = launch_job(store, home, CODE, code)
    backend = backend_named("local", home)
    for _ in range(6000):
        if "for-the-hub" in (log := backend.logs(store.job(job_id))):
            break
        time.sleep(0.1)
    assert "for-the-hub False" in log


def test_a_folder_that_cannot_be_written_fails_the_job_with_the_remedy(store: Store, home: Home) -> None:
    home.runs.rmdir()
    home.runs.write_text("in the way")
    with pytest.raises(BackendError, match="can be written"):
        launch_job(store, home, CODE, HELP, name="help")
    assert store.job("help-1").status == "failed"


def test_an_unknown_backend_lists_the_known_ones(home: Home) -> None:
    with pytest.raises(BackendError, match="Use one of local"):
        backend_named("moon", home)


def test_the_accelerator_is_given_in_submission_order(store: Store, home: Home) -> None:
    first, second = queued(store, "first"), queued(store, "second")

    def give_up() -> None:
        raise StopRequested

    with pytest.raises(StopRequested), local.accelerator(home, store, second, give_up):
        raise AssertionError("overtook the first")
    with local.accelerator(home, store, first, give_up):
        store.start(first.id)
        with pytest.raises(StopRequested), local.accelerator(home, store, second, give_up):
            raise AssertionError("two at once")
    store.end(first.id, "finished", "done")
    with local.accelerator(home, store, second, give_up):
        pass


def test_the_accelerator_is_free_when_its_job_is_gone_though_a_process_that_it_forked_lives(store: Store, home: Home) -> None:
    def give_up() -> None:
        raise StopRequested

    job = queued(store)
    with local.accelerator(home, store, job, give_up):
        forked = os.fork()
        if not forked:
            time.sleep(3600)
            os._exit(0)
    try:
        with local.accelerator(home, store, job, give_up):
            pass
    finally:
        os.kill(forked, signal.SIGKILL)
        os.waitpid(forked, 0)


def test_a_job_whose_process_lives_lives_however_long_its_heart_was_silent(store: Store, home: Home) -> None:
    job = queued(store)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        store.beat(job.id, worker="here", process=identify(process.pid))
        a_day_later = Store.open(home.store_url, clock=lambda: time.time() + 86_400)
        assert a_day_later.job(job.id).status == "queued"
        assert local.LocalBackend(home).status(store.job(job.id)) == "alive"
        with pytest.raises(StoreError, match="cannot be resumed"):
            resume_run(a_day_later, home, job.id)
        with pytest.raises(StoreError, match="has a process already"), job_process(store, job.id):
            raise AssertionError("it ran twice")
        process.communicate(b"\n")
    assert local.LocalBackend(home).status(store.job(job.id)) == "gone"
    assert store.job(job.id).status == "lost"


def test_a_job_whose_process_is_gone_is_lost_at_once_though_its_number_was_given_again(store: Store) -> None:
    job = queued(store)
    host, boot, pid, start = identify(os.getpid()).split("|")
    store.beat(job.id, worker="here", process="|".join((host, boot, pid, str(int(start) - 1))))
    assert (store.job(job.id).status, store.job(job.id).reason) == ("lost", "its process is gone")


def test_the_process_of_a_submitted_job_is_known_before_it_comes_up(store: Store, home: Home) -> None:
    job_id = launch_job(store, home, CODE, CodeSpec(code="import time; time.sleep(3600)"))
    process = store.job(job_id).process
    assert (state_of(process), store.job(job_id).worker) == ("alive", "")
    os.kill(int(process.split("|")[2]), signal.SIGKILL)
    assert store.requeue(wait_for(store, job_id, "lost").id).process == ""


def test_a_library_that_exits_fails_the_job_with_a_reason(store: Store) -> None:
    job = queued(store)
    with pytest.raises(AtlasError, match="SystemExit: 3"), job_process(store, job.id):
        sys.exit(3)
    assert (store.job(job.id).status, store.job(job.id).reason) == ("failed", "SystemExit: 3")
