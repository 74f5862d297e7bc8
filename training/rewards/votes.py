"""Which answers are one vote in a majority: those that the verifier cannot tell apart."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from training.data.gold import parse_number
from training.rewards import SYMBOLIC_REWARD, extract_number
from training.rewards.forms import AnswerForm


def votes(groups: Sequence[Sequence[str]], verifier: str, form: AnswerForm) -> list[list[str]]:
    """A name for each completion's answer; within a group, equal names are one vote.

    Numbers of one value are, however they are written; by hard correctness texts count as they are, by soft correctness the
    first number, by the symbolic verifier what an answer means: 1/2 and 0.5 are one vote there.

    Args:
        groups: the completions of each problem.
        verifier: the name of the reward function by which an answer is right.

    Raises:
        RewardError: math-verify cannot be run.
    """
    return _VOTES.get(verifier, _by_value)(groups, form)


def _by_text(groups: Sequence[Sequence[str]], form: AnswerForm) -> list[list[str]]:
    return [[form.answer(completion) for completion in group] for group in groups]


def _by_value(groups: Sequence[Sequence[str]], form: AnswerForm) -> list[list[str]]:
    return [[form.vote(completion) for completion in group] for group in groups]


def _by_first_number(groups: Sequence[Sequence[str]], form: AnswerForm) -> list[list[str]]:
    return [[extract_number(completion, form) for completion in group] for group in groups]


def _by_meaning(groups: Sequence[Sequence[str]], form: AnswerForm) -> list[list[str]]:
    """An answer is called like the first of its group that means the same."""
    plain = _by_value(groups, form)
    pairs = [
        (number, earlier, later)
        for number, group in enumerate(plain)
        for earlier, later in combinations(dict.fromkeys(group), 2)
        if None in (parse_number(earlier), parse_number(later))  # numbers of other values are other answers
    ]
    equal = SYMBOLIC_REWARD.score_all([later for _, _, later in pairs], [earlier for _, earlier, _ in pairs])
    same = {pair for pair, value in zip(pairs, equal, strict=True) if value == 1.0}
    return [_named(number, group, same) for number, group in enumerate(plain)]


def _named(number: int, group: Sequence[str], same: set[tuple[int, str, str]]) -> list[str]:
    names: dict[str, str] = {}
    for answer in dict.fromkeys(group):
        earlier = dict.fromkeys(names.values())
        names[answer] = next((name for name in earlier if (number, name, answer) in same), answer)
    return [names[answer] for answer in group]


_VOTES: Mapping[str, Callable[[Sequence[Sequence[str]], AnswerForm], list[list[str]]]] = {
    "correctness": _by_text,
    "soft_correctness": _by_first_number,
    "math": _by_meaning,
}
"""Verifier -> how its answers are told apart; by value with all others."""
