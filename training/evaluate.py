"""Evaluation: greedy or sampled completions of held-out problems, scored by every reward, and the article's table of them.

Imports torch only to generate; the table needs none, so the page can make it from the store.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.intervals import bootstrap_interval, wilson_interval
from training.problems import Problem
from training.prompts import chat_messages
from training.rewards import REWARDS, score_completion
from training.store import Evaluation, EvaluationItem

BATCH_SIZE = 64

ARTICLE_TABLE: dict[str, tuple[str, str]] = {
    "hard": ("Hard correctness", "correctness"),
    "soft": ("Soft correctness", "soft_correctness"),
    "integer": ("Integer reward", "integer"),
    "soft_format": ("Soft format reward", "soft_format"),
    "strict_format": ("Hard format reward", "strict_format"),
}
"""key -> (the article's row title, reward function), in the article's order."""


@dataclass(frozen=True)
class Score:
    """One row of the article's table."""

    title: str
    value: float
    low: float
    high: float
    maximum: float


def evaluation_table(evaluation: Evaluation) -> dict[str, Score]:
    """The article's five figures with 95% intervals.

    Each of the five rewards is either 0 or its maximum, so its mean is a proportion times the maximum: a Wilson interval.
    Where problems were answered several times, the figure is the mean over problems of their means, with a bootstrap
    interval over problems. A reward that could not be computed leaves its completion out of that row.
    """
    table = {}
    for key, (title, reward) in ARTICLE_TABLE.items():
        maximum = REWARDS[reward].maximum
        shares = _shares_by_problem(evaluation, reward)
        if not shares:
            continue
        means = np.array([np.mean(found) for found in shares.values()])
        share = float(means.mean())
        is_plain = all(len(found) == 1 for found in shares.values())
        low, high = wilson_interval(share, len(means)) if is_plain else bootstrap_interval(means)
        table[key] = Score(title, share * maximum, low * maximum, high * maximum, maximum)
    return table


def _shares_by_problem(evaluation: Evaluation, reward: str) -> dict[str, list[float]]:
    """Problem id -> the reward of each of its completions as a share of the maximum."""
    shares: dict[str, list[float]] = {}
    for item in evaluation.items:
        if (value := item.rewards.get(reward)) is not None:
            shares.setdefault(item.problem_id, []).append(value / REWARDS[reward].maximum)
    return shares


def evaluate_model(
    model: Any,
    tokenizer: Any,
    problems: Sequence[Problem],
    *,
    system_prompt: str,
    max_completion_length: int,
    temperature: float,
    report: Callable[[int], None],
    samples: int = 1,
) -> list[EvaluationItem]:
    """Completions scored by every registered reward, in the order of `problems`, those of one problem together.

    Args:
        temperature: 0 takes the likeliest token at each place.
        report: called with the number of completions finished; may raise to give up.
        samples: completions a problem.
    """
    asked = [problem for problem in problems for _ in range(samples)]
    items: list[EvaluationItem] = []
    was_training = model.training
    model.eval()
    try:
        for batch in _batches(asked, BATCH_SIZE):
            completions = _complete(model, tokenizer, batch, system_prompt, max_completion_length, temperature)
            items += [
                EvaluationItem(problem.id, text, score_completion(text, problem.gold), tokens)
                for problem, (text, tokens) in zip(batch, completions, strict=True)
            ]
            report(len(items))
    finally:
        model.train(was_training)
    return items


def _complete(
    model: Any, tokenizer: Any, problems: Sequence[Problem], system_prompt: str, max_new_tokens: int, temperature: float
) -> list[tuple[str, int]]:
    """(completion, tokens) a problem; the end-of-turn token counts, padding does not."""
    import torch

    prompts = [chat_messages(problem.question, system_prompt) for problem in problems]
    inputs = tokenizer.apply_chat_template(
        prompts, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    with torch.inference_mode():
        output = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **sampling,
        )
    rows = output[:, inputs["input_ids"].shape[1] :].tolist()
    return [_decode(tokenizer, row) for row in rows]


def _decode(tokenizer: Any, row: list[int]) -> tuple[str, int]:
    length = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
    return tokenizer.decode(row[:length], skip_special_tokens=True), length


def _batches(problems: Sequence[Problem], size: int) -> Iterator[Sequence[Problem]]:
    for start in range(0, len(problems), size):
        yield problems[start : start + size]
