"""Read single variables of a Dataset: units, kind of values, plausibility."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inputs.matching import Match
from xstefaland.inputs.plausibility import implausible, in_catalogue_units, sample
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.units import IDENTITY, Conversion, conversion, stated
from xstefaland.inputs.variables import CATALOGUE


@dataclass(frozen=True)
class Reading:
    """How one variable of the Dataset becomes values in catalogue units.

    Attributes
    ----------
    name, source : str
        Canonical (or weights-file) name, and name in the Dataset.
    conversion : Conversion
        To catalogue units; none for variables that are taken as they are.
    label : str or None
        Units of the source.
    units : str or None
        Units of the result.
    note : str
        What was assumed, for the report.
    """

    name: str
    source: str
    conversion: Conversion = IDENTITY
    label: str | None = None
    units: str | None = None
    note: str = ""

    @property
    def change(self) -> str:
        """Units as the report shows them."""
        if self.label is None:
            return "as they are"
        same = self.label == self.units
        text = self.label if same else f"{self.label} -> {self.units}"
        return f"{text} ({self.note})" if self.note else text


class Reader:
    """Makes readings and collects what is wrong with their units and values.

    Parameters
    ----------
    ds : xarray.Dataset
        The user's data.
    requirements : Requirements
        What the model asks for.
    units : mapping of str to str, optional
        Units by name in the Dataset, which go before the stated ones.

    Attributes
    ----------
    problems : list of str
        Units that cannot be converted, values that are no numbers.
    unstated : dict of str to str
        Forcings without units, with the units that are expected.
    """

    def __init__(
        self,
        ds: xr.Dataset,
        requirements: Requirements,
        units: Mapping[str, str] | None = None,
    ) -> None:
        self.problems: list[str] = []
        self.unstated: dict[str, str] = {}
        self._ds = ds
        self._wanted = {v.name: v for v in requirements.variables}
        self._units = dict(units or {})

    def read(self, match: Match) -> Reading:
        """Make the reading of one match, and note its problems."""
        self._check_numbers(match)
        variable = CATALOGUE.get(match.name)
        wanted = self._wanted.get(match.name)
        if variable is None or (wanted is not None and wanted.catalogued is None):
            return Reading(match.name, match.source)
        label = stated(self._units.get(match.source, self._attrs(match).get("units")))
        note = ""
        if label is None and variable.kind == "forcing":
            self.unstated[match.source] = variable.units
            label = variable.units
        elif label is None:
            label, note = variable.units_of_alias(match.source), "assumed"
        daily, target = variable.kind == "forcing", variable.units
        change = IDENTITY
        try:
            change = conversion(
                label, target, daily=daily, difference=variable.difference
            )
        except InputError as error:
            self.problems.append(
                f'{match.name} ("{match.source}"): {error}; if its values are in '
                f'{target}, pass units={{"{match.source}": "{target}"}}'
            )
        note = note or change.note
        return Reading(match.name, match.source, change, label, target, note)

    def unknown_units(self, known: Iterable[str]) -> list[str]:
        """Problems of `units=` for variables that the Dataset does not have."""
        names = set(known)
        return [
            f'units={{"{name}": "{text}"}}: the Dataset has no variable {name!r}'
            for name, text in self._units.items()
            if name not in names
        ]

    def missing_units(self) -> list[str]:
        """One problem for all forcings without units, with one call."""
        if not self.unstated:
            return []
        names = ", ".join(repr(name) for name in self.unstated)
        call = ", ".join(f'"{name}": "{unit}"' for name, unit in self.unstated.items())
        return [f"no units stated for {names}; say which, for example units={{{call}}}"]

    def suspicious(self, reading: Reading) -> str | None:
        """Warn about values in memory that cannot be meant as labelled."""
        values = in_memory(self._ds, reading.source)
        if values is None or reading.label is None:
            return None
        variable = self._described(reading.name)
        return implausible(
            sample(values), variable, source=reading.source, units=reading.label
        )

    def empty(self, reading: Reading) -> bool:
        """Whether values in memory hold not a single finite number."""
        values = in_memory(self._ds, reading.source)
        if values is None or not values.size or np.isfinite(sample(values)).any():
            return False
        return not np.isfinite(values).any()

    def _described(self, name: str) -> VariableSpec:
        wanted = self._wanted.get(name)
        return in_catalogue_units(name) if wanted is None else wanted

    def _attrs(self, match: Match) -> dict[str, object]:
        return {str(k): v for k, v in self._ds[match.source].attrs.items()}

    def _check_numbers(self, match: Match) -> None:
        dtype = self._ds[match.source].dtype
        if dtype.kind in "fiu":
            return
        name = match.source
        call = f'ds["{name}"] = ds["{name}"].astype(float)'
        if dtype.kind == "m":
            call = f'ds["{name}"] = ds["{name}"] / np.timedelta64(1, "D")'
        what = {"O": "objects or text", "U": "text", "S": "text", "b": "true/false"}
        self.problems.append(
            f'{match.name}: "{name}" holds {what.get(dtype.kind, str(dtype))} where '
            f"numbers belong (dtype {dtype}); convert it: {call}"
        )


def in_memory(ds: xr.Dataset, name: str) -> npt.NDArray[Any] | None:
    """Values of a variable if they are numbers in memory, never loading anything."""
    variable = ds[name].variable
    if variable.dtype.kind not in "fiu" or not variable._in_memory:
        return None
    return np.asarray(variable.to_numpy())
