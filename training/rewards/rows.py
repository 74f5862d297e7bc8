"""What a reward may know of a problem: the row that it is given beside the completion."""

from training.data.problem import Problem
from training.prompts import Prompt
from training.rewards import Row


def with_tokens(row: Row, tokens: int, longest: int) -> Row:
    """A row with the completion's length and the longest that there may be, in tokens."""
    return {**row, "completion_tokens": tokens, "max_completion_length": longest}


def reward_row(problem: Problem, prompt: Prompt) -> Row:
    """Prompt, question, solution, id, split and the columns that travel along; names of ours win over theirs."""
    return {
        **problem.columns,
        "prompt": prompt,
        "problem_id": problem.id,
        "question": problem.question,
        "solution": problem.answer,
        "split": problem.split,
    }
