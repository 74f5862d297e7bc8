"""Which judges there are, by the class of their model and, of language models, by how they are asked.

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

JudgeKind = Literal["outcome", "process", "marks", "likelihood"]

_CLASSIFIERS: Mapping[str, tuple[JudgeKind, tuple[int, ...]]] = {
    "ForSequenceClassification": ("outcome", (1, 2)),
    "ForTokenClassification": ("process", (2,)),
}
"""End of a classifier's class -> what it is, and the numbers of labels that a judge of it has."""
_ASKED: tuple[JudgeKind, ...] = ("marks", "likelihood")
"""How a language model is asked, as it stands before its name."""
_LANGUAGE_MODEL = "ForCausalLM"
_USUAL_LABELS = 2
"""What transformers takes where config.json names none."""
_REMEDY = (
    'Use "demo"; a classifier of whole texts with one or two labels, or of tokens with two; or a language model, as '
    "marks:NAME where it answers every step with + or -, or as likelihood:NAME for how likely it finds what was written."
)


@dataclass(frozen=True)
class Judge:
    """A model that scores completions."""

    name: str
    """As somebody named it."""
    kind: JudgeKind
    model: str
    """Its folder or Hub name."""

    @property
    def scores_steps(self) -> bool:
        """Whether it has a score for each step, and none only for the whole."""
        return self.kind != "outcome"


def split_judge(name: str) -> tuple[JudgeKind | None, str]:
    """(how a language model is asked, the model's name) of a judge's name; `None` where that does not say."""
    before, _, model = name.partition(":")
    return next(((kind, model) for kind in _ASKED if kind == before and model), (None, name))


def judge_path(name: str) -> str:
    """The folder or Hub name behind a judge's name.

    Raises:
        ModelError: as of `model_folder`.
    """
    model = split_judge(name)[1]
    return str(DEMO_PRM if name == "demo" else model_folder(model) or model)


def judge_named(name: str) -> Judge:
    """The judge of a name, recognised by the class that its config.json names.

    Raises:
        ModelError: there is no such model, or it is no judge.
    """
    asked, path = "likelihood" if name == "demo" else split_judge(name)[0], judge_path(name)
    config = _config(path, name)
    found = str((config.get("architectures") or [""])[0])
    if asked and found.endswith(_LANGUAGE_MODEL):
        return Judge(name, asked, path)
    for ending, (kind, numbers) in _CLASSIFIERS.items():
        if not asked and found.endswith(ending):
            labels = len(config.get("id2label") or range(_USUAL_LABELS))
            if labels not in numbers:
                raise ModelError(f"The judge {shown(name)} has {labels} labels.", _REMEDY)
            return Judge(name, kind, path)
    raise ModelError(f"{shown(name)} is no judge: it is a {found or 'model of no known class'}.", _REMEDY)


def _config(path: str, name: str) -> Mapping[str, Any]:
    try:
        file = Path(path, "config.json") if Path(path).is_dir() else _fetched(path)
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # what the Hub's client raises is either
        raise ModelError(
            f"The judge {shown(name)} cannot be read: there is no such folder here, and the Hub gave no config.json of it.",
            _REMEDY,
        ) from error
    if not isinstance(found, dict):
        raise ModelError(f"The config.json of the judge {shown(name)} is none of a model.", _REMEDY)
    return found


def _fetched(name: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, "config.json"))
