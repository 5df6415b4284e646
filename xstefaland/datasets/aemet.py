"""AEMET: daily weather at Spanish stations. There is no target beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf
from xstefaland.datasets.sites import label, select

ARCHIVE = Archive(
    "aemet",
    "AEMET daily weather",
    "AEMET",
    "free use; AEMET must be named as the source",
    "Agencia Estatal de Meteorologia (AEMET), Spain",
    ("aemet_spain.nc, or the folder that holds it",),
)

# A missing day has rainfall 0 in the source; days with neither maximum nor minimum
# temperature are blank in the file.
COLUMNS = (
    Column("precipitation", "prcp", "mm d-1"),
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
    Column("wind_speed", "wind", "m s-1"),
    Column("sunshine_duration", "sun_hours", "h"),
    Column("elevation", "elevation", "m"),
)


def aemet(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read AEMET's stations.

    Parameters
    ----------
    path : path-like
        ``aemet_spain.nc``, or the folder that holds it.
    sites : sequence of str, optional
        Ids such as ``"aemet_0016A"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Weather ``(station, time)``, ``elevation`` [m] ``(station)``, coordinates
        ``latitude``, ``longitude``, ``country``, ``product``.

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, "aemet_spain.nc", ARCHIVE)
    needed = {"site", "time", "prcp", "tmax", "tmin"}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        raw = select(raw, "site", sites, "station")
        raw = raw.rename(lat="latitude", lon="longitude").reset_coords("elevation")
        ds = label(take(raw, COLUMNS), "station", country="ES", product="aemet")
        return finish(ds, ARCHIVE, file, chunks)
