"""Where a step's time goes, process by process: generating, rewards, waiting for the others, recording; the rest is learning.

The first process's seconds are `time/<part>`, those of the second `time/1/<part>`. A generation batch that serves several steps
is in the time of the first of them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.jobs.train.stopwatch import GENERATE, LEARN, TOKENS_PER_S, Stopwatch


class StepTimesCallback(TrainerCallback):
    """Reads every process's stopwatch at the end of each step; the first process's has the scalars of all.

    To come before callbacks that wait for other processes, so that all exchange in one order.

    Args:
        gather: hands a value to the first process and returns those of all there, `None` elsewhere.
    """

    def __init__(self, gather: Callable[[Any], list[Any] | None], stopwatch: Stopwatch) -> None:
        self._gather = gather
        self._stopwatch = stopwatch
        self._began = 0.0
        self.scalars: dict[str, float] = {}
        """The latest step's; none of a stage that has no parts."""

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._stopwatch.read()
        self._began = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        spent, tokens = self._stopwatch.read()
        if spent:
            spent[LEARN] = time.perf_counter() - self._began - sum(spent.values())
        self.scalars = scalars(self._gather(spent) or ())
        if tokens and GENERATE in spent:
            self.scalars[TOKENS_PER_S] = tokens / spent[GENERATE]


def scalars(spent: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The scalars by name from each process's seconds, the first process first."""
    return {
        f"time/{rank}/{part}" if rank else f"time/{part}": seconds
        for rank, parts in enumerate(spent)
        for part, seconds in parts.items()
    }
