"""Sites that have their weather on few days, where an answer rests on little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_, or_

import numpy as np
import xarray as xr

from xstefaland.inputs.matching import Resolver
from xstefaland.inputs.readings import Reading, in_memory
from xstefaland.inputs.requirements import Requirements

FEW = 0.5
"""Share of a record's days below which a site has few with a required input."""


def few_days(
    ds: xr.Dataset,
    requirements: Requirements,
    resolver: Resolver,
    readings: Mapping[str, Reading],
) -> list[str]:
    """Say which required inputs sites have on few of the days, looking at memory only.

    Parameters
    ----------
    ds : xarray.Dataset
        The Dataset.
    requirements : Requirements
        What the model asks for.
    resolver : Resolver
        What each variable is made from.
    readings : mapping of str to Reading
        How those are read.

    Returns
    -------
    list of str
        One warning for each input that is required. Sites that have it on no day at
        all are sea, or said elsewhere: their answer is NaN.
    """
    texts = []
    for group in requirements.required:
        there = _any(_days_with(ds, name, resolver, readings) for name in group)
        if there is None or not there.size:
            continue
        had = there.sum("time").to_numpy()
        days, few = there.sizes["time"], (had > 0) & (had < FEW * there.sizes["time"])
        if few.any():
            texts.append(
                f"{' or '.join(group)}: {few.sum()} of {had.size} sites have it on "
                f"fewer than half of the {days} days, the fewest on {had[few].min()}. "
                "`predict` gives NaN farther than max_gap= from such a day; between "
                "such days its answer rests on what is usual, not on weather"
            )
    return texts


def _days_with(
    ds: xr.Dataset, name: str, resolver: Resolver, readings: Mapping[str, Reading]
) -> xr.Variable | None:
    """Days on which a variable is there, or all that it is made from."""
    parts = []
    for origin in resolver.behind([name]):
        if not origin.source or "time" not in ds[origin.source].dims:
            continue
        raw = in_memory(ds, origin.source)
        if raw is None:
            return None
        finite = np.isfinite(readings[origin.name].without_fills(raw))
        parts.append(xr.Variable(ds[origin.source].dims, finite))
    return reduce(and_, parts) if parts else None


def _any(found: Iterable[xr.Variable | None]) -> xr.Variable | None:
    """Days on which one of some variables is there."""
    known = [each for each in found if each is not None]
    return reduce(or_, known) if known else None
