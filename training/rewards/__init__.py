"""The reward functions, pure, and the registry by which configuration, page and command line name them.

The six of `ARTICLE_REWARDS` are those of the article "LLM Reinforcement Learning with GRPO" and the Unsloth notebook that
it builds on, quirks included; a variant that closes a hole of theirs stands beside them under its own name.
A reward function takes one completion and the problem's gold answer and returns a number, or `None` where it cannot be
computed. Every one takes time in proportion to the text. Weights belong to the run configuration; the values here are
unweighted. A person's own functions join the registry through `training.rewards.own`, which computes them elsewhere.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from training.errors import RewardError, shown, shown_error
from training.groups import Verifier

_FIRST_NUMBER = re.compile(r"[$]?(\d+(?:,\d+)*)%?")

# The notebook's patterns but for the atomic group, which keeps to the first place where the answer opens. A later one
# could match only what the first one matches too; trying them all takes minutes on a megabyte of tags.
_STRICT_FORMAT = re.compile(r"^<reasoning>\n(?>.*?\n</reasoning>\n<answer>\n).*?\n</answer>\n*$", re.DOTALL)
_SOFT_FORMAT = re.compile(r"<reasoning>(?>.*?</reasoning>\s*<answer>).*?</answer>", re.DOTALL)
_TRAILING_PENALTY = 0.001

# Possessive throughout, so that what does not end as a number is passed over whole instead of read in part.
_NUMBER = re.compile(
    r"((?<!\w)[-−]\\?[$€£]?|[$€£][-−])?"  # a minus, before or after the currency sign
    r"(?<![\w.^])(?<!\d,)"  # not within a word, a number or an exponent
    r"(\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?+|\.\d++)"
    r"(?![.,]?\d|\^|[eE][-+]?\d|[²³¹⁰-⁹¼-¾⅐-⅞])",  # not a part of something longer whose value is another
    re.ASCII,
)
_BOXED = "\\boxed{"


def extract_answer(completion: str) -> str:
    """The text after the last `<answer>`, up to the next `</answer>`, stripped; the whole text when there are no tags.

    Source: `extract_xml_answer` of the notebook, which the article quotes. A lone `</answer>` ends the whole text.
    """
    return completion.split("<answer>")[-1].split("</answer>")[0].strip()


def extract_number(completion: str) -> str:
    """The first number of the extracted answer without `$`, `%` and commas; "0" when there is none.

    Source: `extract_final_answer` of the article. Signs and decimals are left out: -8 is read as 8, and 2.5 as 2.
    """
    match = _FIRST_NUMBER.search(extract_answer(completion))
    return match.group(1).replace(",", "") if match else "0"


def correctness(completion: str, gold: str) -> float:
    """Hard correctness: 1.0 if the extracted answer is exactly the gold answer.

    Source: `correctness_reward_func` of the notebook; the article lowers it from 2.0. Text is compared: "16,320" and
    "$72" are not 16320 and 72.
    """
    return 1.0 if extract_answer(completion) == gold else 0.0


def soft_correctness(completion: str, gold: str) -> float:
    """1.0 if the first number in the extracted answer is the gold answer: "$27", "96%" and "72 units" count.

    Source: `soft_correctness_reward_func`, which the article adds. Holes: a negative or decimal gold answer is never
    reached, "-72" and "72.9" earn it for 72, and an answer without a number earns it for 0.
    """
    return 1.0 if extract_number(completion) == gold else 0.0


def integer(completion: str, gold: str) -> float:
    """0.5 if the extracted answer consists of digits only.

    Source: `int_reward_func` of the notebook, which the article takes over. It is Python's `isdigit`: no sign and no
    comma, but digits of any script, and "²".
    """
    return 0.5 if extract_answer(completion).isdigit() else 0.0


def strict_format(completion: str, gold: str) -> float:
    """0.5 for the exact layout, one line break around each part.

    Source: `strict_format_reward_func` of the notebook; the article adds re.DOTALL and trailing newlines. With
    re.DOTALL a part may be empty or hold tags itself.
    """
    return 0.5 if _STRICT_FORMAT.match(completion) else 0.0


def soft_format(completion: str, gold: str) -> float:
    """0.5 if the text starts with a reasoning block followed by an answer block, whatever the line breaks.

    Source: `soft_format_reward_func` of the notebook; the article adds re.DOTALL. What follows is not looked at.
    """
    return 0.5 if _SOFT_FORMAT.match(completion) else 0.0


def xml_count(completion: str, gold: str) -> float:
    """0.125 for each of the four tags that stands exactly once with its line break, minus 0.001 a character of tail.

    Source: `xmlcount_reward_func` of the notebook, which the article takes over. The tail is penalised twice, after
    `\\n</answer>\\n` and after `\\n</answer>`. Without any `\\n</answer>\\n` the first penalty takes the whole text, so a
    completion that ends in `\\n</answer>` pays for its length. There is no lower bound.
    """
    score = 0.0
    if completion.count("<reasoning>\n") == 1:
        score += 0.125
    if completion.count("\n</reasoning>\n") == 1:
        score += 0.125
    if completion.count("\n<answer>\n") == 1:
        score += 0.125
        score -= len(completion.split("\n</answer>\n")[-1]) * _TRAILING_PENALTY
    if completion.count("\n</answer>") == 1:
        score += 0.125
        score -= (len(completion.split("\n</answer>")[-1]) - 1) * _TRAILING_PENALTY
    return score


def value_correctness(completion: str, gold: str) -> float | None:
    """1.0 if the answer's value equals the gold answer's: "16,320", "-$8", "72.00" and "\\boxed{72} units" count.

    Source: this project's variant of hard correctness; the article has none. Where the extracted answer holds
    `\\boxed{...}`, the inside of the last one is read. Units, `$` and `%` are passed over, so 96% is 96; a minus counts
    directly before its number. Several numbers earn it only if each has the gold answer's value, so guesses in a row
    earn nothing. Nothing is calculated: "48/2", "1e5" and "2½" have no value here. Values are compared exactly as
    decimals, whatever their length. `None` where the gold answer does not hold exactly one number.
    """
    expected = list(islice(_values(gold), 2))
    if len(expected) != 1:
        return None
    answer = extract_answer(completion)
    if _BOXED in answer:
        answer = answer.split(_BOXED)[-1].rsplit("}", 1)[0]
    values = _values(answer)
    return 1.0 if next(values, None) == expected[0] and all(value == expected[0] for value in values) else 0.0


def _values(text: str) -> Iterator[Decimal]:
    """The values of the numbers in a text, exactly; made from text alone, as arithmetic on decimals would round."""
    for match in _NUMBER.finditer(text):
        minus, digits = match.groups()
        yield Decimal(f"{'-' if minus else ''}{digits.replace(',', '')}")


@dataclass(frozen=True)
class Reward:
    """One entry of the registry."""

    name: str
    title: str
    maximum: float
    """The highest value the function can return, unweighted."""
    function: Callable[[str, str], float | None]
    """(completion, gold) -> value, or `None` where it cannot be computed."""
    needs_gold: bool = True
    """Whether the value depends on the gold answer; one that only looks at the completion can do without."""
    timeout_s: float = 10.0
    """How long a function of a person's own may take for one completion; those that ship with the program need no limit."""

    @property
    def description(self) -> str:
        """The function's own first sentence, shown as help."""
        return str(getattr(self.function, "__doc__", None) or "").strip().split("\n")[0]

    def score(self, completion: str, gold: str) -> float | None:
        """The function's value for a completion.

        Raises:
            RewardError: as `score_all`.
        """
        return self.score_all([completion], [gold])[0]

    def score_all(self, completions: Sequence[str], golds: Sequence[str]) -> list[float | None]:
        """The function's value for each completion; a crash never becomes a score.

        Raises:
            RewardError: the function raised, or returned what is no finite number up to its maximum.
        """
        return [self._value(completion, gold) for completion, gold in zip(completions, golds, strict=True)]

    def error(self, what: str, completion: str, remedy: str = "Fix the function, or set its weight to 0.") -> RewardError:
        """The error of a function that did something with a completion: `raised ValueError: ...`."""
        return RewardError(f"The reward function {self.name} {what} on the completion {completion[:200]!r}.", remedy)

    def _value(self, completion: str, gold: str) -> float | None:
        try:
            value = self.function(completion, gold)
        except Exception as error:
            raise self.error(f"raised {shown_error(error)}", completion) from error
        if value is None:
            return None
        if not is_finite(value) or value > self.maximum:
            raise self.error(f"returned {shown(value)}, which is no number up to its maximum {self.maximum:g},", completion)
        return float(value)


def is_finite(value: object) -> bool:
    """Whether something is a number that a float can hold."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


REWARDS: dict[str, Reward] = {
    reward.name: reward
    for reward in (
        Reward("correctness", "Hard correctness", 1.0, correctness),
        Reward("soft_correctness", "Soft correctness", 1.0, soft_correctness),
        Reward("integer", "Integer", 0.5, integer, needs_gold=False),
        Reward("strict_format", "Strict format", 0.5, strict_format, needs_gold=False),
        Reward("soft_format", "Soft format", 0.5, soft_format, needs_gold=False),
        Reward("xml_count", "XML tag count", 0.5, xml_count, needs_gold=False),
        Reward("value_correctness", "Value correctness", 1.0, value_correctness),
    )
}

BUILT_IN = tuple(REWARDS)
"""The names of the functions that ship with the program."""

ARTICLE_REWARDS = ("correctness", "soft_correctness", "integer", "strict_format", "soft_format", "xml_count")
"""The article's six, which a run trains on unless it says otherwise; together at most 4.0."""


DEFAULT_VERIFIER = "correctness"


def verifier_of(spec: Mapping[str, Any]) -> Verifier:
    """The verifier that a job's spec names; hard correctness where it names none, as that of an evaluation."""
    name = spec.get("verifier") or DEFAULT_VERIFIER
    return verifier_named(name)


def verifier_named(name: str) -> Verifier:
    """The verifier that a reward function makes."""
    # A person's own function may be unknown where the run is looked at: then 1 counts as right.
    return Verifier(name, REWARDS[name].maximum if name in REWARDS else 1.0)


def title_of(name: str) -> str:
    """What people call a reward function, its name where it is not known here."""
    return REWARDS[name].title if name in REWARDS else name


def highest_total(weights: Mapping[str, float]) -> float:
    """The highest total that a completion can reach; functions that are not known here add nothing."""
    return float(sum(weight * REWARDS[name].maximum for name, weight in weights.items() if weight > 0 and name in REWARDS))


def score_completion(completion: str, gold: str | None) -> dict[str, float | None]:
    """Every registered reward of one completion, by name, unweighted; without gold, `None` for those that need it."""
    return score_completions([completion], [gold])[0]


def score_completions(completions: Sequence[str], golds: Sequence[str | None]) -> list[dict[str, float | None]]:
    """`score_completion` of each.

    Raises:
        RewardError: as `Reward.score_all`.
    """
    scores: list[dict[str, float | None]] = [{} for _ in completions]
    for name, reward in REWARDS.items():
        rows = [row for row, gold in enumerate(golds) if gold is not None or not reward.needs_gold]
        values = reward.score_all([completions[row] for row in rows], [golds[row] or "" for row in rows])
        found = dict(zip(rows, values, strict=True))
        for row, score in enumerate(scores):
            score[name] = found.get(row)
    return scores
