"""What the doctor's signals are called: in settings that name some, on record and in alerts. `training.doctor` has them."""

from typing import Literal, get_args

SignalName = Literal[
    "not_a_number",
    "reward_without_skill",
    "held_out_behind",
    "rate_too_high",
    "rate_too_low",
    "entropy_collapse",
    "entropy_explosion",
    "kl_growth",
    "gradient_spikes",
    "loss_spikes",
    "clipped",
    "vllm_mismatch",
    "flat_right",
    "flat_wrong",
    "flat_same",
    "silent_rewards",
    "reward_saturated",
    "plateau",
    "cut_off",
    "no_answer",
    "unreadable_answers",
    "unscored",
    "no_reasoning",
    "repeats",
    "loops",
    "length_drift",
    "length_bias",
    "slow_steps",
    "slow_process",
]

SIGNAL_NAMES: tuple[SignalName, ...] = get_args(SignalName)
"""In the order in which findings are told: what ruins a run first, what only costs time last."""
