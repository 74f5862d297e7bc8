"""Single completions scored: `score`, for what a person writes and for what trainers log."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from training.command_line.parameters import AnswerFormName
from training.data.bad_row import BadRow
from training.data.columns import cell
from training.data.gold import parse_number
from training.data.rows import kind_of, parse_json, read_lines, read_rows
from training.errors import RewardError, SourceError, shown
from training.home import Home
from training.paths import reason
from training.rewards import score_completions
from training.rewards.adversarial import check_cases, print_bench
from training.rewards.forms import TAGS, AnswerForm, form_named
from training.rewards.own import register_own_rewards
from training.terminal import EXIT_ERROR

_COMPLETIONS = ("completion", "response", "output", "completions", "generated_text", "text")
_GOLDS = ("answer", "gold", "gt", "ground_truth", "solution", "label", "reward_model.ground_truth")
"""Where completion and gold answer stand, by what trainers call them; the first that is filled counts."""


def score(
    jsonl: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help='lines of {"completion", "answer"}, or what a trainer logged, also as Parquet or CSV; - is standard input',
        ),
    ] = None,
    adversarial: Annotated[
        bool,
        typer.Option("--adversarial", help="the shipped misleading completions; status 1 if one scores unexpectedly"),
    ] = False,
    answer_form: AnswerFormName = TAGS.name,
) -> int:
    """Score completions by every reward function, unweighted; status 2 if a line could not be read or scored."""
    if adversarial == (jsonl is not None):
        raise typer.BadParameter("give one of the two", param_hint="--jsonl, --adversarial")
    if jsonl is None:
        return 0 if print_bench(check_cases()) else 1
    register_own_rewards(Home.from_environment().rewards)
    form = form_named(answer_form)
    tally: Counter[str] = Counter()
    for line, row in _rows(jsonl):
        facts = _scored(row, form)
        tally["not read" if "error" in facts else "answered" if facts["answer_block"] else "no answer block"] += 1
        tally["failed"] += len(facts.get("failed", ()))
        print(json.dumps({"line": line} | facts, ensure_ascii=False))
    print(_summary(tally, form), file=sys.stderr)
    return EXIT_ERROR if tally["not read"] or tally["failed"] else 0


def _scored(row: object, form: AnswerForm) -> dict[str, Any]:
    """What is said of one line."""
    try:
        completion, gold, problem = _completion_and_gold(row)
    except BadRow as bad:
        return {"error": str(bad)}
    failed: list[str] = []
    rewards = score_completions(
        [completion], [gold], [problem], form=form, required=(), failed=lambda error: failed.append(_told(error))
    )[0]
    facts = {"answer": form.answer(completion), "answer_block": form.has_block(completion), "rewards": rewards}
    return facts | ({"failed": failed} if failed else {})


def _told(error: RewardError) -> str:
    return f"{error.problem} {error.remedy}"


def _summary(tally: Counter[str], form: AnswerForm) -> str:
    scored = tally["answered"] + tally["no answer block"]
    parts = [f"{scored:,} scored"]
    if tally["no answer block"]:
        parts.append(f"{tally['no answer block']:,} of them without an answer as {form.name} marks it")
    parts += [
        f"{tally[what]:,} {words}"
        for what, words in (("not read", "not read"), ("failed", "values not computed"))
        if tally[what]
    ]
    return ", ".join(parts)


def _rows(file: str) -> Iterator[tuple[int, object]]:
    """(line counted from 1, row or why it cannot be read); whoever names a pipe here waits for it.

    Raises:
        SourceError: the file cannot be read.
    """
    path = Path(file)
    if file != "-" and kind_of(path) is not None and path.suffix.casefold() != ".jsonl":
        yield from read_rows(path, None)
        return
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else path.open("rb") as stream:
            for number, line in enumerate(read_lines(stream), start=1):
                if isinstance(line, BadRow) or line.strip():
                    yield number, line if isinstance(line, BadRow) else _parsed(line)
    except (OSError, ValueError) as error:
        raise SourceError(f"{shown(file)} cannot be read ({reason(error)}).", "Give a JSON Lines file in UTF-8.") from error


def _parsed(line: bytes) -> object:
    try:
        return parse_json(line)
    except BadRow as bad:
        return bad


def _completion_and_gold(row: object) -> tuple[str, str, Mapping[str, Any]]:
    """
    Raises:
        BadRow: there is no completion or no gold answer.
    """
    if isinstance(row, BadRow):
        raise row
    if not isinstance(row, Mapping):
        raise BadRow("the line is not an object")
    completion = _first(row, _COMPLETIONS)
    if isinstance(completion, list):  # a conversation
        completion = cell({"turns": completion}, "turns.assistant")
    if not isinstance(completion, str):
        raise BadRow(f"there is no text under {', '.join(_COMPLETIONS)}")
    gold = _first(row, _GOLDS)
    if isinstance(gold, int | float) and not isinstance(gold, bool):
        gold = parse_number(str(gold)) or str(gold)
    if not isinstance(gold, str):
        raise BadRow(f"there is no gold answer under {', '.join(_GOLDS)}")
    return completion, gold, {str(name): value for name, value in row.items() if name not in _COMPLETIONS}


def _first(row: Mapping[str, Any], places: tuple[str, ...]) -> Any:
    for place in places:
        with suppress(BadRow):
            if (value := cell(row, place)) is not None:
                return value
    return None
