"""Values that cannot be what they are labelled as, and the likely mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xstefaland.errors import InputError
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.inputs.units import conversion
from xstefaland.inputs.variables import CATALOGUE

Array = npt.NDArray[Any]

# What people forget to convert, by the units the catalogue works in.
_USUAL_UNITS = {
    "degC": ("degC", "K", "degF"),
    "mm d-1": (
        "mm d-1", "kg m-2 s-1", "m d-1", "m s-1", "mm h-1", "inch d-1", "mm month-1",
        "0.1 mm d-1",
    ),
    "percent": ("percent", "1"),
    "1": ("1", "percent"),
    "Pa": ("Pa", "hPa", "kPa"),
    "W m-2": ("W m-2", "MJ m-2 d-1", "J m-2 d-1", "J m-2 h-1"),
    "kg kg-1": ("kg kg-1", "g kg-1"),
    "m": ("m", "mm", "cm", "ft"),
    "km2": ("km2", "m2", "ha"),
    "kg m-3": ("kg m-3", "g cm-3"),
    "m km-1": ("m km-1", "percent"),
    "d yr-1": ("d yr-1", "1"),
}  # fmt: skip

# Mean over a year or more, anywhere on Earth, in catalogue units.
_YEARLY_MEAN = {
    "precipitation": (0.0, 15.0),
    "temperature": (-60.0, 36.0),
    "temperature_max": (-55.0, 43.0),
    "temperature_min": (-68.0, 32.0),
    "shortwave_radiation": (25.0, 330.0),
    "longwave_radiation": (80.0, 450.0),
    "potential_evapotranspiration": (0.0, 10.0),
    "vapour_pressure": (10.0, 3500.0),
    "surface_pressure": (45_000.0, 107_000.0),
    "wind_speed": (0.1, 15.0),
}
YEAR = 365
DRY = 0.02  # [mm d-1] below this mean, years may pass without a wet day
DOWNPOUR = 5.0  # [mm d-1] the wettest day of a year is wetter than this anywhere else

SAMPLE = 100_000

MOST = 0.95
"""Share of values within the valid range from which the others are outliers."""

KNOWN_FILLS = (-9999.0, -9999.9, -999.0, -999.9, -99.0, -99.9, -8888.0, -32768.0)
"""Numbers that archives write for a missing value, where they cannot be one."""


@dataclass(frozen=True)
class _Summary:
    """Typical and largest value of a sample, in any units."""

    median: float
    mean: float
    largest: float
    count: int
    days: int


def sample(values: Array) -> Array:
    """Take about 100 000 values evenly out of a large array, without copying it.

    Examples
    --------
    >>> sample(np.zeros((4000, 1000))).shape
    (572, 334)
    """
    parts = [slice(None)] * values.ndim
    excess = values.size / SAMPLE
    for axis in np.argsort(values.shape)[::-1]:
        if excess > 1:
            step = int(min(np.ceil(excess**0.5 + 0.5), values.shape[axis]))
            parts[axis] = slice(None, None, step)
            excess /= step
    return np.asarray(values[tuple(parts)])


def implausible(
    values: Array,
    variable: VariableSpec,
    *,
    source: str | None = None,
    units: str | None = None,
    days: int | None = None,
) -> str | None:
    """Say when values cannot be meant as labelled, and what they may be instead.

    The median is held against the catalogue's valid range and against what the model
    saw in training; of a year or more of weather also the mean, against what occurs on
    Earth; of precipitation the wettest day. All usual mistakes that would explain it
    are named. Single outliers and known fill values pass: they are taken as missing
    elsewhere.

    Parameters
    ----------
    values : ndarray
        Values in `units`, of any shape, NaN where missing.
    variable : VariableSpec
        What they are meant to be.
    source : str, optional
        Name in the Dataset, for the message.
    units : str, optional
        Units they are labelled with, by default those of `variable`.
    days : int, optional
        Length of the record they were taken from, by default their number.

    Returns
    -------
    str or None
        The warning, or None where nothing is suspicious, also for variables outside
        the catalogue or without units.

    Examples
    --------
    >>> tas = VariableSpec("temperature", "degC", minimum=-50.0, maximum=40.0)
    >>> print(implausible(np.array([281.0, 290.0]), tas, source="tas"))
    temperature: 'tas' (median 286, largest 290) is far outside -90 to 60 degC; \
are these K? Then pass units={"tas": "K"}
    >>> implausible(np.array([8.0, 17.0]), tas) is None
    True
    """
    known = variable.catalogued
    if known is None or variable.units is None:
        return None
    label, name = units or known.units, source or variable.name
    finite = values[np.isfinite(values)]
    finite = finite[~known_fills(finite, label, variable)].astype(np.float64)
    if not finite.size:
        return None
    seen = _summary(finite, label, variable, days)
    if _fits(seen, label, variable):
        return None
    text = f"{variable.name}: {name!r} (median {seen.median:.3g}, "
    if variable.name in _YEARLY_MEAN and seen.days >= YEAR:
        text += f"mean {seen.mean:.3g}, "
    text += f"largest {seen.largest:.3g}){_verdict(seen, label, variable)}"
    likely = [
        other
        for other in dict.fromkeys(_candidates(label, variable))
        if _fits(_summary(finite, other, variable, days), other, variable, strict=True)
    ]
    if not likely:
        return f"{text}; check the units {label!r} and the variable"
    calls = [f'units={{"{name}": "{other}"}}' for other in likely]
    call = f"Then pass {calls[0]}"
    if len(calls) > 1:
        call = f"The numbers fit each; pass the one that is true: {', '.join(calls)}"
    return f"{text}; are these {' or '.join(likely)}? {call}"


def known_fills(values: Array, label: str, variable: VariableSpec) -> Array:
    """Mark numbers that stand for missing values, and are beyond the valid range.

    Examples
    --------
    >>> height = VariableSpec("elevation", "m")
    >>> known_fills(np.array([-9999.0, 320.0]), "m", height).tolist()
    [True, False]
    """
    fill = np.isin(values.astype(np.float32), np.array(KNOWN_FILLS, np.float32))
    return np.asarray(fill & ~_inside(values, label, variable))


def _summary(
    values: Array, label: str, variable: VariableSpec, days: int | None
) -> _Summary:
    """Sum up values as if they were labelled `label`, without the outliers."""
    inside = _inside(values, label, variable)
    values = values[inside] if inside.mean() >= MOST else values
    return _Summary(
        float(np.median(values)),
        float(values.mean()),
        float(values.max()),
        values.size,
        values.size if days is None else days,
    )


def _inside(values: Array, label: str, variable: VariableSpec) -> Array:
    """Mark values within the valid range; all where the label says nothing of it."""
    low, high = CATALOGUE[variable.name].valid_range
    try:
        converted = _converted(values, label, variable)
    except InputError:
        return np.ones(values.shape, bool)
    return np.asarray((converted >= low) & (converted <= high))


def _candidates(label: str, variable: VariableSpec) -> Iterator[str]:
    """Other units that the numbers may have; first the mean of hourly amounts."""
    known = CATALOGUE[variable.name]
    others = _USUAL_UNITS.get(known.units, ())
    if known.units == "1" and known.valid_range[1] > 1:  # no share of a whole
        others = ()
    hourly = {"m": "m h-1", "mm": "mm h-1", "kg m-2": "kg m-2 h-1"}
    hourly |= dict.fromkeys(("J m-2", "J m**-2", "J/m2", "J m-2 d-1"), "J m-2 h-1")
    if label in hourly:
        yield hourly[label]
    yield from (other for other in others if other != label)


def _verdict(seen: _Summary, label: str, variable: VariableSpec) -> str:
    """How the values are odd, as the middle of the message."""
    known = CATALOGUE[variable.name]
    low, high = known.valid_range
    if not _within(_converted(seen.median, label, variable), low, high):
        return f" is far outside {low:g} to {high:g} {known.units}"
    if not _usual(seen, label, variable):
        return f" in {label} does not occur on Earth in a year or more"
    return f" in {label} is far from the values seen in training"


def _converted(value: Any, label: str, variable: VariableSpec) -> Array:
    """Values in catalogue units, as if they were labelled `label`."""
    known = CATALOGUE[variable.name]
    daily = known.kind == "forcing"
    change = conversion(label, known.units, daily=daily, difference=known.difference)
    return change(np.asarray(value))


def _within(value: Any, low: float, high: float) -> bool:
    """Whether a value lies in a range, ends included; NaN never does."""
    return bool(low <= value <= high)


def _fits(
    seen: _Summary, label: str, variable: VariableSpec, *, strict: bool = False
) -> bool:
    """Whether values labelled so would be plausible, if strict without any outlier."""
    known = CATALOGUE[variable.name]
    try:
        typical, extreme = _converted([seen.median, seen.largest], label, variable)
        lowest, highest = _trained(variable)
        usual = _usual(seen, label, variable)
    except InputError:
        return False
    low, high = known.valid_range
    if not _within(typical, low, high) or (strict and extreme > high) or not usual:
        return False
    if lowest is None or highest is None:
        return True
    span = highest - lowest
    if not _within(typical, lowest - span / 2, highest + span / 2):
        return False
    if 0 < typical < lowest / 5:  # of quantities that start at zero
        return False
    tiny = low == 0 and variable.name != "snow_depth_water_equivalent"
    enough = seen.count >= 30 and known.kind == "forcing"
    return not (tiny and enough and 0 < extreme < 1e-3 * highest)


def _usual(seen: _Summary, label: str, variable: VariableSpec) -> bool:
    """Whether a year or more of weather has a mean (and rain) that occurs on Earth."""
    limits = _YEARLY_MEAN.get(variable.name)
    if limits is None or seen.days < YEAR:
        return True
    mean, largest = _converted([seen.mean, seen.largest], label, variable)
    if not _within(mean, *limits):
        return False
    return variable.name != "precipitation" or mean < DRY or bool(largest >= DOWNPOUR)


def _trained(variable: VariableSpec) -> tuple[float | None, float | None]:
    """Range seen in training, in catalogue units."""
    known = CATALOGUE[variable.name]
    if variable.minimum is None or variable.maximum is None or variable.units is None:
        return None, None
    change = conversion(variable.units, known.units, difference=known.difference)
    low, high = change(np.array([variable.minimum, variable.maximum]))
    return float(low), float(high)


def in_catalogue_units(name: str) -> VariableSpec:
    """Describe a catalogue variable of which no training statistics are known."""
    known = CATALOGUE.get(name)
    return VariableSpec(name, None if known is None else known.units)
