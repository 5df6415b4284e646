"""Which cells of a grid a polygon covers, and by how much: sparse weights.

Coverage is exact (exactextract), not a matter of cell centres. It is computed in units
of cells, where the edges of a grid are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from xstefaland.errors import InputError
from xstefaland.geometry.extras import needed
from xstefaland.geometry.grids import Grid
from xstefaland.geometry.polygons import Shapes

if TYPE_CHECKING:
    import scipy.sparse

WHOLE = 0.99  # of a polygon: less than that in the grid is said
Weighting = Literal["area", "cells"]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coverage:
    """Weights of cells in the means of polygons.

    Attributes
    ----------
    weights : scipy.sparse.csr_array
        Dims (polygon, cell), cells in rows and columns of the grid (row by row): the
        covered part of each cell [m2, or cells].
    whole : ndarray
        The same for all of a polygon, with what lies beyond the grid; 0 for one that
        does not touch it.
    """

    weights: scipy.sparse.csr_array
    whole: npt.NDArray[np.float64]

    @property
    def inside(self) -> npt.NDArray[np.float64]:
        """Share of each polygon that lies in the grid."""
        within = np.asarray(self.weights.sum(axis=1))
        share = np.divide(within, self.whole, where=within > 0, out=0 * within)
        return np.asarray(np.minimum(share, 1.0))


def cover(grid: Grid, shapes: Shapes, weighting: Weighting = "area") -> Coverage:
    """Compute which cells polygons cover.

    Parameters
    ----------
    grid : Grid
        Result of :func:`xstefaland.geometry.grids.find_grid`.
    shapes : ndarray of shapely geometries
        Valid polygons in the grid's CRS.
    weighting : {"area", "cells"}
        Weigh cells by their covered area on the Earth, or by the covered share of
        the cell alone.

    Returns
    -------
    Coverage
        A row without weights for a polygon outside.

    Raises
    ------
    InputError
        For another `weighting`.

    Examples
    --------
    >>> import shapely, xarray
    >>> from xstefaland.geometry.grids import find_grid
    >>> grid = find_grid(xarray.Dataset(coords={"lat": [1.0, 0.0], "lon": [0.0, 1.0]}))
    >>> found = cover(grid, np.array([shapely.box(0, 0, 1, 0.5)]), "cells")
    >>> found.weights.toarray()
    array([[0.  , 0.  , 0.25, 0.25]])
    """
    import scipy.sparse

    if weighting not in get_args(Weighting):
        ways = " or ".join(map(repr, get_args(Weighting)))
        raise InputError(f"weighting={weighting!r} is not possible; pass {ways}")
    needed("exactextract", "basins", "averaging over polygons")
    from xstefaland.geometry.exact import covered_cells

    owner, in_cells = _turned(grid, shapes)
    row, column, turn, weight = covered_cells(in_cells)
    if weighting == "area":
        weight = weight * grid.cell_area(row, column)
    whole = np.zeros(len(shapes))
    np.maximum.at(whole, owner, np.bincount(turn, weight, minlength=len(owner)))
    there = (row >= 0) & (row < grid.y.size) & (weight > 0)
    there &= (column >= 0) & (column < grid.x.size)
    cell = row[there] * grid.x.size + column[there]
    entries = (weight[there], (owner[turn[there]], cell))
    size = (len(shapes), grid.y.size * grid.x.size)
    return Coverage(scipy.sparse.csr_array(entries, shape=size), whole)


def _turned(grid: Grid, shapes: Shapes) -> tuple[Ints, Shapes]:
    """Polygons in units of cells that touch the grid, on each turn round the Earth.

    Returns their positions in `shapes` too: a polygon across the edge of a global
    grid is there twice.
    """
    import shapely

    def positions(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = grid.x.position(points[:, 0]), grid.y.position(points[:, 1])
        return np.stack([x, y], axis=1)

    in_cells = shapely.transform(shapes, positions)
    copies, owners = [], []
    for shift in _shifts(grid, in_cells):
        moved = shapely.transform(
            in_cells, lambda points, by=shift: points + np.array([by, 0])
        )
        left, top, right, bottom = shapely.bounds(moved).T
        touches = (right > 0) & (left < grid.x.size)
        touches &= (bottom > 0) & (top < grid.y.size)
        copies.append(moved[touches])
        owners.append(np.flatnonzero(touches))
    return np.concatenate(owners), np.concatenate(copies)


def _shifts(grid: Grid, in_cells: Shapes) -> list[float]:
    """Whole turns round the Earth [cells] that may bring a polygon into the grid."""
    import shapely

    if not grid.in_degrees:
        return [0.0]
    turn = 360 / abs(grid.x.step)
    west, _, east, _ = shapely.total_bounds(in_cells)
    first, last = np.floor(-east / turn), np.ceil((grid.x.size - west) / turn)
    return [turn * number for number in range(int(first), int(last) + 1)]
