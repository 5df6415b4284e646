"""Caravan: basins of the world with ERA5-Land weather and HydroATLAS attributes.

Not read, on purpose: potential evaporation and what was computed from it (``pet_mean``,
``aridity``, ``moisture_index``, ``seasonality``), for ERA5-Land's is several times too
high; soil water of the model and HydroATLAS' discharge and runoff, for they leak the
target.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
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
from xstefaland.datasets.sites import choose, join, label, numbers, select
from xstefaland.datasets.text import Layout, read_groups, read_tables, stack

ARCHIVE = Archive(
    "caravan",
    "Caravan",
    "ERA5-Land; HydroATLAS; streamflow of the national services",
    "CC-BY-4.0",
    "Kratzert et al. (2023), doi:10.1038/s41597-023-01975-w; "
    "Linke et al. (2019), doi:10.1038/s41597-019-0300-6",
    (
        "a folder with attributes/<source> and timeseries/netcdf/<source> or "
        "timeseries/csv/<source>",
        "caravan_100d.nc (attributes from caravan_attributes.parquet beside it), or "
        "the folder that holds it",
    ),
)
TABLES = Archive(
    "caravan_attributes",
    ARCHIVE.title + " attributes",
    "ERA5-Land; HydroATLAS",
    ARCHIVE.licence,
    ARCHIVE.references,
    (
        "a folder with attributes/<source>",
        "caravan_attributes.parquet, or the folder that holds it",
    ),
)

DAILY = (
    Column("precipitation", "total_precipitation_sum", "mm d-1"),
    Column("temperature", "temperature_2m_mean", "degC"),
    Column("temperature_max", "temperature_2m_max", "degC"),
    Column("temperature_min", "temperature_2m_min", "degC"),
    Column("dewpoint_temperature", "dewpoint_temperature_2m_mean", "degC"),
    Column("eastward_wind", "u_component_of_wind_10m_mean", "m s-1"),
    Column("northward_wind", "v_component_of_wind_10m_mean", "m s-1"),
    Column("surface_pressure", "surface_pressure_mean", "kPa"),
    Column("net_shortwave_radiation", "surface_net_solar_radiation_mean", "W m-2"),
    Column("net_longwave_radiation", "surface_net_thermal_radiation_mean", "W m-2"),
    Column("snow_depth_water_equivalent", "snow_depth_water_equivalent_mean", "mm"),
    Column("streamflow", "streamflow", "mm d-1"),
)
"""Daily columns (Caravan v1)."""

_CLIMATE = (
    Column("p_mean", "p_mean", "mm d-1"),
    Column("frac_snow", "frac_snow", "1"),
    Column("high_prec_freq", "high_prec_freq", "1", "share of days"),
    Column("high_prec_dur", "high_prec_dur", "d"),
    Column("low_prec_freq", "low_prec_freq", "1", "share of days"),
    Column("low_prec_dur", "low_prec_dur", "d"),
)
_HYDROATLAS = (
    Column("temperature_mean", "tmp_dc_syr", "0.1 degC"),
    Column("permafrost_frac", "prm_pc_sse", "percent"),
    Column("elevation", "ele_mt_sav", "m"),
    Column("slope", "slp_dg_sav", "0.1 degree"),
    Column("sand", "snd_pc_sav", "percent"),
    Column("silt", "slt_pc_sav", "percent"),
    Column("clay", "cly_pc_sav", "percent"),
    Column("soil_organic_carbon", "soc_th_sav", "t ha-1"),
    Column("soil_erosion", "ero_kh_sav", "kg ha-1 yr-1"),
    Column("karst_frac", "kar_pc_sse", "percent"),
    Column("groundwater_table_depth", "gwt_cm_sav", "cm"),
    Column("frac_forest", "for_pc_sse", "percent"),
    Column("crop_frac", "crp_pc_sse", "percent"),
    Column("pasture_frac", "pst_pc_sse", "percent"),
    Column("glacier_frac", "gla_pc_sse", "percent"),
    Column("wetland_frac", "wet_pc_sg1", "percent"),
    Column("population_density", "ppd_pk_sav", "km-2"),
    Column("urban_frac", "urb_pc_sse", "percent"),
    Column("irrigated_frac", "ire_pc_sse", "percent"),
    Column("gdp_per_capita", "gdp_ud_sav", "USD"),
    Column("human_footprint", "hft_ix_s09", "0.1"),
)
ATTRIBUTES = (Column("area", "area", "km2"), *_CLIMATE, *_HYDROATLAS)
"""Attributes (Caravan v1 with HydroATLAS v1, which stores some columns times 10)."""

_TABLE_COLUMNS = {  # tables of one source: numbers and text
    "other": (("gauge_lat", "gauge_lon", "area"), ("gauge_name", "country")),
    "caravan": (tuple(column.original for column in _CLIMATE), ()),
    "hydroatlas": (tuple(column.original for column in _HYDROATLAS), ()),
}
_ORIGINALS = tuple(column.original for column in DAILY)
_CSV = Layout(_ORIGINALS, date=("date",), separator=",")
_NEEDED = {"basin", "day", "start_date", "area", *_ORIGINALS}
_PARQUET = "caravan_attributes.parquet"


def caravan(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read Caravan: NetCDF or CSV as published, or ``caravan_100d.nc``.

    Parameters
    ----------
    path : path-like
        The folder with ``attributes`` and ``timeseries`` (NetCDF is preferred to CSV);
        or ``caravan_100d.nc``, or the folder that holds it.
    sites : sequence of str, optional
        Ids such as ``"camelsgb_10002"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Forcing and ``streamflow`` [mm d-1] ``(basin, time)``, attributes ``(basin)``,
        coordinates ``latitude``, ``longitude``, ``gauge`` (number in its network),
        ``name``, ``country``, ``source`` (which data set), ``product``. Records that
        start or end on different days are NaN outside. ``caravan_100d.nc`` is one
        season only.

    Raises
    ------
    InputError
        For unknown sites, an unknown layout, or files that cannot be read.
    """
    series = Path(path) / "timeseries"
    if series.is_dir():
        ds = _published(series, sites, chunks)
        table = _tables(Path(path), sorted({_source(b) for b in ds["basin"].values}))
        return finish(_with_attributes(ds, table), ARCHIVE, path, chunks)
    file = find(path, "caravan_100d.nc", ARCHIVE)
    with netcdf(file, ARCHIVE, _NEEDED, chunks) as raw:
        raw = select(raw, "basin", sites, "basin")[[*_ORIGINALS, "start_date", "area"]]
        if chunks is None:
            raw = raw.load()  # to be taken apart in memory, not by scattered reads
        ds = _hundred_days(raw)
        beside = file.parent / _PARQUET
        table = _parquet(beside) if beside.is_file() else _positions(raw)
        return finish(_with_attributes(ds, table), ARCHIVE, file, chunks)


def caravan_attributes(
    path: str | Path, sites: Sequence[str] | None = None
) -> xr.Dataset:
    """Read Caravan's attributes alone, to be set beside another archive's weather.

    Parameters
    ----------
    path : path-like
        The folder with ``attributes``; or ``caravan_attributes.parquet``, or the folder
        that holds it.
    sites : sequence of str, optional
        Ids such as ``"camelsch_2016"``; default: all.

    Returns
    -------
    xarray.Dataset
        Attributes ``(basin)``, and coordinates as :func:`caravan` gives them.

    Raises
    ------
    InputError
        For unknown sites, an unknown layout, or files that cannot be read.

    Examples
    --------
    Swiss basins with HydroATLAS attributes where these are known, else missing::

        ds = datasets.camels_ch(folder)
        table = datasets.caravan_attributes(folder).reset_coords(drop=True)
        land = table.reindex(basin=ds.basin)
        ds = ds.merge(land, compat="override")  # what both have is camels_ch's
    """
    file = Path(path)
    if (file / "attributes").is_dir():
        folders = (each for each in (file / "attributes").iterdir() if each.is_dir())
        table = _tables(file, sorted(each.name for each in folders))
    else:
        file = find(path, _PARQUET, TABLES)
        table = _parquet(file)
    basins = np.array(choose(table.index, sites, "basin"), dtype=np.str_)
    ds = _with_attributes(xr.Dataset(coords={"basin": basins}), table)
    return finish(ds.drop_vars("product"), TABLES, file, None)


def _source(basin: str) -> str:
    """Name of the data set in Caravan that a basin is of."""
    return str(basin).partition("_")[0]


def _published(series: Path, sites: Sequence[str] | None, chunks: Chunks) -> xr.Dataset:
    """Read one file for each basin."""
    for kind, ending in (("netcdf", "nc"), ("csv", "csv")):
        files = {
            file.stem: file for file in sorted(series.glob(f"{kind}/*/*.{ending}"))
        }
        if not files:
            continue
        wanted = choose(files, sites, "basin")
        chosen = {each: files[each] for each in wanted}
        if kind == "csv":
            return take(stack(read_tables(chosen, _CSV), "basin"), DAILY)
        parts = [_one_netcdf(each, file, chunks) for each, file in chosen.items()]
        return join(parts, "basin", wanted)
    raise unknown_layout(series.parent, ARCHIVE)


def _one_netcdf(basin: str, file: Path, chunks: Chunks) -> xr.Dataset:
    """Read the record of one basin."""
    with netcdf(file, ARCHIVE, {"date", *_ORIGINALS}, chunks) as raw:
        ds = take(raw.rename(date="time"), DAILY).expand_dims(basin=[basin])
        return ds.load() if chunks is None else ds


def _hundred_days(raw: xr.Dataset) -> xr.Dataset:
    """Put records that start on different days on one axis."""
    starts = pd.DatetimeIndex(raw["start_date"].values)
    parts = []
    for start in starts.unique().sort_values():
        part = take(raw.isel(basin=np.flatnonzero(starts == start)), DAILY)
        days = start + pd.to_timedelta(part["day"].values, unit="D")
        parts.append(part.rename(day="time").assign_coords(time=days.as_unit("ns")))
    return join(parts, "basin", raw["basin"].values)


def _tables(folder: Path, sources: Sequence[str]) -> pd.DataFrame:
    """Read the attribute tables of some data sets."""
    groups = []
    for part, (columns, words) in _TABLE_COLUMNS.items():
        files = {
            name: folder / "attributes" / name / f"attributes_{part}_{name}.csv"
            for name in sources
        }
        layout = Layout(columns, ("gauge_id", *words), separator=",")
        groups.append((files, layout))
    parts = [pd.concat(tables.values()) for tables in read_groups(groups)]
    return pd.concat([part.set_index("gauge_id") for part in parts], axis=1)


def _parquet(file: Path) -> pd.DataFrame:
    """Read the attribute tables of all data sets."""
    names = [column.original for column in ATTRIBUTES]
    names += ["gauge_id", "gauge_lat", "gauge_lon", "gauge_name", "country"]
    try:
        table = pd.read_parquet(file, columns=names)
    except ImportError as err:
        raise ImportError(
            f"reading '{file}' needs pyarrow: `pip install pyarrow` or "
            "`conda install pyarrow`"
        ) from err
    return table.set_index("gauge_id")


def _positions(raw: xr.Dataset) -> pd.DataFrame:
    """Make a table of what ``caravan_100d.nc`` itself says about its basins."""
    names = ("gauge_lat", "gauge_lon", "area")
    columns = {name: raw[name].values for name in names}
    return pd.DataFrame(columns, index=raw["basin"].values.astype(str))


def _with_attributes(ds: xr.Dataset, table: pd.DataFrame) -> xr.Dataset:
    """Add attributes and coordinates from the table of all basins."""
    basins = ds["basin"].values.astype(str)
    rows = table.reindex(basins)
    columns = [column for column in ATTRIBUTES if column.original in rows]
    raw = xr.Dataset(
        {c.original: ("basin", rows[c.original].to_numpy(float)) for c in columns}
    )
    ds = ds.drop_vars([name for name in ds.coords if name not in ds.indexes])
    ds = ds.assign(take(raw, columns)).assign_coords(
        latitude=("basin", rows["gauge_lat"].to_numpy(float)),
        longitude=("basin", rows["gauge_lon"].to_numpy(float)),
    )
    words = {"name": "gauge_name", "country": "country"}
    known = {name: rows[old] for name, old in words.items() if old in rows}
    sources = [_source(basin) for basin in basins]
    ds = label(ds, "basin", gauge=numbers(basins), source=sources, product="era5land")
    return label(ds, "basin", **known)
