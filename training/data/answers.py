"""Where an answer stands in a text: after a mark, in a box, as the last number."""

import re
from collections.abc import Callable, Mapping

from training.data.gold import parse_number

HASHES = "####"

_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])")
_BARE_WORD = re.compile(r"\s*([^\s${}.,]+(?:[.,][^\s${}.,]+)*)")
_BRACE = re.compile(r"\s*\{")
_ESCAPED_OR_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_THE_ANSWER = re.compile(r"(?:the|final) (?:final )?answer is:?\s*|^answer:\s*", re.IGNORECASE | re.MULTILINE)
_NUMBERS = re.compile(r"(?<![\w.,])[-−+]?[$€£]?\d+(?:(?:,\\!|\{,\}|\\[,;! ]|[,.'’/]| (?=\d{3}(?!\d)))\d+)*%?(?![\d]|[.,]\d|\w)")


def after_hashes(text: str) -> str | None:
    """The line after the last `####`, as GSM8K marks its answers."""
    _, mark, after = text.rpartition(HASHES)
    lines = after.strip().splitlines() if mark else []
    return lines[0].strip() if lines else None


def last_box(text: str) -> str | None:
    r"""What stands in the last `\boxed{...}` or `\fbox{...}`, up to its own brace; `\boxed 7` holds 7."""
    boxes = list(_BOX.finditer(text))
    closing = _closing_braces(text) if boxes else {}
    for box in reversed(boxes):
        if word := _BARE_WORD.match(text, box.end()):
            return word[1]
        start = _BRACE.match(text, box.end())
        if start is not None and (end := closing.get(start.end() - 1)) is not None:
            return text[start.end() : end].strip()
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
    numbers = reversed(_NUMBERS.findall(text))
    return next((found for found in numbers if parse_number(found) is not None), None)


PLACES: Mapping[str, tuple[Callable[[str], str | None], str, str]] = {
    "hashes": (after_hashes, "after the last ####", "there is no #### with an answer"),
    "box": (last_box, r"in the last \boxed{}", r"there is no \boxed{}"),
    "words": (after_words, 'after the last "The answer is"', 'there is no "The answer is"'),
    "number": (last_number, "as the last number", "there is no number"),
}
"""Name -> how an answer is found, in words, and why it is not."""


def _closing_braces(text: str) -> Mapping[int, int]:
    """The place of each brace that is closed -> that of the one which closes it; escaped ones do not count."""
    opened: list[int] = []
    closing = {}
    for match in _ESCAPED_OR_BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            closing[opened.pop()] = match.start()
    return closing
