"""Rewards as an installed package has them."""

from training.rewards import Reward


def short(completion: str, gold: str) -> float:
    """1.0 for fewer than ten characters."""
    return 1.0 if len(completion) < 10 else 0.0


REWARDS = [Reward("packaged_short", "Short", 1.0, short, needs_gold=False)]
