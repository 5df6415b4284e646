"""Raw arrays to model input, inside one chunk: convert, derive, fill, stack.

Plain arrays only: numpy input meets these functions directly, dask input one chunk at a
time, so lazy and eager results are the same by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from xstefaland.inputs.attributes import Recipe, derive_climate
from xstefaland.inputs.units import IDENTITY, Conversion

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Output:
    """One variable of the result: its name among the values, and to which units."""

    name: str
    conversion: Conversion = IDENTITY


@dataclass(frozen=True)
class Assembly:
    """Turns raw arrays into values by canonical name.

    Attributes
    ----------
    inputs : tuple of (str, Conversion)
        Names of the raw arrays, in their order, and how to convert them.
    recipes : tuple of Recipe
        What to derive, in an order in which it can be done.
    days : pandas.DatetimeIndex
        Every day of the result.
    positions : ndarray or None
        Where the days of the raw arrays lie among `days`; None if none is missing.
    """

    inputs: tuple[tuple[str, Conversion], ...]
    recipes: tuple[Recipe, ...]
    days: pd.DatetimeIndex = field(repr=False)
    positions: Array | None = field(default=None, repr=False)

    def values(self, arrays: Sequence[Array]) -> dict[str, Array]:
        """Convert and derive, float32: forcings (..., time), the rest (..., 1)."""
        have: dict[str, Array] = {}
        for (name, change), raw in zip(self.inputs, arrays, strict=True):
            array = np.asarray(raw)
            if array.dtype == np.float16:  # too coarse to convert
                array = array.astype(np.float32)
            converted = change(array).astype(np.float32, copy=False)
            if np.isinf(converted).any():
                converted = np.where(np.isinf(converted), np.float32(np.nan), converted)
            have[name] = self._every_day(converted)
        for recipe in self.recipes:
            if recipe.function is not None:
                parts = [have[name] for name in recipe.ingredients]
                result = recipe.function(*parts, dates=self.days)
                have[recipe.name] = result.astype(np.float32, copy=False)
        if any(recipe.climate for recipe in self.recipes):
            climate = derive_climate(have, self.days)
            have |= {n: v[..., np.newaxis] for n, v in climate.items() if n not in have}
        return have

    def _every_day(self, values: Array) -> Array:
        """Put missing days in as NaN."""
        if self.positions is None or values.shape[-1] == 1:
            return values
        shape = (*values.shape[:-1], len(self.days))
        filled = np.full(shape, np.nan, dtype=np.float32)
        filled[..., self.positions] = values
        return filled


@dataclass(frozen=True)
class ForcingBlock:
    """Raw arrays of some sites to their forcing, (..., time, variable)."""

    assembly: Assembly
    outputs: tuple[Output | None, ...]

    def __call__(self, *arrays: Array) -> Array:
        """Fill one array with all variables; those without source stay NaN."""
        have = self.assembly.values(arrays)
        shape = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
        days = len(self.assembly.days)
        result = np.empty((*shape, days, len(self.outputs)), dtype=np.float32)
        for position, output in enumerate(self.outputs):
            values = output.conversion(have[output.name]) if output else np.nan
            result[..., position] = values
        return result


@dataclass(frozen=True)
class AttributeBlock:
    """Raw arrays of some sites to their attributes, (..., attribute)."""

    assembly: Assembly
    outputs: tuple[Output | None, ...]

    def __call__(self, *arrays: Array) -> Array:
        """Fill one array with all attributes; those without source stay NaN."""
        have = self.assembly.values(arrays)
        shape = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
        result = np.full((*shape, len(self.outputs)), np.nan, dtype=np.float32)
        for position, output in enumerate(self.outputs):
            if output is not None:
                result[..., position] = output.conversion(have[output.name])[..., 0]
        return result
