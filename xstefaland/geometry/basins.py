"""From a grid to basins: means over polygons, with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xstefaland.errors import InputError, warn
from xstefaland.geometry.averages import polygon_means
from xstefaland.geometry.coverage import WHOLE, Coverage, Weighting, cover
from xstefaland.geometry.grids import Grid, decoded, find_grid
from xstefaland.geometry.outlines import site_coordinates
from xstefaland.geometry.polygons import checked, few, on_axes

if TYPE_CHECKING:
    import geopandas as gpd

BASIN = "basin"
FRACTION_COVERED = "fraction_covered"
_OF_GRIDS = ("grid_mapping", "coordinates", "cell_measures")
_OWN = ("geometry", "area", "latitude", "longitude", FRACTION_COVERED, BASIN)


def basin_means(
    grid: xr.Dataset,
    basins: gpd.GeoDataFrame | gpd.GeoSeries,
    weighting: Weighting = "area",
    *,
    min_covered: float = 0.0,
) -> xr.Dataset:
    """Average a grid over basins.

    Cells count by the part of them that a basin covers, computed exactly
    (exactextract) and once. The averages are lazy where the grid is; blocks of the
    grid that no basin touches are never read.

    Parameters
    ----------
    grid : xarray.Dataset
        Regular grid with longitude and latitude (also descending, 0 to 360, or of a
        rotated pole) or with a projection's x and y and a CRS. Variables without the
        two axes are kept as they are.
    basins : geopandas.GeoDataFrame or geopandas.GeoSeries
        Polygons with a CRS, which need not be that of the grid; their index names the
        basins.
    weighting : {"area", "cells"}
        ``"area"``: cells weigh by their covered area on the Earth (on a sphere for
        longitude and latitude, by the areal scale of a projection). ``"cells"``: by
        their covered share alone.
    min_covered : float
        A mean is NaN where less than this share of the basin lies under cells that
        have a value that day.

    Returns
    -------
    xarray.Dataset
        Dims ``(basin, time, ...)``, ready for ``.stefaland``, with the coordinates
        ``geometry`` (in the basins' own CRS, in its attribute ``crs``), ``area``
        [km2, on the ellipsoid], ``latitude`` and ``longitude`` (of the centroid), and
        ``fraction_covered`` (1; lazy), the share of the basin under cells that have
        values of the first variable, as a mean over its days.

    Raises
    ------
    InputError
        With all that is wrong with the grid (uneven steps, two-dimensional
        coordinates, no CRS) or with the polygons (empty, no polygon, no CRS, named
        twice, round a pole), and when no basin lies in the grid.
    ImportError
        Without exactextract and geopandas (the extra ``basins``).

    Warns
    -----
    UserWarning
        Polygons that cross themselves are repaired; basins that lie in the grid in
        part get the mean of that part, those outside NaN; classes (``flag_values``)
        and text are left out.

    See Also
    --------
    sample_attributes : Attributes of basins and points from rasters.

    Notes
    -----
    A cell without a value is left out and the others' weights are scaled up to make 1.
    A basin smaller than a cell gets the value of that cell. A basin that is cut by the
    edge of a global grid, or crosses 180 degrees, is put together again.

    Examples
    --------
    >>> import geopandas, shapely
    >>> from xstefaland.geometry import basin_means
    >>> from xstefaland.testing import example_grid
    >>> outlines = [shapely.box(5, 44.6, 5.3, 45), shapely.box(5.2, 44.5, 5.6, 44.9)]
    >>> basins = geopandas.GeoSeries(outlines, ["upper", "lower"], crs="EPSG:4326")
    >>> means = basin_means(example_grid(), basins)
    >>> means.precipitation.dims
    ('basin', 'time')
    >>> means.area.round().values
    array([1055., 1409.])
    """
    if not isinstance(grid, xr.Dataset):
        raise InputError(
            f"the grid is a {type(grid).__name__}, a Dataset is needed: "
            'grid.to_dataset(name="precipitation") makes one from a DataArray'
        )
    if not 0 <= min_covered <= 1:
        raise InputError(f"min_covered={min_covered!r} is no share; pass 0 to 1")
    shapes = checked(basins)
    axes = find_grid(grid)
    coverage = cover(axes, on_axes(shapes, axes.crs), weighting)
    _say_outside(shapes, coverage, axes)
    frame, gridded = _split(grid, axes)
    out = frame.assign_coords(site_coordinates(shapes, BASIN))
    shares = {}
    for name in gridded:
        values = decoded(grid[name])
        mean, share = polygon_means(values.variable, axes, coverage, BASIN)
        if min_covered > 0:
            mean = mean.where(share >= min_covered)  # type: ignore[no-untyped-call]
        out[name] = _described(mean, values)
        shares[name] = share
    first = next((n for n in gridded if "time" in grid[n].dims), next(iter(gridded)))
    return out.assign_coords({FRACTION_COVERED: _fraction(shares[first], str(first))})


def _say_outside(series: gpd.GeoSeries, coverage: Coverage, grid: Grid) -> None:
    """Raise when no basin lies in the grid, warn of those that do in part."""
    inside = coverage.inside
    if not (inside > 0).any():
        places = series.to_crs(grid.crs).total_bounds
        spans = ", ".join(
            f"{axis.dim} {axis.edges[0]:g} to {axis.edges[1]:g}"
            for axis in (grid.x, grid.y)
        )
        raise InputError(
            f"no basin lies in the grid: it spans {spans} ({grid.crs.name}), the "
            f"basins x {places[0]:g} to {places[2]:g}, y {places[1]:g} to "
            f"{places[3]:g} in the same CRS; check the CRS of both, for example "
            "basins.crs"
        )
    outside, partly = inside == 0, (inside > 0) & (inside < WHOLE)
    if outside.any():
        warn(f"outside the grid, so their means are NaN: {few(series.index[outside])}")
    if partly.any():
        order = np.argsort(inside[partly])
        shares = [
            f"{name!r} {share:.0%}"
            for name, share in zip(
                series.index[partly][order].tolist(), inside[partly][order], strict=True
            )
        ]
        more = f" and {len(shares) - 5} more" if len(shares) > 5 else ""
        warn(
            "partly in the grid, so their means are those of the part inside: "
            f"{', '.join(shares[:5])}{more}; leave them out: "
            "means.where(means.fraction_covered > 0.9, drop=True), or pass min_covered="
        )


def _split(ds: xr.Dataset, grid: Grid) -> tuple[xr.Dataset, list[Any]]:
    """Return what has no axis of the grid, and the names of what is averaged."""
    axes = {grid.x.dim, grid.y.dim}
    gridded, left_out = [], []
    for name, variable in ds.data_vars.items():
        if not axes & set(variable.dims):
            continue
        numbers = variable.dtype.kind in "fiub" and "flag_values" not in variable.attrs
        if axes <= set(variable.dims) and numbers and name not in _OWN:
            gridded.append(name)
        else:
            left_out.append(name)
    if not gridded:
        raise InputError(
            f"no variable of the grid can be averaged: numbers with the dims "
            f"{(grid.y.dim, grid.x.dim)} are needed, it has {few(ds.data_vars)}"
        )
    if left_out:
        warn(
            f"cannot be averaged over basins and is left out: {few(left_out)} "
            "(classes, text, a single axis, or a name that basins have; for classes: "
            "xstefaland.geometry.sample_attributes(..., categories=...))"
        )
    mappings = [n for n, v in ds.variables.items() if "grid_mapping_name" in v.attrs]
    frame = ds.drop_dims(axes).drop_vars([*mappings, "spatial_ref"], errors="ignore")
    return frame.drop_vars([n for n in _OWN if n in frame.variables]), gridded


def _described(mean: xr.Variable, source: xr.DataArray) -> xr.Variable:
    """Attributes of the gridded variable, and that it is a mean over an area."""
    attrs = {k: v for k, v in source.attrs.items() if k not in _OF_GRIDS}
    methods = str(attrs.get("cell_methods", ""))
    if "area:" not in methods:
        attrs["cell_methods"] = f"{methods} area: mean".strip()
    mean.attrs = attrs
    return mean


def _fraction(share: xr.Variable, name: str) -> xr.Variable:
    """Mean share of each basin that has values."""
    out: xr.Variable = share.mean([dim for dim in share.dims if dim != BASIN])
    out.attrs = {
        "long_name": "share of the basin's area under cells that have values",
        "comment": f"cells with values of {name!r}, mean over all its days",
        "units": "1",
    }
    return out
