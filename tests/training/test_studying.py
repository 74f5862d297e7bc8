"""Studies at work: launched, stopped, gone on with after a kill, widened, read; with runs that end at once, and real ones."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes import record_evaluation
from tests.tiny_runs import tiny
from training.backends.local import LocalBackend
from training.errors import ConfigError, StudyError
from training.home import Home
from training.jobs.running import run_job
from training.runs.launch import resume_run, stop_run
from training.store import Job, Store
from training.store.evaluations import EvaluationItem
from training.studies import conducting
from training.studies.conducting import STUDY
from training.studies.launching import add_seeds, check_study, launch_study, study_of, study_on_record
from training.studies.members import members_of
from training.studies.plan import Search, StudySpec, parse_ranges
from training.studies.results import results_of

BASE = tiny(preset="demo", seed=1, evaluation_problems=4, max_steps=1, save_steps=1)
End = Callable[[Store, Job], None]


def finish(store: Store, job: Job) -> None:
    """As a run that learns more the higher its rank: of four problems rank 2 gets one right, rank 8 three."""
    right = {2: 1, 8: 3}.get(job.spec["lora_rank"], 2)
    items = [EvaluationItem(f"p{place}", "", {"correctness": float(place < right)}, 3) for place in range(4)]
    record_evaluation(store, job.id, "after", 1, "test", items)
    store.end(job.id, "finished", "done")


class Runs:
    """What is done in place of starting a run's process; the study's own is the test's."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.started: list[str] = []
        self.end: End = finish

    def submit(self, _backend: object, job: Job, _command: list[str]) -> str:
        if job.kind != STUDY.kind:
            self.started.append(job.id)
            self.end(self.store, job)
        return ""


@pytest.fixture
def runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    found = Runs(store)
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: found.submit(self, job, command))
    monkeypatch.setattr(conducting, "_POLL_S", 0.001)
    return found


def two_ranks(seeds: int = 2, **more: Any) -> StudySpec:
    return study_of(BASE, {"lora_rank": (2, 8)}, seeds, **more)


def told(store: Store, study_id: str) -> list[tuple[str, int, str]]:
    """(arm, seed, status) of each run, in the order of their launch."""
    _, spec = study_on_record(store, study_id)
    return [(member.arm.label, member.seed, member.run.status) for member in members_of(store, study_id, spec)]


def test_all_runs_are_launched_one_after_another_and_belong_to_the_study(store: Store, home: Home, runs: Runs) -> None:
    study_id = launch_study(store, home, two_ranks(), "ranks")
    assert study_id == "ranks-1"
    run_job(store, home, study_id)
    assert runs.started == ["ranks-1-1", "ranks-1-2", "ranks-1-3", "ranks-1-4"]
    assert told(store, study_id) == [
        ("lora_rank 2", 1, "finished"),
        ("lora_rank 8", 1, "finished"),
        ("lora_rank 2", 2, "finished"),
        ("lora_rank 8", 2, "finished"),
    ]
    job = store.job(study_id)
    assert (job.status, job.done, job.total) == ("finished", 4, 4)


def test_what_it_came_to_is_told_by_arm_and_by_setting(store: Store, home: Home, runs: Runs) -> None:
    study_id = launch_study(store, home, two_ranks())
    run_job(store, home, study_id)
    _, spec = study_on_record(store, study_id)
    found = results_of(store, spec, members_of(store, study_id, spec))
    assert [(arm.arm.label, arm.after.value, len(arm.outcomes)) for arm in found.arms] == [
        ("lora_rank 2", 0.25, 2),
        ("lora_rank 8", 0.75, 2),
    ]
    [effect] = found.effects
    assert (effect.setting, effect.value, effect.against, effect.difference) == ("lora_rank", 8, 2, 0.5)
    assert (effect.pairs, effect.seeds, effect.problems, found.problems) == (2, 2, 4, 4)


def test_a_run_that_fails_is_named_while_the_others_go_on_and_is_gone_on_with_later(
    store: Store, home: Home, runs: Runs
) -> None:
    def fail(store: Store, job: Job) -> None:
        if len(runs.started) == 2:
            store.end(job.id, "failed", "out of memory")
        else:
            finish(store, job)

    runs.end = fail
    study_id = launch_study(store, home, two_ranks())
    with pytest.raises(StudyError, match=r"1 run did not finish: study-1-2 \(lora_rank 8\): out of memory"):
        run_job(store, home, study_id)
    assert [status for *_, status in told(store, study_id)] == ["finished", "failed", "finished", "finished"]
    runs.end = finish
    resume_run(store, home, study_id)
    run_job(store, home, study_id)
    assert runs.started[4:] == ["study-1-2"], "it goes on as the same run"
    assert {status for *_, status in told(store, study_id)} == {"finished"}


def test_a_stopped_study_stops_its_runs_and_goes_on_with_them(store: Store, home: Home, runs: Runs) -> None:
    def stop_study(store: Store, job: Job) -> None:
        store.beat(job.id, worker="here")  # a run at work, which is asked to stop
        stop_run(store, home, "study-1")

    def stop_at_once(store: Store, home: Home, job_id: str) -> str:
        store.end(job_id, "stopped", "on request")
        return "stopped"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conducting, "stop_run", stop_at_once)
        runs.end = stop_study
        study_id = launch_study(store, home, two_ranks())
        run_job(store, home, study_id)
    assert store.job(study_id).status == "stopped"
    assert told(store, study_id) == [("lora_rank 2", 1, "stopped")]
    runs.end = finish
    resume_run(store, home, study_id)
    run_job(store, home, study_id)
    assert runs.started == ["study-1-1", "study-1-1", "study-1-2", "study-1-3", "study-1-4"]
    assert store.job(study_id).status == "finished"


def test_the_same_study_again_goes_on_with_the_one_that_was_stopped(store: Store, home: Home, runs: Runs) -> None:
    study_id = launch_study(store, home, two_ranks())
    stop_run(store, home, study_id)
    assert launch_study(store, home, two_ranks()) == study_id
    assert launch_study(store, home, two_ranks(seeds=3)) != study_id


def test_further_seeds_are_launched_later(store: Store, home: Home, runs: Runs) -> None:
    study_id = launch_study(store, home, two_ranks(seeds=1))
    run_job(store, home, study_id)
    add_seeds(store, home, study_id, 2)
    run_job(store, home, study_id)
    assert [seed for _, seed, _ in told(store, study_id)] == [1, 1, 2, 2, 3, 3]
    assert store.job(study_id).total == 6


def test_several_runs_are_at_work_together_where_told(store: Store, home: Home, runs: Runs) -> None:
    active: list[int] = []

    def wait_for_three(store: Store, job: Job) -> None:
        store.beat(job.id, worker="here")
        active.append(len(store.active_jobs(("train",))))
        if len(active) >= 3:
            for other in store.active_jobs(("train",)):
                finish(store, other)

    runs.end = wait_for_three
    study_id = launch_study(store, home, two_ranks(at_once=3))
    run_job(store, home, study_id)
    assert max(active) == 3
    assert {status for *_, status in told(store, study_id)} == {"finished"}


def test_a_first_stage_is_part_of_its_run(store: Store, home: Home, runs: Runs) -> None:
    spec = study_of(BASE, {"first": ("", "demo-sft")}, 1)
    study_id = launch_study(store, home, spec)
    run_job(store, home, study_id)
    alone, behind = members_of(store, study_id, spec)
    assert (alone.arm.label, alone.first) == ("first none", None)
    assert behind.arm.label == "first demo-sft"
    assert behind.first is not None
    assert behind.run.follows == behind.first.id == "study-1-2"


def test_what_is_certain_to_fail_is_refused_with_its_arm(store: Store, home: Home, runs: Runs) -> None:
    spec = study_of(BASE, {"max_completion_length": (12, 100_000)}, 1)
    with pytest.raises(ConfigError, match="max_completion_length 100000"):
        launch_study(store, home, spec)
    assert store.count_jobs() == 0


def test_the_whole_is_told_before(store: Store, home: Home) -> None:
    found = check_study(store, home, two_ranks(seeds=3))
    assert (found.runs, len(found.arms), found.total_s, found.tokens) == (6, 2, None, None)
    assert found.most_tokens == 6 * 4 * 12
    assert found.left_gib is not None
    assert found.left_gib > 0


def test_seeds_are_added_to_a_study_alone(store: Store, home: Home) -> None:
    run = store.create_job("train", "demo", BASE.model_dump(mode="json"))[0]
    with pytest.raises(ConfigError, match="is no study"):
        add_seeds(store, home, run.id, 1)


def searched(trials: int, **more: Any) -> StudySpec:
    return study_of(
        BASE, {"loss_type": ("grpo", "dapo")}, 1, search=Search(trials=trials, ranges=parse_ranges(["lora_rank=2..9"]), **more)
    )


def test_a_search_chooses_by_what_came_before_and_the_same_after_a_kill(store: Store, home: Home, runs: Runs) -> None:
    pytest.importorskip("optuna")
    study_id = launch_study(store, home, searched(8), "whole")
    run_job(store, home, study_id)
    whole = [arm for arm, *_ in told(store, study_id)]
    assert len(whole) == 8
    assert len(set(whole)) > 1

    def die(store: Store, job: Job) -> None:
        finish(store, job)
        if len(runs.started) == 12:
            raise KeyboardInterrupt

    runs.end = die
    killed = launch_study(store, home, searched(8).model_copy(update={"at_once": 1}), "killed")
    with pytest.raises(KeyboardInterrupt):
        run_job(store, home, killed)
    assert len(told(store, killed)) == 4
    resume_run(store, home, killed)
    run_job(store, home, killed)
    assert [arm for arm, *_ in told(store, killed)] == whole


def test_a_trial_that_falls_behind_is_stopped_and_stays_so(store: Store, home: Home, runs: Runs) -> None:
    pytest.importorskip("optuna")
    base = BASE.model_copy(update={"max_steps": 10, "save_steps": 10})

    def learn(store: Store, job: Job) -> None:
        """Four trials earn 1 at every step, the fifth 0; it has come to its half when it is looked at."""
        earned = 1.0 if len(runs.started) < 5 else 0.0
        last = 5 if len(runs.started) == 5 else 10
        store.record(job.id, scalars=[(step, {"reward": earned}) for step in range(1, last + 1)])
        if len(runs.started) == 5:
            store.beat(job.id, worker="here")
        else:
            finish(store, job)

    def stop_at_once(store: Store, home: Home, job_id: str) -> str:
        store.end(job_id, "stopped", "on request")
        return "stopped"

    runs.end = learn
    search = Search(trials=6, ranges=parse_ranges(["lora_rank=2..9"]), prune=True)
    study_id = launch_study(store, home, study_of(base, {}, 1, search=search))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conducting, "stop_run", stop_at_once)
        run_job(store, home, study_id)
    assert [status for *_, status in told(store, study_id)] == ["finished"] * 4 + ["stopped", "finished"]
    assert store.job(study_id).status == "finished", "one that was left behind is no failure"


def test_a_real_study_is_killed_gone_on_with_and_read(store: Store, home: Home) -> None:
    """Its process and those of its runs are real."""
    base = tiny(preset="demo", seed=1, evaluation_problems=2, max_steps=2, max_completion_length=40, rewards={"xml_count": 1})
    study_id = launch_study(store, home, study_of(base, {"lora_rank": (2, 4)}, 1))
    deadline = time.monotonic() + 1_200
    while not told(store, study_id) and time.monotonic() < deadline:
        time.sleep(0.2)
    stop_run(store, home, study_id)
    while store.job(study_id).active and time.monotonic() < deadline:
        time.sleep(0.2)
    assert store.job(study_id).status == "stopped"
    assert not store.active_jobs(("train",))
    resume_run(store, home, study_id)
    while store.job(study_id).active and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (store.job(study_id).status, store.job(study_id).reason) == ("finished", "done")
    assert told(store, study_id) == [("lora_rank 2", 1, "finished"), ("lora_rank 4", 1, "finished")]
