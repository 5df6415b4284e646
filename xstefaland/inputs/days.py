"""Days of a record, small enough to travel with every task of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from xstefaland.inputs.axes import every_day


@dataclass(frozen=True)
class Days:
    """Every day from the first to the last, and which of them a Dataset has.

    A few bytes whatever the length; the dates are made where they are needed.

    Attributes
    ----------
    first : str
        The first day, such as ``"2000-01-01"``; empty where there is none.
    count : int
        Number of days.
    given : bytes
        One bit a day: whether the Dataset has it; empty where it has all.
    """

    first: str
    count: int
    given: bytes = b""

    @classmethod
    def of(cls, days: pd.DatetimeIndex) -> Days:
        """Pack the days of a record.

        Examples
        --------
        >>> days = Days.of(pd.DatetimeIndex(["2000-01-01", "2000-01-03"]))
        >>> days.count, days.positions
        (3, array([0, 2]))
        """
        if not len(days):
            return cls("", 0)
        every = every_day(days)
        given = b""
        if len(every) != len(days):
            given = np.packbits(every.isin(days)).tobytes()
        return cls(f"{days[0]:%Y-%m-%d}", len(every), given)

    def __len__(self) -> int:
        """Return the number of days."""
        return self.count

    @property
    def index(self) -> pd.DatetimeIndex:
        """Every day."""
        return _index(self.first, self.count)

    @property
    def positions(self) -> npt.NDArray[np.intp] | None:
        """Where the Dataset's own days lie among them; None if it has them all."""
        if not self.given:
            return None
        bits = np.unpackbits(np.frombuffer(self.given, np.uint8), count=self.count)
        return np.flatnonzero(bits)

    @property
    def own(self) -> pd.DatetimeIndex:
        """The days that the Dataset has."""
        return self.index if self.positions is None else self.index[self.positions]

    def inserted(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Put NaN where the Dataset leaves days out: ``(..., own)`` to all days.

        Examples
        --------
        >>> days = Days.of(pd.DatetimeIndex(["2000-01-01", "2000-01-03"]))
        >>> days.inserted(np.array([1.0, 2.0]))
        array([ 1., nan,  2.])
        """
        if self.positions is None:
            return values
        filled = np.full((*values.shape[:-1], self.count), np.nan, values.dtype)
        filled[..., self.positions] = values
        return filled

    def taken(self, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        """Leave the inserted days out again, along an axis."""
        if self.positions is None:
            return values
        return np.take(values, self.positions, axis)


@lru_cache(maxsize=16)
def _index(first: str, count: int) -> pd.DatetimeIndex:
    """Make the dates once a process, not once a task."""
    if not count:
        return pd.DatetimeIndex([], name="time")
    return pd.date_range(first, periods=count, freq="D", name="time", unit="ns")
