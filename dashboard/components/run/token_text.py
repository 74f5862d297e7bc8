"""Completions as coloured tokens, with the values of the one under the pointer. The browser's half is `token_text.js`."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import streamlit.components.v2 as components_v2
from streamlit.components.v2.types import ComponentRenderer

from dashboard.components.shared.browser import reference, script
from dashboard.figures import Spec
from dashboard.token_figure import Measure, MeasureName, scale
from dashboard.web_files import WebFiles

_SCRIPT = Path(__file__).with_name("token_text.js")
_STYLE = """
.atlas-tokens-legend { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.6rem; font-size: 0.8rem;
  margin-bottom: 0.5rem; font-variant-numeric: tabular-nums; }
.atlas-tokens-legend .bar { display: inline-flex; height: 0.8rem; width: min(16rem, 40vw); border-radius: 3px; overflow: hidden;
  outline: 1px solid var(--st-border-color); }
.atlas-tokens-legend .bar i { flex: 1; }
.atlas-tokens-texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0.8rem; }
.atlas-tokens-texts section { min-width: 0; padding: 0.6rem 0.7rem; border: 1px solid var(--st-border-color);
  border-radius: 6px; }
.atlas-tokens-texts h4 { margin: 0 0 0.4rem; padding: 0; font-size: 0.85rem; font-weight: 600; }
.atlas-tokens { white-space: pre-wrap; overflow-wrap: anywhere; font-family: var(--st-code-font, monospace); font-size: 0.85rem;
  line-height: 1.75; max-height: 60vh; overflow-y: auto; outline-offset: 4px; }
.atlas-tokens:focus-visible { outline: 2px solid currentColor; border-radius: 3px; }
.atlas-tokens span { border-radius: 2px; padding: 0.12em 0; }
.atlas-tokens span:hover, .atlas-tokens .at { box-shadow: inset 0 -2px 0 currentColor; }
.atlas-tokens .marked { outline: 2px solid var(--st-text-color); outline-offset: 1px; }
.atlas-tokens .parts { position: relative; margin: 0 0.3em; outline: 2px dashed var(--st-text-color); outline-offset: 1px; }
.atlas-tokens .parts::before { content: "\\25BC"; position: absolute; left: 50%; bottom: 100%; transform: translateX(-50%);
  font-size: 0.6em; line-height: 1.2; color: var(--st-text-color); }
.atlas-tokens .sign { opacity: 0.6; font-size: 0.85em; }
.atlas-tokens-values { position: fixed; z-index: 100; max-width: 22rem; padding: 0.4rem 0.6rem; border-radius: 6px;
  pointer-events: none; font-size: 0.8rem; line-height: 1.4; font-variant-numeric: tabular-nums; color: var(--st-text-color);
  background: var(--st-background-color); border: 1px solid var(--st-border-color); box-shadow: 0 4px 16px rgb(0 0 0 / 18%); }
.atlas-tokens-values[hidden] { display: none; }
.atlas-tokens-values b { font-family: var(--st-code-font, monospace); white-space: pre-wrap; overflow-wrap: anywhere; }
.atlas-tokens-values dl { display: grid; grid-template-columns: auto auto; gap: 0 0.8rem; margin: 0.2rem 0 0; }
.atlas-tokens-values dd { margin: 0; text-align: right; }
.atlas-tokens-values dt { font-weight: 400; }
"""
_HTML = """<div class="atlas-token-view"><div class="atlas-tokens-legend" role="img"></div>
<div class="atlas-tokens-texts"></div><div class="atlas-tokens-values" role="status" hidden></div></div>"""


def render_token_text(
    content: Spec,
    titles: Sequence[str],
    name: MeasureName,
    measure: Measure,
    *,
    end: float,
    parts_at: int | None,
    marked: tuple[int, int] | None,
    other: str,
    dark: bool,
    files: WebFiles,
    key: str,
) -> None:
    """Draw the texts with their legend.

    Args:
        content: of `token_figure.text_spec`.
        titles: of the completions, in the order of the content.
        name: of the measure that colours them.
        end: the end of its scale.
        parts_at: the place, from 0, at which two completions part; `None` where there is one, or they are the same.
        marked: which completion and which place in it stands out.
        other: the second model, for people.
        dark: whether the page is.
        files: where long texts go.
        key: the widget's key.
    """
    data = {
        "content": reference(content, files),
        "titles": list(titles),
        "by": name,
        "title": measure.title,
        "ends": [measure.low, measure.high],
        "signed": measure.is_signed,
        "end": end,
        "scale": scale(measure, dark=dark),
        "parts": parts_at,
        "marked": marked,
        "other": other,
    }
    _component()(key=key, data=data)


@cache
def _component() -> ComponentRenderer:
    return components_v2.component("grpo_atlas_tokens", html=_HTML, css=_STYLE, js=script(_SCRIPT), isolate_styles=False)
