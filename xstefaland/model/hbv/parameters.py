"""
The parameters of HBV as data: order, bounds, units and meaning.

A network hands over logits; ``low + sigmoid(logit) * (high - low)`` is the value.
The logits of one day and site lie parameter by parameter (in the order of this
table), within a parameter component by component, and end with the two of the
routing, which belong to the site and not to a component.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xstefaland.errors import InputError

Version = Literal["1.1", "1.0"]


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of the model.

    Attributes
    ----------
    name : str
        Name in this package.
    low, high : float
        Bounds, in `units`; the map from the unit interval is linear.
    units : str
        CF units.
    long_name : str
        Meaning in words.
    """

    name: str
    low: float
    high: float
    units: str
    long_name: str


PHYSICAL: tuple[Parameter, ...] = (
    Parameter("beta", 1.0, 6.0, "1", "shape of the soil recharge curve"),
    Parameter("fc", 50.0, 1000.0, "mm", "field capacity of the soil"),
    Parameter("k0", 0.05, 0.9, "d-1", "fast outflow of the upper zone above uzl"),
    Parameter("k1", 0.01, 0.5, "d-1", "outflow of the upper zone"),
    Parameter("k2", 0.001, 0.2, "d-1", "outflow of the lower zone"),
    Parameter("lp", 0.2, 1.0, "1", "share of fc above which evaporation is potential"),
    Parameter("perc", 0.0, 10.0, "mm d-1", "largest percolation to the lower zone"),
    Parameter("uzl", 0.0, 100.0, "mm", "upper zone storage above which k0 acts"),
    Parameter("tt", -2.5, 2.5, "degC", "threshold between rain and snow, and of melt"),
    Parameter("cfmax", 0.5, 10.0, "mm degC-1 d-1", "degree-day factor"),
    Parameter("cfr", 0.0, 0.1, "1", "refreezing coefficient"),
    Parameter("cwh", 0.0, 0.2, "1", "liquid water the snowpack can hold"),
    Parameter("beta_et", 0.3, 5.0, "1", "shape of the evapotranspiration curve"),
    Parameter("c", 0.0, 1.0, "d-1", "capillary rise coefficient"),
)
"""Parameters of a component, in the order of the logits of version 1.1."""

ROUTING: tuple[Parameter, ...] = (
    Parameter("route_a", 0.0, 2.9, "1", "shape of the unit hydrograph, less 0.1"),
    Parameter("route_b", 0.0, 6.5, "d", "scale of the unit hydrograph, less 0.5"),
)
"""Parameters of a site, last in the logits."""

NAMES: tuple[str, ...] = tuple(entry.name for entry in PHYSICAL)
DYNAMIC: tuple[str, ...] = ("beta", "k0", "beta_et")
"""Parameters that change from day to day unless told otherwise."""

FIXED: dict[str, float] = {"beta_et": 1.0, "c": 0.0}
"""Values that turn a parameter off where a version does not have it."""


def parameter_names(
    version: Version = "1.1", dynamic: tuple[str, ...] = DYNAMIC
) -> tuple[str, ...]:
    """
    Name the parameters of a component in the order of their logits.

    Parameters
    ----------
    version : {"1.1", "1.0"}
        Version 1.0 has no capillary rise, and `beta_et` only if it is dynamic.
    dynamic : tuple of str
        Parameters that change from day to day.

    Returns
    -------
    tuple of str
        All 14 names, or 12 or 13 for version 1.0.

    Raises
    ------
    InputError
        If the version is unknown, or a dynamic name is unknown or repeated.

    Examples
    --------
    >>> len(parameter_names()), len(parameter_names("1.0", ()))
    (14, 12)
    """
    names = _names_of_version(version, dynamic)
    wrong = [name for name in dynamic if name not in names]
    if wrong or len(set(dynamic)) != len(dynamic):
        raise InputError(
            f"dynamic={tuple(dynamic)!r}: names must be different ones of {names} "
            f"for version {version!r}, e.g. dynamic={DYNAMIC!r}."
        )
    return names


def _names_of_version(version: str, dynamic: tuple[str, ...]) -> tuple[str, ...]:
    """Names of a version; 1.0 has `beta_et` only where it changes daily."""
    if version == "1.1":
        return NAMES
    if version != "1.0":
        raise InputError(f"version={version!r} is unknown; use '1.1' or '1.0'.")
    return tuple(
        n for n in NAMES if n not in FIXED or (n == "beta_et" and n in dynamic)
    )


def logit_width(
    components: int = 16,
    version: Version = "1.1",
    dynamic: tuple[str, ...] = DYNAMIC,
) -> int:
    """
    Count the logits of a day and site.

    Parameters
    ----------
    components : int
        Parallel components of a site.
    version, dynamic
        As for `parameter_names`.

    Returns
    -------
    int
        Parameters times components, and two for the routing.

    Examples
    --------
    >>> logit_width(16), logit_width(1), logit_width(16, "1.0", ())
    (226, 16, 194)
    """
    return len(parameter_names(version, dynamic)) * components + len(ROUTING)
