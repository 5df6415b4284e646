"""Potential evapotranspiration from temperature, on plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SOLAR_CONSTANT = 0.0820  # MJ m-2 min-1 (FAO-56)
MM_PER_MJ = 1 / 2.45  # depth of water [mm] evaporated by 1 MJ m-2 (FAO-56)


def extraterrestrial_radiation(
    latitude: npt.ArrayLike, day_of_year: npt.ArrayLike
) -> Array:
    """Daily solar radiation at the top of the atmosphere (FAO-56, equation 21).

    Parameters
    ----------
    latitude : array_like, shape (...)
        Latitude [degrees north]; NaN gives NaN.
    day_of_year : array_like, shape (time,)
        Day of the year, 1 to 366.

    Returns
    -------
    ndarray, shape (..., time)
        Radiation [MJ m-2 d-1], 0 in the polar night.

    References
    ----------
    Allen et al. (1998), FAO Irrigation and Drainage Paper 56, chapter 3.

    Examples
    --------
    FAO-56, example 8: 3 September at 20 degrees south.

    >>> round(float(extraterrestrial_radiation(-20, [246])[0]), 1)
    32.2
    """
    return _radiation(latitude, day_of_year, np.dtype(np.float64))


def day_length(latitude: npt.ArrayLike, day_of_year: npt.ArrayLike) -> Array:
    """Time from sunrise to sunset (FAO-56, equation 34).

    Parameters
    ----------
    latitude : array_like, shape (...)
        Latitude [degrees north]; NaN gives NaN.
    day_of_year : array_like, shape (time,)
        Day of the year, 1 to 366.

    Returns
    -------
    ndarray, shape (..., time)
        Seconds, between 0 and 86 400.

    Examples
    --------
    FAO-56, example 9: 3 September at 20 degrees south.

    >>> round(float(day_length(-20, [246])[0]) / 3600, 1)
    11.7
    """
    phi = np.radians(np.asarray(latitude, dtype=np.float64))[..., np.newaxis]
    return np.asarray(86400 / np.pi * _sunset(phi, np.asarray(day_of_year)))


def _declination(day_of_year: Array) -> Array:
    """Declination of the sun [rad] (FAO-56, equation 24)."""
    return np.asarray(0.409 * np.sin(2 * np.pi / 365 * day_of_year - 1.39))


def _sunset(phi: Array, day_of_year: Array) -> Array:
    """Hour angle at sunset [rad], 0 in the polar night (FAO-56, equation 25)."""
    slope = -np.tan(phi) * np.tan(_declination(day_of_year))
    return np.asarray(np.arccos(np.clip(slope, -1, 1)))


def _radiation(
    latitude: npt.ArrayLike, day_of_year: npt.ArrayLike, dtype: np.dtype[Any]
) -> Array:
    """Radiation for each day of the year once, then spread over the days."""
    days, position = np.unique(np.asarray(day_of_year), return_inverse=True)
    phi = np.radians(np.asarray(latitude, dtype=np.float64))[..., np.newaxis]
    angle = 2 * np.pi / 365 * days
    distance = 1 + 0.033 * np.cos(angle)  # inverse, relative
    declination, sunset = _declination(days), _sunset(phi, days)
    daily = sunset * np.sin(phi) * np.sin(declination)
    daily = daily + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    table = np.maximum(24 * 60 / np.pi * SOLAR_CONSTANT * distance * daily, 0)
    return np.asarray(np.take(table.astype(dtype), position, axis=-1))  # (..., time)


def oudin(
    temperature: npt.ArrayLike, latitude: npt.ArrayLike, day_of_year: npt.ArrayLike
) -> Array:
    """Potential evapotranspiration of Oudin et al. (2005), from mean temperature.

    This is the formula behind the package's weights.

    Parameters
    ----------
    temperature : array_like, shape (..., time)
        Daily mean air temperature [degC].
    latitude : array_like, shape (...)
        Latitude [degrees north].
    day_of_year : array_like, shape (time,)
        Day of the year, 1 to 366.

    Returns
    -------
    ndarray, shape (..., time)
        Potential evapotranspiration [mm d-1] in the precision of `temperature`; 0 at
        -5 degC and below, NaN where temperature or latitude is missing.

    See Also
    --------
    hargreaves : The formula that also uses the daily temperature range.

    References
    ----------
    Oudin et al. (2005), J. Hydrol. 303, 290-306, with the radiation of FAO-56.

    Examples
    --------
    >>> oudin([20.0, -10.0], 45.0, [172, 355]).round(2)
    array([4.28, 0.  ])
    """
    warm = _floating(temperature)
    water = _radiation(latitude, day_of_year, warm.dtype) * MM_PER_MJ
    return np.asarray(water * np.maximum((warm + 5) / 100, 0))


def hargreaves(
    temperature_min: npt.ArrayLike,
    temperature_max: npt.ArrayLike,
    latitude: npt.ArrayLike,
    day_of_year: npt.ArrayLike,
    *,
    temperature: npt.ArrayLike | None = None,
) -> Array:
    """Potential evapotranspiration of Hargreaves and Samani (1985).

    Parameters
    ----------
    temperature_min, temperature_max : array_like, shape (..., time)
        Daily minimum and maximum air temperature [degC].
    latitude : array_like, shape (...)
        Latitude [degrees north].
    day_of_year : array_like, shape (time,)
        Day of the year, 1 to 366.
    temperature : array_like, shape (..., time), optional
        Daily mean temperature [degC]; by default the mean of minimum and maximum.

    Returns
    -------
    ndarray, shape (..., time)
        Potential evapotranspiration [mm d-1], never negative, NaN where an input is
        missing. A minimum above the maximum counts as no range.

    References
    ----------
    Allen et al. (1998), FAO-56, equation 52.

    Examples
    --------
    >>> float(hargreaves([10.0], [24.0], 45.0, [172]).round(2)[0])
    5.12
    """
    low, high = _floating(temperature_min), _floating(temperature_max)
    mean = (low + high) / 2 if temperature is None else _floating(temperature)
    water = _radiation(latitude, day_of_year, mean.dtype) * MM_PER_MJ
    spread = np.sqrt(np.maximum(high - low, 0))
    warmth = np.maximum(mean + 17.8, 0)
    return np.asarray(0.0023 * water * warmth * spread)


def _floating(values: npt.ArrayLike) -> Array:
    """Keep the precision of floating numbers; all others become float64."""
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(np.float64)
