"""A person's own reward functions: a Python file on this machine, named by `GRPO_ATLAS_REWARDS`, never by a web page.

The file holds a list `REWARDS` of `training.rewards.Reward`. Whatever uses the registry then has them: configurations,
training, evaluation, the pages.
"""

import runpy
from pathlib import Path

from training.errors import RewardError
from training.paths import open_file
from training.rewards import BUILT_IN, REWARDS, Reward

_REMEDY = "Mend the file that GRPO_ATLAS_REWARDS names; the README shows one."


def register_own_rewards(path: Path | None) -> None:
    """Run a person's file and add its functions to the registry; called once at the edge of each process.

    Raises:
        RewardError: the file cannot be read or run, holds no list of rewards, or one of them takes a name that is taken.
    """
    if path is None:
        return
    try:
        open_file(path).close()  # Python would wait for a pipe
        found = runpy.run_path(str(path)).get("REWARDS")
    except Exception as error:
        raise RewardError(f"{path} cannot be run: {type(error).__name__}: {error}.", _REMEDY) from error
    if not isinstance(found, list) or not found or not all(isinstance(reward, Reward) for reward in found):
        raise RewardError(f"{path} has no list REWARDS of training.rewards.Reward.", _REMEDY)
    names = [reward.name for reward in found]
    for reward in found:
        if reward.name in BUILT_IN or names.count(reward.name) > 1:
            raise RewardError(f"{path} names a reward {reward.name!r}, which there is already.", "Give it another name.")
        if not reward.name.isidentifier() or not reward.title or not reward.maximum > 0:
            raise RewardError(
                f"{path}: the reward {reward.name!r} needs an identifier as its name, a title and a maximum above 0.", _REMEDY
            )
    REWARDS.update({reward.name: reward for reward in found})
