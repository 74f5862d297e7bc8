"""Contour lines of how densely points lie, as SVG paths; numpy only, the same time for any number of points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CELLS = 160
"""Of the grid, along the longer side."""
_MARGIN = 0.06
"""Room for lines around the outermost points, as a share of the longer side."""
_BANDWIDTH = 0.018
"""Standard deviation of the smoothing Gaussian for a thousand points, as a share of the longer side."""
_ENCLOSED = (0.9, 0.7, 0.5, 0.3, 0.15)
_PATH_UNITS = 10
"""Path units in a cell: a tenth is finer than a pixel until far into the map."""

_EDGES = (((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 0)))
"""The four edges of a square of the grid, each from corner to corner."""
_CROSSINGS = {
    1: ((3, 0),),
    2: ((0, 1),),
    3: ((3, 1),),
    4: ((1, 2),),
    5: ((3, 0), (1, 2)),
    6: ((0, 2),),
    7: ((3, 2),),
    8: ((2, 3),),
    9: ((0, 2),),
    10: ((0, 1), (2, 3)),
    11: ((1, 2),),
    12: ((1, 3),),
    13: ((0, 1),),
    14: ((0, 3),),
}
"""Marching squares: which corners lie above the level (bits, in the order of `_EDGES`), to the edges that a line joins."""


@dataclass(frozen=True)
class Contours:
    """Lines around the densest places."""

    origin: tuple[float, float]
    """Where the paths have their zero."""
    unit: float
    """What one path unit is in the points' coordinates."""
    paths: tuple[str, ...]
    """A path a level, each around the densest places that together hold a share of the points: 90%, 70%, 50%, 30%, 15%."""


def density_contours(points: NDArray[np.float32]) -> Contours | None:
    """Contours of a Gaussian kernel estimate on a grid; `None` where the points have no extent.

    The bandwidth falls with the sixth root of N (Scott's rule in two dimensions).

    Args:
        points: (N, 2) float32.
    """
    if len(points) == 0 or (longer := float(np.ptp(points, axis=0).max())) == 0:
        return None
    cell = longer * (1 + 2 * _MARGIN) / _CELLS
    origin = points.min(axis=0) - _MARGIN * longer
    places = ((points - origin) / cell).astype(int)
    shape = places.max(axis=0) + 1 + int(np.ceil(_MARGIN * longer / cell))
    flat = np.ravel_multi_index((places[:, 0], places[:, 1]), tuple(shape))
    counts = np.bincount(flat, minlength=shape.prod()).reshape(shape)
    sigma = max(1.0, _BANDWIDTH * _CELLS * (1000 / len(points)) ** (1 / 6))
    density = _gaussian(shape[0], sigma) @ counts @ _gaussian(shape[1], sigma)
    levels = np.quantile(density.ravel()[flat], [1 - share for share in _ENCLOSED])
    centre = origin + cell / 2
    return Contours(
        origin=(float(centre[0]), float(centre[1])),
        unit=cell / _PATH_UNITS,
        paths=tuple(_path(segments(density, level)) for level in levels),
    )


def segments(values: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """(S, 2, 2) the pieces of the lines where a grid has a value, each from (row, column) to (row, column)."""
    above = values > level
    corners = [_corner(above, edge[0]) for edge in _EDGES]
    cases = sum(corner.astype(int) << bit for bit, corner in enumerate(corners))
    found = [np.empty((0, 2, 2))]
    for case, lines in _CROSSINGS.items():
        squares = np.argwhere(cases == case)
        found += [
            np.stack([_crossing(values, level, squares, edge) for edge in line], axis=1) for line in lines if len(squares)
        ]
    return np.concatenate(found)


def _corner(grid: NDArray[np.bool_], corner: tuple[int, int]) -> NDArray[np.bool_]:
    """One corner of every square."""
    row, column = corner
    return grid[row : grid.shape[0] - 1 + row, column : grid.shape[1] - 1 + column]


def _crossing(values: NDArray[np.float64], level: float, squares: NDArray[np.intp], edge: int) -> NDArray[np.float64]:
    """(S, 2) where the line crosses an edge of each square, linear between its corners."""
    start, end = (squares + corner for corner in _EDGES[edge])
    low, high = values[tuple(start.T)], values[tuple(end.T)]
    crossed: NDArray[np.float64] = start + ((level - low) / (high - low))[:, None] * (end - start)
    return crossed


def _path(pieces: NDArray[np.float64]) -> str:
    whole = np.rint(pieces * _PATH_UNITS).astype(int).reshape(-1, 4).tolist()
    return "".join(f"M{x} {y}L{to_x} {to_y}" for x, y, to_x, to_y in whole)


def _gaussian(cells: int, sigma: float) -> NDArray[np.float64]:
    """(cells, cells) symmetric matrix that smooths a line of cells."""
    apart = np.subtract.outer(np.arange(cells), np.arange(cells))
    weights: NDArray[np.float64] = np.exp(-0.5 * (apart / sigma) ** 2)
    return weights
