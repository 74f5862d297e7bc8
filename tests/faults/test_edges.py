"""Hostile names, files and addresses against whole programs: every command, every page, a real browser.

What is refused leaves nothing behind, what cannot be read is told, nothing hangs, and nobody sees a traceback.
"""

import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.app_testing import run_app
from tests.browser.conftest import CHROMIUM_ARGUMENTS, start_dashboard, stop
from tests.dashboard.test_frame import PAGES, RAISED, has_frame, raising
from tests.hostile import BAD_LINES, BAD_SETTINGS, NO_FILES, NO_PATHS
from tests.many_runs import add_runs
from tests.training.test_names import HOSTILE, ODD_IDS, plant
from training.__main__ import main
from training.home import Home
from training.store import Store

RUNS = 5_000
HANGS_S = 300
"""Beyond this a program counts as hanging, on however busy a machine."""

OF_A_RUN: Mapping[str, list[str]] = {
    "show": [],
    "show --log": [],
    "health": [],
    "reweigh": ["--json"],
    "report": ["--out", "report.html"],
    "stop": ["--force"],
    "resume": [],
    "delete": ["--yes"],
    "merge": [],
    "export": [],
    "push": ["--repository", "a/b", "--yes"],
}
HUB_NAME = re.compile(r"(?:[\w.-]+/)?[\w.-]{1,96}", re.ASCII)
"""What the Hub could have is asked for, by a job that fails; so is a folder that is there and holds no model."""
PATHS: Mapping[str, list[str]] = {
    "launch --set": ["source={}", "model={}", "subset={}"],
    "preflight --set": ["source={}", "model={}"],
    "launch --preset": ["{}"],
    "presets": ["{}"],
    "evaluate --source": ["{}"],
    "evaluate --model": ["{}"],
    "score --jsonl": ["{}"],
}


@pytest.fixture
def here(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home that the commands of this process use; the working folder is beside it."""
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    (home.root.parent / "work").mkdir()
    monkeypatch.chdir(home.root.parent / "work")
    return home


def outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """(status, what went to standard error) of one command in this process."""
    status = main(arguments)
    return status, capsys.readouterr().err


def around(home: Home) -> list[str]:
    """Every file around the home; its own store and locks left out."""
    kept = (path for path in home.root.parent.rglob("*") if "store.db" not in path.name and path.parent != home.locks)
    return sorted(str(path) for path in kept)


@pytest.mark.parametrize("command", OF_A_RUN)
def test_no_name_of_a_run_breaks_a_command(command: str, here: Home, capsys: pytest.CaptureFixture[str]) -> None:
    before = around(here)
    for name in (*HOSTILE, *NO_PATHS):
        status, told = outcome([*command.split(), *OF_A_RUN[command], "--", name], capsys)
        assert status in (1, 2), name
        assert "Traceback" not in told
        assert "which nobody expected" not in told
        assert told.count("\n") == 1
    assert around(here) == before
    assert Store.open(here.store_url).jobs() == []


@pytest.mark.parametrize("command", PATHS)
def test_no_path_breaks_a_command(command: str, here: Home, capsys: pytest.CaptureFixture[str]) -> None:
    before = around(here)
    for path, form in itertools.product(filter(None, (*NO_PATHS, *HOSTILE)), PATHS[command]):
        if path in ("..", ".") or (command in ("presets", "launch --preset") and path == "con"):
            continue
        status, told = outcome([*command.split(), form.format(path)], capsys)
        assert status in (1, 2), path
        assert "Traceback" not in told
        assert "which nobody expected" not in told
    assert around(here) == before
    left = Store.open(here.store_url).jobs()
    assert {job.status for job in left} <= {"failed"}
    models = [job.spec["model"] for job in left]
    assert [model for model in models if not (HUB_NAME.fullmatch(model) or Path(model).expanduser().is_dir())] == []


@pytest.mark.parametrize("command", OF_A_RUN)
@pytest.mark.parametrize("job_id", ODD_IDS)
def test_a_run_of_another_program_breaks_no_command_and_takes_nothing_with_it(
    command: str, job_id: str, here: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = here.root.parent / "victim" / "evil-1" / "thesis.txt"
    victim.parent.mkdir(parents=True)
    victim.write_text("mine")
    (here.presets / "mine.toml").write_text('model = "demo"\n')
    plant(Store.open(here.store_url), job_id, "stopped")
    status, told = outcome([*command.split(), *OF_A_RUN[command], "--", job_id], capsys)
    assert status in (0, 1, 2)
    assert "Traceback" not in told
    assert "which nobody expected" not in told
    assert victim.read_text() == "mine"
    assert (here.presets / "mine.toml").is_file()


@pytest.mark.parametrize("name", [name for name in NO_FILES if name != "folder"])
@pytest.mark.parametrize("variable", ["GRPO_ATLAS_DATA", "GRPO_ATLAS_REWARDS", "GRPO_ATLAS_BACKENDS", "GRPO_ATLAS_HOME"])
def test_a_process_waits_for_nothing_that_a_variable_names(variable: str, name: str, here: Home, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / "named")
    command = [sys.executable, "-m", "training", "launch", "--dry-run", "--backend", "elsewhere", "--set", "source=auto"]
    environment = here.environment() | {variable: str(tmp_path / "named"), "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"}
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        command, env=environment | {"PYTHONPATH": root}, capture_output=True, text=True, timeout=HANGS_S, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.usefixtures("dashboard_home")
def test_whatever_a_page_raises_its_frame_stays(page: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.components.shared.style.render_title", raising(error))
    assert has_frame(run_app(page))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("path", [path for path in NO_PATHS if path != "half\udc80"])
@pytest.mark.usefixtures("dashboard_home")
def test_whatever_an_address_names_the_frame_stays(page: str, path: str) -> None:
    names = (
        "source",
        "model",
        "compare",
        "run",
        "runs",
        "preset",
        "from",
        "colour",
        "subset",
        "evaluated",
        "evaluations",
        "ask",
    )
    assert has_frame(run_app(page, **dict.fromkeys(names, path)))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", [*BAD_LINES, *NO_FILES])
@pytest.mark.usefixtures("dashboard_home")
def test_whatever_a_source_holds_the_frame_stays(page: str, name: str, home: Home) -> None:
    folder = home.root / "mine"
    folder.mkdir()
    if name in NO_FILES:
        NO_FILES[name](folder / "train.jsonl")
    else:
        (folder / "train.jsonl").write_bytes(BAD_LINES[name])
    assert has_frame(run_app(page, source=str(folder)))


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str, Path]]:
    """Chromium on the program whose home has everything at once: 5,000 runs, odd rows, bad presets, a hostile source."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("needs Chromium")
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})
    store = Store.open(home.store_url)
    for job_id in ODD_IDS:
        plant(store, job_id)
    add_runs(store, RUNS)
    for number, content in enumerate(BAD_SETTINGS.values()):
        (home.presets / f"bad{number}.toml").write_bytes(content)
    for number, make in enumerate(NO_FILES.values()):
        make(home.presets / f"none{number}.toml")
    (home.root / "mine").mkdir()
    lines = [line.replace(b"\n", b"") for line in BAD_LINES.values()]
    good = b'{"question": "How many?", "answer": "#### 1"}'
    (home.root / "mine" / "train.jsonl").write_bytes(b"\n".join((good, *lines, good)))
    log = tmp_path_factory.mktemp("dashboard") / "log.txt"
    process, address = start_dashboard(home.root, log, {})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        yield page, address, home.root / "mine"
        browser.close()
    stop(process)
    assert "Traceback" not in log.read_text(errors="replace")


@pytest.mark.parametrize("path", ["", "insights", "launch", "runs", "evaluate"])
def test_every_page_stands_in_the_browser_with_all_of_it_at_once(path: str, visited: tuple[Page, str, Path]) -> None:
    page, address, source = visited
    page.goto(f"{address}/{path}?source={quote(str(source))}")
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(5)
    expect(page.get_by_text(f"{len(BAD_LINES):,} rows left out")).to_be_visible()
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_text("failed unexpectedly")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_runs_page_counts_pages_and_finds_the_oldest_of_5000(visited: tuple[Page, str, Path]) -> None:
    page, address, _ = visited
    began = time.monotonic()
    page.goto(f"{address}/runs")
    total = f"{RUNS + len(ODD_IDS):,} runs"
    expect(page.get_by_text(f"{total}, 1 to 100 shown")).to_be_visible()
    print(json.dumps({"runs": RUNS, "seconds to the list": round(time.monotonic() - began, 2)}))
    page.get_by_role("button", name="Oldest").click()
    expect(page.get_by_text(f"{total}, 5,001 to")).to_be_visible()
    page.goto(f"{address}/runs?find=evil-1")
    expect(page.get_by_text(f"1 run, {RUNS + len(ODD_IDS) - 1:,} more")).to_be_visible()
    page.goto(f"{address}/runs?runs=demo-1,demo-2")
    expect(page.get_by_text("Settings that differ")).to_be_visible()
