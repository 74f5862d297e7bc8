"""The training process: one run of TRL's GRPO or RLOO, from the model to the last evaluation, everything on record.

Reads top to bottom: `train` is the story; below it the parts that TRL calls. The configuration is checked elsewhere, and
`jobs.job_process` records how it all ends.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers import TrainerCallback, set_seed

from training.config import RunConfig
from training.data.problem import ProblemSet
from training.engines import Engine, Loaded, engine_named, hugging_face
from training.errors import ConfigError
from training.groups import Method
from training.jobs.job_process import JobProcess, StopRequested
from training.jobs.train.gpu_metrics import GpuCallback
from training.jobs.train.ledger_trainer import CARRIED, VERIFIED, Record, ledger_trainer_class
from training.jobs.train.outbox import deliver_left_behind
from training.jobs.train.ranks import ALONE, FollowCallback, LeadCallback, Ranks
from training.jobs.train.recorder import Recorder
from training.jobs.train.rounds import Choice
from training.jobs.train.run_evaluation import EvaluationCallback, RunEvaluator, completer, preserved_randomness
from training.jobs.train.store_callback import StoreCallback
from training.jobs.train.training_data import TrainingData, training_data
from training.models.checkpoints import check_model, checkpoint_to_resume, delete_unrecorded, keep_newest, on_this_disk
from training.models.uploads import uploading
from training.prior import kept_prior
from training.rewards import REWARDS, Reward, Row, verifier_named
from training.rewards.forms import form_named
from training.rewards.rows import with_tokens
from training.sampling.draw import ProblemDraw, Rules
from training.sampling.pools import Limits
from training.shares import share_of


def train(config: RunConfig, problem_set: ProblemSet, process: JobProcess, folder: Path, ranks: Ranks = ALONE) -> None:
    """Run or resume a training run: evaluate, train to `max_steps` or a stop request, evaluate again.

    Checkpoints go to `folder`. After a stop the second evaluation is left out. Of several processes the first one calls
    this, and the others `follow`.

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
    with uploading(store, job_id, config.save_total_limit) as uploads, recorder:
        gpus = GpuCallback(ranks.gather)
        callback = StoreCallback(process, recorder, config.save_total_limit, gpus, uploads)
        own_share = share_of(config, ranks.count)
        trainer = make_trainer(own_share, engine, loaded, data, folder, recorder.add_rollouts, [gpus, callback])
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
        process.reason = f"stopped on request at step {step} of {config.max_steps}, checkpoint saved{not_uploaded}"
        raise StopRequested
    with ranks.helped():
        if config.evaluate_after:
            evaluator.evaluate("after", step, "after training")
    process.progress(step, config.max_steps, "done")
    left_out = f", {data.left_out:,} problems left out for their prompts' length" if data.left_out else ""
    process.reason = f"all {step} steps done{left_out}{not_uploaded}"


def follow(config: RunConfig, problem_set: ProblemSet, folder: Path, ranks: Ranks) -> None:
    """What every process but the first does of a run on several: train along, complete its share of prompts, record nothing.

    Raises:
        AtlasError: as `train`.
    """
    resumed = ranks.hear()
    engine, loaded, data = load(config, problem_set)
    own_share = share_of(config, ranks.count)
    trainer = make_trainer(own_share, engine, loaded, data, folder, lambda rollouts: None, [GpuCallback(ranks.gather)])
    complete = completer(engine, trainer, loaded.tokenizer)

    def randomness() -> AbstractContextManager[None]:
        return preserved_randomness(config.seed + ranks.index)  # else several completions of one problem could be one

    trainer.add_callback(FollowCallback(lambda: ranks.help_out(complete, randomness)))
    if ranks.help_out(complete, randomness).stop:
        return
    trainer.train(resume_from_checkpoint=resumed)
    if trainer.state.global_step == config.max_steps:
        ranks.help_out(complete, randomness)


def load(config: RunConfig, problem_set: ProblemSet) -> tuple[Engine, Loaded, TrainingData]:
    """The engine, the model that it loaded, and what there is to train on.

    Raises:
        ModelError: the model cannot be loaded, or has no layer of a name in `lora_targets`.
        CheckpointError: the model is a run's checkpoint and damaged.
        ConfigError: the settings do not work together on this machine, or leave no problem to train on.
        SourceError: there are no train problems.
    """
    engine = engine_named(config.engine)
    check_model(config.model)
    set_seed(config.seed)  # before there is an adapter: TRL draws its first weights ahead of its own seeding
    data = training_data(config, problem_set, hugging_face.load_tokenizer(config.model, config.chat_template))
    if data.left_out:
        print(f"{data.left_out:,} problems left out: prompts of more than {config.max_prompt_length:,} tokens", flush=True)
    return engine, engine.load_for_training(config, data.max_length), data


def make_trainer(
    config: RunConfig,
    engine: Engine,
    loaded: Loaded,
    data: TrainingData,
    folder: Path,
    record: Record,
    callbacks: Sequence[TrainerCallback] = (),
) -> Any:
    """The engine's trainer of the run's method; every step's rollouts go to `record`, checkpoints to `folder`."""
    carrier, *others = config.reward_weights
    trainer_class, config_class = engine.trainer_classes(config.method)
    ends = hugging_face.eos_token_ids(loaded.model, loaded.tokenizer)
    trainer = ledger_trainer_class(trainer_class)(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        peft_config=loaded.adapter,
        args=_trl_config(config, config_class, data.max_length, folder),
        train_dataset=data.rows,
        reward_funcs=[
            _trl_reward(REWARDS[carrier], config, data.problems, _carry(config, data.problems, ends)),
            *(_trl_reward(REWARDS[name], config, data.problems) for name in others),
        ],
        callbacks=list(callbacks),
        record=record,
        verifier=config.verifier,
        credit=config.credit,
        choice=_choice(config, data, folder),
    )
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            # TRL keeps the adapter of a 4-bit model in bfloat16, in which small updates are lost.
            parameter.data = parameter.data.float()
    return trainer


def _choice(config: RunConfig, data: TrainingData, folder: Path) -> Choice | None:
    """How the run chooses what it learns from; `None` where TRL's loader has every problem in turn.

    Raises:
        ConfigError: fewer problems are left than a step learns from.
    """
    by_pool = config.sampling == "pools"
    if not by_pool and not config.dynamic_sampling_rounds:
        return None
    ids = list(data.rows["problem_id"])
    if len(ids) < config.groups_per_step:
        raise ConfigError(
            f"A step needs {config.groups_per_step} problems, and there are {len(ids)}.",
            "Make the batch smaller, or use a larger source.",
        )
    rules = Rules(
        config.pool_shares if by_pool else {},
        Limits(config.pool_too_hard_at, config.pool_mastered_at),
        config.pool_warmup_steps,
    )
    draw = ProblemDraw(ids, rules, verifier_named(config.verifier), config.seed, kept_prior(folder))
    return Choice(draw, config.dynamic_sampling_rounds)


def _trl_config(config: RunConfig, config_class: Any, max_length: int, folder: Path) -> Any:
    """The engine's configuration of the run's method; settings that are not named here keep TRL's defaults."""
    on_gpu = torch.cuda.is_available()
    dtype = hugging_face.calculation_dtype(config.precision)
    trl_config = config_class(
        output_dir=str(folder),
        max_steps=config.max_steps,
        num_generations=config.num_generations,
        per_device_train_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        max_completion_length=config.max_completion_length,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        min_p=config.min_p or None,
        use_vllm=config.use_vllm,
        vllm_mode="server" if config.vllm_server else "colocate",
        vllm_server_base_url=config.vllm_server or None,
        vllm_gpu_memory_utilization=config.vllm_gpu_memory_utilization,
        vllm_max_model_length=max_length if config.use_vllm else None,
        num_iterations=config.num_iterations,
        mask_truncated_completions=config.mask_truncated_completions,
        beta=config.beta,
        sync_ref_model=config.sync_ref_model,
        ref_model_mixup_alpha=config.ref_model_mixup_alpha,
        ref_model_sync_steps=config.ref_model_sync_steps,
        epsilon=config.epsilon,
        epsilon_high=config.epsilon_high or config.epsilon,  # given, or Unsloth takes 0.28
        reward_weights=list(config.reward_weights.values()),
        optim=config.optim,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=math.ceil(config.warmup_ratio * config.max_steps),
        weight_decay=config.weight_decay,
        adam_beta1=config.adam_beta1,
        adam_beta2=config.adam_beta2,
        max_grad_norm=config.max_grad_norm,
        save_steps=config.save_steps,
        seed=config.seed,
        logging_steps=1,
        report_to="wandb" if config.wandb else "none",
        use_cpu=not on_gpu,
        ddp_backend="gloo" if torch.distributed.is_initialized() and not on_gpu else None,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        gradient_checkpointing=config.gradient_checkpointing,
        disable_tqdm=True,
        **_OF_METHOD[config.method](config),
    )
    if config.method == "grpo":
        trl_config.scale_rewards = config.scale_rewards  # again, because Unsloth turns it off with dr_grpo
    return trl_config


def _of_grpo(config: RunConfig) -> dict[str, Any]:
    """What GRPOConfig has beside RLOOConfig."""
    under_trls_name = (
        "vllm_importance_sampling_correction",
        "vllm_importance_sampling_mode",
        "loss_type",
        "use_bias_correction_kl",
        "sapo_temperature_pos",
        "sapo_temperature_neg",
        "vespo_k_pos",
        "vespo_lambda_pos",
        "vespo_k_neg",
        "vespo_lambda_neg",
        "importance_sampling_level",
        "top_entropy_quantile",
        "entropy_coef",
        "use_adaptive_entropy",
        "entropy_target",
        "entropy_coef_delta",
        "entropy_coef_min",
        "entropy_coef_max",
        "multi_objective_aggregation",
        "scale_rewards",
    )
    none_is_0 = (
        "vllm_importance_sampling_clip_max",
        "vllm_importance_sampling_clip_min",
        "delta",
        "off_policy_mask_threshold",
    )
    return {name: getattr(config, name) for name in under_trls_name} | {
        name: getattr(config, name) or None for name in none_is_0
    }


def _of_rloo(config: RunConfig) -> dict[str, Any]:
    """What RLOOConfig has beside GRPOConfig."""
    return {"normalize_advantages": config.normalize_advantages}


_OF_METHOD: Mapping[Method, Callable[[RunConfig], dict[str, Any]]] = {"grpo": _of_grpo, "rloo": _of_rloo}


def _trl_reward(
    reward: Reward, config: RunConfig, problems: Mapping[str, Row], carry: Callable[..., None] | None = None
) -> Callable[..., list[float | None]]:
    """A registry entry as TRL calls it: lists of conversational completions in, a list of numbers out."""

    form = form_named(config.answer_form)

    def score(
        completions: list[Any], gold: list[str], problem_id: list[str], completion_ids: list[list[int]], **columns: Any
    ) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        if carry is not None:
            carry(texts, gold, problem_id, completion_ids, **columns)
        return reward.score_all(texts, gold, _rows(config, problems, problem_id, completion_ids), form)

    score.__name__ = reward.name
    return score


def _rows(
    config: RunConfig, problems: Mapping[str, Row], ids: Sequence[str], completion_ids: Sequence[Sequence[int]]
) -> list[Row]:
    """What rewards may know of each completion's problem and length."""
    return [
        with_tokens(problems[problem_id], len(tokens), config.max_completion_length)
        for problem_id, tokens in zip(ids, completion_ids, strict=True)
    ]


def _carry(config: RunConfig, problems: Mapping[str, Row], ends: Sequence[int]) -> Callable[..., None]:
    """Hands each row's problem id, token count and finish reason to TRL's log, where the ledger reads them.

    The verifier's values too, and their mean under the name that TRL gives a reward, where the run is not trained on it.
    """
    form = form_named(config.answer_form)
    judge = None if config.verifier in config.reward_weights else REWARDS[config.verifier]

    def carry(
        completions: list[str],
        gold: list[str],
        problem_id: list[str],
        completion_ids: list[list[int]],
        log_extra: Callable[[str, list[Any]], None],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> None:
        cut = [len(ids) >= config.max_completion_length and ids[-1] not in ends for ids in completion_ids]
        values: tuple[list[Any], ...] = (
            problem_id,
            [len(ids) for ids in completion_ids],
            ["length" if was_cut else "stop" for was_cut in cut],
        )
        for column, rows in zip(CARRIED, values, strict=True):
            log_extra(column, rows)
        if judge is not None:
            verified = judge.score_all(completions, gold, _rows(config, problems, problem_id, completion_ids), form)
            log_extra(VERIFIED, verified)
            if known := [value for value in verified if value is not None]:
                log_metric(f"rewards/{judge.name}/mean", fmean(known))

    return carry
