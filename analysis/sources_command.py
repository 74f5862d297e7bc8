"""Sources on the command line: `problems` says how one is read, `sources` keeps some under names."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import typer

from training.command_line.parameters import AsJson
from training.command_line.sources import MappedColumns, SourceLine, mapped
from training.data.duplicates import repeats
from training.data.left_out import left_out
from training.data.problem import SPLITS, ProblemSet
from training.data.problems import load_problems
from training.data.sources import forget_source, keep_source, named_sources, parse_source
from training.home import Home
from training.text import agree, count, shorten

_FIRST = 3
_QUESTION_CHARACTERS = 100


def show_problems(source: SourceLine = "auto", columns: MappedColumns = None, as_json: AsJson = False) -> int:
    """Say how a source is read: its layout, the mapping, problems by split, rejected rows, kinds of gold, the first rows."""
    home = Home.from_environment()
    problem_set = load_problems(mapped(source, columns, home), home)
    print(json.dumps(source_facts(problem_set), ensure_ascii=False, indent=2) if as_json else _text(problem_set))
    return 0


def manage_sources(
    keep: Annotated[str | None, typer.Option(metavar="NAME", help="keep the source under this name")] = None,
    forget: Annotated[str | None, typer.Option(metavar="NAME", help="keep it no longer")] = None,
    source: SourceLine = "auto",
    columns: MappedColumns = None,
) -> int:
    """List the named sources; keep one that can be read under a name, or forget one."""
    home = Home.from_environment()
    if forget is not None:
        forget_source(home, forget)
        print(f"{forget} is no longer kept.", file=sys.stderr)
    if keep is not None:
        line = mapped(source, columns, home)
        load_problems(line, home)
        keep_source(home, keep, parse_source(line, home))
    for name, line in named_sources(home).items():
        print(f"{name}  {line}")
    return 0


def source_facts(problem_set: ProblemSet) -> Mapping[str, object]:
    """What was read of a source, for programs."""
    kinds = Counter(problem.gold_kind for problem in problem_set.problems)
    return {
        "layout": problem_set.layout,
        "columns": problem_set.columns.changed(),
        "splits": {split: len(problem_set.of_split(split)) for split in SPLITS},
        "rejected": problem_set.rejections,
        "gold_kinds": dict(kinds.most_common()),
        "duplicates": len(repeats(problem_set.problems)),
        "first": [
            {"id": problem.id, "split": problem.split, "question": problem.question, "gold": problem.gold}
            | {"gold_kind": problem.gold_kind}
            for problem in problem_set.problems[:_FIRST]
        ],
    }


def _text(problem_set: ProblemSet) -> str:
    kinds = Counter(problem.gold_kind for problem in problem_set.problems)
    splits = ", ".join(f"{len(problem_set.of_split(split)):,} {split}" for split in SPLITS)
    lines = [problem_set.notice] if problem_set.notice else []
    lines += [f"{problem_set.name}: {count(len(problem_set.problems), 'problem')} ({splits})", problem_set.read_as]
    lines.append("gold answers: " + ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common()))
    if again := len(repeats(problem_set.problems)):
        lines.append(f"{count(again, 'problem')} {agree(again, 'repeats', 'repeat')} another of the same split word for word")
    lines += filter(None, [left_out(problem_set)])
    lines += [f"file left out: {file}" for file in problem_set.left_out]
    for problem in problem_set.problems[:_FIRST]:
        lines.append(f"  {problem.id}  {shorten(problem.question, _QUESTION_CHARACTERS)}")
        lines.append(f"      gold: {problem.gold or 'none'} ({problem.gold_kind})")
    return "\n".join(lines)
