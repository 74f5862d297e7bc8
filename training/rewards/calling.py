"""Calling a person's function in the form that it has: one completion with its gold answer or problem, or lists as TRL gives.

Runs in the process of the function's own; `training.rewards.process` is the one that calls it.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from training.errors import RewardError, shown, shown_error
from training.rewards import Reward
from training.rewards.forms import form_named

Takes = Literal["gold", "problem", "batch"]

_CONVERSATION = "assistant"


def takes(function: Callable[..., Any]) -> Takes:
    """What a function is called with, by the names of its parameters.

    Raises:
        TypeError: none of the forms that there are.
    """
    parameters = list(inspect.signature(function).parameters.values())
    names = [parameter.name for parameter in parameters]
    if "completions" in names:
        return "batch"
    required = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    many = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(required) > 4 or (len(positional) < 2 and not many):
        raise TypeError("it takes neither (completion, gold), nor (completion, problem), nor (prompts, completions, **columns)")
    return "problem" if len(names) > 1 and names[1] == "problem" else "gold"


def values(
    reward: Reward, rows: Sequence[tuple[str, str, Mapping[str, Any] | None]], form: str, at: Callable[[int], None]
) -> list[float | None]:
    """A function's value for each (completion, gold, problem).

    Args:
        at: told which row is at work.

    Raises:
        RewardError: it raised, or returned no numbers.
    """
    kind = takes(reward.function)
    if kind == "batch":
        return _batch(reward, rows, at)
    found: list[float | None] = []
    for place, (completion, gold, problem) in enumerate(rows):
        at(place)
        try:
            second: object = {**(problem or {}), "gold": gold} if kind == "problem" else gold
            more = (*((form_named(form),) if reward.reads_form else ()), *((problem or {},) if reward.reads_row else ()))
            value = _awaited(reward.function(completion, second, *more))
        except BaseException as error:  # a function that calls sys.exit() must not end this process without a word
            raise reward.error(f"raised {shown_error(error)}", completion) from error
        found.append(reward.checked(value, completion))
    return found


def _batch(
    reward: Reward, rows: Sequence[tuple[str, str, Mapping[str, Any] | None]], at: Callable[[int], None]
) -> list[float | None]:
    """As TRL calls a function for conversations: every column as a list, each completion a list with one message."""
    at(0)
    problems = [{**(problem or {}), "answer": gold, "gold": gold, "ground_truth": gold} for _, gold, problem in rows]
    shared = [name for name in problems[0] if all(name in problem for problem in problems)] if problems else []
    columns = {name: [problem[name] for problem in problems] for name in shared if name != "prompt"}
    prompts = [problem.get("prompt", problem.get("question", "")) for problem in problems]
    completions = [[{"role": _CONVERSATION, "content": completion}] for completion, _, _ in rows]
    offered = {"prompts": prompts, "completions": completions, **columns}
    parameters = inspect.signature(reward.function).parameters.values()
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = {parameter.name for parameter in parameters}
    try:
        result = _awaited(reward.function(**{name: value for name, value in offered.items() if takes_all or name in named}))
    except BaseException as error:
        raise reward.error(f"raised {shown_error(error)}", rows[0][0]) from error
    if not isinstance(result, Sequence) and not hasattr(result, "__len__"):
        raise reward.error(f"returned {shown(result)} instead of a list of numbers", rows[0][0])
    if len(result) != len(rows):
        raise RewardError(
            f"The reward function {reward.name} returned {len(result):,} values for {len(rows):,} completions.",
            "Return one number, or None, for each.",
        )
    return [reward.checked(value, completion) for value, (completion, _, _) in zip(result, rows, strict=True)]


def _awaited(value: Any) -> Any:
    return asyncio.run(value) if inspect.iscoroutine(value) else value
