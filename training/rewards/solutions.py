"""Reference solutions written as a model is asked to answer: what supervised fine-tuning teaches."""

import re

from training.data.answers import HASHES
from training.data.problem import Problem
from training.errors import ConfigError, shown
from training.rewards.forms import FORMS, AnswerForm

_ANNOTATION = re.compile(r"<<[^<>]*>>")
"""Of a calculator, as GSM8K's solutions have them; no model is asked to write any."""


def require_writable(form: AnswerForm) -> None:
    """Refuse a form of which only the answer's place is known.

    Raises:
        ConfigError: nobody knows how a completion of this form is written.
    """
    if form.write is None:
        writable = ", ".join(name for name, known in FORMS.items() if known.write is not None)
        raise ConfigError(
            f"answer_form = {shown(form.name)} says where an answer is found, and not how one is written.",
            f"Use {writable} to learn from reference solutions.",
        )


def has_solution(problem: Problem) -> bool:
    """Whether there is a solution to learn from, and an answer to end it with."""
    return bool(problem.steps and problem.gold)


def written_solution(problem: Problem, form: AnswerForm) -> str:
    """The reference solution as a completion in this form, with the gold answer where the form has it.

    A solution that gives exactly that already, as one in a box often does, stands as it is.

    Raises:
        ConfigError: nobody knows how such a completion is written.
    """
    require_writable(form)
    assert form.write is not None
    solution = _ANNOTATION.sub("", problem.answer).strip()
    found = form.find(solution)
    if found is not None and found.strip() == problem.gold:
        return solution
    reasoning = solution.rpartition(HASHES)[0].strip() if HASHES in solution else solution
    return form.write(reasoning, problem.gold)
