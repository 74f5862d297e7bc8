"""What a GRPO run is told: how many completions, how they are sampled, what rewards them, and the loss."""

import re
from typing import Any, Literal

from pydantic import field_validator, model_validator

from training.config.fields import field
from training.config.stage import StageConfig, parsed
from training.rewards import ARTICLE_REWARDS, REWARDS, highest_total


class RunConfig(StageConfig):
    """Everything that decides how a run goes; stored with the run and enough to run it again."""

    use_vllm: bool = field(
        "Engine and precision",
        "Generate with vLLM",
        "Generate with vLLM on the same GPU: much faster for models of a billion parameters.",
        False,
    )
    vllm_gpu_memory_utilization: float = field(
        "Engine and precision", "GPU memory for vLLM", "Share of the GPU's memory that vLLM may take.", 0.3, gt=0, le=1
    )
    vllm_server: str = field(
        "Engine and precision",
        "vLLM server",
        "Address of a vLLM that generates on a GPU of its own, as `trl vllm-serve` starts it, such as http://127.0.0.1:8000; "
        "empty for vLLM on the GPU that trains.",
        "",
    )
    vllm_importance_sampling_correction: bool = field(
        "Engine and precision",
        "Correct for vLLM's probabilities",
        "Correct for vLLM's probabilities, which are not exactly those of the model that learns; TRL did not in March 2025.",
        True,
    )

    num_generations: int = field(
        "Size of the run",
        "Completions per problem (group size)",
        "Completions of one problem that are compared with each other: the group size.",
        8,
        unit="completions",
        ge=2,
        le=256,
        simple=True,
    )

    temperature: float = field(
        "Sampling", "Temperature", "Sampling temperature of the training completions.", 1.0, gt=0, le=10, simple=True
    )
    top_p: float = field(
        "Sampling",
        "Likeliest tokens, by probability (top-p)",
        "Sample among the likeliest tokens that together have this probability.",
        1.0,
        gt=0,
        le=1,
    )
    top_k: int = field(
        "Sampling",
        "Likeliest tokens, by number (top-k)",
        "Sample among this many likeliest tokens; 0 among all.",
        0,
        unit="tokens",
        ge=0,
        le=1_000_000,
        none="all tokens",
    )

    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = field(
        "Loss",
        "Loss",
        "How token losses are averaged: in each completion, then over them (grpo); over a constant length (dr_grpo); over all "
        "tokens of the whole batch (dapo) or of each device's (bnpo).",
        "dapo",
    )
    beta: float = field(
        "Loss",
        "KL weight (β)",
        "Weight of the KL term that holds the policy to its start; 0 needs no reference model.",
        0.0,
        ge=0,
        le=100,
        none="no KL term",
        simple=True,
    )
    use_bias_correction_kl: bool = field(
        "Loss",
        "Unbiased KL gradient",
        "Multiply the KL term by the probability ratio: an unbiased gradient (DeepSeek-V3.2). TRL did not in March 2025.",
        True,
    )
    epsilon: float = field("Loss", "Clip range, lower", "Clipping range of the probability ratio.", 0.2, gt=0, lt=1)
    epsilon_high: float = field(
        "Loss",
        "Clip range, upper",
        "Clipping range above 1, as in DAPO; 0 for the same as epsilon.",
        0.0,
        ge=0,
        lt=10,
        none="as the lower",
    )
    num_iterations: int = field(
        "Loss", "Updates per batch", "Optimiser passes over each generated batch.", 1, unit="updates", ge=1, le=64
    )
    importance_sampling_level: Literal["token", "sequence"] = field(
        "Loss",
        "Probability ratio of each",
        "Whether the probability ratio is of each token, or of the whole completion as in GSPO.",
        "token",
    )
    scale_rewards: Literal["group", "batch", "none"] = field(
        "Loss", "Advantages scaled by", "Whose standard deviation divides the advantages.", "group"
    )
    mask_truncated_completions: bool = field(
        "Loss", "Learn nothing from cut-off completions", "Learn nothing from completions that were cut off.", False
    )

    rewards: dict[str, float] = field(
        "Rewards",
        "Rewards",
        "Weight of each reward function in the total; functions left out or at 0 are not trained on.",
        dict.fromkeys(ARTICLE_REWARDS, 1.0),
        simple=True,
    )

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
    def _sampling_and_loss_that_go_together(self) -> "RunConfig":
        if self.vllm_server and not self.use_vllm:
            raise ValueError("vllm_server is for use_vllm = true; set that, or leave vllm_server empty")
        if 0 < self.epsilon_high < self.epsilon:
            raise ValueError(
                f"epsilon_high = {self.epsilon_high:g} is below epsilon = {self.epsilon:g}; raise it, or set it to 0"
            )
        return self

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
