"""ERA5-Land on a grid, by day. There is no target beside it."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf

ARCHIVE = Archive(
    "era5land",
    "ERA5-Land, southern Quebec, 1970",
    "Copernicus Climate Change Service",
    "Copernicus licence",
    "Munoz-Sabater et al. (2021), doi:10.5194/essd-13-4349-2021",
    ("grid_era5land_quebec.nc, or the folder that holds it",),
)
COLUMNS = (
    Column("precipitation", "prcp", "mm d-1"),
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
)


def era5land(path: str | Path, *, chunks: Chunks = None) -> xr.Dataset:
    """Read the grid of ERA5-Land.

    Parameters
    ----------
    path : path-like
        ``grid_era5land_quebec.nc``, or the folder that holds it.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Weather ``(time, latitude, longitude)``.

    Raises
    ------
    InputError
        For a path where there is no such file.
    """
    file = find(path, "grid_era5land_quebec.nc", ARCHIVE)
    needed = {"time", "lat", "lon", "prcp", "tmax", "tmin"}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        raw = raw.rename(lat="latitude", lon="longitude")
        ds = take(raw, COLUMNS).assign_coords(product="era5land")
        return finish(ds, ARCHIVE, file, chunks)
