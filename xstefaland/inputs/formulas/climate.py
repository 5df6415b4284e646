"""Climate indices of a daily record, with the definitions of CAMELS."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

CLIMATE_INDICES = (
    "p_mean",
    "pet_mean",
    "aridity",
    "p_seasonality",
    "frac_snow",
    "high_prec_freq",
    "high_prec_dur",
    "low_prec_freq",
    "low_prec_dur",
    "temperature_mean",
    "temperature_range",
)
"""Names of the attributes that :func:`climate_indices` returns, in its order."""

MINIMUM_YEARS = 3
DAYS_PER_YEAR = 365.25
ENOUGH = 0.95  # of the days of the least number of years; a site may lack the rest


def complete_years(dates: pd.DatetimeIndex) -> int:
    """Count the days of the complete years that a daily record starts with.

    Parameters
    ----------
    dates : pandas.DatetimeIndex
        Every day of the record, sorted.

    Returns
    -------
    int
        Number of days, 0 for a record of less than a year.

    Examples
    --------
    >>> complete_years(pd.date_range("2000-10-01", "2002-12-31"))
    730
    """
    if len(dates) == 0:
        return 0
    end = dates[-1] + pd.Timedelta(days=1)
    years = end.year - dates[0].year
    if dates[0] + pd.DateOffset(years=years) > end:
        years -= 1
    return int((dates[0] + pd.DateOffset(years=years) - dates[0]).days)


def climate_indices(
    precipitation: npt.ArrayLike,
    temperature: npt.ArrayLike,
    potential_evapotranspiration: npt.ArrayLike,
    dates: pd.DatetimeIndex,
    minimum_years: int = MINIMUM_YEARS,
) -> dict[str, Array]:
    """Climate attributes of a daily record (Addor et al., 2017).

    Only the complete years at the start of the record count, so that no season weighs
    more than another, and missing days are left out.

    Parameters
    ----------
    precipitation : array_like, shape (..., time)
        Precipitation [mm d-1].
    temperature : array_like, shape (..., time)
        Mean temperature [degC].
    potential_evapotranspiration : array_like, shape (..., time)
        Potential evapotranspiration [mm d-1]; all NaN where it is not known.
    dates : pandas.DatetimeIndex, shape (time,)
        Every day of the record.
    minimum_years : int
        Complete years that a record must have.

    Returns
    -------
    dict of str to ndarray, shape (...)
        `p_mean`, `pet_mean` [mm d-1], `aridity`, `p_seasonality`, `frac_snow` [1],
        `high_prec_freq`, `low_prec_freq` [d yr-1], `high_prec_dur`, `low_prec_dur` [d],
        `temperature_mean`, `temperature_range` [degC]; float64. NaN where the record
        has less than `minimum_years` complete years, or a site less than 95 % of their
        days with data (1040 for three years).

    Notes
    -----
    High precipitation is at least five times the mean and more than none, low
    precipitation less than 1 mm d-1; durations are mean lengths of runs of such days,
    which a missing day ends. Snow is what falls on days below 0 degC. Seasonality is
    equation 14 of Woods (2009), its sine curves fitted by least squares.
    `temperature_range` is the warmest minus the coldest month of the mean annual cycle.

    References
    ----------
    Addor et al. (2017), HESS 21, 5293-5313; Woods (2009), Adv. Water Resour. 32, 1465.

    Examples
    --------
    >>> dates = pd.date_range("2000-01-01", "2002-12-31")
    >>> rain = np.where(dates.day == 1, 31.0, 0.0)
    >>> indices = climate_indices(rain, np.full(1096, 5.0), np.full(1096, 2.0), dates)
    >>> {name: round(float(indices[name]), 2) for name in ("p_mean", "low_prec_dur")}
    {'p_mean': 1.02, 'low_prec_dur': 29.44}
    """
    days = complete_years(dates)
    rain, warm, pet = (
        values[..., :days]
        for values in np.broadcast_arrays(
            precipitation, temperature, potential_evapotranspiration
        )
    )
    shape = rain.shape[:-1]
    if days < 365 * minimum_years:
        return {name: np.full(shape, np.nan) for name in CLIMATE_INDICES}
    enough = int(ENOUGH * DAYS_PER_YEAR * minimum_years)
    with np.errstate(divide="ignore", invalid="ignore"):  # sites without any data
        indices = {
            **_precipitation_indices(rain, enough),
            **_temperature_indices(warm, dates[:days], enough),
            **_joint_indices(rain, warm, pet, dates[:days], enough),
        }
    return {name: indices[name] for name in CLIMATE_INDICES}


def _enough(days: int, *series: Array) -> Array:
    """Whether a site has so many days on which all series have data."""
    valid = np.logical_and.reduce([~np.isnan(values) for values in series])
    return np.asarray(valid.sum(axis=-1) >= days)


def _plain_mean(values: Array) -> Array:
    """Mean of the days with data, without numpy's warning where there are none."""
    valid = ~np.isnan(values)
    total = np.sum(values, axis=-1, where=valid, dtype=np.float64)
    return np.asarray(total / valid.sum(axis=-1))


def _mean(values: Array, enough: int) -> Array:
    """Mean of the days with data, NaN where they are too few."""
    return np.where(_enough(enough, values), _plain_mean(values), np.nan)


def _precipitation_indices(rain: Array, enough: int) -> dict[str, Array]:
    """Mean, and frequency and duration of high and low precipitation."""
    mean = _mean(rain, enough)
    days = (~np.isnan(rain)).sum(axis=-1)
    high = (rain > 0) & (rain >= 5 * mean[..., np.newaxis])  # never where none falls
    events = {"high": high, "low": rain < 1}
    indices = {"p_mean": mean}
    for name, event in events.items():
        count = event.sum(axis=-1)
        frequency = np.where(np.isnan(mean), np.nan, count / days * DAYS_PER_YEAR)
        duration = np.where(count > 0, count / _runs(event), 0)
        indices[f"{name}_prec_freq"] = frequency
        indices[f"{name}_prec_dur"] = np.where(np.isnan(mean), np.nan, duration)
    return indices


def _runs(event: Array) -> Array:
    """Count the runs of consecutive days with an event."""
    starts = event[..., 1:] & ~event[..., :-1]
    return np.asarray(starts.sum(axis=-1) + event[..., 0])


def _temperature_indices(
    warm: Array, dates: pd.DatetimeIndex, enough: int
) -> dict[str, Array]:
    """Mean, and range of the mean annual cycle by month."""
    month = np.asarray(dates.month)[:, np.newaxis] == np.arange(1, 13)  # (time, 12)
    valid = ~np.isnan(warm)
    total = np.where(valid, warm, 0).astype(np.float64) @ month
    cycle = total / (valid.astype(np.float64) @ month)  # (..., 12)
    mean = _mean(warm, enough)
    spread = np.where(np.isnan(mean), np.nan, cycle.max(axis=-1) - cycle.min(axis=-1))
    return {"temperature_mean": mean, "temperature_range": spread}


def _joint_indices(
    rain: Array, warm: Array, pet: Array, dates: pd.DatetimeIndex, enough: int
) -> dict[str, Array]:
    """Compute what needs PET or both others, each on the days that have it."""
    mean, pet_mean = _mean(rain, enough), _mean(pet, enough)
    known = _enough(enough, rain, warm)
    both = ~np.isnan(rain) & ~np.isnan(warm)
    total = np.where(both, rain, 0).sum(axis=-1, dtype=np.float64)
    snow = np.where(both & (warm < 0), rain, 0).sum(axis=-1, dtype=np.float64)
    wet, hot = _seasonal_cycle(rain, dates), _seasonal_cycle(warm, dates)
    timing = (wet * hot).sum(axis=-1) / np.sqrt((hot * hot).sum(axis=-1))
    rainy = np.where(mean > 0, mean, np.nan)
    return {
        "pet_mean": pet_mean,
        "aridity": pet_mean / mean,  # infinite where no rain falls
        "frac_snow": np.where(known, snow / total, np.nan),
        "p_seasonality": np.where(known, timing / rainy, np.nan),
    }


def _seasonal_cycle(values: Array, dates: pd.DatetimeIndex) -> Array:
    """Sine and cosine coefficients of an annual cycle about the mean, (..., 2)."""
    angle = 2 * np.pi * np.asarray(dates.day_of_year) / DAYS_PER_YEAR
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1)  # (time, 2)
    mean = _plain_mean(values)[..., np.newaxis]
    valid = ~np.isnan(values)
    right = np.where(valid, values - mean, 0) @ waves  # (..., 2)
    products = np.stack([waves[:, 0] ** 2, waves[:, 1] ** 2, waves.prod(axis=1)], -1)
    ss, cc, sc = np.moveaxis(valid.astype(np.float64) @ products, -1, 0)
    sine = right[..., 0] * cc - right[..., 1] * sc
    cosine = right[..., 1] * ss - right[..., 0] * sc
    return np.asarray(np.stack([sine, cosine], -1) / (ss * cc - sc**2)[..., np.newaxis])
