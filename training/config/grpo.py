"""What a GRPO run is told: how many completions, how they are sampled, what rewards them, and the loss."""

import re
from typing import Any, Literal

from pydantic import field_validator, model_validator

from training.config.fields import field
from training.config.stage import StageConfig, parsed
from training.rewards import ARTICLE_REWARDS, REWARDS, highest_total
from training.sampling.pools import POOLS, Pool

CHOICE = "Choice of problems"


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

    sampling: Literal["uniform", "pools"] = field(
        CHOICE,
        "Problems are drawn",
        "All alike, each once before any comes again (uniform), or by what the policy makes of them (pools): its recent pass "
        "rate puts each problem among those that are too hard, being learnt, mastered or not met yet.",
        "uniform",
    )
    pool_not_met: float = field(
        CHOICE,
        "Share of problems not met yet",
        "Of a step's problems, relative to the other shares; that of an empty pool goes to the others.",
        0.4,
        ge=0,
        le=1,
    )
    pool_learning: float = field(
        CHOICE,
        "Share of problems being learnt",
        "Of a step's problems, relative to the other shares: those that are sometimes right.",
        0.4,
        ge=0,
        le=1,
    )
    pool_too_hard: float = field(
        CHOICE,
        "Share of problems too hard",
        "Of a step's problems, relative to the other shares: looked at again in turn, as the policy gets better.",
        0.1,
        ge=0,
        le=1,
    )
    pool_mastered: float = field(
        CHOICE,
        "Share of problems mastered",
        "Of a step's problems, relative to the other shares: looked at again in turn, so that forgetting shows.",
        0.1,
        ge=0,
        le=1,
    )
    pool_too_hard_at: float = field(
        CHOICE,
        "Too hard at a pass rate of",
        "A problem is too hard while its recent pass rate is more likely than not at most this.",
        0.1,
        ge=0,
        lt=1,
    )
    pool_mastered_at: float = field(
        CHOICE,
        "Mastered at a pass rate of",
        "A problem is mastered while its recent pass rate is more likely than not at least this.",
        0.9,
        gt=0,
        le=1,
    )
    pool_warmup_steps: int = field(
        CHOICE,
        "Steps before the pools are used",
        "So many steps draw all problems alike, while the pools fill; 0 uses the pools at once.",
        0,
        unit="steps",
        ge=0,
        le=1_000_000,
        none="from the first step",
    )
    pool_prior: str = field(
        CHOICE,
        "Known of problems beforehand",
        "Where pass rates are known from before the run: run:ID for what a run or an evaluation made of the problems, "
        "column:NAME for a column of the data with a solve rate (0 to 1, or percent); empty for nowhere.",
        "",
    )
    dynamic_sampling_rounds: int = field(
        CHOICE,
        "Rounds to replace groups without variance",
        "Groups whose completions all earned the same teach nothing: replace them by groups of further problems before the "
        "step learns, in at most so many further rounds of generation (dynamic sampling, DAPO); 0 replaces none.",
        0,
        unit="rounds",
        ge=0,
        le=64,
        none="none are replaced",
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

    @field_validator("pool_prior")
    @classmethod
    def _names_a_prior(cls, prior: str) -> str:
        if prior and not re.fullmatch(r"(run|column):.+", prior):
            raise ValueError("is run:ID of a run or an evaluation, column:NAME of the data, or empty")
        return prior

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
        if self.sampling == "pools" and not any(self.pool_shares.values()):
            raise ValueError("every pool's share is 0, so nothing could be drawn; set pool_learning, to 0.4 say")
        if self.pool_too_hard_at >= self.pool_mastered_at:
            raise ValueError(
                f"pool_too_hard_at = {self.pool_too_hard_at:g} is not below pool_mastered_at = {self.pool_mastered_at:g}; "
                "lower it"
            )
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
    def pool_shares(self) -> dict[Pool, float]:
        """Of a step's problems, by pool, relative to each other."""
        return {pool: getattr(self, f"pool_{pool}") for pool in POOLS}

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
