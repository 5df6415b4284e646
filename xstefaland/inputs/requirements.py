"""What a model asks of a Dataset, in plain words and numbers.

Weights files store these descriptions in their cards, and `inputs` reads them: there is
one class for both.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

from xstefaland.inputs.quantities import Variable
from xstefaland.inputs.variables import CATALOGUE

TRANSFORMS = ("linear", "log1p")


@dataclass(frozen=True)
class VariableSpec:
    """One input of a model, as it was seen in training.

    Parameters
    ----------
    name : str
        Exact name; it wins over the catalogue's aliases.
    units : str or None
        Units of the physical values. ``None``: values are taken as they are, with no
        conversion, range check or derivation.
    mean, std : float
        Statistics of the **transformed** training values.
    transform : {"linear", "log1p"}
        Applied before scaling.
    minimum, maximum : float or None
        Range seen in training, in `units`.
    group : str or None
        Masking group (climate, soil, ...) of an attribute.
    """

    name: str
    units: str | None = None
    _: KW_ONLY
    mean: float = 0.0
    std: float = 1.0
    transform: str = "linear"
    minimum: float | None = None
    maximum: float | None = None
    group: str | None = None

    @property
    def catalogued(self) -> Variable | None:
        """The catalogue's entry, or None where values are taken as they are.

        Examples
        --------
        >>> VariableSpec("precipitation", "mm d-1").catalogued.standard_name
        'precipitation_flux'
        >>> VariableSpec("precipitation").catalogued is None
        True
        """
        return CATALOGUE.get(self.name) if self.units is not None else None

    def problems(self) -> list[str]:
        """Tell what makes the entry unusable."""
        out = []
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            out.append(
                f"variable '{self.name}' has mean={self.mean}, std={self.std}; both "
                "must be finite and std positive"
            )
        if self.transform not in TRANSFORMS:
            out.append(
                f"variable '{self.name}' has transform '{self.transform}'; there are "
                f"{', '.join(TRANSFORMS)}"
            )
        return out + range_problems(self.name, self.minimum, self.maximum)


def range_problems(name: str, low: float | None, high: float | None) -> list[str]:
    """Tell when a range is upside down.

    Examples
    --------
    >>> range_problems("clay", 100.0, 0.0)
    ["'clay' has minimum 100.0 above maximum 0.0"]
    """
    if low is None or high is None or low <= high:
        return []
    return [f"'{name}' has minimum {low} above maximum {high}"]


@dataclass(frozen=True)
class Requirements:
    """All that a model, an encoder and perhaps a head, asks of a Dataset.

    Attributes
    ----------
    forcing, attributes : tuple of VariableSpec
        Variables in the order of the model.
    required : tuple of tuple of str
        Of each inner tuple at least one variable must be there, given or derived.
    masked : frozenset of str
        Variables hidden from the model even when they are given.
    static : bool
        A Dataset without time and forcing is accepted.
    fills : bool
        Gaps are filled, however long: few days with an input are nothing to warn of.
    """

    forcing: tuple[VariableSpec, ...]
    attributes: tuple[VariableSpec, ...] = ()
    required: tuple[tuple[str, ...], ...] = ()
    masked: frozenset[str] = frozenset()
    static: bool = False
    fills: bool = False

    @property
    def variables(self) -> tuple[VariableSpec, ...]:
        """Forcings, then attributes."""
        return (*self.forcing, *self.attributes)
