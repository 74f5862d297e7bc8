"""What is particular to GRPO and RLOO: the engine's trainer with the run's rewards and a complete ledger, what TRL calls of it.

The story around it is `training.jobs.train.stage`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from accelerate.utils import set_seed
from transformers import TrainerCallback

from training.config import RunConfig
from training.engines import Engine, Loaded, hugging_face, vllm_on_cpu
from training.errors import ConfigError
from training.groups import Method
from training.jobs.train.ledger_trainer import CARRIED, VERIFIED, Record, ledger_trainer_class
from training.jobs.train.rounds import Choice
from training.jobs.train.stage import Stage, learn_in_float32, trl_settings
from training.jobs.train.stopwatch import Stopwatch
from training.jobs.train.training_data import TrainingData, training_data
from training.prior import kept_prior
from training.rewards import REWARDS, Reward, Row, verifier_named
from training.rewards.forms import form_named
from training.rewards.rows import with_tokens
from training.sampling.draw import ProblemDraw, Rules


def make_trainer(
    config: RunConfig,
    engine: Engine,
    loaded: Loaded,
    data: TrainingData,
    folder: Path,
    record: Record,
    stopwatch: Stopwatch,
    callbacks: Sequence[TrainerCallback] = (),
) -> Any:
    """The engine's trainer of the run's method; every step's rollouts go to `record`, its times to `stopwatch`."""
    carrier, *others = config.reward_weights
    trainer_class, config_class = engine.trainer_classes(config.method)
    ends = hugging_face.eos_token_ids(loaded.model, loaded.tokenizer)
    if config.use_vllm and vllm_on_cpu.is_installed():
        vllm_on_cpu.adapt_trl()
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
        stopwatch=stopwatch,
        verifier=config.verifier,
        credit=config.credit,
        choice=_choice(config, data, folder),
    )
    learn_in_float32(trainer)
    if config.use_vllm:
        set_seed(config.seed, device_specific=True)  # as TRL did before vLLM seeded this process anew, the same for every run
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
        config.pool_limits,
        config.pool_warmup_steps,
    )
    draw = ProblemDraw(ids, rules, verifier_named(config.verifier), config.seed, kept_prior(folder))
    return Choice(draw, config.dynamic_sampling_rounds)


def _trl_config(config: RunConfig, config_class: Any, max_length: int, folder: Path) -> Any:
    """The engine's configuration of the run's method; settings that are not named here keep TRL's defaults."""
    trl_config = config_class(
        **trl_settings(config, folder),
        num_generations=config.num_generations,
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


GRPO = Stage(training_data, make_trainer)
