"""Delaware river basin: weather of 765 hydrologic response units, flow of 168 gauges.

Units and gauges are different places, and nothing here says which unit drains to which
gauge: so each has a reader of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from xstefaland.datasets.columns import SECONDS_PER_DAY, Column, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf
from xstefaland.datasets.sites import label, select, texts

_FILE = "drb_hru_forcing.nc"
_LAYOUTS = (f"{_FILE}, or the folder that holds it",)
_REFERENCE = "USGS pywatershed, test data of the Delaware River Basin"
UNITS = Archive(
    "delaware",
    "Delaware River Basin, hydrologic response units",
    "USGS National Hydrologic Model",
    "CC0-1.0",
    _REFERENCE,
    _LAYOUTS,
)
GAUGES = Archive(
    "delaware_gauges",
    "Delaware River Basin, gauges",
    "USGS",
    "CC0-1.0",
    _REFERENCE,
    _LAYOUTS,
)

_ASPECT = "cosine of static_aspect"
COLUMNS = (
    Column("precipitation", "prcp", "mm d-1"),
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
    Column("area", "static_area", "acre"),
    Column("elevation", "static_elev", "m"),  # the file says `elev_units`: metres
    Column("slope", "static_slope", "1", "tangent"),
    Column("aspect_cosine", _ASPECT, "1"),
)
_DEPTH = "discharge / drainage_area"
GAUGE_COLUMNS = (
    Column("streamflow", _DEPTH, "mm d-1"),
    Column("area", "drainage_area", "km2"),
)


def delaware(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read the weather of the Delaware's hydrologic response units.

    Parameters
    ----------
    path : path-like
        ``drb_hru_forcing.nc``, or the folder that holds it.
    sites : sequence of str, optional
        Numbers of units such as ``"5307"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Weather ``(hru, time)``, attributes ``(hru)``, coordinates ``latitude``,
        ``longitude``, ``country``, ``product``.

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, _FILE, UNITS)
    with netcdf(file, UNITS, {"hru", "time", "prcp", "static_aspect"}, chunks) as raw:
        raw = select(raw, "hru", sites, "hru").rename(lat="latitude", lon="longitude")
        raw = raw.assign_coords(hru=texts(raw["hru"].values))
        ds = take(
            raw.assign({_ASPECT: np.cos(np.deg2rad(raw["static_aspect"]))}), COLUMNS
        )
        ds = label(ds, "hru", country="US", product="nhm")
        return finish(ds, UNITS, file, chunks)


def delaware_gauges(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read the flow at the Delaware's gauges.

    Parameters
    ----------
    path : path-like
        ``drb_hru_forcing.nc``, or the folder that holds it.
    sites : sequence of str, optional
        USGS numbers such as ``"01411456"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        ``streamflow`` [mm d-1] ``(basin, time)``, ``area`` [km2] ``(basin)``,
        coordinates ``latitude``, ``longitude``, ``gauge``, ``country``.

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, _FILE, GAUGES)
    with netcdf(file, GAUGES, {"gage", "discharge", "drainage_area"}, chunks) as raw:
        raw = select(raw[["discharge"]], "gage", sites, "basin")
        raw = raw.rename(gage_lat="latitude", gage_lon="longitude")
        raw = raw.reset_coords("drainage_area")
        metres = raw["discharge"] * SECONDS_PER_DAY / (raw["drainage_area"] * 1e6)
        ds = take(raw.assign({_DEPTH: metres * 1000}), GAUGE_COLUMNS)
        ds = label(ds, "basin", gauge=raw["basin"].values, country="US")
        return finish(ds, GAUGES, file, chunks)
