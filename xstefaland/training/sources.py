"""Readers of the corpus files: each gives canonical variables in canonical units.

The files and their traps are described in the data's own README: products are never
mixed within a basin, ERA5-Land's PET is not used, Daymet's radiation is a daylight
mean, columns computed from streamflow are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.inputs.formulas import climate, humidity, pet

Floats = NDArray[np.float32]
SECONDS_PER_DAY = 86400.0
MEGAJOULE_PER_DAY = 1e6 / SECONDS_PER_DAY  # [W m-2]

# canonical attribute -> column, factor (CAMELS v2.0)
CAMELS_ATTRIBUTES = {
    "elevation": ("elev_mean", 1.0),
    "slope": ("slope_mean", 1.0),
    "area": ("area_gages2", 1.0),
    "sand": ("sand_frac", 1.0),
    "silt": ("silt_frac", 1.0),
    "clay": ("clay_frac", 1.0),
    "organic_frac": ("organic_frac", 1.0),
    "soil_depth": ("soil_depth_pelletier", 1.0),
    "soil_depth_statsgo": ("soil_depth_statsgo", 1.0),
    "soil_porosity": ("soil_porosity", 1.0),
    "soil_conductivity": ("soil_conductivity", 1.0),
    "max_water_content": ("max_water_content", 1.0),
    "carbonate_rocks_frac": ("carbonate_rocks_frac", 1.0),
    "geol_porosity": ("geol_porostiy", 1.0),
    "geol_permeability": ("geol_permeability", 1.0),
    "frac_forest": ("frac_forest", 1.0),
    "lai_max": ("lai_max", 1.0),
    "lai_diff": ("lai_diff", 1.0),
    "gvf_max": ("gvf_max", 1.0),
    "gvf_diff": ("gvf_diff", 1.0),
    "root_depth_50": ("root_depth_50", 1.0),
    "root_depth_99": ("root_depth_99", 1.0),
}
# canonical attribute -> column, factor (Caravan v1 with HydroATLAS v1)
CARAVAN_ATTRIBUTES = {
    "p_mean": ("p_mean", 1.0),
    "frac_snow": ("frac_snow", 1.0),
    "high_prec_freq": ("high_prec_freq", 365.25),
    "high_prec_dur": ("high_prec_dur", 1.0),
    "low_prec_freq": ("low_prec_freq", 365.25),
    "low_prec_dur": ("low_prec_dur", 1.0),
    "temperature_mean": ("tmp_dc_syr", 0.1),
    "permafrost_frac": ("prm_pc_sse", 0.01),
    "elevation": ("ele_mt_sav", 1.0),
    "area": ("area", 1.0),
    "sand": ("snd_pc_sav", 1.0),
    "silt": ("slt_pc_sav", 1.0),
    "clay": ("cly_pc_sav", 1.0),
    "soil_organic_carbon": ("soc_th_sav", 1.0),
    "soil_erosion": ("ero_kh_sav", 1.0),
    "karst_frac": ("kar_pc_sse", 0.01),
    "groundwater_table_depth": ("gwt_cm_sav", 1.0),
    "frac_forest": ("for_pc_sse", 0.01),
    "crop_frac": ("crp_pc_sse", 0.01),
    "pasture_frac": ("pst_pc_sse", 0.01),
    "glacier_frac": ("gla_pc_sse", 0.01),
    "population_density": ("ppd_pk_sav", 1.0),
    "urban_frac": ("urb_pc_sse", 0.01),
    "irrigated_frac": ("ire_pc_sse", 0.01),
    "gdp_per_capita": ("gdp_ud_sav", 1.0),
}
ACRE = 0.00404685642  # [km2]


@dataclass(frozen=True)
class Source:
    """One product on its own sites.

    Attributes
    ----------
    forcing : mapping of str to ndarray
        ``(site, day)`` per canonical variable, NaN = missing.
    attributes : mapping of str to ndarray
        ``(site,)`` per canonical attribute, NaN = missing.
    sites : pandas.DataFrame
        Columns ``site`` (unique id), ``gauge`` (gauge number or ""), ``lat``, ``lon``,
        ``start`` (first day).
    targets : mapping of str to ndarray
        Observations ``(site, day)``; never an input.
    repeats : int
        How often an epoch visits each record.
    """

    forcing: Mapping[str, Floats]
    attributes: Mapping[str, Floats]
    sites: pd.DataFrame
    targets: Mapping[str, Floats]
    repeats: int = 1


def _values(array: xr.DataArray) -> Floats:
    return np.asarray(array.transpose(array.dims[0], ...), dtype=np.float32)


def _complete(
    forcing: dict[str, Floats], sites: pd.DataFrame
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Add what inference derives too: mean temperature, PET, humidity, climate."""
    if "temperature" not in forcing:
        warmest, coldest = forcing["temperature_max"], forcing["temperature_min"]
        forcing["temperature"] = ((warmest + coldest) / 2).astype(np.float32)
    temperature = forcing["temperature"]
    if "vapour_pressure" in forcing:
        forcing["relative_humidity"] = humidity.relative_humidity_from_vapour_pressure(
            forcing["vapour_pressure"], temperature
        ).astype(np.float32)
    elif "relative_humidity" in forcing:
        forcing["vapour_pressure"] = humidity.vapour_pressure_from_relative_humidity(
            forcing["relative_humidity"], temperature
        ).astype(np.float32)
    forcing["potential_evapotranspiration"] = _evapotranspiration(temperature, sites)
    indices: dict[str, Floats] = {}
    if sites["start"].nunique() == 1:
        dates = pd.date_range(sites["start"].iloc[0], periods=temperature.shape[1])
        found = climate.climate_indices(
            forcing["precipitation"],
            temperature,
            forcing["potential_evapotranspiration"],
            dates,
        )
        indices = {name: value.astype(np.float32) for name, value in found.items()}
    return forcing, indices


def _evapotranspiration(temperature: Floats, sites: pd.DataFrame) -> Floats:
    """Oudin's formula on records that may start on different days."""
    values = np.empty_like(temperature)
    latitude = sites["lat"].to_numpy(np.float32)
    for start in sites["start"].unique():
        rows = (sites["start"] == start).to_numpy()
        dates = pd.date_range(start, periods=temperature.shape[1])
        values[rows] = pet.oudin(temperature[rows], latitude[rows], dates.day_of_year)
    return values


def _camels_sites(ds: xr.Dataset, product: str) -> pd.DataFrame:
    gauge = ds["basin"].values.astype(str)
    return pd.DataFrame(
        {
            "site": [f"camels-{product}-{g}" for g in gauge],
            "gauge": gauge,
            "lat": ds["gauge_lat"].values,
            "lon": ds["gauge_lon"].values,
            "start": pd.Timestamp(ds["time"].values[0]),
        }
    )


def _camels(folder: Path, product: str, keep: str, repeats: int) -> Source:
    with xr.open_dataset(folder / "camels_us.nc") as ds:
        chosen = ds.isel(basin=np.flatnonzero(_camels_product(ds) == product))
        if product == "era5land":
            chosen = chosen.sel(time=slice("1981-01-01", None))
        ds = chosen.load()
    forcing = {"precipitation": _values(ds[f"prcp_{keep}"])}
    if product == "era5land":
        forcing["temperature"] = _values(ds["tmean_era5land"])
    elif product == "nldas":
        # tmax equals tmin there: both are the daily mean. Radiation is a daylight mean
        # (416 W m-2 at three basins) without the length of daylight: left out
        forcing["temperature"] = _values(ds["tmax_nldas"])
        forcing["vapour_pressure"] = _values(ds["vp_nldas"])
    else:
        forcing["temperature_max"] = _values(ds["tmax_daymet"])
        forcing["temperature_min"] = _values(ds["tmin_daymet"])
        forcing["shortwave_radiation"] = _values(
            ds["srad_daymet"] * ds["dayl_daymet"] / SECONDS_PER_DAY
        )
        forcing["vapour_pressure"] = _values(ds["vp_daymet"])
    sites = _camels_sites(ds, product)
    forcing, indices = _complete(forcing, sites)
    attributes = {
        name: np.asarray(ds[column], np.float32) * np.float32(factor)
        for name, (column, factor) in CAMELS_ATTRIBUTES.items()
    }
    targets = {"streamflow": _values(ds["streamflow"])}
    return Source(forcing, attributes | indices, sites, targets, repeats)


def _camels_product(ds: xr.Dataset) -> NDArray[np.str_]:
    """One product per basin: Daymet where it is there, then ERA5-Land, then NLDAS."""
    product = np.full(ds.sizes["basin"], "none", dtype="<U8")
    for name in ("nldas", "era5land", "daymet"):  # the last one wins
        product[ds[f"has_{name}"].values.astype(bool)] = name
    return product


def camels_era5land(folder: Path) -> Source:
    """CAMELS-US basins with ERA5-Land precipitation and temperature, 1981-2014."""
    return _camels(folder, "era5land", "era5land", 1)


def camels_daymet(folder: Path) -> Source:
    """CAMELS-US basins with Daymet, 1980-2014."""
    return _camels(folder, "daymet", "daymet", 2)


def camels_nldas(folder: Path) -> Source:
    """CAMELS-US basins that have NLDAS only."""
    return _camels(folder, "nldas", "nldas", 2)


def caravan(folder: Path) -> Source:
    """Caravan basins, 100 days of ERA5-Land each, with HydroATLAS attributes."""
    with xr.open_dataset(folder / "caravan_100d.nc") as ds:
        ds = ds.load()
    table = pd.read_parquet(folder / "caravan_attributes.parquet")
    table = table.drop_duplicates("gauge_id").set_index("gauge_id")
    basin = ds["basin"].values.astype(str)
    sites = pd.DataFrame(
        {
            "site": basin,
            "gauge": [_gauge_number(b) for b in basin],
            "lat": ds["gauge_lat"].values,
            "lon": ds["gauge_lon"].values,
            "start": pd.to_datetime(ds["start_date"].values),
        }
    )
    wind = np.hypot(
        ds["u_component_of_wind_10m_mean"], ds["v_component_of_wind_10m_mean"]
    )
    forcing = {
        "precipitation": _values(ds["total_precipitation_sum"]).clip(min=0),
        "temperature": _values(ds["temperature_2m_mean"]),
        "temperature_max": _values(ds["temperature_2m_max"]),
        "temperature_min": _values(ds["temperature_2m_min"]),
        "wind_speed": _values(xr.DataArray(wind)),
        "surface_pressure": _values(ds["surface_pressure_mean"]) * 1000,
        "snow_depth_water_equivalent": _values(ds["snow_depth_water_equivalent_mean"]),
        "vapour_pressure": humidity.saturation_vapour_pressure(
            _values(ds["dewpoint_temperature_2m_mean"])
        ).astype(np.float32),
    }
    forcing, _ = _complete(forcing, sites)
    rows = table.reindex(basin)
    attributes = {
        name: rows[column].to_numpy(np.float32) * np.float32(factor)
        for name, (column, factor) in CARAVAN_ATTRIBUTES.items()
    }
    slope = np.tan(np.deg2rad(rows["slp_dg_sav"].to_numpy(np.float32) / 10)) * 1000
    attributes["slope"] = slope.astype(np.float32)
    return Source(forcing, attributes, sites, {}, 2)


def _gauge_number(basin: str) -> str:
    """USGS number of a Caravan basin; HYSETS holds CAMELS gauges too."""
    source, _, number = basin.partition("_")
    return number if source in {"camels", "hysets"} else ""


def uscrn(folder: Path) -> Source:
    """USCRN and USRCRN stations: weather, and soil moisture at 5 cm as target."""
    with xr.open_dataset(folder / "uscrn_soil_moisture.nc") as ds:
        ds = ds.load()
    sites = pd.DataFrame(
        {
            "site": [f"uscrn-{s}" for s in ds["station"].values.astype(str)],
            "gauge": "",
            "lat": ds["lat"].values,
            "lon": ds["lon"].values,
            "start": pd.Timestamp(ds["time"].values[0]),
        }
    )
    radiation = ds["srad"].where((ds["srad"] >= 0) & (ds["srad"] <= 45))
    forcing = {
        "precipitation": _values(ds["prcp"].where(ds["prcp"] >= 0)),
        "temperature": _values(ds["tavg"]),
        "temperature_max": _values(ds["tmax"]),
        "temperature_min": _values(ds["tmin"]),
        "shortwave_radiation": _values(radiation * MEGAJOULE_PER_DAY),
        "relative_humidity": _values(ds["rh_avg"].clip(0, 100)),
    }
    forcing, indices = _complete(forcing, sites)
    moisture = ds["sm_5cm"].where((ds["sm_5cm"] >= 0) & (ds["sm_5cm"] <= 1))
    return Source(forcing, indices, sites, {"soil_moisture": _values(moisture)}, 2)


def delaware(folder: Path) -> Source:
    """Delaware basin: 765 hydrologic response units, two years."""
    with xr.open_dataset(folder / "drb_hru_forcing.nc") as ds:
        ds = ds.load()
    sites = pd.DataFrame(
        {
            "site": [f"drb-{h}" for h in ds["hru"].values],
            "gauge": "",
            "lat": ds["lat"].values,
            "lon": ds["lon"].values,
            "start": pd.Timestamp(ds["time"].values[0]),
        }
    )
    forcing = {
        "precipitation": _values(ds["prcp"]),
        "temperature_max": _values(ds["tmax"]),
        "temperature_min": _values(ds["tmin"]),
    }
    forcing, indices = _complete(forcing, sites)
    aspect = np.cos(np.deg2rad(ds["static_aspect"].values))
    attributes = {
        "area": ds["static_area"].values * np.float32(ACRE),
        "elevation": ds["static_elev"].values,
        "slope": ds["static_slope"].values * 1000,
        "aspect_cosine": aspect,
    }
    attributes = {k: v.astype(np.float32) for k, v in attributes.items()}
    return Source(forcing, attributes | indices, sites, {}, 2)


SOURCES: dict[str, Callable[[Path], Source]] = {
    "camels-era5land": camels_era5land,
    "camels-daymet": camels_daymet,
    "camels-nldas": camels_nldas,
    "caravan": caravan,
    "uscrn": uscrn,
    "delaware": delaware,
}
FILES = {
    "camels_us.nc": (
        "CAMELS-US (NCAR, open); ERA5-Land part from Caravan, CC-BY-4.0; "
        "Daymet and NLDAS, NASA open data"
    ),
    "caravan_100d.nc": "Caravan v1, CC-BY-4.0",
    "caravan_attributes.parquet": "Caravan v1 with HydroATLAS, CC-BY-4.0",
    "uscrn_soil_moisture.nc": "NOAA USCRN, US public domain",
    "drb_hru_forcing.nc": "USGS pywatershed data, CC0-1.0",
}
