"""A table of the page, whose own menu offers it as CSV."""

from typing import Any

import pandas as pd
import streamlit as st

from analysis.export import map_texts
from training.data.rows import spreadsheet_text

_ROW_PX = 35
"""Streamlit's own height of a row."""


def render_table(table: pd.DataFrame, **settings: Any) -> Any:
    """`st.dataframe`, with what a spreadsheet would calculate shown as it stands in the CSV; returns what that returns.

    Streamlit's browser side writes the CSV and leaves formulas what they are.
    """
    return st.dataframe(map_texts(table, _shown), **settings)


def fitted_height(rows: int, most: int) -> int:
    """The pixels that so many rows and the header need, `most` at most."""
    return min(most, _ROW_PX * (rows + 1) + 2)


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(part) for part in value]
    # Operators alone, as a column of the problems has them, are no formula.
    return spreadsheet_text(value) if isinstance(value, str) and any(map(str.isalnum, value)) else value
