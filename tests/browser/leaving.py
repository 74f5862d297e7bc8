"""Leaving a page by its buttons, watched for the window turning white; shared by the browser tests and the fault tests."""

from collections.abc import Sequence

from playwright.sync_api import Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from training.config import RunConfig
from training.presets import load_preset
from training.store import Store

GO_ON_CLICKING = """(controls) => {
    const there = location.pathname;
    let turn = 0;
    const timer = setInterval(() => {
        if (location.pathname !== there) clearInterval(timer);
        else document.querySelector(controls[turn++ % controls.length])?.click();
    }, 60);
}"""
TELL_OF_WHITE = """() => {
    let drawn = false;
    new MutationObserver(() => {
        const empty = !document.getElementById("root")?.childElementCount;
        if (drawn && empty) setTimeout(() => { throw new Error("the window turned white"); });
        drawn = !empty;
    }).observe(document, { childList: true, subtree: true });
}"""
TABS = ["[role=tab]:nth-of-type(4)", "[role=tab]:nth-of-type(7)"]
"""Two tabs of a run's page that take no time to draw."""
LASSOS = [f".st-key-selection_combine_choice [role=radio]:nth-of-type({place})" for place in (1, 2)]
"""What a lasso does: two choices beside the map."""


class Watched:
    """A page, what went wrong in it, and how often a part of it was drawn anew by its timer.

    To be made before the page is opened.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self._pending = False
        self._redrawn = 0
        page.add_init_script(f"({TELL_OF_WHITE})()")
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", self._listen)

    def go_on_clicking(self, controls: Sequence[str]) -> None:
        """From now until another page is there, click its controls in turn: what one does who is in a hurry."""
        self.page.evaluate(GO_ON_CLICKING, list(controls))

    def expect_whole(self) -> None:
        """The page is there, and still is when a part of it was drawn anew by its timer."""
        before = self._redrawn
        for _ in range(1_200):
            assert self.errors == []
            if self._redrawn > before + 1:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("no part of the page was drawn anew")

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self._sent(frame))
        socket.on("framereceived", lambda frame: self._received(frame))

    def _sent(self, frame: str | bytes) -> None:
        self._pending |= isinstance(frame, bytes) and BackMsg.FromString(frame).rerun_script.is_auto_rerun

    def _received(self, frame: str | bytes) -> None:
        if self._pending and isinstance(frame, bytes) and ForwardMsg.FromString(frame).WhichOneof("type") == "script_finished":
            self._pending = False
            self._redrawn += 1


def ended_run(store: Store) -> tuple[str, RunConfig]:
    """A run that has ended, with settings that no preset has."""
    config = load_preset("demo", ["max_steps=77", "learning_rate=0.00012"])
    run_id = store.create_job("train", "demo", config.model_dump(mode="json"), total=config.max_steps)[0].id
    store.start(run_id)
    store.end(run_id, "stopped", "stopped on request at step 5")
    return run_id, config


def expect_duplicate(page: Page, run_id: str, config: RunConfig) -> None:
    """Launch is there, filled with the run's configuration."""
    expect(page.get_by_role("button", name="Launch the run")).to_be_visible()
    expect(page.get_by_text(f"Begins with the configuration of {run_id}")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Steps", exact=True)).to_have_value(str(config.max_steps))
