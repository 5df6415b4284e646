"""Read one variable of a Dataset: its units, and which of its values are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inputs.matching import Origin
from xstefaland.inputs.plausibility import (
    implausible,
    in_catalogue_units,
    known_fills,
    sample,
)
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.units import IDENTITY, Conversion, conversion, stated
from xstefaland.inputs.variables import CATALOGUE

Array = npt.NDArray[Any]

HUGE = 1e15
"""Larger numbers are fill values (1e20, 9.97e36), whatever the variable."""

SLACK = 1e-4
"""Share of the valid range by which packing may miss it: such values are clipped."""


@dataclass(frozen=True)
class Reading:
    """How one variable of the Dataset becomes values in catalogue units.

    Attributes
    ----------
    name, source : str
        Canonical (or weights-file) name, and name in the Dataset.
    spec : VariableSpec
        What the model knows of it.
    conversion : Conversion
        To catalogue units; none for variables that are taken as they are.
    label : str or None
        Units of the source.
    units : str or None
        Units of the result.
    note : str
        What was assumed, for the report.
    limits : tuple of float or None
        Valid range in `units`; None where values are not checked.
    keep : bool
        Values beyond the limits are kept (``set_options(out_of_range="keep")``).
    fills : tuple of float
        Numbers that stand for missing values in the source.
    lazy : str
        Name of the dask array that holds the values, whose check has to wait until
        they are there; empty where they are in memory or in a file.
    """

    name: str
    source: str
    spec: VariableSpec
    conversion: Conversion = IDENTITY
    label: str | None = None
    units: str | None = None
    note: str = ""
    limits: tuple[float, float] | None = None
    keep: bool = False
    fills: tuple[float, ...] = ()
    lazy: str = ""

    @property
    def change(self) -> str:
        """Units as the report shows them."""
        if self.label is None:
            return "as they are"
        same = self.label == self.units
        text = self.label if same else f"{self.label} -> {self.units}"
        return f"{text} ({self.note})" if self.note else text

    def values(self, raw: Array) -> Array:
        """Convert raw values: float32, NaN where there is none or it cannot be true.

        Parameters
        ----------
        raw : ndarray
            Values as they stand in the Dataset; they are not changed.

        Returns
        -------
        ndarray of float32
            In `units`. Fill values and values beyond the limits are NaN; those that
            miss a limit by a rounding of packed data are put on it.

        Examples
        --------
        >>> rain = VariableSpec("precipitation", "mm d-1")
        >>> reading = Reading("precipitation", "pr", rain, limits=(0.0, 1900.0))
        >>> reading.values(np.array([3.0, -1e-7, -9999.0, 1e20]))
        array([ 3.,  0., nan, nan], dtype=float32)
        """
        array = self.without_fills(raw)
        converted = self.conversion(array).astype(np.float32, copy=False)
        if self.limits is None or self.keep:
            return converted
        low, high = self.limits
        slack = SLACK * (high - low)
        with np.errstate(invalid="ignore"):
            good = (converted >= low - slack) & (converted <= high + slack)
            if good.all() and converted.size:
                return np.asarray(np.clip(converted, low, high))
        kept = np.clip(converted, np.float32(low), np.float32(high))
        return np.where(good, kept, np.float32(np.nan))

    def any_value(self, raw: Array) -> bool:
        """Tell whether some value is finite and no fill value; a sample goes first."""
        return any(
            bool(np.isfinite(self.without_fills(part)).any())
            for part in (sample(raw), raw)
        )

    def without_fills(self, raw: Array) -> Array:
        """Return a floating copy, or a view, with NaN for fills and infinities."""
        array = np.asarray(raw)
        if array.dtype.kind != "f" or array.dtype == np.float16:  # too coarse
            array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
        with np.errstate(invalid="ignore"):
            bad = np.abs(array) > HUGE
        for fill in self.fills:
            bad |= array == fill
        return np.where(bad, np.nan, array) if bad.any() else array


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
    keep : bool
        Values beyond the valid range are kept.

    Attributes
    ----------
    problems : list of str
        Units that cannot be converted, values that are no numbers.
    unstated : dict of str to str
        Forcings without units, with those that the product of that name has, else the
        catalogue's.
    """

    def __init__(
        self,
        ds: xr.Dataset,
        requirements: Requirements,
        units: Mapping[str, str] | None = None,
        *,
        keep: bool = False,
    ) -> None:
        self.problems: list[str] = []
        self.unstated: dict[str, str] = {}
        self._ds = ds
        self._wanted = {v.name: v for v in requirements.variables}
        self._units = dict(units or {})
        self._keep = keep

    def read(self, origin: Origin) -> Reading:
        """Make the reading of a given variable, and note its problems."""
        name, source = origin.name, origin.source
        self._check_numbers(name, source)
        known = CATALOGUE.get(name)
        spec = self._wanted.get(name) or in_catalogue_units(name)
        variable = self._ds[source].variable
        fills = _fills(variable)
        lazy = "" if variable.chunks is None else str(variable.data.name)
        if known is None or spec.catalogued is None:
            return Reading(name, source, spec, fills=fills, lazy=lazy)
        attrs = self._ds[source].attrs
        label = stated(self._units.get(source, attrs.get("units")))
        note = ""
        if label is None and known.kind == "forcing":
            self.unstated[source] = known.units_of_alias(source)
            label = known.units
        elif label is None:
            label, note = known.units_of_alias(source), "assumed"
        change = self._conversion(origin, label)
        return Reading(
            name,
            source,
            spec,
            conversion=change,
            label=label,
            units=known.units,
            note=note or change.note,
            limits=known.valid_range,
            keep=self._keep,
            fills=fills,
            lazy=lazy,
        )

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

    def _conversion(self, origin: Origin, label: str) -> Conversion:
        """Find the conversion to catalogue units, or note why there is none."""
        known = CATALOGUE[origin.name]
        daily, target = known.kind == "forcing", known.units
        try:
            return conversion(label, target, daily=daily, difference=known.difference)
        except InputError as error:
            self.problems.append(
                f'{origin.name} ("{origin.source}"): {error}; if its values are in '
                f'{target}, pass units={{"{origin.source}": "{target}"}}'
            )
            return IDENTITY

    def _check_numbers(self, name: str, source: str) -> None:
        """Note variables that are packed, or no numbers, with the call that helps."""
        variable = self._ds[source]
        if {"scale_factor", "add_offset"} & variable.attrs.keys():
            self.problems.append(
                f"{name}: {source!r} is packed and not decoded (it has the attributes "
                "scale_factor or add_offset); decode it: xr.decode_cf(ds)"
            )
        dtype = variable.dtype
        if dtype.kind in "fiu":
            return
        call = f'ds["{source}"] = ds["{source}"].astype(float)'
        if dtype.kind == "m":
            call = f'ds["{source}"] = ds["{source}"] / np.timedelta64(1, "D")'
        what = {"O": "objects or text", "U": "text", "S": "text", "b": "true/false"}
        self.problems.append(
            f'{name}: "{source}" holds {what.get(dtype.kind, str(dtype))} where '
            f"numbers belong (dtype {dtype}); convert it: {call}"
        )


def _fills(variable: xr.Variable) -> tuple[float, ...]:
    """Numbers that mean missing: those the file names, and integers' extremes."""
    fills = {variable.attrs.get(key) for key in ("_FillValue", "missing_value")}
    numbers = {
        float(each)
        for each in np.ravel([f for f in fills if f is not None])
        if isinstance(each, int | float | np.number)
    }
    if variable.dtype.kind in "iu" and variable.dtype.itemsize > 1:
        limits = np.iinfo(variable.dtype)
        numbers |= {float(limits.max)}
        numbers |= {float(limits.min), float(limits.min + 1)} - {0.0, 1.0}
    return tuple(sorted(numbers))


def findings(reading: Reading, raw: Array, days: int) -> list[str]:
    """Say what is wrong with the values of a variable.

    Parameters
    ----------
    reading : Reading
        How the variable is read.
    raw : ndarray
        Its values, or some of them, as they stand in the Dataset.
    days : int
        Length of the record.

    Returns
    -------
    list of str
        At most one warning: that the values cannot be meant as labelled (see
        :func:`xstefaland.inputs.plausibility.implausible`), or that some lie beyond
        the valid range.
    """
    if reading.label is None or reading.limits is None:
        return []
    part = sample(raw)
    array = reading.without_fills(part)
    text = implausible(
        array, reading.spec, source=reading.source, units=reading.label, days=days
    )
    return [text] if text else _beyond(reading, array)


def _beyond(reading: Reading, array: Array) -> list[str]:
    """Say how many values lie beyond the limits, and what becomes of them."""
    finite = array[np.isfinite(array)]
    lost = np.isnan(replace(reading, keep=False).values(finite))
    if not lost.any() or reading.limits is None:
        return []
    low, high = reading.limits
    first = finite[lost][:1]
    known = known_fills(first, str(reading.label), reading.spec)[0]
    such = f"{first[0]:g}{', a fill value' if known else ''}"
    what = "kept" if reading.keep else "taken as missing"
    return [
        f"{reading.name}: {lost.mean():.2%} of {reading.source!r} (such as {such}) "
        f"lies beyond {low:g} to {high:g} {reading.units} and is {what}"
    ]


def in_memory(ds: xr.Dataset, name: str) -> Array | None:
    """Values of a variable if they are numbers in memory, never loading anything."""
    variable = ds[name].variable
    if variable.dtype.kind not in "fiu" or not variable._in_memory:
        return None
    return np.asarray(variable.to_numpy())
