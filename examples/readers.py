"""Read real observations: CAMELS-US basins and USCRN stations.

Two layouts each: NetCDF files that hold all places, and the text files as published.
Every reader returns a Dataset that ``ds.stefaland`` takes as it is, with the observed
target beside its inputs. They are examples: copy one and adapt it to your files.

What they mind, so that the model sees what it was trained on:

- Forcing products define the day differently, so each basin has one product only.
- CAMELS' radiation is the mean over daylight; the model's is over the whole day.
- NLDAS and Maurer give the mean temperature as maximum and as minimum.
- Attributes computed from streamflow are not read: they would leak the target.
- The potential evapotranspiration of ERA5-Land is not used; the package derives it.
- USCRN's radiation has outliers, which count as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

SECONDS_PER_DAY = 86400.0
CUBIC_FOOT = 0.028316846592  # [m3]
LARGEST_RADIATION = 45.0  # [MJ m-2 d-1]; no place on Earth receives more

CATALOGUE = {
    "precipitation": {
        "units": "mm d-1",
        "standard_name": "lwe_precipitation_rate",
        "cell_methods": "time: mean",
    },
    "temperature": {
        "units": "degC",
        "standard_name": "air_temperature",
        "cell_methods": "time: mean",
    },
    "temperature_max": {
        "units": "degC",
        "standard_name": "air_temperature",
        "cell_methods": "time: maximum",
    },
    "temperature_min": {
        "units": "degC",
        "standard_name": "air_temperature",
        "cell_methods": "time: minimum",
    },
    "shortwave_radiation": {
        "units": "W m-2",
        "standard_name": "surface_downwelling_shortwave_flux_in_air",
        "cell_methods": "time: mean",
    },
    "vapour_pressure": {
        "units": "Pa",
        "standard_name": "water_vapor_partial_pressure_in_air",
    },
    "relative_humidity": {"units": "percent", "standard_name": "relative_humidity"},
    "streamflow": {"units": "mm d-1", "long_name": "observed streamflow"},
    "soil_moisture": {
        "units": "m3 m-3",
        "standard_name": "volume_fraction_of_condensed_water_in_soil",
        "long_name": "observed soil moisture at 5 cm",
    },
    "latitude": {"units": "degrees_north", "standard_name": "latitude"},
    "longitude": {"units": "degrees_east", "standard_name": "longitude"},
}
"""CF attributes of what the readers return."""

CAMELS_ATTRIBUTES = {
    "elev_mean": "m",
    "slope_mean": "m km-1",
    "area_gages2": "km2",
    "soil_depth_pelletier": "m",
    "soil_depth_statsgo": "m",
    "soil_porosity": "1",
    "soil_conductivity": "cm h-1",
    "max_water_content": "m",
    "sand_frac": "percent",
    "silt_frac": "percent",
    "clay_frac": "percent",
    "organic_frac": "percent",
    "carbonate_rocks_frac": "1",
    "geol_porostiy": "1",  # spelled so in CAMELS
    "geol_permeability": "1",  # log10 of m2
    "frac_forest": "1",
    "lai_max": "1",
    "lai_diff": "1",
    "gvf_max": "1",
    "gvf_diff": "1",
    "root_depth_50": "m",
    "root_depth_99": "m",
}
"""Columns of CAMELS v2.0 that are read, with their units (Addor et al., 2017).

Climate indices are missing on purpose: the package derives them from the forcing.
"""

USCRN_COLUMNS = {1: "date", 3: "longitude", 4: "latitude"}
USCRN_COLUMNS |= {5: "temperature_max", 6: "temperature_min", 8: "temperature"}
USCRN_COLUMNS |= {9: "precipitation", 10: "shortwave_radiation"}
USCRN_COLUMNS |= {17: "relative_humidity", 18: "soil_moisture"}
"""Position of each variable in a line of a USCRN ``daily01`` file."""


def camels(path: Path, basins: Sequence[str] | None = None) -> xr.Dataset:
    """Read CAMELS-US from the NetCDF file ``camels_us.nc``.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it.
    basins : sequence of str, optional
        Gauge numbers such as ``"01022500"``; default: all with forcing.

    Returns
    -------
    xarray.Dataset
        Forcing and ``streamflow`` [mm d-1] ``(basin, time)``, attributes ``(basin)``.
        Coordinate ``product``: Daymet where the basin has it, else ERA5-Land, else
        NLDAS. Variables that a basin's product lacks are NaN there.
    """
    with xr.open_dataset(_file(path, "camels_us.nc")) as opened:
        product = _product(opened)
        wanted = opened["basin"].values[product != "none"] if basins is None else basins
        raw = opened.assign_coords(product=("basin", product)).sel(basin=list(wanted))
        parts = [
            _camels_forcing(raw.isel(basin=raw["product"].values == name), name)
            for name in np.unique(raw["product"].values)
        ]
        attributes = raw[list(CAMELS_ATTRIBUTES)].load()
    forcing = xr.concat(parts, "basin", join="outer", data_vars="all")
    ds = forcing.sel(basin=list(wanted)).merge(attributes, compat="override")
    return _described(ds.rename(gauge_lat="latitude", gauge_lon="longitude"), "CAMELS")


def uscrn(path: Path, stations: Sequence[str] | None = None) -> xr.Dataset:
    """Read USCRN stations from the NetCDF file ``uscrn_soil_moisture.nc``.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it.
    stations : sequence of str, optional
        WBAN numbers such as ``"53877"``; default: all.

    Returns
    -------
    xarray.Dataset
        Forcing and ``soil_moisture`` at 5 cm [m3 m-3] ``(station, time)``. Stations
        have no attributes but their position.
    """
    names = {
        "prcp": "precipitation",
        "tavg": "temperature",
        "tmax": "temperature_max",
        "tmin": "temperature_min",
        "srad": "shortwave_radiation",
        "rh_avg": "relative_humidity",
        "sm_5cm": "soil_moisture",
        "lat": "latitude",
        "lon": "longitude",
    }
    with xr.open_dataset(_file(path, "uscrn_soil_moisture.nc")) as opened:
        everything = opened["station"].values
        wanted = everything if stations is None else list(stations)
        columns = [name for name in names if name in opened.data_vars]
        ds = opened[columns].sel(station=wanted).load().rename(names)
    return _uscrn_dataset(ds)


def camels_text(
    folder: Path, product: str = "daymet", basins: Sequence[str] | None = None
) -> xr.Dataset:
    """Read CAMELS-US from the text files as published.

    Parameters
    ----------
    folder : Path
        With ``basin_mean_forcing``, ``usgs_streamflow``, ``camels_attributes_v2.0``;
        the folders by river basin (``01`` ... ``18``) may be there or not.
    product : {"daymet", "maurer", "maurer_extended", "nldas"}
        Whose forcing to read.
    basins : sequence of str, optional
        Gauge numbers; default: all that have forcing of this product.

    Returns
    -------
    xarray.Dataset
        As :func:`camels`.
    """
    forcing = Path(folder) / "basin_mean_forcing" / product
    files = {f.name[:8]: f for f in sorted(forcing.rglob("*_forcing_leap.txt"))}
    chosen = sorted(files) if basins is None else list(basins)
    table = _camels_tables(Path(folder) / "camels_attributes_v2.0").loc[chosen]
    flow = {f.name[:8]: f for f in Path(folder).rglob("*_streamflow_qc.txt")}
    area = table["area_gages2"].to_dict()
    parts = []
    for basin in chosen:
        days = _camels_forcing_text(files[basin], product)
        if basin in flow:
            days["streamflow"] = _camels_streamflow_text(flow[basin], area[basin])
        parts.append(days.to_xarray())
    ds = xr.concat(parts, "basin", join="outer", data_vars="all")
    values = table[list(CAMELS_ATTRIBUTES)].astype(np.float32)
    attributes = {name: ("basin", values[name].to_numpy()) for name in values}
    position = {
        "basin": np.array(chosen, dtype=str),
        "latitude": ("basin", table["gauge_lat"].to_numpy(float)),
        "longitude": ("basin", table["gauge_lon"].to_numpy(float)),
        "gauge_name": ("basin", table["gauge_name"].to_numpy(str)),
        "product": ("basin", [product] * len(chosen)),
    }
    return _described(ds.assign(attributes).assign_coords(position), "CAMELS")


def uscrn_text(folder: Path, stations: Sequence[str] | None = None) -> xr.Dataset:
    """Read USCRN stations from ``daily01`` files as NOAA publishes them.

    Parameters
    ----------
    folder : Path
        With folders by year and files ``CRND0103-<year>-<name>.txt`` in them.
    stations : sequence of str, optional
        Names such as ``"NC_Asheville_8_SSW"``; default: all.

    Returns
    -------
    xarray.Dataset
        As :func:`uscrn`.
    """
    files: dict[str, list[Path]] = {}
    for file in sorted(Path(folder).rglob("CRND0103-*.txt")):
        files.setdefault(file.stem.split("-", maxsplit=2)[2], []).append(file)
    chosen = sorted(files) if stations is None else list(stations)
    parts, numbers = [], []
    for name in chosen:
        table = pd.concat([_uscrn_file(file) for file in files[name]])
        numbers.append(table.pop("station").iloc[0])
        position = table[["latitude", "longitude"]].iloc[-1]
        days = table.drop(columns=["latitude", "longitude"]).to_xarray()
        parts.append(days.assign_coords(position.to_dict()))
    ds = xr.concat(parts, "station", join="outer", data_vars="all")
    labels = {"station": np.array(numbers, dtype=str), "name": ("station", chosen)}
    return _uscrn_dataset(ds.assign_coords(labels))


def _file(path: Path, name: str) -> Path:
    return path / name if Path(path).is_dir() else Path(path)


def _product(ds: xr.Dataset) -> np.ndarray:
    """Name the forcing product of each basin; the last one that it has wins."""
    product = np.full(ds.sizes["basin"], "none", dtype="<U8")
    for name in ("nldas", "era5land", "daymet"):
        product[ds[f"has_{name}"].values.astype(bool)] = name
    return product


def _camels_forcing(ds: xr.Dataset, product: str) -> xr.Dataset:
    """Take the forcing of one product, with the names and units of the catalogue."""
    out = ds[["streamflow"]].assign(precipitation=ds[f"prcp_{product}"])
    if product == "era5land":
        return out.assign(temperature=ds["tmean_era5land"]).load()
    high, low = ds[f"tmax_{product}"], ds[f"tmin_{product}"]
    out = out.assign(
        temperature=(high + low) / 2, vapour_pressure=ds[f"vp_{product}"]
    ).load()
    if product == "nldas":  # no length of the day in the file: no radiation
        return out
    radiation = ds["srad_daymet"] * ds["dayl_daymet"] / SECONDS_PER_DAY
    return out.assign(
        temperature_max=high, temperature_min=low, shortwave_radiation=radiation
    ).load()


def _camels_tables(folder: Path) -> pd.DataFrame:
    """Read the attribute tables of all basins, but not those of streamflow."""
    tables = [
        pd.read_csv(
            folder / f"camels_{name}.txt",
            sep=";",
            dtype={"gauge_id": str},
            index_col="gauge_id",
        )
        for name in ("name", "topo", "soil", "geol", "vege")
    ]
    return pd.concat(tables, axis=1).rename_axis("basin")


def _camels_forcing_text(file: Path, product: str) -> pd.DataFrame:
    """Read one forcing file; three lines of numbers come before the header."""
    raw = pd.read_csv(file, sep=r"\s+", skiprows=3)
    raw.columns = [name.lower().partition("(")[0] for name in raw.columns]
    dates = pd.to_datetime(
        {"year": raw["year"], "month": raw["mnth"], "day": raw["day"]}
    )
    days = pd.DataFrame(
        {
            "precipitation": raw["prcp"],
            "temperature": (raw["tmax"] + raw["tmin"]) / 2,
            "shortwave_radiation": raw["srad"] * raw["dayl"] / SECONDS_PER_DAY,
            "vapour_pressure": raw["vp"],
        }
    )
    if product in ("daymet", "maurer_extended"):
        days["temperature_max"], days["temperature_min"] = raw["tmax"], raw["tmin"]
    return days.set_index(pd.DatetimeIndex(dates, name="time"))


def _camels_streamflow_text(file: Path, area: float) -> pd.Series:
    """Read one discharge file [ft3 s-1] as a depth over the area [km2]: mm d-1."""
    names = ["gauge", "year", "month", "day", "flow", "flag"]
    raw = pd.read_csv(file, sep=r"\s+", names=names, dtype={"gauge": str})
    depth = raw["flow"] * CUBIC_FOOT * SECONDS_PER_DAY / (area * 1e6) * 1000
    dates = pd.DatetimeIndex(pd.to_datetime(raw[["year", "month", "day"]]))
    return pd.Series(depth.where(raw["flow"] >= 0).to_numpy(), index=dates)


def _uscrn_file(file: Path) -> pd.DataFrame:
    """Read one year of one station; ``-9999`` and ``-99`` mean missing."""
    raw = pd.read_csv(file, sep=r"\s+", header=None, dtype={0: str, 1: str})
    table = raw[list(USCRN_COLUMNS)].rename(columns=USCRN_COLUMNS)
    dates = pd.DatetimeIndex(pd.to_datetime(table.pop("date")), name="time")
    table = table.astype(float).set_index(dates)
    values = table.drop(columns=["latitude", "longitude"])
    table[values.columns] = values.where(values > -99)
    return table.assign(station=raw[0].to_numpy())


def _uscrn_dataset(ds: xr.Dataset) -> xr.Dataset:
    """Drop impossible values and describe what is left."""
    limits = {
        "precipitation": (0.0, np.inf),
        "shortwave_radiation": (0.0, LARGEST_RADIATION),
        "relative_humidity": (0.0, 100.0),
        "soil_moisture": (0.0, 1.0),
    }
    for name, (low, high) in limits.items():
        ds[name] = ds[name].where((ds[name] >= low) & (ds[name] <= high))
    radiation = {
        "units": "MJ m-2 d-1",
        "standard_name": "surface_downwelling_shortwave_flux_in_air",
    }
    return _described(ds, "USCRN", {"shortwave_radiation": radiation})


def _described(
    ds: xr.Dataset, source: str, other: Mapping[str, Mapping[str, str]] | None = None
) -> xr.Dataset:
    """Give every variable its CF attributes, and put the sites first."""
    attributes = {name: {"units": unit} for name, unit in CAMELS_ATTRIBUTES.items()}
    known = {**CATALOGUE, **attributes, **(other or {})}
    for name, variable in ds.variables.items():
        if name in known:
            variable.attrs = dict(known[name])
    ds = ds.drop_encoding()
    daily = [name for name in ds.data_vars if "time" in ds[name].dims]
    for name in daily:
        ds[name] = ds[name].astype(np.float32)
    return ds.transpose(..., "time").assign_attrs(source=source)
