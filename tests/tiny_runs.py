"""Runs of seconds in this process: TRL on the demo model, with hot sampling and a reward that differs between completions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from training.config import RunConfig, SftConfig, StageConfig
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.groups import Rollout
from training.home import Home
from training.jobs.job_process import job_process
from training.jobs.train.grpo import make_trainer
from training.jobs.train.job import JOB_OF
from training.jobs.train.ledger_trainer import Record
from training.jobs.train.stage import load, train
from training.jobs.train.stopwatch import Stopwatch
from training.rewards import REWARDS
from training.store import Job, Store

TINY = RunConfig(
    model="demo",
    source="demo",
    max_steps=2,
    num_generations=2,
    per_device_train_batch_size=4,
    max_completion_length=12,
    temperature=2.0,
    learning_rate=1e-3,
    rewards={"integer": 1.0},
    save_steps=2,
)
"""To be used under `rewarding_length`, for the demo model answers nothing in 12 tokens."""

TINY_SFT = SftConfig(
    model="demo",
    source="demo",
    max_steps=2,
    per_device_train_batch_size=2,
    max_completion_length=160,
    learning_rate=1e-3,
    save_steps=2,
)


NO_SYSTEM_TURN = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template as Gemma 2 has it."""


def tiny(**changes: Any) -> RunConfig:
    return RunConfig.model_validate(TINY.model_dump() | changes)


def tiny_sft(**changes: Any) -> SftConfig:
    return SftConfig.model_validate(TINY_SFT.model_dump() | changes)


def few_problems() -> ProblemSet:
    """Six train problems, and four test problems of the demo."""
    demo = load_problems("demo")
    return replace(demo, problems=(*demo.of_split("train")[:6], *demo.of_split("test")[:4]))


@contextmanager
def rewarding_length() -> Iterator[None]:
    """The integer reward scores lengths meanwhile, and sums are made in one order, so that equal runs are equal bit by bit."""
    kept, threads = REWARDS["integer"], torch.get_num_threads()
    REWARDS["integer"] = replace(kept, function=lambda completion, gold: len(completion) % 5 / 10, reads_form=False)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        REWARDS["integer"] = kept


def run_to_the_end(store: Store, home: Home, config: StageConfig, problem_set: ProblemSet | None = None) -> Job:
    """A new run as its own process would do it."""
    job_id = store.create_job(JOB_OF[config.stage].kind, "tiny", config.model_dump(mode="json"), total=config.max_steps)[0].id
    return go_on(store, home, job_id, config, problem_set)


def go_on(store: Store, home: Home, job_id: str, config: StageConfig, problem_set: ProblemSet | None = None) -> Job:
    """The process of a run that waits for one."""
    with job_process(store, job_id) as process:
        process.begin()
        train(config, problem_set or few_problems(), process, home.job_folder(job_id))
    return store.job(job_id)


def whole_and_resumed(config: RunConfig, home: Home) -> tuple[list[Rollout], list[Rollout]]:
    """The ledger of a whole run of four steps, and that of steps 3 and 4 resumed from its checkpoint of step 2."""
    config = config.model_copy(update={"max_steps": 4, "save_steps": 2})
    whole: list[Rollout] = []
    resumed: list[Rollout] = []
    trainer = trainer_of(config, home, whole.extend)
    trainer.train()
    trainer_of(config, home, resumed.extend).train(resume_from_checkpoint=f"{trainer.args.output_dir}/checkpoint-2")
    return whole, resumed


def trainer_of(config: RunConfig, home: Home, record: Record = lambda rollouts: None) -> Any:
    """TRL's trainer of a run, ready to train, without a store."""
    engine, loaded, data = load(config, few_problems())
    return make_trainer(config, engine, loaded, data, home.runs / "trainer", record, Stopwatch())
