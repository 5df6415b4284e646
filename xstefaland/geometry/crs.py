"""Coordinate reference systems: find the one of a Dataset, get latitudes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

if TYPE_CHECKING:
    import pyproj

_NAMES = ("spatial_ref", "crs")
_METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0}
_METRES |= {"km": 1e3, "kilometre": 1e3, "kilometer": 1e3, "kilometers": 1e3}


def find_crs(ds: xr.Dataset) -> pyproj.CRS | None:
    """Find the coordinate reference system a Dataset states.

    It is looked for in the CF grid mapping of the variables, in `spatial_ref` and `crs`
    (rioxarray, xvec) and in the Dataset's indexes (xvec, xproj).

    Parameters
    ----------
    ds : xarray.Dataset
        Data with or without a stated CRS.

    Returns
    -------
    pyproj.CRS or None
        None where nothing readable is stated.

    Examples
    --------
    >>> attrs = {"crs_wkt": "EPSG:32617"}
    >>> ds = xr.Dataset(coords={"spatial_ref": ((), 0, attrs)})
    >>> find_crs(ds).is_projected
    True
    """
    import pyproj

    for stated in _stated(ds):
        try:
            if isinstance(stated, dict):
                return pyproj.CRS.from_cf(stated)
            return pyproj.CRS.from_user_input(stated)
        except pyproj.exceptions.CRSError:
            continue
    return None


def _stated(ds: xr.Dataset) -> list[Any]:
    """Everything in a Dataset that may describe its CRS, the most direct first."""
    stated = [getattr(index, "crs", None) for index in ds.xindexes.values()]
    for name in (*_grid_mappings(ds), *_NAMES):
        if name in ds.variables:
            attrs = ds[name].attrs
            stated += [attrs.get("crs_wkt"), attrs.get("spatial_ref")]
            stated.append(dict(attrs) if "grid_mapping_name" in attrs else None)
    stated += [v.attrs.get("crs") for v in ds.coords.values()]
    stated.append(ds.attrs.get("crs"))
    return [each for each in stated if each is not None]


def _grid_mappings(ds: xr.Dataset) -> list[str]:
    """Names that variables give as `grid_mapping`; decoding moves it to `encoding`."""
    names = []
    for variable in ds.data_vars.values():
        name = variable.encoding.get("grid_mapping", variable.attrs.get("grid_mapping"))
        if name and name not in names:
            names.append(str(name))
    return names


def axis_factor(units: object, crs: pyproj.CRS) -> float:
    """Factor from the units that a coordinate states to those of a CRS's axes.

    Parameters
    ----------
    units : object
        The coordinate's `units`; none or unknown ones count as those of the CRS.
    crs : pyproj.CRS
        Reference system, as a rule with axes in metres.

    Returns
    -------
    float
        Multiply the coordinate by it.

    Examples
    --------
    >>> import pyproj
    >>> axis_factor("km", pyproj.CRS("EPSG:32617"))
    1000.0
    """
    metres = _METRES.get(str(units).strip().lower())
    axes = crs.axis_info
    if metres is None or not axes or not crs.is_projected:
        return 1.0
    return metres / float(axes[0].unit_conversion_factor or 1.0)


def latitude_of(
    x: npt.ArrayLike, y: npt.ArrayLike, crs: pyproj.CRS
) -> npt.NDArray[np.float64]:
    """Latitude of points in any coordinate reference system.

    Parameters
    ----------
    x, y : array_like
        Coordinates (east, north) in the units of `crs`, of shapes that broadcast.
    crs : pyproj.CRS
        Their reference system.

    Returns
    -------
    ndarray
        Latitude [degrees north] on WGS 84; NaN for points outside the projection.

    Examples
    --------
    >>> import pyproj
    >>> latitude_of([500000.0], [5000000.0], pyproj.CRS("EPSG:32617")).round(3)
    array([45.153])
    """
    import pyproj

    across, up = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    transformer = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    latitude = np.asarray(transformer.transform(across, up)[1], dtype=np.float64)
    return np.where(np.isfinite(latitude), latitude, np.nan)
