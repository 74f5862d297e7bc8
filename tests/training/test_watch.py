"""The doctor at a run while it trains: what it tells, when it stops a run, and what it knows after a resume."""

from pathlib import Path

from tests.tiny_runs import rewarding_length, run_to_the_end, tiny
from training.groups import Rollout
from training.home import Home
from training.jobs.train.watch import CONFIRMING, Watch
from training.preflight.settings import check_stop_rules
from training.preflight.subject import Subject
from training.store import Job, Store


def record(store: Store, job: Job, step: int, *, cut: bool = True) -> None:
    """A step of 16 completions, all of them cut off or none."""
    end = "length" if cut else "stop"
    rollouts = [
        Rollout(step, group, position, "train-0", f"{place}", {"correctness": place % 2}, place % 2, 0.0, 30, end)
        for group in range(2)
        for position in range(8)
        for place in (step * 16 + group * 8 + position,)
    ]
    store.record(job.id, rollouts=rollouts, scalars=[(step, {"reward": 0.5})])


def watched(store: Store, job: Job, folder: Path, steps: range, *, cut: bool = True) -> Watch:
    """The watch after so many steps, each of which it looked at before the next began."""
    with Watch(store, job, folder, ("cut_off",), {}) as watch:
        for step in steps:
            record(store, job, step, cut=cut)
            watch._look(step, is_last=False)
            if watch.reason:
                break
    return watch


def test_a_finding_stops_a_run_once_it_has_held_for_five_steps(store: Store, tmp_path: Path) -> None:
    job = store.create_job("train", "demo", {})[0]
    watch = watched(store, job, tmp_path, range(1, 40))
    assert watch.reason.startswith("by its rule cut_off: Look at the length limit: 100%")
    assert store.last_rollout_step(job.id) == 10 + CONFIRMING


def test_a_healthy_run_is_left_alone(store: Store, tmp_path: Path) -> None:
    job = store.create_job("train", "demo", {})[0]
    assert watched(store, job, tmp_path, range(1, 21), cut=False).reason == ""


def test_a_resumed_run_is_not_stopped_again_by_what_it_was_resumed_with(store: Store, tmp_path: Path) -> None:
    job = store.create_job("train", "demo", {})[0]
    assert watched(store, job, tmp_path, range(1, 40)).reason
    assert watched(store, job, tmp_path, range(16, 31)).reason == ""
    assert watched(store, job, tmp_path, range(31, 80), cut=False).reason == ""
    assert watched(store, job, tmp_path, range(80, 160)).reason, "it went away meanwhile, and came again"


def test_a_real_run_stops_by_its_rule_with_a_checkpoint_and_says_so(store: Store, home: Home) -> None:
    with rewarding_length():
        job = run_to_the_end(store, home, tiny(max_steps=2_000, save_steps=2_000, stop_on=["cut_off"]))
    assert job.status == "stopped"
    assert 10 + CONFIRMING <= job.done < 2_000
    assert "checkpoint saved; by its rule cut_off: Look at the length limit" in job.reason
    assert store.checkpoints(job.id)[-1].step == job.done


def test_rules_are_told_before_the_launch_and_those_that_cannot_speak_are_named() -> None:
    def told(**changes: object) -> list[tuple[str, str]]:
        subject = Subject.__new__(Subject)
        object.__setattr__(subject, "config", tiny(**changes))
        return [(finding.severity, finding.text) for finding in check_stop_rules(subject)]

    assert told() == []
    assert told(stop_on=["not_a_number", "cut_off"]) == [
        (
            "note",
            "The run stops by itself, with a checkpoint, once the doctor has found not_a_number or cut_off for five steps.",
        )
    ]
    assert [severity for severity, _ in told(stop_on=["kl_growth"], beta=0.0)] == ["note", "warning"]
