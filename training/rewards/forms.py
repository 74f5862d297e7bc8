"""The form in which a model is asked to answer: where its answer stands, and whether it kept to the form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from training.data.answers import HASHES, after_hashes, last_box
from training.data.columns import is_pattern
from training.data.gold import parse_number
from training.data.patterns import Pattern
from training.errors import ConfigError, shown


@dataclass(frozen=True)
class AnswerForm:
    """One way to mark the answer in a completion."""

    name: str
    find: Callable[[str], str | None]
    """The answer's text, `None` where the completion marks none; raises `PatternError` where a person's takes too long."""
    write: Callable[[str, str], str] | None = None
    """A completion of a reasoning and an answer; `None` where nobody knows how one is written."""

    def answer(self, completion: str) -> str:
        """What is taken for the answer: what is marked, stripped; the whole text where nothing is."""
        found = self.find(completion)
        return completion.strip() if found is None else found.strip()

    def vote(self, completion: str) -> str:
        """The answer as it counts in a majority: numbers of one value, however they are written, are one answer."""
        answer = self.answer(completion)
        return parse_number(answer) or answer

    def has_block(self, completion: str) -> bool:
        """Whether the completion marks an answer at all."""
        return self.find(completion) is not None


def _tagged(completion: str) -> str | None:
    """The text after the last `<answer>`, up to the next `</answer>`; a lone `</answer>` ends the whole text."""
    if "<answer>" not in completion and "</answer>" not in completion:
        return None
    return completion.split("<answer>")[-1].split("</answer>")[0]


def _in_tags(reasoning: str, answer: str) -> str:
    return f"<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{answer}\n</answer>\n"


def _with_box(reasoning: str, answer: str) -> str:
    return f"{reasoning}\nThe answer is $\\boxed{{{answer}}}$."


def _with_hashes(reasoning: str, answer: str) -> str:
    return f"{reasoning}\n{HASHES} {answer}"


TAGS = AnswerForm("tags", _tagged, _in_tags)
"""The article's."""

FORMS: Mapping[str, AnswerForm] = {
    form.name: form
    for form in (
        TAGS,
        AnswerForm("boxed", last_box, _with_box),
        AnswerForm("hashes", after_hashes, _with_hashes),
    )
}


def form_of(spec: Mapping[str, Any]) -> AnswerForm:
    """The form that a job's spec names; the article's tags where it was kept before forms had names."""
    return form_named(spec.get("answer_form") or TAGS.name)


def form_named(name: str) -> AnswerForm:
    """A form by its name, or `/a regular expression/` whose first group is the answer.

    Raises:
        ConfigError: there is no such form, or it is no regular expression.
    """
    if name in FORMS:
        return FORMS[name]
    if is_pattern(name):
        return AnswerForm(name, Pattern(name[1:-1]).last)
    raise ConfigError(
        f"answer_form = {shown(name)} is not known.",
        f"Use {', '.join(FORMS)}, or /a regular expression/ whose group is the answer.",
    )
