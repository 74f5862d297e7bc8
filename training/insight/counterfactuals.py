"""What a run would have learnt from under other reward weights or another `scale_rewards`: advantages anew from the ledger.

Only the credit is recomputed (`groups.advantages`): a policy that had learnt from it would have written other completions.
Reads only.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from training.errors import ConfigError
from training.groups import Credit, Scale, advantages
from training.store import Store
from training.stored_config import rollout_config

_SILENT = 1e-6
"""An advantage this small counts as zero: the smallest real ones, one character of `xml_count` in a group, are near 1e-4."""


@dataclass(frozen=True)
class Change:
    """One rollout whose advantage changes sign, becomes zero or stops being zero."""

    step: int
    group_index: int
    position: int
    before: float
    """Under the run's own settings."""
    after: float
    """Under the settings asked about."""


@dataclass(frozen=True)
class Counterfactual:
    """A run's rollouts under its own settings and under others.

    Another `scale_rewards` alone changes the size of advantages, never a sign: all of a group are divided by one number. With
    RLOO, and where rewards are scaled before they are summed, it has no say.
    """

    weights: dict[str, float]
    credit: Credit
    rollouts: int
    flipped: tuple[Change, ...]
    """Encouraged instead of discouraged, or the reverse."""
    silenced: tuple[Change, ...]
    """Had a say, would have none."""
    awakened: tuple[Change, ...]
    """Had no say, would have one."""
    size_before: float
    """Mean of the advantages without their signs, under the run's own settings."""
    size_after: float
    recorded_difference: float
    """The largest distance between an advantage on record and the same one recomputed under the run's own settings.

    Rounding in float32 lets it reach about 0.02 in groups without variance, and 1e-3 elsewhere; more means that the run
    did not compute its advantages as this module does, as with RLOO's KL penalty.
    """


def reweigh(
    store: Store, job_id: str, weights: Mapping[str, float] | None = None, scale_rewards: Scale | None = None
) -> Counterfactual:
    """A run's advantages under other weights, another `scale_rewards`, or both; `None` keeps the run's own.

    Raises:
        StoreError: there is no such run.
        ConfigError: it has no completions, a function has no values in its ledger, or no weight is other than 0.
    """
    config = rollout_config(store.job(job_id).spec)
    rollouts = [rollout for rollout in store.rollouts(job_id) if not rollout.dropped]
    new_weights = dict(config.reward_weights if weights is None else weights)
    new_credit = replace(config.credit, scale_rewards=scale_rewards or config.scale_rewards)
    _check_weights(job_id, new_weights, config.reward_weights)
    before = advantages(rollouts, config.reward_weights, config.credit)
    after = advantages(rollouts, new_weights, new_credit)
    changes: dict[tuple[int, int], list[Change]] = defaultdict(list)
    for rollout, old, new in zip(rollouts, before, after, strict=True):
        change = Change(rollout.step, rollout.group_index, rollout.position, old, new)
        changes[_sign(old), _sign(new)].append(change)
    return Counterfactual(
        weights=new_weights,
        credit=new_credit,
        rollouts=len(rollouts),
        flipped=_in_order(changes[1, -1] + changes[-1, 1]),
        silenced=_in_order(changes[1, 0] + changes[-1, 0]),
        awakened=_in_order(changes[0, 1] + changes[0, -1]),
        size_before=_mean_size(before),
        size_after=_mean_size(after),
        recorded_difference=max((abs(r.advantage - old) for r, old in zip(rollouts, before, strict=True)), default=0.0),
    )


def _check_weights(job_id: str, weights: Mapping[str, float], recorded: Mapping[str, float]) -> None:
    unknown = [name for name, weight in weights.items() if weight and name not in recorded]
    if unknown:
        raise ConfigError(
            f"{job_id} has no values of the reward function {unknown[0]!r} on record.", f"Weigh {', '.join(recorded)}."
        )
    if not any(weights.values()):
        raise ConfigError("Every weight is 0, so no completion has a reward.", f"Weigh one of {', '.join(recorded)}.")


def _sign(advantage: float) -> int:
    return 0 if abs(advantage) <= _SILENT else (1 if advantage > 0 else -1)


def _mean_size(advantages: Sequence[float]) -> float:
    return math.fsum(map(abs, advantages)) / len(advantages) if advantages else 0.0


def _in_order(changes: Sequence[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (change.step, change.group_index, change.position)))
