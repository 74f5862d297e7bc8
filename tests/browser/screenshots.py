"""Writes the README's pictures: `python -m tests.browser.screenshots [--scheme dark] [--width 1920] [name ...]`.

Starts the real program with a scratch home (or `--home`, to show runs that lie there) and photographs each page.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, DRAG_LAYER, drag_lasso, start_dashboard, stop

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "screenshots"
SETTLE_MS = 1500
"""For charts to be drawn after their element is there."""
SUFFIXES = {"light": "", "dark": "-dark"}
"""Colour scheme -> end of the file's name."""


@dataclass(frozen=True)
class Shot:
    """One picture."""

    path: str
    """The page's address, query included."""
    ready: str
    """A selector that is there once the page is worth a picture."""
    act: Callable[[Page], None] = lambda page: None
    """What to do before the picture is taken."""
    height: int | None = None
    """Of the window, where it is not the one asked for."""


def select_an_island(page: Page) -> None:
    drag_lasso(page, ((0.2, 0.5), (0.28, 0.42), (0.36, 0.5), (0.36, 0.66), (0.28, 0.72), (0.2, 0.64), (0.2, 0.52)))
    page.get_by_text("selected,").wait_for()
    page.mouse.move(2, 2)


SHOTS = {
    "explore": Shot("/?problem=test-0", DRAG_LAYER, select_an_island),
    "gsm8k-split": Shot("/?problem=test-0", DRAG_LAYER),
    "gsm8k-steps": Shot("/?colour=steps&problem=test-0", DRAG_LAYER),
    "gsm8k-clusters": Shot("/?colour=cluster&q=apples", DRAG_LAYER),
    "gsm8k-insights": Shot("/insights", ".js-plotly-plot .main-svg", height=1500),
    "insights": Shot("/insights", ".js-plotly-plot .main-svg"),
    "launch": Shot("/launch", "button:has-text('Launch the run')", height=1200),
    "runs": Shot("/runs", "[data-testid='stDataFrame']"),
    "run": Shot("/runs?run=demo-1", ".atlas-cell .main-svg", height=1200),
    "run-completions": Shot("/runs?run=demo-1&tab=Completions&step=50", "text=Advantage", height=1200),
    "run-map": Shot("/runs?run=demo-1&tab=Map", DRAG_LAYER, height=1200),
    "study": Shot("/runs?study=six-by-three-1", ".js-plotly-plot .main-svg", height=1500),
    "evaluate": Shot("/evaluate?run=demo-1", "[data-testid='stDataFrame']", height=1200),
}
"""All below Launch need a home in which demo-1, or the study, lies; `gsm8k-...` GRPO_ATLAS_DATA and a home with its map."""


def take(names: list[str], home: Path, folder: Path, *, scheme: str, width: int, height: int) -> None:
    """Write one PNG a name into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    variables = {name: value for name in ("GRPO_ATLAS_DATA",) if (value := os.environ.get(name))}
    process, address = start_dashboard(home, home / "screenshots.log", variables)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            for name in names:
                shot = SHOTS[name]
                context = browser.new_context(viewport={"width": width, "height": shot.height or height}, color_scheme=scheme)  # type: ignore[arg-type]
                page = context.new_page()
                page.goto(address + shot.path)
                page.locator(shot.ready).first.wait_for(timeout=60_000)
                page.wait_for_timeout(SETTLE_MS)
                shot.act(page)
                page.wait_for_timeout(SETTLE_MS)
                page.screenshot(path=folder / f"{name}{SUFFIXES[scheme]}.png")
                context.close()
            browser.close()
    finally:
        stop(process)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"which of {', '.join(SHOTS)}; all when left out")] = None,
    home: Annotated[
        Path | None, typer.Option(help="a home folder to show, left as it is but for the log; a scratch one when left out")
    ] = None,
    out: Path = ASSETS,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1440,
    height: int = 900,
) -> None:
    """Take the pictures of the README."""
    with tempfile.TemporaryDirectory() as scratch:
        take(names or list(SHOTS), (home or Path(scratch)).absolute(), out, scheme=scheme, width=width, height=height)


if __name__ == "__main__":
    typer.run(main)
