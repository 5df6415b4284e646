"""MOPEX: large river basins of the United States, beside those of CAMELS-US."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf
from xstefaland.datasets.sites import label, numbers, select

ARCHIVE = Archive(
    "mopex",
    "MOPEX",
    "NOAA NWS mean areal precipitation and temperature; USGS streamflow",
    "US public domain",
    "Schaake et al. (2006), IAHS Publ. 307",
    ("mopex_us.nc, or the folder that holds it",),
)

# The monthly greenness of the file is not the catalogue's: its annual range is twice
# that of CAMELS-US (mean 0.63 against 0.33). It is not read.
COLUMNS = (
    Column("precipitation", "prcp", "mm d-1"),
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
    Column("streamflow", "streamflow", "mm d-1"),
    Column("area", "area", "km2"),
)


def mopex(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read MOPEX.

    Basins are large (median 2 450 km2), some nested. Their gauges have USGS numbers,
    as those of CAMELS-US and HYSETS: compare ``gauge`` before one is tested on the
    other. Temperatures that cannot be are missing in the file.

    Parameters
    ----------
    path : path-like
        ``mopex_us.nc``, or the folder that holds it.
    sites : sequence of str, optional
        Ids such as ``"mopex_01048000"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Forcing and ``streamflow`` [mm d-1] ``(basin, time)``, ``area`` [km2]
        ``(basin)``, coordinates ``latitude``, ``longitude``, ``gauge``, ``country``,
        ``product``.

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, "mopex_us.nc", ARCHIVE)
    needed = {"site", "time", "prcp", "tmax", "tmin", "streamflow"}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        raw = select(raw, "site", sites, "basin")
        raw = raw.rename(lat="latitude", lon="longitude").reset_coords("area")
        ds = label(
            take(raw, COLUMNS),
            "basin",
            gauge=numbers(raw["basin"].values),
            country="US",
            product="mopex",
        )
        return finish(ds, ARCHIVE, file, chunks)
