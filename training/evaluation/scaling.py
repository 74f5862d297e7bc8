"""Test-time scaling: how often an answer is right that is made of k completions of a problem, whichever way it is chosen.

Everything is computed from samples that are on record, without torch. Every figure is a mean over problems of what is expected
of k of their samples: over all choices of k, in closed form for pass@k and best of k; for majorities over all choices where
there are at most `SUBSETS` of them, else over so many seeded ones. With k = all samples there is one choice, all of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb, exp, inf
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.errors import AtlasError
from training.intervals import SEED, paired_interval, share_interval
from training.rewards.votes import votes
from training.store.evaluations import Evaluation, EvaluationItem, SearchName

SUBSETS = 200
"""The most choices of k samples over which a majority is counted."""

StrategyName = Literal["pass", "majority", "best", "weighted"]

SEARCHES: Mapping[SearchName, str] = {"samples": "", "beam": "beam search", "dvts": "DVTS"}
"""How a problem's completions came about -> its name; none where each was drawn by itself."""


class SamplesError(AtlasError):
    """A figure over several completions a problem cannot be made from what there is."""


class Sample(NamedTuple):
    """One completion of a problem."""

    answer: str
    """Equal ones are one vote."""
    right: bool
    score: float | None = None
    """A judge's; a completion without one is chosen last."""
    weight: float = 0.0
    """What its vote counts in a weighted majority: the score as a share, 0 without one."""
    tokens: int = 0
    """What it cost; 0 where that is not on record."""


Samples = Mapping[str, Sequence[Sample]]
"""Problem id -> its samples in the order of drawing; their number may differ from problem to problem."""

Way = tuple[Samples, StrategyName, int]
"""(samples, strategy, k): a way to make an answer of k of a problem's samples."""


@dataclass(frozen=True)
class Strategy:
    """One way to make an answer of several."""

    title: str
    """With the number of samples to be filled in."""
    rate: Callable[[Sequence[Sample], int, int], float]
    """(a problem's samples, k, seed) -> how often its answer is right."""
    meaning: str
    needs_scores: bool = False


@dataclass(frozen=True)
class SampledScore:
    """A mean over problems of what k of their samples come to."""

    strategy: StrategyName
    k: int
    value: float
    low: float
    high: float
    """`low` to `high`: 95% interval over problems."""
    problems: int
    left_out: tuple[str, ...]
    """Problems with fewer than k samples."""
    tokens: float = 0.0
    """That k samples of a problem cost, the mean over problems; 0 where that is not on record."""

    @property
    def title(self) -> str:
        """`pass@8`, `best of 8`."""
        return STRATEGIES[self.strategy].title.format(k=self.k)


@dataclass(frozen=True)
class Gain:
    """What a way to answer is worth: the share of problems right by it, less that right by another way."""

    title: str
    """`best of 8`."""
    against: str
    """`majority@8`."""
    difference: float
    low: float
    high: float
    """`low` to `high`: 95% interval over problems, each with itself."""
    problems: int

    @property
    def reading(self) -> str:
        """In words, with the difference in points."""
        amount, low, high = (f"{100 * part:+.1f}" for part in (self.difference, self.low, self.high))
        clear = "" if self.low > 0 or self.high < 0 else ", no clear difference"
        return f"{self.title} against {self.against} {amount} points ({low} to {high}){clear}"


# --- what is on record, as samples -----------------------------------------------------------------------------------


def samples_of(evaluation: Evaluation, scores: Sequence[float | None] | None = None) -> dict[str, list[Sample]]:
    """Problem id -> its completions as samples; those that its verifier did not score are left out.

    Args:
        scores: a judge's, of each of the evaluation's items.
    """
    known = scores if scores is not None else [None] * len(evaluation.items)
    weights = score_weights(known)
    judged: dict[str, list[tuple[EvaluationItem, bool, float | None, float]]] = {}
    for item, score, weight in zip(evaluation.items, known, weights, strict=True):
        if (right := evaluation.verifier.is_right(item.rewards)) is not None:
            judged.setdefault(item.problem_id, []).append((item, right, score, weight))
    groups = [[item.completion for item, *_ in group] for group in judged.values()]
    named = votes(groups, evaluation.verifier.name, evaluation.form)
    return {
        problem_id: [Sample(name, right, score, weight, item.tokens) for (item, right, score, weight), name in pairs]
        for problem_id, pairs in zip(judged, map(zip, judged.values(), named), strict=True)
    }


def score_weights(scores: Sequence[float | None]) -> list[float]:
    """What each score counts in a weighted majority: as it is where all are shares, else its logistic function; 0 for none."""
    given = [score for score in scores if score is not None]
    are_shares = all(0 <= score <= 1 for score in given)
    return [0.0 if score is None else score if are_shares else _logistic(score) for score in scores]


def _logistic(score: float) -> float:
    return 1 / (1 + exp(-score)) if score >= 0 else exp(score) / (1 + exp(score))


def has_scores(samples: Samples) -> bool:
    """Whether a judge scored any of them."""
    return any(sample.score is not None for drawn in samples.values() for sample in drawn)


def most_samples(samples: Samples) -> int:
    """The most that a problem has, 0 without any."""
    return max(map(len, samples.values()), default=0)


def of_problems(samples: Samples, problem_ids: Iterable[str]) -> Samples:
    """The samples of these problems."""
    return {problem_id: samples[problem_id] for problem_id in problem_ids if problem_id in samples}


# --- figures ---------------------------------------------------------------------------------------------------------


def scaling_curves(samples: Samples, ks: Iterable[int] | None = None, seed: int = SEED) -> list[SampledScore]:
    """Every strategy that the samples allow, at each k; none where no problem has several.

    Args:
        ks: k = 1, 2, 4, ... and all samples where not given.
    """
    most = most_samples(samples)
    if most < 2:
        return []
    found = sorted({most, *(2**power for power in range(most.bit_length()))}) if ks is None else ks
    return [sampled_score(samples, name, k, seed) for k in found for name in strategies_of(samples)]


def strategies_of(samples: Samples) -> list[StrategyName]:
    """Those that the samples allow."""
    scored = has_scores(samples)
    return [name for name, strategy in STRATEGIES.items() if scored or not strategy.needs_scores]


def sampled_scores(evaluation: Evaluation) -> list[SampledScore]:
    """`scaling_curves` of an evaluation without a judge: pass@k and majority@k."""
    return scaling_curves(samples_of(evaluation), ks_of(evaluation))


def ks_of(evaluation: Evaluation) -> tuple[int, ...] | None:
    """The k for which an evaluation's samples are what k of them would be; `None` for all: a search's belong together."""
    if evaluation.search == "samples":
        return None
    return (max(Counter(item.problem_id for item in evaluation.items).values(), default=0),)


def sampled_score(samples: Samples, strategy: StrategyName, k: int, seed: int = SEED) -> SampledScore:
    """How often the answer is right that a strategy makes of k samples.

    Raises:
        SamplesError: k is below 1, or no problem has k samples.
    """
    if k < 1:
        raise SamplesError(f"k = {k} is not a number of samples.", "Choose k from 1 to the samples drawn a problem.")
    enough = [drawn for drawn in samples.values() if len(drawn) >= k]
    if not enough:
        most = most_samples(samples)
        raise SamplesError(f"No problem has k = {k} samples; the most is {most}.", "Choose a smaller k, or draw more samples.")
    rates = np.array([STRATEGIES[strategy].rate(drawn, k, seed) for drawn in enough], dtype=np.float64)
    tokens = float(np.mean([k * np.mean([sample.tokens for sample in drawn]) for drawn in enough]))
    left_out = tuple(problem_id for problem_id, drawn in samples.items() if len(drawn) < k)
    return SampledScore(strategy, k, float(rates.mean()), *share_interval(rates, seed), len(rates), left_out, tokens)


def judge_gains(samples: Samples, seed: int = SEED) -> list[Gain]:
    """What each choice by a judge is worth among all completions of the problems that have the most; none without scores."""
    most = most_samples(samples)
    chosen = [name for name in strategies_of(samples) if STRATEGIES[name].needs_scores] if most > 1 else []
    return [gain((samples, name, most), (samples, "majority", most), seed) for name in chosen]


def gain(way: Way, against: Way, seed: int = SEED) -> Gain:
    """Two ways to answer held against each other, problem by problem, where both have enough completions.

    Raises:
        SamplesError: no problem has enough of both.
    """
    rates = [_rates(*each, seed) for each in (way, against)]
    shared = [problem_id for problem_id in rates[0] if problem_id in rates[1]]
    if not shared:
        raise SamplesError("No problem has enough completions for both.", "Choose smaller k, or draw more samples.")
    differences = np.array([rates[0][problem_id] - rates[1][problem_id] for problem_id in shared], dtype=np.float64)
    title, other = (STRATEGIES[name].title.format(k=k) for _, name, k in (way, against))
    low, high = paired_interval(differences)
    return Gain(title, other, float(differences.mean()), low, high, len(shared))


def _rates(samples: Samples, strategy: StrategyName, k: int, seed: int) -> dict[str, float]:
    rate = STRATEGIES[strategy].rate
    return {problem_id: rate(drawn, k, seed) for problem_id, drawn in samples.items() if len(drawn) >= k}


def pass_rate(drawn: Sequence[Sample], k: int, _seed: int = SEED) -> float:
    """How often at least one of k samples is right: 1 - C(n - c, k) / C(n, k), where c of n are right.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1.
    """
    right = sum(sample.right for sample in drawn)
    return 1 - comb(len(drawn) - right, k) / comb(len(drawn), k)


def best_rate(drawn: Sequence[Sample], k: int, _seed: int = SEED) -> float:
    """How often the sample with the highest score of k is right; of equal scores the first counts.

    The sample of rank r, counted from 0, is the best of C(n - 1 - r, k - 1) of all C(n, k) choices.
    """
    ranked = sorted(drawn, key=lambda sample: -inf if sample.score is None else sample.score, reverse=True)
    chosen = [comb(len(drawn) - 1 - rank, k - 1) for rank, sample in enumerate(ranked) if sample.right]
    return sum(chosen) / comb(len(drawn), k)


def majority_rate(drawn: Sequence[Sample], k: int, seed: int = SEED) -> float:
    """How often the most frequent answer of k samples is right (Wang et al. 2022, "Self-Consistency").

    Of equally frequent answers the one that occurs first counts, and its first occurrence says whether it is right.
    """
    return _majority_rate(drawn, np.ones(len(drawn)), k, seed)


def weighted_rate(drawn: Sequence[Sample], k: int, seed: int = SEED) -> float:
    """`majority_rate` where each vote counts what the judge scored it."""
    return _majority_rate(drawn, np.array([sample.weight for sample in drawn]), k, seed)


STRATEGIES: Mapping[StrategyName, Strategy] = {
    "pass": Strategy("pass@{k}", pass_rate, "at least one is right"),
    "majority": Strategy("majority@{k}", majority_rate, "the most frequent answer is right"),
    "best": Strategy("best of {k}", best_rate, "the one that the judge scores highest is right", needs_scores=True),
    "weighted": Strategy(
        "weighted majority@{k}", weighted_rate, "the answer with the most of the judge's score is right", needs_scores=True
    ),
}


def _majority_rate(drawn: Sequence[Sample], weights: NDArray[np.float64], k: int, seed: int) -> float:
    """The share of choices of k samples in which the answer with the most weight is right."""
    numbers = {answer: number for number, answer in enumerate(dict.fromkeys(sample.answer for sample in drawn))}
    answers = np.array([numbers[sample.answer] for sample in drawn])
    chosen = _subsets(len(drawn), k, seed)
    rows = np.arange(len(chosen))
    totals = np.zeros((len(chosen), len(numbers)))
    np.add.at(totals, (rows[:, None], answers[chosen]), weights[chosen])
    first = np.full(totals.shape, k)
    for place in reversed(range(k)):
        first[rows, answers[chosen[:, place]]] = place
    totals[first == k] = -np.inf  # not among the chosen
    is_top = np.isclose(totals, totals.max(axis=1, keepdims=True), rtol=1e-9, atol=0)
    winners = chosen[rows, np.where(is_top, first, k).min(axis=1)]
    return float(np.mean([drawn[winner].right for winner in winners]))


@cache
def _subsets(n: int, k: int, seed: int) -> NDArray[np.int64]:
    """(R, k) int64, places of k of n samples in each row, ascending: all choices, or `SUBSETS` drawn ones."""
    if comb(n, k) <= SUBSETS:
        return np.array(list(combinations(range(n), k)))
    draws = np.random.default_rng(seed).random((SUBSETS, n))
    return np.sort(draws.argsort(axis=1)[:, :k], axis=1)
