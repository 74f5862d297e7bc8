"""The processes that train one run together: the first leads, the others follow; this is how they speak.

TRL shares out a step's rows and averages the gradients. What is here keeps everything else in step: the checkpoint to begin
from, stop requests, and evaluations, whose prompts are shared out too. The messages have a group of their own, on the CPU
and all but without a time-out, so the others may wait for as long as an evaluation or a slow store takes; a process that
dies closes its connections and so ends the wait. A process by itself is `ALONE`, for which all of this does nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.engines import Complete
from training.jobs.job_process import StopRequested
from training.prompts import Prompt

_PATIENCE = timedelta(days=7)
"""Longer than anything that one process does while the others wait."""


@dataclass(frozen=True)
class _Prompts:
    """What all complete together, each its share."""

    prompts: list[Prompt]
    max_new_tokens: int
    temperature: float


@dataclass(frozen=True)
class _GoOn:
    """The wait is over, and this is what the first process has decided."""

    save: bool
    stop: bool


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run."""

    index: int = 0
    """0 is the one that leads, and the only one that writes to the store."""
    count: int = 1
    group: Any = None

    @classmethod
    def of_process_group(cls) -> "Ranks":
        """The processes of torch's process group, all of which have to call this."""
        return cls(dist.get_rank(), dist.get_world_size(), dist.new_group(backend="gloo", timeout=_PATIENCE))

    def tell(self, message: Any) -> None:
        """Have every other process `hear` this."""
        if self.count > 1:
            dist.broadcast_object_list([message], src=0, group=self.group)

    def hear(self) -> Any:
        """What the first process tells next."""
        heard: list[Any] = [None]
        dist.broadcast_object_list(heard, src=0, group=self.group)
        return heard[0]

    def gather(self, value: Any) -> list[Any] | None:
        """What all processes give, in their order, for the first one, and `None` for the others."""
        if self.count == 1:
            return [value]
        found: list[Any] | None = [None] * self.count if self.index == 0 else None
        dist.gather_object(value, found, dst=0, group=self.group)
        return found

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            dist.barrier(group=self.group)

    def sharing(self, complete: Complete) -> Complete:
        """`complete` for the first process, with each call's prompts shared out to the others, which have to `help_out`."""
        if self.count == 1:
            return complete

        def together(prompts: Sequence[Prompt], max_new_tokens: int, temperature: float) -> list[tuple[str, int]]:
            asked = _Prompts(list(prompts), max_new_tokens, temperature)
            self.tell(asked)
            return self._complete_share(complete, asked)

        return together

    @contextmanager
    def helped(self) -> Iterator[None]:
        """While this lasts on the first process, the others `help_out`; a stop request is theirs too."""
        try:
            yield
        except StopRequested:
            self.tell(_GoOn(save=True, stop=True))
            raise
        self.tell(_GoOn(save=False, stop=False))

    def help_out(self, complete: Complete, randomness: Callable[[], Any]) -> _GoOn:
        """Complete what the first process shares out until it decides how to go on.

        Args:
            randomness: the context in which to complete, entered only if there is something to complete.
        """
        with ExitStack() as stack:
            entered = False
            while not isinstance(heard := self.hear(), _GoOn):
                if not entered:
                    stack.enter_context(randomness())
                    entered = True
                self._complete_share(complete, heard)
        return heard

    def _complete_share(self, complete: Complete, asked: _Prompts) -> list[tuple[str, int]]:
        """Complete this process's share; the first process has everybody's then, in the order asked."""
        each = -(-len(asked.prompts) // self.count)
        share = asked.prompts[self.index * each : (self.index + 1) * each]
        mine = complete(share, asked.max_new_tokens, asked.temperature) if share else []
        return [completion for found in self.gather(mine) or [] for completion in found]


ALONE = Ranks()
"""A run on one process."""


class LeadCallback(TrainerCallback):
    """Tells the others what the first process has decided after each step; to be its last callback."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._ranks.tell(_GoOn(control.should_save, control.should_training_stop))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._ranks.tell(_GoOn(control.should_save, control.should_training_stop))


class FollowCallback(TrainerCallback):
    """Has the other processes help the first after each step, and save and stop when it does.

    Args:
        help_out: as `Ranks.help_out`, its arguments given.
    """

    def __init__(self, help_out: Callable[[], _GoOn]) -> None:
        self._help_out = help_out

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._obey(control)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._obey(control)

    def _obey(self, control: TrainerControl) -> None:
        decided = self._help_out()
        control.should_save, control.should_training_stop = decided.save, decided.stop
