"""Regular grids: their two axes, their CRS, the area of their cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError, join_problems
from xstefaland.geometry.crs import axis_factor, find_crs

if TYPE_CHECKING:
    import pyproj

EARTH_RADIUS = 6_371_008.8  # [m] mean radius of WGS 84
UNEVEN = 0.01  # of a cell: what rounding of coordinates in files may move a cell
PACKED = {"_FillValue", "missing_value", "scale_factor", "add_offset"}
"""Attributes of values that are still as a file has them."""

AXES = {
    "x": (
        ("longitude", "grid_longitude", "projection_x_coordinate"),
        ("lon", "longitude", "rlon", "x", "easting"),
    ),
    "y": (
        ("latitude", "grid_latitude", "projection_y_coordinate"),
        ("lat", "latitude", "rlat", "y", "northing"),
    ),
}
"""CF standard names and plain names of the two axes of a grid."""


@dataclass(frozen=True)
class Axis:
    """Cells along one dimension of a grid.

    Attributes
    ----------
    dim : str
        Dimension of the Dataset.
    first, step : float
        Centre of the first cell, and the way to the next one (negative where the axis
        descends), in the units of the CRS.
    size : int
        Number of cells.
    """

    dim: str
    first: float
    step: float
    size: int

    @property
    def edges(self) -> tuple[float, float]:
        """Lowest and highest edge."""
        ends = (self.first - self.step / 2, self.first + (self.size - 0.5) * self.step)
        return min(ends), max(ends)

    def position(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Position of coordinates in cells: 0 is the outer edge of the first cell."""
        return (np.asarray(values, float) - self.first) / self.step + 0.5


@dataclass(frozen=True)
class Grid:
    """A regular grid.

    Attributes
    ----------
    x, y : Axis
        Columns and rows.
    crs : pyproj.CRS
        Reference system of the axes.
    """

    x: Axis
    y: Axis
    crs: pyproj.CRS

    @property
    def in_degrees(self) -> bool:
        """Whether the axes are longitude and latitude, of a rotated pole too."""
        return not self.crs.is_projected

    def cell_area(
        self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64]:
        """Area of cells on the Earth.

        Parameters
        ----------
        rows, columns : ndarray of int
            Their place; cells beyond the grid continue it.

        Returns
        -------
        ndarray
            Area [m2]: of a lat/lon cell on a sphere, of a projected cell the area on
            the map over the projection's areal scale; 0 where that is not defined.
        """
        y = self.y.first + rows * self.y.step
        if self.in_degrees:
            half = abs(self.y.step) / 2
            ends = np.radians(np.clip([y - half, y + half], -90, 90))
            band = np.sin(ends[1]) - np.sin(ends[0])
            area = EARTH_RADIUS**2 * np.radians(abs(self.x.step)) * band
            return np.asarray(area)
        x = self.x.first + columns * self.x.step
        unit = float(self.crs.axis_info[0].unit_conversion_factor or 1.0)
        on_map = abs(self.x.step * self.y.step) * unit**2
        return np.nan_to_num(on_map / _areal_scale(self.crs, x, y), posinf=0.0)


def find_grid(ds: xr.Dataset) -> Grid:
    """Find the axes of a regular grid.

    Parameters
    ----------
    ds : xarray.Dataset
        Data with one-dimensional coordinates along two dimensions: longitude and
        latitude, those of a rotated pole, or a projection's x and y.

    Returns
    -------
    Grid
        Without a stated CRS, longitude and latitude are those of WGS 84.

    Raises
    ------
    InputError
        When an axis is missing, has a single cell or uneven steps, or goes round the
        Earth more than once, and when projected axes come without a CRS.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"lat": [51.0, 50.0], "lon": [7.0, 8.0, 9.0]})
    >>> find_grid(ds).y
    Axis(dim='lat', first=51.0, step=-1.0, size=2)
    """
    found = {letter: _find_axis(ds, letter) for letter in AXES}
    missing = [letter for letter, name in found.items() if name is None]
    if missing:
        raise InputError(join_problems("this is no regular grid", [_curved(ds)]))
    names = [str(found["x"]), str(found["y"])]
    crs, problems = _crs_of(ds, names)
    axes, uneven = [], []
    for name in names:
        axis, problem = _axis(ds, name, crs)
        axes.append(axis)
        uneven += [problem] if problem else []
    if not uneven and _is_round(axes[0], crs):
        low, high = axes[0].edges
        uneven = [
            f"{names[0]!r} goes from {low:g} to {high:g} degrees, more than once round "
            f"the Earth; select one turn: ds.isel({axes[0].dim}=slice(None, "
            f"{round(360 / abs(axes[0].step))}))"
        ]
    if problems or uneven:
        raise InputError(join_problems("the grid cannot be used", problems + uneven))
    return Grid(axes[0], axes[1], crs)


def decoded(array: xr.DataArray) -> xr.DataArray:
    """Mask and scale values whose attributes say that they are packed, lazily.

    Parameters
    ----------
    array : xarray.DataArray
        Values as a file has them, or decoded ones, which stay as they are.

    Returns
    -------
    xarray.DataArray
        NaN for ``_FillValue`` and ``missing_value``; with ``scale_factor`` and
        ``add_offset`` applied. These attributes are gone.

    Examples
    --------
    >>> packed = xr.DataArray([10, -9], attrs={"_FillValue": -9, "scale_factor": 0.5})
    >>> decoded(packed).values
    array([ 5., nan])
    """
    if not array.attrs.keys() & PACKED:
        return array
    values = xr.decode_cf(
        xr.Dataset({"values": array.variable}),
        decode_times=False,
        decode_timedelta=False,
        decode_coords=False,
    )["values"]
    out = array.copy(data=values.data)
    out.attrs = {k: v for k, v in array.attrs.items() if k not in PACKED}
    return out


def _find_axis(ds: xr.Dataset, letter: str) -> str | None:
    """Name of the one-dimensional coordinate along an axis."""
    standard, plain = AXES[letter]
    lines = [(str(n), v) for n, v in ds.coords.items() if v.dims == (n,)]
    by_name = [n for n, v in lines if v.attrs.get("standard_name") in standard]
    by_name += [n for n, v in lines if v.attrs.get("axis") == letter.upper()]
    by_name += [n for n, _ in lines if n.lower() in plain]
    return next(iter(by_name), None)


def _curved(ds: xr.Dataset) -> str:
    """Say what there is in place of two axes."""
    flat = [str(n) for n, v in ds.coords.items() if v.ndim == 2]
    if flat:
        return (
            f"its places are in {', '.join(map(repr, flat))}, which change along two "
            "dimensions; where its rows and columns are straight in a projection, give "
            "the axes and the CRS: ds.assign_coords(x=..., y=...).rio.write_crs(...); "
            "otherwise bring it to a regular grid (xesmf, or rio.reproject)"
        )
    have = ", ".join(f"{n!r} {v.dims}" for n, v in ds.coords.items()) or "none"
    return (
        "longitude and latitude, or x and y, are needed as coordinates of their own "
        f"dimensions (the Dataset has {have}); add them, for example "
        "ds.assign_coords(lat=..., lon=...)"
    )


def _crs_of(ds: xr.Dataset, names: list[str]) -> tuple[Any, list[str]]:
    """CRS of the axes, and what is wrong with it."""
    import pyproj

    crs = find_crs(ds)
    attrs = [ds[name].attrs for name in names]
    known = {name.lower() for name in names} <= {"lon", "longitude", "lat", "latitude"}
    known |= {a.get("standard_name") for a in attrs} == {"longitude", "latitude"}
    if crs is None and not known:
        return pyproj.CRS("EPSG:4326"), [
            f"{names[0]!r} and {names[1]!r} have no CRS; state it, for example "
            'ds.rio.write_crs("EPSG:32617") (needs rioxarray)'
        ]
    if crs is None or (known and crs.is_projected):
        return pyproj.CRS("EPSG:4326"), []  # the CRS of other coordinates
    return crs, []


def _axis(ds: xr.Dataset, name: str, crs: pyproj.CRS) -> tuple[Axis, str]:
    """One axis in the units of the CRS, and what is wrong with it."""
    values = np.asarray(ds[name].values, dtype=np.float64)
    values = values * axis_factor(ds[name].attrs.get("units"), crs)
    size = len(values)
    if size < 2 or not np.isfinite(values).all():
        text = "has missing values" if size > 1 else f"has {size} cells"
        return Axis(name, 0.0, 1.0, size), (
            f"{name!r} {text}, so the size of its cells is not known; give at least "
            "two rows and two columns"
        )
    step = (values[-1] - values[0]) / (size - 1)
    even = values[0] + step * np.arange(size)
    if step == 0 or np.abs(values - even).max() > UNEVEN * abs(step):
        return Axis(name, 0.0, 1.0, size), _uneven(name, values)
    return Axis(name, float(values[0]), float(step), size), ""


def _uneven(name: str, values: npt.NDArray[np.float64]) -> str:
    """Say which call makes the steps of an axis even."""
    steps = np.diff(values)
    turned = {
        f'ds["{name}"] % 360': values % 360,
        f'(ds["{name}"] + 180) % 360 - 180': (values + 180) % 360 - 180,
    }
    even = [text for text, own in turned.items() if np.ptp(np.diff(own)) < UNEVEN]
    if even and (abs(steps) > 180).any():
        remedy = f"longitudes jump by a turn: ds.assign_coords({name}={even[0]})"
    elif (np.sign(steps) != np.sign(steps[0])).any():
        remedy = f'sort the axis: ds.sortby("{name}")'
    else:
        ends = f"{values[0]:g}, {values[-1]:g}, {len(values)}"
        remedy = f"interpolate: ds.interp({name}=np.linspace({ends}))"
    return (
        f"{name!r} has uneven steps, from {steps.min():g} to {steps.max():g}, so the "
        f"edges of its cells are not known; {remedy}"
    )


def _is_round(x: Axis, crs: pyproj.CRS) -> bool:
    """Whether a longitude comes back to where it was."""
    low, high = x.edges
    return not crs.is_projected and high - low > 360 + abs(x.step) / 2


def _areal_scale(
    crs: pyproj.CRS, x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Area on the map over area on the Earth, at points of a projection."""
    import pyproj

    lon_lat = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    longitude, latitude = lon_lat.transform(x, y)
    scale = pyproj.Proj(crs).get_factors(longitude, latitude, errcheck=False)
    return np.asarray(scale.areal_scale, dtype=np.float64)
