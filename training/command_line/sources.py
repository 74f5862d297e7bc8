"""Sources of problems on a command line: how one is named and mapped, and what a command says of it."""

import sys
from typing import Annotated

import typer

from training.data.left_out import left_out
from training.data.problem import ProblemSet
from training.data.sources import OPTIONS, parse_source, with_options
from training.home import Home

SourceLine = Annotated[
    str, typer.Option(metavar="S", help="demo, hub (GSM8K), hub:owner/name, auto, a named source, a folder or a file")
]
MappedColumns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="NAME=VALUE ...", help=f"how it is read: {', '.join(OPTIONS)}"),
]


def mapped(source: str, columns: list[str] | None, home: Home) -> str:
    """The source's line, with a mapping from the command line put over its own.

    Raises:
        SourceError: the one or the other is not understood.
    """
    return str(with_options(parse_source(source, home), columns)) if columns else source


def warn_of_left_out(problem_set: ProblemSet) -> None:
    """Say on standard error which rows and files of a source are not used."""
    for warning in (left_out(problem_set), *problem_set.left_out):
        if warning:
            print(f"warning: {warning}", file=sys.stderr)
