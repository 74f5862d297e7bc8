"""What every chart offers: full screen, a logarithmic axis, PNG, SVG and CSV. The browser's half is `chart_tools.js`."""

import re
from pathlib import Path

from dashboard import theme

SCRIPT = Path(__file__).with_name("chart_tools.js")
STYLE = """
.atlas-plot { position: relative; outline: none; }
.atlas-plot:fullscreen, .atlas-overlaid { height: 100vh !important; background: var(--st-background-color); }
.atlas-overlaid {
  position: fixed; inset: 0; width: 100vw !important; margin: 0; padding: 0; border: 0; max-width: none; max-height: none;
  overflow: hidden; color: inherit;
}
.atlas-tools { position: absolute; right: 0; bottom: 0; display: flex; opacity: 0.45; z-index: 3; }
.atlas-tools:focus-within, .atlas-plot:hover > .atlas-tools { opacity: 1; z-index: 4; }
.atlas-tools button {
  background: none; border: 0; border-radius: 4px; color: var(--st-text-color); cursor: pointer; font: inherit; font-size: 13px;
}
.atlas-tools > button { width: 24px; height: 20px; padding: 0; line-height: 0; }
.atlas-tools button:hover { background: var(--st-secondary-background-color); }
.atlas-tools button:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
.atlas-tools svg { width: 12px; height: 12px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; }
.atlas-tools button + button svg { stroke-width: 2.6; }
.atlas-tools [role="menu"] {
  position: absolute; right: 0; bottom: 100%; display: grid; padding: 4px; white-space: nowrap;
  background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: 6px;
  box-shadow: 0 4px 16px rgb(0 0 0 / 18%);
}
.atlas-tools [role="menu"][hidden] { display: none; }
.atlas-tools [role="menu"] button { padding: 4px 12px 4px 24px; text-align: left; line-height: 1.4; }
.atlas-tools [aria-checked="true"]::before { content: "\\2713"; float: left; margin-left: -16px; }
"""
"""For elements of the class `atlas-plot`."""


def facts(name: str) -> dict[str, object]:
    """What the browser's half has to know of charts.

    Args:
        name: what files are named by; only its letters and digits count.
    """
    return {"name": re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.").lower() or "chart", "dark": theme.ON_DARK}
