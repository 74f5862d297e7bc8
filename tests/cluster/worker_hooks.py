"""What the tests put into the processes of a run: fixed completions, a callback that writes down what it sees, a death.

It gets there with the run's problems, which every process receives. `python -m tests.cluster.worker_hooks FOLDER RUN` is the
process of a queued run whose workers get it so.
"""

import hashlib
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import trl
from transformers import TrainerCallback

from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.jobs.__main__ import main
from training.jobs.train import grpo, job
from training.rewards import Reward

LOSS_TYPES = ("dapo", "grpo", "dr_grpo", "dapo", "bnpo")
"""Of each step, and again from the sixth. The last one's gradient depends on the number of processes, so it comes last."""

LENGTH = Reward("length", "Length", 1.0, lambda completion, gold: len(completion) % 5 / 10, needs_gold=False)

OFTEN_FLAT = Reward(
    "often_flat", "Often flat", 1.0, lambda completion, gold: 0.3 if int(gold) % 3 else len(completion) % 5 / 10
)
"""The same whatever is answered to two problems of three."""

REWARDS_FILE = "from tests.cluster.worker_hooks import LENGTH, OFTEN_FLAT\nREWARDS = [LENGTH, OFTEN_FLAT]\n"


class Hooked:
    """Problems that install everything in the process that receives them.

    Args:
        dies: the second process is killed in step 4, once.
    """

    def __init__(self, problem_set: ProblemSet, folder: Path, *, dies: bool = False) -> None:
        self._sent = problem_set, folder, dies

    def require_content(self, content_hash: str) -> None:
        """As that of the problems."""
        self._sent[0].require_content(content_hash)

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive, self._sent


def _receive(problem_set: ProblemSet, folder: Path, dies: bool) -> ProblemSet:
    install(folder, dies=dies)
    return problem_set


def install(folder: Path, *, dies: bool) -> ExitStack:
    """Patch TRL's generation and the run's trainer in this process, until the stack is closed."""
    stack = ExitStack()
    stack.enter_context(mock.patch.object(trl.GRPOTrainer, "_generate_single_turn", fixed_completions))

    def make_and_watch(*args: Any, **kwargs: Any) -> Any:
        trainer = grpo.make_trainer(*args, **kwargs)
        trainer.add_callback(Witness(trainer, folder, dies))
        return trainer

    stack.enter_context(mock.patch.object(grpo, "GRPO", replace(grpo.GRPO, make_trainer=make_and_watch)))
    return stack


@contextmanager
def installed(folder: Path) -> Any:
    """`install` for a run in the test's own process."""
    with install(folder, dies=False):
        yield


def fixed_completions(trainer: Any, prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[list[list[int]], None]:
    """A completion for each row of the global batch and each step, whichever process it is on."""
    first = trainer.accelerator.process_index * len(prompt_ids)
    return [_completion(trainer, trainer.state.global_step, first + row) for row in range(len(prompt_ids))], None


def _completion(trainer: Any, step: int, row: int) -> list[int]:
    draw = random.Random(1000 * step + row)
    ids = [draw.randrange(20, 400) for _ in range(draw.randrange(3, trainer.max_completion_length))]
    return [*ids, trainer.eos_token_ids[0]]


class Witness(TrainerCallback):
    """Writes each step's gradient and its parameters' hash to files of this process, and takes the next step's loss type."""

    def __init__(self, trainer: Any, folder: Path, dies: bool) -> None:
        self._trainer, self._folder, self._dies = trainer, folder, dies
        self._rank = trainer.accelerator.process_index

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._trainer.loss_type = LOSS_TYPES[state.global_step % len(LOSS_TYPES)]
        mark = self._folder / "died"
        if self._dies and self._rank == 1 and state.global_step == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._rank == 0 and state.global_step < 5:
            torch.save(self._joined(lambda parameter: parameter.grad), self._file("gradient", state.global_step + 1))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        values = self._joined(lambda parameter: parameter.data).numpy()
        self._file("parameters", state.global_step).write_text(hashlib.sha256(values.tobytes()).hexdigest())

    def _joined(self, of: Callable[[Any], torch.Tensor]) -> torch.Tensor:
        return torch.cat([of(parameter).flatten() for parameter in self._trainer.model.parameters()])

    def _file(self, what: str, step: int) -> Path:
        return self._folder / f"{what}-{step}-rank-{self._rank}"


def gradient(folder: Path, step: int) -> torch.Tensor:
    """What the first process wrote of a step's gradient: (P,) float32."""
    found: torch.Tensor = torch.load(folder / f"gradient-{step}-rank-0", weights_only=True)
    return found


def parameters(folder: Path, step: int, rank: int) -> str:
    """The hash of a process's parameters after a step."""
    return (folder / f"parameters-{step}-rank-{rank}").read_text()


if __name__ == "__main__":
    from tests.cluster import worker_hooks  # by this name the workers know it

    job.load_problems = lambda source, home: worker_hooks.Hooked(load_problems(source, home), Path(sys.argv[1]))  # type: ignore[assignment,return-value]
    sys.exit(main([sys.argv[2]]))
