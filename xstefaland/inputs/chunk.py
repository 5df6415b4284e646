"""Raw arrays to model input, inside one chunk: convert, sift, derive, stack.

Plain arrays only: numpy input meets these functions directly, dask input one chunk at a
time, so lazy and eager results are the same by construction.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from xstefaland.errors import InputError
from xstefaland.inputs.readings import Reading, findings
from xstefaland.inputs.recipes import Recipe, climate_attributes
from xstefaland.inputs.units import IDENTITY, Conversion

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ResultColumn:
    """A variable of the result.

    Attributes
    ----------
    name : str
        Among the values of the assembly.
    conversion : Conversion
        To the model's units.
    limits : tuple of float or None
        Range within which a value is held [the model's units].
    """

    name: str
    conversion: Conversion = IDENTITY
    limits: tuple[float, float] | None = None

    def values(self, have: dict[str, Array]) -> Array:
        """Take the variable out of the values by canonical name."""
        values = self.conversion(have[self.name])
        return values if self.limits is None else np.clip(values, *self.limits)


logger = logging.getLogger("xstefaland")
_WARNED: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Assembly:
    """Turns the raw arrays of some sites into values by canonical name.

    Attributes
    ----------
    readings : tuple of Reading or str
        How to read each raw array, in their order; a name alone is taken as it is.
    recipes : tuple of Recipe
        What to derive, in an order in which it can be done.
    days : pandas.DatetimeIndex
        Every day of the result.
    positions : ndarray or None
        Where the days of the raw arrays lie among `days`; None if none is missing.
    period : tuple of int or None
        First and last + 1 of the days from which climate attributes are derived.
    validation : {"raise", "warn", "log", "ignore"}
        What to do about suspicious values of lazy arrays.
    """

    readings: tuple[Reading | str, ...]
    recipes: tuple[Recipe, ...]
    days: pd.DatetimeIndex = field(repr=False)
    positions: Array | None = field(default=None, repr=False)
    period: tuple[int, int] | None = None
    validation: str = "warn"

    def values(self, arrays: Sequence[Array]) -> tuple[dict[str, Array], Array]:
        """Convert and derive.

        Parameters
        ----------
        arrays : sequence of ndarray
            Raw values (..., time) or (..., 1).

        Returns
        -------
        values : dict of str to ndarray of float32
            Forcings (..., time), the rest (..., 1).
        rejected : ndarray of float32
            Number of values per site that were there and could not be true (...).
        """
        have: dict[str, Array] = {}
        rejected: Array = np.zeros((), np.float32)
        for reading, raw in zip(self.readings, arrays, strict=True):
            if isinstance(reading, str):
                have[reading] = np.asarray(raw, np.float32)
                continue
            self._look(reading, raw)
            values = reading.values(raw)
            lost = ~np.isnan(np.asarray(raw)) & np.isnan(values)
            rejected = rejected + lost.sum(-1, dtype=np.float32)
            have[reading.name] = self._every_day(values)
        for recipe in self.recipes:
            if recipe.function is not None:
                parts = [have[name] for name in recipe.ingredients]
                result = recipe.function(*parts, dates=self.days)
                have[recipe.name] = result.astype(np.float32, copy=False)
        if any(recipe.climate for recipe in self.recipes):
            have |= self._climate(have)
        return have, np.asarray(rejected, np.float32)

    def _climate(self, have: dict[str, Array]) -> dict[str, Array]:
        """Climate attributes of the reference period that are not there already."""
        span = slice(*(self.period or (None,)))
        part = {
            name: values[..., span]
            for name, values in have.items()
            if values.shape[-1] == len(self.days)
        }
        found = climate_attributes(part, self.days[span])
        return {n: v[..., np.newaxis] for n, v in found.items() if n not in have}

    def _every_day(self, values: Array) -> Array:
        """Put missing days in as NaN."""
        if self.positions is None or values.shape[-1] == 1:
            return values
        shape = (*values.shape[:-1], len(self.days))
        filled = np.full(shape, np.nan, dtype=np.float32)
        filled[..., self.positions] = values
        return filled

    def _look(self, reading: Reading, raw: Array) -> None:
        """Check values that could not be checked before they were computed."""
        if not reading.lazy or self.validation == "ignore" or not raw.size:
            return
        for text in findings(reading, raw, len(self.days)):
            if self.validation == "raise":
                raise InputError(text)
            _tell_once((reading.lazy, reading.name), text, self.validation)


def forcing_values(
    *arrays: Array,
    assembly: Assembly,
    columns: Sequence[ResultColumn | None],
    required: Sequence[Sequence[int]] = (),
) -> tuple[Array, Array]:
    """Make the forcing of some sites.

    Parameters
    ----------
    *arrays : ndarray
        Raw arrays, in the order of the assembly.
    assembly : Assembly
        How to read them and what to derive.
    columns : sequence of ResultColumn or None
        The variables of the result; None: it is missing.
    required : sequence of sequence of int
        Columns of which at least one must have a value: a site without is all NaN.

    Returns
    -------
    forcing : ndarray of float32, shape (..., time, variable)
        NaN where missing.
    rejected : ndarray of float32, shape (...)
        See :meth:`Assembly.values`.
    """
    have, rejected = assembly.values(arrays)
    shape = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    result = np.empty((*shape, len(assembly.days), len(columns)), dtype=np.float32)
    for position, column in enumerate(columns):
        result[..., position] = column.values(have) if column else np.nan
    for group in required:
        lacking = ~np.isfinite(result[..., list(group)]).any((-2, -1))
        result[lacking] = np.nan
    return result, np.broadcast_to(rejected, shape).copy()


def attribute_values(
    *arrays: Array, assembly: Assembly, columns: Sequence[ResultColumn | None]
) -> Array:
    """Make the attributes of some sites, (..., attribute); see `forcing_values`."""
    have, _ = assembly.values(arrays)
    shape = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    result = np.full((*shape, len(columns)), np.nan, dtype=np.float32)
    for position, column in enumerate(columns):
        if column:
            result[..., position] = column.values(have)[..., 0]
    return result


def _tell_once(key: tuple[str, str], text: str, how: str) -> None:
    """Warn or log once a process and array; a worker tells the user's own process."""
    if key in _WARNED:
        return
    _WARNED.add(key)
    if how == "log":
        logger.warning(text)
    elif "distributed" in sys.modules:
        sys.modules["distributed"].worker.warn(text, UserWarning)
    else:
        warnings.warn(text, UserWarning, stacklevel=2)
