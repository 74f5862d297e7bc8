"""A session with a running dashboard as a hostile or broken client could hold one: any Host, any Origin, any message.

Unlike a browser it sends what it is told to: it presses buttons that are disabled, types texts of any length, and names
itself as it likes. What the page shows is kept as texts and widgets by label.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

TIMEOUT_S = 120.0
"""For a run of a page; only something broken takes as long."""
_WIDGETS = ("button", "text_input", "text_area", "selectbox", "multiselect", "number_input", "checkbox", "button_group")
_TEXTS = ("markdown", "text", "heading", "code", "alert")


class RefusedError(Exception):
    """The server did not take the connection."""


@dataclass
class RawSession:
    """One session, from `open` to `close`."""

    port: int
    host: str = ""
    """What the Host header says; 127.0.0.1 and the port where empty."""
    origin: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    source: str = "127.0.0.1"
    """The address that it comes from."""
    page: str = ""
    query: str = ""
    widgets: dict[tuple[str, str], Any] = field(default_factory=dict)
    """(kind, label) -> the widget's message."""
    texts: list[str] = field(default_factory=list)
    toasts: list[str] = field(default_factory=list)
    switched: bool = False
    """Whether the server has led to another page."""

    def open(self) -> "RawSession":
        """Connect and have the page run.

        Raises:
            RefusedError: the server closes the connection.
        """
        return self.connect().run()

    def connect(self) -> "RawSession":
        """Connect, and say nothing yet.

        Raises:
            RefusedError: the server closes the connection.
        """
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S, source_address=(self.source, 0))
        try:
            self._socket = connect(
                f"ws://{self.host or f'127.0.0.1:{self.port}'}/_stcore/stream",
                sock=raw,
                origin=None if self.origin is None else Origin(self.origin),
                additional_headers=self.headers,
                subprotocols=[Subprotocol("streamlit")],
                max_size=None,
                ping_interval=None,
                open_timeout=TIMEOUT_S,
                legacy=True,  # a connection, not what opens one
            )
        except (InvalidHandshake, ConnectionClosed, EOFError) as error:
            raw.close()
            raise RefusedError(str(error)) from error
        return self

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def __enter__(self) -> "RawSession":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def words(self) -> str:
        """All that the page says."""
        return "\n".join([*self.texts, *self.toasts]).replace("\\", "")

    def press(self, label: str) -> "RawSession":
        """Say that a button was pressed, whether it is there to be pressed or not."""
        return self.run(WidgetState(id=self.widgets["button", label].id, trigger_value=True))

    def type(self, label: str, text: str, kind: str = "text_input") -> WidgetState:
        """The message that a text was typed, for `run`."""
        return WidgetState(id=self.widgets[kind, label].id, string_value=text)

    def run(self, *states: WidgetState) -> "RawSession":
        """Have the page run with these widgets' values, and take what it shows until it is done."""
        asked = self.ask(*states)
        self._socket.send(asked.SerializeToString())
        return self.take()

    def ask(self, *states: WidgetState) -> BackMsg:
        """The message that has the page run."""
        asked = BackMsg()
        asked.rerun_script.query_string = self.query
        asked.rerun_script.page_name = self.page
        asked.rerun_script.widget_states.widgets.extend(states)
        return asked

    def send(self, message: bytes) -> None:
        """Anything at all."""
        self._socket.send(message)

    def take(self, timeout_s: float = TIMEOUT_S) -> "RawSession":
        """Read until the page has run."""
        self.widgets, self.texts = {}, []
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                message = self._socket.recv(timeout=deadline - time.monotonic())
            except ConnectionClosed as error:
                raise RefusedError(str(error)) from error
            assert isinstance(message, bytes)
            if self._read(ForwardMsg.FromString(message)):
                return self

    def _read(self, message: ForwardMsg) -> bool:
        """Whether the page is done."""
        kind = message.WhichOneof("type")
        if kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._element(message.delta.new_element)
        return kind == "script_finished" and message.script_finished in (
            ForwardMsg.FINISHED_SUCCESSFULLY,
            ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
        )

    def _element(self, element: Any) -> None:
        kind = str(element.WhichOneof("type"))
        found = getattr(element, kind, None)
        if kind in _WIDGETS:
            self.widgets[kind, str(found.label)] = found
        elif kind in _TEXTS:
            self.texts.append(str(getattr(found, "body", "") or getattr(found, "code_text", "")))
        elif kind == "toast":
            self.toasts.append(str(found.body))
        elif kind == "exception":
            self.texts.append(f"EXCEPTION {found.type}: {found.message}")


def wait_until(is_so: Callable[[], bool], timeout_s: float = TIMEOUT_S, every_s: float = 0.05) -> None:
    """Return when something is so.

    Raises:
        TimeoutError: it never is.
    """
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(every_s)
