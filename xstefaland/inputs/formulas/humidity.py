"""Humidity, wind and air pressure from one another, on plain arrays.

Formulas are those of FAO-56 (Allen et al., 1998) over liquid water, applied to daily
means. All functions work element by element and pass NaN on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

EPSILON = 0.622  # molar mass of water vapour over that of dry air


def saturation_vapour_pressure(temperature: Array) -> Array:
    """Saturation vapour pressure (FAO-56, equation 11).

    Parameters
    ----------
    temperature : ndarray
        Temperature [degC].

    Returns
    -------
    ndarray
        Vapour pressure [Pa].

    Examples
    --------
    >>> round(float(saturation_vapour_pressure(np.array(15.0))))
    1705
    """
    return np.asarray(610.8 * np.exp(17.27 * temperature / (temperature + 237.3)))


def vapour_pressure_from_dewpoint(dewpoint_temperature: Array) -> Array:
    """Vapour pressure [Pa] from the dewpoint temperature [degC] (FAO-56, equation 14).

    Examples
    --------
    >>> round(float(vapour_pressure_from_dewpoint(np.array(17.0))))
    1938
    """
    return saturation_vapour_pressure(dewpoint_temperature)


def vapour_pressure_from_relative_humidity(
    relative_humidity: Array, temperature: Array
) -> Array:
    """Vapour pressure [Pa] from relative humidity [percent] and temperature [degC].

    Examples
    --------
    >>> round(float(vapour_pressure_from_relative_humidity(50.0, np.array(20.0))))
    1169
    """
    share = np.asarray(relative_humidity) / 100
    return np.asarray(share * saturation_vapour_pressure(temperature))


def vapour_pressure_from_specific_humidity(
    specific_humidity: Array, surface_pressure: Array
) -> Array:
    """Vapour pressure [Pa] from specific humidity [kg kg-1] and air pressure [Pa].

    Examples
    --------
    >>> round(float(vapour_pressure_from_specific_humidity(0.01, 101325.0)))
    1619
    """
    humidity = np.asarray(specific_humidity)
    share = humidity / (EPSILON + (1 - EPSILON) * humidity)
    return np.asarray(share * surface_pressure)


def relative_humidity_from_vapour_pressure(
    vapour_pressure: Array, temperature: Array
) -> Array:
    """Relative humidity [percent] from vapour pressure [Pa] and temperature [degC].

    The result is kept within 0 and 100: daily means of temperature and vapour pressure
    do not saturate at the same hour.

    Examples
    --------
    >>> float(relative_humidity_from_vapour_pressure(1169.0, np.array(20.0)).round())
    50.0
    """
    share = np.asarray(vapour_pressure) / saturation_vapour_pressure(temperature)
    return np.asarray(np.clip(100 * share, 0, 100))


def air_pressure(elevation: Array) -> Array:
    """Air pressure [Pa] of the standard atmosphere at an elevation [m] (FAO-56, 7).

    Examples
    --------
    >>> round(float(air_pressure(np.array(1800.0))), -2)
    81800.0
    """
    return np.asarray(101300 * ((293 - 0.0065 * elevation) / 293) ** 5.26)


def wind_speed_from_components(eastward_wind: Array, northward_wind: Array) -> Array:
    """Wind speed from its components, in their units.

    From daily means of the components this is the speed of the mean wind, which is
    less than the mean speed.

    Examples
    --------
    >>> float(wind_speed_from_components(3.0, 4.0))
    5.0
    """
    return np.asarray(np.hypot(eastward_wind, northward_wind))
