"""The running program and a browser: `start_app` starts Streamlit on a free port, `page` is a Chromium page beside it."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.ports import free_port

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    # Maps alone are drawn by what stands in for a GPU: the page around them is cheaper without it.
    "--disable-gpu-rasterization",
    "--disable-gpu-compositing",
]
START_TIMEOUT_S = 300.0
DRAG_LAYER = ".js-plotly-plot .nsewdrag"
MAP = "document.querySelector('.st-key-map .js-plotly-plot')"
MIDDLE = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7), (0.3, 0.34))
"""A lasso around the middle of the map."""
REST_FRAMES = 30
"""Half a second of an idle machine, more of a busy one: within them plotly has redrawn a map or let a camera come to rest."""
ACTION_TIMEOUT_MS = 180_000
"""An idle machine without a GPU takes up to ten seconds for the first map, one at a load of ten on two cores a minute."""


def drag_lasso(page: Page, corners: Sequence[tuple[float, float]] = MIDDLE, *, release: bool = True) -> None:
    """Draw a lasso on the map with the mouse, through corners given as shares of its width and height.

    Without `release` the button stays down, for the caller to let go.
    """
    box = page.locator(DRAG_LAYER).first.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    if release:
        page.mouse.up()


def point_at(page: Page, row: int) -> tuple[float, float]:
    """Move the mouse to the point of a problem's row on a flat map, as a hand does, until its text is shown; where it is."""
    x, y = page.evaluate(
        f"""(row) => {{
            const map = {MAP}, {{ xaxis, yaxis }} = map._fullLayout, {{ left, top }} = map.getBoundingClientRect();
            const trace = map._fullData.find(({{ customdata }}) => customdata.includes(row));
            const at = trace.customdata.indexOf(row);
            return [left + xaxis._offset + xaxis.l2p(trace.x[at]), top + yaxis._offset + yaxis.l2p(trace.y[at])];
        }}""",
        row,
    )
    page.mouse.move(x - 2, y - 2)
    page.mouse.move(x, y, steps=3)
    expect(page.locator(".st-key-map .atlas-hover")).to_be_visible()
    return float(x), float(y)


def sideways(page: Page) -> int:
    """The pixels by which the page is wider than its window."""
    return int(page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)"))


def wait_for_rest(page: Page, expression: str) -> None:
    """Wait until a value has not changed for some frames, as when a view has come to where it was moved."""
    page.evaluate("window.atlasRest = { value: null, frames: 0 }")
    page.wait_for_function(
        f"""() => {{
            const rest = window.atlasRest, value = JSON.stringify({expression});
            rest.frames = value === rest.value ? rest.frames + 1 : 0;
            rest.value = value;
            return rest.frames > {REST_FRAMES};
        }}"""
    )


def start_dashboard(
    home: Path, log: Path, variables: dict[str, str], script: Path = APP, port: int | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Start `streamlit run` from another working directory and wait until it answers; the process and its address."""
    port = port or free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRPO_ATLAS_")}
    environment |= {"GRPO_ATLAS_HOME": str(home), "HF_HUB_OFFLINE": "1", **variables}
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return process, address
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    stop(process)
    raise RuntimeError(f"the dashboard did not start:\n{log.read_text(errors='replace')}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """`start_app(home, GRPO_ATLAS_DATA="…")` starts the program and gives its address; all end with the session."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(home: Path, port: int | None = None, **variables: str) -> str:
        process, address = start_dashboard(home, tmp_path_factory.mktemp("dashboard") / "log.txt", variables, port=port)
        processes.append(process)
        return address

    yield start
    for process in processes:
        stop(process)


@pytest.fixture(scope="session")
def app(start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the program with an empty home, so on the demo."""
    return start_app(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("needs Chromium: neither `chromium` nor `google-chrome` is on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of 1440 x 900 pixels without memory of other tests."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(ACTION_TIMEOUT_MS)
    expect.set_options(timeout=ACTION_TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def explore(app: str, page: Page) -> Page:
    """Explore on the demo, its map drawn."""
    page.goto(app)
    expect(page.locator(DRAG_LAYER).first).to_be_visible()
    page.wait_for_function(f"() => {MAP}?.atlas?.chosen === null")
    return page
