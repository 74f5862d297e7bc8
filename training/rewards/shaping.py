"""Rewards beside being right: brevity, no repetition, and the rule of Countdown, where any right expression counts.

Where the source punishes, a constant is added so that the best is 1: advantages within a group do not see it.
"""

import ast
import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from training.rewards.forms import AnswerForm

NGRAM = 3
CACHE_SHARE = 0.2
"""Of the longest completion, over which the punishment grows: DAPO's 4,096 of 20,480 tokens."""

_MOST_CHARACTERS = 500
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def soft_overlong(completion: str, gold: str, form: AnswerForm, row: Mapping[str, Any]) -> float | None:
    """1 up to four fifths of the longest completion, from there falling to 0 at all of it.

    Source: TRL's `get_soft_overlong_punishment`, plus 1 (DAPO, equation 13). `None` where the tokens are not known.
    """
    longest, tokens = row.get("max_completion_length"), row.get("completion_tokens")
    if not longest or tokens is None:
        return None
    cache = CACHE_SHARE * longest
    share: float = (longest - tokens) / cache
    return min(1.0, max(0.0, share))


def no_repetition(completion: str, gold: str, form: AnswerForm, row: Mapping[str, Any]) -> float:
    """1 minus the share of runs of three words that stand in the completion before.

    Source: TRL's `get_repetition_penalty_reward`, plus 1, of words instead of tokens ("Demystifying Long Chain-of-Thought
    Reasoning", appendix C.2).
    """
    words = completion.split()
    runs = [tuple(words[place : place + NGRAM]) for place in range(len(words) - NGRAM + 1)]
    return len(set(runs)) / len(runs) if runs else 1.0


def cosine_length(right: float | None, row: Mapping[str, Any]) -> float | None:
    """From 1 to 0.5 for a right answer, from -1 to -0.5 for a wrong one, by a cosine of the completion's length.

    Source: TRL's `get_cosine_scaled_reward` with its defaults ("Demystifying Long Chain-of-Thought Reasoning", appendix C.1).
    """
    longest, tokens = row.get("max_completion_length"), row.get("completion_tokens")
    if not longest or tokens is None or right is None:
        return None
    low, high = (0.5, 1.0) if right else (-0.5, -1.0)
    return low + 0.5 * (high - low) * (1 + math.cos(min(1.0, tokens / longest) * math.pi))


def countdown(completion: str, gold: str, form: AnswerForm, row: Mapping[str, Any]) -> float | None:
    """1.0 for an expression of +, -, *, / and brackets that uses each number of nums once and gives target.

    Source: the rule of TinyZero's Countdown (`compute_score`), in exact fractions. `None` without `nums` and `target`.
    """
    target, numbers = row.get("target"), row.get("nums")
    if target is None or not numbers:
        return None
    expression = form.answer(completion).rpartition("=")[0] or form.answer(completion)
    if not form.has_block(completion) or len(expression) > _MOST_CHARACTERS:
        return 0.0
    used: Counter[Fraction] = Counter()
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body, used)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return 0.0
    return 1.0 if value == Fraction(str(target)) and used == Counter(Fraction(str(number)) for number in numbers) else 0.0


def _value(node: ast.expr, used: Counter[Fraction]) -> Fraction:
    """The value of an expression; its numbers are counted in `used`.

    Raises:
        ValueError: something else than numbers and the four operations.
    """
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            used[Fraction(str(number))] += 1
            return Fraction(str(number))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, used), _value(right, used))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, used)
    raise ValueError("no arithmetic")
