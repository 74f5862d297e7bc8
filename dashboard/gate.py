"""What the server lets through before a page runs, and the headers of what it answers.

An ASGI application around Streamlit's own; `app.py` puts it there. Streamlit lets a page of any port of this machine
connect, and one of any name that resolves to it. Who may act in a session is for `dashboard.access`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
_OTHER_SITE = "Another site's page asks; this dashboard answers its own pages.\n"
_POLICY_VIOLATION = 1008
_FORBIDDEN = 403


@asynccontextmanager
async def started(app: st.App) -> AsyncIterator[None]:
    """Before the first request: no process that a page starts gets the token."""
    take_token()
    yield


class Gate:
    """Refuses who comes from elsewhere, and says in every answer which pages may frame it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one connection of a page."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = _refusal(Headers(scope=scope))
        if refusal:
            await _refuse(refusal, scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send))


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


async def _refuse(why: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
    else:
        await PlainTextResponse(why, _FORBIDDEN)(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    """`send`, with `ANSWERED_WITH` added to what begins an answer."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ANSWERED_WITH.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with
