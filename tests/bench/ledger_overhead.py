"""What the ledger costs: seconds a step of our trainer with its store against bare TRL, on the demo model.

`python -m tests.bench.ledger_overhead [--pairs N] [--steps N]`

Both have the same settings and seed, so they generate and learn the same. They take turns, and each pair swaps who goes
first. What a step takes varies by more than the ledger costs, so the result compares each step's least time over the pairs:
the same step does the same work in all of them. Processor time is printed too.
"""

import argparse
import contextlib
import io
import itertools
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from training.config import RunConfig, parse_config
from training.grpo import _trl_config, _trl_reward, load, make_trainer
from training.home import Home
from training.jobs import JobProcess, job_process
from training.options import Parser
from training.presets import load_preset
from training.problems import ProblemSet, load_problems
from training.process.gpu_metrics import GpuCallback
from training.process.ranks import ALONE
from training.process.recorder import Recorder
from training.process.store_callback import StoreCallback
from training.rewards import REWARDS
from training.store import Store

GOAL = 1.05
WARM_UP_STEPS = 3

Steps = list[tuple[float, float]]
"""(clock, processor) seconds of each step."""


class StepTimer(TrainerCallback):
    """Clock and processor seconds of each step, from one step's beginning to the next one's."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    def steps(self) -> Steps:
        """The steps after the warm-up, but for the last, which saves a checkpoint."""
        marks = self.marks[WARM_UP_STEPS:]
        return [(after[0] - before[0], after[1] - before[1]) for before, after in itertools.pairwise(marks)]


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    demo = load_preset("demo", [])
    config = parse_config(demo.model_dump() | {"max_steps": options.steps, "save_steps": options.steps})
    problem_set = load_problems("demo")
    runs: dict[bool, list[Steps]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as scratch:
        home = Home.from_environment({"GRPO_ATLAS_HOME": scratch})
        store = Store.open(home.store_url)
        for pair in range(options.pairs):
            for bare in (True, False) if pair % 2 == 0 else (False, True):
                with contextlib.redirect_stdout(io.StringIO()):
                    steps = _bare(config, problem_set, home) if bare else _ours(config, problem_set, home, store, pair)
                runs[bare].append(steps)
            (bare_s, _), (ours_s, _) = (_means(runs[bare][-1:]) for bare in (True, False))
            print(f"pair {pair + 1}: bare TRL {bare_s:.3f} s a step, with the ledger {ours_s:.3f}", flush=True)
    (bare_s, bare_processor_s), (ours_s, ours_processor_s) = (_means(runs[bare]) for bare in (True, False))
    print(f"least times: bare TRL {bare_s:.3f} s a step, with the ledger {ours_s:.3f}; ratio {ours_s / bare_s:.3f}")
    print(f"processor time: ratio {ours_processor_s / bare_processor_s:.3f}")
    print(f"ratio to the goal of {GOAL}: {ours_s / bare_s / GOAL:.3f}")


def _means(runs: list[Steps]) -> tuple[float, float]:
    """(clock, processor) seconds a step, of each step the least over the runs."""
    least = [tuple(map(min, zip(*times, strict=True))) for times in zip(*runs, strict=True)]
    return fmean(step[0] for step in least), fmean(step[1] for step in least)


def _bare(config: RunConfig, problem_set: ProblemSet, home: Home) -> Steps:
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
    return timer.steps()


def _ours(config: RunConfig, problem_set: ProblemSet, home: Home, store: Store, pair: int) -> Steps:
    job, _ = store.create_job("train", "demo", {"pair": pair})
    with job_process(store, job.id) as process:
        process.begin()
        timer = _train(config, problem_set, home.runs / job.id, process)
    rollouts = len(store.rollouts(job.id))
    assert rollouts == config.completions_per_step * config.max_steps, f"{rollouts} completions are on record"
    return timer.steps()


def _train(config: RunConfig, problem_set: ProblemSet, folder: Path, process: JobProcess) -> StepTimer:
    engine, loaded, data = load(config, problem_set)
    timer = StepTimer()
    with Recorder(process.store, process.job.id, folder) as recorder:
        link = StoreCallback(process, recorder, config.save_total_limit, GpuCallback(ALONE.gather))
        trainer = make_trainer(config, engine, loaded, data, folder, recorder.add_rollouts, [link, timer])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return timer


if __name__ == "__main__":
    main()
