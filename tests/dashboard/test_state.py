"""What an address sets and what it says: links, going back, and requests that left before the browser knew a new address."""

import inspect
from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest

from dashboard import addresses, state
from dashboard.fields import AnyField
from dashboard.memory import Completions
from dashboard.state import State, url_fields
from tests.app_testing import TIMEOUT_S


@pytest.fixture
def addressed() -> AppTest:
    """A page that shows a run, its tab and a smoothing, as the runs page shares them."""

    def script() -> None:
        import streamlit as st

        from dashboard.memory import Completions, ShownRun
        from dashboard.state import State

        state = State()
        state.read_url(st.session_state.get("page", "runs"))
        if st.button("Health"):
            state.shown.tab = "Health"
        if st.button("Back to the list"):
            state.shown.run = ""
        st.text(f"{state.shown.run}|{state.shown.tab}|{state.shown.smoothing}|{state.completions.step}")
        st.json(state.query_of_run("demo-1"))
        state.write_url(ShownRun.run, ShownRun.tab, ShownRun.smoothing, Completions.step)

    test = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    test.query_params["run"], test.query_params["smooth"] = "demo-1", "0.5"
    return test.run()


def shown(test: AppTest) -> str:
    return str(test.text[0].value)


def press(test: AppTest, label: str) -> None:
    next(button for button in test.button if button.label == label).click().run()


def visit(test: AppTest, **address: str) -> str:
    for name in list(test.query_params):
        del test.query_params[name]
    test.query_params.update(address)
    return shown(test.run())


def go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on pages are opened by the browser's Back."""
    monkeypatch.setattr(state, "get_script_run_ctx", lambda: SimpleNamespace(is_history_navigation=True))


def test_a_link_within_the_session_wins_over_what_was_chosen_before(addressed: AppTest) -> None:
    press(addressed, "Health")
    assert shown(addressed) == "demo-1|Health|0.5|0"
    assert visit(addressed, run="demo-3", step="7", smooth="nonsense") == "demo-3|Health|0.5|7"
    assert visit(addressed, run="demo-4") == "demo-4|Health|0.5|0"  # another run begins at its latest step
    addressed.session_state["page"] = "insights"
    assert visit(addressed) == "demo-4|Health|0.5|0"  # the navigation names nothing, and nothing is lost


def test_a_request_that_left_before_the_new_address_came_undoes_nothing(addressed: AppTest) -> None:
    press(addressed, "Health")
    press(addressed, "Back to the list")
    assert shown(addressed) == "|Health|0.5|0"
    for _ in range(2):
        assert visit(addressed, run="demo-1", smooth="0.5") == "|Health|0.5|0"
        assert addressed.query_params == {"tab": "Health", "smooth": "0.5"}


def test_a_request_that_left_before_a_link_was_followed_does_not_lead_back(addressed: AppTest) -> None:
    assert visit(addressed, run="demo-3", step="0") == "demo-3||0.5|0"
    assert visit(addressed, run="demo-1", smooth="0.5") == "demo-3||0.5|0"


def test_a_link_to_the_run_that_was_just_left_is_followed_and_corrects_the_address(addressed: AppTest) -> None:
    query = {"run": "demo-1", "step": "0"}
    assert addressed.json[0].value == '{"run": "demo-1", "step": "0"}'
    press(addressed, "Back to the list")
    assert visit(addressed, **query) == "demo-1||0.5|0"
    assert addressed.query_params == {"run": "demo-1", "smooth": "0.5"}


def test_a_link_to_a_run_from_another_page_names_the_run_alone(addressed: AppTest) -> None:
    addressed.session_state["page"] = "insights"
    visit(addressed)
    assert addressed.json[0].value == '{"run": "demo-1"}'


def test_the_address_of_another_page_is_always_news(addressed: AppTest) -> None:
    press(addressed, "Back to the list")
    addressed.session_state["page"] = "evaluate"
    assert visit(addressed, run="demo-1", smooth="0.5") == "demo-1||0.5|0"


def test_going_back_brings_back_what_the_address_left_out(addressed: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    press(addressed, "Health")
    go_back(monkeypatch)
    assert visit(addressed, run="demo-1") == "demo-1||0.0|0"


def test_going_back_to_an_address_that_the_page_had_is_news(addressed: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    press(addressed, "Back to the list")
    go_back(monkeypatch)
    assert visit(addressed, run="demo-1", smooth="0.5") == "demo-1||0.5|0"


def test_streamlit_has_what_going_back_is_told_by() -> None:
    assert "is_history_navigation" in ClientState.DESCRIPTOR.fields_by_name
    assert "is_history_navigation" in inspect.signature(ScriptRunContext.reset).parameters


def test_every_name_in_an_address_is_of_one_field_and_some_page_writes_it() -> None:
    lists = [value for value in vars(addresses).values() if isinstance(value, tuple)]
    written = {field.url for fields in lists for field in fields} | {"ask"}
    assert written == set(url_fields())
    named: list[AnyField] = [*State.shared(), *(field for group in _groups() for field in group.shared())]
    assert len(named) == len(url_fields())


def _groups() -> list[state.Group]:
    return [group for group in vars(State).values() if isinstance(group, state.Group)]


def test_every_field_has_a_key_of_its_own() -> None:
    keys = [field.key for group in (State(), *_groups()) for field in group.fields()]
    assert len(keys) == len(set(keys))
    assert Completions.step.key == "completions_step"
