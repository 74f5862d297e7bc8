"""What the server lets through, and what its answers carry; `tests/faults/test_ways_in.py` asks a running one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from dashboard.gate import ANSWERED_WITH, Gate

OWN = {"host": "localhost:8501"}


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """What stands behind the gate: takes everything."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse("the page")(scope, receive, send)


def ask(headers: dict[str, str], kind: str = "http", *, gate: Gate | None = None, **scope: Any) -> list[Message]:
    """What comes back."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    given = {"type": kind, "method": "GET", "path": "/", "headers": named, "client": ("127.0.0.1", 1), **scope}
    with ThreadPoolExecutor(1) as pool:  # a browser test before this one may have left a loop running in this thread
        pool.submit(asyncio.run, (gate or Gate(behind))(given, receive, send)).result()
    return sent


def was_taken(answer: list[Message]) -> bool:
    first = answer[0]
    return first["type"] == "websocket.accept" or first.get("status") == 200


@pytest.fixture(autouse=True)
def without_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRPO_ATLAS_TOKEN", "GRPO_ATLAS_USERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_without_a_sign_in_only_this_machine_is_let_through(kind: str) -> None:
    assert was_taken(ask(OWN, kind))
    assert was_taken(ask({**OWN, "origin": "http://localhost:8501"}, kind))
    for headers in (
        {"host": "evil.example"},
        {**OWN, "origin": "http://localhost:3000"},
        {**OWN, "x-forwarded-for": "1.2.3.4"},
    ):
        assert not was_taken(ask(headers, kind))


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_with_a_sign_in_any_name_is_let_through_but_no_other_site(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", "a-secret-of-some-length")
    proxied = {"host": "atlas.example", "x-forwarded-for": "1.2.3.4"}
    assert was_taken(ask(proxied, kind))
    assert was_taken(ask({**proxied, "origin": "https://atlas.example"}, kind))
    for origin in ("http://localhost:3000", "https://evil.example", "null"):
        assert not was_taken(ask({**proxied, "origin": origin}, kind))


def test_an_origin_that_was_allowed_by_its_name_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", "a-secret-of-some-length")
    options = {"server.address": "127.0.0.1", "server.enableCORS": True, "server.corsAllowedOrigins": ["https://front.example"]}
    monkeypatch.setattr("streamlit.get_option", options.__getitem__)
    assert was_taken(ask({**OWN, "origin": "https://front.example"}))
    assert not was_taken(ask({**OWN, "origin": "https://other.example"}))
    monkeypatch.delenv("GRPO_ATLAS_TOKEN")
    assert not was_taken(ask({**OWN, "origin": "https://front.example"}))  # nobody signs in here, so all would act


def test_so_many_pages_are_open_at_once_and_so_many_from_one_address() -> None:
    answers: list[list[Message]] = []

    async def open_while_open(scope: Scope, receive: Receive, send: Send) -> None:
        """Each page that opens has the next one ask."""
        await send({"type": "websocket.accept"})
        if asking:
            answers.append(await asyncio.to_thread(ask, OWN, "websocket", gate=gate, client=(asking.pop(0), 1)))

    def opened(*addresses: str, pages: int, of_one: int) -> list[bool]:
        nonlocal gate
        gate, asking[:], answers[:] = Gate(open_while_open, pages, of_one), addresses[1:], []
        first = ask(OWN, "websocket", gate=gate, client=(addresses[0], 1))
        return [was_taken(first), *map(was_taken, reversed(answers))]

    gate, asking = Gate(open_while_open), list[str]()
    assert opened("1.1.1.1", "1.1.1.1", "1.1.1.1", pages=9, of_one=2) == [True, True, False]
    assert opened("2001:db8::1", "2001:db8::2:1", pages=9, of_one=1) == [True, False]
    assert opened("2001:db8::1", "2001:db8:0:1::1", pages=9, of_one=1) == [True, True]
    assert opened("1.1.1.1", "2.2.2.2", "3.3.3.3", pages=2, of_one=2) == [True, True, False]
    assert not gate._open
    assert opened("1.1.1.1", pages=1, of_one=1) == [True]


def test_a_page_that_has_no_room_is_told_so() -> None:
    full = Gate(behind, 0)
    (start, body) = ask({**OWN, "accept": "text/html,*/*"}, gate=full)
    assert start["status"] == 503
    assert body["body"]
    assert was_taken(ask({**OWN, "accept": "*/*"}, gate=full))  # what pages that are open still need


def test_nothing_is_uploaded() -> None:
    assert not was_taken(ask(OWN, method="PUT", path="/_stcore/upload_file/session/file"))


@pytest.mark.parametrize("host", ["localhost:8501", "evil.example"])
def test_no_other_site_may_frame_an_answer(host: str) -> None:
    headers = {name.decode(): value.decode() for name, value in ask({"host": host})[0]["headers"]}
    assert headers.items() >= {name.lower(): value for name, value in ANSWERED_WITH.items()}.items()
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"
