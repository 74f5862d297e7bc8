"""Options of command lines: by their whole names, in every program of the project."""

import ast
from argparse import _SubParsersAction
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analysis.__main__ import _parser as analysis_parser
from training.__main__ import _parser as training_parser
from training.options import Parser

ROOT = Path(__file__).resolve().parents[1]


def parsers(parser: Parser) -> Iterator[Parser]:
    """The parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            yield from (inner for command in action.choices.values() for inner in parsers(command))


@pytest.mark.parametrize("make", [training_parser, analysis_parser])
def test_no_option_of_any_command_may_be_abbreviated(make: Callable[[], Parser]) -> None:
    found = list(parsers(make()))
    assert len(found) > 5
    assert all(isinstance(parser, Parser) and not parser.allow_abbrev for parser in found)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (training_parser, ["score", "--json", "rows.jsonl"]),
        (training_parser, ["launch", "--pre", "demo"]),
        (training_parser, ["delete", "demo-1", "--y"]),
        (training_parser, ["stop", "demo-1", "--for"]),
        (training_parser, ["li"]),
        (analysis_parser, ["build", "--sour", "demo"]),
        (analysis_parser, ["export", "--o", "x"]),
    ],
)
def test_an_abbreviation_is_refused(
    make: Callable[[], Parser], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make().parse_args(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage:")


@pytest.mark.parametrize("weight", ["correctness=nan", "correctness=inf", "correctness=-inf", "correctness=x", "correctness"])
def test_a_weight_is_a_finite_number(weight: str) -> None:
    with pytest.raises(SystemExit):
        training_parser().parse_args(["reweigh", "demo-1", "--weight", weight])


def test_every_program_reads_its_options_so() -> None:
    folders = ("training", "analysis", "dashboard", "tests")
    users = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "ArgumentParser")
        or (isinstance(node, ast.Name) and node.id == "ArgumentParser")
    ]
    assert users == ["training/options.py"]
