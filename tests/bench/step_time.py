"""What a step takes: our trainer with its store and its decoding against bare TRL on the demo preset, step by step in turns.

`python -m tests.bench.step_time [--pairs N] [--steps N] [--sampling pools] [--decoding own]`

Each side is a process of its own, and only one of them works at a time: they take turns step by step, so that whatever else
the machine does meets both alike, and the one that begins changes with each step. A step of ours ends when all of it is in
the store. Both decode as transformers does, unless ours is asked to decode as the program does by itself. Both have equal
settings, seed, adapter and reference model; before a ratio is printed, equal trainable parameters, tokens and losses are
asserted, so that each pair of steps is the same work. Printed are medians over the pairs of steps: of the clock, and of the
processor time of the whole process, its writing thread included.
"""

import contextlib
import io
import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import typer
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from training.config import RunConfig
from training.data.problems import load_problems
from training.groups import Rollout, groups_of
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.train.gpu_metrics import GpuCallback
from training.jobs.train.grpo import _trl_config, _trl_reward, make_trainer
from training.jobs.train.ranks import ALONE
from training.jobs.train.recorder import Recorder
from training.jobs.train.stage import load
from training.jobs.train.step_times import StepTimesCallback
from training.jobs.train.stopwatch import Stopwatch
from training.jobs.train.store_callback import StoreCallback
from training.jobs.train.watch import Watch
from training.presets import load_preset
from training.rewards import REWARDS
from training.store import Store

GOALS = {"transformers": 1.02, "own": 0.6}
"""Of bare TRL's step, by how ours decodes: what the ledger may cost, and what the program is to take."""
WARM_UP_STEPS = 3


@dataclass
class Work:
    """What one side did: for each step its clock and processor seconds, its loss and the tokens so far."""

    trainable: int = 0
    clock_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)


class Turns(TrainerCallback):
    """Does a step only when told to, and measures it; stands last among the callbacks."""

    def __init__(self, partner: Connection, finish: Callable[[], object] = lambda: None) -> None:
        """
        Args:
            partner: says when, and hears of each step that is done.
            finish: what belongs to a step and may still be going on at its end.
        """
        self.work = Work()
        self._partner = partner
        self._finish = finish
        self._began: tuple[float, float] | None = None

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._end_step()
        self._partner.send("ready")
        self._partner.recv()
        self._began = (time.perf_counter(), time.process_time())

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if "loss" in logs:
            self.work.losses.append(logs["loss"])
            self.work.tokens.append(logs["num_tokens"])

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self._end_step()

    def _end_step(self) -> None:
        if self._began is not None:
            self._finish()
            self.work.clock_s.append(time.perf_counter() - self._began[0])
            self.work.processor_s.append(time.process_time() - self._began[1])


def main(
    pairs: Annotated[int, typer.Option(help="pairs of processes")] = 3,
    steps: Annotated[int, typer.Option(help="steps of each")] = 30,
    sampling: Annotated[str, typer.Option(help="how ours draws its problems: uniform or pools")] = "uniform",
    decoding: Annotated[str, typer.Option(help="how ours decodes: transformers or own")] = "transformers",
) -> None:
    """What a step takes: our trainer with its store and its decoding against bare TRL on the demo preset, in turns."""
    print(f"machine load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    clock: list[float] = []
    processor: list[float] = []
    config = load_preset("demo", [f"max_steps={steps}", f"save_steps={steps}", f"sampling={sampling}"])
    drawn = _drawn(config) if sampling == "pools" else []
    for pair in range(pairs):
        bare, ours = _take_turns(config, drawn, _OURS[decoding])
        _check_same_work(bare, ours)
        # The last step saves a checkpoint.
        measured = range(WARM_UP_STEPS, steps - 1)
        clock += [ours.clock_s[step] / bare.clock_s[step] for step in measured]
        processor += [ours.processor_s[step] / bare.processor_s[step] for step in measured]
        print(
            f"pair {pair + 1}: bare TRL {median(bare.clock_s):.3f} s a step, with the ledger {median(ours.clock_s):.3f}; "
            f"processor {median(bare.processor_s):.3f} and {median(ours.processor_s):.3f}; "
            f"{bare.trainable:,} trainable parameters, {bare.tokens[-1]:,.0f} tokens and equal losses on both sides",
            flush=True,
        )
    print(f"machine load after: {os.getloadavg()[0]:.1f}")
    print(f"clock: {_described(clock)}")
    print(f"processor time: {_described(processor)}")
    goal = GOALS[decoding]
    print(
        f"ratio to the goal of {goal}: {median(clock) / goal:.3f} by the clock, {median(processor) / goal:.3f} by the processor"
    )


def _described(ratios: list[float]) -> str:
    low, _, high = quantiles(ratios, n=4)
    return f"ratio {median(ratios):.3f} (median of {len(ratios)} pairs of steps; half of them between {low:.3f} and {high:.3f})"


def _check_same_work(bare: Work, ours: Work) -> None:
    assert bare.trainable == ours.trainable, f"{bare.trainable:,} and {ours.trainable:,} trainable parameters"
    assert bare.tokens == ours.tokens, f"unlike numbers of tokens: {bare.tokens} and {ours.tokens}"
    unlike = [
        step for step, pair in enumerate(zip(bare.losses, ours.losses, strict=True), 1) if not math.isclose(*pair, abs_tol=1e-6)
    ]
    assert not unlike, f"unlike losses in the steps {unlike}"


def _drawn(config: RunConfig) -> list[str]:
    """The problems that ours chooses, in the order of the groups that learn from them."""
    rollouts: list[Rollout] = []
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        engine, loaded, data = load(config, load_problems("demo"))
        trainer = make_trainer(config, engine, loaded, data, Path(scratch), rollouts.extend, Stopwatch())
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [group.problem_id for group in groups_of(rollouts)]


def _take_turns(config: RunConfig, drawn: list[str], ours: "Side") -> list[Work]:
    """What bare TRL and our trainer did.

    Args:
        drawn: the problems that bare TRL is given, in order; its own order where there are none.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        sides = []
        for train in (_bare, ours):
            here, there = context.Pipe()
            process = context.Process(target=_run, args=(train, config, drawn, scratch, there), daemon=True)
            process.start()
            there.close()  # so that a process that fails ends the waiting for it
            stack.callback(process.join)
            stack.callback(process.terminate)
            sides.append(here)
        said: dict[Connection, Any] = {side: side.recv() for side in sides}
        for step in range(config.max_steps):
            for side in sides if step % 2 == 0 else reversed(sides):
                side.send("go")
                said[side] = side.recv()
        return [said[side] for side in sides]


Side = Callable[[RunConfig, list[str], Home, Connection], Work]


def _run(train: Side, config: RunConfig, drawn: list[str], scratch: str, partner: Connection) -> None:
    """One side, in its own process: says that it is ready for each step, and in the end what it did."""
    with contextlib.redirect_stdout(io.StringIO()):
        work = train(config, drawn, Home.from_environment({"GRPO_ATLAS_HOME": scratch}), partner)
    partner.send(work)


def _bare(config: RunConfig, drawn: list[str], home: Home, partner: Connection) -> Work:
    engine, loaded, data = load(config, load_problems("demo"))
    del loaded.model.generate  # what ours decodes with; transformers' own is bare TRL's
    trainer_class, config_class = engine.trainer_classes()
    turns = Turns(partner)
    args = _trl_config(config, config_class, data.max_length, home.runs / "bare")
    rows = data.rows
    if drawn:
        places = {problem_id: place for place, problem_id in enumerate(rows["problem_id"])}
        rows, args.shuffle_dataset = rows.select([places[problem_id] for problem_id in drawn]), False
    trainer: Any = trainer_class(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        peft_config=loaded.adapter,
        args=args,
        train_dataset=rows,
        reward_funcs=[_trl_reward(REWARDS[name], config, data.problems) for name in config.reward_weights],
        callbacks=[turns],
    )
    return _train(trainer, turns)


def _ours(config: RunConfig, drawn: list[str], home: Home, partner: Connection) -> Work:
    return _with_ledger(config, home, partner, own_decoding=True)


def _ours_decoding_as_transformers(config: RunConfig, drawn: list[str], home: Home, partner: Connection) -> Work:
    return _with_ledger(config, home, partner, own_decoding=False)


_OURS: dict[str, "Side"] = {"own": _ours, "transformers": _ours_decoding_as_transformers}


def _with_ledger(config: RunConfig, home: Home, partner: Connection, *, own_decoding: bool) -> Work:
    store = Store.open(home.store_url)
    job, _ = store.create_job("train", "demo", {})
    with job_process(store, job.id) as process:
        process.begin()
        engine, loaded, data = load(config, load_problems("demo"))
        if not own_decoding:
            del loaded.model.generate
        folder = home.runs / job.id
        with Watch(store, process.job, folder, config.stops_on, {}) as watch, Recorder(store, job.id, folder) as recorder:
            turns = Turns(partner, recorder.flush)
            stopwatch = Stopwatch()
            measured = GpuCallback(ALONE.gather), StepTimesCallback(ALONE.gather, stopwatch)
            link = StoreCallback(process, recorder, config.save_total_limit, measured, watch)
            callbacks = [*measured, link, turns]
            trainer = make_trainer(config, engine, loaded, data, folder, recorder.add_rollouts, stopwatch, callbacks)
            work = _train(trainer, turns)
    rollouts = len(store.rollouts(job.id))
    assert rollouts == config.completions_per_step * config.max_steps, f"{rollouts} completions are on record"
    return work


def _train(trainer: Any, turns: Turns) -> Work:
    trainer.remove_callback(PrinterCallback)
    turns.work.trainable = sum(weights.numel() for weights in trainer.model.parameters() if weights.requires_grad)
    trainer.train()
    return turns.work


if __name__ == "__main__":
    typer.run(main)
