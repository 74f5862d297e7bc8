"""What evaluations say beyond their table: what a run gained and lost, and figures by step count.

Everything is computed from stored evaluations, torch-free. Generating and scoring completions, and the article's table
itself, are for `training.evaluation.evaluate`; what several completions a problem come to for `training.evaluation.scaling`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from training.evaluation.evaluate import ARTICLE_TABLE, TABLE, Score, evaluation_table, means_by_problem, share_of
from training.groups import Verifier, change_of
from training.intervals import paired_interval
from training.rewards import REWARDS, title_of, verifier_named
from training.store.evaluations import Evaluation, EvaluationItem
from training.text import agree, count, span

CORRECTNESS = ("hard", "soft")
"""The rows of the article's table that say whether an answer is right."""

SIGNIFICANCE = 0.05
"""A paired difference with a p-value below it is called unlikely to be chance."""


@dataclass(frozen=True)
class Comparison:
    """One measure of two evaluations, problem by problem; ids in the order of the earlier evaluation."""

    title: str
    gained: tuple[str, ...]
    """Wrong in the earlier, right in the later evaluation."""
    lost: tuple[str, ...]
    right_in_both: tuple[str, ...]
    wrong_in_both: tuple[str, ...]
    only_before: tuple[str, ...]
    """In the earlier evaluation alone, so not compared."""
    only_after: tuple[str, ...]
    unscored: tuple[str, ...]
    """In both, but not with exactly one computable score in each, so not compared either."""

    @property
    def problems(self) -> int:
        """How many problems are compared."""
        return len(self.gained) + len(self.lost) + len(self.right_in_both) + len(self.wrong_in_both)

    @property
    def not_compared(self) -> int:
        return len(self.only_before) + len(self.only_after) + len(self.unscored)

    @property
    def p_value(self) -> float:
        return mcnemar_p_value(len(self.gained), len(self.lost))

    @property
    def reading(self) -> str:
        """The numbers in one sentence."""
        if not self.problems:
            return f"{self.title} cannot be compared: no problem was scored in both evaluations."
        left_out = f"; {count(self.not_compared, 'problem')} could not be compared" if self.not_compared else ""
        compared = count(self.problems, "problem")
        both, gained, lost = (len(ids) for ids in (self.right_in_both, self.gained, self.lost))
        before, after = ((both + changed) / self.problems for changed in (lost, gained))
        if not gained + lost:
            return f"{self.title} is {before:.3f} in both evaluations on {compared}, none gained or lost{left_out}."
        change = f"stayed at {before:.3f}" if gained == lost else _change(before, after)
        p_value = self.p_value
        verdict = "unlikely to be chance" if p_value < SIGNIFICANCE else "possibly chance"
        probability = "below 0.001" if p_value < 0.001 else f"{p_value:.2g}"
        return (
            f"{self.title} {change} on {compared}, {gained:,} gained and {lost:,} lost: {verdict}; if a gain and a loss were "
            f"equally likely, a split at least this uneven would have probability {probability} (exact McNemar test){left_out}."
        )


def correctness_measures(verifier: Verifier) -> dict[str, Verifier]:
    """Key -> by what an answer counts as right: the article's hard and soft correctness, and before them the verifier itself
    under its own name where it is neither.
    """
    article = {key: verifier_named(ARTICLE_TABLE[key][1]) for key in CORRECTNESS}
    return article if verifier in article.values() else {verifier.name: verifier} | article


def compare_evaluations(before: Evaluation, after: Evaluation) -> dict[str, Comparison]:
    """Two evaluations paired by problem, by each of the `correctness_measures` of the later one's verifier."""
    return {key: _compare(measure, before, after) for key, measure in correctness_measures(after.verifier).items()}


@dataclass(frozen=True)
class Difference:
    """How much a measure changed, problem by problem."""

    title: str
    value: float
    low: float
    high: float
    """`low` to `high`: 95% paired interval."""
    maximum: float
    problems: int
    """That both evaluations scored."""


def paired_differences(before: Evaluation, after: Evaluation) -> dict[str, Difference]:
    """Of each measure of the table that both scored, the mean over problems of later minus earlier.

    Where a problem was answered several times, the mean of its completions counts.
    """
    found = {}
    for key, (title, reward) in TABLE.items():
        was, now = (means_by_problem(evaluation, share_of(reward)) for evaluation in (before, after))
        changes = np.array([now[problem_id] - was[problem_id] for problem_id in was if problem_id in now])
        if not len(changes):
            continue
        maximum = REWARDS[reward].maximum
        low, high = paired_interval(changes)
        found[key] = Difference(title, float(changes.mean()) * maximum, low * maximum, high * maximum, maximum, len(changes))
    return found


def compare_run(evaluations: Iterable[Evaluation]) -> dict[str, Comparison]:
    """`compare_evaluations` of a run's "before" and "after"; empty while it does not have both."""
    labelled = {evaluation.label: evaluation for evaluation in evaluations}
    if "before" not in labelled or "after" not in labelled:
        return {}
    return compare_evaluations(labelled["before"], labelled["after"])


def mcnemar_p_value(gained: int, lost: int) -> float:
    """The two-sided p-value of McNemar's exact test: a binomial test of the changed pairs at one half.

    Problems that did not change say nothing of the direction and are left out (McNemar 1947). 1.0 when none changed.
    """
    changed = gained + lost
    term = tail = 1  # C(changed, 0); each next binomial coefficient follows from the one before
    for index in range(min(gained, lost)):
        term = term * (changed - index) // (index + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << changed))


def pass_rates(evaluation: Evaluation, verifier: Verifier) -> dict[str, float | None]:
    """Problem id -> the share of its completions that is right, in the order of the evaluation; `None` where none is judged."""
    return {problem_id: verifier.pass_rate(item.rewards for item in items) for problem_id, items in _by_problem(evaluation)}


def _compare(measure: Verifier, before: Evaluation, after: Evaluation) -> Comparison:
    was, now = (_paired(evaluation, measure) for evaluation in (before, after))
    found: dict[str, list[str]] = {name: [] for name in Comparison.__dataclass_fields__ if name != "title"}
    for problem_id, rate in was.items():
        found[_place(rate, now[problem_id]) if problem_id in now else "only_before"].append(problem_id)
    found["only_after"] = [problem_id for problem_id in now if problem_id not in was]
    return Comparison(title_of(measure.name), **{name: tuple(ids) for name, ids in found.items()})


def _place(before: float | None, after: float | None) -> str:
    """The field of `Comparison` for a problem."""
    if before is None or after is None:
        return "unscored"
    change = change_of(before, after)
    return change if change in ("gained", "lost") else f"{change}_in_both"


def _paired(evaluation: Evaluation, verifier: Verifier) -> dict[str, float | None]:
    """`pass_rates`, and `None` where a problem has several completions, of which none is the one to pair."""
    several = {problem_id for problem_id, items in _by_problem(evaluation) if len(items) > 1}
    return pass_rates(evaluation, verifier) | dict.fromkeys(several)


def _by_problem(evaluation: Evaluation) -> Iterable[tuple[str, list[EvaluationItem]]]:
    found: dict[str, list[EvaluationItem]] = {}
    for item in evaluation.items:
        found.setdefault(item.problem_id, []).append(item)
    return found.items()


def _change(before: float, after: float) -> str:
    return f"{'rose' if after > before else 'fell'} from {span(before, after)}"


def without_answer(evaluation: Evaluation) -> int:
    """How many completions mark no answer in the form asked for: they are wrong for another reason than the others."""
    return sum(not evaluation.form.has_block(item.completion) for item in evaluation.items)


def answers_reading(evaluation: Evaluation) -> str:
    """`without_answer` in words; empty where every completion marks one."""
    unmarked = without_answer(evaluation)
    if not unmarked:
        return ""
    return f"{unmarked:,} of {count(len(evaluation.items), 'completion')} {agree(unmarked, 'marks', 'mark')} no answer"


@dataclass(frozen=True)
class StepScores:
    """An evaluation's correctness on the problems of one number of steps."""

    steps: int | None
    """`None` gathers the problems whose steps are not known."""
    problems: int
    scores: dict[str, Score]
    """"hard" and "soft" with 95% Wilson intervals; one that could not be computed on any of the problems is left out."""


def scores_by_steps(evaluation: Evaluation, steps: Mapping[str, int]) -> list[StepScores]:
    """Hard and soft correctness by the problem's number of steps, fewest first, unknown last.

    Args:
        steps: problem id -> its number of steps (lines or equations of the reference solution, as the caller counts).
    """
    grouped = scores_by_group(evaluation, steps)
    return [
        StepScores(number, *grouped[number]) for number in sorted(grouped, key=lambda number: (number is None, number or 0))
    ]


def scores_by_group(evaluation: Evaluation, groups: Mapping[str, int]) -> dict[int | None, tuple[int, dict[str, Score]]]:
    """Group -> (its problems, "hard" and "soft" correctness on them with 95% intervals, as far as they can be computed).

    Args:
        groups: problem id -> a number that stands for its group; problems without one are gathered under `None`.
    """
    members: dict[int | None, list[EvaluationItem]] = defaultdict(list)
    for item in evaluation.items:
        members[groups.get(item.problem_id)].append(item)
    found = {}
    for group, items in members.items():
        table = evaluation_table(replace(evaluation, items=tuple(items)))
        scores = {key: table[key] for key in CORRECTNESS if key in table}
        found[group] = len({item.problem_id for item in items}), scores
    return found
