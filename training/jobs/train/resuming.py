"""What makes a resumed run the run that was not interrupted: a layer over TRL's trainers, for any engine's.

transformers saves and restores weights, optimiser, schedule, step and the state of every random number generator. Missing
is what is here: a run whose last step was already saved, and an end of failed saves that leaves nothing half written; for
GRPO also the data order after the first pass over the data, a generation batch that is still to be learnt from, and a
reference model that follows the policy. With vLLM the completions after a resume are others, as its generator cannot be
restored.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from training.errors import CheckpointError
from training.models.checksums import write_checksums
from training.text import size_text

_REFERENCE = "reference_model.pt"

_TORCH_WRITE_ERRORS = ("PytorchStreamWriter", "inline_container", "iostream error")
"""What stands in the RuntimeErrors of torch's file writer, which have no type of their own."""

if TYPE_CHECKING:
    from transformers import Trainer as _Trainer
else:
    _Trainer = object  # the stage's trainer is the other base; importing Unsloth replaces TRL's


class WholeCheckpoints(_Trainer):
    """Mixed into a trainer, before it: checkpoints are whole, and training goes on from one as if it had not stopped."""

    _steps_before = 0
    """Steps that the run had done when this process took it up."""

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        """Train to `max_steps`; from a checkpoint of the last step only its weights are loaded."""
        if resume_from_checkpoint is not None:
            folder = Path(resume_from_checkpoint)
            self._steps_before = self._saved_state(folder).global_step
            if self._steps_before >= self.args.max_steps:
                # transformers would take one step more.
                self._load_from_checkpoint(resume_from_checkpoint)
                self.state.global_step, self.state.max_steps = self._steps_before, self.args.max_steps
                self.callback_handler.on_train_begin(self.args, self.state, self.control)
                self.callback_handler.on_train_end(self.args, self.state, self.control)
                return None
            self._load_more(folder)
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _saved_state(self, folder: Path) -> TrainerState:
        return TrainerState.load_from_json(str(folder / TRAINER_STATE_NAME))

    def _load_more(self, folder: Path) -> None:
        """Take over what transformers does not of a checkpoint."""

    def _save_more(self, folder: Path) -> None:
        """Save what transformers does not into a checkpoint."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        with saving(folder):
            super()._save_checkpoint(model, trial)
            self._save_more(folder)
            self.accelerator.wait_for_everyone()  # each process has files in it
            if self.accelerator.is_main_process:
                write_checksums(folder)  # the last file; what comes next is its record


class ResumableTrainer(WholeCheckpoints):
    """Mixed into a GRPOTrainer or RLOOTrainer, before it."""

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """As transformers does, and the adapter that is trained where a frozen copy of its beginning is saved beside it.

        TRL makes that copy, "ref", of a model that comes with its adapter, as Unsloth's does; of a folder's adapters and the
        one beside them transformers then loads the former alone.
        """
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        model = self.model if model is None else model
        if "ref" in getattr(model, "peft_config", {}):
            model.load_adapter(resume_from_checkpoint, "default", is_trainable=True)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """TRL's sampler, moved on to the order of the pass over the data in which the run was interrupted.

        Its generator goes from pass to pass, so a new sampler would begin with the order of the first.
        """
        sampler = super()._get_train_sampler(dataset)
        batches = len(sampler) // self.args.generation_batch_size
        steps_a_pass = max(1, -(-batches // self.args.gradient_accumulation_steps))
        for _ in range(self._steps_before // steps_a_pass if sampler.shuffle else 0):
            torch.randperm(sampler.num_samples, generator=sampler.generator)
        return sampler

    def _save_more(self, folder: Path) -> None:
        """Keep a generation batch that more steps are to learn from (`num_iterations`), and a reference model that follows."""
        if self.args.sync_ref_model and self.accelerator.is_main_process:
            torch.save(self.accelerator.unwrap_model(self.ref_model).state_dict(), folder / _REFERENCE)
        held = self._step % (self.args.steps_per_generation * self.num_iterations)
        if held:
            torch.save({"micro_step": held, "batches": self._buffered_inputs}, self._held_batch(folder))

    def _load_more(self, folder: Path) -> None:
        """Take up what `_save_more` kept."""
        if self.args.sync_ref_model:
            weights = torch.load(folder / _REFERENCE, map_location=self.args.device, weights_only=True)
            self.accelerator.unwrap_model(self.ref_model).load_state_dict(weights)
        if (saved := len(list(folder.glob("held_batch_*.pt")))) not in (0, self.args.world_size):
            raise CheckpointError(
                f"{folder.name} holds the rest of a generation batch for {saved} processes, and this run has "
                f"{self.args.world_size}.",
                f"Resume with {saved} processes, or from another checkpoint with --checkpoint.",
            )
        if saved:
            held = torch.load(self._held_batch(folder), map_location=self.args.device, weights_only=True)
            self._step, self._buffered_inputs = held["micro_step"], held["batches"]

    def _held_batch(self, folder: Path) -> Path:
        return folder / f"held_batch_{self.args.process_index}.pt"


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """A checkpoint is saved to `folder` whole, or the folder is deleted again.

    Raises:
        CheckpointError: the disk did not take it; torch and safetensors each say that in their own way.
    """
    free_bytes = shutil.disk_usage(folder.parent).free
    try:
        yield
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        if (cause := _disk_error(error)) is None:
            raise
        raise CheckpointError(
            f"{folder.name} could not be saved in {folder.parent} ({cause}); {size_text(free_bytes)} were free there.",
            "Make room, then resume the run: it goes on from its last complete checkpoint.",
        ) from error


def _disk_error(error: Exception) -> str | None:
    """What the disk said, if it was the disk; torch's file writer only says at which place of the file it noticed."""
    if isinstance(error, OSError | SafetensorError):
        return str(error).splitlines()[0]
    if any(words in str(error) for words in _TORCH_WRITE_ERRORS):
        return "a file was cut off"
    return None
