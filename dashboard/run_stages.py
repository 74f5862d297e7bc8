"""The stages that a training run passes before its first step is on record. Nothing here knows Streamlit."""

from dataclasses import dataclass
from typing import Literal

from training.config import RunConfig, StageConfig
from training.store import Job, Phase

Place = Literal["done", "now", "to come"]


@dataclass(frozen=True)
class Stage:
    """One of them."""

    title: str
    place: Place
    detail: str = ""
    """What is being done now."""


_PHASES: tuple[tuple[Phase, str], ...] = (
    ("", "Starting"),
    ("loading", "Loading the model"),
    ("evaluating", "Evaluating before training"),
    ("training", "Generating and learning: the first step"),
)
_LEARNING_ALONE = "Learning: the first step"


def stages_of(run: Job, config: StageConfig) -> list[Stage]:
    """What is behind the run, what it does now, and what comes before its first step."""
    evaluates = bool(config.evaluate_before and config.evaluation_problems)
    phases = [(phase, title) for phase, title in _PHASES if phase != "evaluating" or evaluates]
    titles = ["Waiting for its turn", *(title for _, title in phases)]
    if not isinstance(config, RunConfig):
        titles[-1] = _LEARNING_ALONE
    names = [phase for phase, _ in phases]
    now = 0 if run.status == "queued" else 1 + (names.index(run.phase) if run.phase in names else 0)
    return [
        Stage(
            title,
            "done" if place < now else "now" if place == now else "to come",
            run.message if place == now and run.message.casefold() != title.casefold() else "",
        )
        for place, title in enumerate(titles)
    ]
