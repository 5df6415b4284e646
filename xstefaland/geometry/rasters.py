"""Attributes of points and basins from a user's rasters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xstefaland.errors import InputError, join_problems, warn
from xstefaland.geometry.coverage import Weighting
from xstefaland.geometry.extras import needed
from xstefaland.geometry.grids import decoded, find_grid
from xstefaland.geometry.outlines import site_coordinates
from xstefaland.geometry.polygons import POLYGONS, checked, few
from xstefaland.geometry.sampling import Classes, Raster, sample
from xstefaland.inputs.quantities import Variable
from xstefaland.inputs.units import conversion, stated
from xstefaland.inputs.variables import CATALOGUE, names_of

if TYPE_CHECKING:
    import geopandas as gpd

_ALIASES = {alias.lower(): v for v in CATALOGUE.values() for alias in v.aliases}


def sample_attributes(
    rasters: Mapping[str, str | Path | xr.DataArray],
    sites: gpd.GeoDataFrame | gpd.GeoSeries,
    *,
    units: Mapping[str, str] | None = None,
    categories: Mapping[str, Classes] | None = None,
    weighting: Weighting = "area",
) -> xr.Dataset:
    """Take attributes of points or basins from rasters.

    A point gets the value of the cell that it lies in, a polygon the mean over the
    cells that it covers (see :func:`basin_means`). The sites are brought to the CRS of
    each raster, never the other way. Rasters are read window by window, at once.

    Parameters
    ----------
    rasters : mapping of str to path or DataArray
        Name of the attribute to a raster: a file that rasterio reads (its nodata
        value, scale and offset count; extra ``grids``), or a DataArray with two
        dimensions and NaN or ``_FillValue`` where there is nothing.
    sites : geopandas.GeoDataFrame or geopandas.GeoSeries
        Points or polygons with a CRS; their index names the sites.
    units : mapping of str to str, optional
        Units of rasters that state none, or wrong ones.
    categories : mapping of str to str or mapping, optional
        What becomes of rasters that hold classes: ``"majority"`` (the class with the
        largest share), ``"fractions"`` (one attribute per class, called
        ``<name>_<class>``), or a table of shares to make, such as
        ``{"frac_forest": [111, 112], "crop_frac": [40]}``.
    weighting : {"area", "cells"}
        As in :func:`basin_means`.

    Returns
    -------
    xarray.Dataset
        Dim ``site`` for points, ``basin`` for polygons; the attributes with their
        units, as the rasters give them, and the coordinates of
        :func:`basin_means`. ``means.assign(attributes)`` puts them beside the weather.

    Raises
    ------
    InputError
        With all that is wrong: rasters with bands or without a CRS, units that do not
        fit the catalogue's, unknown keywords, sites that cannot be used.
    ImportError
        Where an extra is missing.

    Warns
    -----
    UserWarning
        For names that the catalogue does not know, for sites without any value, and
        for polygons that lie beyond a raster in part.

    See Also
    --------
    basin_means : The same for weather on a grid.

    Examples
    --------
    >>> import geopandas, shapely
    >>> from xstefaland.geometry import sample_attributes
    >>> height = xr.DataArray(
    ...     [[100.0, 300.0], [200.0, 500.0]],
    ...     coords={"lat": [45.5, 44.5], "lon": [5.5, 6.5]},
    ...     dims=("lat", "lon"),
    ...     attrs={"units": "m"},
    ... )
    >>> basins = geopandas.GeoSeries(
    ...     [shapely.box(5, 45, 7, 46)], ["a"], crs="EPSG:4326"
    ... )
    >>> sample_attributes({"elevation": height}, basins).elevation.values
    array([200.])
    """
    series = checked(sites, ("Point", *POLYGONS))
    points = (series.geom_type == "Point").to_numpy()
    if points.any() and not points.all():
        raise InputError(
            "the sites are points and polygons; take them apart, for example "
            'sites[sites.geom_type == "Point"]'
        )
    opened = _opened(rasters, units or {}, categories or {})
    dim = "site" if points.all() else "basin"
    out = xr.Dataset(coords=site_coordinates(series, dim))
    for raster in opened:
        for name, values in sample(raster, series, weighting).items():
            out[name] = (dim, values, _attrs(raster, name, dim))
    _say_missing(out, dim)
    return out


def _opened(
    rasters: Mapping[str, str | Path | xr.DataArray],
    units: Mapping[str, str],
    categories: Mapping[str, Classes],
) -> list[Raster]:
    """Open rasters, with all problems of all of them in one error."""
    opened, problems = [], []
    for keyword, given in (("units", units), ("categories", categories)):
        strangers = sorted(set(given) - set(rasters))
        if strangers:
            problems.append(
                f"{keyword}= names {few(strangers)}; the rasters are {few(rasters)}"
            )
    for name, source in rasters.items():
        try:
            array = _one_band(_array(name, source), name)
            axes = find_grid(array.to_dataset(name=name))
            unit = stated(units.get(name, array.attrs.get("units")))
            _check_names(name, unit, categories.get(name))
        except InputError as error:
            problems.append(f"{name}: {error}")
        else:
            opened.append(Raster(name, array, axes, unit, categories.get(name)))
    if problems:
        raise InputError(join_problems("the rasters cannot be used", problems))
    return opened


def _array(name: str, source: str | Path | xr.DataArray) -> xr.DataArray:
    """Read a raster lazily, missing values as NaN."""
    if isinstance(source, xr.DataArray):
        return decoded(source)
    rioxarray, rasterio = needed(
        "rioxarray rasterio", "grids", "sample_attributes with files"
    )
    try:
        array = rioxarray.open_rasterio(source, mask_and_scale=True, cache=False)
    except rasterio.errors.RasterioIOError as error:
        raise InputError(
            f"{str(source)!r} cannot be read as a raster: {error}"
        ) from error
    if isinstance(array, xr.DataArray):
        return array
    raise InputError(
        f"{str(source)!r} holds several rasters; open it with rioxarray.open_rasterio "
        f"and pass one of its variables: rasters={{{name!r}: opened[...]}}"
    )


def _one_band(array: xr.DataArray, name: str) -> xr.DataArray:
    """Check that a raster has two dimensions, besides a single band."""
    array = array.squeeze(
        [d for d in array.dims if array.sizes[d] == 1 and d == "band"]
    )
    if array.ndim == 2:
        return array.drop_vars("band", errors="ignore")
    if "band" in array.dims:
        called = array.attrs.get("long_name")
        called = f" ({', '.join(called)})" if isinstance(called, tuple) else ""
        raise InputError(
            f"it has {array.sizes['band']} bands{called}; choose one: "
            f"rasters={{{name!r}: "
            "rioxarray.open_rasterio(path, masked=True).sel(band=1)}"
        )
    raise InputError(f"it has the dims {array.dims}; a raster has two")


def _check_names(name: str, unit: str | None, classes: Classes | None) -> None:
    """Check names against the catalogue, and units where it knows the name."""
    if isinstance(classes, str) and classes not in ("majority", "fractions"):
        raise InputError(
            f"categories={{{name!r}: {classes!r}}} is not possible; pass 'majority', "
            "'fractions' or a table of shares such as {'frac_forest': [111, 112]}"
        )
    if isinstance(classes, str):
        return  # names and values of classes are the user's own
    for made in [name] if classes is None else list(classes):
        known = _known(made)
        if known is None:
            _say_unknown(made)
        elif known.kind == "forcing":
            raise InputError(
                f"{made!r} is daily weather; average it with "
                "xstefaland.geometry.basin_means(grid, basins)"
            )
        elif unit is not None or classes is not None:
            conversion(
                "1" if classes is not None else str(unit),
                known.units_of_alias(made),
                difference=known.difference,
            )


def _known(name: str) -> Variable | None:
    """Catalogue entry of a name or alias; the case of an alias does not matter."""
    return CATALOGUE.get(name) or _ALIASES.get(name.lower())


def _say_unknown(name: str) -> None:
    """Warn that bundled weights do not use a name, with the nearest known one."""
    close = difflib.get_close_matches(name, [*names_of("attribute"), *_ALIASES], 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    warn(
        f"{name!r} is no attribute of the catalogue, so bundled weights do not use it"
        f"{hint}"
    )


def _attrs(raster: Raster, name: str, dim: str) -> dict[str, Any]:
    """CF attributes of one attribute of sites."""
    known = _known(name)
    attrs = {"long_name": known.long_name if known else name.replace("_", " ")}
    if raster.classes == "majority":
        attrs["long_name"] = f"most frequent class of {raster.name}"
    elif raster.classes is not None:
        attrs["units"] = "1"
    elif raster.units is not None:
        attrs["units"] = raster.units
    if dim == "basin":
        attrs["cell_methods"] = (
            "area: mode" if raster.classes == "majority" else "area: mean"
        )
    return attrs


def _say_missing(ds: xr.Dataset, dim: str) -> None:
    """Warn of sites without a value of some attribute."""
    for name, values in ds.data_vars.items():
        gaps = values.isnull().values
        if gaps.any():
            warn(f"{name}: no value at {few(ds[dim].values[gaps])}")
