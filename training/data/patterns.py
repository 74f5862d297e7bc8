"""A person's regular expressions: each search ends, since one may match in more ways than anybody can wait for."""

import regex

from training.errors import PatternError, shown

_MOST_S = 1.0
"""Of one search in one text."""


class Pattern:
    """A regular expression as `regex` reads it, which is as `re` does, with a time limit."""

    def __init__(self, expression: str) -> None:
        """
        Raises:
            PatternError: it is no regular expression.
        """
        try:
            self._compiled = regex.compile(expression)
        except regex.error as error:
            raise PatternError(f"{shown(expression)} is no regular expression ({error}).", "Correct it.") from None

    def last(self, text: str) -> str | None:
        """What it matches last, stripped: its first group, or all of it where it has none; `None` where that is nothing.

        Raises:
            PatternError: it takes too long.
        """
        try:
            found = list(self._compiled.finditer(text, timeout=_MOST_S))
        except TimeoutError:
            raise self._too_slow(text) from None
        return (found[-1].group(1 if self._compiled.groups else 0) or "").strip() or None if found else None

    def cut_from(self, text: str) -> str:
        """The text without what it matches.

        Raises:
            PatternError: as `last`.
        """
        try:
            return str(self._compiled.sub("", text, timeout=_MOST_S))
        except TimeoutError:
            raise self._too_slow(text) from None

    def _too_slow(self, text: str) -> PatternError:
        return PatternError(
            f"{shown(self._compiled.pattern)} takes more than {_MOST_S:g} s for the text {shown(text)}.",
            "Write it so that it can match in fewer ways: without repetitions inside repetitions.",
        )
