"""What a GRPO run is told: how many completions, how they are sampled, what rewards them, and the loss."""

import re
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from training.config.fields import field
from training.config.losses import CLIPPED, LOSSES, METHODS, LossName
from training.config.stage import StageConfig, is_on_record, stage_field
from training.groups import Aggregation, Credit, Method, Scale
from training.rewards import ARTICLE_REWARDS, REWARDS, highest_total
from training.sampling.pools import POOLS, Limits, Pool
from training.signal_names import SignalName

CHOICE = "Choice of problems"
_POOLS = {"sampling": ("pools",)}

_GRPO: dict[str, tuple[Any, ...]] = {"method": ("grpo",)}


class RunConfig(StageConfig):
    """Everything that decides how a run goes; stored with the run and enough to run it again."""

    stage: Literal["grpo"] = stage_field("grpo")

    use_vllm: bool = field(
        "Engine and precision",
        "Generate with vLLM",
        "Generate with vLLM on the same GPU: much faster for models of a billion parameters. Without a GPU vLLM's build for "
        "CPUs does it.",
        False,
    )
    vllm_gpu_memory_utilization: float = field(
        "Engine and precision",
        "GPU memory for vLLM",
        "Share of the GPU's memory that vLLM may take; on a CPU, of the memory that is free.",
        0.3,
        needs={"use_vllm": ()},
        gt=0,
        le=1,
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
        needs=_GRPO | {"use_vllm": ()},
    )
    vllm_importance_sampling_mode: Literal["token_truncate", "token_mask", "sequence_truncate", "sequence_mask"] = field(
        "Engine and precision",
        "How vLLM's probabilities are corrected",
        "Whether the ratio to vLLM's probability is of each token or of the whole completion, and whether what is outside its "
        "range is cut back to it or left out.",
        "sequence_mask",
        needs={"vllm_importance_sampling_correction": ()},
    )
    vllm_importance_sampling_clip_max: float = field(
        "Engine and precision",
        "Ratio to vLLM, at most",
        "Upper end of the range of the ratio to vLLM's probability; 0 for none.",
        3.0,
        none="no upper end",
        needs={"vllm_importance_sampling_correction": ()},
        ge=0,
        le=1e6,
    )
    vllm_importance_sampling_clip_min: float = field(
        "Engine and precision",
        "Ratio to vLLM, at least",
        "Lower end of the range of the ratio to vLLM's probability, as in IcePop; 0 for none.",
        0.0,
        none="no lower end",
        needs={"vllm_importance_sampling_correction": ()},
        ge=0,
        le=1e6,
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

    min_p: float = field(
        "Sampling",
        "Likeliest tokens, against the likeliest (min-p)",
        "Sample among the tokens with at least this share of the likeliest one's probability; 0 among all.",
        0.0,
        none="all tokens",
        ge=0,
        le=1,
    )

    sampling: Literal["uniform", "pools"] = field(
        CHOICE,
        "Problems are drawn",
        "All alike, each once before any comes again (uniform), or by what the policy makes of them (pools): its recent pass "
        "rate puts each problem among those that are too hard, being learnt, mastered or not met yet.",
        "uniform",
        simple=True,
    )
    pool_not_met: float = field(
        CHOICE,
        "Share of problems not met yet",
        "Of a step's problems, relative to the other shares; that of an empty pool goes to the others.",
        0.4,
        ge=0,
        le=1,
        needs=_POOLS,
    )
    pool_learning: float = field(
        CHOICE,
        "Share of problems being learnt",
        "Of a step's problems, relative to the other shares: those that are sometimes right.",
        0.4,
        ge=0,
        le=1,
        needs=_POOLS,
    )
    pool_too_hard: float = field(
        CHOICE,
        "Share of problems too hard",
        "Of a step's problems, relative to the other shares: looked at again in turn, as the policy gets better.",
        0.1,
        ge=0,
        le=1,
        needs=_POOLS,
    )
    pool_mastered: float = field(
        CHOICE,
        "Share of problems mastered",
        "Of a step's problems, relative to the other shares: looked at again in turn, so that forgetting shows.",
        0.1,
        ge=0,
        le=1,
        needs=_POOLS,
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
        needs=_POOLS,
    )
    pool_prior: str = field(
        CHOICE,
        "Known of problems beforehand",
        "Where pass rates are known from before the run: run:ID for what a run or an evaluation made of the problems, "
        "column:NAME for a column of the data with a solve rate (0 to 1, or percent); empty for nowhere.",
        "",
        needs=_POOLS,
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
        simple=True,
    )

    method: Method = field(
        "Loss", "Method", "Against what a completion is held, and what follows from it.", "grpo", meanings=METHODS
    )
    loss_type: LossName = field(
        "Loss",
        "Loss",
        "How token losses are limited and averaged.",
        "dapo",
        meanings=LOSSES,
        needs=_GRPO,
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
        needs=_GRPO | {"beta": ()},
    )
    sync_ref_model: bool = field(
        "Loss",
        "Let the reference model follow",
        "Move the reference model of the KL term towards the policy every so many steps (TR-DPO, arXiv 2404.09656); not with "
        "an adapter.",
        False,
    )
    ref_model_mixup_alpha: float = field(
        "Loss",
        "Reference model, share of the policy",
        "Share of the policy in the reference model each time that it follows; the rest is what it was.",
        0.6,
        needs={"sync_ref_model": ()},
        gt=0,
        le=1,
    )
    ref_model_sync_steps: int = field(
        "Loss",
        "Reference model follows every N steps",
        "Steps after which the reference model follows.",
        512,
        unit="steps",
        needs={"sync_ref_model": ()},
        ge=1,
        le=1_000_000,
    )
    epsilon: float = field("Loss", "Clip range, lower", "Clipping range of the probability ratio.", 0.2, gt=0, lt=1)
    epsilon_high: float = field(
        "Loss",
        "Clip range, upper",
        "Clipping range above 1, as in DAPO; 0 for the same as epsilon. The loss cispo caps the ratio itself at it: 5, say.",
        0.0,
        ge=0,
        lt=10,
        none="as the lower",
    )
    delta: float = field(
        "Loss",
        "Ratio of bad completions, at most (δ)",
        "Cap of the probability ratio where the advantage is negative, which clipping leaves open (two-sided clipping, "
        "INTELLECT-2, arXiv 2505.07291); 0 for none.",
        0.0,
        none="no cap",
        needs=_GRPO | {"loss_type": CLIPPED},
        ge=0,
        le=1000,
    )
    sapo_temperature_pos: float = field(
        "Loss",
        "SAPO, temperature of good tokens",
        "How soon SAPO's gate closes where the advantage is positive.",
        1.0,
        needs={"loss_type": ("sapo",)},
        gt=0,
        le=100,
    )
    sapo_temperature_neg: float = field(
        "Loss",
        "SAPO, temperature of bad tokens",
        "How soon SAPO's gate closes where the advantage is negative.",
        1.05,
        needs={"loss_type": ("sapo",)},
        gt=0,
        le=100,
    )
    vespo_k_pos: float = field(
        "Loss",
        "VESPO, k of good completions",
        "How much VESPO takes from good completions that have become less likely.",
        2.0,
        needs={"loss_type": ("vespo",)},
        ge=0,
        le=100,
    )
    vespo_lambda_pos: float = field(
        "Loss",
        "VESPO, λ of good completions",
        "How much VESPO takes from good completions that have become likelier.",
        3.0,
        needs={"loss_type": ("vespo",)},
        gt=0,
        le=100,
    )
    vespo_k_neg: float = field(
        "Loss",
        "VESPO, k of bad completions",
        "How much VESPO takes from bad completions that have become less likely.",
        3.0,
        needs={"loss_type": ("vespo",)},
        ge=0,
        le=100,
    )
    vespo_lambda_neg: float = field(
        "Loss",
        "VESPO, λ of bad completions",
        "How much VESPO takes from bad completions that have become likelier.",
        2.0,
        needs={"loss_type": ("vespo",)},
        gt=0,
        le=100,
    )
    num_iterations: int = field(
        "Loss", "Updates per batch", "Optimiser passes over each generated batch.", 1, unit="updates", ge=1, le=64
    )
    importance_sampling_level: Literal["token", "sequence"] = field(
        "Loss",
        "Probability ratio of each",
        "Whether the probability ratio is of each token, or of the whole completion as in GSPO (arXiv 2507.18071), whose loss "
        "is grpo.",
        "token",
        needs=_GRPO,
    )
    off_policy_mask_threshold: float = field(
        "Loss",
        "Leave out bad completions beyond",
        "Learn nothing from a completion with a negative advantage whose tokens have on average become less likely by more "
        "than this (DeepSeek-V3.2, arXiv 2512.02556); 0 leaves none out.",
        0.0,
        unit="nats",
        none="none left out",
        needs=_GRPO,
        ge=0,
        le=100,
    )
    mask_truncated_completions: bool = field(
        "Loss", "Learn nothing from cut-off completions", "Learn nothing from completions that were cut off.", False
    )
    top_entropy_quantile: float = field(
        "Entropy",
        "Share of tokens learnt from, by entropy",
        "Learn only from this share of tokens, those at which the model was least sure (Beyond the 80/20 Rule, arXiv "
        "2506.01939, takes 0.2); 1 from all.",
        1.0,
        needs=_GRPO,
        gt=0,
        le=1,
    )
    entropy_coef: float = field(
        "Entropy",
        "Entropy bonus",
        "Weight of the tokens' mean entropy in the loss, which keeps the policy from growing certain; 0 for none.",
        0.0,
        none="no bonus",
        needs=_GRPO,
        ge=0,
        le=100,
    )
    use_adaptive_entropy: bool = field(
        "Entropy",
        "Adapt the entropy bonus",
        "Raise the entropy bonus a little after each step whose entropy was at most the target, lower it after others, and pay "
        "it at or below the target alone (Skywork-OR1, arXiv 2505.22312).",
        False,
        needs=_GRPO,
    )
    entropy_target: float = field(
        "Entropy",
        "Entropy to keep",
        "Mean entropy of the tokens at or below which the adapted bonus is paid: begin with a little less than a run's first.",
        0.2,
        unit="nats",
        needs={"use_adaptive_entropy": ()},
        gt=0,
        le=100,
    )
    entropy_coef_delta: float = field(
        "Entropy",
        "Entropy bonus, change a step",
        "By how much the adapted bonus is raised or lowered.",
        0.005,
        needs={"use_adaptive_entropy": ()},
        gt=0,
        le=100,
    )
    entropy_coef_min: float = field(
        "Entropy",
        "Entropy bonus, at least",
        "The adapted bonus is not lowered below this.",
        0.0,
        needs={"use_adaptive_entropy": ()},
        ge=0,
        le=100,
    )
    entropy_coef_max: float = field(
        "Entropy",
        "Entropy bonus, at most",
        "The adapted bonus is not raised above this.",
        1.0,
        needs={"use_adaptive_entropy": ()},
        gt=0,
        le=100,
    )

    multi_objective_aggregation: Aggregation = field(
        "Advantages",
        "Rewards are summed",
        "Whether the weighted rewards are summed and the sum is scaled, or each is first scaled within its group, so that one "
        "with a small spread counts as much as others.",
        "sum_then_normalize",
        meanings={
            "sum_then_normalize": "The weighted sum is held against its group (GRPO).",
            "normalize_then_sum": "Each reward is scaled within its group, then the weighted sums within the step (GDPO, arXiv "
            "2601.05242).",
        },
        needs=_GRPO,
    )
    scale_rewards: Scale = field(
        "Advantages",
        "Advantages scaled by",
        "Whose standard deviation divides the advantages: the group's, the whole step's, or none, as in Dr. GRPO.",
        "group",
        needs={"multi_objective_aggregation": ("sum_then_normalize",)},
    )
    normalize_advantages: bool = field(
        "Advantages",
        "RLOO: scale the step's advantages",
        "Bring the advantages of each step to mean 0 and standard deviation 1.",
        False,
        needs={"method": ("rloo",)},
    )

    rewards: dict[str, float] = field(
        "Rewards",
        "Rewards",
        "Weight of each reward function in the total; functions left out or at 0 are not trained on.",
        dict.fromkeys(ARTICLE_REWARDS, 1.0),
        simple=True,
    )

    stop_on: tuple[SignalName, ...] = field(
        "Checkpoints and records",
        "Stop by itself on",
        "Signals of the doctor, such as entropy_collapse, on which the run stops by itself with a checkpoint, once they "
        "have held "
        "for five steps; none by default.",
        (),
    )

    @field_validator("rewards")
    @classmethod
    def _known_rewards(cls, rewards: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        unknown = sorted(set(rewards) - set(REWARDS))
        if unknown and not is_on_record(info):
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
        if self.sync_ref_model and (self.beta == 0 or self.lora_rank):
            why = "beta = 0 has no reference model" if self.beta == 0 else "an adapter's reference is the model without it"
            raise ValueError(f"sync_ref_model = true has nothing to move: {why}; set sync_ref_model to false")
        if self.entropy_coef_max < self.entropy_coef_min:
            raise ValueError(
                f"entropy_coef_max = {self.entropy_coef_max:g} is below entropy_coef_min = {self.entropy_coef_min:g}; raise it"
            )
        return self

    @model_validator(mode="after")
    def _a_range_of_the_ratio_to_vllm(self) -> "RunConfig":
        low, high = self.vllm_importance_sampling_clip_min, self.vllm_importance_sampling_clip_max
        if 0 < high <= low:
            raise ValueError(
                f"vllm_importance_sampling_clip_max = {high:g} is not above vllm_importance_sampling_clip_min = {low:g}; "
                "raise it, or set one of them to 0"
            )
        cuts = self.vllm_importance_sampling_correction and self.vllm_importance_sampling_mode.endswith("truncate")
        if cuts and not (low or high):
            raise ValueError(
                f"vllm_importance_sampling_mode = {self.vllm_importance_sampling_mode} cuts the ratio back to a range that has "
                "neither end; set vllm_importance_sampling_clip_max, to 3 say"
            )
        return self

    @property
    def stops_on(self) -> tuple[SignalName, ...]:
        """The doctor's signals on which the run stops by itself."""
        return self.stop_on

    @property
    def credit(self) -> Credit:
        """How its rewards become advantages."""
        return Credit(
            method=self.method,
            scale_rewards=self.scale_rewards,
            multi_objective_aggregation=self.multi_objective_aggregation,
            normalize_advantages=self.normalize_advantages,
        )

    @property
    def groups_per_step(self) -> int:
        """Problems in one step."""
        return self.completions_per_step // self.num_generations

    @property
    def pool_shares(self) -> dict[Pool, float]:
        """Of a step's problems, by pool, relative to each other."""
        return {pool: getattr(self, f"pool_{pool}") for pool in POOLS}

    @property
    def pool_limits(self) -> Limits:
        """Where the pools end, as pass rates."""
        return Limits(self.pool_too_hard_at, self.pool_mastered_at)

    @property
    def reward_weights(self) -> dict[str, float]:
        """The functions that are trained on, in the registry's order; those that it has not stand last."""
        names = dict.fromkeys([*REWARDS, *self.rewards])
        return {name: self.rewards[name] for name in names if self.rewards.get(name)}

    @property
    def maximum_reward(self) -> float | None:
        """The highest total a completion can reach."""
        return highest_total(self.reward_weights)
