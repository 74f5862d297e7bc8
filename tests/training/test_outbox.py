"""What waits on a run's own disk while the store is away: delivered whole, in order, once; dropped where it is out of date."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.artefacts import Artefacts, is_complete
from training.errors import StoreAwayError, StoreError
from training.groups import Rollout
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.train.outbox import NAME, Entry, Outbox, deliver_left_behind
from training.jobs.train.recorder import Recorder
from training.models.uploads import Uploads
from training.store import Checkpoint, Progress, Store
from training.store.database import is_away, shown_url
from training.store.evaluations import EvaluationItem, add_items, complete_evaluation, complete_evaluations, open_evaluation
from training.store.patience import patiently
from training.store.sessions import reach_of

ODD = "half a pair \ud83d, a null \x00 and the escape \ufdd00000 itself"


class AwayStore(Store):
    """Cannot be reached while `away`; `breaks_after` writes the next record and then says that it could not be reached."""

    away = False
    breaks_after = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tries = 0

    def _ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.tries += 1
        if self.away:
            raise StoreAwayError("The run store cannot be reached (gone).", "Bring it back.")
        return method(*args, **kwargs)

    def record(self, *args: Any, **given: Any) -> None:
        self._ask(super().record, *args, **given)
        if self.breaks_after:
            self.breaks_after, self.away = False, True
            raise StoreAwayError("The run store cannot be reached (cut off).", "Bring it back.")

    def stop_requested(self, job_id: str) -> bool:
        return bool(self._ask(super().stop_requested, job_id))


@pytest.fixture
def store(home: Home, monkeypatch: pytest.MonkeyPatch) -> AwayStore:
    monkeypatch.setattr("training.store.patience._SHORTEST_S", 0.01)
    monkeypatch.setattr("training.store.patience._LONGEST_S", 0.02)
    monkeypatch.setattr("training.jobs.train.recorder._LOOK_S", 0.01)
    return AwayStore.open(home.store_url)  # type: ignore[return-value]


@pytest.fixture
def run_id(store: AwayStore) -> str:
    job_id = store.create_job("train", "demo", {})[0].id
    store.start(job_id)
    return job_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def rollout(step: int, text: str = "5") -> Rollout:
    return Rollout(step, 0, 0, "train-3", text, {"correctness": 1.0, "integer": None}, 1.0, 0.0, 9, "stop")


def hand_over(recorder: Recorder, *steps: int) -> None:
    for step in steps:
        recorder.add_rollouts([rollout(step, ODD)])
        recorder.add_scalars(step, {"reward": 1.0, "kl": None}, Progress(step, 10, "training"))


def steps_of(store: Store, run_id: str) -> tuple[list[int], list[int]]:
    return [r.step for r in store.rollouts(run_id)], [s.step for s in store.scalars(run_id) if s.name == "reward"]


def left_behind(store: Store, run_id: str, folder: Path, steps: range) -> None:
    """What a killed process leaves: these steps, the last with a checkpoint."""
    outbox = Outbox(folder, reach_of(store, run_id).began[-1])
    outbox.append(Entry(step, 1000.0 + step, rollouts=[rollout(step)], scalars={"reward": 1.0}) for step in steps)
    outbox.append([Entry(steps[-1], 0.0, checkpoint=Checkpoint(steps[-1], "checkpoint", 0.0))])


def test_a_run_goes_on_while_the_store_is_away_and_all_is_delivered_once_in_order(
    store: AwayStore, run_id: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recorder(store, run_id, folder, capacity_steps=2) as recorder:
        hand_over(recorder, 1)
        assert recorder.flush()
        store.away = True
        hand_over(recorder, *range(2, 60))  # far more than may wait in memory
        recorder.add_checkpoint(59, "checkpoint-59")
        assert not recorder.flush()
        assert len((folder / NAME).read_text().splitlines()) == 1 + 2 * 58 + 1
        store.away = False
        hand_over(recorder, 60)
    assert steps_of(store, run_id) == ([*range(1, 61)], [*range(1, 61)])
    assert {r.completion for r in store.rollouts(run_id)} == {ODD}
    assert [(c.step, c.path) for c in store.checkpoints(run_id)] == [(59, "checkpoint-59")]
    assert store.job(run_id).done == 60
    assert not (folder / NAME).exists()
    said = capsys.readouterr().err
    assert said.count("cannot be reached") == 1
    assert "the run store is back after" in said


def test_steps_have_the_time_at_which_they_were_done_not_at_which_they_were_delivered(
    home: Home, store: AwayStore, run_id: str, folder: Path
) -> None:
    left_behind(store, run_id, folder, range(1, 4))
    deliver_left_behind(store, run_id, folder)
    assert [scalar.time for scalar in store.scalars(run_id)] == [1001.0, 1002.0, 1003.0]


def test_a_write_that_was_made_before_the_connection_broke_is_not_there_twice(
    store: AwayStore, run_id: str, folder: Path
) -> None:
    with Recorder(store, run_id, folder) as recorder:
        store.breaks_after = True
        hand_over(recorder, 1)
        recorder.add_checkpoint(1, "checkpoint-1")
        recorder.flush()
        store.away = False
        hand_over(recorder, 2)
    assert steps_of(store, run_id) == ([1, 2], [1, 2])
    assert [checkpoint.step for checkpoint in store.checkpoints(run_id)] == [1]


def test_what_a_killed_process_left_is_delivered_before_the_next_begins(store: AwayStore, run_id: str, folder: Path) -> None:
    store.record(run_id, rollouts=[rollout(1)], scalars=[(1, {"reward": 1.0})])
    left_behind(store, run_id, folder, range(1, 6))  # step 1 has an unknown outcome
    store.start(run_id)
    deliver_left_behind(store, run_id, folder)
    assert steps_of(store, run_id) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert store.checkpoints(run_id)[-1].step == 5
    assert not (folder / NAME).exists()


def test_a_line_that_a_killed_process_did_not_finish_is_left_out(store: AwayStore, run_id: str, folder: Path) -> None:
    left_behind(store, run_id, folder, range(1, 4))
    with (folder / NAME).open("a") as file:
        file.write('{"step": 4, "time": 1.0, "roll')
    outbox = Outbox(folder, reach_of(store, run_id).began[-1])
    outbox.append([Entry(4, 0.0, rollouts=[rollout(4)])])
    outbox.deliver(store, run_id)
    assert steps_of(store, run_id)[0] == [1, 2, 3, 4]


def test_steps_after_a_checkpoint_that_was_chosen_to_resume_from_are_dropped(
    store: AwayStore, run_id: str, folder: Path
) -> None:
    left_behind(store, run_id, folder, range(1, 6))
    store.resume_at(run_id, 2)
    store.start(run_id)
    deliver_left_behind(store, run_id, folder)
    assert steps_of(store, run_id) == ([1, 2], [1, 2])
    assert store.checkpoints(run_id) == []


def test_what_was_left_before_the_run_went_on_elsewhere_is_dropped(
    store: AwayStore, run_id: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_behind(store, run_id, folder, range(1, 6))
    for _ in range(2):
        store.start(run_id)
    deliver_left_behind(store, run_id, folder)
    assert steps_of(store, run_id) == ([], [])
    assert not (folder / NAME).exists()
    assert "is dropped" in capsys.readouterr().err


def test_a_run_that_was_resumed_elsewhere_meanwhile_delivers_nothing(store: AwayStore, run_id: str, folder: Path) -> None:
    def lose_the_store_and_be_resumed() -> None:
        with Recorder(store, run_id, folder) as recorder:
            store.away = True
            hand_over(recorder, 1)
            recorder.flush()
            store.start(run_id)
            store.away = False

    with pytest.raises(StoreError, match="resumed elsewhere"):
        lose_the_store_and_be_resumed()
    assert steps_of(store, run_id) == ([], [])


def test_a_run_that_was_resumed_elsewhere_from_an_earlier_step_leaves_that_one_alone(
    store: AwayStore, run_id: str, folder: Path
) -> None:
    def be_resumed_from_the_first_step() -> None:
        with Recorder(store, run_id, folder) as recorder:
            hand_over(recorder, 1, 2)
            recorder.flush()
            store.start(run_id)
            store.truncate(run_id, 1)
            hand_over(recorder, 3)
            recorder.flush()

    with pytest.raises(StoreError, match="resumed elsewhere"):
        be_resumed_from_the_first_step()
    assert steps_of(store, run_id) == ([1], [1])
    assert not (folder / NAME).exists()


def test_an_outbox_at_its_limit_ends_the_run_and_keeps_what_it_has(store: AwayStore, run_id: str, folder: Path) -> None:
    def fill() -> None:
        with Recorder(store, run_id, folder, limit_bytes=5_000) as recorder:
            hand_over(recorder, 1)
            recorder.flush()
            store.away = True
            for step in range(2, 10_000):
                hand_over(recorder, step)
                recorder.flush()

    with pytest.raises(StoreError, match=r"outbox\.jsonl holds 4\.\d+ KiB for the run store.*resume the run"):
        fill()
    store.away = False
    store.start(run_id)
    deliver_left_behind(store, run_id, folder)
    found = steps_of(store, run_id)[0]
    assert found == [*range(1, len(found) + 1)]
    assert len(found) > 1


def test_a_run_told_to_end_leaves_what_the_store_did_not_come_back_for(
    store: AwayStore, run_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.jobs.train.recorder.LAST_TRIES_S", 0.1)
    with Recorder(store, run_id, folder, give_up=lambda: True) as recorder:
        store.away = True
        hand_over(recorder, 1)
    assert json.loads((folder / NAME).read_text().splitlines()[1])["step"] == 1


def test_a_run_that_ends_while_the_store_stays_away_says_where_its_steps_are(
    store: AwayStore, run_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.jobs.train.recorder.PATIENCE_S", 0.1)

    def end_without_a_store() -> None:
        with Recorder(store, run_id, folder) as recorder:
            store.away = True
            hand_over(recorder, 1)

    with pytest.raises(StoreAwayError, match=r"wait in .*outbox\.jsonl"):
        end_without_a_store()


def test_a_checkpoint_that_was_uploaded_since_keeps_its_path(store: AwayStore, run_id: str) -> None:
    store.add_checkpoint(run_id, 2, "s3://bucket/checkpoint-2")
    store.record(run_id, checkpoints=[Checkpoint(2, "folder/checkpoint-2", 0.0)])
    assert store.checkpoints(run_id)[0].path == "s3://bucket/checkpoint-2"


def test_an_uploaded_checkpoint_is_on_record_only_behind_its_steps(
    store: AwayStore, run_id: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is complete while the steps before the checkpoint still wait on the run's disk."""
    known, add, looked, recorded = store.checkpoints, store.add_checkpoint, threading.Event(), []

    def checkpoints(job_id: str) -> list[Checkpoint]:
        if place.copies(job_id) and is_complete(place.copies(job_id)[0]):
            looked.set()
        return known(job_id)

    def add_checkpoint(job_id: str, step: int, path: str) -> None:
        recorded.append(steps_of(store, run_id))
        add(job_id, step, path)

    monkeypatch.setattr("training.models.uploads._LOOK_S", 0.01)
    monkeypatch.setattr(store, "checkpoints", checkpoints)
    monkeypatch.setattr(store, "add_checkpoint", add_checkpoint)
    place = Artefacts(f"file://{tmp_path}/shared")
    saved = folder / "checkpoint-3"
    saved.mkdir(parents=True)
    (saved / "model.safetensors").write_text("weights")
    with Uploads(place, store, run_id, checkpoints_kept=2) as uploads, Recorder(store, run_id, folder) as recorder:
        store.away = True
        hand_over(recorder, 1, 2, 3)
        recorder.add_checkpoint(3, str(saved))
        assert not recorder.flush()
        uploads.add(3, saved)
        assert looked.wait(300)
        assert known(run_id) == []
        store.away = False
    assert uploads.finish() == ""
    assert recorded == [([1, 2, 3], [1, 2, 3])]
    assert [checkpoint.path for checkpoint in known(run_id)] == place.copies(run_id)


def test_a_checkpoint_whose_record_never_came_is_told(store: AwayStore, run_id: str, folder: Path, tmp_path: Path) -> None:
    saved = folder / "checkpoint-3"
    saved.mkdir(parents=True)
    with Uploads(Artefacts(f"file://{tmp_path}/shared"), store, run_id, checkpoints_kept=2) as uploads:
        uploads.add(3, saved)
    assert "step 3 is uploaded, and not on record" in uploads.finish()
    assert store.checkpoints(run_id) == []


def test_a_batch_of_an_evaluation_is_kept_once_though_its_outcome_was_unknown(store: AwayStore, run_id: str) -> None:
    items = [EvaluationItem(f"test-{number}", ODD, {"correctness": 1.0}, 3) for number in range(3)]
    evaluation = open_evaluation(store, run_id, "before", 0, "test")
    add_items(store, evaluation, items[:2])
    evaluation.kept = 0  # as if the answer to the first had not come
    add_items(store, evaluation, items[:2])
    add_items(store, evaluation, items[2:])
    complete_evaluation(store, evaluation)
    assert list(complete_evaluations(store, run_id)[0].items) == items


def test_a_process_keeps_asking_until_the_store_is_back_and_is_not_stopped_by_its_absence(
    store: AwayStore, run_id: str
) -> None:
    process = JobProcess(store, store.job(run_id))
    store.away = True
    assert not process.stop_requested()
    before = store.tries

    def come_back_at_the_third_try() -> bool:
        store.away = store.tries < before + 3
        return store.stop_requested(run_id)

    assert process.patiently(come_back_at_the_third_try) is False


def test_patience_ends() -> None:
    def never() -> None:
        raise StoreAwayError("Gone.", "Bring it back.")

    with pytest.raises(StoreAwayError):
        patiently(never, patience_s=0.0)


def test_only_what_may_come_back_counts_as_away() -> None:
    class OperationalError(Exception):
        sqlstate: str | None = None

    def postgres_error(state: str | None, text: str = "") -> Exception:
        error = OperationalError(text)
        error.sqlstate = state
        return error

    for state in ("08006", "57P01", "57P03", "40P01", "53300", "55P03", "25006"):
        assert is_away(postgres_error(state)), state
    for state in ("53100", "23505", "42P01", "28P01", "3D000", "57P04"):
        assert not is_away(postgres_error(state)), state
    assert is_away(postgres_error(None, "connection failed: Connection refused"))
    assert not is_away(postgres_error(None, 'FATAL:  password authentication failed for user "atlas"'))
    assert not is_away(ValueError("connection refused"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:secret@host:5432/atlas?password=secret",
        "postgresql+psycopg://user:sec@secret@host/atlas",
        "postgres//user:secret@host/atlas",
        "postgresql://user:secret@host:port/atlas",
    ],
)
def test_a_shown_address_has_no_password(url: str) -> None:
    assert "secret" not in shown_url(url)
    assert "atlas" in shown_url(url)
    with pytest.raises(StoreError) as raised:
        Store.open(url.replace("host:5432", "127.0.0.1:1"))
    assert "secret" not in str(raised.value)
