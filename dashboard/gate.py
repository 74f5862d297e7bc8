"""What the server lets through before a page runs, how many pages at once, and the headers of what it answers.

An ASGI application around Streamlit's own; `app.py` puts it there. Streamlit lets a page of any port of this machine
connect, and one of any name that resolves to it, and as many as like to. Who may act in a session is for `dashboard.access`.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.client_address import household
from dashboard.own_machine import is_own_request, is_same_server
from dashboard.sign_in_setup import take_token, trusts_this_machine

ANSWERED_WITH = {
    # Another site's page may not lay its own over ours and so have people press our buttons.
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer."""

_NOT_FROM_HERE = """This dashboard takes requests from its own machine only, by a name of that machine.
Open http://localhost with its port. To reach it by another name or through a proxy, start it with a sign-in: see "Who may do
what" in its README.
"""
_OTHER_SITE = "The request comes from a page of another site; this dashboard answers only its own.\n"
_NO_UPLOADS = "This dashboard accepts no uploads.\n"
_FULL = "Too many pages of this dashboard are open; close some, or try again in a moment.\n"
_FORBIDDEN, _UNAVAILABLE = 403, 503
_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013

PAGES_AT_ONCE = 500
PAGES_OF_ONE = 200
"""Open pages in all, and from one address; a page takes up to 2 MB of memory, and a quarter of a second to open."""


@asynccontextmanager
async def started(app: st.App) -> AsyncIterator[None]:
    """Before the first request: no process that a page starts gets the token."""
    take_token()
    yield


class Gate:
    """Refuses who comes from elsewhere or takes too much room, and says in every answer which pages may frame it."""

    def __init__(self, app: ASGIApp, pages: int = PAGES_AT_ONCE, pages_of_one: int = PAGES_OF_ONE) -> None:
        self._app = app
        self._pages, self._pages_of_one = pages, pages_of_one
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one connection of a page for as long as it is open."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers, asker = Headers(scope=scope), household((scope.get("client") or ("",))[0])
        opens_page = scope["type"] == "websocket" or "text/html" in headers.get("accept", "")
        if refusal := _refusal(headers):
            await _refuse(refusal, scope, receive, send)
        elif "/_stcore/upload_file/" in scope["path"]:
            await _refuse(_NO_UPLOADS, scope, receive, send)
        elif opens_page and self._is_full(asker):
            await _refuse(_FULL, scope, receive, send, _UNAVAILABLE, _TRY_AGAIN_LATER)
        elif scope["type"] == "http":
            await self._app(scope, receive, _with_headers(send))
        else:
            with self._counted(asker):
                await self._app(scope, receive, send)

    def _is_full(self, asker: str) -> bool:
        return self._open.total() >= self._pages or self._open[asker] >= self._pages_of_one

    @contextmanager
    def _counted(self, asker: str) -> Iterator[None]:
        self._open[asker] += 1
        try:
            yield
        finally:
            self._open[asker] -= 1
            self._open += Counter()  # forgets who has none


MIDDLEWARE = (Middleware(Gate),)


def _refusal(headers: Headers) -> str:
    """Why a request is not let through, for people; empty where it is."""
    if trusts_this_machine():
        return "" if is_own_request(headers.items()) else _NOT_FROM_HERE
    origins = headers.getlist("origin")
    allowed = {origin.strip() for origin in st.get_option("server.corsAllowedOrigins")}
    if allowed.issuperset(origins) or not st.get_option("server.enableCORS"):
        return ""
    return "" if len(origins) == 1 and is_same_server(origins[0], headers.getlist("host")) else _OTHER_SITE


async def _refuse(
    why: str, scope: Scope, receive: Receive, send: Send, status: int = _FORBIDDEN, code: int = _POLICY_VIOLATION
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": code})
    else:
        await PlainTextResponse(why, status)(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    """`send`, with `ANSWERED_WITH` added to what begins an answer."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ANSWERED_WITH.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with
