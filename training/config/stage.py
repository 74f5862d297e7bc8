"""What every stage of training is told, whatever it learns from: the model, the data, the prompt, the size, the evaluations.

What is particular to a stage stands in its own module.
"""

import difflib
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator

from training.config.fields import RECORDED, field
from training.errors import ConfigError, shown
from training.names import NAME_RULE, is_name
from training.prompts import SYSTEM_PROMPT, ChatTemplate, Prompting, SystemTurn
from training.rewards import DEFAULT_VERIFIER, REWARDS
from training.rewards.forms import TAGS, form_named
from training.signal_names import SignalName

_FINDINGS = 8
"""What is wrong with a configuration is told up to so many times."""
_FIELD_CHARACTERS = 60
_ON_RECORD = "on record"

StageName = Literal["grpo", "sft"]
"""What a run does: reinforcement learning from rewards, or supervised fine-tuning on reference solutions."""

EngineName = Literal["transformers", "unsloth"]

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""All seven linear layers of a Llama-like block, on which the article puts its adapters."""


def stage_field(default: Any) -> Any:
    """The setting that tells a stage from the others."""
    return field(
        "Model and data",
        "Stage",
        "What the model learns from: grpo from the rewards of its own completions, sft from the reference solutions, written "
        "as the prompt asks for them.",
        default,
    )


class StageConfig(BaseModel):
    """The settings that all stages share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: str = field(RECORDED, "Preset", "The preset that this configuration started from.", "")
    content_hash: str = field(
        RECORDED,
        "Content hash of the problems",
        "SHA-256 of the problems that the run was launched on, whatever lies there since.",
        "",
    )

    stage: StageName = stage_field(...)
    model: str = field(
        "Model and data",
        "Model",
        'A Hub name, a local folder, a run\'s checkpoint as run:demo-1@40, or "demo" for the demo model that ships with the '
        "program.",
        ...,
        min_length=1,
        simple=True,
    )
    source: str = field(
        "Model and data",
        "Data set",
        "The problems: demo, hub (GSM8K), hub:owner/name, auto, a named source, or a folder or file.",
        "auto",
        min_length=1,
        simple=True,
    )
    subset: str = field(
        "Model and data",
        "Subset",
        "A saved subset to train on, name@version; empty for the whole train split. The test split stays whole.",
        "",
        simple=True,
    )

    system_prompt: str = field(
        "Prompt", "System prompt", "The system turn before every question; empty leaves it out.", SYSTEM_PROMPT
    )
    system_turn: SystemTurn = field(
        "Prompt",
        "Where the system prompt stands",
        "Where the system prompt stands: in a turn of its own, or at the beginning of the user's, for chat templates that "
        "refuse a system turn.",
        "system",
    )
    chat_template: ChatTemplate = field(
        "Prompt",
        "Chat template",
        "How a conversation becomes text: by the model's own template, or plainly as User: ... Assistant: for base models, "
        "which have none.",
        "model",
    )
    answer_form: str = field(
        "Prompt",
        "How answers are marked",
        "How the prompt asks the answer to be marked, and where rewards look for it: tags, boxed, hashes, or "
        "/a regular expression/ whose group is the answer.",
        TAGS.name,
    )

    engine: EngineName = field(
        "Engine and precision",
        "Engine",
        "What loads the model: transformers with PEFT, or Unsloth with its faster kernels for one GPU.",
        "transformers",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = field(
        "Engine and precision",
        "Number format",
        "Number format of the calculation and of frozen weights; weights that are trained are kept in float32. auto is "
        "bfloat16 on a GPU that has it, float16 on another GPU, float32 on a CPU.",
        "auto",
    )
    load_in_4bit: bool = field(
        "Engine and precision",
        "Frozen weights in 4 bits",
        "Keep the frozen weights in 4 bits (bitsandbytes NF4); needs LoRA and a GPU.",
        False,
    )
    gradient_checkpointing: bool = field(
        "Engine and precision",
        "Recompute activations",
        "Calculate activations twice instead of keeping them: less memory, more time.",
        False,
    )

    lora_rank: int = field(
        "Adapter (LoRA)",
        "LoRA rank",
        "Rank of the trained low-rank matrices; 0 trains every weight.",
        0,
        ge=0,
        le=1024,
        none="every weight",
        simple=True,
    )
    lora_alpha: int = field(
        "Adapter (LoRA)", "LoRA scale (alpha)", "The adapter's output is multiplied by alpha / rank.", 32, gt=0, le=4096
    )
    lora_dropout: float = field("Adapter (LoRA)", "LoRA dropout", "Share of the adapter's inputs set to 0.", 0.0, ge=0, lt=1)
    lora_targets: tuple[str, ...] = field(
        "Adapter (LoRA)",
        "Layers with an adapter",
        "The layers that get an adapter, by the end of their names: `up_proj` in all blocks, `layers.3.mlp.up_proj` in one.",
        PROJECTIONS,
        min_length=1,
    )

    max_steps: int = field("Size of the run", "Steps", "Optimiser steps.", 150, unit="steps", ge=1, le=1_000_000, simple=True)
    per_device_train_batch_size: int = field(
        "Size of the run",
        "Completions per device per pass",
        "Completions in one forward and backward pass.",
        32,
        unit="completions",
        ge=1,
        le=4096,
        simple=True,
    )
    gradient_accumulation_steps: int = field(
        "Size of the run", "Passes per step", "Passes before the weights change.", 1, unit="passes", ge=1, le=1024, simple=True
    )
    max_prompt_length: int = field(
        "Size of the run",
        "Longest prompt",
        "Problems whose prompt is longer are left out of training; 0 leaves none out.",
        0,
        unit="tokens",
        ge=0,
        le=131_072,
        none="any length",
    )
    max_completion_length: int = field(
        "Size of the run",
        "Longest completion",
        "Length at which a completion is cut off.",
        200,
        unit="tokens",
        ge=1,
        le=131_072,
        simple=True,
    )

    optim: Literal["adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit"] = field(
        "Optimiser",
        "Optimiser",
        "AdamW in 32 bits, fused for GPUs, or with 8-bit state (bitsandbytes), paged to the CPU's memory.",
        "adamw_torch",
    )
    learning_rate: float = field("Optimiser", "Learning rate", "Peak learning rate.", 5e-6, gt=0, le=1, simple=True)
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = field(
        "Optimiser", "Course of the learning rate", "Course of the learning rate after warm-up.", "cosine"
    )
    warmup_ratio: float = field(
        "Optimiser", "Warm-up, share of steps", "Share of the steps in which the learning rate rises from 0.", 0.0, ge=0, lt=1
    )
    weight_decay: float = field("Optimiser", "Weight decay", "AdamW's weight decay.", 0.0, ge=0, le=1)
    adam_beta1: float = field("Optimiser", "Adam β1", "AdamW's first moment decay.", 0.9, ge=0, lt=1)
    adam_beta2: float = field("Optimiser", "Adam β2", "AdamW's second moment decay.", 0.999, ge=0, lt=1)
    max_grad_norm: float = field(
        "Optimiser", "Gradient norm, at most", "Gradients are clipped to this norm.", 1.0, gt=0, le=1e6
    )

    verifier: str = field(
        "Rewards",
        "An answer is right by",
        "The reward function by which an answer counts as right: pass rates, gained and lost, health and the map go by it, "
        "whether or not the run is trained on it.",
        DEFAULT_VERIFIER,
        min_length=1,
        simple=True,
    )

    evaluation_problems: int = field(
        "Evaluation",
        "Problems to evaluate",
        "Test problems to evaluate, a sample that is the same in every run; 0 evaluates nothing.",
        0,
        unit="problems",
        ge=0,
        le=10_000_000,
        none="none",
        simple=True,
    )
    evaluate_before: bool = field("Evaluation", "Evaluate before training", "Evaluate the model as it starts.", True)
    evaluate_after: bool = field("Evaluation", "Evaluate after training", "Evaluate the trained model.", True)
    evaluation_steps: int = field(
        "Evaluation",
        "Evaluate every N steps",
        "Evaluate also whenever this many steps are done; 0 never.",
        0,
        unit="steps",
        ge=0,
        le=1_000_000,
        none="never",
        simple=True,
    )
    evaluation_temperature: float = field(
        "Evaluation",
        "Temperature of evaluations",
        "Sampling temperature of evaluations; 0 takes the likeliest token.",
        0.0,
        ge=0,
        le=10,
        none="likeliest token",
    )
    evaluation_samples: int = field(
        "Evaluation",
        "Completions per problem in evaluations",
        "Completions of each problem, for pass@k and majority@k.",
        1,
        unit="completions",
        ge=1,
        le=256,
    )

    save_steps: int = field(
        "Checkpoints and records",
        "Checkpoint every N steps",
        "Steps between checkpoints; the last step is always saved.",
        50,
        unit="steps",
        ge=1,
        le=1_000_000,
    )
    save_total_limit: int = field(
        "Checkpoints and records",
        "Checkpoints kept",
        "Checkpoints kept; older ones are deleted.",
        2,
        unit="checkpoints",
        ge=1,
        le=10_000,
    )
    seed: int = field(
        "Checkpoints and records", "Seed", "Seed of adapter weights, data order and sampling.", 42, ge=0, lt=2**32, simple=True
    )
    wandb: bool = field(
        "Checkpoints and records",
        "Log to Weights & Biases",
        "Also log to Weights & Biases: online with a key, else offline into the run's folder.",
        False,
    )

    @field_validator("preset")
    @classmethod
    def _is_name(cls, preset: str) -> str:
        if preset and not is_name(preset):
            raise ValueError(f"a run is called after its preset and cannot be called so. {NAME_RULE}")
        return preset

    @field_validator("model", "source", "subset", "system_prompt")
    @classmethod
    def _has_no_null(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError("holds a null character, which neither a path nor a prompt may")
        return text

    @field_validator("answer_form")
    @classmethod
    def _known_form(cls, name: str) -> str:
        try:
            form_named(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return name

    @field_validator("verifier")
    @classmethod
    def _known_verifier(cls, name: str, info: ValidationInfo) -> str:
        if name not in REWARDS and not is_on_record(info):
            raise ValueError(f"there is no reward function {shown(name)}; there are {', '.join(REWARDS)}")
        return name

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> "StageConfig":
        if self.load_in_4bit and not self.lora_rank:
            raise ValueError("load_in_4bit freezes the weights, so nothing is left to train; set lora_rank, to 32 say")
        if self.evaluation_samples > 1 and self.evaluation_temperature == 0:
            raise ValueError(
                f"evaluation_samples = {self.evaluation_samples} at evaluation_temperature = 0 would be that many times the "
                "same completion; set a temperature above 0, for example 1"
            )
        return self

    @property
    def prompting(self) -> Prompting:
        """How questions are put to the model."""
        return Prompting(self.system_prompt, self.system_turn)

    @property
    def completions_per_step(self) -> int:
        """Completions that one step learns from."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def groups_per_step(self) -> int:
        """Problems in one step."""
        return self.completions_per_step

    @property
    def reward_weights(self) -> dict[str, float]:
        """The reward functions that are trained on."""
        return {}

    @property
    def maximum_reward(self) -> float | None:
        """The highest total a completion can reach, where there is a total."""
        return None

    @property
    def stops_on(self) -> tuple[SignalName, ...]:
        """The doctor's signals on which the run stops by itself."""
        return ()

    @property
    def judges(self) -> frozenset[str]:
        """The reward functions whose values the run cannot do without."""
        return frozenset((*self.reward_weights, self.verifier))


def is_on_record(info: ValidationInfo) -> bool:
    """Whether what is validated is the configuration of a run on record."""
    return bool(info.context and info.context.get(_ON_RECORD))


Config = TypeVar("Config", bound=StageConfig)


def parsed(kind: type[Config], values: dict[str, Any], *, on_record: bool = False) -> Config:
    """Check a configuration of a kind.

    Args:
        on_record: it is a run's that was made, maybe with a person's own reward functions that are not known here.

    Raises:
        ConfigError: names every field that is wrong, its value and what it may be.
    """
    try:
        return kind.model_validate(values, context={_ON_RECORD: on_record})
    except ValidationError as error:
        findings = "; ".join(_describe(finding, kind).rstrip(".") for finding in error.errors(include_url=False)[:_FINDINGS])
        raise ConfigError(f"The run configuration is not valid: {findings}.", "Correct the values named.") from error


def _describe(finding: Any, kind: type[StageConfig]) -> str:
    field = ".".join(str(part) for part in finding["loc"])
    field = field if len(field) <= _FIELD_CHARACTERS else f"{field[: _FIELD_CHARACTERS - 1]}…"
    if finding["type"] == "extra_forbidden":
        close = difflib.get_close_matches(field, kind.model_fields, n=1, cutoff=0.4)
        return f"there is no setting {shown(field)}" + (f" (did you mean {close[0]}?)" if close else "")
    message = finding["msg"].removeprefix("Value error, ")
    return (
        f"{field} = {shown(finding['input'])}: {message[0].lower()}{message[1:]}" if field and field != "rewards" else message
    )
