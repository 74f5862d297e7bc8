"""Options of command lines: by their whole names, with their ranges, in every program of the project."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.__main__ import main as analysis
from training.__main__ import main as training

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("main", "arguments", "words"),
    [
        (training, ["score", "--json", "rows.jsonl"], "No such option: --json"),
        (training, ["launch", "--pre", "demo"], "No such option: --pre"),
        (training, ["delete", "demo-1", "--y"], "No such option: --y"),
        (training, ["stop", "demo-1", "--for"], "No such option: --for"),
        (training, ["li"], "No such command 'li'"),
        (training, [], "Missing command"),
        (training, ["show"], "Missing argument 'RUN'"),
        (training, ["report", "demo-1"], "Missing option '--out'"),
        (training, ["show", "demo-1", "demo-2"], "demo-2"),
        (training, ["list", "--limit"], "requires an argument"),
        (training, ["list", "--limit", "5", "--all"], "not allowed with --limit"),
        (training, ["score"], "--jsonl"),
        (training, ["score", "--jsonl", "x", "--adversarial"], "--jsonl"),
        (analysis, ["build", "--sour", "demo"], "No such option: --sour"),
        (analysis, ["export", "--o", "x"], "No such option: --o"),
        (training, ["list", "--limit", "0"], "greater than or equal to 1"),
        (training, ["list", "--limit", "1e400"], "valid integer"),
        (training, ["list", "--offset", "-1"], "greater than or equal to 0"),
        (training, ["resume", "demo-1", "--checkpoint", "-1"], "greater than or equal to 0"),
        (training, ["merge", "demo-1", "--checkpoint", "0"], "greater than or equal to 1"),
        (training, ["evaluate", "--fraction", "0"], "greater than 0"),
        (training, ["evaluate", "--fraction", "nan"], "less than or equal to 1"),
        (training, ["evaluate", "--temperature", "1e400"], "less than or equal to 10"),
        (training, ["evaluate", "--split", "all"], "'train', 'test'"),
        (training, ["reweigh", "demo-1", "--scale-rewards", "x"], "'group', 'batch', 'none'"),
        *(
            (training, ["reweigh", "demo-1", "--weight", f"correctness{end}"], "is not NAME=W")
            for end in ("=nan", "=-inf", "=x", "")
        ),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_status_2(
    main: Callable[[list[str]], int], arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_every_program_reads_its_options_so() -> None:
    folders = ("training", "analysis", "dashboard", "tests")
    assert [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and "argparse" in ast.unparse(node)
    ] == []
