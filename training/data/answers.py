"""Where an answer stands in a text: after a mark, in a box, as the last number."""

import re
from collections.abc import Callable, Mapping

from training.data.gold import parse_number

HASHES = "####"

_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])")
_THE_ANSWER = re.compile(r"(?:the|final) (?:final )?answer is:?\s*|^answer:\s*", re.IGNORECASE | re.MULTILINE)
_NUMBERS = re.compile(r"(?<![\w.,])[-−+]?[$€£]?\d+(?:(?:,\\!|\{,\}|\\[,;! ]|[,.'’/]| (?=\d{3}(?!\d)))\d+)*%?(?![\d]|[.,]\d|\w)")


def after_hashes(text: str) -> str | None:
    """The line after the last `####`, as GSM8K marks its answers."""
    _, mark, after = text.rpartition(HASHES)
    lines = after.strip().splitlines() if mark else []
    return lines[0].strip() if lines else None


def last_box(text: str) -> str | None:
    r"""What stands in the last `\boxed{...}` or `\fbox{...}`, up to its own brace; `\boxed 7` holds 7."""
    for box in reversed(list(_BOX.finditer(text))):
        rest = text[box.end() :].lstrip()
        if not rest.startswith("{"):
            if word := re.match(r"[^\s${}.,]+", rest):
                return word[0]
        elif (end := _closing_brace(rest)) is not None:
            return rest[1:end].strip()
    return None


def after_words(text: str) -> str | None:
    """The rest of the last line that says "The answer is"."""
    found = list(_THE_ANSWER.finditer(text))
    if not found:
        return None
    line = text[found[-1].end() :].split("\n", 1)[0].strip()
    return re.sub(r"(?<=.)\.$", "", line) or None


def last_number(text: str) -> str | None:
    """The last number in a text, as it is written."""
    numbers = [found for found in _NUMBERS.findall(text) if parse_number(found) is not None]
    return numbers[-1] if numbers else None


def by_pattern(pattern: str) -> Callable[[str], str | None]:
    """What a regular expression finds last: its first group, or all of it where it has none.

    Raises:
        re.error: it is no regular expression.
    """
    expression = re.compile(pattern)

    def find(text: str) -> str | None:
        found = list(expression.finditer(text))
        return (found[-1].group(1 if expression.groups else 0) or "").strip() or None if found else None

    return find


PLACES: Mapping[str, tuple[Callable[[str], str | None], str, str]] = {
    "hashes": (after_hashes, "after the last ####", "there is no #### with an answer"),
    "box": (last_box, r"in the last \boxed{}", r"there is no \boxed{}"),
    "words": (after_words, 'after the last "The answer is"', 'there is no "The answer is"'),
    "number": (last_number, "as the last number", "there is no number"),
}
"""Name -> how an answer is found, in words, and why it is not."""


def _closing_brace(text: str) -> int | None:
    """The place of the brace that closes the one at the start of a text; escaped ones do not count."""
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and match[0] == "}":
            return match.start()
    return None
