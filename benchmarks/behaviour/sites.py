"""Where the experiments take place: held-out real sites, and four made by formula."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.datasets import camels_us, uscrn

BASINS = {
    "12147500": "wet, mild coast (WA)",
    "03504000": "wet mountains (NC)",
    "01435000": "wet, snow (NY)",
    "01639500": "humid (MD)",
    "05408000": "humid, cold (WI)",
    "02350900": "humid, warm (GA)",
    "08155200": "dry, warm (TX)",
    "06280300": "dry, snow (WY)",
}
"""CAMELS-US basins from wet to dry, with and without snow, and what they are."""

STATIONS = {
    "04125": "dry, cold (OR)",
    "53155": "dry, warm (AZ)",
    "94077": "dry prairie (NE)",
    "54808": "humid prairie (IL)",
    "23803": "humid, warm (MS)",
    "63829": "humid, warm, sandy (GA)",
}
"""USCRN stations with soil moisture from dry to wet, and what they are."""

BASIN_YEARS, STATION_YEARS = ("2000", "2003"), ("2012", "2015")
"""Four years that begin with a leap year: 1461 days, and 1096 in the first three."""

OBSERVED = ("streamflow", "soil_moisture")
SOLAR_CONSTANT, LATENT_HEAT = 118.08, 2.45  # [MJ m-2 d-1], [MJ kg-1]


@cache
def basins(data: Path) -> xr.Dataset:
    """Read the basins: inputs, and the observed ``streamflow``, ``(site, time)``."""
    ds = camels_us(data, list(BASINS)).sel(time=slice(*BASIN_YEARS))
    return _complete(ds.rename(basin="site"))


@cache
def stations(data: Path) -> xr.Dataset:
    """Read the stations: inputs, and the observed ``soil_moisture``."""
    ds = uscrn(data, list(STATIONS)).sel(time=slice(*STATION_YEARS))
    return _complete(ds.rename(station="site"))


def not_held_out(left_out: tuple[str, ...]) -> list[str]:
    """List the sites above that a card does not name as left out of training."""
    known = {entry.rpartition("-")[2] for entry in left_out}
    return [site for site in (*BASINS, *STATIONS) if site not in known]


def synthetic() -> xr.Dataset:
    """Make a desert, a humid tropical and a polar site, and one of constant weather."""
    time = pd.date_range("2000-01-01", periods=1461)
    latitude = xr.DataArray([25.0, 3.0, 78.0, 0.0], dims="site")
    latitude.attrs = {"units": "degrees_north", "standard_name": "latitude"}
    names = ["desert", "tropics", "78 N", "constant"]
    ds = xr.Dataset(coords={"site": names, "time": time, "latitude": latitude})
    summer = np.cos(2 * np.pi * (ds.time.dt.dayofyear - 205) / 365.25)
    mean, swing = _column([23, 26.5, -13, 15]), _column([9, 0.5, 18, 0])
    noise = np.random.default_rng(0).normal(0, 1.5, (4, time.size))
    noise[names.index("constant")] = 0
    warmth = (mean + swing * summer + noise).astype(np.float32)
    rain = _rain(summer).astype(np.float32)
    pet = oudin(warmth, latitude).where(ds.site != "constant", 3.0)
    return ds.assign(
        precipitation=rain.assign_attrs(units="mm d-1"),
        temperature=warmth.assign_attrs(units="degC"),
        potential_evapotranspiration=pet.assign_attrs(units="mm d-1"),
    )


def oudin(temperature: xr.DataArray, latitude: xr.DataArray) -> xr.DataArray:
    """Potential evapotranspiration [mm d-1] of Oudin et al. (2005).

    The benchmark has a formula of its own, for it judges the package from outside.
    """
    angle = 2 * np.pi * temperature.time.dt.dayofyear / 365
    lat, declination = np.radians(latitude), 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-np.tan(lat) * np.tan(declination), -1, 1))
    height = sunset * np.sin(lat) * np.sin(declination)
    height = height + np.cos(lat) * np.cos(declination) * np.sin(sunset)
    radiation = SOLAR_CONSTANT / np.pi * (1 + 0.033 * np.cos(angle)) * height
    pet = radiation / LATENT_HEAT * (temperature + 5) / 100
    return pet.clip(min=0).transpose(*temperature.dims).assign_attrs(units="mm d-1")


def _complete(ds: xr.Dataset) -> xr.Dataset:
    """Fill the short gaps of inputs, so that only the experiment is missing or zero."""
    ds = ds.drop_vars([n for n in ds.coords if n not in ("site", "time", "latitude")])
    for name in ds.data_vars:
        if "time" in ds[name].dims and name not in OBSERVED:
            filled = ds[name].interpolate_na("time", fill_value="extrapolate")
            if name == "precipitation":
                filled = ds[name].fillna(0.0)
            ds[name] = filled.astype(np.float32).assign_attrs(ds[name].attrs)
    return ds.transpose("site", "time")


def _column(values: list[float]) -> xr.DataArray:
    return xr.DataArray(np.array(values, float), dims="site")


def _rain(summer: xr.DataArray) -> xr.DataArray:
    """Draw rain [mm d-1]: rare, in a season of its own, little, the same each day."""
    rng = np.random.default_rng(1)
    shape = (4, summer.size)
    often = _column([0.015, 0.55, 0.25, 1]) + _column([0, 0.25, 0, 0]) * summer
    depth = rng.gamma(0.8, 1 / 0.8, shape) * [[8], [12], [2.5], [0]] + [
        [0],
        [0],
        [0],
        [3],
    ]
    wet = xr.DataArray(rng.random(shape), dims=("site", "time")) < often
    return wet * xr.DataArray(depth, dims=("site", "time"))
