"""A generation batch of chosen problems: in one round, or in several where groups without variance are to be replaced.

Replacing them is DAPO's dynamic sampling (Yu et al. 2025): nothing is learnt from a group whose completions all earned the
same. Each round is scored by TRL as a batch of its own; here the groups that are learnt from are put together to one batch, of
the size that TRL expects, on any number of processes.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object

from training.errors import CheckpointError
from training.groups import Group, Rollout
from training.sampling.draw import ProblemDraw
from training.sampling.pools import POOLS

_DRAW = "draw.json"

_ON_THE_LEFT = ("prompt_ids", "prompt_mask")
"""Padded on the left, as generation needs it; everything else by token is padded on the right."""


@dataclass(frozen=True)
class Choice:
    """How a run chooses what it learns from."""

    draw: ProblemDraw
    further_rounds: int = 0
    """In at most so many further rounds groups without variance are replaced."""

    def save(self, checkpoint: Path) -> None:
        """Keep what the next draws depend on in a checkpoint's folder."""
        (checkpoint / _DRAW).write_text(json.dumps(self.draw.state()), encoding="utf-8")

    def load(self, checkpoint: Path) -> None:
        """Take up what `save` kept.

        Raises:
            CheckpointError: it is not there, or of other problems.
        """
        try:
            self.draw.restore(json.loads((checkpoint / _DRAW).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"{checkpoint.name} does not say which problems come next ({error}).", "Resume from another checkpoint."
            ) from error


@dataclass(frozen=True)
class Round:
    """A batch that was generated and scored at once."""

    batch: dict[str, Any]
    """TRL's, this process's part."""
    groups: list[Group]
    """Of all processes, in the order of the rows."""


def chosen_rounds(
    choice: Choice, wanted: int, step: int, multiple: int, generate: Callable[[Sequence[int]], Round]
) -> tuple[list[Round], dict[str, float]]:
    """Draw and generate until so many groups have variance or the rounds are over; with what to tell of it.

    Args:
        wanted: groups of a whole batch.
        step: counted from 1.
        multiple: what a round's groups must be a multiple of, so that processes have equal parts.
        generate: completes and scores problems, given by their rows.
    """
    draw = choice.draw
    rounds: list[Round] = []
    rows: list[int] = []
    told = {f"pools/{pool}": float(size) for pool, size in draw.standing.sizes().items()}
    told |= {f"drawn/{pool}": 0.0 for pool in POOLS}
    missing = wanted
    while missing and len(rounds) <= choice.further_rounds:
        drawn = draw.draw(-(-missing // multiple) * multiple, step, without=rows)
        if rounds:
            drawn = drawn[: len(drawn) // multiple * multiple]
        if not drawn:  # no other problems are left
            break
        for row in drawn:
            told[f"drawn/{draw.pool_of(row)}"] += 1
        rounds.append(generate(drawn))
        rows += drawn
        missing = wanted - sum(not group.is_flat for found in rounds for group in found.groups)
    told["dynamic_sampling/rounds"] = float(len(rounds))
    draw.learn(group for found in rounds for group in found.groups)
    return rounds, told


def chosen_groups(rounds: Sequence[Round], wanted: int) -> list[int]:
    """The places, among all groups of the rounds, of those to learn from: the first with variance, then the first without."""
    flat = [group.is_flat for found in rounds for group in found.groups]
    by_worth = sorted(range(len(flat)), key=lambda place: flat[place])
    return sorted(by_worth[:wanted])


def divided(rounds: Sequence[Round], kept: Sequence[int]) -> tuple[list[Rollout], list[Rollout]]:
    """The rollouts that a step learns from, in the order of its rows, and the others, each with the reason."""
    groups = [group for found in rounds for group in found.groups]
    others = [place for place in range(len(groups)) if place not in set(kept)]
    learnt = [replace(rollout, group_index=index) for index, place in enumerate(kept) for rollout in groups[place].rollouts]
    dropped = [
        replace(rollout, group_index=index, advantage=0.0, dropped="flat" if groups[place].is_flat else "surplus")
        for index, place in enumerate(others, len(kept))
        for rollout in groups[place].rollouts
    ]
    return learnt, dropped


def joined(
    rounds: Sequence[Round], kept: Sequence[int], learnt: Sequence[Rollout], pad_id: int, rank: int, ranks: int
) -> dict[str, Any]:
    """TRL's batch of the kept groups, this process's part: rows of all processes in their order, padded anew.

    Args:
        kept: places of groups, as many as a whole batch has.
        learnt: their rollouts.
        pad_id: the token that ids are padded with.
    """
    rows = [row for found in rounds for row in _all_rows(found.batch)]
    size = len(learnt) // len(kept)
    rows = [rows[group * size + place] for group in kept for place in range(size)]
    each = len(rows) // ranks
    mine = rows[rank * each : (rank + 1) * each]
    prompt, completion = (max(1, *(int(row[f"{part}_mask"].sum()) for row in mine)) for part in ("prompt", "completion"))
    like = rounds[0].batch
    batch: dict[str, Any] = {}
    for name in mine[0]:
        values = [row[name] for row in mine]
        padding = pad_id if name.endswith("_ids") else 0
        if name in _ON_THE_LEFT:
            values = [_padded(value, prompt, padding, left=True) for value in values]
        elif all(found.batch[name].shape == found.batch["completion_ids"].shape for found in rounds):
            values = [_padded(value, completion, padding) for value in values]
        batch[name] = torch.stack(values).to(like[name].device)
    batch["advantages"] = like["advantages"].new_tensor(
        [rollout.advantage for rollout in learnt[rank * each : (rank + 1) * each]]
    )
    tokens = sum(int(row["completion_mask"].sum()) for row in rows)
    batch["num_items_in_batch"] = torch.tensor(tokens, device=like["completion_ids"].device)
    return batch


def _all_rows(batch: Mapping[str, Any]) -> list[dict[str, torch.Tensor]]:
    """The rows of a batch by name, of all processes in their order, in the machine's memory."""
    columns = {name: value.cpu() for name, value in batch.items() if isinstance(value, torch.Tensor) and value.dim()}
    rows: list[dict[str, torch.Tensor]] = gather_object(
        [{name: column[row] for name, column in columns.items()} for row in range(len(columns["completion_ids"]))]
    )
    return rows


def _padded(row: torch.Tensor, width: int, value: int, *, left: bool = False) -> torch.Tensor:
    """A row of a batch cut or padded to a width; what is cut is padding."""
    missing = width - len(row)
    if missing <= 0:
        return row[-missing:] if left else row[:width]
    return torch.nn.functional.pad(row, (missing, 0) if left else (0, missing), value=value)


def joined_metric(values: Sequence[float], name: str, rows: Sequence[int]) -> float:
    """One value of a metric from that of each round: the lowest, the highest, or the mean over all rows."""
    known = [(value, count) for value, count in zip(values, rows, strict=True) if not math.isnan(value)]
    if not known:
        return math.nan
    if "/min_" in name or name.endswith("/min"):
        return min(value for value, _ in known)
    if "/max_" in name or name.endswith("/max"):
        return max(value for value, _ in known)
    return sum(value * count for value, count in known) / sum(count for _, count in known)
