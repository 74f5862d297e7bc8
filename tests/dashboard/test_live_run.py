"""One reader for all sessions of a run: made once for all, told in the right order, ended when nobody looks."""

import gzip
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard import live_run
from dashboard.curves import Curve
from dashboard.live_run import LiveRun, Now, View
from dashboard.run_head import Head
from dashboard.web_files import WebFiles
from training.errors import HomeError

VIEW, OTHER = View((Curve("reward", "Total reward", "reward"),), 100), View((Curve("kl", "KL", "kl"),), 100)
TIMEOUT_S = 60.0


class Run:
    """A run that is where it is put, and how often it was read and drawn."""

    def __init__(self) -> None:
        self.step = 1
        self.drawn: list[View] = []
        self.error: HomeError | None = None
        self.seconds = 0.0

    def look(self) -> Now:
        if self.error is not None:
            raise self.error
        return Now(self.step, Head("running", self.step / 100, f"step {self.step} of 100", ()))

    def make(self, view: View) -> bytes:
        self.drawn.append(view)
        return json.dumps([self.step]).encode()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(live_run, "_LOOK_S", 0.01)
    return Run()


@pytest.fixture
def files(tmp_path: Path) -> WebFiles:
    return WebFiles(tmp_path)


@pytest.fixture
def live(run: Run, files: WebFiles) -> LiveRun:
    return LiveRun("demo-1", files, run.look, run.make, clock=lambda: run.seconds)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def panels(files: WebFiles, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress((files.folder / name).read_bytes()))
    return content


def head(files: WebFiles, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files.folder / name).read_bytes())
    return content


def leave(live: LiveRun, run: Run) -> None:
    run.seconds += 1_000
    wait_for(lambda: not live.is_read())


def test_whoever_follows_finds_the_files_and_then_what_is_new(live: LiveRun, run: Run, files: WebFiles) -> None:
    at, curves = live.follow_head(), live.follow(VIEW)
    assert head(files, at)["line"] == "step 1 of 100"
    assert panels(files, curves) == {"newest": 1, "panels": [1]}
    run.step = 2
    wait_for(lambda: head(files, at)["newest"] == 2)
    assert panels(files, curves) == {"newest": 2, "panels": [2]}  # before the head tells of it
    leave(live, run)


def test_many_sessions_have_each_view_made_once_for_each_step(live: LiveRun, run: Run, files: WebFiles) -> None:
    threads = [threading.Thread(target=live.follow, args=(view,)) for view in (VIEW, OTHER) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    at = live.follow_head()
    for run.step in (2, 3):
        before = list(run.drawn)
        wait_for(lambda: head(files, at)["newest"] == run.step)
    assert sorted(map(repr, run.drawn[len(before) :])) == sorted(map(repr, (VIEW, OTHER)))
    leave(live, run)


def test_it_ends_when_nobody_asks_and_begins_again_when_somebody_does(live: LiveRun, run: Run, files: WebFiles) -> None:
    curves = live.follow(VIEW)
    assert live.is_read()
    leave(live, run)
    run.step = 7
    assert live.follow(VIEW) == curves
    assert panels(files, curves)["newest"] == 7
    assert live.is_read()
    leave(live, run)


def test_the_views_kept_up_to_date_are_few(live: LiveRun, run: Run) -> None:
    for weight in range(50):
        live.follow(View(VIEW.shown, 100, weight / 100))
    before = len(run.drawn)
    run.step = 2
    wait_for(lambda: sum(view.weight == 0.49 for view in run.drawn) >= 2)
    leave(live, run)
    assert len(run.drawn) - before <= 3 * 16


def test_an_error_is_told_to_who_asks_and_gone_when_it_is_over(live: LiveRun, run: Run, files: WebFiles) -> None:
    at = live.follow_head()
    run.error = HomeError("The disk is full.", "Free some space.")

    def is_told() -> bool:
        try:
            live.follow_head()
        except HomeError:
            return True
        return False

    wait_for(is_told)
    run.error, run.step = None, 3
    wait_for(lambda: not is_told())
    wait_for(lambda: head(files, at)["newest"] == 3)
    leave(live, run)
