"""Who may act from the pages, what a page may name, what is told meanwhile, and what an address that changed does."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import access, actions, sign_in_setup
from dashboard.access import AccessError
from dashboard.components.shared.news import ending_line
from dashboard.launch_changes import write_changes
from dashboard.memory import MapParameters, SignIn
from dashboard.text import plain
from tests.app_testing import APP, TIMEOUT_S, words
from tests.fakes import full_demo_run
from training.allowed import allowed_embedding
from training.backends.local import LocalBackend
from training.errors import ModelError
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset, preset_paths
from training.store import Store

pytestmark = pytest.mark.usefixtures("dashboard_home")

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-secret-of-some-length"
EVERYWHERE = "0.0.0.0"
SEEN_BY_ALL = {"All runs", "Duplicate", "Any", "Clear filters", "Show me", "Whole run", "Sign in", "Sign out"}
"""What those who look on may press on the pages below; nothing of it changes anything for others."""


@pytest.fixture(autouse=True)
def without_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRPO_ATLAS_TOKEN", "GRPO_ATLAS_USERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def public() -> Iterator[None]:
    """The server listens on all addresses."""
    before = st.config.get_option("server.address")
    st.config.set_option("server.address", EVERYWHERE)
    yield
    st.config.set_option("server.address", before)


@pytest.fixture
def run_id(store: Store) -> str:
    """A run under way."""
    job, _ = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"), total=100)
    store.start(job.id)
    return job.id


def open_page(page: str, **address: str) -> AppTest:
    """A page of the program, opened by its address; the pages before it are not run."""
    test = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        test.query_params[name] = value
    return test.switch_page(f"app_pages/{page}.py").run()


def enabled(*, disabled: bool = False, help: str | None = None) -> dict[str, object]:
    """As `acts` for who may act: a page cannot keep anyone from writing a message as if a button had been pressed."""
    return {"disabled": disabled, "help": help}


def pressable(test: AppTest) -> set[str]:
    return {button.label for button in test.button if not button.disabled}


def button(test: AppTest, label: str) -> object:
    return next(button for button in test.button if button.label == label)


def test_on_loopback_everybody_may_act_until_a_sign_in_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access.may_act()
    access.require_act()
    for name, value in (("GRPO_ATLAS_TOKEN", TOKEN), ("GRPO_ATLAS_TOKEN", "short"), ("GRPO_ATLAS_USERS", "a@b.org")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert not access.may_act()
            with pytest.raises(AccessError):
                access.require_act()


def connected(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str] | None) -> None:
    """This session's page asks with these headers; with `None` it has left."""
    client = None if headers is None else SimpleNamespace(client_context=SimpleNamespace(headers=list(headers.items())))
    server = SimpleNamespace(get_client=lambda session_id: client)
    monkeypatch.setattr(access, "get_script_run_ctx", lambda: SimpleNamespace(session_id="a session"))
    monkeypatch.setattr("streamlit.runtime.get_instance", lambda: server)


@pytest.mark.parametrize(
    ("headers", "acts"),
    [
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, True),
        ({}, True),
        ({"Host": "evil.example:8501", "Origin": "http://evil.example:8501"}, False),
        ({"Host": "localhost:8501", "Origin": "http://localhost:3000"}, False),
        (None, False),
    ],
)
def test_without_a_sign_in_a_session_acts_only_from_a_page_of_this_machine(
    headers: dict[str, str] | None, acts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, headers)
    assert access.may_act() is acts


def test_a_session_that_signed_in_acts_by_whatever_name_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", TOKEN)
    connected(monkeypatch, {"Host": "atlas.example", "X-Forwarded-For": "203.0.113.9"})
    monkeypatch.setattr(SignIn, "has_token", True)
    assert access.may_act()


def test_the_token_is_taken_out_of_the_environment_and_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_setup, "_taken", "")
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", TOKEN)
    sign_in_setup.take_token()
    assert "GRPO_ATLAS_TOKEN" not in os.environ
    assert sign_in_setup.token() == TOKEN
    sign_in_setup.take_token()
    assert sign_in_setup.takes_token()
    assert not access.may_act()


def test_every_action_is_refused_to_those_who_look_on(public: None) -> None:
    offered = {name: value for name, value in vars(actions).items() if hasattr(value, "__wrapped__")}
    assert len(offered) == 22
    for action in offered.values():
        with pytest.raises(AccessError, match="GRPO_ATLAS_TOKEN"):
            action()


def test_pages_act_through_the_guarded_functions_alone() -> None:
    guarded = {name for name, value in vars(actions).items() if hasattr(value, "__wrapped__")}
    writes = {"create_job", "request_stop", "requeue", "withdraw", "writing", "truncate", "record", "add_checkpoint"}
    wrong = []
    for module in (ROOT / "dashboard").rglob("*.py"):
        if module.name == "actions.py":
            continue
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("training"):
                wrong += [f"{module.name}: {alias.name}" for alias in node.names if alias.name in guarded]
            elif isinstance(node, ast.Attribute) and node.attr in writes | {"ask"}:
                wrong.append(f"{module.name}: .{node.attr}")
    assert wrong == []


def test_nothing_reaches_a_shell() -> None:
    own = r"exec(?!v\(sys\.executable,)"
    shell = re.compile(rf"\bshell\s*=|\bos\.(system|popen|spawn|{own})|\bget(status)?output\(|\bcreate_subprocess_shell")
    modules = [module for package in ("training", "analysis", "dashboard") for module in (ROOT / package).rglob("*.py")]
    assert [module for module in modules if shell.search(module.read_text(encoding="utf-8"))] == []


def test_a_run_can_be_read_but_not_touched_by_those_who_look_on(
    public: None, run_id: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = open_page("runs", run=run_id)
    assert not test.exception
    assert {"Stop", "Archive", "Delete", "Save", "Duplicate"} <= {button.label for button in test.button}
    assert pressable(test) <= SEEN_BY_ALL
    assert "Start the dashboard with GRPO_ATLAS_TOKEN" in words(test)
    assert "Start the dashboard with GRPO_ATLAS_TOKEN" in button(test, "Stop").help
    monkeypatch.setattr("dashboard.components.run.header.acts", enabled)
    button(test.run(), "Stop").click().run()
    assert "You are looking on" in words(test)
    assert not store.stop_requested(run_id)


@pytest.mark.parametrize("page", ["launch", "evaluate"])
def test_nothing_is_launched_measured_or_asked_by_those_who_look_on(
    public: None, page: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: None)
    module, label = {"launch": ("launch.panel", "Launch the run"), "evaluate": ("evaluate.form", "Measure")}[page]
    test = open_page(page, part="measure")
    assert not test.exception
    assert pressable(test) <= SEEN_BY_ALL | {plain(preset) for preset in preset_paths()}
    monkeypatch.setattr(f"dashboard.components.{module}.acts", enabled)
    button(test.run(), label).click().run()
    assert "You are looking on" in words(test)
    assert store.jobs() == []


def test_the_token_lets_a_session_act_and_stands_in_no_address(
    public: None, run_id: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", TOKEN)
    test = open_page("runs", run=run_id)
    for given in ("wrong", TOKEN):
        next(field for field in test.text_input if field.label == "Token").input(given)
        button(test, "Sign in").click().run()
        assert ("This is not the token" in words(test)) is (given == "wrong")
    assert TOKEN not in str(test.query_params)
    button(test, "Stop").click().run()
    assert store.stop_requested(run_id)
    button(test, "Sign out").click().run()
    assert pressable(test) <= SEEN_BY_ALL


@pytest.mark.parametrize(
    ("user", "users", "acts"),
    [
        ({"is_logged_in": False}, "", False),
        ({"is_logged_in": True, "email": "Ada@example.org"}, "", True),
        ({"is_logged_in": True, "email": "Ada@example.org"}, "ada@example.org, bo@example.org", True),
        ({"is_logged_in": True, "email": "eve@example.org"}, "ada@example.org", False),
        ({"is_logged_in": True, "email": "ada@example.org", "email_verified": False}, "ada@example.org", False),
        ({"is_logged_in": "True", "email": "ada@example.org"}, "", False),
    ],
)
def test_accounts_may_act_if_they_are_listed(
    user: dict[str, object], users: str, acts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_USERS", users)
    monkeypatch.setattr(st, "user", user)
    assert access.may_act() is acts


def sign_in_page() -> None:
    from dashboard.components.shared.sign_in import render_sign_in

    render_sign_in()


def test_a_sign_in_with_accounts_is_offered_by_provider(public: None) -> None:
    test = AppTest.from_function(sign_in_page, default_timeout=TIMEOUT_S)
    test.user = {"is_logged_in": False}
    test.secrets["auth"] = {"redirect_uri": "http://x/oauth2callback", "cookie_secret": "c", "acme": {"client_id": "1"}}
    assert [button.label for button in test.run().button] == ["Sign in with acme"]


def test_an_account_is_left_even_if_a_later_run_overtakes_the_first(public: None, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bool] = []
    monkeypatch.setattr(st, "logout", lambda: left.append(True))
    test = AppTest.from_function(sign_in_page, default_timeout=TIMEOUT_S)
    test.user = {"is_logged_in": True, "email": "ada@example.org"}
    test.run()
    assert not left
    button(test, "Sign out").click().run()
    test.run()  # the browser never heard of the one before
    assert len(left) == 2


def try_token(test: AppTest, given: str) -> str:
    """What the page says to a token."""
    test.text_input[0].input(given)
    button(test, "Sign in").click().run()
    return words(test)


def test_who_is_wrong_too_often_waits_and_nobody_else_does(public: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", TOKEN)
    guesser, person = (AppTest.from_function(sign_in_page, default_timeout=60).run() for _ in range(2))
    for _ in range(4):
        assert "This is not the token" in try_token(guesser, "wrong")
    assert "Try again in" in try_token(guesser, TOKEN)  # even the right one
    assert "Signed in with a token" in try_token(person, TOKEN)
    guesser.session_state["signin_wrong_at"] -= 31
    assert "Signed in with a token" in try_token(guesser, TOKEN)


def test_an_embedding_model_is_a_name_or_an_allowed_folder(home: Home, tmp_path: Path) -> None:
    for name in ("tf-idf", "all-MiniLM-L6-v2", " owner/a.b_c "):
        assert allowed_embedding(name, home) == name.strip()
    folder = home.root / "models" / "mine"
    folder.mkdir(parents=True)
    assert allowed_embedding(str(folder), home) == str(folder)
    for name in ("", "/etc", "~", "../x", "a/../b", f"{home.root}/../..", "-x", str(home.root / "nothing")):
        with pytest.raises(ModelError):
            allowed_embedding(name, home)


def test_an_address_may_not_name_any_folder_and_nothing_else_is_lost(tmp_path: Path) -> None:
    test = open_page("launch", source=str(tmp_path), model="/etc", set=write_changes({"max_steps": 7}))
    assert not test.exception
    assert "GRPO_ATLAS_FOLDERS" in words(test)
    assert test.session_state["state_source"] == "auto"
    assert test.session_state["mapparameters_model"] == MapParameters.model.default
    path = next(field for field in test.sidebar.text_input if field.label == "Path")
    assert path.value == str(tmp_path)
    path.input("/etc/passwd").run()
    assert "A page may not read problems from '/etc/passwd'" in words(test)
    assert test.session_state["launch_changes"] == {"max_steps": 7}
    assert test.session_state["state_source"] == "auto"


def source_page() -> None:
    import streamlit as st

    from dashboard.sources import readable_source

    try:
        st.text(readable_source(st.query_params["source"]))
    except Exception as error:
        st.text(type(error).__name__)


def test_who_looks_on_reads_only_what_somebody_worked_with(public: None, home: Home, store: Store) -> None:
    """Reading a source takes as long as it is large."""

    def read(source: str) -> str:
        test = AppTest.from_function(source_page, default_timeout=60)
        test.query_params["source"] = source
        return str(test.run().text[0].value)

    mine = home.root / "mine"
    mine.mkdir()
    assert [read(source) for source in ("demo", "auto", "/etc", str(mine))] == ["demo", "auto", "SourceError", "SourceError"]
    store.create_job("build", "map", {"source": str(mine)})
    assert read(str(mine)) == str(mine)
    st.config.set_option("server.address", "127.0.0.1")
    other = home.root / "other"
    other.mkdir()
    assert read(str(other)) == str(other)  # who may act may name any in the folders that are allowed
    st.config.set_option("server.address", EVERYWHERE)
    assert read(str(other)) == str(other)  # and may send the link to all


def news_page() -> None:
    """A page that shows nothing but the news."""
    import streamlit as st

    from dashboard.components.shared.news import tell_news
    from dashboard.state import State

    state = State()
    state.read_url(st.session_state.get("page", "insights"))
    tell_news(state)


def test_jobs_that_end_are_told_once_while_something_else_is_open(run_id: str, store: Store) -> None:
    earlier, _ = store.create_job("evaluate", "demo", {"of": "earlier"})
    store.end(earlier.id, "failed", "no memory")
    test = AppTest.from_function(news_page, default_timeout=TIMEOUT_S)
    assert not test.run().toast
    store.progress(run_id, 100, 100, "training")
    store.end(run_id, "finished", "done")
    short, _ = store.create_job("evaluate", "demo", {"of": "short"})
    store.end(short.id, "failed", "The model is gone.")
    assert sorted(toast.value.replace("\\", "") for toast in test.run().toast) == sorted(
        [f"{run_id} finished: all 100 steps done", f"{short.id} failed: The model is gone."]
    )
    assert not test.run().toast
    store.end(short.id, "finished", "done")  # it was not as bad as it looked
    assert [toast.value.replace("\\", "") for toast in test.run().toast] == [f"{short.id} finished: done"]
    again, _ = store.create_job("train", "demo", {"of": "again"})
    test.session_state["page"], test.query_params["run"] = "runs", again.id
    assert not test.run().toast
    store.end(again.id, "stopped", "stopped on request")
    assert not test.run().toast  # it is what the person looks at
    assert ending_line(store.job(again.id)) == f"{again.id} stopped: stopped on request"


def test_what_a_running_run_shows_is_told_once_and_not_where_it_stands_already(store: Store) -> None:
    run, _ = store.create_job("train", "demo", full_demo_run().model_dump(mode="json"), total=100)
    store.start(run.id)
    test = AppTest.from_function(news_page, default_timeout=TIMEOUT_S)
    assert not test.run().toast
    for step in range(1, 41):
        alike = [
            Rollout(step, 0, place, "train-0", "the same text", {"correctness": 0.0}, 0.0, 0.0, 9, "stop") for place in range(4)
        ]
        store.record(run.id, rollouts=alike)
    told = [toast.value.replace("\\", "") for toast in test.run().toast]
    assert told
    assert all(line.startswith(f"look at {run.id}: Look at ") for line in told)
    assert not test.run().toast

    looking = AppTest.from_function(news_page, default_timeout=TIMEOUT_S)
    looking.session_state["page"], looking.query_params["run"] = "runs", run.id
    assert not looking.run().toast
