"""What a browser asks of a page that it has left is left out; whatever else it asks is taken."""

from typing import Any

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

from dashboard.stale_requests import leave_out_stale_requests

FIRST, SECOND = "hash of the first page", "hash of the second"


class Session:
    """What the requests are made of, without a server around it."""

    def __init__(self) -> None:
        self.taken: list[ClientState | None] = []

    def get_pages(self) -> dict[str, Any]:
        return {FIRST: {}, SECOND: {}}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    def take(session: Session, client_state: ClientState | None) -> None:
        session.taken.append(client_state)

    monkeypatch.setattr(AppSession, "request_rerun", take)
    leave_out_stale_requests()
    leave_out_stale_requests()
    return Session()


def ask(session: Session, page: str, fragment: str = "") -> bool:
    """Whether the request is taken."""
    before = len(session.taken)
    AppSession.request_rerun(session, ClientState(page_script_hash=page, fragment_id=fragment))  # type: ignore[arg-type]
    return len(session.taken) == before + 1


def test_parts_of_the_page_that_is_open_are_taken(session: Session) -> None:
    assert ask(session, "")  # the first time; which page that is, is not known yet
    assert ask(session, FIRST, "part")
    assert ask(session, FIRST)
    assert ask(session, FIRST, "part")


def test_parts_of_a_page_that_was_left_are_not(session: Session) -> None:
    assert ask(session, FIRST)
    assert ask(session, SECOND)
    assert not ask(session, FIRST, "part")
    assert ask(session, SECOND, "part")
    assert ask(session, FIRST)  # back
    assert not ask(session, SECOND, "part")
    assert ask(session, FIRST, "part")


def test_a_page_that_is_not_there_leaves_nothing_out(session: Session) -> None:
    assert ask(session, "hash of no page")
    assert ask(session, FIRST, "part")


def test_the_server_itself_may_ask(session: Session) -> None:
    AppSession.request_rerun(session, None)  # type: ignore[arg-type]
    assert session.taken == [None]


def test_streamlit_has_what_this_relies_on() -> None:
    assert {"request_rerun", "get_pages"} <= vars(AppSession).keys()
    assert {"page_script_hash", "fragment_id"} <= set(ClientState.DESCRIPTOR.fields_by_name)
