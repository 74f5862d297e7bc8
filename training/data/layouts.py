"""The layouts of data sets that people bring, recognised by their columns. A new one is one more entry of `LAYOUTS`.

What the columns leave open, such as whether an `answer` is the bare answer or a solution that ends in it, is found in the
first rows. Sources are the data sets' own cards and loaders.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from training.data.answers import HASHES, PLACES, after_hashes, after_words, last_box, last_number
from training.data.bad_row import BadRow
from training.data.columns import LETTER, Columns, cell, cell_or_none
from training.data.gold import parse_gold
from training.data.steps import kind_of_steps

_SOCRATIC = " ** "

_COMMAND = re.compile(r"\\[a-zA-Z]")

_BARE_CHARACTERS = 40
"""Longer texts are solutions rather than answers."""
_NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Layout:
    """How a known data set is written."""

    name: str
    needs: frozenset[str]
    """Columns, or fields inside them, that every row has."""
    columns: Columns
    latex: bool = False
    """Whether its gold answers are written as mathematics."""


def _layout(name: str, needs: str, **columns: str) -> Layout:
    return Layout(name, frozenset(needs.split()), Columns(**columns))


def _latex(name: str, needs: str, **columns: str) -> Layout:
    return replace(_layout(name, needs, **columns), latex=True)


_VERL_ENDING = r"\s*Let's think step by step and output the final answer (?:after \"####\"|within \\boxed\{\})\.?\s*$"
_DAPO_WRAPPING = (
    r"^Solve the following math problem step by step\. The last line of your response should be of the form Answer: "
    r"\$Answer \(without quotes\) where \$Answer is the answer to the problem\.\s*"
    r"|\s*Remember to put your answer on its own line after \"Answer:\"\.\s*$"
)

_PROBLEM = {"question": "problem", "solution": "solution"}
_QUESTION = {"question": "question", "solution": "answer"}

_WITH_CHOICES = {"question": "{question}\n{choices}"}
_WITH_OPTIONS = {"question": "{question}\n{options}", "found": "column"}

_COUNTDOWN = "Using +, -, *, / and each of the numbers {nums} exactly once, write an expression that equals {target}."

LAYOUTS: tuple[Layout, ...] = (
    _layout(
        "GSM8K as verl keeps it",
        "extra_info.question extra_info.answer reward_model.ground_truth",
        question="extra_info.question",
        solution="extra_info.answer",
        gold="reward_model.ground_truth",
    ),
    _layout(
        "DAPO and verl",
        "prompt reward_model.ground_truth",
        question="prompt.user",
        gold="reward_model.ground_truth",
        cut=f"{_DAPO_WRAPPING}|{_VERL_ENDING}",
    ),
    _layout("SVAMP", "Body Question Answer", question="{Body} {Question}", solution="Equation", gold="Answer", found="column"),
    _layout(
        "ASDiv", "body question answer formula", question="{body} {question}", solution="formula", gold="answer", found="column"
    ),
    _layout("GSM-Hard", "input target code", question="input", solution="code", gold="target", found="column", steps="lines"),
    _layout("MGSM", "question answer answer_number", **_QUESTION, gold="answer_number", found="column"),
    _layout("AQuA-RAT", "question options rationale correct", **_WITH_OPTIONS, solution="rationale", gold="correct"),
    _layout("ARC", "question choices.text choices.label answerKey", **_WITH_CHOICES, gold="answerKey", found="column"),
    _layout("MMLU", "question choices answer", **_WITH_CHOICES, gold="answer", found=LETTER),
    _layout("GSM-Symbolic", "question answer instance original_id", **_QUESTION),
    _layout("GSM-Plus", "question solution answer perturbation_type", question="question", solution="solution", gold="answer"),
    _layout("gsm8k-synth", "question solution answer program", question="question", solution="solution", gold="answer"),
    _latex("OpenR1-Math", "problem solution answer generations", **_PROBLEM, gold="answer"),
    _latex("MATH-500", "problem solution answer subject level", **_PROBLEM, gold="answer"),
    _latex("MATH with its answers", "problem solution expected_answer", **_PROBLEM, gold="expected_answer"),
    _latex("MATH", "problem solution level type", **_PROBLEM, found="box"),
    _latex("NuminaMath-CoT", "source problem solution messages", **_PROBLEM, found="box"),
    _latex("NuminaMath-TIR", "problem solution messages", **_PROBLEM, found="box"),
    _latex("Big-Math", "problem answer domain", question="problem", gold="answer"),
    _latex("MetaMathQA", "query response type", question="query", solution="response", found="words"),
    _layout("Countdown", "target nums", question=_COUNTDOWN, gold="none"),
    _layout("Alpaca", "instruction input output", question="{instruction}\n{input}", solution="output"),
    _layout("conversations with a solution", "messages solution", question="messages.user", solution="solution"),
    _layout("conversations (ChatML)", "messages", question="messages.user", solution="messages.assistant"),
    _layout("conversations (ShareGPT)", "conversations", question="conversations.user", solution="conversations.assistant"),
)
"""The first that fits counts."""

_QUESTIONS = ("question", "problem", "query", "prompt", "instruction", "input", "text")
_SOLUTIONS = ("solution", "rationale", "reasoning", "explanation", "response", "output", "completion", "answer")
_GOLDS = (
    "gold",
    "final_answer",
    "gold_answer",
    "expected_answer",
    "correct_answer",
    "correct answer",
    "ground_truth",
    "gt",
    "target",
    "label",
    "answer",
)
"""Names of columns that say what they hold, the clearest first."""
ROLE_NAMES = frozenset((*_QUESTIONS, *_SOLUTIONS, *_GOLDS))


def recognise(names: Sequence[str]) -> Layout | None:
    """The layout of a file with these columns and fields (`a.b` for a field b inside a), `None` where nothing says it."""
    there = set(names)
    known = next((layout for layout in LAYOUTS if layout.needs <= there), None)
    return known or _by_names(names)


def settle(layout: Layout, rows: Sequence[Mapping[str, Any]]) -> Layout:
    """A layout with what the first rows say of it: where the gold answer is, how it is found there, a clearer name."""
    columns = layout.columns
    if columns.gold == "none":
        return layout
    if layout.name == _PLAIN and columns.gold and any(isinstance(cell_or_none(row, columns.solution), list) for row in rows):
        columns = replace(columns, solution="")  # several texts of a problem are what models wrote
    if not columns.gold:
        columns = replace(columns, gold=columns.solution)
    if not columns.found:
        columns = replace(columns, found=_found(rows, columns.gold))
    if columns.found == "column" and _same(rows, columns.gold, columns.solution):
        columns = replace(columns, solution="")
    layout = replace(layout, columns=columns)
    if layout.name == _PLAIN:
        return replace(layout, name=_plain_name(layout, rows), latex=layout.latex or _is_latex(rows, columns))
    return layout


def says(name: str, columns: Columns) -> str:
    """One line on how rows are read."""
    question = f"question from `{columns.question}`"
    if columns.gold == "none":
        return f"{_capital(name)}: {question}, no gold answer: a reward decides."
    if columns.found in PLACES:
        how = f"gold {PLACES[columns.found][1]} of `{columns.gold}`"
    else:
        how = f"gold {columns.found} in `{columns.gold}`" if columns.pattern else f"gold from `{columns.gold}`"
    solution = f", solution from `{columns.solution}`" if columns.solution and columns.solution != columns.gold else ""
    return f"{_capital(name)}: {question}{solution}, {how}."


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


_PLAIN = "columns by their names"


def _by_names(names: Sequence[str]) -> Layout | None:
    """A layout by what its columns are called, whatever the case."""
    named = {name.casefold(): name for name in reversed(names)}
    question = next((named[name] for name in _QUESTIONS if name in named), None)
    solution = next((named[name] for name in _SOLUTIONS if name in named and named[name] != question), "")
    gold = next((named[name] for name in _GOLDS if name in named and named[name] not in (question, solution)), "")
    if question is None or not (solution or gold):
        return None
    if f"{question}.user" in names:
        question = f"{question}.user"
    return Layout(_PLAIN, frozenset((question,)), Columns(question=question, solution=solution, gold=gold))


def _found(rows: Sequence[Mapping[str, Any]], place: str) -> str:
    """How the answer is found in a column, by what most of the first rows have."""
    values = []
    for row in rows:
        with suppress(BadRow):
            values.append(cell(row, place))
    values = [value for value in values if value is not None]
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) * 2 <= len(values):
        return "column"
    tests: Sequence[tuple[str, Callable[[str], object], float]] = (
        ("hashes", after_hashes, 0.5),
        ("box", last_box, 0.5),
        ("column", _is_bare, 0.5),
        ("words", after_words, _NEARLY_ALL),
        ("number", last_number, 0.5),
    )
    return next((name for name, test, share in tests if _most(texts, test, share)), "column")


def _same(rows: Sequence[Mapping[str, Any]], gold: str, solution: str) -> bool:
    """Whether solutions are nothing but gold answers: the same column, or two that agree everywhere."""
    return gold == solution or (
        bool(solution and rows) and all(cell_or_none(row, gold) == cell_or_none(row, solution) for row in rows)
    )


def _is_latex(rows: Sequence[Mapping[str, Any]], columns: Columns) -> bool:
    """Whether gold answers are written as mathematics: in boxes, with a command somewhere, or beside solutions that are."""
    if columns.found == "box":
        return True
    if columns.found != "column":
        return False
    texts = [str(cell_or_none(row, columns.solution) or "") for row in rows] if columns.solution else []
    return kind_of_steps(texts) == "latex" or any(_COMMAND.search(str(cell_or_none(row, columns.gold))) for row in rows)


def _is_bare(text: str) -> bool:
    """Whether a text is an answer and nothing else."""
    try:
        kind = parse_gold(text, latex=True).kind
    except BadRow:
        return True
    return kind in ("number", "choice") or len(text) <= _BARE_CHARACTERS


def _most(texts: Sequence[str], test: Callable[[str], object], share: float = 0.5) -> bool:
    """Whether more than a share of the texts pass a test."""
    return sum(bool(test(text)) for text in texts) > share * len(texts)


def _plain_name(layout: Layout, rows: Sequence[Mapping[str, Any]]) -> str:
    """What a data set with a question and an answer is called."""
    columns = layout.columns
    if columns.found == "hashes":
        texts = [str(row.get(columns.gold, "")) for row in rows]
        return "GSM8K, Socratic" if _most(texts, lambda text: _SOCRATIC in text.split(HASHES)[0]) else "GSM8K"
    if columns.found in ("number", "words"):
        return "Orca-Math, or solutions that end in their number"
    return _PLAIN
