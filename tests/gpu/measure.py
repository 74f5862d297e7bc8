"""Seconds a step, tokens a second and peak memory of GRPO: plain TRL against our engines and samplers, each in its own process.

The model has Llama-3.1-8B's shape and random weights, so nothing is fetched; its tokenizer is the demo model's, whose few
tokens it reads and whose end it hardly ever samples, so completions are of full length and every engine does the same work.

    python -m tests.gpu.measure --json measured.json
    python -m tests.gpu.measure --shape tiny --device cpu --steps 2 --warm-up 1
"""

import importlib.util
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, Literal

import torch
import typer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PrinterCallback, TrainerCallback

from training.config import RunConfig
from training.data.problems import load_problems
from training.engines import engine_named
from training.groups import Rollout
from training.home import DEMO_MODEL
from training.preflight.architecture import parse_architecture
from training.preflight.memory import estimate_memory
from training.rewards import REWARDS

SHAPES: dict[str, dict[str, Any]] = {
    # https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct/blob/main/config.json
    "llama-3.1-8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
    },
    "tiny": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": 2048,
        "max_position_embeddings": 1024,
    },
}
SETTINGS: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": {"num_generations": 8, "per_device_train_batch_size": 8, "max_completion_length": 200, "lora_rank": 32},
    "tiny": {"num_generations": 2, "per_device_train_batch_size": 4, "max_completion_length": 8, "lora_rank": 4},
}
PLAIN = "plain TRL"
CHOICES: dict[str, dict[str, Any]] = {"pools": {"sampling": "pools"}, "dynamic sampling": {"dynamic_sampling_rounds": 2}}
"""Of the transformers engine, with problems that it chooses itself; dynamic sampling generates more a step, and says so."""


class StepClock(TrainerCallback):
    """When each step began, and when the last ended."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._mark()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self._mark()

    def _mark(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())


@dataclass(frozen=True)
class Asked:
    """What is to be measured, and how."""

    shape: str
    device: str
    steps: int
    warm_up: int
    four_bits: bool
    vllm: bool


def main(
    shape: str = "llama-3.1-8b",
    device: Literal["cuda", "cpu"] = "cuda",
    steps: Annotated[int, typer.Option(help="steps that are measured")] = 5,
    warm_up: Annotated[int, typer.Option(help="steps before those")] = 2,
    engines: Annotated[
        list[str] | None, typer.Option("--engine", help="one beside plain TRL; those that are installed if not given")
    ] = None,
    four_bits: Annotated[bool, typer.Option("--four-bits", help="the base model in 4 bits")] = False,
    vllm: Annotated[bool, typer.Option("--vllm", help="generate with vLLM in the same process")] = False,
    scratch: Annotated[
        Path | None, typer.Option(help="where 16 GB for the model are free; the temporary folder if not given")
    ] = None,
    out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write the figures to a file too")] = None,
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
    model: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Seconds a step, tokens a second and peak memory of GRPO, plain TRL against our engines."""
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no CUDA GPU here; --shape tiny --device cpu runs the same code without one.")
    asked = Asked(shape, device, steps, warm_up, four_bits, vllm)
    with tempfile.TemporaryDirectory(dir=scratch) as work:
        if one and model:
            print(json.dumps(measure(asked, one, model, Path(work))))
            return
        model = save_model(shape, device, Path(work) / "model")
        results = [_in_a_process(asked, what, model, scratch) for what in _candidates(engines)]
    report = {"machine": machine(device), "shape": shape, "steps": steps, "measured": results}
    _print_table(report)
    if out:
        out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def save_model(shape: str, device: str, folder: Path) -> Path:
    """A model of a shape with random weights, and its tokenizer, as a folder that any engine loads."""
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    tokenizer.model_max_length = SHAPES[shape]["max_position_embeddings"]
    config = LlamaConfig(
        **SHAPES[shape], eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None
    )
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def measure(asked: Asked, what: str, model: Path, scratch: Path) -> dict[str, Any]:
    """Train for some steps in this process, and tell how fast and with how much memory."""
    engine_name = "transformers" if what == PLAIN or what in CHOICES else what
    engine_named(engine_name)  # before TRL, parts of which Unsloth replaces
    from training.jobs.train.stage import load

    config = RunConfig(
        model=str(model),
        source="demo",
        engine=engine_name,
        max_steps=asked.warm_up + asked.steps,
        save_steps=1_000_000,
        load_in_4bit=asked.four_bits,
        use_vllm=asked.vllm,
        gradient_checkpointing=asked.device == "cuda",
        rewards={"integer": 1.0},
        wandb=False,
        **SETTINGS[asked.shape],
        **CHOICES.get(what, {}),
    )
    problems = load_problems("demo")
    rollouts: list[Rollout] = []
    clock = StepClock()
    loaded = load(config, problems)
    trainer = _plain(config, *loaded, clock, scratch) if what == PLAIN else _ours(config, *loaded, clock, scratch, rollouts)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    steps_s = [after - before for before, after in itertools.pairwise(clock.marks)][asked.warm_up :]
    # num_tokens counts prompts too; the completions' are what generation and learning take their time for.
    lengths = [log["completions/mean_length"] for log in trainer.state.log_history if "completions/mean_length" in log]
    tokens = mean(lengths[asked.warm_up :]) * config.completions_per_step
    if what != PLAIN:
        _check_ledger(config, [rollout for rollout in rollouts if not rollout.dropped])
        tokens = sum(rollout.tokens for rollout in rollouts if rollout.step > asked.warm_up) / asked.steps
    architecture = parse_architecture(json.loads((model / "config.json").read_text(encoding="utf-8")))
    assert architecture is not None
    on_gpu = asked.device == "cuda"
    gpu_gib = torch.cuda.get_device_properties(0).total_memory / 2**30 if on_gpu else None
    prompt_tokens = loaded[2].max_length - config.max_completion_length
    estimate = estimate_memory(config, architecture, prompt_tokens=prompt_tokens, on_gpu=on_gpu, gpu_gib=gpu_gib)
    return {
        "what": what,
        "step_s": mean(steps_s),
        "tokens_per_s": tokens / mean(steps_s),
        "peak_memory_gib": _peak_memory_gib(),
        "estimated_memory_gib": estimate.peak_gib,
        "completion_tokens_per_step": tokens,
    }


def machine(device: str) -> str:
    """What was measured on, with the versions that matter."""
    name = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} cores, {platform.machine()}"
    return f"{name}, torch {torch.__version__}"


def _plain(config: RunConfig, engine: Any, loaded: Any, data: Any, clock: StepClock, scratch: Path) -> Any:
    from training.jobs.train.grpo import _trl_config, _trl_reward

    trainer_class, config_class = engine.trainer_classes()
    return trainer_class(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        peft_config=loaded.adapter,
        args=_trl_config(config, config_class, data.max_length, scratch),
        train_dataset=data.rows,
        reward_funcs=[_trl_reward(REWARDS[name], config, data.problems) for name in config.reward_weights],
        callbacks=[clock],
    )


def _ours(
    config: RunConfig, engine: Any, loaded: Any, data: Any, clock: StepClock, scratch: Path, rollouts: list[Rollout]
) -> Any:
    from training.jobs.train.grpo import make_trainer
    from training.jobs.train.stopwatch import Stopwatch

    return make_trainer(config, engine, loaded, data, scratch, rollouts.extend, Stopwatch(), [clock])


def _check_ledger(config: RunConfig, rollouts: list[Rollout]) -> None:
    expected = config.max_steps * config.completions_per_step
    if len(rollouts) != expected or len({(r.step, r.group_index, r.position) for r in rollouts}) != expected:
        sys.exit(f"The ledger has {len(rollouts):,} completions of {expected:,}, or some twice.")


def _peak_memory_gib() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _candidates(engines: list[str] | None) -> list[str]:
    if engines:
        return [PLAIN, *engines]
    return [PLAIN, "transformers", *CHOICES, *(["unsloth"] if importlib.util.find_spec("unsloth") else [])]


def _in_a_process(asked: Asked, what: str, model: Path, scratch: Path | None) -> dict[str, Any]:
    """Measured alone: peak memory is of a process, and Unsloth changes TRL for the whole of one."""
    command = [sys.executable, "-m", "tests.gpu.measure", "--one", what, "--model", str(model)]
    command += ["--shape", asked.shape, "--device", asked.device]
    command += ["--steps", str(asked.steps), "--warm-up", str(asked.warm_up)]
    command += ["--four-bits"] * asked.four_bits + ["--vllm"] * asked.vllm
    if scratch:
        command += ["--scratch", str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    if done.returncode:
        return {"what": what, "error": (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _print_table(report: dict[str, Any]) -> None:
    print(f"{report['shape']} with random weights, {report['steps']} steps, {report['machine']}")
    print(f"{'':<18}{'s/step':>10}{'tokens/s':>12}{'peak GiB':>12}{'estimated':>12}")
    for row in report["measured"]:
        if "error" in row:
            print(f"{row['what']:<18}  {row['error']}")
        else:
            figures = f"{row['step_s']:>10.3f}{row['tokens_per_s']:>12.1f}{row['peak_memory_gib']:>12.2f}"
            print(f"{row['what']:<18}{figures}{row['estimated_memory_gib']:>12.2f}")


if __name__ == "__main__":
    typer.run(main)
