"""The link between TRL's trainer and the store: scalars and progress, checkpoints, stop requests."""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.checkpoints import keep_newest
from training.jobs import JobProcess
from training.ledger_trainer import finite
from training.recorder import Recorder
from training.resources import ResourceMeter
from training.store import Progress


class StoreCallback(TrainerCallback):
    """Hands each step's scalars to the recorder, keeps checkpoints and their records, and obeys stop requests."""

    def __init__(self, process: JobProcess, recorder: Recorder, checkpoints_kept: int) -> None:
        self._process = process
        self._recorder = recorder
        self._checkpoints_kept = checkpoints_kept
        self._meter = ResourceMeter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._process.signalled or self._recorder.stop_requested:
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
        self._recorder.add_scalars(state.global_step, values, Progress(state.global_step, state.max_steps, "training"))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Put the complete checkpoint on record once the ledger has its steps, then delete those beyond the number kept."""
        path = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        self._recorder.flush()
        store, job_id = self._process.store, self._process.job.id
        store.add_checkpoint(job_id, state.global_step, str(path))
        keep_newest(store, job_id, self._checkpoints_kept)
