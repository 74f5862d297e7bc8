"""What the ledger costs: seconds a step of our trainer with its store against bare TRL, on the demo model.

`python -m tests.bench.ledger_overhead [--pairs N] [--steps N]`

Both have the same settings and seed, so they generate and learn the same. They take turns, and each pair swaps who goes
first. Processor time is printed too: other work on the machine disturbs it less than it disturbs the clock.
"""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from training.config import RunConfig, parse_config
from training.grpo import _trl_config, _trl_reward, load, make_trainer
from training.home import Home
from training.jobs import JobProcess, job_process
from training.presets import load_preset
from training.problems import ProblemSet, load_problems
from training.recorder import Recorder
from training.rewards import REWARDS
from training.store import Store
from training.store_callback import StoreCallback

GOAL = 1.05
WARM_UP_STEPS = 3


class StepTimer(TrainerCallback):
    """Clock and processor seconds of each step, from one step's beginning to the next one's."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    def total(self) -> tuple[float, float]:
        """(clock, processor) seconds of the steps after the warm-up, but for the last, which saves a checkpoint."""
        (clock, processor), (clock_end, processor_end) = self.marks[WARM_UP_STEPS], self.marks[-1]
        return clock_end - clock, processor_end - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    demo = load_preset("demo", [])
    config = parse_config(demo.model_dump() | {"max_steps": options.steps, "save_steps": options.steps})
    problem_set = load_problems("demo")
    ratios: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Home.from_environment({"GRPO_ATLAS_HOME": scratch})
        store = Store.open(home.store_url)
        for pair in range(options.pairs):
            measured = {}
            for bare in (True, False) if pair % 2 == 0 else (False, True):
                with contextlib.redirect_stdout(io.StringIO()):
                    measured[bare] = _bare(config, problem_set, home) if bare else _ours(config, problem_set, home, store, pair)
            steps = options.steps - 1 - WARM_UP_STEPS
            ratios.append((measured[False][0] / measured[True][0], measured[False][1] / measured[True][1]))
            print(
                f"pair {pair + 1}: bare TRL {measured[True][0] / steps:.3f} s a step, with the ledger "
                f"{measured[False][0] / steps:.3f}; ratio {ratios[-1][0]:.3f}, of processor time {ratios[-1][1]:.3f}",
                flush=True,
            )
    for what, values in zip(("seconds", "processor seconds"), zip(*ratios, strict=True), strict=True):
        print(f"{what} a step, ratio: median {median(values):.3f}, from {min(values):.3f} to {max(values):.3f}")
    print(f"ratio to the goal of {GOAL}: {median(ratio for ratio, _ in ratios) / GOAL:.3f}")


def _bare(config: RunConfig, problem_set: ProblemSet, home: Home) -> tuple[float, float]:
    engine, loaded, data = load(config, problem_set)
    trainer_class, config_class = engine.trainer_classes()
    timer = StepTimer()
    trainer: Any = trainer_class(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        args=_trl_config(config, config_class, data.max_length, home.runs / "bare"),
        train_dataset=data.rows,
        reward_funcs=[_trl_reward(REWARDS[name]) for name in config.reward_weights],
        callbacks=[timer],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return timer.total()


def _ours(config: RunConfig, problem_set: ProblemSet, home: Home, store: Store, pair: int) -> tuple[float, float]:
    job, _ = store.create_job("train", "demo", {"pair": pair})
    with job_process(store, job.id) as process:
        process.begin()
        timer = _train(config, problem_set, home.runs / job.id, process)
    rollouts = len(store.rollouts(job.id))
    assert rollouts == config.completions_per_step * config.max_steps, f"{rollouts} completions are on record"
    return timer.total()


def _train(config: RunConfig, problem_set: ProblemSet, folder: Path, process: JobProcess) -> StepTimer:
    engine, loaded, data = load(config, problem_set)
    timer = StepTimer()
    with Recorder(process.store, process.job.id) as recorder:
        link = StoreCallback(process, recorder, config.save_total_limit)
        trainer = make_trainer(config, engine, loaded, data, folder, recorder.add_rollouts, [link, timer])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return timer


if __name__ == "__main__":
    main()
