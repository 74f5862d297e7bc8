"""The command line: scoring from outside, and errors as one line with the remedy."""

import json
import os
from pathlib import Path

import pytest

from training.__main__ import COMMANDS, main
from training.jobs.__main__ import main as be_job
from training.rewards import REWARDS
from training.terminal import run_command


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRPO_ATLAS_STORE", raising=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Usage: python -m training {command}" in capsys.readouterr().out


def test_score_prints_every_reward_unweighted_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "completions.jsonl"
    rows = [{"completion": "<answer>72</answer>", "answer": "72"}, {"completion": "seventy-two\u2028", "answer": "72"}]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert main(["score", "--jsonl", str(file)]) == 0
    scored = [json.loads(line)["rewards"] for line in capsys.readouterr().out.splitlines()]
    assert [list(row) for row in scored] == [[name for name, reward in REWARDS.items() if reward.when == "always"]] * 2
    assert [row["correctness"] for row in scored] == [1.0, 0.0]


def test_list_of_an_empty_store_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "python -m training launch" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["launch", "--set", "max_steps=0"], "max_steps = 0"),
        (["launch", "--set", "per_device_train_batch_size=30"], "make the batch a multiple of 8"),
        (["launch", "--set", "source=/nowhere"], "There is no source '/nowhere'"),
        (["launch", "--set", "evaluation_problems=100000"], "has 400 test problems"),
        (["launch", "--backend", "moon"], "There is no backend 'moon'"),
        (["launch", "--set", "model=/no/such/model"], "There is no folder '/no/such/model'"),
        (["launch", "--dry-run", "--set", "source=/nowhere"], "There is no source '/nowhere'"),
        (["preflight", "--set", "max_steps=0"], "max_steps = 0"),
        (["launch", "--preset", "nothing"], "There is no preset 'nothing'"),
        (["show", "nobody-1"], "There is no run 'nobody-1'"),
        (["stop", "nobody-1"], "There is no run 'nobody-1'"),
        (["resume", "nobody-1"], "There is no run 'nobody-1'"),
        (["evaluate", "--source", "/nowhere"], "There is no source '/nowhere'"),
        (["score", "--jsonl", "/nowhere.jsonl"], "cannot be read"),
    ],
)
def test_an_error_is_one_line_with_the_remedy_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert message in printed


def test_a_malformed_line_to_score_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "completions.jsonl"
    file.write_text('{"completion": "x", "answer": "1"}\n{"completion": 3}\n')
    assert main(["score", "--jsonl", str(file)]) == 2
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["answer"] == "x"
    assert second["line"] == 2
    assert second["error"]


def test_what_a_command_starts_cannot_inherit_the_dashboards_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", "sixteen-letters-of-it")
    assert run_command(lambda: int("GRPO_ATLAS_TOKEN" in os.environ)) == 0


def test_an_unwritable_home_is_an_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(tmp_path / "file" / "home"))
    assert main(["list"]) == 2
    assert "Set GRPO_ATLAS_HOME" in capsys.readouterr().err


def test_a_job_s_process_makes_no_new_store_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert be_job(["demo-1"]) == 2
    assert "is not there" in capsys.readouterr().err
    assert not (tmp_path / "home" / "store.db").exists()


def test_a_store_that_is_new_where_runs_lie_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home" / "runs" / "demo-1").mkdir(parents=True)
    assert main(["list"]) == 0
    assert "warning: The run store" in capsys.readouterr().err
    assert main(["list"]) == 0
    assert capsys.readouterr().err == ""


def test_what_a_disk_refuses_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/full/file")

    monkeypatch.setattr("training.store.Store.jobs", full)
    assert main(["list"]) == 2
    printed = capsys.readouterr().err
    assert printed == "error: /full/file cannot be used (No space left on device). Free some space there.\n"


def test_the_shipped_misleading_completions_score_as_expected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--adversarial"]) == 0
    assert "completions score as expected." in capsys.readouterr().out


def test_a_weight_that_is_no_weight_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reweigh", "demo-1", "--weight", "correctness"]) == 2
    assert "'correctness' is not NAME=W" in capsys.readouterr().err


def test_an_error_that_nobody_expected_is_one_line_and_its_traceback_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of\nall things \x1b[31m")

    monkeypatch.setattr("training.command_line.stores.reconcile", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["list"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "ZeroDivisionError: of all things \ufffd[31m" in printed
    (log,) = tmp_path.glob("grpo-atlas-*.log")
    assert str(log) in printed
    assert "Traceback" in log.read_text()


def test_an_error_about_an_odd_name_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "--set", "source='/no\\nwhere\\x1b[31m'"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["show", "half\udc80"]) == 2
