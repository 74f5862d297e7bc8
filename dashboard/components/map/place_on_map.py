"""Where one problem of a run lies: a small still map, and the way to it on Explore."""

import base64
import html

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from analysis.atlas import Atlas, AtlasParameters
from dashboard import data, map_data, theme
from dashboard.addresses import EXPLORE
from dashboard.components.shared.going import Page, go_to
from dashboard.state import State
from training.errors import SourceError
from training.text import shorten

_WIDTH, _HEIGHT = 150, 92
_MARGIN = 6
_DOTS = 1_500
"""Points drawn; more cannot be told apart at this size, and the picture travels with the completions."""


def parameters_for(source: str, state: State) -> AtlasParameters:
    """The settings of the map that the session shows of a source, the usual ones for a source that it does not show."""
    return state.parameters.value if _shows(source, state) else AtlasParameters()


def render_place(source: str, problem_id: str, state: State) -> None:
    """The problem among all others, where its source has a map, and a button that opens it on Explore."""
    try:
        problems = data.mapped_problems(source)
    except SourceError:
        return
    parameters = parameters_for(source, state)
    atlas = data.atlas(problems, parameters) or data.atlas(problems, AtlasParameters())
    row = None if atlas is None else map_data.row_of(atlas, problem_id)
    if atlas is not None and row is not None:
        st.html(small_map(map_data.flat_positions(atlas), row, _described(atlas, row)))
    if st.button("Show on the map", key="show on map", icon=":material/scatter_plot:", type="tertiary"):
        open_on_map(source, problem_id, state)


def open_on_map(source: str, problem_id: str, state: State) -> None:
    """Go to Explore with the problem chosen."""
    if not _shows(source, state):
        state.forget_problems()
        state.source = source
    state.selection.problem = problem_id
    go_to(Page.EXPLORE, EXPLORE)


def small_map(positions: NDArray[np.float32], row: int, words: str) -> str:
    """The places of all problems as one path of dots, and a ring around one, as an image in HTML.

    Args:
        positions: (N, 2) float32.
        row: of the problem with the ring.
        words: the picture's text alternative, plain text.
    """
    low, high = positions.min(axis=0), positions.max(axis=0)
    size = np.array([_WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN])
    scale = float((size / np.maximum(high - low, 1e-6)).min())
    middle = (low + high) / 2
    places = (positions - middle) * [scale, -scale] + [_WIDTH / 2, _HEIGHT / 2]
    some = places[:: -(-len(places) // _DOTS)]
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in some.tolist())
    x, y = places[row].tolist()
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<path d="{dots}" stroke="{theme.QUIET}" stroke-opacity="0.5" stroke-width="1.6" stroke-linecap="round" fill="none"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{theme.SELECTION}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="{theme.SELECTION}" stroke-width="1.8"/></svg>'
    )
    # As an image: Streamlit takes SVG elements out of HTML.
    source = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
    return f'<img alt="{html.escape(words)}" src="{source}" width="{_WIDTH}" height="{_HEIGHT}">'


def _described(atlas: Atlas, row: int) -> str:
    words = f"Where {atlas.problem_set.problems[row].id} lies among {len(atlas.problem_set.problems):,} problems"
    if atlas.clusters is None or (label := int(atlas.clusters.labels[row])) < 0:
        return words
    return f"{words}: {shorten(map_data.cluster_titles(atlas)[label], 60)}"


def _shows(source: str, state: State) -> bool:
    """Whether the session shows this source now."""
    try:
        return data.problem_set(state.source).source == source
    except SourceError:
        return False
