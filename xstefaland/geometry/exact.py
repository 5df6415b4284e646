"""Exact coverage of cells by polygons: the one place that knows exactextract."""

from __future__ import annotations

from typing import Any

import exactextract
import numpy as np
import numpy.typing as npt
import shapely

Ints = npt.NDArray[np.int64]


class _Cells(exactextract.raster.RasterSource):  # type: ignore[misc] # untyped
    """Empty cells of size 1: no memory, however many they are."""

    def __init__(self, west: int, south: int, east: int, north: int) -> None:
        super().__init__()
        self._extent = (west, south, east, north)

    def res(self) -> tuple[float, float]:
        """Size of a cell along x and y."""
        return 1.0, 1.0

    def extent(self) -> tuple[int, int, int, int]:
        """Edges [cells]: west, south, east, north."""
        return self._extent

    def srs_wkt(self) -> None:
        """No CRS: the polygons are in units of cells too."""

    def nodata_value(self) -> None:
        """No such value: every cell counts."""

    def read_window(self, _x: int, _y: int, columns: int, rows: int) -> Any:
        """Zeros without memory of their own: the coverage is what is asked for."""
        return np.broadcast_to(np.int8(0), (rows, columns))


def covered_cells(
    shapes: npt.NDArray[np.object_],
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.float64]]:
    """Cells that polygons cover.

    Parameters
    ----------
    shapes : ndarray of shapely geometries
        Valid polygons in units of cells: x is the column, y the row; cell (0, 0)
        reaches from 0 to 1.

    Returns
    -------
    row, column : ndarray of int
        Place of the covered cells, negative ones too.
    polygon : ndarray of int
        Position in `shapes`.
    share : ndarray
        Covered share of the cell.

    Examples
    --------
    >>> row, column, polygon, share = covered_cells(
    ...     np.array([shapely.box(-1, 3, 0.5, 4)])
    ... )
    >>> row, column, polygon, share
    (array([3, 3]), array([-1,  0]), array([0, 0]), array([1. , 0.5]))
    """
    if not len(shapes):
        none = np.zeros(0, np.int64)
        return none, none, none, np.zeros(0)
    upwards = shapely.transform(shapes, lambda points: points * [1, -1])
    west, south, *_ = np.floor(shapely.bounds(upwards).min(axis=0)).astype(int).tolist()
    *_, east, north = np.ceil(shapely.bounds(upwards).max(axis=0)).astype(int).tolist()
    table = exactextract.exact_extract(
        _Cells(west, south, max(east, west + 1), max(north, south + 1)),
        exactextract.feature.JSONFeatureSource(
            [
                {"type": "Feature", "properties": {}, "geometry": each}
                for each in map(shapely.geometry.mapping, upwards)
            ]
        ),
        ["cell_id", "coverage"],
        output="pandas",
    )
    polygon = np.repeat(np.arange(len(shapes)), table["cell_id"].map(len))
    cell = np.concatenate(table["cell_id"].to_list()).astype(np.int64)
    row, column = np.divmod(cell, max(east, west + 1) - west)
    share = np.concatenate(table["coverage"].to_list()).astype(np.float64)
    return row - max(north, south + 1), column + west, polygon, share
