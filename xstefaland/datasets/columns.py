"""What a column of an archive is: tables of data, and the CF attributes they become."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xstefaland.inputs.variables import CATALOGUE

SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True)
class Column:
    """One column of an archive.

    Attributes
    ----------
    name : str
        What it is called here: the catalogue's name where the catalogue knows it.
    original : str
        What the archive calls it, or the expression by which it was computed.
    units : str
        The units it truly has in the archive.
    note : str
        What a user should know, for the attribute ``comment``.
    limits : tuple of float, optional
        Lowest and highest possible value; what lies outside is missing.
    """

    name: str
    original: str
    units: str
    note: str = ""
    limits: tuple[float, float] | None = None


DEPTHS = (5, 10, 20, 50, 100)
"""Depths of soil observations [cm]; the shallowest has no depth in its name."""


def at_depth(name: str, depth: int) -> str:
    """Name of a soil observation at a depth.

    Parameters
    ----------
    name : str
        ``soil_moisture`` or ``soil_temperature``.
    depth : int
        In cm.

    Returns
    -------
    str
        The name alone for the shallowest depth.

    Examples
    --------
    >>> at_depth("soil_moisture", 5), at_depth("soil_moisture", 10)
    ('soil_moisture', 'soil_moisture_10cm')
    """
    return name if depth == DEPTHS[0] else f"{name}_{depth}cm"


# A rate of mm d-1 is a depth of water per time, not the mass flux that stands first in
# the catalogue.
_STANDARD_NAMES = {"precipitation": "lwe_precipitation_rate"}
_RATES = {"sum": "mean"}  # the sum of a day, given as a rate, is the mean rate

# Snow has a CF name, but the package would take a variable of that name for weather:
# an observed target must not be found among the inputs.
_OBSERVED: dict[str, dict[str, str]] = {
    "streamflow": {"long_name": "observed streamflow"},
    "snow_water_equivalent": {"long_name": "observed water equivalent of snow"},
    **{
        at_depth("soil_moisture", depth): {
            "long_name": f"observed soil moisture at {depth} cm",
            "standard_name": "volume_fraction_of_condensed_water_in_soil",
        }
        for depth in DEPTHS
    },
    **{
        at_depth("soil_temperature", depth): {
            "long_name": f"observed soil temperature at {depth} cm",
            "standard_name": "soil_temperature",
        }
        for depth in DEPTHS
    },
}
_POSITION = {
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
}


def _catalogue_attributes(name: str) -> dict[str, str]:
    """CF attributes of a variable, from the catalogue or the table of observations."""
    if name in _OBSERVED:
        return _OBSERVED[name]
    if name not in CATALOGUE:
        return {"long_name": name.replace("_", " ")}
    known = CATALOGUE[name]
    attrs = {"long_name": known.long_name}
    standard_name = _STANDARD_NAMES.get(name, known.standard_name)
    if standard_name:
        attrs["standard_name"] = standard_name
    if known.kind == "forcing":
        method = _RATES.get(known.cell_method, known.cell_method)
        attrs["cell_methods"] = f"time: {method}"
    return attrs


def attributes_of(column: Column) -> dict[str, str]:
    """CF attributes of one column.

    Parameters
    ----------
    column : Column
        From an archive's table.

    Returns
    -------
    dict of str to str
        ``units``, ``long_name``, ``original_name``, and where there is one
        ``standard_name``, ``cell_methods``, ``comment``.

    Examples
    --------
    >>> attributes_of(Column("temperature_max", "tmax", "degC"))["cell_methods"]
    'time: maximum'
    """
    attrs = {"units": column.units, **_catalogue_attributes(column.name)}
    attrs["original_name"] = column.original
    return attrs | ({"comment": column.note} if column.note else {})


def take(raw: xr.Dataset, columns: Iterable[Column]) -> xr.Dataset:
    """Take columns under their names here; impossible values become NaN.

    Parameters
    ----------
    raw : xarray.Dataset
        With the archive's own names.
    columns : iterable of Column
        What to take; those that `raw` lacks are left out.

    Returns
    -------
    xarray.Dataset
        float32, lazy where `raw` is lazy, every variable with its units.

    Examples
    --------
    >>> raw = xr.Dataset({"swin": ("time", [3.0, 104.0])})
    >>> column = Column("shortwave_radiation", "swin", "MJ m-2 d-1", limits=(0, 45))
    >>> take(raw, [column]).shortwave_radiation.values
    array([ 3., nan], dtype=float32)
    """
    taken = {}
    for column in columns:
        if column.original not in raw:
            continue
        values = raw[column.original].astype(np.float32)
        if column.limits is not None:
            low, high = column.limits
            values = values.where((values >= low) & (values <= high))
        taken[column.name] = values.drop_attrs().assign_attrs(attributes_of(column))
    return xr.Dataset(taken)


def describe_position(ds: xr.Dataset) -> xr.Dataset:
    """Give ``latitude`` and ``longitude`` their CF attributes.

    Parameters
    ----------
    ds : xarray.Dataset
        With coordinates of these names.

    Returns
    -------
    xarray.Dataset
        The same values.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"latitude": 47.5, "longitude": 8.0})
    >>> describe_position(ds).latitude.attrs["units"]
    'degrees_north'
    """
    named = {
        name: ds[name].drop_attrs().assign_attrs(attrs)
        for name, attrs in _POSITION.items()
    }
    return ds.assign_coords(named)
