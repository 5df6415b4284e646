"""CAMELS-CH: basins of Switzerland and its neighbours, 1981 to 2020."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf
from xstefaland.datasets.sites import label, numbers, select

ARCHIVE = Archive(
    "camels_ch",
    "CAMELS-CH",
    "MeteoSwiss precipitation and temperature; SLF snow; FOEN and other discharge",
    "CC-BY-4.0",
    "Hoege et al. (2023), doi:10.5194/essd-15-5755-2023",
    ("camels_ch.nc, or the folder that holds it",),
)

_PREVAH = "as in the hydrological model PREVAH, not MeteoSwiss' product"
_TOP_OF_ATMOSPHERE = 490.0  # [W m-2]; mean of the longest day at 46 degrees north
_FOREST = "static_dwood_perc + static_mixed_wood_perc + static_ewood_perc"

# `et_prevah` is what a model computed, no observation; `pet_mean`, `aridity` and the
# other climate indices are of other products, and the package derives its own.
COLUMNS = (
    Column("precipitation", "prcp", "mm d-1"),
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
    Column(
        "shortwave_radiation",
        "srad_prevah",
        "W m-2",
        _PREVAH,
        (0.0, _TOP_OF_ATMOSPHERE),
    ),
    Column("wind_speed", "wind_prevah", "m s-1", _PREVAH),
    Column("relative_humidity", "rh_prevah", "percent", _PREVAH),
    Column("streamflow", "streamflow", "mm d-1"),
    Column("snow_water_equivalent", "swe", "mm", "from stations (SLF)"),
    Column("area", "area", "km2"),
    Column("elevation", "static_elev_mean", "m"),
    Column("slope", "static_slope_mean", "degree"),
    Column("sand", "static_sand_perc", "percent"),
    Column("silt", "static_silt_perc", "percent"),
    Column("clay", "static_clay_perc", "percent"),
    Column("organic_frac", "static_organic_perc", "percent"),
    Column("bulk_density", "static_bulk_dens", "g cm-3"),
    Column("soil_porosity", "static_porosity", "percent"),
    Column("carbonate_rocks_frac", "static_carbonate_sedimentary", "percent"),
    Column("geol_porosity", "static_geo_porosity", "1"),
    Column("geol_permeability", "static_geo_log10_permeability", "1"),
    Column("frac_forest", _FOREST, "percent"),
    Column("grassland_frac", "static_grass_perc", "percent"),
    Column("crop_frac", "static_crop_perc", "percent"),
    Column("glacier_frac", "static_ice_perc", "percent"),
    Column("wetland_frac", "static_wetlands_perc", "percent"),
    Column("open_water_frac", "static_inwater_perc", "percent"),
    Column("urban_frac", "static_urban_perc", "percent"),
    Column("population_density", "static_dens_inhabitants", "km-2"),
)
"""What is read. Left out although the catalogue has it: the conductivity of the soil
(values as of cm per day, stated otherwise) and karst (zero where nothing is known)."""


def camels_ch(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read CAMELS-CH.

    Parameters
    ----------
    path : path-like
        ``camels_ch.nc``, or the folder that holds it.
    sites : sequence of str, optional
        Ids such as ``"camelsch_2016"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Forcing, ``streamflow`` [mm d-1] and ``snow_water_equivalent`` [mm]
        ``(basin, time)``, attributes ``(basin)``, coordinates ``latitude``,
        ``longitude``, ``gauge``, ``name``, ``country``,
        ``product``. Basins outside Switzerland lack observed temperature.

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, "camels_ch.nc", ARCHIVE)
    needed = {"site", "time", "prcp", "tmax", "tmin", "streamflow", "swe"}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        raw = select(raw, "site", sites, "basin")
        raw = raw.rename(lat="latitude", lon="longitude").reset_coords("area")
        forest = sum(raw[part] for part in _FOREST.split(" + "))
        ds = take(raw.assign({_FOREST: forest}), COLUMNS)
        words = {"gauge": numbers(raw["basin"].values), "product": "meteoswiss"}
        ds = label(ds, "basin", country=raw["country"].values.astype(str), **words)
        return finish(ds, ARCHIVE, file, chunks)
