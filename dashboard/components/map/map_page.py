"""The map as one HTML file that needs no program and no network: the same component, with a search and what is clicked on."""

import html
import json
from pathlib import Path
from string import Template

import streamlit as st
from plotly.offline import get_plotlyjs

from dashboard.components.map.map_plot import HTML, SCRIPTS, STYLE, MapParts, parts_data
from dashboard.components.shared.browser import script
from training.data.problem import ProblemSet

_PAGE = Path(__file__).with_name("map_page.html")
_HEIGHT = "calc(100vh - 9rem)"
_COLOURS = {"text": "textColor", "background": "backgroundColor", "border": "borderColor", "primary": "primaryColor"}
"""What the page calls a colour of the theme -> what Streamlit does."""


def map_page(parts: MapParts, problem_set: ProblemSet, name: str, *, dark: bool) -> bytes:
    """The map as it is shown now: its colours, its view, what stands out.

    Args:
        parts: what the map is made of.
        problem_set: its problems, in the order of its rows.
        name: of pictures that are made of it.
        dark: whether it has the colours of a dark page.
    """
    problems = problem_set.problems
    content = {
        "data": {
            **parts_data(parts, None),
            "view": name,
            "name": name,
            "height": _HEIGHT,
            "selectable": False,
            "answers": 0,
            "chosen": None,
            "timeline": None,
        },
        "ids": [problem.id for problem in problems],
        "questions": [problem.question for problem in problems],
    }
    theme = "theme.dark" if dark else "theme.light"
    page = Template(_PAGE.read_text(encoding="utf-8")).substitute(
        {name: st.get_option(f"{theme}.{option}") for name, option in _COLOURS.items()},
        title=html.escape(problem_set.name),
        words=html.escape(parts.words),
        style=STYLE,
        map=HTML,
        plotly=get_plotlyjs(),
        # No text in it can end the element that holds it.
        content=json.dumps(content).replace("<", "\\u003c"),
        script=script(*SCRIPTS).replace("export default function", "function renderMap"),
    )
    return page.encode()
