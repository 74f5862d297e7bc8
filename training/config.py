"""What a run is: a checked, documented `RunConfig`.

Torch-free. Field names are TRL's, PEFT's or transformers' where those have the setting. A field's title is what people call it,
its description the help text in the form, its `unit` stands beside the value, `none` is what 0 means where it means no number,
`simple` fields are those that most runs choose, and pydantic holds the range: `training.settings` tells all of it. Presets and
`key=value` changes are `training.presets`, what is on record `training.stored_config`.
"""

import difflib
import re
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from training.errors import ConfigError, shown
from training.names import NAME_RULE, is_name
from training.prompts import SYSTEM_PROMPT, ChatTemplate, Prompting, SystemTurn
from training.rewards import ARTICLE_REWARDS, DEFAULT_VERIFIER, REWARDS, highest_total
from training.rewards.forms import TAGS, form_named

_FINDINGS = 8
"""What is wrong with a configuration is told up to so many times."""
_FIELD_CHARACTERS = 60

EngineName = Literal["transformers", "unsloth"]

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""All seven linear layers of a Llama-like block, on which the article puts its adapters."""


RECORDED = "Record"
"""The group of what a launch writes down and nobody chooses."""


def _field(
    group: str,
    title: str,
    description: str,
    default: Any,
    *,
    unit: str = "",
    none: str = "",
    simple: bool = False,
    **limits: Any,
) -> Any:
    extra: dict[str, Any] = {"group": group, "unit": unit, "none": none, "simple": simple}
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


class RunConfig(BaseModel):
    """Everything that decides how a run goes; stored with the run and enough to run it again."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: str = _field(RECORDED, "Preset", "The preset that this configuration started from.", "")
    content_hash: str = _field(
        RECORDED,
        "Content hash of the problems",
        "SHA-256 of the problems that the run was launched on, whatever lies there since.",
        "",
    )
    model: str = _field(
        "Model and data",
        "Model",
        'A Hub name, a local folder, a run\'s checkpoint as run:demo-1@40, or "demo" for the demo model that ships with the '
        "program.",
        ...,
        min_length=1,
        simple=True,
    )
    source: str = _field(
        "Model and data",
        "Data set",
        "The problems: demo, hub (GSM8K), hub:owner/name, auto, a named source, or a folder or file.",
        "auto",
        min_length=1,
        simple=True,
    )
    subset: str = _field(
        "Model and data",
        "Subset",
        "A saved subset to train on, name@version; empty for the whole train split. The test split stays whole.",
        "",
        simple=True,
    )
    system_prompt: str = _field(
        "Prompt", "System prompt", "The system turn before every question; empty leaves it out.", SYSTEM_PROMPT
    )
    system_turn: SystemTurn = _field(
        "Prompt",
        "Where the system prompt stands",
        "Where the system prompt stands: in a turn of its own, or at the beginning of the user's, for chat templates that "
        "refuse a system turn.",
        "system",
    )
    chat_template: ChatTemplate = _field(
        "Prompt",
        "Chat template",
        "How a conversation becomes text: by the model's own template, or plainly as User: ... Assistant: for base models, "
        "which have none.",
        "model",
    )
    answer_form: str = _field(
        "Prompt",
        "How answers are marked",
        "How the prompt asks the answer to be marked, and where rewards look for it: tags, boxed, hashes, or "
        "/a regular expression/ whose group is the answer.",
        TAGS.name,
    )

    engine: EngineName = _field(
        "Engine and precision",
        "Engine",
        "What loads the model: transformers with PEFT, or Unsloth with its faster kernels for one GPU.",
        "transformers",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = _field(
        "Engine and precision",
        "Number format",
        "Number format of the calculation and of frozen weights; weights that are trained are kept in float32. auto is "
        "bfloat16 on a GPU that has it, float16 on another GPU, float32 on a CPU.",
        "auto",
    )
    load_in_4bit: bool = _field(
        "Engine and precision",
        "Frozen weights in 4 bits",
        "Keep the frozen weights in 4 bits (bitsandbytes NF4); needs LoRA and a GPU.",
        False,
    )
    gradient_checkpointing: bool = _field(
        "Engine and precision",
        "Recompute activations",
        "Calculate activations twice instead of keeping them: less memory, more time.",
        False,
    )
    use_vllm: bool = _field(
        "Engine and precision",
        "Generate with vLLM",
        "Generate with vLLM on the same GPU: much faster for models of a billion parameters.",
        False,
    )
    vllm_gpu_memory_utilization: float = _field(
        "Engine and precision", "GPU memory for vLLM", "Share of the GPU's memory that vLLM may take.", 0.3, gt=0, le=1
    )
    vllm_server: str = _field(
        "Engine and precision",
        "vLLM server",
        "Address of a vLLM that generates on a GPU of its own, as `trl vllm-serve` starts it, such as http://127.0.0.1:8000; "
        "empty for vLLM on the GPU that trains.",
        "",
    )
    vllm_importance_sampling_correction: bool = _field(
        "Engine and precision",
        "Correct for vLLM's probabilities",
        "Correct for vLLM's probabilities, which are not exactly those of the model that learns; TRL did not in March 2025.",
        True,
    )

    lora_rank: int = _field(
        "Adapter (LoRA)",
        "LoRA rank",
        "Rank of the trained low-rank matrices; 0 trains every weight.",
        0,
        ge=0,
        le=1024,
        none="every weight",
        simple=True,
    )
    lora_alpha: int = _field(
        "Adapter (LoRA)", "LoRA scale (alpha)", "The adapter's output is multiplied by alpha / rank.", 32, gt=0, le=4096
    )
    lora_dropout: float = _field("Adapter (LoRA)", "LoRA dropout", "Share of the adapter's inputs set to 0.", 0.0, ge=0, lt=1)
    lora_targets: tuple[str, ...] = _field(
        "Adapter (LoRA)",
        "Layers with an adapter",
        "The layers that get an adapter, by the end of their names.",
        PROJECTIONS,
        min_length=1,
    )

    max_steps: int = _field("Size of the run", "Steps", "Optimiser steps.", 150, unit="steps", ge=1, le=1_000_000, simple=True)
    num_generations: int = _field(
        "Size of the run",
        "Completions per problem (group size)",
        "Completions of one problem that are compared with each other: the group size.",
        8,
        unit="completions",
        ge=2,
        le=256,
        simple=True,
    )
    per_device_train_batch_size: int = _field(
        "Size of the run",
        "Completions per device per pass",
        "Completions in one forward and backward pass.",
        32,
        unit="completions",
        ge=1,
        le=4096,
        simple=True,
    )
    gradient_accumulation_steps: int = _field(
        "Size of the run", "Passes per step", "Passes before the weights change.", 1, unit="passes", ge=1, le=1024, simple=True
    )
    max_prompt_length: int = _field(
        "Size of the run",
        "Longest prompt",
        "Problems whose prompt is longer are left out of training; 0 leaves none out.",
        0,
        unit="tokens",
        ge=0,
        le=131_072,
        none="any length",
    )
    max_completion_length: int = _field(
        "Size of the run",
        "Longest completion",
        "Length at which a completion is cut off.",
        200,
        unit="tokens",
        ge=1,
        le=131_072,
        simple=True,
    )

    temperature: float = _field(
        "Sampling", "Temperature", "Sampling temperature of the training completions.", 1.0, gt=0, le=10, simple=True
    )
    top_p: float = _field(
        "Sampling",
        "Likeliest tokens, by probability (top-p)",
        "Sample among the likeliest tokens that together have this probability.",
        1.0,
        gt=0,
        le=1,
    )
    top_k: int = _field(
        "Sampling",
        "Likeliest tokens, by number (top-k)",
        "Sample among this many likeliest tokens; 0 among all.",
        0,
        unit="tokens",
        ge=0,
        le=1_000_000,
        none="all tokens",
    )

    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = _field(
        "Loss",
        "Loss",
        "How token losses are averaged: in each completion, then over them (grpo); over a constant length (dr_grpo); over all "
        "tokens of the whole batch (dapo) or of each device's (bnpo).",
        "dapo",
    )
    beta: float = _field(
        "Loss",
        "KL weight (β)",
        "Weight of the KL term that holds the policy to its start; 0 needs no reference model.",
        0.0,
        ge=0,
        le=100,
        none="no KL term",
        simple=True,
    )
    use_bias_correction_kl: bool = _field(
        "Loss",
        "Unbiased KL gradient",
        "Multiply the KL term by the probability ratio: an unbiased gradient (DeepSeek-V3.2). TRL did not in March 2025.",
        True,
    )
    epsilon: float = _field("Loss", "Clip range, lower", "Clipping range of the probability ratio.", 0.2, gt=0, lt=1)
    epsilon_high: float = _field(
        "Loss",
        "Clip range, upper",
        "Clipping range above 1, as in DAPO; 0 for the same as epsilon.",
        0.0,
        ge=0,
        lt=10,
        none="as the lower",
    )
    num_iterations: int = _field(
        "Loss", "Updates per batch", "Optimiser passes over each generated batch.", 1, unit="updates", ge=1, le=64
    )
    importance_sampling_level: Literal["token", "sequence"] = _field(
        "Loss",
        "Probability ratio of each",
        "Whether the probability ratio is of each token, or of the whole completion as in GSPO.",
        "token",
    )
    scale_rewards: Literal["group", "batch", "none"] = _field(
        "Loss", "Advantages scaled by", "Whose standard deviation divides the advantages.", "group"
    )
    mask_truncated_completions: bool = _field(
        "Loss", "Learn nothing from cut-off completions", "Learn nothing from completions that were cut off.", False
    )

    optim: Literal["adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit"] = _field(
        "Optimiser",
        "Optimiser",
        "AdamW in 32 bits, fused for GPUs, or with 8-bit state (bitsandbytes), paged to the CPU's memory.",
        "adamw_torch",
    )
    learning_rate: float = _field("Optimiser", "Learning rate", "Peak learning rate.", 5e-6, gt=0, le=1, simple=True)
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = _field(
        "Optimiser", "Course of the learning rate", "Course of the learning rate after warm-up.", "cosine"
    )
    warmup_ratio: float = _field(
        "Optimiser", "Warm-up, share of steps", "Share of the steps in which the learning rate rises from 0.", 0.0, ge=0, lt=1
    )
    weight_decay: float = _field("Optimiser", "Weight decay", "AdamW's weight decay.", 0.0, ge=0, le=1)
    adam_beta1: float = _field("Optimiser", "Adam β1", "AdamW's first moment decay.", 0.9, ge=0, lt=1)
    adam_beta2: float = _field("Optimiser", "Adam β2", "AdamW's second moment decay.", 0.999, ge=0, lt=1)
    max_grad_norm: float = _field(
        "Optimiser", "Gradient norm, at most", "Gradients are clipped to this norm.", 1.0, gt=0, le=1e6
    )

    rewards: dict[str, float] = _field(
        "Rewards",
        "Rewards",
        "Weight of each reward function in the total; functions left out or at 0 are not trained on.",
        dict.fromkeys(ARTICLE_REWARDS, 1.0),
        simple=True,
    )

    verifier: str = _field(
        "Rewards",
        "An answer is right by",
        "The reward function by which an answer counts as right: pass rates, gained and lost, health and the map go by it, "
        "whether or not the run is trained on it.",
        DEFAULT_VERIFIER,
        min_length=1,
        simple=True,
    )

    evaluation_problems: int = _field(
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
    evaluate_before: bool = _field("Evaluation", "Evaluate before training", "Evaluate the model as it starts.", True)
    evaluate_after: bool = _field("Evaluation", "Evaluate after training", "Evaluate the trained model.", True)
    evaluation_steps: int = _field(
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
    evaluation_temperature: float = _field(
        "Evaluation",
        "Temperature of evaluations",
        "Sampling temperature of evaluations; 0 takes the likeliest token.",
        0.0,
        ge=0,
        le=10,
        none="likeliest token",
    )
    evaluation_samples: int = _field(
        "Evaluation",
        "Completions per problem in evaluations",
        "Completions of each problem, for pass@k and majority@k.",
        1,
        unit="completions",
        ge=1,
        le=256,
    )

    save_steps: int = _field(
        "Checkpoints and records",
        "Checkpoint every N steps",
        "Steps between checkpoints; the last step is always saved.",
        50,
        unit="steps",
        ge=1,
        le=1_000_000,
    )
    save_total_limit: int = _field(
        "Checkpoints and records",
        "Checkpoints kept",
        "Checkpoints kept; older ones are deleted.",
        2,
        unit="checkpoints",
        ge=1,
        le=10_000,
    )
    seed: int = _field(
        "Checkpoints and records", "Seed", "Seed of adapter weights, data order and sampling.", 42, ge=0, lt=2**32, simple=True
    )
    wandb: bool = _field(
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

    @field_validator("rewards")
    @classmethod
    def _known_rewards(cls, rewards: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(rewards) - set(REWARDS))
        if unknown:
            raise ValueError(
                f"there is no reward function {unknown[0]!r}; there are {', '.join(REWARDS)}, and those of the file that "
                "GRPO_ATLAS_REWARDS names"
            )
        if not any(rewards.values()):
            raise ValueError("at least one reward function needs a weight other than 0")
        return rewards

    @field_validator("verifier")
    @classmethod
    def _known_verifier(cls, name: str) -> str:
        if name not in REWARDS:
            raise ValueError(f"there is no reward function {shown(name)}; there are {', '.join(REWARDS)}")
        return name

    @field_validator("vllm_server")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        if address and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?", address):
            raise ValueError("is an address with a host and a port, such as http://127.0.0.1:8000, or empty")
        return address.rstrip("/")

    @model_validator(mode="after")
    def _whole_groups(self) -> "RunConfig":
        if self.completions_per_step % self.num_generations:
            raise ValueError(
                f"per_device_train_batch_size x gradient_accumulation_steps = {self.completions_per_step} completions per step "
                f"cannot be divided into groups of num_generations = {self.num_generations}; "
                f"make the batch a multiple of {self.num_generations}"
            )
        return self

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> "RunConfig":
        if self.load_in_4bit and not self.lora_rank:
            raise ValueError("load_in_4bit freezes the weights, so nothing is left to train; set lora_rank, to 32 say")
        if self.vllm_server and not self.use_vllm:
            raise ValueError("vllm_server is for use_vllm = true; set that, or leave vllm_server empty")
        if 0 < self.epsilon_high < self.epsilon:
            raise ValueError(
                f"epsilon_high = {self.epsilon_high:g} is below epsilon = {self.epsilon:g}; raise it, or set it to 0"
            )
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
        return self.completions_per_step // self.num_generations

    @property
    def reward_weights(self) -> dict[str, float]:
        """The functions that are trained on, in the registry's order."""
        return {name: self.rewards[name] for name in REWARDS if self.rewards.get(name)}

    @property
    def maximum_reward(self) -> float | None:
        """The highest total a completion can reach."""
        return highest_total(self.reward_weights)


def parse_config(values: dict[str, Any]) -> RunConfig:
    """Check a configuration.

    Raises:
        ConfigError: names every field that is wrong, its value and what it may be.
    """
    return parsed(RunConfig, values)


Config = TypeVar("Config", bound=RunConfig)


def parsed(kind: type[Config], values: dict[str, Any]) -> Config:
    """Check a configuration of a kind.

    Raises:
        ConfigError: names every field that is wrong, its value and what it may be.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        findings = "; ".join(_describe(finding).rstrip(".") for finding in error.errors(include_url=False)[:_FINDINGS])
        raise ConfigError(f"The run configuration is not valid: {findings}.", "Correct the values named.") from error


def _describe(finding: Any) -> str:
    field = ".".join(str(part) for part in finding["loc"])
    field = field if len(field) <= _FIELD_CHARACTERS else f"{field[: _FIELD_CHARACTERS - 1]}…"
    if finding["type"] == "extra_forbidden":
        close = difflib.get_close_matches(field, RunConfig.model_fields, n=1, cutoff=0.4)
        return f"there is no setting {shown(field)}" + (f" (did you mean {close[0]}?)" if close else "")
    message = finding["msg"].removeprefix("Value error, ")
    return (
        f"{field} = {shown(finding['input'])}: {message[0].lower()}{message[1:]}" if field and field != "rewards" else message
    )
