"""The Unsloth engine for real, on its backend without a GPU; `make test-unsloth` runs this in an environment that has Unsloth.

The trainer that Unsloth writes for GPUs is generated and run here too, on the CPU: a ledger over it must be as complete.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny_runs import few_problems, rewarding_length, run_to_the_end, tiny, trainer_of, whole_and_resumed
from training.engines import engine_named, hugging_face
from training.errors import ConfigError, ModelError
from training.home import Home
from training.jobs.train.stage import load
from training.store import Store
from training.store.evaluations import complete_evaluations

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("unsloth") is None, reason="Unsloth is not installed; make test-unsloth installs it beside"
)
LORA = tiny(engine="unsloth", lora_rank=4, lora_targets=("q_proj", "down_proj"))


@pytest.fixture(autouse=True)
def length_is_rewarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with rewarding_length():
        yield


def test_a_run_trains_an_adapter_and_its_ledger_and_evaluations_are_complete(home: Home) -> None:
    store = Store.open(home.store_url)
    job = run_to_the_end(store, home, LORA.model_copy(update={"evaluation_problems": 2, "evaluation_steps": 1}))
    assert job.reason == "all 2 steps done"
    places = [(rollout.step, rollout.group_index, rollout.position) for rollout in store.rollouts(job.id)]
    assert places == [(step, group, position) for step in (1, 2) for group in (0, 1) for position in (0, 1)]
    assert [found.label for found in complete_evaluations(store, job.id)] == ["before", "step-1", "after"]
    (checkpoint,) = (Path(found.path) for found in store.checkpoints(job.id))
    assert (checkpoint / "adapter_model.safetensors").is_file()
    assert not (checkpoint / "model.safetensors").exists()

    model, _ = hugging_face.load_model(str(checkpoint))
    weights = model.state_dict()
    assert all(weights[name].abs().sum() > 0 for name in weights if "lora_B" in name)


@pytest.mark.parametrize("changes", [{}, {"beta": 0.1}, {"method": "rloo"}])
def test_a_run_resumed_from_a_checkpoint_goes_on_as_if_it_had_not_stopped(changes: dict[str, Any], home: Home) -> None:
    whole, resumed = whole_and_resumed(LORA.model_copy(update=changes), home)
    assert resumed == [rollout for rollout in whole if rollout.step > 2]


def test_every_weight_is_trained_without_an_adapter(home: Home) -> None:
    trainer = trainer_of(tiny(engine="unsloth"), home)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    changed = [name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])]
    assert changed == list(before)


@pytest.mark.parametrize("engine", ["transformers", "unsloth"])
def test_an_adapter_is_trained_in_float32_on_a_base_of_4_bits(engine: str, home: Home) -> None:
    trainer = trainer_of(LORA.model_copy(update={"engine": engine, "load_in_4bit": True}), home)
    layers = dict(trainer.model.named_modules())
    assert {type(layer).__name__ for name, layer in layers.items() if name.endswith("q_proj.base_layer")} == {"Linear4bit"}
    assert {p.dtype for p in trainer.model.parameters() if p.requires_grad} == {torch.float32}
    trainer.train()
    assert all(p.abs().sum() > 0 for name, p in trainer.model.named_parameters() if "lora_B" in name)


def test_completing_leaves_the_model_in_its_mode(home: Home) -> None:
    trainer = trainer_of(LORA, home)
    question = [{"role": "user", "content": "How many is 2 and 3?"}]
    for training in (True, False):
        trainer.model.train(training)
        ((_, tokens),) = engine_named("unsloth").complete(trainer.model, trainer.processing_class, [question], 12, 0.0)
        assert 0 < tokens <= 12
        assert trainer.model.training is training


def test_an_unknown_target_or_a_missing_model_is_an_error(home: Home) -> None:
    with pytest.raises(ModelError, match="no layer 'qkv'"):
        load(LORA.model_copy(update={"lora_targets": ("qkv",)}), few_problems())
    with pytest.raises(ModelError, match="'/no/such/model' cannot be loaded"):
        load(LORA.model_copy(update={"model": "/no/such/model"}), few_problems())


def test_float32_on_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="cannot calculate in precision = float32"):
        engine_named("unsloth").load_for_training(LORA.model_copy(update={"precision": "float32"}), 100)


def test_the_trainer_that_unsloth_writes_for_gpus_keeps_our_settings_and_a_complete_ledger(tmp_path: Path) -> None:
    """In a process of its own: once generated, the trainer replaces TRL's for good."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unsloth_engine.generated_trainer", str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
