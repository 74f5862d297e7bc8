"""The run store behind the pages: gone, another one, or on a full disk, and what every page then says."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import streamlit as st

from dashboard import data, run_data
from tests.app_testing import run_app, words
from training.errors import StoreLostError
from training.home import Home
from training.presets import load_preset
from training.store import Store

pytestmark = pytest.mark.usefixtures("dashboard_home")


@pytest.fixture
def path(home: Home) -> Path:
    return home.root / "store.db"


@pytest.fixture
def run_id(home: Home) -> str:
    return run_in(home.store_url, 1.0)


def run_in(url: str, reward: float) -> str:
    """A run that has ended, with one step's scalar."""
    store = Store.open(url)
    job_id = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"))[0].id
    store.start(job_id)
    store.record(job_id, scalars=[(1, {"reward": reward})])
    store.end(job_id, "stopped", "stopped on request")
    store.close()
    return job_id


@pytest.mark.parametrize("page", ["explore", "launch", "runs"])
def test_a_page_says_that_the_store_is_gone_and_goes_on_when_it_is_back(page: str, path: Path, run_id: str) -> None:
    shown = run_app(page)
    assert not shown.exception
    path.rename(path.with_name("elsewhere"))
    shown.run()
    assert not shown.exception
    assert any("is not there" in caption.value for caption in shown.sidebar.caption)
    assert not path.exists()
    path.with_name("elsewhere").rename(path)
    shown.run()
    assert (list(shown.exception), list(shown.error)) == ([], [])
    assert "is not there" not in words(shown)


def test_the_map_is_drawn_without_a_store(path: Path, run_id: str) -> None:
    run_app()
    path.unlink()
    shown = run_app()
    assert "Map of 2,400 problems" in words(shown)
    assert list(shown.error) == []


def test_a_store_that_was_replaced_is_told_and_nothing_of_the_former_is_shown(path: Path, run_id: str, tmp_path: Path) -> None:
    former = data.store()
    assert run_data.series_of(run_id, ["reward"])["reward"][1].tolist() == [1.0]
    assert run_in(f"sqlite:///{tmp_path}/other.db", 2.0) == run_id
    (tmp_path / "other.db").replace(path)
    with pytest.raises(StoreLostError):
        former.jobs()
    assert run_data.series_of(run_id, ["reward"])["reward"][1].tolist() == [2.0]
    assert "was replaced" in words(run_app("runs"))


def test_an_empty_store_in_a_home_with_runs_is_told(home: Home) -> None:
    assert data.store_notice() == ""
    st.cache_resource.clear()
    (home.root / "store.db").unlink()
    (home.runs / "demo-1").mkdir()
    assert "was empty" in words(run_app("runs"))


@pytest.fixture
def without_room(run_id: str) -> Iterator[None]:
    """The store takes no row."""

    def refuse(connection: object, cursor: object, statement: str, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    engine = data.store()._database.engine
    sa.event.listen(engine, "before_cursor_execute", refuse)
    yield
    sa.event.remove(engine, "before_cursor_execute", refuse)


def test_a_launch_that_the_store_has_no_room_for_is_refused_in_place(without_room: None) -> None:
    shown = run_app("launch")
    next(button for button in shown.button if button.label == "Launch the run").click().run()
    assert not shown.exception
    assert any("its disk is full" in error.value for error in shown.error)


def test_a_home_that_cannot_be_written_is_told_on_every_page(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Home, "why_unwritable", lambda home: "Read-only file system")
    for page in ("explore", "launch"):
        shown = run_app(page)
        assert (list(shown.exception), list(shown.error)) == ([], [])
        assert "Read-only file system" in words(shown).replace("Read\\-only", "Read-only")
