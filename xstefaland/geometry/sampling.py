"""Values of raster cells at points and under polygons, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import warn
from xstefaland.geometry.coverage import WHOLE, Weighting, cover
from xstefaland.geometry.grids import Grid
from xstefaland.geometry.polygons import Shapes, few, on_axes

if TYPE_CHECKING:
    import geopandas as gpd

Classes = str | Mapping[str, Sequence[float]]
Floats = npt.NDArray[np.float64]
Cells = tuple[Floats, Floats]
"""Values of the cells of one site that are no NaN, and their weights."""


@dataclass(frozen=True)
class Raster:
    """A raster that can be sampled.

    Attributes
    ----------
    name : str
        The user's name of the attribute.
    array : xarray.DataArray
        Two dimensions, NaN where there is nothing.
    grid : Grid
        Its axes.
    units : str or None
        Units as stated by the user or the file.
    classes : None, "majority", "fractions" or mapping
        None for numbers, else what becomes of classes.
    """

    name: str
    array: xr.DataArray
    grid: Grid
    units: str | None = None
    classes: Classes | None = None


def sample(
    raster: Raster, series: gpd.GeoSeries, weighting: Weighting = "area"
) -> dict[str, Floats]:
    """Sum up a raster at points or over polygons.

    Parameters
    ----------
    raster : Raster
        Numbers or classes.
    series : geopandas.GeoSeries
        Points, or polygons, valid and with a CRS.
    weighting : {"area", "cells"}
        How the cells of a polygon count.

    Returns
    -------
    dict of str to ndarray
        One value per site under each name; NaN where there is none.
    """
    shapes = on_axes(series, raster.grid.crs)
    if (series.geom_type == "Point").all():
        cells = list(_at(raster, shapes))
    else:
        under = [_under(raster, shapes[[i]], weighting) for i in range(len(shapes))]
        cells = [found for found, _ in under]
        _say_beyond(raster, series, np.array([share for _, share in under]))
    if raster.classes is None:
        return {raster.name: np.array([_mean(*each) for each in cells])}
    if raster.classes == "majority":
        return {raster.name: np.array([_majority(*each) for each in cells])}
    return {
        name: np.array([_mean(np.isin(v, members), w) for v, w in cells])
        for name, members in _groups(raster, cells).items()
    }


def _at(raster: Raster, points: Shapes) -> Iterator[Cells]:
    """Yield the value of the cell in which each point lies."""
    import shapely

    x, y = raster.grid.x, raster.grid.y
    across = x.position(shapely.get_x(points))
    if raster.grid.in_degrees:
        turn = 360 / abs(x.step)
        across = np.where((across < 0) | (across >= x.size), across % turn, across)
    column, row = np.floor(across), np.floor(y.position(shapely.get_y(points)))
    inside = (column >= 0) & (column < x.size) & (row >= 0) & (row < y.size)
    place = {
        axis.dim: xr.DataArray(np.where(inside, index, 0).astype(int), dims="point")
        for axis, index in ((x, column), (y, row))
    }
    values = raster.array.isel(place).values.astype(np.float64)
    for value, there in zip(values, inside & ~np.isnan(values), strict=True):
        yield np.array([value])[: int(there)], np.ones(int(there))


def _say_beyond(raster: Raster, series: gpd.GeoSeries, inside: Floats) -> None:
    """Warn of polygons that lie in the raster in part."""
    partly = (inside > 0) & (inside < WHOLE)
    if partly.any():
        warn(
            f"{raster.name}: partly beyond the raster, so values are those of the part "
            f"inside ({inside[partly].min():.0%} at least): "
            f"{few(series.index[partly])}"
        )


def _under(raster: Raster, shape: Shapes, weighting: Weighting) -> tuple[Cells, float]:
    """Cells under one polygon, of which a window is read, and its share in there."""
    coverage = cover(raster.grid, shape, weighting)
    weights, inside = coverage.weights, float(coverage.inside[0])
    if not weights.nnz:
        return (np.zeros(0), np.zeros(0)), inside
    row, column = np.divmod(weights.indices, raster.grid.x.size)
    top, left = row.min(), column.min()
    axes = (raster.grid.y.dim, raster.grid.x.dim)
    window = {
        axes[0]: slice(top, row.max() + 1),
        axes[1]: slice(left, column.max() + 1),
    }
    block = raster.array.isel(window).transpose(*axes).values
    values = block[row - top, column - left].astype(np.float64)
    there = ~np.isnan(values)
    return (values[there], weights.data[there]), inside


def _mean(values: npt.NDArray[Any], weights: Floats) -> float:
    """Weigh numbers, or shares where the values are true and false."""
    return float(np.average(values, weights=weights)) if len(values) else np.nan


def _majority(values: Floats, weights: Floats) -> float:
    """Return the class with the largest share; of equal ones the lowest."""
    if not len(values):
        return np.nan
    classes, which = np.unique(values, return_inverse=True)
    return float(classes[np.bincount(which, weights).argmax()])


def _groups(raster: Raster, cells: Sequence[Cells]) -> dict[str, Sequence[float]]:
    """Names of shares and the classes that belong to them."""
    if isinstance(raster.classes, Mapping):
        return dict(raster.classes)
    found = np.unique(np.concatenate([values for values, _ in cells]))
    return {f"{raster.name}_{each:g}": [each] for each in found.tolist()}
