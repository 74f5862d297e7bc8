"""The steps of a completion that a judge scores, its lines up to the answer, and how their scores become one."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

Aggregation = Literal["last", "min", "product"]

AGGREGATIONS: Mapping[Aggregation, tuple[str, Callable[[Sequence[float]], float]]] = {
    "last": ("Last step", lambda scores: scores[-1]),
    "min": ("Lowest step", min),
    "product": ("Product of the steps", math.prod),
}
"""Name -> its title, and what makes one score of those of the steps (Lightman et al. 2023, "Let's Verify Step by Step", and
Beeching et al. 2024, which takes the last)."""

_END = "</answer>"
_TAG = re.compile(r"</?(?:reasoning|answer)>")


@dataclass(frozen=True)
class Step:
    """A line of a completion."""

    text: str
    """Stripped, without the article's tags."""
    end: int
    """Where the line ends in the completion, its line break counted."""


def solution_steps(completion: str) -> tuple[Step, ...]:
    """The lines up to the end of the answer; those left out that hold nothing but tags."""
    lines = completion.partition(_END)[0].splitlines(keepends=True)
    ends = accumulate(map(len, lines))
    return tuple(Step(text, end) for line, end in zip(lines, ends, strict=True) if (text := _TAG.sub("", line).strip()))


def one_score(scores: Sequence[float], aggregation: Aggregation) -> float | None:
    """The score of a completion; `None` where it has no step that was scored."""
    return AGGREGATIONS[aggregation][1](scores) if scores else None
