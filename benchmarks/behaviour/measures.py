"""Numbers that several experiments take from answers: one per site."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Measure
from behaviour.scenarios import turning_day

OVER = "difference over standard deviation"
"""What :func:`difference` gives."""

SPINUP = 365
NEIGHBOURS = 20
"""Days on either side of a window's seam that it is compared with."""


def settled(x: xr.DataArray) -> xr.DataArray:
    """Leave out the first year, as in all scores."""
    return x.isel(time=slice(SPINUP, None))


def mean(x: xr.DataArray) -> xr.DataArray:
    """Mean over all days but the first year's."""
    return settled(x).mean("time")


def last_year(x: xr.DataArray) -> xr.DataArray:
    """Mean of the last 365 days."""
    return x.isel(time=slice(-365, None)).mean("time")


def summer(x: xr.DataArray) -> xr.DataArray:
    """Mean of June to August, but for the first year's (northern sites)."""
    x = settled(x)
    return x.isel(time=x.time.dt.month.isin([6, 7, 8]).values).mean("time")


def relative(
    statistic: Callable[[xr.DataArray], xr.DataArray], scenario: str, *base: str
) -> Measure:
    """Make a measure: a statistic under a scenario over that as it is, or in a base."""
    return lambda a: statistic(a(scenario)) / statistic(a(*base))


def difference(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Root mean square of the difference over the other's standard deviation.

    Days are compared by position, so that calendars may differ.
    """
    other = other.assign_coords(time=one.time)
    dims = ["time", *(dim for dim in other.dims if dim not in ("site", "time"))]
    return np.sqrt(((one - other) ** 2).mean(dims) / other.var("time").mean(dims[1:]))


def largest_difference(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Largest difference over the other's standard deviation."""
    other = other.assign_coords(time=one.time)
    dims = ["time", *(dim for dim in other.dims if dim not in ("site", "time"))]
    return abs(one - other).max(dims) / np.sqrt(other.var("time").mean(dims[1:]))


def after_july(a: Answers, x: xr.DataArray, start: int, end: int) -> xr.DataArray:
    """Take the days from start up to end after the turning day (0 is the day)."""
    day = turning_day(a.sites)
    return x.isel(time=slice(day + start, day + end))


def runoff_ratio(a: Answers) -> xr.DataArray:
    """Flow over rain."""
    return mean(a()) / mean(a.weather()["precipitation"])


def seam_rank(x: xr.DataArray, window: int, stride: int) -> xr.DataArray:
    """Rank the step at a window's edge among those of the days around it.

    Parameters
    ----------
    x : xarray.DataArray
        An answer, ``(site, time)`` or with ``embedding``.
    window, stride : int
        Length and distance of the windows [days].

    Returns
    -------
    xarray.DataArray
        Mean over edges and sites of the share of the days around that have a smaller
        step: 0.5 where nothing happens at seams, 1 where they are the largest.
    """
    step = x.diff("time") ** 2
    step = step.sum("embedding") if "embedding" in step.dims else step
    steps = step.transpose("site", "time").values
    days = x.sizes["time"]
    starts = [*range(0, days - window, stride), days - window]
    edges = [s - 1 for s in starts[1:]] + [s + window - 1 for s in starts[:-1]]
    ranks = [
        (np.delete(around, NEIGHBOURS, 1) < around[:, [NEIGHBOURS]]).mean()
        for around in (steps[:, e - NEIGHBOURS : e + NEIGHBOURS + 1] for e in edges)
        if around.shape[1] == 2 * NEIGHBOURS + 1
    ]
    return xr.DataArray(np.mean(ranks))


def rank_correlation(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Spearman's correlation over the days on which both are known."""
    tables = [x.transpose("time", "site").to_pandas() for x in (one, other)]
    return xr.DataArray(tables[0].corrwith(tables[1], method="spearman"), dims="site")
