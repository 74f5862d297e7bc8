"""A page of the dashboard without a browser: says to the server what one says, and drops what it is sent.

For benches that ask what many pages cost the server, on machines too small for as many browsers. It opens an address, has each
part drawn again as often as the server tells it to (`run_every`), as Streamlit's page does, and looks at the live head and
fetches curves as `live_head.js` and `plot_grid.js` do.
"""

import base64
import gzip
import json
import re
import struct
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

GRID, HEAD = "grpo_atlas_plot_grid", "grpo_atlas_live_head"
_TICK_S = 0.04
_LOOK_S = 1.0
"""`LOOK_MS` of live_head.js."""
_STEP = re.compile(r"step ([\d,]+) of")


class PageClient(threading.Thread):
    """One page, from `start` to `close`.

    Attributes:
        asked: how often it had a part drawn again.
        fetched: how many files it fetched.
        seen: when (Unix seconds) a step of a run's curves had come for the first time, by step.
        read: the same of the line that says which step the run is at.
    """

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(address)
        self._script = ""
        self._every: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._head = self._panels = ""
        """Addresses of the live head and of the curves that are shown."""
        self._newest = 0
        self._look_at = 0.0
        self._files: HTTPConnection | None = None
        self._closing = threading.Event()
        self.asked = self.fetched = 0
        self.seen: dict[str, float] = {}
        self.read: dict[str, float] = {}

    def run(self) -> None:
        place = f"ws://{self._address.netloc}/_stcore/stream"
        protocols = [Subprotocol("streamlit")]
        with connect(place, subprotocols=protocols, max_size=None, ping_interval=None, open_timeout=120) as socket:
            opening = BackMsg()
            opening.rerun_script.query_string = self._address.query
            opening.rerun_script.page_name = self._address.path.strip("/")
            socket.send(opening.SerializeToString())
            while not self._closing.is_set():
                try:
                    self._take(socket.recv(timeout=_TICK_S))
                except TimeoutError:
                    pass
                except ConnectionClosed:
                    return
                self._ask(socket)
                self._look()

    def close(self) -> None:
        """Leave the page."""
        self._closing.set()

    def _take(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        parsed = ForwardMsg.FromString(message)
        kind = parsed.WhichOneof("type")
        if kind == "new_session":
            self._script = parsed.new_session.page_script_hash
            if not parsed.metadata.run.fragment_ids:
                self._every.clear()
        elif kind == "auto_rerun":
            told = parsed.auto_rerun
            self._every[told.fragment_id] = told.interval
            self._due[told.fragment_id] = time.monotonic() + told.interval
        elif kind == "delta":
            self._take_element(parsed.delta.new_element.bidi_component)

    def _take_element(self, component: Any) -> None:
        if component.component_name == HEAD:
            given = json.loads(component.json)
            if given["part"] == "line":
                self._head = given["address"] or ""
                self._read(given["head"]["line"])
        elif component.component_name == GRID:
            given = json.loads(component.bytes)
            if live := given.get("live"):
                self._panels, known = live["panels"], live["panels"] == self._panels
                if not known or live["newest"] > self._newest:
                    self._fetch_panels()
            else:
                self._see(given["panels"])

    def _read(self, line: str) -> None:
        if step := _STEP.search(line):
            self.read.setdefault(step.group(1).replace(",", ""), time.time())

    def _see(self, panels: list[dict[str, Any]]) -> None:
        line = panels[0]["figure"]["data"][-1]
        (step,) = struct.unpack("<i", base64.b64decode(line["x"]["bdata"])[-4:])
        self.seen.setdefault(str(step), time.time())

    def _ask(self, socket: ClientConnection) -> None:
        now = time.monotonic()
        for fragment, every in self._every.items():
            if self._due[fragment] <= now:
                self._due[fragment] = now + every
                question = BackMsg()
                question.rerun_script.query_string = self._address.query
                question.rerun_script.page_script_hash = self._script
                question.rerun_script.fragment_id = fragment
                question.rerun_script.is_auto_rerun = True
                socket.send(question.SerializeToString())
                self.asked += 1

    def _look(self) -> None:
        if not self._head or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_S
        if content := self._fetch(self._head):
            head = json.loads(content)
            self._read(head["line"])
            if head["newest"] > self._newest:
                self._fetch_panels()

    def _fetch_panels(self) -> None:
        if self._panels and (packed := self._fetch(self._panels)):
            content = json.loads(gzip.decompress(packed))
            self._newest = content["newest"]
            self._see(content["panels"])

    def _fetch(self, url: str) -> bytes:
        """A file over a connection that is kept; empty if it is not there yet."""
        self.fetched += 1
        try:
            self._files = self._files or HTTPConnection(self._address.netloc, timeout=60)
            self._files.request("GET", f"/{url}", headers={"Accept-Encoding": "identity"})
            answer = self._files.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            self._files = None
            return b""
        return content if answer.status == 200 else b""
