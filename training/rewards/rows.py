"""What a reward may know of a problem: the row that it is given beside the completion."""

from training.data.problem import Problem
from training.prompts import chat_messages
from training.rewards import Row


def reward_row(problem: Problem, system_prompt: str) -> Row:
    """Prompt, question, solution, id, split and the columns that travel along; names of ours win over theirs."""
    return {
        **problem.columns,
        "prompt": chat_messages(problem.question, system_prompt),
        "problem_id": problem.id,
        "question": problem.question,
        "solution": problem.answer,
        "split": problem.split,
    }
