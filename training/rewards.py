"""The article's six reward functions, pure, and the registry by which configuration, page and command line name them.

A reward function takes one completion and the problem's gold answer and returns a number, or `None` where it cannot be
computed. Weights belong to the run configuration; the values here are unweighted. Definitions follow the article
"LLM Reinforcement Learning with GRPO" and the Unsloth notebook it builds on, quirks included.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_NUMBER = re.compile(r"[$]?(\d+(?:,\d+)*)%?")
_STRICT_FORMAT = re.compile(r"^<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n*$", re.DOTALL)
_SOFT_FORMAT = re.compile(r"<reasoning>.*?</reasoning>\s*<answer>.*?</answer>", re.DOTALL)
_TRAILING_PENALTY = 0.001


def extract_answer(completion: str) -> str:
    """The text after the last `<answer>`, up to the next `</answer>`, stripped; the whole text when there are no tags."""
    return completion.split("<answer>")[-1].split("</answer>")[0].strip()


def extract_number(completion: str) -> str:
    """The first number of the extracted answer without `$`, `%` and commas; "0" when there is none (the article's choice)."""
    match = _FIRST_NUMBER.search(extract_answer(completion))
    return match.group(1).replace(",", "") if match else "0"


def correctness(completion: str, gold: str) -> float:
    """Hard correctness: 1.0 if the extracted answer is exactly the gold answer (the article lowers it from 2.0)."""
    return 1.0 if extract_answer(completion) == gold else 0.0


def soft_correctness(completion: str, gold: str) -> float:
    """1.0 if the first number in the extracted answer is the gold answer: "$27", "96%" and "72 units" count."""
    return 1.0 if extract_number(completion) == gold else 0.0


def integer(completion: str, gold: str) -> float:
    """0.5 if the extracted answer consists of digits only."""
    return 0.5 if extract_answer(completion).isdigit() else 0.0


def strict_format(completion: str, gold: str) -> float:
    """0.5 for the exact layout, one line break around each part; the article adds re.DOTALL and trailing newlines."""
    return 0.5 if _STRICT_FORMAT.match(completion) else 0.0


def soft_format(completion: str, gold: str) -> float:
    """0.5 if the text starts with a reasoning block followed by an answer block, whatever the line breaks."""
    return 0.5 if _SOFT_FORMAT.match(completion) else 0.0


def xml_count(completion: str, gold: str) -> float:
    """0.125 for each of the four tags that stands exactly once with its line break, minus 0.001 a character of tail.

    The tail is penalised twice, as in the notebook: after `\\n</answer>\\n` and after `\\n</answer>`. Without any
    `\\n</answer>\\n` the first penalty takes the whole text, so a completion that ends in `\\n</answer>` pays for its length.
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


@dataclass(frozen=True)
class Reward:
    """One entry of the registry."""

    name: str
    title: str
    maximum: float
    """The highest value the function can return, unweighted."""
    score: Callable[[str, str], float | None]
    """(completion, gold) -> value, or `None` where it cannot be computed."""

    @property
    def description(self) -> str:
        """The function's own first sentence, shown as help."""
        return (self.score.__doc__ or "").strip().split("\n")[0]


REWARDS: dict[str, Reward] = {
    reward.name: reward
    for reward in (
        Reward("correctness", "Hard correctness", 1.0, correctness),
        Reward("soft_correctness", "Soft correctness", 1.0, soft_correctness),
        Reward("integer", "Integer", 0.5, integer),
        Reward("strict_format", "Strict format", 0.5, strict_format),
        Reward("soft_format", "Soft format", 0.5, soft_format),
        Reward("xml_count", "XML tag count", 0.5, xml_count),
    )
}


def score_completion(completion: str, gold: str) -> dict[str, float | None]:
    """Every registered reward of one completion, by name, unweighted."""
    return {name: reward.score(completion, gold) for name, reward in REWARDS.items()}
