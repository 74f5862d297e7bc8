"""Runs on a CUDA GPU: each engine's ledger, checkpoint, GPU metrics and merged model. Skipped where there is none."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny_runs import rewarding_length, run_to_the_end, tiny
from training.config import RunConfig
from training.engines import engine_named, hugging_face
from training.home import Home
from training.jobs.output import OUTPUT, merged_folder, output_spec
from training.jobs.running import run_job
from training.runs.launch import queue_job
from training.store import Store

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
LORA = {"lora_rank": 8, "lora_targets": ("q_proj", "down_proj"), "evaluation_problems": 2, "evaluation_steps": 1}
CONFIGS = {
    "transformers, every weight": tiny(),
    "transformers, adapter": tiny(**LORA),
    "transformers, adapter on 4 bits": tiny(load_in_4bit=True, **LORA),
    "transformers, vLLM": tiny(use_vllm=True, **LORA),
    "unsloth, adapter": tiny(engine="unsloth", **LORA),
    "unsloth, adapter on 4 bits": tiny(engine="unsloth", load_in_4bit=True, **LORA),
}
NEEDS = {"4 bits": "bitsandbytes", "vLLM": "vllm", "unsloth": "unsloth"}


@pytest.fixture(autouse=True)
def length_is_rewarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # Unsloth writes what it compiles to the working folder
    with rewarding_length():
        yield


@pytest.mark.parametrize("name", CONFIGS)
def test_a_run_is_complete_on_a_gpu(name: str, store: Store, home: Home) -> None:
    """In one process, Unsloth last: importing it changes TRL for good."""
    for words, package in NEEDS.items():
        if words in name and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    config: RunConfig = CONFIGS[name]
    engine_named(config.engine)
    job = run_to_the_end(store, home, config)
    assert job.reason == "all 2 steps done"
    places = [(rollout.step, rollout.group_index, rollout.position) for rollout in store.rollouts(job.id)]
    assert places == [(step, group, position) for step in (1, 2) for group in (0, 1) for position in (0, 1)]
    logged = {scalar.name for scalar in store.scalars(job.id)}
    assert {"gpu/0/memory_gib", "gpu/0/power_w", "gpu/0/temperature_c"} <= logged or torch.cuda.device_count() > 1
    assert [checkpoint.step for checkpoint in store.checkpoints(job.id)] == [2]
    spec = output_spec(store, home, job.id, "merge")
    run_job(store, home, queue_job(store, home, OUTPUT, spec)[0].id)
    model, _ = hugging_face.load_model(str(merged_folder(home, job.id, 2)))
    assert model.device.type == "cuda"
