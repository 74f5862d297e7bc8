"""`python -m analysis`: facts on stdout, one explained line per error, no traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from analysis import __main__ as command
from analysis.__main__ import StageTimes, main
from analysis.atlas import STAGES, AtlasParameters, Progress
from analysis.jobs import BUILD, BuildSpec, build
from training.data.problem import SPLITS
from training.data.problems import load_problems
from training.groups import Rollout
from training.home import Home
from training.jobs.__main__ import main as be_job
from training.runs.launch import queue_job
from training.store import Store
from training.store.curation import find_subset, save_subset, subset_ids
from training.terminal import check_ctrl_c, run_command

ROW = '{"question": "What is 1 + %d?", "answer": "It is <<1+%d=2>>2.\\n#### 2"}\n'


@pytest.fixture
def in_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source of twelve problems and one bad row."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.jsonl").write_text("".join(ROW % (n, n) for n in range(8)) + "not JSON\n")
    (source / "test.jsonl").write_text("".join(ROW % (n, n) for n in range(8, 12)))
    return source


def test_build_says_what_was_built_how_long_it_took_and_what_was_rejected(
    in_home: Home, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--source", str(folder)]) == 0
    printed = capsys.readouterr()
    assert "source: 12 problems (8 train, 4 test), model all-MiniLM-L6-v2" in printed.out
    assert " s\n" in printed.out
    assert printed.err.startswith("warning: 1 of 9 train rows left out: the line is not JSON")

    assert main(["build", "--source", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["problems"], facts["width"], facts["seconds"], len(facts["rejected"])) == (12, 384, {}, 1)


def test_report_prints_findings_as_text_and_as_json(in_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--source", "demo"]) == 0
    text = capsys.readouterr().out
    assert "Of the neighbours of test problems" in text
    assert "R-squared" in text
    assert main(["report", "--source", "demo", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"mixing", "topics", "difficulty", "leakage", "duplicates", "verifier", "honesty"}
    assert found["leakage"]["tests"] == 400
    assert all(finding["map"].startswith("/") for finding in found.values())
    for said in ("question", "answer", "numbers", "method"):
        assert all(finding[said] in text for finding in found.values())


def test_near_copies_between_the_splits_are_left_out_of_a_subset(
    in_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("What does a pen cost?", "How far is the moon?", "How old is Kim?")
    rows = [{"question": text, "answer": f"#### {n}", "split": split} for n, text in enumerate(asked) for split in SPLITS]
    rows += [
        {"question": f"How many of {n} sheep are left at home?", "answer": f"#### {n}", "split": "train"} for n in range(9)
    ]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    clean = ["clean", "fair", "--source", str(source), "--model", "tf-idf"]
    assert main(clean) == 0
    printed = capsys.readouterr().out
    assert "Of 3 test problems, 3 have a near copy among train: 3 pairs with 3 train problems (3 verbatim)." in printed
    assert "fair@1: 9 train, 3 test, without 3 train problems of verbatim, template, paraphrase pairs" in printed
    assert main([*clean, "--drop-from", "test"]) == 0
    assert "fair@2: 12 train, 0 test" in capsys.readouterr().out
    assert main([*clean, "--kinds", "paraphrase"]) == 2
    assert "No test problem of rows.jsonl has such a copy among train." in capsys.readouterr().err
    assert main([*clean, "--kinds", "similar"]) == 2
    assert "none of verbatim, template, paraphrase, topic" in capsys.readouterr().err


def test_problems_without_repeats_are_saved_as_a_subset(
    in_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question": f"What is {n % 3} + 1?", "answer": f"#### {n % 3 + 1}", "split": "train"} for n in range(9)]
    rows += [{"question": "What is 7 + 1 = ?", "answer": "#### 8", "split": "test"}]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["subset", "once", "--source", str(source)]) == 0
    assert capsys.readouterr().out == "once@1: 3 train, 1 test, without 6 problems that repeat another word for word\n"
    assert main(["subset", "once", "--source", str(source), "--drop-duplicates", "template"]) == 0
    assert "once@2: 1 train, 1 test" in capsys.readouterr().out
    store = Store.open(in_home.store_url)
    assert subset_ids(store, find_subset(store, "once@1")) == ("train-0", "train-1", "train-2", "test-0")
    assert main(["subset", "once", "--source", "demo"]) == 2
    assert "No problem of Demo repeats another" in capsys.readouterr().err
    assert main(["subset", "once", "--source", "demo", "--drop-duplicates", "near"]) == 2
    assert "none of question, template" in capsys.readouterr().err


def test_report_looks_for_the_problems_of_another_source(
    in_home: Home, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "exam.jsonl"
    other.write_text(ROW % (3, 3) + ROW % (900, 900) + '{"question": "How old is Ann?", "answer": "#### 2"}\n')
    report = ["report", "--source", str(folder), "--model", "tf-idf", "--against", str(other)]
    assert main([*report, "--json"]) == 0
    against = json.loads(capsys.readouterr().out)["against"]
    assert (against["others"], against["problems"], against["counts"]) == (3, 8, {"question": 1, "template": 1})
    assert against["matches"][0] == {"other_id": "train-0", "problem_id": "train-3", "kind": "question"}
    assert against["near"]["highest"] == pytest.approx(1.0, abs=1e-5)
    assert main(report) == 0
    assert against["reading"] in capsys.readouterr().out
    assert main([*report[:-1], str(tmp_path / "gone")]) == 2
    assert "There is no source" in capsys.readouterr().err


def test_report_says_how_steps_go_with_the_pass_rate_of_a_run(in_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(in_home.store_url)
    run = store.create_job("train", "demo", {"source": "demo"})[0].id
    problems = load_problems("demo").of_split("train")[:40]
    store.record(
        run,
        rollouts=[
            Rollout(1, n, 0, p.id, "", {"correctness": float(len(p.steps) < 4)}, 1.0, 0.0, 1, "stop")
            for n, p in enumerate(problems)
        ],
    )
    assert main(["report", "--source", "demo", "--run", run, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pass_rate"]["problems"] == 40
    assert found["pass_rate"]["rho"] < -0.5
    assert found["agreement"]["problems"] == 0
    assert main(["report", "--source", "demo", "--run", run]) == 0
    assert f"Rank correlation of steps with pass rate {found['pass_rate']['rho']:+.2f}" in capsys.readouterr().out
    empty = store.create_job("train", "demo", {"source": "demo", "seed": 1})[0].id
    assert main(["report", "--source", "demo", "--run", empty]) == 2
    assert f"{empty} has no differing pass rates" in capsys.readouterr().err


def test_a_subset_is_exported_as_problems_and_as_a_map(
    in_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(in_home.store_url)
    save_subset(store, "few", load_problems("demo"), ["train-3", "train-5", "test-1"], "by hand")
    common = ["export", "--source", "demo", "--subset", "few"]
    assert main([*common, "--format", "jsonl", "--out", str(tmp_path / "few.jsonl")]) == 0
    assert [p.id for p in load_problems(str(tmp_path / "few.jsonl")).problems] == ["train-0", "train-1", "test-0"]
    assert main([*common, "--format", "csv", "--out", str(tmp_path / "sub" / "few.csv")]) == 0
    assert len((tmp_path / "sub" / "few.csv").read_bytes().split(b"\r\n")) == 5
    assert main([*common, "--format", "map-parquet", "--out", str(tmp_path / "few.parquet")]) == 0
    table = pd.read_parquet(tmp_path / "few.parquet")
    assert list(table["id"]) == ["train-3", "train-5", "test-1"]
    assert {"x", "y", "cluster_name", "nearest"} <= set(table.columns)
    assert main([*common, "--out", str(tmp_path / "projector")]) == 0
    assert len((tmp_path / "projector" / "vectors.tsv").read_text().splitlines()) == 3
    assert main([*common[:-1], "gone", "--out", str(tmp_path / "x")]) == 2
    assert "There is no subset 'gone'" in capsys.readouterr().err


def test_another_layout_is_built_from_the_same_embeddings(
    in_home: Home, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--source", str(folder)]) == 0
    capsys.readouterr()
    assert main(["build", "--source", str(folder), "--neighbors", "5", "--min-dist", "0.1", "--seed", "7", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["seconds"]) == {"layout", "clusters", "layout_3d", "report"}


@pytest.mark.parametrize(
    ("option", "value", "bound"),
    [
        ("--neighbors", "1", "greater than or equal to 2"),
        ("--neighbors", "x", "valid integer"),
        ("--neighbors", "1e400", "valid integer"),
        ("--min-dist", "2", "less than or equal to 1"),
        ("--min-dist", "nan", "less than or equal to 1"),
        ("--min-dist", "1e400", "less than or equal to 1"),
        ("--seed", "-1", "greater than or equal to 0"),
    ],
)
def test_layout_settings_out_of_range_are_refused_with_their_range(
    option: str, value: str, bound: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--source", "demo", option, value]) == 2
    printed = capsys.readouterr().err
    assert option in printed
    assert bound in printed


def test_tf_idf_has_nothing_to_prepare_for_search_by_meaning(in_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--model", "tf-idf"]) == 2
    assert "cannot place a query by meaning" in capsys.readouterr().err


def test_export_writes_the_projector_files(in_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--source", "demo", "--out", str(tmp_path / "out")]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "vectors.tsv", "metadata.tsv", "bookmarks.json", "projector_config.json", "projector_config.pbtxt"
    }  # fmt: skip
    assert "tensorboard --logdir" in capsys.readouterr().out


def test_an_exported_folder_that_is_served_gets_a_link(
    in_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = ["--served-at", "https://example.org/map"]
    assert main(["export", "--source", "demo", "--out", str(tmp_path / "out"), *served]) == 0
    assert "?config=https%3A%2F%2Fexample.org%2Fmap%2Fprojector_config.json" in capsys.readouterr().out
    for wrong in (["--served-at", "example.org/map"], ["--served-at", "http://["], ["--format", "xml"]):
        assert main(["export", "--source", "demo", "--out", str(tmp_path / "out"), *wrong]) == 2
        assert f"{wrong[1]!r} is n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "--source", "no-such-source"], "There is no source 'no-such-source'. Use demo"),
        (["report", "--source", "demo", "--model", "no-such-model"], "no-such-model"),
        (["export", "--source", "demo", "--out", "/dev/null/out"], "/dev/null/out cannot be written"),
    ],
)
def test_an_error_is_one_line_with_its_remedy_and_exit_code_2(
    arguments: list[str], words: str, in_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_an_empty_source_is_an_error(in_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.jsonl").touch()
    assert main(["build", "--source", str(tmp_path)]) == 2
    assert "holds no usable problem" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", "/dev/null/home")
    assert main(["report", "--source", "demo"]) == 2
    assert "Set GRPO_ATLAS_HOME" in capsys.readouterr().err


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: python -m analysis {name}")


def test_ctrl_c_ends_quietly_with_130(home: Home, folder: Path) -> None:
    (folder / "train.jsonl").write_text("".join(ROW % (n, n) for n in range(20_000)))
    store = Store.open(home.store_url)
    job, _ = queue_job(store, home, BUILD, BuildSpec.of(str(folder), AtlasParameters()))
    build = subprocess.Popen(
        [sys.executable, "-m", "training.jobs", job.id],
        env=os.environ | home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not store.job(job.id).done:  # embedding has begun: nothing is being imported any more
            assert build.poll() is None, build.communicate()
            time.sleep(0.1)
        build.send_signal(signal.SIGINT)
        output, errors = build.communicate(timeout=600)
    finally:
        build.kill()
    assert (build.returncode, output, errors) == (130, "", "")
    assert (store.job(job.id).status, store.job(job.id).reason) == ("stopped", "interrupted at the terminal")
    assert not list(home.cache.rglob("embeddings*"))


def test_stage_times_run_from_the_first_to_the_last_report() -> None:
    times = StageTimes(clock=iter([1.0, 3.5, 4.0]).__next__)
    times.note(Progress("embeddings", 0, 2, 0.0, ""))
    times.note(Progress("embeddings", 2, 2, 0.8, ""))
    times.note(Progress("layout", 0, 2, 0.9, ""))
    assert times.seconds == {"embeddings": 2.5, "layout": 0.0}


def test_shipping_replaces_the_folder_and_what_was_in_it(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = load_problems(str(folder))
    monkeypatch.setattr(command, "load_problems", lambda source: problems)
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "stale.npz").touch()
    command.ship_demo(lambda progress: None, shipped)
    assert sorted(file.name.split("-")[0] for file in shipped.iterdir()) == sorted(STAGES)


def test_a_build_submitted_as_a_job_reports_to_the_store_and_ends_there(in_home: Home, folder: Path) -> None:
    store = Store.open(in_home.store_url)
    job, _ = queue_job(store, in_home, BUILD, BuildSpec.of(str(folder), AtlasParameters()))
    assert be_job([job.id]) == 0
    ended = store.job(job.id)
    assert (ended.status, ended.fraction) == ("finished", 1.0)
    assert build(str(folder), AtlasParameters(), in_home, lambda progress: pytest.fail("not kept")).complete


def test_a_failing_build_leaves_its_reason_in_the_store(in_home: Home, tmp_path: Path) -> None:
    store = Store.open(in_home.store_url)
    job, _ = queue_job(store, in_home, BUILD, BuildSpec.of(str(tmp_path / "gone"), AtlasParameters()))
    assert be_job([job.id]) == 2
    assert "There is no source" in store.job(job.id).reason
    assert store.job(job.id).status == "failed"


def test_a_build_stops_on_request(in_home: Home, folder: Path) -> None:
    store = Store.open(in_home.store_url)
    job, _ = queue_job(store, in_home, BUILD, BuildSpec.of(str(folder), AtlasParameters()))
    store.request_stop(job.id)
    assert be_job([job.id]) == 0
    assert store.job(job.id).status == "stopped"


def test_a_reader_that_goes_away_is_no_error(in_home: Home) -> None:
    command = f"{sys.executable} -m analysis report --source demo | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=os.environ.copy(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_ctrl_c_that_a_library_swallows_ends_the_command_at_its_next_step() -> None:
    def careless() -> int:
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGINT)
        check_ctrl_c()
        raise AssertionError("went on")

    before = signal.getsignal(signal.SIGINT)
    try:
        assert run_command(careless) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    check_ctrl_c()
