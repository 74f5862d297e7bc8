"""TRL's GRPOTrainer with a complete ledger: every generation batch is handed over before it is learnt from.

TRL's own completion log keeps only the last batch of each logging step.
"""

import math
from collections.abc import Callable
from typing import Any

from training.insight.counterfactuals import is_flat
from training.process.resuming import ResumableTrainer
from training.store import Rollout

CARRIED = ("problem_id", "tokens", "finish_reason")
"""Columns that a reward function hands to TRL's log for the ledger, a value for each completion."""

Record = Callable[[list[Rollout]], None]


def ledger_trainer_class(trainer_class: type) -> Any:
    """A resumable subclass of an engine's GRPOTrainer that hands every generation batch, whole, to its argument `record`.

    Made when the engine is there, because importing Unsloth replaces `trl.GRPOTrainer`.
    """

    class LedgerTrainer(ResumableTrainer, trainer_class):  # type: ignore[misc,valid-type]
        def __init__(self, *args: Any, record: Record, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._record = record

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
            batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
            if self.model.training and self.accelerator.is_main_process:
                rollouts = _last_rollouts(self)
                # TRL asks whether the deviation is exactly 0, which rounding in float32 keeps equal totals from.
                self._metrics["train"]["frac_reward_zero_std"][-1] = _share_without_variance(rollouts, self.num_generations)
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
    rollouts = []
    for row, completion in enumerate(logs["completion"]):
        rewards = {name: finite(logs["rewards"][name][row]) for name in weights}
        scored = [weights[name] * value for name, value in rewards.items() if value is not None]
        rollouts.append(
            Rollout(
                step=trainer.state.global_step + 1,
                group_index=row // trainer.num_generations,
                position=row % trainer.num_generations,
                problem_id=ids[row],
                completion=completion,
                rewards=rewards,
                total=sum(scored) if scored else None,
                advantage=logs["advantages"][row],
                tokens=tokens[row],
                finish_reason=reasons[row],
            )
        )
    return rollouts


def _share_without_variance(rollouts: list[Rollout], size: int) -> float:
    """Of groups of `size`: how many have equal totals, as the ledger and the health signals judge it."""
    totals = [rollout.total for rollout in rollouts]
    groups = [totals[first : first + size] for first in range(0, len(totals), size)]
    return sum(map(is_flat, groups)) / len(groups)


def finite(value: float | None) -> float | None:
    """A number as the store keeps it: None where there is none, or it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
