"""Which dimensions of a Dataset are sites, and where the sites lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.crs import axis_factor, find_crs, latitude_of
from xstefaland.geometry.polygons import few

_DEGREES = {  # as CF writes the units of an axis in degrees
    axis: {f"{degree}{end}" for degree in ("degree", "degrees") for end in ends}
    for axis, ends in {
        "latitude": ("_north", "_N", "N"),
        "longitude": ("_east", "_E", "E"),
    }.items()
}
_NAMES = {
    "latitude": ("lat", "latitude", "gauge_lat"),
    "longitude": ("lon", "longitude", "gauge_lon"),
}
_MAPPED = {
    "x": ("projection_x_coordinate", "grid_longitude"),
    "y": ("projection_y_coordinate", "grid_latitude"),
}
"""CF standard names of axes from which a CRS leads to latitudes."""


def site_dims(ds: xr.Dataset, names: Sequence[str]) -> tuple[str, ...]:
    """Dimensions of the given variables besides `time`, in the Dataset's order.

    Parameters
    ----------
    ds : xarray.Dataset
        Data.
    names : sequence of str
        Variables to look at, as a rule the forcings.

    Returns
    -------
    tuple of str
        Empty for a single site.

    Examples
    --------
    >>> ds = xr.Dataset({"pr": (("time", "lat", "lon"), np.zeros((2, 3, 4)))})
    >>> site_dims(ds, ["pr"])
    ('lat', 'lon')
    """
    by_size = sorted(names, key=lambda name: -ds[name].ndim)
    dims = [str(dim) for name in by_size for dim in ds[name].dims if dim != "time"]
    return tuple(dict.fromkeys(dims))


@dataclass(frozen=True)
class LatitudeSource:
    """Where the latitude of the sites comes from.

    Attributes
    ----------
    how : {"stated", "projected", "geometry", "given"}
        A variable in degrees or radians, projected coordinates, polygons and points,
        or values from the user.
    names : tuple of str
        Variables of the Dataset: the latitude, (x, y), or the geometry.
    values : xarray.Variable or None
        The latitude itself, where the user gave it.
    """

    how: Literal["stated", "projected", "geometry", "given"]
    names: tuple[str, ...] = ()
    values: xr.Variable | None = None

    def __str__(self) -> str:
        """Return a few words for a report."""
        if self.how == "given":
            return "as given by latitude="
        what = {"projected": " through the CRS", "geometry": " (centroids)"}
        return ", ".join(self.names) + what.get(self.how, "")


def find_latitude(
    ds: xr.Dataset,
    dims: Sequence[str],
    given: str | float | xr.DataArray | None = None,
) -> LatitudeSource | None:
    """Find out where latitudes come from, without computing them.

    In this order: what the user gives, CF `standard_name` or units, the names `lat`,
    `latitude` and `gauge_lat`, the coordinates `x` and `y` (or those of a rotated pole)
    with a stated CRS, a geometry with a CRS.

    Parameters
    ----------
    ds : xarray.Dataset
        Data.
    dims : sequence of str
        Site dimensions.
    given : str, float or DataArray, optional
        Name of the variable that holds the latitude, or the latitude itself
        [degrees north]; an array goes by the labels of the sites where it has some,
        and is NaN at those that it lacks.

    Returns
    -------
    LatitudeSource or None
        None where the Dataset does not say.

    Raises
    ------
    InputError
        When `given` is none of the Dataset's, or does not lie on its sites.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"gauge_lat": ("basin", [45.0])})
    >>> print(find_latitude(ds, ["basin"]))
    gauge_lat
    """
    if given is not None:
        return _given(ds, dims, given)
    name = _stated(ds, dims, "latitude")
    if name is not None:
        return LatitudeSource("stated", (name,))
    x, y = _axis(ds, dims, "x"), _axis(ds, dims, "y")
    geometry = _geometry(ds, dims)
    if (x is None or y is None) and geometry is None:
        return None
    if find_crs(ds) is None:
        return None
    if x is not None and y is not None:
        return LatitudeSource("projected", (x, y))
    return LatitudeSource("geometry", (str(geometry),))


def latitude(
    ds: xr.Dataset, dims: Sequence[str], source: LatitudeSource | None
) -> xr.DataArray:
    """Latitude of every site.

    Parameters
    ----------
    ds : xarray.Dataset
        Data.
    dims : sequence of str
        Site dimensions.
    source : LatitudeSource or None
        Result of :func:`find_latitude`.

    Returns
    -------
    xarray.DataArray
        Dims `dims`, float32 [degrees north]; NaN where unknown or beyond the poles.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"lat": [50.0, 51.0], "lon": [7.0, 8.0, 9.0]})
    >>> latitude(ds, ("lat", "lon"), find_latitude(ds, ("lat", "lon"))).values[:, 0]
    array([50., 51.], dtype=float32)
    """
    values = xr.Variable((), np.nan) if source is None else _values(ds, source)
    values = values.astype(np.float32)
    values = values.where(abs(values) <= 90)  # type: ignore[no-untyped-call]
    return _on_sites(values, ds, dims, "latitude")


def longitude(ds: xr.Dataset, dims: Sequence[str]) -> xr.DataArray:
    """Longitude of every site, where a variable in degrees or radians states it.

    Parameters
    ----------
    ds : xarray.Dataset
        Data.
    dims : sequence of str
        Site dimensions.

    Returns
    -------
    xarray.DataArray
        Dims `dims`, float32 [degrees east]; NaN where unknown.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"lat": [50.0, 51.0], "lon": [7.0, 8.0, 9.0]})
    >>> longitude(ds, ("lat", "lon")).values[0]
    array([7., 8., 9.], dtype=float32)
    """
    name = _stated(ds, dims, "longitude")
    values = xr.Variable((), np.nan) if name is None else _in_degrees(ds[name].variable)
    return _on_sites(values.astype(np.float32), ds, dims, "longitude")


def _on_sites(
    values: xr.Variable, ds: xr.Dataset, dims: Sequence[str], name: str
) -> xr.DataArray:
    """Repeat values along the site dimensions that they lack."""
    sizes = {dim: ds.sizes[dim] for dim in dims}
    whole = values.set_dims(sizes)  # type: ignore[no-untyped-call]
    return xr.DataArray(whole.transpose(*dims), name=name)


def _given(
    ds: xr.Dataset, dims: Sequence[str], given: str | float | xr.DataArray
) -> LatitudeSource:
    """Check what a user passes as `latitude=`."""
    if isinstance(given, str):
        if given not in ds.variables:
            have = ", ".join(str(name) for name in ds.coords) or "none"
            raise InputError(
                f"latitude={given!r}: the Dataset has no variable of that name; its "
                f"coordinates are {have}. Pass a name, or degrees north"
            )
        _same_sites(ds, dims, ds[given])
        return LatitudeSource("stated", (given,))
    if isinstance(given, xr.DataArray):
        return LatitudeSource("given", values=_same_sites(ds, dims, given))
    if isinstance(given, bool) or not isinstance(given, (int, float, np.number)):
        raise InputError(
            f"latitude={given!r} is not possible; pass the name of a variable, degrees "
            "north, or a DataArray on the sites"
        )
    return LatitudeSource("given", values=xr.Variable((), float(given)))


def _same_sites(
    ds: xr.Dataset, dims: Sequence[str], given: xr.DataArray
) -> xr.Variable:
    """Bring an array to the Dataset's sites: by labels, where both have some."""
    if not set(given.dims) <= set(dims):
        raise InputError(
            f"latitude=: the array has dims {given.dims}, the sites lie on "
            f"{tuple(dims)}; give it the dims of the sites"
        )
    if given.dtype.kind not in "fiu":
        raise InputError(
            f"latitude=: the array holds {given.dtype} values; pass degrees north"
        )
    labels = {
        dim: ds.xindexes[dim].to_pandas_index()
        for dim in given.dims
        if dim in given.xindexes
        and dim in ds.xindexes
        and not given.xindexes[dim].equals(ds.xindexes[dim])
    }
    for dim, wanted in labels.items():
        if not given.indexes[dim].isin(wanted).any():
            raise InputError(
                f"latitude=: its labels along {dim!r}, {few(given.indexes[dim])}, are "
                f"none of the Dataset's, {few(wanted)}; give it those of the sites"
            )
    variable = given.reindex(labels).variable
    wrong = [dim for dim in given.dims if variable.sizes[dim] != ds.sizes[dim]]
    if wrong:
        raise InputError(
            f"latitude=: its dimension {wrong[0]!r} has length "
            f"{variable.sizes[wrong[0]]} and no labels, the Dataset's "
            f"{ds.sizes[wrong[0]]}; give both the same labels"
        )
    return variable


def _in_degrees(variable: xr.Variable) -> xr.Variable:
    """Values in degrees: radians are converted, all else is taken as degrees."""
    units = str(variable.attrs.get("units", "")).strip().lower()
    if units in ("rad", "radian", "radians"):
        return variable.copy(data=np.degrees(np.asarray(variable.values, np.float64)))
    return variable


def _values(ds: xr.Dataset, source: LatitudeSource) -> xr.Variable:
    """Latitudes [degrees north] on the dims of their source, NaN without a CRS."""
    if source.values is not None:
        return source.values
    if source.how == "stated":
        return _in_degrees(ds[source.names[0]].variable)
    crs = find_crs(ds)
    if crs is None:
        return xr.Variable((), np.nan)
    if source.how == "geometry":
        import shapely

        shapes = ds[source.names[0]].variable
        points = shapely.centroid(shapes.values)
        return shapes.copy(
            data=latitude_of(shapely.get_x(points), shapely.get_y(points), crs)
        )
    x, y = (ds[name].variable for name in source.names)
    across, up = xr.broadcast(xr.DataArray(x), xr.DataArray(y))
    east = across.values * axis_factor(x.attrs.get("units"), crs)
    north = up.values * axis_factor(y.attrs.get("units"), crs)
    return xr.Variable(up.dims, latitude_of(east, north, crs))


def _stated(ds: xr.Dataset, dims: Sequence[str], axis: str) -> str | None:
    """Variable that says to be an axis in degrees, by attributes or by its name."""
    fitting = [
        str(name)
        for name, variable in ds.variables.items()
        if set(variable.dims) <= set(dims) and variable.dtype.kind in "fiu"
    ]
    bounds = {v.attrs.get("bounds") for v in ds.variables.values()}
    by_attrs = [n for n in fitting if n not in bounds and _says(ds[n].attrs, axis)]
    by_name = [n for known in _NAMES[axis] for n in fitting if n.lower() == known]
    preferred = [n for n in by_name if n in by_attrs]
    return next(iter((*preferred, *by_attrs, *by_name)), None)


def unusable_latitudes(ds: xr.Dataset, dims: Sequence[str]) -> list[str]:
    """Say why variables called latitude are none.

    Parameters
    ----------
    ds : xarray.Dataset
        Data in which no latitude was found.
    dims : sequence of str
        Site dimensions.

    Returns
    -------
    list of str
        One warning for each.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"lat": ("site", ["45 N"])})
    >>> unusable_latitudes(ds, ["site"])
    ["latitude: 'lat' holds <U4 values where degrees belong"]
    """
    warnings = []
    for name, variable in ds.variables.items():
        if str(name).lower() not in _NAMES["latitude"]:
            continue
        if variable.dtype.kind not in "fiu":
            text = f"holds {variable.dtype} values where degrees belong"
        else:
            text = f"has the dims {variable.dims}, the sites have {tuple(dims)}"
        warnings.append(f"latitude: {str(name)!r} {text}")
    return warnings


def _says(attrs: dict[str, object], axis: str) -> bool:
    """Whether attributes name the axis; units count without a standard_name alone."""
    if attrs.get("standard_name") == axis:
        return True
    return "standard_name" not in attrs and str(attrs.get("units")) in _DEGREES[axis]


def _axis(ds: xr.Dataset, dims: Sequence[str], letter: str) -> str | None:
    """Coordinate along an axis of a projection, or of a rotated pole."""
    for name, variable in ds.coords.items():
        known = (
            variable.attrs.get("standard_name") in _MAPPED[letter]
            or variable.attrs.get("axis") == letter.upper()
            or str(name).lower() == letter
        )
        if known and set(variable.dims) <= set(dims) and variable.dtype.kind in "fiu":
            return str(name)
    return None


def _geometry(ds: xr.Dataset, dims: Sequence[str]) -> str | None:
    """Coordinate that holds shapely geometries, one per site."""
    for name, variable in ds.coords.items():
        fits = variable.ndim == 1 and set(variable.dims) <= set(dims)
        fits = fits and variable.chunks is None
        if fits and variable.dtype.kind == "O" and variable.size:
            first = next((each for each in variable.values if each is not None), None)
            if hasattr(first, "geom_type"):
                return str(name)
    return None
