"""What the package knows about one quantity, and short ways to write it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["forcing", "attribute"]

GROUPS = ("climate", "topography", "soil", "geology", "vegetation", "human")
"""Attribute groups that are masked together in pretraining."""


@dataclass(frozen=True)
class Variable:
    """What the package knows about one physical quantity.

    Attributes
    ----------
    name : str
        Canonical name, as used in weights files.
    kind : {"forcing", "attribute"}
        Daily series or one value per site.
    units : str
        Units the catalogue works in (CF string).
    long_name : str
        A few words for people.
    valid_range : tuple of float
        Lowest and highest plausible value, in `units`.
    standard_names : tuple of str
        CF standard names by which a variable may be recognised, the best one first.
    aliases : tuple of str
        Names used by common products, compared without regard to case.
    alias_units : tuple of (str, str)
        Units that a product defines for an alias (lower case) in its documentation.
        Taken for an attribute whose units are not stated in the Dataset; shown in the
        message where a forcing states none.
    group : str or None
        Masking group of an attribute.
    cell_method : {"mean", "maximum", "minimum", "sum"}
        How a daily value comes from the hours of the day.
    difference : bool
        A difference of two values, converted without the unit's offset.
    """

    name: str
    kind: Kind
    units: str
    long_name: str
    valid_range: tuple[float, float]
    standard_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    alias_units: tuple[tuple[str, str], ...] = ()
    group: str | None = None
    cell_method: str = "mean"
    difference: bool = False

    @property
    def standard_name(self) -> str | None:
        """The CF standard name, or None where CF has none."""
        return self.standard_names[0] if self.standard_names else None

    def units_of_alias(self, alias: str) -> str:
        """Units that the product has which calls the variable `alias`.

        Examples
        --------
        >>> from xstefaland.inputs.variables import CATALOGUE
        >>> CATALOGUE["frac_forest"].units_of_alias("for_pc_sse")
        'percent'
        """
        return dict(self.alias_units).get(alias.lower(), self.units)


def forcing(
    name: str,
    units: str,
    valid_range: tuple[float, float],
    long_name: str,
    *,
    cf: str = "",
    aliases: str = "",
    cell_method: str = "mean",
    products: dict[str, str] | None = None,
) -> Variable:
    """Describe a forcing; `cf`, `aliases` and names of `products` are lists of words.

    `products` names, by units, the aliases whose products have other units than ours.
    """
    said = (
        (a, unit) for unit, names in (products or {}).items() for a in names.split()
    )
    return Variable(
        name,
        "forcing",
        units,
        long_name,
        valid_range,
        tuple(cf.split()),
        tuple(aliases.split()),
        tuple((alias.lower(), unit) for alias, unit in said),
        cell_method=cell_method,
    )


def attribute(
    group: str,
    name: str,
    units: str,
    valid_range: tuple[float, float],
    long_name: str,
    *,
    cf: str = "",
    aliases: str = "",
    alias_units: tuple[tuple[str, str], ...] = (),
    difference: bool = False,
) -> Variable:
    """Describe an attribute; those of `alias_units` are aliases too."""
    return Variable(
        name,
        "attribute",
        units,
        long_name,
        valid_range,
        tuple(cf.split()),
        (*aliases.split(), *(alias for alias, _ in alias_units)),
        alias_units,
        group,
        difference=difference,
    )
