"""The form in which a model is asked to answer: where its answer stands, and whether it kept to the form."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from training.data.answers import after_hashes, by_pattern, last_box
from training.data.columns import is_pattern
from training.errors import ConfigError, shown


@dataclass(frozen=True)
class AnswerForm:
    """One way to mark the answer in a completion."""

    name: str
    find: Callable[[str], str | None]
    """The answer's text, `None` where the completion marks none."""

    def answer(self, completion: str) -> str:
        """What is taken for the answer: what is marked, stripped; the whole text where nothing is."""
        found = self.find(completion)
        return completion.strip() if found is None else found.strip()

    def has_block(self, completion: str) -> bool:
        """Whether the completion marks an answer at all."""
        return self.find(completion) is not None


def _tagged(completion: str) -> str | None:
    """The text after the last `<answer>`, up to the next `</answer>`; a lone `</answer>` ends the whole text."""
    if "<answer>" not in completion and "</answer>" not in completion:
        return None
    return completion.split("<answer>")[-1].split("</answer>")[0]


TAGS = AnswerForm("tags", _tagged)
"""The article's."""

FORMS: Mapping[str, AnswerForm] = {
    form.name: form
    for form in (
        TAGS,
        AnswerForm("boxed", last_box),
        AnswerForm("hashes", after_hashes),
    )
}


def marked_answer(completion: str) -> str:
    """What a completion marks as its answer, in whichever of the forms; all of it where it marks none."""
    form = next((form for form in FORMS.values() if form.has_block(completion)), TAGS)
    return form.answer(completion)


def marks_answer(completion: str) -> bool:
    """Whether a completion marks an answer in any of the forms."""
    return any(form.has_block(completion) for form in FORMS.values())


def form_named(name: str) -> AnswerForm:
    """A form by its name, or `/a regular expression/` whose first group is the answer.

    Raises:
        ConfigError: there is no such form, or it is no regular expression.
    """
    if name in FORMS:
        return FORMS[name]
    if is_pattern(name):
        try:
            return AnswerForm(name, by_pattern(name[1:-1]))
        except re.error as error:
            raise ConfigError(f"answer_form = {shown(name)} is no regular expression ({error}).", "Correct it.") from None
    raise ConfigError(
        f"answer_form = {shown(name)} is not known.",
        f"Use {', '.join(FORMS)}, or /a regular expression/ whose group is the answer.",
    )
