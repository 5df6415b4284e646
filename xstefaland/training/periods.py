"""Climate attributes as other periods of a record would give them.

A user's record is rarely the one that a model was trained on: it is shorter, or of
other years. So training sees climate attributes of random stretches of each record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xstefaland.inputs.formulas.climate import (
    CLIMATE_INDICES,
    DAYS_PER_YEAR,
    MINIMUM_YEARS,
)
from xstefaland.inputs.recipes import climate_attributes

Floats = NDArray[np.float32]
STRETCHES = 8
LONGEST = 30  # [years]


def climate_of_stretches(
    forcing: Floats,
    names: Sequence[str],
    dates: pd.DatetimeIndex,
    rng: np.random.Generator,
    count: int = STRETCHES,
) -> Floats:
    """Climate attributes of random stretches of one to thirty years.

    Parameters
    ----------
    forcing : ndarray
        Prepared forcing ``(site, day, variable)`` in catalogue units, NaN = missing.
    names : sequence of str
        Canonical names along its last axis.
    dates : pandas.DatetimeIndex
        Every day of the record.
    rng : numpy.random.Generator
        Of the draw. All sites get the same stretches; short and long ones are equally
        likely (log-uniform).
    count : int
        Number of stretches.

    Returns
    -------
    ndarray of float32
        ``(site, count, index)`` in the order of
        :data:`xstefaland.inputs.formulas.climate.CLIMATE_INDICES`. NaN for records of
        less than a year, and where a stretch has less than 95 % of three years' days,
        or of its own if it is shorter.

    Examples
    --------
    >>> dates = pd.date_range("2000-01-01", periods=800)
    >>> rain = np.full((1, 800, 1), 2.0, np.float32)
    >>> rng = np.random.default_rng(0)
    >>> climate_of_stretches(rain, ["precipitation"], dates, rng, 2)[0, :, 0]
    array([2., 2.], dtype=float32)
    """
    shape = (len(forcing), count, len(CLIMATE_INDICES))
    out: Floats = np.full(shape, np.nan, np.float32)
    longest = min(int(len(dates) // DAYS_PER_YEAR), LONGEST)
    for number in range(count if longest else 0):
        years = round(longest ** rng.random())
        days = min(math.ceil(years * DAYS_PER_YEAR), len(dates))
        first = int(rng.integers(0, len(dates) - days + 1))
        span = slice(first, first + days)
        have = {name: forcing[:, span, i] for i, name in enumerate(names)}
        found = climate_attributes(have, dates[span], min(years, MINIMUM_YEARS))
        for column, name in enumerate(CLIMATE_INDICES):
            out[:, number, column] = found[name]
    return out
