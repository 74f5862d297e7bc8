"""What a setting does, going by runs that differ in nothing else: paired by problem and seed, with what chance explains.

For each value of a setting against its first one, runs are paired that are alike in all other settings and in the seed; the
difference of a problem with a seed is the mean over these pairs. Seeds and problems are both taken to be drawn from many, and
crossed: the variance of the mean is that over seeds plus that over problems, less what is counted twice (Cameron, Gelbach and
Miller 2011, "Robust Inference With Multiway Clustering"), never below either, with degrees of freedom by Satterthwaite (1946).
P-values are corrected for the number of comparisons in the study (Holm 1979). Whether an effect is the same whatever the other
settings are is asked in the same way, of the difference between its differences.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.studies.plan import Settings, settings_words, value_words
from training.text import agree, count, span

SIGNIFICANCE = 0.05

Rates = Mapping[str, float]
"""Problem -> share right."""

Measured = tuple[Settings, int, Rates]
"""A run: its settings, its seed, what is right."""


_Alike = tuple[str, int]
"""What a pair of runs is alike in: the other settings as text, and the seed."""


@dataclass(frozen=True)
class Part:
    """An effect among the runs that have the same other settings."""

    settings: Settings
    """The others."""
    difference: float


@dataclass(frozen=True)
class Effect:
    """How much more is right with one value of a setting than with another."""

    setting: str
    value: Any
    against: Any
    difference: float
    interval: tuple[float, float] | None
    """95%; `None` where there are fewer than two seeds."""
    p_value: float | None
    corrected: float | None
    """The p-value after Holm's correction."""
    comparisons: int
    """That it was corrected for."""
    seeds: int
    pairs: int
    """Of runs."""
    problems: int
    parts: tuple[Part, ...] = ()
    """By the other settings."""
    uneven: float | None = None
    """The p-value of parts that are alike, after Holm's correction; `None` where there is one part, or nothing can be told."""

    @property
    def is_more_than_chance(self) -> bool | None:
        """`None` where that cannot be told."""
        return None if self.corrected is None else self.corrected < SIGNIFICANCE

    @property
    def title(self) -> str:
        """`lora_rank 8 instead of 2`."""
        return f"{self.setting} {value_words(self.value)} instead of {value_words(self.against)}"

    @property
    def reading(self) -> str:
        """The answer, then the numbers, in a sentence or two."""
        basis = (
            f"over {count(self.pairs, 'pair')} of runs with {count(self.seeds, 'seed')} and {count(self.problems, 'problem')}"
        )
        if self.interval is None or self.corrected is None:
            return f"Cannot be told from one seed. The difference is {self.difference:+.3f} {basis}."
        answer = "More than chance" if self.is_more_than_chance else "Not more than chance"
        noun = agree(self.comparisons, "comparison", "comparisons")
        told = (
            f"{answer}. The difference is {self.difference:+.3f} (95% interval {span(*self.interval, '+.3f')}) {basis}; "
            f"p {_p_text(self.corrected)} after correction for {self.comparisons} {noun}."
        )
        return f"{told} {self._dependence}" if self.is_uneven else told

    @property
    def is_uneven(self) -> bool:
        """Whether the effect depends on the other settings, by more than chance."""
        return self.uneven is not None and self.uneven < SIGNIFICANCE

    @property
    def _dependence(self) -> str:
        """On which of the other settings it is lowest and highest."""
        lowest, highest = (choose(self.parts, key=lambda part: part.difference) for choose in (min, max))
        ends = (f"{part.difference:+.3f} with {settings_words(part.settings)}" for part in (lowest, highest))
        p_value = _p_text(self.uneven or 0.0)
        return f"It depends on the other settings, from {' to '.join(ends)}; p {p_value} after correction. The mean hides that."


def effects_of(arms: Sequence[Settings], runs: Sequence[Measured]) -> tuple[Effect, ...]:
    """The effect of every further value of each varied setting, as far as there are pairs, with corrected p-values.

    Args:
        arms: all settings of the study, those against which others are held first.
        runs: that are done.
    """
    found = list(_effects(arms, runs))
    corrected = _corrected([effect.p_value for effect in found])
    uneven = _corrected([effect.uneven for effect in found])
    comparisons = sum(p_value is not None for p_value in corrected)
    return tuple(
        replace(effect, corrected=p_value, comparisons=0 if p_value is None else comparisons, uneven=of_parts)
        for effect, p_value, of_parts in zip(found, corrected, uneven, strict=True)
    )


def _corrected(p_values: Sequence[float | None]) -> list[float | None]:
    """`holm` of those that are there."""
    left = iter(holm([p_value for p_value in p_values if p_value is not None]))
    return [None if p_value is None else next(left) for p_value in p_values]


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected so that the chance of any false finding among them is bounded (Holm 1979), in the order given."""
    order = np.argsort(p_values)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def crossed_mean(differences: NDArray[np.float64]) -> tuple[float, tuple[float, float] | None, float | None]:
    """(mean, its 95% interval, the two-sided p-value of no difference) of differences by seed and problem.

    Args:
        differences: (S, P) seeds by problems.

    Without an interval where there are fewer than two seeds or problems.
    """
    seeds, problems = differences.shape
    mean = float(differences.mean())
    if min(seeds, problems) < 2:
        return mean, None, None
    by_seed, by_problem = differences.mean(axis=1), differences.mean(axis=0)
    of_seeds, of_problems = float(by_seed.var(ddof=1)) / seeds, float(by_problem.var(ddof=1)) / problems
    rest = differences - by_seed[:, None] - by_problem[None, :] + mean
    twice = float(np.square(rest).sum()) / ((seeds - 1) * (problems - 1)) / (seeds * problems)
    variance = max(of_seeds + of_problems - twice, of_seeds, of_problems)
    if not variance:
        return mean, (mean, mean), 1.0 if not mean else 0.0
    freedom = variance**2 / (of_seeds**2 / (seeds - 1) + of_problems**2 / (problems - 1))
    return _student(mean, math.sqrt(variance), max(1.0, freedom))


def _student(mean: float, error: float, freedom: float) -> tuple[float, tuple[float, float], float]:
    from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import, and pages ask for this

    half = float(stdtrit(freedom, 0.975)) * error
    return mean, (mean - half, mean + half), float(2 * stdtr(freedom, -abs(mean) / error))


def _effects(arms: Sequence[Settings], runs: Sequence[Measured]) -> Iterator[Effect]:
    for setting in dict.fromkeys(name for arm in arms for name in arm):
        values = {_text(arm[setting]): arm[setting] for arm in arms}
        against, *others = values.values()
        for value in others:
            paired = _pairs(setting, against, value, runs)
            if paired:
                yield _effect(setting, against, value, paired)


def _pairs(setting: str, against: Any, value: Any, runs: Sequence[Measured]) -> dict[_Alike, tuple[Rates, Rates]]:
    """The pairs of runs, the one with `against` first, by what they are alike in."""
    sides: dict[str, dict[_Alike, Rates]] = {_text(against): {}, _text(value): {}}
    for settings, seed, rates in runs:
        side = sides.get(_text(settings[setting]))
        if side is not None:
            side[_text({name: other for name, other in settings.items() if name != setting}), seed] = rates
    first, second = sides.values()
    return {alike: (first[alike], second[alike]) for alike in first if alike in second}


def _effect(setting: str, against: Any, value: Any, paired: Mapping[_Alike, tuple[Rates, Rates]]) -> Effect:
    problems = sorted(set.intersection(*(set(rates) for pair in paired.values() for rates in pair)))
    differences = {
        alike: np.array([second[problem] - first[problem] for problem in problems]) for alike, (first, second) in paired.items()
    }
    seeds = sorted({seed for _, seed in paired})
    by_seed = [np.mean([found for (_, of), found in differences.items() if of == seed], axis=0) for seed in seeds]
    rests = dict.fromkeys(rest for rest, _ in paired)
    parts = tuple(
        Part(json.loads(rest), fmean(float(found.mean()) for (of, _), found in differences.items() if of == rest))
        for rest in rests
    )
    mean, interval, p_value = crossed_mean(np.array(by_seed))
    uneven = _unevenness(list(rests), differences)
    sizes = len(seeds), len(paired), len(problems)
    return Effect(setting, value, against, mean, interval, p_value, None, 0, *sizes, parts, uneven)


def _unevenness(rests: Sequence[str], differences: Mapping[_Alike, NDArray[np.float64]]) -> float | None:
    """The p-value of an effect that is the same whatever the other settings are, by Bonferroni's correction the smallest of
    those that hold each of them against the first; `None` where nothing can be told.
    """
    found = []
    for rest in rests[1:]:
        seeds = [seed for of, seed in differences if of == rest and (rests[0], seed) in differences]
        contrast = [differences[rest, seed] - differences[rests[0], seed] for seed in seeds]
        found.append(crossed_mean(np.array(contrast))[2] if contrast else None)
    told = [p_value for p_value in found if p_value is not None]
    return min(1.0, len(told) * min(told)) if told else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _p_text(p_value: float) -> str:
    return "is below 0.001" if p_value < 0.001 else f"is {p_value:.2g}"
