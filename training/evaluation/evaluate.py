"""Evaluation: greedy or sampled completions of held-out problems, scored by every reward, and the article's table of them.

What generates the completions is handed in (`training.engines`), so this needs no torch and a page can make the table.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.problem import Problem
from training.engines import Complete
from training.errors import RewardError
from training.intervals import share_interval
from training.prompts import Prompt
from training.rewards import REWARDS, score_completions, verifier_named
from training.rewards.forms import TAGS, AnswerForm
from training.rewards.rows import reward_row, with_tokens
from training.store.evaluations import Evaluation, EvaluationItem

Measure = Callable[[EvaluationItem], float | None]
"""Of one completion; `None` where it could not be computed."""

_Asked = tuple[Problem, Prompt]

BATCH_SIZE = 64
_MOST_TOLD = 5

_ARTICLE_ROWS = {
    "hard": "correctness",
    "soft": "soft_correctness",
    "integer": "integer",
    "soft_format": "soft_format",
    "strict_format": "strict_format",
}
ARTICLE_TABLE: dict[str, tuple[str, str]] = {key: (REWARDS[name].title, name) for key, name in _ARTICLE_ROWS.items()}
"""key -> (the reward function's title, as it is called everywhere, its name), in the article's order."""
ARTICLE_NAMES = {"integer": "Integer reward", "soft_format": "Soft format reward", "strict_format": "Hard format reward"}
"""key -> what the article calls it, where that is another title."""

HARNESS_TABLE: dict[str, tuple[str, str]] = {
    REWARDS[name].title: (REWARDS[name].title, name) for name in ("strict_match", "flexible_extract")
}
"""The same of lm-evaluation-harness's task `gsm8k`, by the names that its measures have there."""

TABLE = ARTICLE_TABLE | HARNESS_TABLE
"""Every row that an evaluation's table may have."""

ARTICLE_FIGURES: dict[str, tuple[float, float]] = {
    "hard": (0.287, 0.785),
    "soft": (0.701, 0.789),
    "integer": (0.164, 0.469),
    "soft_format": (0.442, 0.490),
    "strict_format": (0.421, 0.489),
}
"""key -> the article's own figures before and after: Llama-3.1-8B-Instruct, half of GSM8K's test split, 300 steps."""


@dataclass(frozen=True)
class Score:
    """One row of an evaluation's table."""

    title: str
    value: float
    low: float
    high: float
    maximum: float


def evaluation_table(evaluation: Evaluation) -> dict[str, Score]:
    """The article's five figures with 95% intervals, and where they were computed the harness's two.

    Each figure is the mean over problems of the means of their completions, with an interval over problems; each of the
    rewards is either 0 or its maximum, so of one completion a problem it is a proportion's. A reward that could not be
    computed leaves its completion out of that row.
    """
    table = {}
    for key, (title, reward) in TABLE.items():
        maximum = REWARDS[reward].maximum
        shares = np.array(list(means_by_problem(evaluation, share_of(reward)).values()))
        if not len(shares):
            continue
        low, high = share_interval(shares)
        table[key] = Score(title, float(shares.mean()) * maximum, low * maximum, high * maximum, maximum)
    return table


def shown_rows(tables: Iterable[Mapping[str, Score]]) -> dict[str, tuple[str, str]]:
    """The rows of `TABLE` for evaluations side by side: the article's, and others that any of them has."""
    there = {*ARTICLE_TABLE, *(key for table in tables for key in table)}
    return {key: row for key, row in TABLE.items() if key in there}


def share_of(reward: str) -> Measure:
    """A reward function's value as a share of its maximum."""
    maximum = verifier_named(reward).maximum

    def measure(item: EvaluationItem) -> float | None:
        value = item.rewards.get(reward)
        return None if value is None else value / maximum

    return measure


def means_by_problem(evaluation: Evaluation, measure: Measure) -> dict[str, float]:
    """Problem id -> the mean of a measure over its completions; what could not be computed is left out."""
    values: dict[str, list[float]] = {}
    for item in evaluation.items:
        if (value := measure(item)) is not None:
            values.setdefault(item.problem_id, []).append(value)
    return {problem: float(np.mean(found)) for problem, found in values.items()}


def evaluate_model(
    complete: Complete,
    problems: Sequence[Problem],
    *,
    prompts: Sequence[Prompt],
    max_completion_length: int,
    temperature: float,
    report: Callable[[int], None],
    samples: int = 1,
    batch_size: int = BATCH_SIZE,
    form: AnswerForm = TAGS,
    required: Collection[str] = (),
    done: Sequence[EvaluationItem] = (),
    keep: Callable[[list[EvaluationItem]], None] = lambda items: None,
) -> list[EvaluationItem]:
    """Completions scored by every registered reward, in the order of `problems`, those of one problem together.

    Args:
        complete: generates a batch.
        prompts: what the model reads of each problem.
        temperature: 0 takes the likeliest token at each place.
        report: called with the number of completions finished; may raise to give up.
        samples: completions a problem.
        batch_size: completions at once.
        form: how the answer is marked.
        required: reward functions that end the evaluation if they fail; what others fail on has no value, which is said once.
        done: the first of these items, measured earlier; they are not measured again.
        keep: called with each batch that was measured.
    """
    asked = [pair for pair in zip(problems, prompts, strict=True) for _ in range(samples)]
    items = list(done)
    told: set[str] = set()

    def tell_once(error: RewardError) -> None:
        if error.problem not in told and len(told) < _MOST_TOLD:
            print(f"warning: {error}", flush=True)
        told.add(error.problem)

    for batch in _batches(asked[len(items) :], batch_size):
        completions = complete([prompt for _, prompt in batch], max_completion_length, temperature)
        scores = score_completions(
            [text for text, _ in completions],
            [problem.gold for problem, _ in batch],
            [
                with_tokens(reward_row(*pair), tokens, max_completion_length)
                for pair, (_, tokens) in zip(batch, completions, strict=True)
            ],
            form=form,
            required=required,
            failed=tell_once,
        )
        measured = [
            EvaluationItem(problem.id, text, score, tokens)
            for (problem, _), (text, tokens), score in zip(batch, completions, scores, strict=True)
        ]
        keep(measured)
        items += measured
        report(len(items))
    return items


def _batches(asked: Sequence[_Asked], size: int) -> Iterator[Sequence[_Asked]]:
    for start in range(0, len(asked), size):
        yield asked[start : start + size]
