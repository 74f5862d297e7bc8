"""Gold answers: what kind each is, and how a number is written that people write in many ways. Nothing is calculated.

A number keeps its value or is refused: where a comma may part decimals or thousands, or digits are followed by more that
would make another number of them, there is a reason instead of a guess.
"""

import json
import math
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from training.data.bad_row import BadRow

GoldKind = Literal["number", "expression", "choice", "text", "none"]

_ABSENT = frozenset({"", "none", "null", "nan", "n/a"})
_MINUS = dict.fromkeys(map(ord, "−‐‑‒–—﹣－"), "-")
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f"), " ")
_OTHER_MARKS = {ord("٫"): ".", ord("٬"): ",", ord("．"): ".", ord("，"): ","}
"""Marks that stand in numbers of other scripts -> those of ASCII."""

_LATEX_THOUSANDS = re.compile(r"(?<=\d)(?:,\\!|\{,\}|\\[,;:! ])(?=\d{3}(?!\d))")
_LATEX_SPACES = re.compile(r"(?<=\d)\\[,;: ](?=\d{3}(?!\d))")
_UNIT = re.compile(r"\s*\([^\W\d][^()\d]*\)$")
_CURRENCY = re.compile(r"^([-+]?)\\?[$€£¥₹]\s?(?=[-+.\d])|\s?\\?[$€£¥₹]$")
_GROUPED = re.compile(r"([-+]?) ?(\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d{1,3}(?:['’]\d{3})+|\d+)?(\.\d*)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"([-+]?) ?(\d{1,3}(?:[. ]\d{3})+|\d+)(?:,(\d+))?", re.ASCII)
_FRACTION = re.compile(r"([-+]?\d+) ?/ ?(\d+)", re.ASCII)
_PLAIN = re.compile(r"-?[1-9]\d*|0", re.ASCII)
_SCIENTIFIC = re.compile(r"[-+]?\d+(?:\.\d+)?[eE][-+]?\d{1,2}", re.ASCII)
_UNCLEAR = re.compile(r"[-+]?[\d.,'’ ]*\d[.,'’ \d]*", re.ASCII)
"""Digits and marks alone that are no number as it is written here."""

_CHOICE = re.compile(r"\\text(?:bf)?\{\(?([A-Z])\)?\}|\(([A-Z])\)|([A-J])[.)]?", re.ASCII)
_MATHS = re.compile(r"[\\^_{}=<>|√π∞°×÷±]|\d\s*[-+*/:]\s*\w|\w\s*[+*/]\s*\d|^[(\[].*,.*[)\]]$|^[-+]?\d*[a-z]$|\d\s*,\s*[-+\d]")
_LIST_OF_TEXTS = re.compile(r'\[\s*".*"\s*\]', re.DOTALL)
"""A list in JSON, as some write the answers that they take."""
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[ ,.'’-]+[^\W\d_]+)*\.?|[A-Z](?:, ?[A-Z])+")
_TEXT_COMMAND = re.compile(r"\\text(?:bf|it)?\{\s*([^\W\d_]{2}[^{}\\]*)\}")
_MATHS_ENVELOPE = re.compile(r"\$([^$]+)\$|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Gold:
    """The answer that counts."""

    text: str
    """A number in ASCII digits without marks between thousands; everything else as it is written. Empty for kind none."""
    kind: GoldKind


NO_GOLD = Gold("", "none")
"""Of a problem that has no answer to compare with: a reward decides."""


def parse_gold(value: object, *, latex: bool = False, decimal_comma: bool = False) -> Gold:
    """What a gold answer is, given the cell or text that holds it.

    Args:
        value: text, a number, or a list of one of these.
        latex: whether it is mathematics as a solution writes it: `3,5` are then two numbers.
        decimal_comma: whether `3,5` is three and a half, and `1.234` a thousand and more.

    Raises:
        BadRow: there is none, or it may be one number as well as another.
    """
    if isinstance(value, str) and _LIST_OF_TEXTS.fullmatch(value.strip()):
        with suppress(ValueError):
            value = json.loads(value)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = _text(value)
    decimal_comma = decimal_comma and isinstance(value, str)  # a number's own comma is a point
    if text.casefold() in _ABSENT:
        raise BadRow("there is no gold answer")
    if (number := parse_number(text, decimal_comma=decimal_comma)) is not None:
        return Gold(number, "number")
    bare = _without_envelope(text)
    if len(_scripts(text)) > 1:
        raise BadRow("the gold answer mixes digits of two scripts", repr(text))
    if _UNCLEAR.fullmatch(bare.translate(_SPACES)) and not latex and bare.count(",") < 2 + bare.count("."):
        raise BadRow("the gold answer may be one number or another; decimal=comma says which", repr(text))
    if choice := _CHOICE.fullmatch(bare):
        return Gold(next(filter(None, choice.groups())), "choice")
    if words := _TEXT_COMMAND.fullmatch(bare):
        return Gold(words[1].strip(), "text")
    return Gold(bare, "expression" if is_maths(bare, latex=latex) else "text")


def parse_number(text: str, *, decimal_comma: bool = False) -> str | None:
    """The number that a text plainly is, in ASCII digits without marks between thousands; `None` for anything else.

    `72.0` and `18.` are 72 and 18; a currency sign, `%` and a unit in brackets are passed over; `1/2` stays as it is.
    """
    if _PLAIN.fullmatch(text):  # nearly all are
        return text
    plain = _unwrapped(text, decimal_comma)
    if plain is None:
        return None
    if fraction := _FRACTION.fullmatch(plain):
        return f"{fraction[1].removeprefix('+')}/{fraction[2]}" if int(fraction[2]) else None
    if _SCIENTIFIC.fullmatch(plain):
        return _shortest(format(Decimal(plain), "f"))
    if decimal_comma:
        match = _DECIMAL_COMMA.fullmatch(plain)
        return match and _shortest(f"{match[1]}{re.sub('[. ]', '', match[2])}.{match[3] or ''}")
    match = _GROUPED.fullmatch(plain)
    if match is None or not any(map(str.isdigit, plain)):
        return None
    return _shortest(f"{match[1]}{re.sub(r'[^0-9]', '', match[2] or '0')}{match[3] or ''}")


def number_value(gold: str) -> float | None:
    """The value of a gold answer that is a number, `None` for others and for those that no float holds."""
    number = parse_number(gold)
    try:
        value = float(Fraction(number)) if number is not None else None
    except OverflowError:
        return None
    return value


def is_maths(text: str, *, latex: bool = False) -> bool:
    """Whether a text is mathematics rather than words; where mathematics is expected, all but words is."""
    return _WORDS.fullmatch(text) is None if latex else _MATHS.search(text) is not None


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            raise BadRow("the gold answer is true or false", repr(value))
        case int():
            return _digits(value)
        case float():
            return format(Decimal(repr(value)), "f") if math.isfinite(value) else ""
        case str():
            return value.strip()
        case Decimal():
            return format(value, "f")
    raise BadRow("the gold answer is neither text nor a number", type(value).__name__)


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        raise BadRow("the gold answer has too many digits") from None


def _unwrapped(text: str, decimal_comma: bool) -> str | None:
    """A number's own characters, in ASCII; `None` where digits of two scripts are mixed."""
    plain = _without_envelope(text.strip()).translate(_MINUS | _SPACES | _OTHER_MARKS)
    if len(_scripts(plain)) > 1:
        return None
    plain = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in plain)
    plain = _LATEX_SPACES.sub(" ", plain.replace("{,}", ",")) if decimal_comma else _LATEX_THOUSANDS.sub(",", plain)
    plain = _UNIT.sub("", plain)
    plain = re.sub(r"\s?\\?%$", "", plain).strip()
    return _CURRENCY.sub(r"\1", plain).strip()


def _scripts(text: str) -> set[int]:
    """The digits of a text by script: the code point of each one's zero."""
    return {ord(character) - unicodedata.decimal(character) for character in text if unicodedata.category(character) == "Nd"}


def _without_envelope(text: str) -> str:
    """A text without the marks of LaTeX's mathematics around all of it."""
    match = _MATHS_ENVELOPE.fullmatch(text)
    return next(filter(None, match.groups())).strip() if match else text


def _shortest(number: str) -> str:
    """A decimal number without what says nothing: a plus, leading zeros, decimals that are all 0."""
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number.removeprefix("+"))
    whole, _, decimals = digits.partition(".")
    whole = whole.lstrip("0") or "0"
    if not decimals.strip("0"):
        return whole if whole == "0" else sign + whole
    return f"{sign}{whole}.{decimals}"
