"""Which problem a logged prompt asks: the one whose question stands in it."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from training.data.duplicates import same_words
from training.data.problem import Problem

_FIRST_WORDS = 5
"""By which the questions that may stand at a place of a prompt are looked up."""
_NAME_CHARACTERS = 12

UNKNOWN = "unknown-"
"""What ids of problems begin with that the source does not have."""


class Questions:
    """A source's questions, to be found in prompts whatever template, system prompt or ending is around them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._ids = {problem.id for problem in problems}
        self._known: dict[str, str] = {}
        self._begin: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
        for problem in problems:
            words = same_words(problem.question)
            self._begin[tuple(words.split()[:_FIRST_WORDS])].append((words, problem.id))

    def problem_of(self, prompt: str, problem_id: str = "") -> str:
        """The id of the problem with the longest question in a prompt; one that begins with `UNKNOWN` where there is none.

        Args:
            problem_id: as the log has it; it counts where the source has such a problem.
        """
        if problem_id in self._ids:
            return problem_id
        if prompt not in self._known:
            self._known[prompt] = self._find(prompt) or f"{UNKNOWN}{_name(problem_id or prompt)}"
        return self._known[prompt]

    def _find(self, prompt: str) -> str | None:
        text = same_words(prompt)
        words = text.split()
        found = ("", "")
        for place in range(len(words)):
            for length in range(1, _FIRST_WORDS + 1):
                for question, problem_id in self._begin.get(tuple(words[place : place + length]), ()):
                    is_there = f" {question} " in f" {text} "
                    if is_there and len(question) > len(found[0]):
                        found = question, problem_id
        return found[1] or None


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_NAME_CHARACTERS]
