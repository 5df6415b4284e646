"""Conversion of units, from what a Dataset states to what a model needs.

The registry is cf-xarray's: pint with the spellings of CF and UDUNITS (`mm d-1`, `%`,
`degrees_north`), some tens of kilobytes, where xclim's comes with the whole of xclim.
It is loaded at the first conversion. A unit is never guessed from the size of values.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from xstefaland.errors import InputError

Array = npt.NDArray[Any]

WATER_DENSITY = 1000.0  # kg m-3, between a mass and a depth of water

_UNSTATED = {"", "none", "unknown", "undefined", "n/a", "missing"}
_DIMENSIONLESS = {
    "-", "~", "[]", "[-]", "(-)", "(0 - 1)", "0-1", "[0-1]", "fraction", "unitless",
    "ratio", "index", "m/m", "decimal fraction", "decimal", "proportion",
}  # fmt: skip
# Spellings of products that pint and CF do not know, replaced one after the other.
_SPELLINGS = (
    (r"^mb$", "hPa"),
    (r"(?i)\bmilli(meter|metre)s?\b", "mm"),
    (r"(?i)\bm(m?) of water( equivalent)?$", r"m\1"),
    (r"\bm(m?) w\.?\s?e\.?$", r"m\1"),
    (r"\bm\s?a\.?s\.?l\.?$", "m"),
    (r"(?i)^(vol(ume(tric)?)?\.?[ -]?%|%[ -]?(by )?vol(ume)?\.?)$", "%"),
    (r"(?i)^(cfs|cusecs?|cubic f(ee|oo)t per second)$", "ft3/s"),
    (r"(?i)^(cumecs?|cubic met(er|re)s? per second)$", "m3/s"),
    (r"℃", "degC"),
    (r"(?i)^deg(ree)?s?\.?[ _]*k(elvins?)?$|^kelvins?$", "K"),
    (r"(?i)^(deg(ree)?s?\.?[ _]*|°\s*)?celsius$", "degC"),
    (r"(?i)^(deg(ree)?s?\.?[ _]*|°\s*)?fahrenheit$|^f$", "degF"),
    (r"(?i)^(?:deg(?:ree)?s?\.?[ _]*|°\s*)([cf])$", lambda m: "deg" + m[1].upper()),
    (r"°\s*", "deg"),
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺\u2212", "0123456789-+-")
# "mm/3h", the amount of three hours: pint has no numbers below the line.
_INTERVAL = re.compile(
    r"(?i)(?:/|\bper) ?(\d+(?:\.\d+)?) ?"
    r"(?:(min)(?:utes?)?|(h)(?:(?:ou)?rs?)?|(d)(?:ays?)?)$"
)
_STRAY = re.compile(r"[^\w\s.*/^+\-()\[\]%°℃·]")  # pint reads over punctuation
_LONGEST = 60  # no unit needs more characters; longer texts only cost time
# Powers that pint would compute for hours: of numbers (but 10), of brackets, or huge.
_TOWER = re.compile(r"(?:(?<!\b1)0|[1-9]|\))\s*(?:\*\*|\^)|(?:\*\*|\^)\s*[+-]?\d{2,}")
_OFFSETS = {"degree_Celsius", "degree_Fahrenheit"}


@dataclass(frozen=True)
class Conversion:
    """A conversion of values from one unit to another.

    Attributes
    ----------
    scale, offset : float
        The result is `scale * values + offset`.
    daily : bool
        The source is an amount that was taken as that of one day.
    angle : float
        Radians per source unit where an angle becomes a slope (its tangent times
        `scale`), else 0.
    """

    scale: float = 1.0
    offset: float = 0.0
    daily: bool = False
    angle: float = 0.0

    def __call__(self, values: Array) -> Array:
        """Convert an array; floating precision stays."""
        if self.angle:
            return np.asarray(np.tan(values * self.angle) * self.scale)
        result = values * self.scale if self.scale != 1.0 else values
        return np.asarray(result + self.offset if self.offset else result)

    @property
    def note(self) -> str:
        """What was assumed, for the report."""
        return "taken as amount per day" if self.daily else ""


IDENTITY = Conversion()
"""No conversion."""


@lru_cache(maxsize=1)
def _registry() -> Any:
    """Registry of cf-xarray, without its side effect on pint's own default."""
    import pint

    default = pint.application_registry.get()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it looks for matplotlib
        from cf_xarray.units import units
    pint.set_application_registry(default)  # type: ignore[no-untyped-call]
    return units


def stated(units: object) -> str | None:
    """Units as stated in an attribute, or None where it states none.

    Examples
    --------
    >>> stated("mm d-1"), stated("unknown"), stated(1)
    ('mm d-1', None, '1')
    """
    text = "" if units is None else str(units).strip()
    return None if text.lower() in _UNSTATED else text


@lru_cache(maxsize=512)
def conversion(
    source: str, target: str, *, daily: bool = False, difference: bool = False
) -> Conversion:
    """Find the conversion between two units.

    Parameters
    ----------
    source, target : str
        Units as CF strings or as pint reads them; a number may stand in front
        (`"0.1 degC"`).
    daily : bool
        The values belong to single days: an amount (`mm`, `kg m-2`, `J m-2`) is also
        read as that amount per day.
    difference : bool
        The values are differences: 1 K is then 1 degC.

    Returns
    -------
    Conversion
        Callable on arrays.

    Raises
    ------
    InputError
        When `source` cannot be read, or not be converted to `target`.

    Examples
    --------
    >>> conversion("kg m-2 s-1", "mm d-1").scale
    86400.0
    >>> conversion("mm", "mm d-1", daily=True)
    Conversion(scale=1.0, offset=0.0, daily=True, angle=0.0)
    >>> conversion("degF", "degC")(np.array([50.0, 212.0])).round(6)
    array([ 10., 100.])
    """
    if source.strip() == target.strip():
        return IDENTITY
    factor, unit = _parse(source)
    wanted_factor, wanted = _parse(target)
    share = factor / wanted_factor
    if _is_angle(unit) and not _is_angle(wanted):
        if wanted == _registry().Unit("m km-1"):
            radians = _registry().Quantity(factor, unit).to("radian").magnitude
            return Conversion(1000.0 / wanted_factor, angle=float(radians))
    else:
        for reading, density, is_daily in _readings(unit, wanted, daily):
            if reading.is_compatible_with(wanted):
                scale, offset = _coefficients(reading, wanted)
                offset = 0.0 if difference else offset / wanted_factor
                return Conversion(
                    _rounded(scale * share / density), _rounded(offset), is_daily
                )
    raise InputError(f"units {source!r} cannot be converted to {target!r}")


def same_units(first: str, second: str) -> bool:
    """Tell whether two spellings mean the same units, so that values may be compared.

    Examples
    --------
    >>> same_units("mm/day", "mm d-1"), same_units("mm", "mm d-1")
    (True, False)
    >>> same_units("cm d-1", "mm d-1"), same_units("furlong", "what")
    (False, False)
    """
    try:
        return conversion(first, second) == IDENTITY
    except InputError:
        return False


def _parse(text: str) -> tuple[float, Any]:
    """Split units into a leading number and a pint unit."""
    cleaned = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", r"**\g<0>", text.strip()).translate(_RAISED)
    if cleaned.lower() in _DIMENSIONLESS:
        return 1.0, _registry().Unit("dimensionless")
    if len(cleaned) > _LONGEST or _TOWER.search(cleaned) or _STRAY.search(cleaned):
        raise InputError(f"units {_shortened(text)!r} are not understood")
    for pattern, replacement in _SPELLINGS:
        cleaned = re.sub(pattern, replacement, cleaned)
    number = re.match(r"(\d*\.?\d+|\d+\.)([eE][+-]?\d+)?(?:\s+|\s*$)", cleaned)
    factor = float(number[0]) if number else 1.0
    rest = cleaned[number.end() :] if number else cleaned
    if interval := _INTERVAL.search(rest):
        factor /= float(interval[1]) or math.inf
        name = next(filter(None, interval.groups()[1:]))
        rest = f"{rest[: interval.start()]}/{name.lower()}"
    if not 0 < factor < float("inf"):
        raise InputError(f"units {text!r} are not understood")
    unreadable = (  # what pint's parser raises for text that is not a unit
        ValueError, AttributeError, TypeError, LookupError, SyntaxError,
        ArithmeticError, TokenError, AssertionError, RecursionError,
    )  # fmt: skip
    try:
        return factor, _registry().Unit(rest or "dimensionless")
    except unreadable as err:
        raise InputError(f"units {text!r} are not understood") from err


def _shortened(text: str) -> str:
    """Keep a message readable whatever stands in an attribute."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _readings(unit: Any, wanted: Any, daily: bool) -> list[tuple[Any, float, bool]]:
    """Ways to read a unit: (unit, density to divide by, taken as an amount per day)."""
    readings = [(unit, 1.0, False)]
    if "[mass]" in unit.dimensionality and "[mass]" not in wanted.dimensionality:
        readings.append((unit / _registry().Unit("kg m-3"), WATER_DENSITY, False))
    if daily and not unit._units.keys() & _OFFSETS:
        day = _registry().Unit("day")
        readings += [(each / day, density, True) for each, density, _ in readings]
    return readings


def _coefficients(unit: Any, wanted: Any) -> tuple[float, float]:
    """Scale and offset of a conversion, read off two points far apart."""
    low, high = _registry().Quantity(np.array([0.0, 1e4]), unit).to(wanted).magnitude
    return float(high - low) / 1e4, float(low)


def _is_angle(unit: Any) -> bool:
    """Whether a unit is a plain angle, which pint counts as dimensionless."""
    return bool(unit._units) and _registry().Unit("radian") == (
        _registry().Quantity(1, unit).to_root_units().units
    )


def _rounded(value: float) -> float:
    """Drop the noise of pint's arithmetic, such as 0.9999999999999999."""
    return float(f"{value:.13g}")
