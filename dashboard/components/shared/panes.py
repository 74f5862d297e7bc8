"""Columns that go below one another where they would be too narrow: in a small window, nothing is cut or out of reach.

Columns of fields, by `st.columns`, wrap as well, see `style`: a field needs less room than a pane.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

PANES, CARDS, ROWS = "panes", "cards", "rows"
"""How keys begin that `style` knows: of columns that hold tables, charts or texts, of cards, of rows that never wrap."""


def panes(name: str, weights: int | Sequence[float], *, kind: str = PANES, **settings: Any) -> list[DeltaGenerator]:
    """Columns side by side.

    Args:
        name: no other columns of the page have it.
        weights: their number or relative widths.
        kind: how narrow they may become.
        settings: of `st.columns`.
    """
    with st.container(key=f"{kind} {name}"):
        return st.columns(weights, **settings)
