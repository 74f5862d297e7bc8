"""The story of a training run, whatever it learns from: from the model to the last evaluation, everything on record.

Reads top to bottom: `train` is the story, `follow` that of a run's other processes; below them what the stages share of TRL.
What is particular to a stage is its `Stage`. The configuration is checked elsewhere, and `jobs.job_process` records how it all
ends.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from transformers import TrainerCallback, set_seed

from training.alerts.configuration import Channel
from training.config import StageConfig, StageName
from training.data.problem import ProblemSet
from training.engines import Engine, Loaded, engine_named, hugging_face
from training.groups import Rollout
from training.jobs.job_process import JobProcess, StopRequested
from training.jobs.train.gpu_metrics import GpuCallback
from training.jobs.train.outbox import deliver_left_behind
from training.jobs.train.ranks import ALONE, FollowCallback, LeadCallback, Ranks
from training.jobs.train.recorder import Recorder
from training.jobs.train.run_evaluation import EvaluationCallback, RunEvaluator, completer, preserved_randomness
from training.jobs.train.step_times import StepTimesCallback
from training.jobs.train.stopwatch import Stopwatch
from training.jobs.train.store_callback import StoreCallback
from training.jobs.train.watch import Watch
from training.models.checkpoints import check_model, checkpoint_to_resume, delete_unrecorded, keep_newest, on_this_disk
from training.models.uploads import uploading
from training.shares import share_of
from training.text import count


class StageData(Protocol):
    """What there is to train on."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """Why, as in "for their prompts' length" -> how many train problems are left out for it."""

    @property
    def max_length(self) -> int:
        """The longest prompt of training or evaluation together with the longest completion, in tokens."""


class MakeTrainer(Protocol):
    """The engine's trainer of a stage; rollouts go to `record`, checkpoints to `folder`, times to `stopwatch`."""

    def __call__(
        self,
        config: Any,
        engine: Engine,
        loaded: Loaded,
        data: Any,
        folder: Path,
        record: Callable[[list[Rollout]], None],
        stopwatch: Stopwatch,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> Any: ...


@dataclass(frozen=True)
class Stage:
    """What is particular to a stage of training."""

    read: Callable[[Any, ProblemSet, Any], StageData]
    """(configuration, problems, tokenizer) -> what there is to train on."""
    make_trainer: MakeTrainer


_STAGES: Mapping[StageName, str] = {"grpo": "training.jobs.train.grpo:GRPO", "sft": "training.jobs.train.sft:SFT"}


def stage_named(name: StageName) -> Stage:
    """The stage, whose module imports TRL."""
    module, _, attribute = _STAGES[name].partition(":")
    return cast(Stage, getattr(import_module(module), attribute))


def train(
    config: StageConfig,
    problem_set: ProblemSet,
    process: JobProcess,
    folder: Path,
    ranks: Ranks = ALONE,
    channels: Mapping[str, Channel] | None = None,
) -> None:
    """Run or resume a training run: evaluate, train to `max_steps` or a stop request, evaluate again.

    Checkpoints go to `folder`. After a stop the second evaluation is left out. Of several processes the first one calls
    this, and the others `follow`.

    Args:
        channels: who is told of what the doctor finds meanwhile.

    Raises:
        CheckpointError: the latest checkpoint is gone or damaged, or one cannot be saved.
        ArtefactError: the checkpoint was uploaded and cannot be fetched, or `GRPO_ATLAS_ARTEFACTS` cannot be used.
        StoreError: the store takes no more.
    """
    store, job_id = process.store, process.job.id
    patiently = process.patiently
    patiently(lambda: deliver_left_behind(store, job_id, folder))
    latest = patiently(lambda: checkpoint_to_resume(store, job_id, folder=folder))
    begin = latest.step if latest else 0
    resumed = patiently(lambda: on_this_disk(store, job_id, latest, folder)) if latest else None
    patiently(lambda: store.truncate(job_id, after_step=begin))
    patiently(lambda: delete_unrecorded(store, job_id, folder))
    ranks.tell(resumed)
    process.progress(begin, config.max_steps, "loading the model", "loading")
    engine, loaded, data = load(config, problem_set)

    recorder = patiently(lambda: Recorder(store, job_id, folder, give_up=lambda: process.signalled))
    watch = Watch(store, process.job, folder, config.stops_on, channels or {})
    with uploading(store, job_id, config.save_total_limit) as uploads, watch, recorder:
        stopwatch = Stopwatch()
        measured = GpuCallback(ranks.gather), StepTimesCallback(ranks.gather, stopwatch)
        callback = StoreCallback(process, recorder, config.save_total_limit, measured, watch, uploads)
        own_share = share_of(config, ranks.count)
        make_trainer = stage_named(config.stage).make_trainer
        trainer = make_trainer(own_share, engine, loaded, data, folder, recorder.add_rollouts, stopwatch, [*measured, callback])
        complete = ranks.sharing(completer(engine, trainer, loaded.tokenizer))
        evaluator = RunEvaluator(config, problem_set, process, complete)
        trainer.add_callback(EvaluationCallback(evaluator))
        trainer.add_callback(LeadCallback(ranks))
        with ranks.helped():
            if latest is None and config.evaluate_before:
                evaluator.evaluate("before", 0, "before training")
        process.progress(begin, config.max_steps, "training", "training")
        trainer.train(resume_from_checkpoint=resumed)
        step = trainer.state.global_step
        if uploads is not None:
            process.progress(step, config.max_steps, "uploading the last checkpoint")

    if uploads is None:
        patiently(lambda: keep_newest(store, job_id, config.save_total_limit, folder))
    else:
        uploads.finish()
    not_uploaded = f"; {uploads.problem}" if uploads is not None and uploads.problem else ""
    if step < config.max_steps:
        at = f"at step {step} of {config.max_steps}, checkpoint saved{not_uploaded}"
        process.reason = f"stopped {at}; {watch.reason}" if watch.reason else f"stopped on request {at}"
        raise StopRequested
    with ranks.helped():
        if config.evaluate_after:
            evaluator.evaluate("after", step, "after training")
    process.progress(step, config.max_steps, "done")
    process.reason = ", ".join([f"all {step} steps done", *left_out_words(data.left_out)]) + not_uploaded


def follow(config: StageConfig, problem_set: ProblemSet, folder: Path, ranks: Ranks) -> None:
    """What every process but the first does of a run on several: train along, complete its share of prompts, record nothing.

    Raises:
        AtlasError: as `train`.
    """
    resumed = ranks.hear()
    engine, loaded, data = load(config, problem_set)
    own_share = share_of(config, ranks.count)
    make_trainer = stage_named(config.stage).make_trainer
    stopwatch = Stopwatch()
    measured = [GpuCallback(ranks.gather), StepTimesCallback(ranks.gather, stopwatch)]
    trainer = make_trainer(own_share, engine, loaded, data, folder, lambda rollouts: None, stopwatch, measured)
    complete = completer(engine, trainer, loaded.tokenizer)

    def randomness() -> AbstractContextManager[None]:
        return preserved_randomness(config.seed + ranks.index)  # else several completions of one problem could be one

    trainer.add_callback(FollowCallback(lambda: ranks.help_out(complete, randomness)))
    if ranks.help_out(complete, randomness).stop:
        return
    trainer.train(resume_from_checkpoint=resumed)
    if trainer.state.global_step == config.max_steps:
        ranks.help_out(complete, randomness)


def load(config: StageConfig, problem_set: ProblemSet) -> tuple[Engine, Loaded, Any]:
    """The engine, the model that it loaded, and what there is to train on, as the stage reads it.

    Raises:
        ModelError: the model cannot be loaded, or has no layer of a name in `lora_targets`.
        CheckpointError: the model is a run's checkpoint and damaged.
        ConfigError: the settings do not work together on this machine, or leave no problem to train on.
        SourceError: there are no train problems.
    """
    engine = engine_named(config.engine)
    check_model(config.model)
    set_seed(config.seed)  # before there is an adapter: TRL draws its first weights ahead of its own seeding
    tokenizer = hugging_face.load_tokenizer(config.model, config.chat_template)
    data = stage_named(config.stage).read(config, problem_set, tokenizer)
    for line in left_out_words(data.left_out):
        print(line, flush=True)
    return engine, engine.load_for_training(config, data.max_length), data


def left_out_words(left_out: Mapping[str, int]) -> list[str]:
    """`3 problems left out for their prompts' length`."""
    return [f"{count(number, 'problem')} left out {why}" for why, number in left_out.items() if number]


def trl_settings(config: StageConfig, folder: Path) -> dict[str, Any]:
    """What TRL's configurations of all stages are given; settings that are not named keep TRL's defaults."""
    on_gpu = torch.cuda.is_available()
    dtype = hugging_face.calculation_dtype(config.precision)
    return {
        "output_dir": str(folder),
        "max_steps": config.max_steps,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "optim": config.optim,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.lr_scheduler_type,
        "warmup_steps": math.ceil(config.warmup_ratio * config.max_steps),
        "weight_decay": config.weight_decay,
        "adam_beta1": config.adam_beta1,
        "adam_beta2": config.adam_beta2,
        "max_grad_norm": config.max_grad_norm,
        "save_steps": config.save_steps,
        "seed": config.seed,
        "logging_steps": 1,
        "report_to": "wandb" if config.wandb else "none",
        "use_cpu": not on_gpu,
        "ddp_backend": "gloo" if torch.distributed.is_initialized() and not on_gpu else None,
        "bf16": dtype == torch.bfloat16,
        "fp16": dtype == torch.float16,
        "gradient_checkpointing": config.gradient_checkpointing,
        "disable_tqdm": True,
    }


def learn_in_float32(trainer: Any) -> None:
    """Keep what is trained in float32: TRL has the adapter of a 4-bit model in bfloat16, in which small updates are lost."""
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
