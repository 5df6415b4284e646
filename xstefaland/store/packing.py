"""How values are stored: as they are, at half precision, or as packed bytes (CF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError

StoredAs = Literal["float32", "float16", "int8"]
LEVELS, MISSING = 127, -128
"""A byte holds -127 to 127; -128 stands for no value."""

HALF = float(np.finfo(np.float16).max)
"""Largest number of half precision."""

MARGIN = 1.25
"""How far beyond the largest value of the sample packed values reach."""


@dataclass(frozen=True)
class Packing:
    """How data variables are stored; coordinates stay float32.

    Parameters
    ----------
    dtype : {"float32", "float16", "int8"}
        Type of the stored numbers.
    scale : float
        Value of one step of a byte.

    Examples
    --------
    >>> packing = Packing("int8", 0.1)
    >>> packing.pack(np.array([0.26, 99.0, np.nan], np.float32)).tolist()
    [3, 127, -128]
    """

    dtype: StoredAs = "float32"
    scale: float = 1.0

    def encoding(self, variable: xr.Variable, data: bool) -> dict[str, Any]:
        """Return xarray's encoding of a variable; what no region wrote is missing."""
        kind = variable.dtype
        if kind.kind != "f":
            return {"dtype": kind}
        if not data or self.dtype == "float32":
            return {"dtype": kind, "_FillValue": np.nan, "fill_value": np.nan}
        if self.dtype == "float16":
            half = np.dtype("float16")
            return {"dtype": half, "_FillValue": np.nan, "fill_value": np.nan}
        return {
            "dtype": np.dtype("int8"),
            "_FillValue": np.int8(MISSING),
            "fill_value": MISSING,
            "scale_factor": self.scale,
            "add_offset": 0.0,
        }

    def pack(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn values of a data variable into what is stored.

        Values beyond the range are stored as its end: a wrapped byte would be a wrong
        number, and a missing one a lost site.
        """
        if values.dtype.kind != "f" or self.dtype == "float32":
            return values
        if self.dtype == "float16":
            half: NDArray[Any] = np.clip(values, -HALF, HALF).astype(np.float16)
            return half
        steps = np.clip(np.rint(values / self.scale), -LEVELS, LEVELS)
        return np.where(np.isnan(values), MISSING, steps).astype(np.int8)

    def clipped(self, values: NDArray[Any]) -> int:
        """Count the values of a data variable that :meth:`pack` stores as the end."""
        if values.dtype.kind != "f" or self.dtype == "float32":
            return 0
        end = HALF if self.dtype == "float16" else (LEVELS + 0.5) * self.scale
        return int(np.count_nonzero(np.abs(values) > end))


def check_packing(dtype: str, target: object) -> None:
    """Refuse types that are not possible for a target.

    Raises
    ------
    InputError
        With those that are.
    """
    known = ("float32", "float16", "int8")
    if dtype not in known:
        raise InputError(f"dtype={dtype!r} is not possible; use one of {known}.")
    if dtype == "int8" and target != "embedding":
        raise InputError(
            f"dtype='int8' is for target='embedding' alone, whose values share one "
            f"range; {target!r} would lose its small values. Use dtype='float16'."
        )


def fitted(dtype: StoredAs, values: NDArray[Any] | None) -> Packing:
    """Fit the step of packed bytes to a sample of values.

    Raises
    ------
    InputError
        When the sample holds no value.
    """
    if dtype != "int8" or values is None:
        return Packing(dtype)
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if not largest:
        raise InputError(
            "dtype='int8' needs the range of the embeddings, but no place of the "
            "sample has weather; use dtype='float16'."
        )
    return Packing(dtype, MARGIN * largest / LEVELS)
