"""Runs on several processes, as far as that can be known before there is one; `tests/cluster` has the processes."""

import pickle
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tiny_runs import tiny
from training import errors
from training.config import RunConfig
from training.errors import AtlasError, CheckpointError, ConfigError
from training.home import Home
from training.jobs.train.resuming import ResumableTrainer
from training.runs import launch
from training.shares import share_of
from training.store import Store
from training.workers import Workers


def batch(completions: int, passes: int, **changes: object) -> RunConfig:
    return tiny(per_device_train_batch_size=completions, gradient_accumulation_steps=passes, **changes)


def test_all_processes_together_have_the_configured_batch() -> None:
    refused = 0
    for completions, passes, workers in product((2, 4, 6, 32), (1, 2, 3, 4, 12), range(1, 9)):
        config = batch(completions, passes)
        try:
            share = share_of(config, workers)
        except ConfigError:
            refused += 1
            assert completions * passes % workers
        else:
            assert share.completions_per_step * workers == config.completions_per_step
    assert refused


def test_passes_are_divided_before_the_completions_of_a_pass() -> None:
    shares = {workers: share_of(batch(8, 4), workers) for workers in (2, 4, 8)}
    found = {
        workers: (share.per_device_train_batch_size, share.gradient_accumulation_steps) for workers, share in shares.items()
    }
    assert found == {2: (8, 2), 4: (8, 1), 8: (4, 1)}


def test_a_batch_that_cannot_be_divided_is_refused_with_numbers_that_can() -> None:
    config = batch(4, 3)
    with pytest.raises(
        ConfigError, match=r"4 x 3 completions per step cannot be divided among 5 workers\. Use 4 workers"
    ) as told:
        share_of(config, 5)
    assert told.value.remedy == "Use 4 workers, or make one of the two a multiple of 5."
    share_of(config, 4)
    share_of(batch(4, 5), 5)


def test_unsloth_is_refused_for_several_processes() -> None:
    assert share_of(batch(4, 2, engine="unsloth"), 1).engine == "unsloth"
    with pytest.raises(ConfigError, match="unsloth trains on one GPU"):
        share_of(batch(4, 2, engine="unsloth"), 2)


def test_the_environment_names_the_workers() -> None:
    assert Workers.from_environment({}) == Workers(1, None, 0, "")
    given = {"WORKERS": "4", "GPUS_PER_WORKER": "0", "MAX_FAILURES": "2", "ACCELERATOR_TYPE": "A100"}
    assert Workers.from_environment({f"GRPO_ATLAS_{name}": value for name, value in given.items()}) == Workers(4, 0, 2, "A100")


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKERS", "0"), ("WORKERS", "two"), ("WORKERS", "1.5"), ("MAX_FAILURES", "-1"), ("MAX_FAILURES", "nan")],
)
def test_a_number_of_workers_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"GRPO_ATLAS_{name} = '{value}' is not a whole number"):
        Workers.from_environment({f"GRPO_ATLAS_{name}": value})


def test_a_launch_is_refused_whose_batch_cannot_be_divided(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_WORKERS", "3")
    with pytest.raises(ConfigError, match="cannot be divided among 3 workers"):
        launch.launch_run(store, home, batch(4, 1))
    assert store.jobs() == []


def test_errors_come_whole_from_another_process() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AtlasError)]
    assert len(kinds) > 8
    for kind in kinds:
        error = pickle.loads(pickle.dumps(kind("The disk is full.", "Make room.")))
        assert (type(error), error.problem, error.remedy) == (kind, "The disk is full.", "Make room.")


def test_a_held_batch_of_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    for rank in (0, 1):
        (tmp_path / f"held_batch_{rank}.pt").touch()
    trainer = ResumableTrainer()
    trainer.args = SimpleNamespace(world_size=1, process_index=0, device="cpu", sync_ref_model=False)
    with pytest.raises(CheckpointError, match="for 2 processes, and this run has 1"):
        trainer._load_more(tmp_path)
