"""Raw arrays to model input, inside one chunk: convert, sift, derive, stack.

Plain arrays only: numpy input meets these functions directly, dask input one chunk at a
time, so lazy and eager results are the same by construction.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xstefaland.errors import InputError
from xstefaland.inputs.days import Days
from xstefaland.inputs.readings import Reading, findings
from xstefaland.inputs.recipes import LATITUDE, Recipe, climate_attributes
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
class Inputs:
    """What a model is given of some sites: float32 in its units, NaN where missing.

    Attributes
    ----------
    forcing : ndarray, shape (..., time, variable)
        Every day from the first to the last.
    attributes : ndarray, shape (..., attribute)
        Of the sites.
    latitude : ndarray, shape (...)
        Degrees north.
    rejected : ndarray, shape (...)
        Number of forcing values that were there and could not be true.
    days : Days
        Of the forcing, and which of them the Dataset has.
    required : tuple of tuple of int
        Forcings of which at least one is needed, group by group.
    """

    forcing: Array
    attributes: Array
    latitude: Array
    rejected: Array
    days: Days
    required: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Assembly:
    """Turns the raw arrays of some sites into the input of a model.

    Attributes
    ----------
    readings : tuple of Reading or tuple of str
        How to read each raw array, in their order; names are those of columns that
        are ready as they are.
    series : int
        How many of the first readings are those of forcing.
    recipes : tuple of Recipe
        What to derive, in an order in which it can be done.
    days : Days
        Of the result, and which of them the raw arrays have.
    forcing, attributes : tuple of ResultColumn or None
        The variables of the result; None: it is missing.
    required : tuple of tuple of int
        Forcings of which at least one must have a value: a site without is all NaN.
    period : tuple of int or None
        First and last + 1 of the days from which climate attributes are derived.
    validation : {"raise", "warn", "log", "ignore"}
        What to do about suspicious values of lazy arrays.
    """

    readings: tuple[Reading | tuple[str, ...], ...]
    series: int
    recipes: tuple[Recipe, ...]
    days: Days
    forcing: tuple[ResultColumn | None, ...]
    attributes: tuple[ResultColumn | None, ...] = ()
    required: tuple[tuple[int, ...], ...] = ()
    period: tuple[int, int] | None = None
    validation: str = "warn"

    def __call__(self, *arrays: Array) -> Inputs:
        """Convert, derive and stack.

        Parameters
        ----------
        *arrays : ndarray
            Raw values (..., time), of sites (..., 1), or ready columns (..., column).
        """
        have, rejected = self._values(arrays)
        shape = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
        forcing = _stacked(self.forcing, have, (*shape, len(self.days)))
        for group in self.required:
            lacking = ~np.isfinite(forcing[..., list(group)]).any((-2, -1))
            forcing[lacking] = np.nan
        latitude = have.get(LATITUDE, np.full(1, np.nan, np.float32))
        return Inputs(
            forcing,
            _stacked(self.attributes, have, (*shape, 1))[..., 0, :],
            np.broadcast_to(latitude[..., 0], shape).copy(),
            np.broadcast_to(rejected, shape).astype(np.float32),
            self.days,
            self.required,
        )

    def _values(self, arrays: Sequence[Array]) -> tuple[dict[str, Array], Array]:
        """Values by canonical name, and how many of the forcing were rejected."""
        have: dict[str, Array] = {}
        rejected: Array = np.zeros((), np.float32)
        for place, (reading, raw) in enumerate(zip(self.readings, arrays, strict=True)):
            if isinstance(reading, tuple):
                have |= {name: raw[..., i : i + 1] for i, name in enumerate(reading)}
                continue
            self._look(reading, raw)
            values = reading.values(raw)
            have[reading.name] = values
            if place < self.series:
                lost = ~np.isnan(np.asarray(raw)) & np.isnan(values)
                rejected = rejected + lost.sum(-1, dtype=np.float32)
                have[reading.name] = self.days.inserted(values)
        for recipe in self.recipes:
            if recipe.function is not None:
                parts = [have[name] for name in recipe.ingredients]
                result = recipe.function(*parts, dates=self.days.index)
                have[recipe.name] = result.astype(np.float32, copy=False)
        if any(recipe.climate for recipe in self.recipes):
            have |= self._climate(have)
        return have, rejected

    def _climate(self, have: dict[str, Array]) -> dict[str, Array]:
        """Climate attributes of the reference period that are not there already."""
        span = slice(*(self.period or (None,)))
        part = {
            name: values[..., span]
            for name, values in have.items()
            if values.shape[-1] == len(self.days)
        }
        found = climate_attributes(part, self.days.index[span])
        return {n: v[..., np.newaxis] for n, v in found.items() if n not in have}

    def _look(self, reading: Reading, raw: Array) -> None:
        """Check values that could not be checked before they were computed."""
        if not reading.lazy or self.validation == "ignore" or not raw.size:
            return
        for text in findings(reading, raw, len(self.days)):
            if self.validation == "raise":
                raise InputError(text)
            _tell_once((reading.lazy, reading.name), text, self.validation)


def _stacked(
    columns: Sequence[ResultColumn | None],
    have: dict[str, Array],
    shape: tuple[int, ...],
) -> Array:
    """Bring variables together along a last axis; missing ones are NaN."""
    result = np.empty((*shape, len(columns)), dtype=np.float32)
    for position, column in enumerate(columns):
        result[..., position] = column.values(have) if column else np.nan
    return result


def input_arrays(inputs: Inputs) -> tuple[Array, ...]:
    """Return the inputs themselves, as a task's answer."""
    return inputs.forcing, inputs.attributes, inputs.latitude, inputs.rejected


@dataclass(frozen=True)
class ChunkTask:
    """A task of a graph: raw arrays of one chunk through an assembly and a function.

    Attributes
    ----------
    assembly : Assembly
        Makes the inputs.
    function : callable
        Takes them and the options; returns a tuple of arrays. Its name is the task's.
    options : mapping
        What else it takes.
    """

    assembly: Assembly
    function: Callable[..., tuple[Array, ...]]
    options: Mapping[str, Any]

    @property
    def __name__(self) -> str:
        """Name that dask shows."""
        return self.function.__name__

    def __call__(self, *arrays: Array) -> Any:
        """Run the task; a single answer comes alone, as dask expects it."""
        answers = self.function(self.assembly(*arrays), **self.options)
        return answers if len(answers) > 1 else answers[0]


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
