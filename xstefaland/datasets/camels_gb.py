"""CAMELS-GB: British basins, version 2 in NetCDF and version 1 in CSV as published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import (
    Archive,
    Chunks,
    find,
    finish,
    netcdf,
    unknown_layout,
)
from xstefaland.datasets.sites import choose, label, numbers, select
from xstefaland.datasets.text import Layout, read_groups, read_tables, stack

_LAYOUTS = (
    "camels_gb2.nc (version 2), or the folder that holds it",
    "the folder of version 1 with timeseries/CAMELS_GB_hydromet_timeseries_*.csv and "
    "CAMELS_GB_*_attributes.csv",
)
VERSION_2 = Archive(
    "camels_gb",
    "CAMELS-GB v2",
    "HadUK-Grid precipitation and temperature; NRFA discharge",
    "Open Government Licence v3",
    "Coxon et al. (2025), doi:10.5285/9a46d428-958f-4ac1-86eb-94eee70c0955",
    _LAYOUTS,
)
VERSION_1 = Archive(
    "camels_gb",
    "CAMELS-GB v1",
    "CEH-GEAR precipitation, CHESS-met weather; NRFA discharge",
    "Open Government Licence v3",
    "Coxon et al. (2020), doi:10.5194/essd-12-2459-2020",
    _LAYOUTS,
)

# The packager of version 2 filled gaps of flow forward; runs of 15 days and more are
# missing in the file, shorter ones remain. Nine basins have more runoff than rainfall.
COLUMNS_2 = (
    Column("precipitation", "prcp", "mm d-1"),
    Column("temperature", "tmean", "degC"),
    Column("streamflow", "streamflow", "mm d-1", "short gaps are filled forward"),
    Column("area", "area", "km2"),
    Column("elevation", "static_FEH_ALTBAR", "m"),
    Column("slope", "static_FEH_DPSBAR", "m km-1", "mean slope of drainage paths"),
    Column(
        "urban_frac",
        "static_FEH_URBEXT2000",
        "1",
        "index of urban extent, in which suburbs count half",
    ),
)
"""Version 2. BFIHOST19 and SPRHOST are not read: indices of flow, though from soils."""

DAILY_1 = (
    Column("precipitation", "precipitation", "mm d-1"),
    Column("temperature", "temperature", "degC"),
    Column("specific_humidity", "humidity", "g kg-1"),
    Column("shortwave_radiation", "shortwave_rad", "W m-2"),
    Column("longwave_radiation", "longwave_rad", "W m-2"),
    Column("wind_speed", "windspeed", "m s-1"),
    Column("streamflow", "discharge_spec", "mm d-1"),
)
ATTRIBUTES_1 = {
    "topographic": (
        Column("area", "area", "km2"),
        Column("elevation", "elev_mean", "m"),
        Column("slope", "dpsbar", "m km-1", "mean slope of drainage paths"),
    ),
    "soil": (
        Column("sand", "sand_perc", "percent"),
        Column("silt", "silt_perc", "percent"),
        Column("clay", "clay_perc", "percent"),
        Column("organic_frac", "organic_perc", "percent"),
    ),
    "landcover": (
        Column("grassland_frac", "grass_perc", "percent"),
        Column("crop_frac", "crop_perc", "percent"),
        Column("urban_frac", "urban_perc", "percent"),
        Column("open_water_frac", "inwater_perc", "percent"),
    ),
}
"""Version 1: columns of the attribute tables (Coxon et al., 2020, tables 2, 5, 6)."""

_PLACE_1 = {"topographic": (("gauge_lat", "gauge_lon"), ("gauge_name",))}
_PREFIX = "camelsgb_"  # Caravan's ids, so that one basin has one id everywhere
_TIMESERIES = "CAMELS_GB_hydromet_timeseries_"


def camels_gb(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read CAMELS-GB.

    Parameters
    ----------
    path : path-like
        ``camels_gb2.nc`` or the folder that holds it (version 2), or the folder of
        version 1 as published.
    sites : sequence of str, optional
        Ids such as ``"camelsgb_21003"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Forcing and ``streamflow`` [mm d-1] ``(basin, time)``, attributes ``(basin)``,
        coordinates ``latitude``, ``longitude``, ``gauge`` (NRFA number), ``name``,
        ``country``, ``product``.

    Raises
    ------
    InputError
        For unknown sites, an unknown layout, or text that cannot be read.
    """
    if (Path(path) / "timeseries").is_dir():
        return finish(_version_1(Path(path), sites), VERSION_1, path, chunks)
    file = find(path, "camels_gb2.nc", VERSION_2)
    needed = {"site", "time", "prcp", "tmean", "streamflow"}
    with netcdf(file, VERSION_2, needed, chunks) as raw:
        raw = select(raw, "site", sites, "basin")
        raw = raw.rename(lat="latitude", lon="longitude").reset_coords("area")
        ds = _labelled(take(raw, COLUMNS_2), "haduk")
        return finish(ds, VERSION_2, file, chunks)


def _labelled(ds: xr.Dataset, product: str) -> xr.Dataset:
    """Add what is the same in both versions."""
    gauges = numbers(ds["basin"].values)
    return label(ds, "basin", gauge=gauges, country="GB", product=product)


def _version_1(folder: Path, sites: Sequence[str] | None) -> xr.Dataset:
    """Read the CSV files of version 1."""
    found = sorted((folder / "timeseries").glob(f"{_TIMESERIES}*.csv"))
    if not found:
        raise unknown_layout(folder, VERSION_1)
    files = {
        _PREFIX + file.name.removeprefix(_TIMESERIES).partition("_")[0]: file
        for file in found
    }
    wanted = choose(files, sites, "basin")
    originals = tuple(column.original for column in DAILY_1)
    layout = Layout(originals, date=("date",), separator=",")
    tables = read_tables({each: files[each] for each in wanted}, layout)
    ds = take(stack(tables, "basin"), DAILY_1)
    columns = [column for part in ATTRIBUTES_1.values() for column in part]
    table = _attributes_1(folder).reindex(wanted).rename_axis("basin")
    ds = ds.assign(take(table[[c.original for c in columns]].to_xarray(), columns))
    ds = ds.assign_coords(
        latitude=("basin", table["gauge_lat"].to_numpy()),
        longitude=("basin", table["gauge_lon"].to_numpy()),
    )
    ds = label(ds, "basin", name=table["gauge_name"])
    return _labelled(ds, "chess")


def _attributes_1(folder: Path) -> pd.DataFrame:
    """Read the attribute tables of version 1."""
    groups = []
    for part, columns in ATTRIBUTES_1.items():
        numbers, words = _PLACE_1.get(part, ((), ()))
        originals = (*numbers, *(column.original for column in columns))
        layout = Layout(originals, ("gauge_id", *words), separator=",")
        groups.append(({"": folder / f"CAMELS_GB_{part}_attributes.csv"}, layout))
    tables = [group[""] for group in read_groups(groups)]
    ids = [_PREFIX + table.pop("gauge_id") for table in tables]
    parts = [table.set_index(i) for table, i in zip(tables, ids, strict=True)]
    return pd.concat(parts, axis=1)
