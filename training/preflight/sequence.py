"""Checks of two stages in a row: whether the second can begin with what the first leaves, and asks what that was taught."""

from collections.abc import Iterator
from dataclasses import replace

from training.config import StageConfig
from training.preflight import Preflight, in_order
from training.preflight.subject import Finding

_PROMPT = ("system_prompt", "system_turn", "answer_form")


def with_sequence(found: Preflight, first: StageConfig, then: StageConfig) -> Preflight:
    """The second stage's preflight with what there is to say of the two together."""
    return replace(found, findings=in_order([*found.findings, *check_sequence(first, then)]))


def check_sequence(first: StageConfig, then: StageConfig) -> Iterator[Finding]:
    """What two stages in a row do not go together in."""
    needs_whole = "engine" if then.engine == "unsloth" else "load_in_4bit" if then.load_in_4bit else ""
    if first.lora_rank and needs_whole:
        asked = "engine = unsloth" if needs_whole == "engine" else "load_in_4bit = true"
        yield Finding(
            "error",
            needs_whole,
            f"The first stage leaves an adapter (lora_rank = {first.lora_rank}), and {asked} begins with a whole model.",
            "Set lora_rank=0 in the first stage, or "
            f"{'engine=transformers' if needs_whole == 'engine' else 'load_in_4bit=false'} in the second.",
            certain=True,
        )
    if differing := [name for name in _PROMPT if getattr(first, name) != getattr(then, name)]:
        yield Finding(
            "warning",
            differing[0],
            f"The second stage asks otherwise than the first one taught: {', '.join(differing)} "
            f"{'differs' if len(differing) == 1 else 'differ'}.",
            "Set them alike in both, unless that is meant.",
        )
    if first.chat_template == "model" and then.chat_template != "model":
        yield Finding(
            "warning",
            "chat_template",
            f"The first stage is taught with the model's own chat template, and the second asks by chat_template = "
            f"{then.chat_template}.",
            "Set chat_template alike in both, unless that is meant.",
        )
