"""What is done to a site's weather: functions from a Dataset to a Dataset."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from behaviour.sites import oudin

Scenario = Callable[[xr.Dataset], xr.Dataset]
RAIN, PET = "precipitation", "potential_evapotranspiration"
TEMPERATURES = ("temperature", "temperature_max", "temperature_min")
HIDDEN_WITH_TEMPERATURE = (*TEMPERATURES, "vapour_pressure", "relative_humidity")
STORM, FLOOD = 50.0, 300.0  # [mm]
SPELL = 30  # days without rain on either side of the storm
GAP = 5  # days without temperature
INFINITE = float("inf")


def index_of(ds: xr.Dataset, month: int, day: int, year: int = 2) -> int:
    """Find the position of a date in a year of the record (0 is the first)."""
    first = int(ds.time.dt.year[0])
    found = ds.indexes["time"].get_loc(pd.Timestamp(first + year, month, day))
    return int(found)


def turning_day(ds: xr.Dataset) -> int:
    """Position of the 15th of July in the third year: warm, and without snow."""
    return index_of(ds, 7, 15)


def cold_days(ds: xr.Dataset) -> xr.DataArray:
    """Position of the first of the five coldest days of the fourth winter, by site."""
    warmth = ds["temperature"].rolling(time=GAP).mean()
    day = days(ds)
    winter = (day >= index_of(ds, 1, GAP, 3)) & (day <= index_of(ds, 2, 28, 3))
    return warmth.where(winter).fillna(INFINITE).argmin("time") - GAP + 1


def days(ds: xr.Dataset) -> xr.DataArray:
    """Count the days of the record from zero."""
    return xr.DataArray(np.arange(ds.sizes["time"]), dims="time")


def changed(ds: xr.Dataset, **values: xr.DataArray) -> xr.Dataset:
    """Put new values under old names, with the old attributes, dims and type."""
    new = {
        name: value.transpose(*ds[name].dims).astype(np.float32)
        for name, value in values.items()
    }
    return ds.assign({n: v.assign_attrs(ds[n].attrs) for n, v in new.items()})


def rain_times(factor: float) -> Scenario:
    """Make a scenario with more or less rain every day."""
    return lambda ds: changed(ds, **{RAIN: ds[RAIN] * factor})


def warmer_by(kelvin: float) -> Scenario:
    """Make a scenario with warmer or colder air of the same relative humidity."""

    def scenario(ds: xr.Dataset) -> xr.Dataset:
        new = {name: ds[name] + kelvin for name in TEMPERATURES if name in ds}
        if "vapour_pressure" in ds:
            warmth = ds["temperature"]
            more = _saturation(warmth + kelvin) / _saturation(warmth)
            new["vapour_pressure"] = ds["vapour_pressure"] * more
        return changed(ds, **new)

    return scenario


def dry_after(ds: xr.Dataset) -> xr.Dataset:
    """End all rain on the turning day."""
    return _rain_where(ds, lambda day: day < turning_day(ds))


def dry_spell(ds: xr.Dataset) -> xr.Dataset:
    """Take the rain of the days around the turning day."""
    return _rain_where(ds, lambda day: abs(day - turning_day(ds)) > SPELL)


def storm(ds: xr.Dataset) -> xr.Dataset:
    """Let it rain once in the dry spell."""
    return _with_rain(dry_spell(ds), STORM)


def flood(ds: xr.Dataset) -> xr.Dataset:
    """Add the largest rain ever seen in most places to the turning day."""
    return _with_rain(ds, FLOOD)


def other_hemisphere(ds: xr.Dataset) -> xr.Dataset:
    """Move to the other hemisphere, seasons and all."""
    return shifted(183)(mirrored(ds))


def mirrored(ds: xr.Dataset) -> xr.Dataset:
    """Change the sign of the latitude, and nothing else."""
    return ds.assign_coords(latitude=(-ds.latitude).assign_attrs(ds.latitude.attrs))


def shifted(by: int) -> Scenario:
    """Make a scenario with the same weather some days later in the calendar."""
    return lambda ds: ds.assign_coords(time=ds.time + np.timedelta64(by, "D"))


def first(length: int) -> Scenario:
    """Make a scenario with the first days of the record only."""
    return lambda ds: ds.isel(time=slice(length))


def pet_times(factor: float) -> Scenario:
    """Make a scenario that states the potential evapotranspiration, scaled."""

    def scenario(ds: xr.Dataset) -> xr.Dataset:
        return ds.assign({PET: factor * oudin(ds["temperature"], ds.latitude)}).assign(
            {PET: lambda new: new[PET].astype(np.float32).assign_attrs(units="mm d-1")}
        )

    return scenario


def without_range(ds: xr.Dataset) -> xr.Dataset:
    """Hide the daily maximum and minimum of the temperature."""
    return ds.drop_vars(["temperature_max", "temperature_min"], errors="ignore")


def without_attributes(ds: xr.Dataset) -> xr.Dataset:
    """Hide all that has no time, but the latitude."""
    return ds.drop_vars([name for name in ds.data_vars if "time" not in ds[name].dims])


def winter_gap(ds: xr.Dataset) -> xr.Dataset:
    """Hide temperature, and what would give it away, on the five coldest days."""
    after = days(ds) - cold_days(ds)
    names = [name for name in HIDDEN_WITH_TEMPERATURE if name in ds]
    seen = (after < 0) | (after >= GAP)
    return changed(ds, **{name: ds[name].where(seen) for name in names})


def wet_days(ds: xr.Dataset, length: int = 7) -> xr.DataArray:
    """Mark the days from the start of the third year's wettest week at each site."""
    total = ds[RAIN].rolling(time=7).sum()
    day = days(ds)
    year = (day >= index_of(ds, 1, 8)) & (day <= index_of(ds, 12, 31))
    start = total.where(year).fillna(-1).argmax("time") - 6
    return (day >= start) & (day < start + length)


def week_missing(ds: xr.Dataset) -> xr.Dataset:
    """Hide the rain of the wettest week."""
    return changed(ds, **{RAIN: ds[RAIN].where(~wet_days(ds))})


def week_dry(ds: xr.Dataset) -> xr.Dataset:
    """Take the rain of the wettest week."""
    return changed(ds, **{RAIN: ds[RAIN].where(~wet_days(ds), 0.0)})


def other_units(ds: xr.Dataset) -> xr.Dataset:
    """Give temperature in kelvin and rain as a flux of mass."""
    new = {RAIN: (ds[RAIN] / 86400).assign_attrs(units="kg m-2 s-1")}
    for name in TEMPERATURES:
        if name in ds:
            new[name] = (ds[name] + 273.15).assign_attrs(ds[name].attrs, units="K")
    new[RAIN].attrs["standard_name"] = "precipitation_flux"
    return ds.assign(new)


SCENARIOS: dict[str, Scenario] = {
    "as it is": lambda ds: ds,
    **{f"rain x {factor:g}": rain_times(factor) for factor in (0, 0.5, 1.1, 2)},
    "+5 K": warmer_by(5),
    "-5 K": warmer_by(-5),
    "dry after": dry_after,
    "dry spell": dry_spell,
    "storm": storm,
    "flood": flood,
    "other hemisphere": other_hemisphere,
    "mirrored": mirrored,
    "1 day later": shifted(1),
    "first 1096": first(1096),
    "first 1094": first(1094),
    "first half": first(730),
    "without 90": lambda ds: ds.isel(time=slice(90, None)),
    "PET x 1": pet_times(1),
    "PET x 2": pet_times(2),
    "without range": without_range,
    "without attributes": without_attributes,
    "winter gap": winter_gap,
    "week missing": week_missing,
    "week dry": week_dry,
}
"""Name and change of every scenario that several experiments may share."""


def _rain_where(ds: xr.Dataset, keep: Callable) -> xr.Dataset:
    return changed(ds, **{RAIN: ds[RAIN].where(keep(days(ds)), 0.0)})


def _with_rain(ds: xr.Dataset, depth: float) -> xr.Dataset:
    return changed(ds, **{RAIN: ds[RAIN] + depth * (days(ds) == turning_day(ds))})


def _saturation(celsius: xr.DataArray) -> xr.DataArray:
    """Saturation vapour pressure [kPa] of the FAO-56 formula."""
    return 0.6108 * np.exp(17.27 * celsius / (celsius + 237.3))
