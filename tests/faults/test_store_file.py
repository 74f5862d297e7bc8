"""store.db deleted, replaced and restored while a run, the command lines and a dashboard use it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import chromium, page, start_dashboard, stop  # noqa: F401  # fixtures
from tests.faults.storage import Program, ending_what_runs
from training.home import Home
from training.jobs.train.outbox import NAME
from training.store import Rollout, Store

STEPS = 24


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with ending_what_runs(Program(tmp_path / "home", tmp_path)) as program:
        yield program


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Rollout]:
    """The ledger of the run when nothing happens to it."""
    scratch = tmp_path_factory.mktemp("whole")
    with ending_what_runs(Program(scratch / "home", scratch)) as program:
        job_id = program.launch(STEPS)
        program.wait_for_end(job_id)
        assert program.job(job_id).status == "finished"
        return program.rollouts(job_id)


def copy_of(path: Path, to: Path) -> Path:
    """A sound copy of a store that is in use."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to


@pytest.mark.parametrize("how", ["deleted", "replaced", "deleted with what lies beside it"])
def test_a_run_whose_store_goes_stops_and_is_whole_once_an_older_copy_is_back(
    program: Program, tmp_path: Path, whole: list[Rollout], how: str
) -> None:
    path = program.root / "store.db"
    job_id = program.launch(STEPS)
    program.wait_for_step(job_id, 5)
    copy = copy_of(path, tmp_path / "copy.db")
    program.wait_for_step(job_id, 9)
    if how == "replaced":
        copy.replace(path)
    else:
        for file in program.root.glob("store.db*" if "beside" in how else "store.db"):
            file.unlink()
    program.wait_for_end(job_id)
    folder = program.root / "runs" / job_id
    assert (folder / NAME).is_file()
    assert list(folder.glob("checkpoint-*"))
    said = (folder / "log.txt").read_text()
    assert f"The run store {path}" in said
    assert "Traceback" not in said
    if how != "replaced":
        assert not path.exists()
        copy.replace(path)
    assert program.job(job_id).status in ("running", "lost")
    assert len(program.rollouts(job_id)) < len(whole) / 2
    wait = program.run("list")
    assert (wait.returncode, "Traceback" in wait.stderr) == (0, False)
    resume_when_lost(program, job_id)
    program.wait_for_end(job_id)
    assert program.job(job_id).status == "finished"
    assert program.rollouts(job_id) == whole
    assert not (folder / NAME).exists()


def resume_when_lost(program: Program, job_id: str) -> None:
    """The copy's heartbeat is some seconds old: the run counts as lost soon."""
    for _ in range(120):
        if program.job(job_id).status == "lost":
            break
        program.run("list")
    resumed = program.run("resume", job_id)
    assert resumed.returncode == 0, resumed.stderr


def test_the_command_line_says_that_a_store_is_new_where_runs_are_and_takes_no_folder_for_a_new_run(program: Program) -> None:
    job_id = program.launch(2)
    program.wait_for_end(job_id)
    for file in program.root.glob("store.db*"):
        file.unlink()
    listed = program.run("list")
    assert listed.returncode == 0
    assert str(program.root / "runs") in listed.stderr
    again = program.launch(2)
    assert again != job_id
    program.wait_for_end(again)
    assert program.job(again).status == "finished"


def test_an_open_page_says_that_the_store_is_gone_and_goes_on_when_it_is_back(
    tmp_path: Path,
    page: Page,  # noqa: F811
) -> None:
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home")})
    store = Store.open(home.store_url)
    job_id = store.create_job("train", "demo", {"preset": "demo", "model": "demo", "source": "demo"})[0].id
    store.end(job_id, "finished", "done")
    store.close()
    path = home.root / "store.db"
    process, address = start_dashboard(home.root, tmp_path / "log.txt", {})
    try:
        page.goto(f"{address}/runs")
        expect(page.get_by_text("1 run", exact=True)).to_be_visible()
        path.rename(tmp_path / "away.db")
        expect(page.get_by_test_id("stSidebar").get_by_text("is not there")).to_be_visible()
        page.goto(f"{address}/launch")
        expect(page.get_by_test_id("stAlert").get_by_text("is not there").first).to_be_visible()
        assert not path.exists()
        (tmp_path / "away.db").rename(path)
        expect(page.get_by_role("button", name="Launch the run")).to_be_visible()  # nobody has reloaded it
        expect(page.get_by_text("is not there")).to_have_count(0)
        assert page.get_by_text("Traceback").count() == 0
    finally:
        stop(process)
