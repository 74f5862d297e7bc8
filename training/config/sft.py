"""What a run of supervised fine-tuning is told, beside what all stages are: the loss on the reference solutions."""

from typing import Literal

from pydantic import field_validator, model_validator

from training.config.fields import field
from training.config.stage import StageConfig, stage_field
from training.errors import ConfigError
from training.rewards.forms import form_named
from training.rewards.solutions import require_writable


class SftConfig(StageConfig):
    """Everything that decides how supervised fine-tuning goes; stored with the run and enough to run it again."""

    stage: Literal["sft"] = stage_field("sft")

    engine: Literal["transformers"] = field(
        "Engine and precision",
        "Engine",
        "What loads the model: transformers with PEFT; supervised fine-tuning knows no other.",
        "transformers",
    )
    max_completion_length: int = field(
        "Size of the run",
        "Longest completion",
        "Problems whose solution is longer are left out of training; completions of evaluations are cut off there.",
        200,
        unit="tokens",
        ge=1,
        le=131_072,
        simple=True,
    )
    loss_type: Literal["chunked_nll", "nll", "dft"] = field(
        "Loss",
        "Loss",
        "Of each token of the solutions: its negative log-likelihood, computed in chunks that take less memory (chunked_nll) "
        "or at once (nll); or that weighted by the token's probability, as in dynamic fine-tuning (dft).",
        "chunked_nll",
    )
    learning_rate: float = field("Optimiser", "Learning rate", "Peak learning rate.", 2e-5, gt=0, le=1, simple=True)

    @field_validator("answer_form")
    @classmethod
    def _writable_form(cls, name: str) -> str:
        try:
            require_writable(form_named(name))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return name

    @model_validator(mode="after")
    def _loss_that_reads_the_head(self) -> "SftConfig":
        if self.loss_type == "chunked_nll" and self.lora_rank and "lm_head" in self.lora_targets:
            raise ValueError(
                "loss_type = chunked_nll passes by an adapter on lm_head; set loss_type to nll, or take lm_head out of "
                "lora_targets"
            )
        return self
