"""The map as a table: a row a problem with all that is known of it, its place, its cluster and its nearest problem."""

import io
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from analysis.atlas import Atlas
from analysis.export import csv_text
from analysis.frame import atlas_frame


def map_table(atlas: Atlas, titles: Mapping[int, str], rows: Sequence[int] | None = None) -> pd.DataFrame:
    """`atlas_frame` with more columns, of all problems or of some rows.

    Columns added, as far as they are built: cluster_name, x and y (float, places on the flat map), x3, y3 and z3 (in three
    dimensions), nearest (id of the problem whose question is nearest) and nearest_cosine.

    Args:
        atlas: of N problems.
        titles: cluster number -> its title.
        rows: which problems, in their order; all without.
    """
    table = atlas_frame(atlas)
    if "cluster" in table:
        table["cluster_name"] = table["cluster"].map(titles)
    for view, names in (("2-D", ("x", "y")), ("3-D", ("x3", "y3", "z3"))):
        places = {str(name): points for name, points in atlas.views.items()}.get(view)
        if places is not None:
            table = table.assign(**dict(zip(names, places.T, strict=True)))
    ids = table["id"].to_numpy()
    nearest = {"nearest": ids[atlas.neighbors.indices[:, 0]], "nearest_cosine": atlas.neighbors.similarities[:, 0]}
    table = table.assign(**nearest)
    return table if rows is None else table.iloc[list(rows)]


def _parquet(table: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    return content.getvalue()


TABLE_FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": lambda table: csv_text(table).encode(),
    "parquet": _parquet,
}
"""File ending -> what writes a table; nothing in the CSV is calculated by a spreadsheet."""
