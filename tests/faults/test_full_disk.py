"""Full, small and read-only disks: what was there stays, what goes on is said, and nothing is a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from tests.app_testing import run_app, words
from tests.faults.storage import Program, ending_what_runs, fill, set_read_only, small_disk
from training.home import DEMO_DATA

STEPS = 24


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    """With its home on a disk of its own, of so many KiB."""
    with (
        small_disk(tmp_path / "disk", getattr(request, "param", 2048)) as disk,
        ending_what_runs(Program(disk / "home", tmp_path)) as program,
    ):
        yield program


def one_line_of_error(program: Program, *arguments: str) -> str:
    done = program.run(*arguments)
    assert done.returncode == 2, done.stderr
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert line.startswith("error: ")
    return line


def test_launching_on_a_full_disk_is_refused_in_a_line_and_leaves_no_run(program: Program) -> None:
    assert program.run("list").returncode == 0
    filler = fill(program.root.parent)
    listed = program.run("list")
    assert (listed.returncode, "No runs yet" in listed.stdout) == (0, True), listed.stderr
    assert "0 bytes are free" in one_line_of_error(program, "launch", "--preset", "demo")
    filler.unlink()
    assert json.loads(program.run("list", "--json").stdout) == []


def test_a_disk_without_room_for_the_checkpoints_is_refused_in_sizes_that_say_something(program: Program) -> None:
    line = one_line_of_error(program, "launch", "--preset", "demo", "--set", "lora_rank=0")
    assert "0.0 GiB" not in line
    assert "23.6 MiB" in line
    assert json.loads(program.run("list", "--json").stdout) == []


def test_the_pages_on_a_full_disk_draw_the_map_and_say_why_nothing_can_be_launched(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("GRPO_ATLAS_DATA", "GRPO_ATLAS_STORE", "GRPO_ATLAS_REWARDS"):
        monkeypatch.delenv(name, raising=False)
    st.cache_resource.clear()
    assert not run_app("launch").exception
    fill(program.root.parent)
    for page in ("explore", "insights", "runs", "evaluate"):
        shown = run_app(page)
        assert (list(shown.exception), list(shown.error)) == ([], []), page
        assert "cannot be written" in words(shown)
    assert run_app("explore").get("component_instance") or "Map of 2,400 problems" in words(run_app("explore"))
    launch = run_app("launch")
    button = next(button for button in launch.button if button.label == "Launch the run")
    if not button.disabled:
        launch = button.click().run()
    assert list(launch.exception) == []
    assert "disk" in words(launch)
    st.cache_resource.clear()


@pytest.mark.parametrize("program", [16 * 1024], indirect=True)
def test_a_run_whose_disk_fills_keeps_its_checkpoint_and_is_whole_when_it_is_resumed(program: Program, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    with ending_what_runs(Program(tmp_path / "whole" / "home", tmp_path / "whole")) as other:
        whole = other.launch(STEPS)
        other.wait_for_end(whole)
        expected = other.rollouts(whole)
    job_id = program.launch(STEPS)
    program.wait_for_step(job_id, 6)
    filler = fill(program.root.parent)
    program.wait_for_end(job_id)
    folder = program.root / "runs" / job_id
    assert [path.name for path in folder.glob("checkpoint-*")] != []
    filler.unlink()
    found = program.job(job_id)
    assert found.status in ("failed", "lost", "running"), found.status
    shown = program.run("show", job_id)
    assert (shown.returncode, "Traceback" in shown.stdout + shown.stderr) == (0, False)
    for _ in range(120):
        if program.job(job_id).status in ("failed", "lost"):
            break
        program.run("list")
    resumed = program.run("resume", job_id)
    assert resumed.returncode == 0, resumed.stderr
    program.wait_for_end(job_id)
    assert program.job(job_id).status == "finished", program.job(job_id).reason
    assert program.rollouts(job_id) == expected


def test_what_lies_in_a_home_on_a_read_only_disk_can_be_looked_at(program: Program, tmp_path: Path) -> None:
    store = program.home
    from training.store import Store

    opened = Store.open(store.store_url)
    job_id = opened.create_job("train", "demo", {"preset": "demo", "model": "demo", "source": "demo"})[0].id
    opened.start(job_id)
    opened.record(job_id, scalars=[(1, {"reward": 1.5})])
    opened.end(job_id, "stopped", "stopped on request")
    opened.close()
    set_read_only(program.root.parent, True)
    try:
        listed, shown = program.run("list"), program.run("show", job_id, "--json")
        assert (listed.returncode, job_id in listed.stdout) == (0, True), listed.stderr
        assert json.loads(shown.stdout)["latest"] == {"reward": 1.5}
        assert program.run("health", job_id).returncode == 0
        report = program.run("report", "--source", "demo", "--json", module="analysis")
        assert json.loads(report.stdout)["mixing"], report.stderr
        out = tmp_path / "projector"
        assert program.run("export", "--source", "demo", "--out", str(out), module="analysis").returncode == 0
        for arguments in (["launch", "--preset", "demo"], ["resume", job_id], ["delete", job_id, "--yes"]):
            assert "rit" in one_line_of_error(program, *arguments)
    finally:
        set_read_only(program.root.parent, False)
    assert program.run("delete", job_id, "--yes").returncode == 0


def test_a_map_is_built_and_shown_though_the_cache_takes_nothing(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    for split in ("train", "test"):
        rows = (DEMO_DATA / f"{split}.jsonl").read_text().splitlines()[:200]
        (source / f"{split}.jsonl").write_text("\n".join(rows) + "\n")
    program.run("list")
    (program.root / "cache").rmdir()
    (program.root / "cache").write_text("in the way of every file of the cache")
    built = program.run("build", "--source", str(source), "--model", "tf-idf", module="analysis")
    assert built.returncode == 0, built.stderr
    assert "until the machine starts anew" in built.stderr
