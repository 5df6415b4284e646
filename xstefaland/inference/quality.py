"""Quality: how much of the input was missing, rejected or filled, for every site.

A task of its own, beside the model's: it costs a hundredth of that, and answers of
several models over one Dataset share it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.inference import labels
from xstefaland.inference.labels import MissingBy
from xstefaland.inputs.chunk import Inputs
from xstefaland.inputs.prepare import Prepared


def quality(
    prepared: Prepared,
    variables: int,
    by: MissingBy = "site",
    filled: Sequence[str] = (),
) -> dict[str, xr.Variable]:
    """Return the coordinates that say how good the input was.

    Parameters
    ----------
    prepared : Prepared
        Inputs; the first `variables` forcings are those that the encoder knows.
    variables : int
        Number of forcings of the encoder.
    by : {"site", "day"}
        One share of missing values for each site, or for each site and day.
    filled : sequence of str
        Forcings that a physical model fills where they are missing.

    Returns
    -------
    dict of str to Variable
        By name of the coordinate; lazy where the input is. A forcing that the Dataset
        lacks and a day in a gap of its time axis count as missing.
    """
    known = [spec.name for spec in prepared.examination.requirements.forcing]
    columns = tuple(known.index(name) for name in filled)
    names = [labels.FRACTION_MISSING, labels.VALUES_REJECTED]
    outputs: list[list[str]] = [["time"] if by == "day" else [], []]
    if filled:
        names.append(labels.FRACTION_FILLED)
        outputs.append([])
    found = prepared.apply(
        _quality,
        outputs,
        {"time": len(prepared.time)},
        variables=variables,
        by=by,
        filled=columns,
    )
    for name, variable in zip(names, found, strict=True):
        variable.attrs = dict(labels.QUALITY[name])
    return dict(zip(names, found, strict=True))


def _quality(
    inputs: Inputs, *, variables: int, by: MissingBy, filled: tuple[int, ...]
) -> tuple[NDArray[np.float32], ...]:
    """Count one block of sites."""
    there = np.isfinite(inputs.forcing[..., :variables])
    over = -1 if by == "day" else (-2, -1)
    share = there.mean(over) if there.size else np.zeros(there.shape[:-2])
    missing = (1 - share).astype(np.float32)
    if by == "day":
        missing = inputs.days.taken(missing, -1)
    if not filled:
        return missing, inputs.rejected
    gaps = np.isnan(inputs.forcing[..., list(filled)]).any(-1)
    return missing, inputs.rejected, gaps.mean(-1).astype(np.float32)
