"""The steps of a completion that a judge scores: its lines of reasoning. And how their scores become one."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from training.data.steps import lines

Aggregation = Literal["last", "min", "product"]

AGGREGATIONS: Mapping[Aggregation, tuple[str, Callable[[Sequence[float]], float]]] = {
    "last": ("Last step", lambda scores: scores[-1]),
    "min": ("Lowest step", min),
    "product": ("Product of the steps", math.prod),
}
"""Name -> its title, and what makes one score of those of the steps (Lightman et al. 2023, "Let's Verify Step by Step", and
Beeching et al. 2024, which takes the last)."""

_ANSWER = re.compile(r"</?answer>.*", re.DOTALL)
_TAG = re.compile(r"</?reasoning>")


def reasoning_steps(completion: str) -> tuple[str, ...]:
    """The lines before the answer, stripped, without the article's tags; blank ones left out.

    The answer begins with its tag or with `####`; one in a box stands in a line of reasoning.
    """
    return lines(_TAG.sub("", _ANSWER.sub("", completion)))


def one_score(scores: Sequence[float], aggregation: Aggregation) -> float | None:
    """The score of a completion; `None` where it has no step that was scored."""
    return AGGREGATIONS[aggregation][1](scores) if scores else None
