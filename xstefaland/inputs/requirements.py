"""What a model asks of a Dataset, in plain words and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from xstefaland.inputs.variables import CATALOGUE, Variable


@dataclass(frozen=True)
class InputVariable:
    """One variable of a weights file.

    Attributes
    ----------
    name : str
        Exact name in the weights file.
    units : str or None
        Units the model works in. None: values are taken as they are, without
        conversion, range check or derivation.
    mean, std : float
        Statistics of the transformed values in training.
    transform : {"linear", "log1p"}
        Transform applied before scaling.
    minimum, maximum : float or None
        Range seen in training, in `units`.
    group : str or None
        Masking group of an attribute.
    required : bool
        Whether the model cannot do without it.
    """

    name: str
    units: str | None
    mean: float = 0.0
    std: float = 1.0
    transform: str = "linear"
    minimum: float | None = None
    maximum: float | None = None
    group: str | None = None
    required: bool = False

    @property
    def catalogued(self) -> Variable | None:
        """The catalogue's entry, or None where values are taken as they are.

        Examples
        --------
        >>> InputVariable("precipitation", "mm d-1").catalogued.standard_name
        'precipitation_flux'
        >>> InputVariable("precipitation", None).catalogued is None
        True
        """
        return CATALOGUE.get(self.name) if self.units is not None else None


@dataclass(frozen=True)
class Requirements:
    """All that a model, an encoder and perhaps a head, asks of a Dataset.

    Attributes
    ----------
    forcing, attributes : tuple of InputVariable
        Variables in the order of the model.
    required : tuple of tuple of str
        Of each inner tuple at least one variable must be there, given or derived.
    masked : frozenset of str
        Variables hidden from the model even when they are given.
    static : bool
        A Dataset without time and forcing is accepted.
    """

    forcing: tuple[InputVariable, ...]
    attributes: tuple[InputVariable, ...] = ()
    required: tuple[tuple[str, ...], ...] = ()
    masked: frozenset[str] = frozenset()
    static: bool = False

    @property
    def variables(self) -> tuple[InputVariable, ...]:
        """Forcings, then attributes."""
        return (*self.forcing, *self.attributes)

    @property
    def needed(self) -> tuple[tuple[str, ...], ...]:
        """`required` and every single variable marked as required.

        Examples
        --------
        >>> rain = InputVariable("precipitation", "mm d-1", required=True)
        >>> Requirements((rain,), required=(("temperature",),)).needed
        (('temperature',), ('precipitation',))
        """
        single = tuple((v.name,) for v in self.variables if v.required)
        return (*self.required, *(s for s in single if s not in self.required))
