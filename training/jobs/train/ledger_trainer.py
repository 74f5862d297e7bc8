"""TRL's GRPOTrainer or RLOOTrainer with a complete ledger: every generation batch is handed over before it is learnt from.

TRL's own completion log keeps only the last batch of each logging step.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.groups import Credit, Group, Rollout, advantages, groups_of, weighted_total
from training.jobs.train.resuming import ResumableTrainer
from training.jobs.train.rounds import Choice, Round, chosen_groups, chosen_rounds, divided, joined, joined_metric
from training.jobs.train.stopwatch import GENERATE, RECORD, REWARD, WAIT, Stopwatch

CARRIED = ("problem_id", "tokens", "finish_reason")
"""Columns that a reward function hands to TRL's log for the ledger, a value for each completion."""

VERIFIED = "verified"
"""A further one: the verifier's values, where the run is not trained on it."""

Record = Callable[[list[Rollout]], None]

Generate = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""TRL's way from rows of this process to a scored batch."""


class LedgerTrainer(ResumableTrainer):
    """Mixed into a GRPOTrainer or RLOOTrainer, before it: hands every generation batch, whole, to its argument `record`.

    Its argument `stopwatch` is told what the parts of a step take; `verifier` names the reward whose values `VERIFIED` carries,
    if any; `credit` is how TRL makes advantages of rewards. With a `choice` it decides itself, at each generation, which
    problems it is of; the rows that come from TRL's loader are then not looked at.
    """

    def __init__(
        self,
        *args: Any,
        record: Record,
        stopwatch: Stopwatch,
        verifier: str,
        credit: Credit,
        choice: Choice | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._record = record
        self._stopwatch = stopwatch
        self._verifier = verifier
        self._credit = credit
        self._choice = choice

    def _save_more(self, folder: Path) -> None:
        super()._save_more(folder)
        if self._choice is not None and self.accelerator.is_main_process:
            self._choice.save(folder)

    def _load_more(self, folder: Path) -> None:
        super()._load_more(folder)
        if self._choice is not None:
            self._choice.load(folder)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        with self._stopwatch.part(GENERATE):
            found = super()._generate_single_turn(*args, **kwargs)
        with self._stopwatch.part(WAIT):  # TRL gathers next, which waits for the slowest process in any case
            self.accelerator.wait_for_everyone()
        return found

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Any:
        with self._stopwatch.part(REWARD):
            return super()._calculate_rewards(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        generate: Generate = super()._generate_and_score_completions
        if not self.model.training:
            return generate(inputs)
        if self._choice is not None:
            return self._generate_chosen(self._choice, generate, len(inputs))
        batch = generate(inputs)
        if self.accelerator.is_main_process:
            rollouts = _last_rollouts(self, self.args.generation_batch_size)
            # TRL asks whether the deviation is exactly 0, which rounding in float32 keeps equal totals from.
            self._metrics["train"]["frac_reward_zero_std"][-1] = _share_without_variance(groups_of(rollouts))
            self._hand_over(rollouts)
        return batch

    def _generate_chosen(self, choice: Choice, generate: Generate, rows: int) -> dict[str, Any]:
        """A batch of so many rows for this process, of the problems that the choice draws."""
        ranks, rank = self.accelerator.num_processes, self.accelerator.process_index
        metrics = self._metrics["train"]
        told_before = {name: len(values) for name, values in metrics.items()}

        def generate_round(drawn: Sequence[int]) -> Round:
            every = [row for row in drawn for _ in range(self.num_generations)]
            each = len(every) // ranks
            batch = generate([self.train_dataset[row] for row in every[rank * each : (rank + 1) * each]])
            return Round(batch, groups_of(_last_rollouts(self, len(every))))

        wanted = rows * ranks // self.num_generations
        step = self.state.global_step + 1
        multiple = ranks // math.gcd(ranks, self.num_generations)
        rounds, told = chosen_rounds(choice, wanted, step, multiple, generate_round)
        kept = chosen_groups(rounds, wanted)
        learnt, dropped = divided(rounds, kept)
        if len(rounds) > 1 and self._credit.is_of_step:  # TRL knew only the batch of each round
            weights = dict(zip(self.reward_func_names, self.reward_weights.tolist(), strict=True))
            fresh = advantages(learnt, weights, self._credit)
            learnt = [replace(rollout, advantage=value) for rollout, value in zip(learnt, fresh, strict=True)]
        if self.accelerator.is_main_process:
            self._join_metrics(told_before, [len(found.groups) for found in rounds])
            metrics["frac_reward_zero_std"][-1] = _share_without_variance(groups_of([*learnt, *dropped]))
            told["dynamic_sampling/dropped_tokens"] = float(sum(rollout.tokens for rollout in dropped))
            for name, value in told.items():
                metrics[name].append(value)
            self._hand_over([*learnt, *dropped])
        return rounds[0].batch if len(rounds) == 1 else joined(rounds, kept, learnt, self._tokenizer.pad_token_id, rank, ranks)

    def _join_metrics(self, told_before: Mapping[str, int], sizes: Sequence[int]) -> None:
        """One value a metric of what TRL told of each round, of so many groups each, since it had told so much."""
        for name, values in self._metrics["train"].items():
            if len(new := values[told_before.get(name, 0) :]) == len(sizes) > 1:
                values[-len(new) :] = [joined_metric(new, name, sizes)]

    def _hand_over(self, rollouts: list[Rollout]) -> None:
        self._stopwatch.tokens += sum(rollout.tokens for rollout in rollouts)
        with self._stopwatch.part(RECORD):
            self._record(rollouts)


def ledger_trainer_class(trainer_class: type) -> Any:
    """An engine's trainer with a complete ledger; made when the engine is there, as importing Unsloth replaces TRL's."""
    return type("LedgerTrainer", (LedgerTrainer, trainer_class), {})


def _last_rollouts(trainer: Any, count: int) -> list[Rollout]:
    """The batch of so many rows just generated, of the step that is about to be taken.

    TRL's deques end with exactly that batch, gathered over all processes, in data set order: rows of one group stand
    together. A batch that serves several steps (`num_iterations`) is of the first of them.
    """
    logs = trainer._logs
    weights = dict(zip(trainer.reward_func_names, trainer.reward_weights.tolist(), strict=True))
    completions, advantage = _last(logs["completion"], count), _last(logs["advantages"], count)
    ids, tokens, reasons = (_last(logs["extra"][column], count) for column in CARRIED)
    scored = {name: _last(logs["rewards"][name], count) for name in weights}
    verified = _last(logs["extra"][VERIFIED], count) if VERIFIED in logs["extra"] else None
    rollouts = []
    for row, completion in enumerate(completions):
        rewards = {name: finite(values[row]) for name, values in scored.items()}
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
                advantage=advantage[row],
                tokens=tokens[row],
                finish_reason=reasons[row],
            )
        )
    return rollouts


def _last(values: Iterable[Any], count: int) -> list[Any]:
    return [*values][-count:]


def _share_without_variance(groups: Sequence[Group]) -> float:
    """How many of the groups have equal totals, as the ledger and the health signals judge it."""
    return sum(group.is_flat for group in groups) / len(groups)


def finite(value: float | None) -> float | None:
    """A number as the store keeps it: None where there is none, or it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
