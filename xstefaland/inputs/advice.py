"""Advice: what speaks against an answer though nothing is wrong with the Dataset."""

from __future__ import annotations

import numpy as np

from xstefaland.inputs.examine import Examination
from xstefaland.inputs.readings import Reading, in_memory
from xstefaland.inputs.units import conversion

NAMED = 4  # variables in one line


def advice(found: Examination, spinup_days: int = 0) -> list[str]:
    """Tell of places far from those of the training, and of short records.

    Parameters
    ----------
    found : Examination
        Attributes that lie in a file or a dask array are not looked at.
    spinup_days : int
        How long the states of the heads take to forget where they started.

    Returns
    -------
    list of str
        At most one line for each of the two.
    """
    return [*_short(found, spinup_days), *_far(found)]


def _short(found: Examination, spinup_days: int) -> list[str]:
    """Say that a record ends before the states have forgotten their start."""
    days = len(found.days)
    if not 0 < days < spinup_days:
        return []
    return [
        f"the record has {days} days, the states of the model take {spinup_days} to "
        "forget their start: it is run in repeatedly over the same days, so values "
        "follow the season of the record; give earlier weather where there is some"
    ]


def _far(found: Examination) -> list[str]:
    """One line on the attributes that lie outside what training places had."""
    texts = []
    for name, reading in found.readings.items():
        if name in found.origins and found.origins[name].available:
            texts += _outside(found, reading)
    if not texts:
        return []
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return [
        f"unlike all places of the training: {'; '.join(texts[:NAMED])}{more}. "
        "Answers there are extrapolations"
    ]


def _outside(found: Examination, reading: Reading) -> list[str]:
    """Count the sites whose attribute no training place had."""
    spec = reading.spec
    low, high = spec.minimum, spec.maximum
    variable = found.ds[reading.source]
    raw = None if "time" in variable.dims else in_memory(found.ds, reading.source)
    if raw is None or low is None or high is None or reading.units is None:
        return []
    known = spec.catalogued
    units = str(spec.units)
    change = conversion(
        reading.units, units, difference=bool(known and known.difference)
    )
    values = change(np.asarray(reading.values(raw), np.float64))
    slack = 1e-3 * (high - low)  # the card's ends are those of float32
    with np.errstate(invalid="ignore"):
        outside = (values < low - slack) | (values > high + slack)
    if not outside.any():
        return []
    farthest = values[outside][np.abs(values[outside] - (low + high) / 2).argmax()]
    return [
        f"{spec.name} of {int(outside.sum())} of {outside.size} sites (such as "
        f"{farthest:.4g} {units}, seen {low:.4g} to {high:.4g})"
    ]
