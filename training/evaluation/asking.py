"""How an evaluation puts its questions: in which style, and with which worked examples before each.

The styles `question-answer` and `question-answer-chat` write the prompts of lm-evaluation-harness's task `gsm8k`, character for
character, and examples are drawn as it draws them: `tests/bench/harness.py` holds both against that program. Nothing here needs
torch, so that a page can say what would be asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from training.data.problem import Problem, ProblemSet, Split
from training.errors import ConfigError
from training.prompts import SYSTEM_PROMPT, Prompt, Prompting
from training.rewards import DEFAULT_VERIFIER
from training.rewards.forms import TAGS, AnswerForm
from training.rewards.solutions import has_solution, require_writable, written_solution
from training.text import count

PromptStyleName = Literal["chat", "question-answer", "question-answer-chat"]

HARNESS_SEED = 1234
"""With which lm-evaluation-harness draws unless it is told otherwise."""
HARNESS_TOKENS = 256
"""Of a completion there, at most."""

_UNTIL = ("Question:", "</s>", "<|im_end|>")
"""Where a completion ends by the harness's task."""
_APART = "\n\n"


@dataclass(frozen=True)
class PromptStyle:
    """One way to put a question, and what goes with it unless something else is asked for."""

    title: str
    description: str
    ask: Callable[[str], str]
    """A question as the model reads it."""
    solve: Callable[[Problem, AnswerForm], str]
    """The answer of a worked example."""
    is_text: bool = False
    """Whether it is all one text, which no chat template touches."""
    shots: int = 0
    """Worked examples before each question."""
    system_prompt: str = ""
    answer_form: str = TAGS.name
    stop: tuple[str, ...] = ()
    """Texts that end a completion."""
    verifier: str = DEFAULT_VERIFIER
    """By what an answer counts as right."""
    measures: tuple[str, ...] = ()
    """Reward functions of its own, computed beside those of every evaluation."""


def _as_written(problem: Problem, form: AnswerForm) -> str:
    return problem.answer


def _question_answer(question: str) -> str:
    return f"Question: {question}\nAnswer:"


def _of_the_harness(title: str, description: str, *, is_text: bool) -> PromptStyle:
    return PromptStyle(
        title,
        description,
        _question_answer,
        _as_written,
        is_text=is_text,
        shots=5,
        answer_form="hashes",
        stop=_UNTIL,
        verifier="strict_match",
        measures=("strict_match", "flexible_extract"),
    )


CHAT = PromptStyle("As in runs", "a conversation, as runs ask", str, written_solution, system_prompt=SYSTEM_PROMPT)

PROMPT_STYLES: Mapping[PromptStyleName, PromptStyle] = {
    "chat": CHAT,
    "question-answer": _of_the_harness("As lm-evaluation-harness", "one text, as its task gsm8k has it", is_text=True),
    "question-answer-chat": _of_the_harness(
        "As the harness in chat", "the same as turns in the model's chat template", is_text=False
    ),
}


def require_examples(problem_set: ProblemSet, split: Split, shots: int, style: PromptStyle, form: AnswerForm) -> None:
    """Refuse worked examples that cannot be had.

    Raises:
        ConfigError: the train split has too few solutions, or nobody knows how an answer of the form is written.
    """
    if not shots:
        return
    if style.solve is written_solution:
        require_writable(form)
    there = len(example_pool(problem_set)) - (split == "train")
    if there < shots:
        raise ConfigError(
            f"shots = {shots}: {problem_set.name} has {count(there, 'train problem')} with a solution to show.",
            f"Set shots to {there} at most, or choose a source with more train problems.",
        )


def example_pool(problem_set: ProblemSet) -> tuple[Problem, ...]:
    """The problems that worked examples are drawn from: those of the train split that have a solution."""
    return tuple(problem for problem in problem_set.of_split("train") if has_solution(problem))


def draw_examples(pool: Sequence[Problem], problems: Sequence[Problem], shots: int, seed: int) -> list[list[Problem]]:
    """`shots` of the pool for each problem, never the problem itself.

    The draws follow each other, so that a problem's examples hang on how many problems stand before it, and on nothing else.
    Source: `ContextSampler.sample` of lm-evaluation-harness 0.4.13.
    """
    random = Random(seed)
    return [_drawn(random, pool, problem, shots) for problem in problems] if shots else [[] for _ in problems]


def write_prompts(
    style: PromptStyle,
    prompting: Prompting,
    form: AnswerForm,
    problems: Sequence[Problem],
    examples: Sequence[Sequence[Problem]],
) -> list[Prompt]:
    """What the model reads of each problem, with its examples before the question."""
    return [
        _written(
            style, prompting, style.ask(problem.question), [(style.ask(one.question), style.solve(one, form)) for one in shown]
        )
        for problem, shown in zip(problems, examples, strict=True)
    ]


def _written(style: PromptStyle, prompting: Prompting, asked: str, examples: Sequence[tuple[str, str]]) -> Prompt:
    if not style.is_text:
        return prompting.messages(asked, examples)
    return prompting.system_prompt + "".join(f"{question} {answer}{_APART}" for question, answer in examples) + asked


def _drawn(random: Random, pool: Sequence[Problem], problem: Problem, shots: int) -> list[Problem]:
    if problem.split != "train":
        return random.sample(pool, shots)
    drawn = [one for one in random.sample(pool, shots + 1) if not _same(one, problem)][:shots]
    return drawn if len(drawn) == shots else random.sample([one for one in pool if not _same(one, problem)], shots)


def _same(one: Problem, other: Problem) -> bool:
    return (one.question, one.answer) == (other.question, other.answer)
