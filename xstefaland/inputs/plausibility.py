"""Values that cannot be what they are labelled as, and the likely mistake."""

from __future__ import annotations

from dataclasses import replace
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
    "mm d-1": ("mm d-1", "kg m-2 s-1", "m d-1", "m s-1"),
    "percent": ("percent", "1"),
    "1": ("1", "percent"),
    "Pa": ("Pa", "hPa", "kPa"),
    "W m-2": ("W m-2", "MJ m-2 d-1", "J m-2 d-1"),
    "kg kg-1": ("kg kg-1", "g kg-1"),
    "m": ("m", "mm", "cm", "ft"),
    "km2": ("km2", "m2", "ha"),
    "kg m-3": ("kg m-3", "g cm-3"),
    "m km-1": ("m km-1", "percent"),
    "d yr-1": ("d yr-1", "1"),
}
_FILL = -999.0
SAMPLE = 100_000


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
) -> str | None:
    """Say when values cannot be meant as labelled, and what they may be instead.

    The typical value (median) is held against the catalogue's valid range and against
    what the model saw in training; for a quantity that starts at zero, also the
    largest value. The mistake that would explain it is named. Single outliers pass.

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

    Returns
    -------
    str or None
        The warning, or None where nothing is suspicious, also for variables outside
        the catalogue or without units.

    Examples
    --------
    >>> tas = VariableSpec("temperature", "degC", mean=10.0, std=11.0)
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
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return None
    low, high = known.valid_range
    if finite.min() <= _FILL < low:
        return (
            f"{variable.name}: {name!r} holds {finite.min():g}, probably a fill value; "
            f'mark it as missing: ds["{name}"].where(ds["{name}"] > {_FILL:g})'
        )
    if _fits(finite, label, variable):
        return None
    median = np.median(finite)
    text = (
        f"{variable.name}: {name!r} (median {median:.3g}, largest {finite.max():.3g})"
    )
    if _within(_converted(median, label, variable), low, high):
        text += f" in {label} is far from the values seen in training"
    else:
        text += f" is far outside {low:g} to {high:g} {known.units}"
    for other in _USUAL_UNITS.get(known.units, ()):
        if other != label and _fits(finite, other, variable, strict=True):
            return f'{text}; are these {other}? Then pass units={{"{name}": "{other}"}}'
    return f"{text}; check the units {label!r} and the variable"


def _converted(value: Any, label: str, variable: VariableSpec) -> Array:
    """Values in catalogue units, as if they were labelled `label`."""
    known = CATALOGUE[variable.name]
    daily = known.kind == "forcing"
    change = conversion(label, known.units, daily=daily, difference=known.difference)
    return change(np.asarray(value))


def _within(value: Array, low: float, high: float) -> bool:
    return bool(low <= value <= high)


def _fits(
    values: Array, label: str, variable: VariableSpec, *, strict: bool = False
) -> bool:
    """Whether values labelled so would be plausible, if strict without any outlier."""
    known = CATALOGUE[variable.name]
    try:
        typical, extreme = _converted(
            [np.median(values), values.max()], label, variable
        )
        lowest, highest = _seen(variable)
    except InputError:
        return False
    low, high = known.valid_range
    if not _within(typical, low, high) or (strict and extreme > high):
        return False
    if lowest is None or highest is None:
        return True
    span = highest - lowest
    if not _within(typical, lowest - span / 2, highest + span / 2):
        return False
    if 0 < typical < lowest / 5:  # of quantities that start at zero
        return False
    tiny = low == 0 and variable.name != "snow_depth_water_equivalent"
    enough = values.size >= 30 and known.kind == "forcing"
    return not (tiny and enough and 0 < extreme < 1e-3 * highest)


def _seen(variable: VariableSpec) -> tuple[float | None, float | None]:
    """Range seen in training, in catalogue units."""
    known = CATALOGUE[variable.name]
    if variable.minimum is None or variable.maximum is None or variable.units is None:
        return None, None
    change = conversion(variable.units, known.units, difference=known.difference)
    low, high = change(np.array([variable.minimum, variable.maximum]))
    return float(low), float(high)


def in_catalogue_units(name: str) -> VariableSpec:
    """Describe a catalogue variable of which no training statistics are known."""
    return replace(VariableSpec(name, None), units=CATALOGUE[name].units)
