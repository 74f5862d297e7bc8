"""Two judges held against each other: `disagreement`."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from training.command_line.parameters import AsJson, RunId
from training.command_line.stores import open_here
from training.data.problem import Problem
from training.data.problems import load_problems
from training.errors import SourceError
from training.files import replace_file
from training.home import Home
from training.insight.disagreement import Disagreement, disagreement_of, reading_of, share_of
from training.insight.disagreement_cases import CASE_FILES, case_file
from training.insight.judge_errors import ErrorRate, error_rates, error_sentence
from training.insight.judges import judge_named, offered_judges, part_named, usual_judges
from training.rewards import title_of
from training.rewards.forms import form_of
from training.store.answer_marks import marked_answers
from training.text import count

_CELLS = {
    "both_right": "both right",
    "first_only": "only the first right",
    "second_only": "only the second right",
    "both_wrong": "both wrong",
}
"""Field of a tally -> what it is called."""


def show_disagreement(
    run_id: RunId,
    judges: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="two reward functions by name or title, such as hard,value; the run's verifier and the one that differs most "
            "from it if not given",
        ),
    ] = None,
    evaluation: Annotated[
        str, typer.Option(metavar="LABEL", help="of this evaluation, such as after; of training if not given")
    ] = "",
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="completions that a judge who is not on record is asked about")
    ] = None,
    cases: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write those that differ there; ends in .jsonl or .csv")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Completions on which two judges differ, and how often either errs by what was marked."""
    if cases is not None and cases.suffix not in CASE_FILES:
        raise typer.BadParameter(f"{str(cases)!r} ends neither in .jsonl nor in .csv", param_hint="--cases")
    home, store = open_here()
    part = part_named(store, run_id, evaluation)
    problems = _problems(home, store.job(run_id).spec)
    pair = usual_judges(store, part) if judges is None else _pair(judges, offered_judges(store, part))
    golds = {problem.id: problem.gold for problem in problems.values()}
    found = disagreement_of(store, part, pair, golds, sampled=sample, told=_tell)
    marks = marked_answers(store, run_id, pair)
    rates = error_rates(found, marks)
    if cases is not None:
        form = form_of(store.job(run_id).spec)
        replace_file(cases, lambda stream: stream.writelines(case_file(store, found, marks, problems, form, cases.suffix)))
    if as_json:
        print(json.dumps(_facts(found, rates), indent=2))
    else:
        print(*_lines(found, rates), sep="\n")
        if cases is not None:
            print(f"{cases}: {count(len(found.differing), 'answer')}")
    return 0


def _pair(text: str, known: tuple[str, ...]) -> tuple[str, str]:
    names = [judge_named(part, known) for part in text.split(",") if part.strip()]
    if len(names) != 2 or names[0] == names[1]:
        raise typer.BadParameter(f"{text!r} does not name two judges, as hard,value does", param_hint="--judges")
    return names[0], names[1]


def _problems(home: Home, spec: Mapping[str, Any]) -> Mapping[str, Problem]:
    """The job's problems by id, none where they cannot be read any more."""
    try:
        problem_set = load_problems(str(spec.get("source", "auto")), home, fetch=False)
    except SourceError:
        return {}
    known = problem_set.has_content(str(spec.get("content_hash", "")))
    return {problem.id: problem for problem in problem_set.problems} if known else {}


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done:,} of {total:,} completions judged", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _facts(found: Disagreement, rates: list[ErrorRate]) -> dict[str, Any]:
    shares = {name: share_of(found.by_problem, attrgetter(name)) for name in _CELLS}
    return {
        "run_id": found.part.job_id,
        "evaluation": found.part.evaluation,
        "judges": list(found.judges),
        "recomputed": list(found.recomputed),
        "completions": found.completions,
        "unjudged": sum(tally.unjudged for tally in found.by_problem),
        "differing": asdict(share_of(found.by_problem)),
        "cells": {name: asdict(share) for name, share in shares.items()},
        "answers": len(found.differing),
        "errors": [asdict(rate) for rate in rates],
    }


def _lines(found: Disagreement, rates: list[ErrorRate]) -> Iterator[str]:
    """The reading, the four cells, and what the marks say."""
    yield reading_of(found)
    first, second = map(title_of, found.judges)
    for name, title in _CELLS.items():
        share = share_of(found.by_problem, attrgetter(name))
        if share.estimate is not None:
            value, low, high = share.estimate
            told = title.replace("the first", first.lower()).replace("the second", second.lower())
            yield f"  {told:<36} {share.number:>9,}  {value:>6.1%} ({low:.1%} to {high:.1%})"
    if unjudged := sum(tally.unjudged for tally in found.by_problem):
        yield f"  {'not judged by both':<36} {unjudged:>9,}"
    if any(rate.marked for rate in rates):
        yield "Where both say the same they are taken to be right. By what was marked of the others"
        yield from (f"  {error_sentence(rate)}" for rate in rates)
    elif found.differing:
        yield f"None of their {count(len(found.differing), 'answer')} is marked yet; the run's page has them."
