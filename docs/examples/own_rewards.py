"""An own reward function: half a point for a completion of at most forty words.

GRPO_ATLAS_REWARDS=docs/examples/own_rewards.py python -m training launch --preset demo --set rewards.brief=1
"""

from training.rewards import Reward

_WORDS = 40
_POINTS = 0.5


def brief(completion: str, gold: str) -> float | None:
    """Pay for brevity, whatever the answer is."""
    return _POINTS if len(completion.split()) <= _WORDS else 0.0


REWARDS = [Reward("brief", "Brief", _POINTS, brief)]
