"""Which judges there are: a sequence classifier scores a completion as a whole, a token classifier each of its steps.

Nothing here loads a model; that is `training.judging.scoring`'s part, in a job.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.errors import ModelError, shown
from training.home import DEMO_PRM
from training.models.model_names import model_folder

JudgeKind = Literal["outcome", "process"]

_CLASSES: Mapping[str, tuple[JudgeKind, tuple[int, ...]]] = {
    "ForSequenceClassification": ("outcome", (1, 2)),
    "ForTokenClassification": ("process", (2,)),
}
"""End of a model's class -> what it scores, and the numbers of labels that a judge of it has."""
_USUAL_LABELS = 2
"""What transformers takes where config.json names none."""
_REMEDY = (
    'Use "demo", or a model of AutoModelForSequenceClassification or, for step by step, of AutoModelForTokenClassification '
    "with two labels."
)


@dataclass(frozen=True)
class Judge:
    """A model that scores completions."""

    name: str
    """A Hub name, a folder, or "demo" for the process reward model of the demo."""
    kind: JudgeKind
    labels: int


def judge_path(name: str) -> str:
    """The folder or Hub name behind a judge's name.

    Raises:
        ModelError: as of `model_folder`.
    """
    return str(DEMO_PRM if name == "demo" else model_folder(name) or name)


def judge_named(name: str) -> Judge:
    """The judge of a name, recognised by the class that its config.json names.

    Raises:
        ModelError: there is no such model, or it is no judge.
    """
    config = _config(judge_path(name), name)
    classes = config.get("architectures") or [""]
    labels = len(config.get("id2label") or range(_USUAL_LABELS))
    for ending, (kind, numbers) in _CLASSES.items():
        if str(classes[0]).endswith(ending):
            if labels not in numbers:
                raise ModelError(f"The judge {shown(name)} has {labels} labels.", _REMEDY)
            return Judge(name, kind, labels)
    raise ModelError(f"{shown(name)} is no judge: it is a {classes[0] or 'model of no known class'}.", _REMEDY)


def _config(path: str, name: str) -> Mapping[str, Any]:
    try:
        file = Path(path, "config.json") if Path(path).is_dir() else _fetched(path)
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # what the Hub's client raises is either
        raise ModelError(f"The config.json of the judge {shown(name)} cannot be read.", _REMEDY) from error
    if not isinstance(found, dict):
        raise ModelError(f"The config.json of the judge {shown(name)} is none of a model.", _REMEDY)
    return found


def _fetched(name: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, "config.json"))
