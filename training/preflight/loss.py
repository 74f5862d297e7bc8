"""Checks of what a run learns by: what TRL only says in its log, and settings that do nothing beside the others."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.config import RunConfig
from training.config.losses import CLIPPED
from training.preflight.subject import Finding, Subject
from training.settings import SETTINGS, missed
from training.text import agree, words_listed

_WEIGHED_BY_LENGTH = ("dr_grpo", "dapo", "bnpo", "cispo")
"""Losses that sum what each token adds, so that the ratio of a whole completion counts as often as it has tokens."""

_DEFAULTS: Mapping[str, Any] = {name: field.default for name, field in RunConfig.model_fields.items()}


def check_loss(subject: Subject) -> Iterator[Finding]:
    """Losses against what limits them; what TRL warns of in its log, and what a paper has otherwise."""
    config = subject.config
    if config.method != "grpo":
        return
    of_sequence = config.importance_sampling_level == "sequence"
    if of_sequence and config.loss_type in _WEIGHED_BY_LENGTH:
        yield Finding(
            "warning",
            "loss_type",
            f"importance_sampling_level = sequence with loss_type = {config.loss_type} weighs each completion by its length, "
            "which GSPO does not.",
            "Set loss_type=grpo, as GSPO has it (arXiv 2507.18071), or importance_sampling_level=token.",
        )
    if config.loss_type == "luspo" and not of_sequence:
        yield Finding(
            "warning",
            "importance_sampling_level",
            "loss_type = luspo is a loss of whole completions, and importance_sampling_level = token.",
            "Set importance_sampling_level=sequence, as LUSPO has it (arXiv 2602.05261).",
        )
    if config.loss_type == "vespo" and of_sequence:
        yield Finding(
            "warning",
            "importance_sampling_level",
            "loss_type = vespo takes the ratio of whole completions by itself; importance_sampling_level = sequence is not for "
            "it.",
            "Set importance_sampling_level=token.",
        )
    yield from _clipping(config)
    if config.loss_type == "dr_grpo" and config.credit.scale_rewards == "group":
        yield Finding(
            "note",
            "scale_rewards",
            "loss_type = dr_grpo is one half of Dr. GRPO: scale_rewards = group still divides by each group's deviation.",
            "Set scale_rewards=none, as Dr. GRPO has it (arXiv 2503.20783).",
        )
    if config.multi_objective_aggregation == "normalize_then_sum" and len(config.reward_weights) == 1:
        yield Finding(
            "note",
            "multi_objective_aggregation",
            "multi_objective_aggregation = normalize_then_sum keeps reward functions apart, and there is one.",
            "Set multi_objective_aggregation=sum_then_normalize, or give further functions a weight.",
        )


def _clipping(config: RunConfig) -> Iterator[Finding]:
    upper = config.epsilon_high or config.epsilon
    if config.loss_type == "cispo" and upper < 1:
        yield Finding(
            "warning",
            "epsilon_high",
            f"loss_type = cispo caps the ratio at epsilon_high itself: at {upper:g} no token has its full weight.",
            "Set epsilon_high=5, as ScaleRL has it (arXiv 2510.13786).",
        )
    if config.loss_type in CLIPPED and 0 < config.delta <= 1 + upper:
        yield Finding(
            "warning",
            "delta",
            f"delta = {config.delta:g} is not above {1 + upper:g}, where clipping begins, so it limits good completions too.",
            "Set delta=4, say, as INTELLECT-2 has it (arXiv 2505.07291).",
        )


def check_idle(subject: Subject) -> Iterator[Finding]:
    """Settings that were changed and have nothing to do beside the others."""
    values = subject.config.model_dump()
    by_reason: dict[str, list[str]] = {}
    for name in SETTINGS:
        if values[name] != _DEFAULTS[name] and (reason := _reason(name, subject.config, values)):
            by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield Finding(
            "note",
            names[0],
            f"{words_listed(names)} {agree(len(names), 'does', 'do')} nothing {reason}.",
            f"Change that, or leave {agree(len(names), 'it', 'them')} at the default.",
        )


def _reason(name: str, config: RunConfig, values: Mapping[str, Any]) -> str:
    """With or without what a setting does nothing, in words; empty where it does something."""
    if (what := missed(name, values)) is not None:
        return f"without {_need(*what)}"
    if name in _not_clipped(config):
        return f"with loss_type = {config.loss_type}, which does not clip there"
    if name in _of_the_ratio(config):
        return "with num_iterations = 1: the policy that learns is the one that wrote, and the ratio of their probabilities 1"
    return ""


def _need(needed: str, wanted: tuple[Any, ...]) -> str:
    """`loss_type = sapo`, `use_vllm = true`, `beta above 0`."""
    if wanted:
        *others, last = wanted
        return f"{needed} = {', '.join(others)} or {last}" if others else f"{needed} = {last}"
    return f"{needed} = true" if isinstance(_DEFAULTS[needed], bool) else f"{needed} above 0"


def _not_clipped(config: RunConfig) -> tuple[str, ...]:
    """What limits the ratio and the loss passes over."""
    if config.method != "grpo" or config.loss_type in CLIPPED:
        return ()
    return ("epsilon",) if config.loss_type == "cispo" else ("epsilon", "epsilon_high")


def _of_the_ratio(config: RunConfig) -> tuple[str, ...]:
    """What needs a ratio other than 1, where there is none."""
    if config.num_iterations > 1:
        return ()
    loss = config.loss_type if config.method == "grpo" else ""
    acting = {
        "epsilon_high": loss == "cispo",
        "importance_sampling_level": loss == "luspo",  # which asks for it
        "off_policy_mask_threshold": config.use_vllm,
    }
    return ("epsilon", "delta", *(name for name, acts in acting.items() if not acts))
