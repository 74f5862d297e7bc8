"""What components send to the browser: their scripts, plotly.js, and large parts as files.

plotly.js is served from the installed plotly package, so that it fits the figures made here. Large parts go as files, once,
instead of through the websocket with every rerun.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path

import plotly
import streamlit.components.v1 as components_v1

from dashboard.figures import Spec
from dashboard.web_files import WebFiles
from training.errors import HomeError

_SHARED = Path(__file__).with_name("plotly.js")
_PLOTLY_FOLDER = Path(plotly.__file__).parent / "package_data"
_INLINE_CHARACTERS = 32_000
"""Smaller figures are not worth a request of their own."""


def script(*files: Path) -> str:
    """A component's script, after what all that draw with plotly.js share."""
    return "\n".join(file.read_text(encoding="utf-8") for file in (_SHARED, *files))


def reference(spec: Spec | None, files: WebFiles | None) -> dict[str, str] | None:
    """The content itself, or where to fetch it."""
    if spec is None:
        return None
    if files is not None and len(spec.json) >= _INLINE_CHARACTERS:
        with suppress(HomeError):  # a full disk takes no map away
            return {"revision": spec.revision, "url": file_url(files, files.keep(spec))}
    return {"revision": spec.revision, "json": spec.json}


def file_url(files: WebFiles, name: str) -> str:
    """Where the browser gets one of the files, relative to the page."""
    return _url("web_files", files.folder, name)


def plotly_url() -> str:
    """Where the browser gets plotly.js, relative to the page."""
    return _url("plotly_js", _PLOTLY_FOLDER, f"plotly.min.js?{plotly.__version__}")


def _url(name: str, folder: Path, file: str) -> str:
    """Where the server gives out a file of a folder, relative to the page."""
    return f"component/{_served(name, folder)}/{file}"


@cache
def _served(name: str, folder: Path) -> str:
    """The name under which the server gives out a folder."""
    return components_v1.declare_component(name, path=folder).name
