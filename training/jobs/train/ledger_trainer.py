"""TRL's GRPOTrainer with a complete ledger: every generation batch is handed over before it is learnt from.

TRL's own completion log keeps only the last batch of each logging step.
"""

import math
from collections.abc import Callable
from typing import Any

from training.groups import Rollout, groups_of, weighted_total
from training.jobs.train.resuming import ResumableTrainer

CARRIED = ("problem_id", "tokens", "finish_reason")
"""Columns that a reward function hands to TRL's log for the ledger, a value for each completion."""

VERIFIED = "verified"
"""A further one: the verifier's values, where the run is not trained on it."""

Record = Callable[[list[Rollout]], None]


def ledger_trainer_class(trainer_class: type) -> Any:
    """A resumable subclass of an engine's GRPOTrainer that hands every generation batch, whole, to its argument `record`.

    Its argument `verifier` names the reward whose values `VERIFIED` carries, if any.

    Made when the engine is there, because importing Unsloth replaces `trl.GRPOTrainer`.
    """

    class LedgerTrainer(ResumableTrainer, trainer_class):  # type: ignore[misc,valid-type]
        def __init__(self, *args: Any, record: Record, verifier: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._record = record
            self._verifier = verifier

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
            batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
            if self.model.training and self.accelerator.is_main_process:
                rollouts = _last_rollouts(self)
                # TRL asks whether the deviation is exactly 0, which rounding in float32 keeps equal totals from.
                self._metrics["train"]["frac_reward_zero_std"][-1] = _share_without_variance(rollouts)
                self._record(rollouts)
            return batch

    return LedgerTrainer


def _last_rollouts(trainer: Any) -> list[Rollout]:
    """The batch just generated, of the step that is about to be taken.

    TRL's deques hold exactly that batch, gathered over all processes, in data set order: rows of one group stand
    together. A batch that serves several steps (`num_iterations`) is of the first of them.
    """
    logs = trainer._logs
    weights = dict(zip(trainer.reward_func_names, trainer.reward_weights.tolist(), strict=True))
    ids, tokens, reasons = (logs["extra"][column] for column in CARRIED)
    verified = logs["extra"].get(VERIFIED)
    rollouts = []
    for row, completion in enumerate(logs["completion"]):
        rewards = {name: finite(logs["rewards"][name][row]) for name in weights}
        total = weighted_total(rewards, weights)
        if verified is not None:
            rewards[trainer._verifier] = verified[row]
        rollouts.append(
            Rollout(
                step=trainer.state.global_step + 1,
                group_index=row // trainer.num_generations,
                position=row % trainer.num_generations,
                problem_id=ids[row],
                completion=completion,
                rewards=rewards,
                total=total,
                advantage=logs["advantages"][row],
                tokens=tokens[row],
                finish_reason=reasons[row],
            )
        )
    return rollouts


def _share_without_variance(rollouts: list[Rollout]) -> float:
    """How many of the groups have equal totals, as the ledger and the health signals judge it."""
    groups = groups_of(rollouts)
    return sum(group.is_flat for group in groups) / len(groups)


def finite(value: float | None) -> float | None:
    """A number as the store keeps it: None where there is none, or it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
