"""CAMELS-US: 671 basins of the United States, in the text files as published or NetCDF.

Products define the day differently (Daymet lags ERA5-Land by half a day), so a basin
has one product only. Columns computed from streamflow are not read, nor the climate
indices: they belong to Daymet, and the package derives them from the forcing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from xstefaland.datasets.columns import SECONDS_PER_DAY, Column, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf
from xstefaland.datasets.sites import choose, join, label, select
from xstefaland.datasets.text import Layout, read_groups, stack
from xstefaland.errors import InputError, join_problems

ARCHIVE = Archive(
    "camels_us",
    "CAMELS-US",
    "USGS streamflow; forcing of Daymet, ERA5-Land (Caravan), NLDAS or Maurer",
    "CAMELS: open (NCAR); ERA5-Land part: CC-BY-4.0; Daymet, NLDAS: NASA open data",
    "Newman et al. (2015), doi:10.5194/hess-19-209-2015; "
    "Addor et al. (2017), doi:10.5194/hess-21-5293-2017; "
    "ERA5-Land part: Kratzert et al. (2023), doi:10.1038/s41597-023-01975-w",
    (
        "a folder with basin_mean_forcing, usgs_streamflow and camels_attributes_v2.0",
        "camels_us.nc or camels_us_maurer.nc, or the folder that holds them",
    ),
)

# Radiation in the files is the mean over daylight: times the length of the day it is
# the mean over the whole day.
_RADIATION = "srad * dayl / 86400"
_MEAN = "(tmax + tmin) / 2"
_STREAMFLOW = Column("streamflow", "streamflow", "mm d-1")
_RAIN = Column("precipitation", "prcp", "mm d-1")
_VAPOUR = Column("vapour_pressure", "vp", "Pa")
_MEANS = (
    _RAIN,
    Column("temperature", _MEAN, "degC"),
    Column("shortwave_radiation", _RADIATION, "W m-2"),
    _VAPOUR,
    _STREAMFLOW,
)
_EXTREMES = (
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
)

FORCINGS: dict[str, tuple[Column, ...]] = {
    "daymet": (*_MEANS, *_EXTREMES),
    "era5land": (_RAIN, Column("temperature", "tmean", "degC"), _STREAMFLOW),
    "maurer_extended": (*_MEANS, *_EXTREMES),
    # Both give the mean of the day as maximum and as minimum: no extremes.
    "nldas": _MEANS,
    "maurer": _MEANS,
}
"""Forcing products, the best one first, and what each has.

ERA5-Land's potential evapotranspiration is unusable (13 mm/d) and not read.
"""

ATTRIBUTES = (
    Column("elevation", "elev_mean", "m"),
    Column("slope", "slope_mean", "m km-1"),
    Column("area", "area_gages2", "km2"),
    Column("soil_depth", "soil_depth_pelletier", "m"),
    Column("soil_depth_statsgo", "soil_depth_statsgo", "m"),
    Column("soil_porosity", "soil_porosity", "1"),
    Column("soil_conductivity", "soil_conductivity", "cm h-1"),
    Column("max_water_content", "max_water_content", "m"),
    Column("sand", "sand_frac", "percent"),
    Column("silt", "silt_frac", "percent"),
    Column("clay", "clay_frac", "percent"),
    Column("organic_frac", "organic_frac", "percent"),
    Column("carbonate_rocks_frac", "carbonate_rocks_frac", "1"),
    Column("geol_porosity", "geol_porostiy", "1"),  # spelled so in CAMELS
    Column("geol_permeability", "geol_permeability", "1"),
    Column("frac_forest", "frac_forest", "1"),
    Column("lai_max", "lai_max", "1"),
    Column("lai_diff", "lai_diff", "1"),
    Column("gvf_max", "gvf_max", "1"),
    Column("gvf_diff", "gvf_diff", "1"),
    Column("root_depth_50", "root_depth_50", "m"),
    Column("root_depth_99", "root_depth_99", "m"),
)
"""Columns of CAMELS v2.0 with their units (Addor et al., 2017)."""

_ORIGINALS = tuple(column.original for column in ATTRIBUTES)
_NETCDF, _MAURER = "camels_us.nc", "camels_us_maurer.nc"
_CUBIC_FOOT = 0.028316846592  # [m3]
_DAY = ("year", "mnth", "day")
_FORCING_TEXT = Layout(
    ("dayl", "prcp", "srad", "tmax", "tmin", "vp"), date=_DAY, skip=3, plain_names=True
)
_FLOW_TEXT = Layout(("flow",), date=_DAY, names=("gauge", *_DAY, "flow", "flag"))
_ID = ("gauge_id",)
_TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # numbers and text
    "name": ((), (*_ID, "huc_02", "gauge_name")),
    "topo": (("gauge_lat", "gauge_lon", *_ORIGINALS[:3]), _ID),
    "soil": (_ORIGINALS[3:12], _ID),
    "geol": (_ORIGINALS[12:15], _ID),
    "vege": (_ORIGINALS[15:], _ID),
}


def camels_us(
    path: str | Path,
    sites: Sequence[str] | None = None,
    *,
    product: str | None = None,
    chunks: Chunks = None,
) -> xr.Dataset:
    """Read CAMELS-US: text files as published, or ``camels_us.nc``.

    Parameters
    ----------
    path : path-like
        The folder with ``basin_mean_forcing``, ``usgs_streamflow`` and
        ``camels_attributes_v2.0`` (folders by river basin in them or not); or the
        NetCDF file, or the folder that holds it.
    sites : sequence of str, optional
        Gauge numbers such as ``"01022500"``; default: all with forcing.
    product : str, optional
        Forcing product: ``"daymet"``, ``"era5land"`` (NetCDF), ``"maurer_extended"``
        (text, or ``camels_us_maurer.nc``), ``"nldas"``, ``"maurer"`` (text). Default:
        for each basin the first of these that it has; ``camels_us_maurer.nc`` is read
        only by name.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Forcing and ``streamflow`` [mm d-1] ``(basin, time)``, attributes ``(basin)``,
        coordinates ``latitude``, ``longitude``, ``gauge``, ``name``, ``country``,
        ``huc_02``, ``product``. What a basin's product lacks is NaN there.

    Raises
    ------
    InputError
        For unknown sites or products, an unknown layout, or text that cannot be read.
    """
    if product is not None and product not in FORCINGS:
        raise InputError(
            f"product={product!r} is unknown; known: {', '.join(FORCINGS)}"
        )
    if (Path(path) / "basin_mean_forcing").is_dir():
        ds = _text(Path(path), sites, product)
        return finish(ds, ARCHIVE, path, chunks)
    extended = product == "maurer_extended" or Path(path).name == _MAURER
    file = find(path, _MAURER if extended else _NETCDF, ARCHIVE)
    if extended:
        return _maurer(file, sites, chunks)
    return _netcdf(file, sites, product, chunks)


def _netcdf(
    file: Path, sites: Sequence[str] | None, product: str | None, chunks: Chunks
) -> xr.Dataset:
    """Read ``camels_us.nc``: several products side by side."""
    needed = {"basin", "time", "streamflow", "prcp_era5land", "has_daymet"}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        basins = raw["basin"].values.astype(str)
        products = _products(
            {
                name: basins[raw[f"has_{name}"].values.astype(bool)]
                for name in FORCINGS
                if f"has_{name}" in raw
            },
            product,
        )
        wanted = _with_forcing(basins, products, sites, product)
        parts = [
            take(_computed(_one_product(raw, group, name)), FORCINGS[name])
            for name, group in _by_product(wanted, products).items()
        ]
        ds = join(parts, "basin", wanted).assign(
            take(raw.sel(basin=wanted), ATTRIBUTES)
        )
        return finish(_labelled(ds, products), ARCHIVE, file, chunks)


def _maurer(file: Path, sites: Sequence[str] | None, chunks: Chunks) -> xr.Dataset:
    """Read ``camels_us_maurer.nc``; attributes are in the other file beside it."""
    beside = file.parent / _NETCDF
    needed = {"site", "time", "prcp", "vp", "streamflow"}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        raw = select(raw, "site", sites, "basin")
        wanted = raw["basin"].values.astype(str)
        # Radiation is the mean of the whole day in this file already.
        raw = _computed(raw.rename(srad=_RADIATION))
        ds = take(raw, FORCINGS["maurer_extended"])
        ds = ds.rename(lat="gauge_lat", lon="gauge_lon")
        if beside.is_file():
            with netcdf(beside, ARCHIVE, ["basin", *_ORIGINALS], None) as other:
                ds = ds.assign(take(other.reindex(basin=wanted), ATTRIBUTES).load())
        products = dict.fromkeys(wanted, "maurer_extended")
        return finish(_labelled(ds, products), ARCHIVE, file, chunks)


def _products(
    having: Mapping[str, Iterable[str]], product: str | None
) -> dict[str, str]:
    """One product for each basin: the one that is asked for, or the best."""
    found: dict[str, str] = {}
    for name, basins in having.items():
        if product in (None, name):
            for basin in basins:
                found.setdefault(str(basin), name)
    return found


def _with_forcing(
    known: Iterable[str],
    products: Mapping[str, str],
    sites: Sequence[str] | None,
    product: str | None,
) -> list[str]:
    """Basins that are asked for, all of which must have forcing."""
    if sites is None:
        wanted = [str(basin) for basin in known if str(basin) in products]
        if not wanted:
            raise InputError(f"no basin has forcing of product={product!r} here")
        return wanted
    wanted = choose(known, sites, "basin")
    what = f"forcing of {product}" if product else "forcing"
    problems = [
        f"basin {each!r} has no {what} here" for each in wanted if each not in products
    ]
    if problems:
        hint = 'try product="maurer_extended", which has a file of its own'
        raise InputError(join_problems(f"cannot read CAMELS-US; {hint}", problems))
    return wanted


def _by_product(
    wanted: Sequence[str], products: Mapping[str, str]
) -> dict[str, list[str]]:
    """Basins of each product, the best product first."""
    groups = {
        name: [each for each in wanted if products[each] == name] for name in FORCINGS
    }
    return {name: group for name, group in groups.items() if group}


def _one_product(raw: xr.Dataset, basins: Sequence[str], product: str) -> xr.Dataset:
    """Take forcing and flow of some basins, without the product in the names."""
    ending = f"_{product}"
    names = {
        str(name): str(name).removesuffix(ending)
        for name in raw.data_vars
        if str(name).endswith(ending) and raw[name].ndim == 2
    }
    part = raw[[*names, "streamflow"]].sel(basin=list(basins)).rename(names)
    # The file's axis begins a year before ERA5-Land does.
    return part.sel(time=slice("1981-01-01", None)) if product == "era5land" else part


def _computed(raw: xr.Dataset) -> xr.Dataset:
    """Add what the package needs and the files have in another form."""
    new = {}
    if "tmax" in raw and "tmin" in raw:
        new[_MEAN] = (raw["tmax"] + raw["tmin"]) / 2
    if "srad" in raw and "dayl" in raw:  # NLDAS lacks the length of the day in NetCDF
        new[_RADIATION] = raw["srad"] * raw["dayl"] / SECONDS_PER_DAY
    return raw.assign(new)


def _labelled(ds: xr.Dataset, products: Mapping[str, str]) -> xr.Dataset:
    """Name the coordinates as in the other archives."""
    basins = ds["basin"].values.astype(str)
    names = {"gauge_lat": "latitude", "gauge_lon": "longitude", "gauge_name": "name"}
    ds = ds.rename({old: new for old, new in names.items() if old in ds.coords})
    chosen = [products[basin] for basin in basins]
    return label(ds, "basin", gauge=list(basins), country="US", product=chosen)


def _text(folder: Path, sites: Sequence[str] | None, product: str | None) -> xr.Dataset:
    """Read the text files as published."""
    every = folder / "basin_mean_forcing"
    files = {
        name: _by_basin((every / name).rglob("*_forcing_leap.txt")) for name in FORCINGS
    }
    products = _products(files, product)
    table = _attribute_tables(folder / "camels_attributes_v2.0")
    wanted = _with_forcing(sorted(table.index), products, sites, product)
    flow = _by_basin((folder / "usgs_streamflow").rglob("*_streamflow_qc.txt"))
    forcing, discharge = read_groups(
        [
            ({each: files[products[each]][each] for each in wanted}, _FORCING_TEXT),
            ({each: flow[each] for each in wanted if each in flow}, _FLOW_TEXT),
        ]
    )
    for each, days in discharge.items():  # a gauge may have no observations
        forcing[each] = forcing[each].join(_depth(days, table["area_gages2"][each]))
    parts = []
    for name, group in _by_product(wanted, products).items():
        raw = stack({each: forcing[each] for each in group}, "basin")
        parts.append(take(_computed(raw), FORCINGS[name]))
    values = table.loc[wanted].rename_axis("basin")
    places = ["gauge_lat", "gauge_lon", "gauge_name", "huc_02"]
    coordinates = {name: ("basin", values[name].to_numpy()) for name in places[:2]}
    words = {name: values[name] for name in places[2:]}
    attributes = xr.Dataset(
        {name: ("basin", values[name].to_numpy()) for name in _ORIGINALS}
    )
    ds = join(parts, "basin", wanted).assign(take(attributes, ATTRIBUTES))
    ds = label(ds.assign_coords(coordinates), "basin", **words)
    return _labelled(ds, products)


def _attribute_tables(folder: Path) -> pd.DataFrame:
    """Read the attribute tables of all basins, but neither climate nor streamflow."""
    groups = [
        ({"": folder / f"camels_{name}.txt"}, Layout(numbers, text, separator=";"))
        for name, (numbers, text) in _TABLES.items()
    ]
    tables = [group[""].set_index("gauge_id") for group in read_groups(groups)]
    return pd.concat(tables, axis=1)


def _by_basin(files: Iterable[Path]) -> dict[str, Path]:
    """Files by the gauge number with which their names begin."""
    return {file.name.partition("_")[0]: file for file in sorted(files)}


def _depth(discharge: pd.DataFrame, area: float) -> pd.DataFrame:
    """Discharge [ft3 s-1] as a depth over the area [km2]: mm d-1."""
    flow = discharge["flow"].where(discharge["flow"] >= 0)  # -999: missing
    depth = flow * _CUBIC_FOOT * SECONDS_PER_DAY / (area * 1e6) * 1000
    return depth.to_frame("streamflow")
