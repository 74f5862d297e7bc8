"""Problems that stand in a split more than once: word for word, or the same but for their numbers."""

import re
from collections.abc import Mapping, Sequence

from training.data.problem import Problem

_PARTS = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"\d[\d.,]*")
_MARKS = frozenset(".,;:!?…\"'‘’“”„«»¿¡。，、；：！？")


def same_words(question: str) -> str:
    """What questions have in common that differ in case, white space and punctuation alone; operators and signs count."""
    return " ".join(part for part in _PARTS.findall(question.casefold()) if part not in _MARKS)


def same_template(question: str) -> str:
    """What questions have in common that differ in their numbers alone."""
    return _NUMBER.sub("0", same_words(_NUMBER.sub("0", question)))


KEYS = {"question": same_words, "template": same_template}
"""How problems are held to be the same -> their key."""


def repeats(problems: Sequence[Problem], by: str = "question") -> Mapping[str, str]:
    """Id of each problem that repeats an earlier one of its split -> the id of that one."""
    key_of = KEYS[by]
    first: dict[tuple[str, str], str] = {}
    found = {}
    for problem in problems:
        original = first.setdefault((problem.split, key_of(problem.question)), problem.id)
        if original != problem.id:
            found[problem.id] = original
    return found
