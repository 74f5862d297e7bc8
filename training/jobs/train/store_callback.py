"""The link between TRL's trainer and the store: scalars and progress, checkpoints, stop requests."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.errors import StoreFailedError
from training.jobs.job_process import JobProcess
from training.jobs.train.ledger_trainer import finite
from training.jobs.train.recorder import Recorder
from training.jobs.train.resources import ResourceMeter
from training.jobs.train.watch import Watch
from training.models.checkpoints import keep_newest
from training.models.uploads import Uploads
from training.store import Progress


class Measured(Protocol):
    """A callback that measures each step."""

    scalars: dict[str, float]
    """The latest step's."""


class StoreCallback(TrainerCallback):
    """Hands each step's scalars to the recorder, keeps checkpoints and their records, and obeys stop requests.

    Args:
        measured: come before this one; their scalars are recorded.
        watch: the doctor at the run, which may stop it too.
        uploads: keeps the checkpoints instead, here and where it uploads them to.
    """

    def __init__(
        self,
        process: JobProcess,
        recorder: Recorder,
        checkpoints_kept: int,
        measured: Sequence[Measured],
        watch: Watch,
        uploads: Uploads | None = None,
    ) -> None:
        self._process = process
        self._recorder = recorder
        self._checkpoints_kept = checkpoints_kept
        self._meter = ResourceMeter()
        self._measured = measured
        self._watch = watch
        self._uploads = uploads

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._process.signalled or self._recorder.stop_requested or self._watch.reason:
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if logs is None or "train_runtime" in logs:
            return
        values = {name: finite(value) for name, value in logs.items() if value is None or isinstance(value, int | float)}
        values |= self._meter.measure()
        for each in self._measured:
            values |= each.scalars
        problem = self._uploads.problem if self._uploads is not None else ""
        doing = f"training; {problem}" if problem else "training"
        self._recorder.add_scalars(state.global_step, values, Progress(state.global_step, state.max_steps, doing, "training"))
        self._watch.step_done(state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Put the complete checkpoint on record behind its steps, then delete those beyond the number kept.

        While the store is away, and once it has failed, none is deleted: the next save, or the run's end, has it done.
        """
        path = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        self._recorder.add_checkpoint(state.global_step, str(path))
        is_in_store = self._recorder.flush()
        if self._uploads is not None:
            self._uploads.add(state.global_step, path)
        elif is_in_store:
            with suppress(StoreFailedError):
                keep_newest(self._process.store, self._process.job.id, self._checkpoints_kept, path.parent)
