"""Two real training steps and a sample of groups, measured: what `preflight --calibrate` puts in place of estimates.

The trainer is the run's own, in this process, with a temporary folder and no store: it leaves nothing behind. Torch and
TRL are imported when it begins.
"""

import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from math import ceil
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

from training.config import RunConfig
from training.data.problem import ProblemSet
from training.groups import Rollout
from training.preflight.calibration import Calibration, forecast
from training.preflight.memory import GIB
from training.rewards import verifier_of

if TYPE_CHECKING:
    from training.jobs.train.training_data import TrainingData

BATCHES = 2
"""Generation batches that are learnt from, a step each unless `num_iterations` says otherwise. The first holds what is done
once, such as compiling and the optimiser's state; the second is the measurement."""

SAMPLED_GROUPS = 16
"""Groups sampled from the untrained model: enough to tell a run that is mostly without variance from one that is not."""


def calibrate(config: RunConfig, problem_set: ProblemSet, report: Callable[[str], None] = lambda doing: None) -> Calibration:
    """Load the model, sample groups, take two steps.

    Args:
        problem_set: the run's problems, narrowed to its subset.
        report: called with what is being done.

    Raises:
        ModelError, ConfigError: as a run with this configuration.
    """
    from training.engines import engine_named

    engine_named(config.engine)  # before TRL, parts of which Unsloth replaces
    import torch

    from training.jobs.train.grpo import make_trainer
    from training.jobs.train.stage import load
    from training.jobs.train.stopwatch import Stopwatch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    report("loading the model")
    steps = BATCHES * config.num_iterations
    short = config.model_copy(update={"max_steps": steps, "wandb": False, "warmup_ratio": 0.0})
    engine, loaded, data = load(short, problem_set)
    rollouts: list[Rollout] = []
    # Libraries print each step's figures, which are told here.
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        trainer = make_trainer(short, engine, loaded, data, Path(folder), rollouts.extend, Stopwatch())
        trainer.args.save_strategy = "no"
        trainer.model.train()
        report(f"sampling {SAMPLED_GROUPS} groups")
        _sample_groups(trainer, data, config)
        sampled = list(rollouts)
        rollouts.clear()
        report(f"taking {steps} steps")
        times_s, generation_s = _timed_steps(trainer)
    on_gpu = torch.cuda.is_available()
    last_batch = [rollout for rollout in rollouts if rollout.step == rollouts[-1].step]
    return Calibration(
        step_time_s=fmean(times_s[-config.num_iterations :]),
        generation_s=generation_s[-1] / config.num_iterations,
        tokens_a_step=sum(rollout.tokens for rollout in last_batch) / config.num_iterations,
        peak_gib=torch.cuda.max_memory_allocated() / GIB if on_gpu else _resident_gib(),
        device=torch.cuda.get_device_name() if on_gpu else "the CPU",
        forecast=forecast(sampled, verifier_of(config.model_dump())),
    )


def _sample_groups(trainer: Any, data: "TrainingData", config: RunConfig) -> None:
    """Generation batches of the trainer's own size, over problems drawn from all; their rollouts go to its `record`."""
    batches = ceil(SAMPLED_GROUPS / config.groups_per_step)
    count = min(batches * config.groups_per_step, len(data.rows) // config.groups_per_step * config.groups_per_step)
    chosen = Random(config.seed).sample(range(len(data.rows)), count)
    for start in range(0, count, config.groups_per_step):
        rows = [data.rows[index] for index in chosen[start : start + config.groups_per_step]]
        trainer._generate_and_score_completions([row for row in rows for _ in range(config.num_generations)])


def _timed_steps(trainer: Any) -> tuple[list[float], list[float]]:
    """(seconds of each step, seconds of each generation), by wrapping what the trainer calls for them."""
    times_s: list[float] = []
    generation_s: list[float] = []
    generate, log = trainer._generate_and_score_completions, trainer.log

    def timed_generate(inputs: list[dict[str, Any]]) -> dict[str, Any]:
        began = time.perf_counter()
        batch: dict[str, Any] = generate(inputs)
        generation_s.append(time.perf_counter() - began)
        return batch

    def kept_log(logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        log(logs, *arguments, **options)
        if (step_time_s := logs.get("step_time")) is not None:
            times_s.append(step_time_s)

    trainer._generate_and_score_completions, trainer.log = timed_generate, kept_log
    trainer.train()
    return times_s, generation_s


def _resident_gib() -> float:
    """The largest resident memory that this process has had; `ru_maxrss` is in KiB, on macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / GIB
