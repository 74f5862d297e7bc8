"""A page of the dashboard without a browser: says to the server what one says, and drops what it is sent.

For benches that ask what many pages cost the server, on machines too small for as many browsers. It opens an address and
then has each part drawn again as often as the server tells it to (`run_every`), as Streamlit's page does.
"""

import base64
import json
import struct
import threading
import time
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

GRID = "grpo_atlas_plot_grid"
_TICK_S = 0.02


class PageClient(threading.Thread):
    """One page, from `start` to `close`.

    Attributes:
        asked: how often it had a part drawn again.
        seen: when (Unix seconds) a step of a run's curves had come for the first time, by step.
    """

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(address)
        self._script = ""
        self._every: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._closing = threading.Event()
        self.asked = 0
        self.seen: dict[str, float] = {}

    def run(self) -> None:
        place = f"ws://{self._address.netloc}/_stcore/stream"
        protocols = [Subprotocol("streamlit")]
        with connect(place, subprotocols=protocols, max_size=None, ping_interval=None, open_timeout=60) as socket:
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
        elif parsed.delta.new_element.bidi_component.component_name == GRID:
            line = json.loads(parsed.delta.new_element.bidi_component.bytes)["panels"][0]["figure"]["data"][-1]
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
