"""What can be derived from other inputs, and how: one recipe per line.

A recipe works on plain arrays, `(..., time)` for forcings and `(..., 1)` for values per
site, so the same code serves a whole array and one chunk of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from xstefaland.inputs.formulas import humidity
from xstefaland.inputs.formulas.climate import (
    CLIMATE_INDICES,
    MINIMUM_YEARS,
    climate_indices,
)
from xstefaland.inputs.formulas.pet import day_length, oudin
from xstefaland.inputs.variables import CATALOGUE

Array = npt.NDArray[Any]

SECONDS_PER_DAY = 86400.0
LATITUDE = "latitude"
"""Name under which recipes ask for the latitude of a site [degrees north]."""


@dataclass(frozen=True)
class Recipe:
    """A way to derive one variable.

    Attributes
    ----------
    name : str
        Canonical name of the result, in catalogue units.
    ingredients : tuple of str
        Canonical names, in catalogue units, in the order of the function's arguments.
    note : str
        How it is done, for the report.
    function : callable
        Arrays and the dates of the record to the result; None for a climate index,
        which :func:`derive_climate` computes with all the others.
    """

    name: str
    ingredients: tuple[str, ...]
    note: str
    function: Callable[..., Array] | None = None

    @property
    def climate(self) -> bool:
        """Whether this is a climate index of the record."""
        return self.function is None


def _mean_of_extremes(high: Array, low: Array, dates: pd.DatetimeIndex) -> Array:
    """Mean of the day [degC], halfway between its extremes."""
    return np.asarray((high + low) / 2)


def _oudin(temperature: Array, latitude: Array, dates: pd.DatetimeIndex) -> Array:
    """PET [mm d-1]; the latitude has an axis of length 1 for time."""
    return oudin(temperature, latitude[..., 0], dates.day_of_year)


def _dewpoint(dewpoint: Array, dates: pd.DatetimeIndex) -> Array:
    """Vapour pressure [Pa] from the dewpoint [degC]."""
    return humidity.vapour_pressure_from_dewpoint(dewpoint)


def _specific(specific: Array, pressure: Array, dates: pd.DatetimeIndex) -> Array:
    """Vapour pressure [Pa] from specific humidity [kg kg-1] and pressure [Pa]."""
    return humidity.vapour_pressure_from_specific_humidity(specific, pressure)


def _at_elevation(specific: Array, elevation: Array, dates: pd.DatetimeIndex) -> Array:
    """Do the same where the pressure is only known from the elevation [m]."""
    pressure = humidity.air_pressure(elevation)
    return humidity.vapour_pressure_from_specific_humidity(specific, pressure)


def _relative(relative: Array, warm: Array, dates: pd.DatetimeIndex) -> Array:
    """Vapour pressure [Pa] from relative humidity [percent] and temperature."""
    return humidity.vapour_pressure_from_relative_humidity(relative, warm)


def _saturation(vapour: Array, warm: Array, dates: pd.DatetimeIndex) -> Array:
    """Relative humidity [percent] from vapour pressure [Pa] and temperature."""
    return humidity.relative_humidity_from_vapour_pressure(vapour, warm)


def _speed(east: Array, north: Array, dates: pd.DatetimeIndex) -> Array:
    """Wind speed [m s-1] from its components."""
    return humidity.wind_speed_from_components(east, north)


def _whole_day(daylight: Array, length: Array, dates: pd.DatetimeIndex) -> Array:
    """Mean over 24 hours of a mean over daylight that lasts `length` [s]."""
    return np.asarray(daylight * length / SECONDS_PER_DAY)


def _whole_day_at(daylight: Array, latitude: Array, dates: pd.DatetimeIndex) -> Array:
    """Do the same where the length of the day follows from the latitude."""
    length = day_length(latitude[..., 0], dates.day_of_year)
    return np.asarray(daylight * length / SECONDS_PER_DAY)


_DAYLIGHT = "daylight_shortwave_radiation"
_RAIN, _WARM, _PET = "precipitation", "temperature", "potential_evapotranspiration"
_CLIMATE_INGREDIENTS = {
    "pet_mean": (_PET,),
    "aridity": (_RAIN, _PET),
    "p_seasonality": (_RAIN, _WARM),
    "frac_snow": (_RAIN, _WARM),
    "temperature_mean": (_WARM,),
    "temperature_range": (_WARM,),
}

RECIPES: tuple[Recipe, ...] = (
    Recipe(_WARM, ("temperature_max", "temperature_min"),
           "their mean", _mean_of_extremes),
    Recipe(_PET, (_WARM, LATITUDE), "Oudin (2005)", _oudin),
    Recipe("vapour_pressure", ("dewpoint_temperature",), "FAO-56", _dewpoint),
    Recipe("vapour_pressure", ("specific_humidity", "surface_pressure"),
           "from specific humidity and pressure", _specific),
    Recipe("vapour_pressure", ("specific_humidity", "elevation"),
           "from specific humidity, pressure by elevation", _at_elevation),
    Recipe("vapour_pressure", ("relative_humidity", _WARM), "FAO-56", _relative),
    Recipe("relative_humidity", ("vapour_pressure", _WARM), "FAO-56", _saturation),
    Recipe("shortwave_radiation", (_DAYLIGHT, "day_length"),
           "daylight mean times length of day", _whole_day),
    Recipe("shortwave_radiation", (_DAYLIGHT, LATITUDE),
           "daylight mean times length of day (FAO-56)", _whole_day_at),
    Recipe("wind_speed", ("eastward_wind", "northward_wind"),
           "speed of the mean wind", _speed),
    *(Recipe(name, _CLIMATE_INGREDIENTS.get(name, (_RAIN,)), "climate of the record")
      for name in CLIMATE_INDICES),
)  # fmt: skip
"""All recipes; for one variable the first whose ingredients are at hand is taken."""


def recipes_for(name: str) -> Iterator[Recipe]:
    """Recipes of one variable, the best one first.

    Examples
    --------
    >>> [recipe.ingredients for recipe in recipes_for("relative_humidity")]
    [('vapour_pressure', 'temperature')]
    """
    return (recipe for recipe in RECIPES if recipe.name == name)


def ingredients_of(name: str) -> frozenset[str]:
    """Every variable from which `name` might be derived, through any recipe.

    Examples
    --------
    >>> sorted(ingredients_of("potential_evapotranspiration"))
    ['latitude', 'temperature', 'temperature_max', 'temperature_min']
    """
    found: set[str] = set()
    new = {name}
    while new:
        found |= new
        new = {i for n in new for r in recipes_for(n) for i in r.ingredients} - found
    return frozenset(found - {name})


def climate_attributes(
    have: dict[str, Array],
    dates: pd.DatetimeIndex,
    minimum_years: int = MINIMUM_YEARS,
) -> dict[str, Array]:
    """Climate attributes from the forcings there are, within their valid ranges.

    Parameters
    ----------
    have : dict of str to ndarray, shape (..., time)
        Forcings by canonical name; those that are not there count as missing.
    dates : pandas.DatetimeIndex, shape (time,)
        Every day of the reference period.
    minimum_years : int
        Complete years that the period must have.

    Returns
    -------
    dict of str to ndarray, shape (...)
        See :func:`xstefaland.inputs.formulas.climate.climate_indices`; the aridity of
        a place without rain is the largest of the catalogue.
    """
    nothing = np.full(len(dates), np.nan, dtype=np.float32)
    rain, warm, pet = (have.get(name, nothing) for name in (_RAIN, _WARM, _PET))
    indices = climate_indices(rain, warm, pet, dates, minimum_years)
    return {n: np.clip(v, *CATALOGUE[n].valid_range) for n, v in indices.items()}
