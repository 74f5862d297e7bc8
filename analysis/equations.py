"""Equations recomputed exactly: a small parser turns arithmetic into fractions.

Nothing is evaluated as code, and length, depth and size are bounded, so that no equation can hang or exhaust the program.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from training.data.problem import Equation

Verdict = Literal["exact", "rounded", "wrong", "unreadable"]
VERDICTS: tuple[Verdict, ...] = ("exact", "rounded", "wrong", "unreadable")

MAX_LENGTH = 1000
"""Characters of an expression or result; the longest expression of GSM8K has 30."""
MAX_DEPTH = 50
"""Parentheses and signs within one another, well below Python's own limit of recursion."""
MAX_BITS = 4096
"""Of any numerator or denominator on the way: a number of `MAX_LENGTH` digits fits, `9**9**9` does not."""

_SPELLINGS = str.maketrans({"×": "*", "·": "*", "x": "*", "X": "*", "÷": "/", "−": "-", "^": "**", "$": None})
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d*)?|\.\d+"
_TOKEN = re.compile(rf"\s*({_NUMBER}|\*\*|//|[-+*/()%])", re.ASCII)
_RESULT = re.compile(rf"([-+]?)\s*({_NUMBER})\s*(%?)", re.ASCII)
SPACED_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}\b)", re.ASCII)


@dataclass(frozen=True, slots=True)
class EquationCheck:
    """One equation recomputed."""

    equation: Equation
    value: Fraction | None
    """The expression's exact value; `None` where the expression is unreadable."""
    verdict: Verdict
    reason: str = ""
    """Why it is unreadable, as a clause; empty for every other verdict."""


class _Unreadable(ValueError):
    """Why a text is not plain arithmetic within the bounds, as a clause."""


def check_equation(equation: Equation) -> EquationCheck:
    """Recompute an equation with exact fractions.

    `$` is dropped, `%` is a hundredth (on the result also a mere unit: `1/4*100=25%`), commas and spaces separate
    thousands, `//` rounds down, `x`, `×`, `÷` and `^` are read as people mean them. "rounded" is a result that is the
    exact value rounded or truncated to the result's decimals.
    """
    try:
        value = _evaluate(equation.expression)
    except _Unreadable as reason:
        return EquationCheck(equation, None, "unreadable", f"{shorten(equation.expression)!r} {reason}")
    try:
        targets = _targets(equation.result)
    except _Unreadable as reason:
        return EquationCheck(equation, value, "unreadable", f"the result {shorten(equation.result)!r} {reason}")
    if any(value == target for target, _ in targets):
        return EquationCheck(equation, value, "exact")
    rounded = any(_is_rounded(value, target, unit) for target, unit in targets)
    return EquationCheck(equation, value, "rounded" if rounded else "wrong")


def format_value(value: Fraction) -> str:
    """A value for people: integers in full, others with six significant digits."""
    if value.denominator == 1 or abs(value) > 10**15:
        return shorten(str(value))
    return f"{float(value):.6g}"


def is_arithmetic(text: str) -> bool:
    """Whether a text is numbers joined by operators, within the bounds."""
    try:
        _evaluate(text)
    except _Unreadable:
        return False
    return len(_tokens(_normalized(text))) > 1


def shorten(text: str, width: int = 60) -> str:
    """What people wrote, cut off at its end where it is long."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _targets(result: str) -> list[tuple[Fraction, Fraction]]:
    """What a result may mean, each with the unit of its last decimal: 0 where it is no plain number and must be exact."""
    plain = _RESULT.fullmatch(_normalized(result))
    if plain is None:
        return [(_evaluate(result), Fraction(0))]
    sign, number, percent = plain.groups()
    value = _fraction(number) * (-1 if sign == "-" else 1)
    unit = Fraction(1, 10 ** len(number.partition(".")[2]))
    return [(value, unit), (value / 100, unit / 100)] if percent else [(value, unit)]


def _is_rounded(value: Fraction, target: Fraction, unit: Fraction) -> bool:
    distance = abs(value - target)
    truncated = abs(target) <= abs(value) and distance < unit
    return truncated or 2 * distance <= unit


def _evaluate(text: str) -> Fraction:
    """The exact value of an arithmetic expression.

    Raises:
        _Unreadable: the text is empty, not arithmetic, divides by zero, or leaves the bounds.
    """
    tokens = _tokens(_normalized(text))
    parser = _Parser(tokens)
    value = parser.sum_from(1)
    if parser.next is not None:
        raise _Unreadable(f"has {parser.next!r} where an operator should be")
    return value


def _normalized(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise _Unreadable(f"is longer than {MAX_LENGTH:,} characters")
    return SPACED_THOUSANDS.sub("", text.translate(_SPELLINGS).strip())


def _tokens(text: str) -> list[str]:
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _Unreadable(f"holds {text[position:].lstrip()[:1]!r}, which is neither a number nor an operator")
        tokens.append(match[1])
        position = match.end()
    return tokens


def _fraction(number: str) -> Fraction:
    return Fraction(number.replace(",", "").rstrip("."))


def _divide(left: Fraction, right: Fraction) -> Fraction:
    if not right:
        raise _Unreadable("divides by zero")
    return left / right


def _divide_down(left: Fraction, right: Fraction) -> Fraction:
    return Fraction(_divide(left, right).__floor__())


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise _Unreadable("has an exponent that is not an integer")
    if not base and exponent < 0:
        raise _Unreadable("divides by zero")
    if abs(exponent.numerator) * _bits(base) > MAX_BITS:
        raise _Unreadable("grows too large")
    return Fraction(base**exponent.numerator)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


_OPERATORS: dict[str, tuple[int, Callable[[Fraction, Fraction], Fraction]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, _divide),
    "//": (2, _divide_down),
}
"""Operator -> (how tightly it binds, what it does); the power binds to the right and has its own rule in the parser."""


class _Parser:
    """Recursive descent over tokens; the precedences are Python's, `%` after an operand is a hundredth."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def sum_from(self, precedence: int) -> Fraction:
        """Operands joined by operators that bind at least as tightly, from left to right."""
        left = self._signed()
        while (token := self.next) in _OPERATORS:
            binding, apply = _OPERATORS[token]
            if binding < precedence:
                break
            self._position += 1
            left = apply(left, self.sum_from(binding + 1))
            if _bits(left) > MAX_BITS:
                raise _Unreadable("grows too large")
        return left

    def _signed(self) -> Fraction:
        if self.next not in ("+", "-"):
            return self._raised()
        sign = self._take()
        value = self._nested(self._signed)
        return -value if sign == "-" else value

    def _raised(self) -> Fraction:
        base = self._operand()
        if self.next != "**":
            return base
        self._take()
        return _power(base, self._nested(self._signed))

    def _operand(self) -> Fraction:
        token = self._take()
        if token == "(":
            value = self._nested(lambda: self.sum_from(1))
            if self.next != ")":
                raise _Unreadable("has a parenthesis that is not closed")
            self._take()
        elif token[0] in "0123456789.":
            value = _fraction(token)
        else:
            raise _Unreadable(f"has {token!r} where a number should be")
        while self.next == "%":
            self._take()
            value /= 100
        return value

    def _nested(self, read: Callable[[], Fraction]) -> Fraction:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Unreadable(f"is nested more than {MAX_DEPTH} deep")
        value = read()
        self._depth -= 1
        return value

    def _take(self) -> str:
        token = self.next
        if token is None:
            raise _Unreadable("is empty" if not self._tokens else "ends where a number should be")
        self._position += 1
        return token
