r"""Scores of single floods: when they came, how high they were, whether they came.

A peak of the observations is a day higher than both neighbours that stands out from
the days around it. Peaks of which a day within the window is missing are not judged.

Source: the scores of neuralhydrology, https://doi.org/10.21105/joss.04050
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.metrics.pairing import Array, Dims, dims_of, named, pairs, whole

Days = npt.NDArray[np.int64]

_APART, _SHORT_APART = 100, 30  # days between peaks that count as two
_HIGH = 80  # percentile above which a peak may be missed


def peak_timing(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    window: int = 3,
) -> xr.DataArray:
    r"""Mean distance in days between an observed peak and the simulated one.

    Peaks are at least 100 days apart and rise by a standard deviation above the flow
    around them. The simulated peak is the highest day within `window` days, or the
    same day if it is a peak too.

    Parameters
    ----------
    obs, sim, dim
        As in :func:`nse`; `dim` is one dim in one chunk, whose labels, if any, are
        days.
    window : int
        Days before and after.

    Returns
    -------
    xarray.DataArray
        In days; NaN without a peak.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> flow = xr.DataArray(np.exp(-((np.arange(200.0) - 60) ** 2)), dims="time")
    >>> peak_timing(flow, flow.roll(time=2)).item()
    2.0
    """
    kernel = partial(_timing, window=window)
    return _of_peaks(kernel, obs, sim, dim, "mean error of peak timing", "d")


def peak_mape(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean relative error on the days of observed peaks, in percent.

    :math:`100 \overline{|s_p - o_p| / o_p}` over the peaks of :func:`peak_timing`,
    none left out for missing days around them. Parameters as there.
    """
    return _of_peaks(
        _relative, obs, sim, dim, "mean absolute error of peaks", "percent"
    )


def missed_peaks(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    window: int = 1,
) -> xr.DataArray:
    r"""Share of observed peaks without a simulated one, between 0 and 1.

    Peaks are at least 30 days apart and above the 80th percentile of their series. A
    peak is missed if no simulated one lies within `window` days. Parameters as in
    :func:`peak_timing`.

    Notes
    -----
    The share is of the peaks that are judged; neuralhydrology divides by all of them,
    those beside missing days too.
    """
    kernel = partial(_missed, window=window)
    return _of_peaks(kernel, obs, sim, dim, "share of missed peaks", "1")


def _of_peaks(
    score: Callable[[Array, Array, Array], float],
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims,
    name: str,
    units: str,
) -> xr.DataArray:
    """Score every series by itself, with the number of each of its days."""
    obs, sim = pairs(obs, sim, dim)
    (one, *more) = dims_of(dim)
    if more:
        raise InputError(
            f"dim={dim!r}: peaks are found along one dim; pass dim={one!r}"
        )
    if one in obs.indexes:
        obs, sim = obs.sortby(one), sim.sortby(one)
    days = _day_numbers(obs, one)

    def kernel(observed: Array, simulated: Array) -> Array:
        """Score each series by itself: peaks are as many as they are."""
        observed, simulated = np.broadcast_arrays(observed, simulated)
        flat = zip(
            observed.reshape(-1, days.size), simulated.reshape(-1, days.size),
            strict=True,
        )  # fmt: skip
        found = [_on_paired(score, o, s, days) for o, s in flat]
        return np.array(found, np.float64).reshape(observed.shape[:-1])

    return named(whole(kernel, dim, obs, sim), obs, name, units)


def _day_numbers(obs: xr.DataArray, dim: Hashable) -> Array:
    """Position of each label in days; without dates they follow each other."""
    index = obs.indexes.get(dim)
    if not isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex):
        return np.arange(obs.sizes[dim], dtype=np.float64)
    return np.asarray((index - index[0]) / np.timedelta64(1, "D"), np.float64)


def _on_paired(
    score: Callable[[Array, Array, Array], float], obs: Array, sim: Array, days: Array
) -> float:
    """Score the days that have both values; NaN where there are none."""
    both = np.isfinite(obs)
    return score(obs[both], sim[both], days[both]) if both.any() else np.nan


def _peaks(obs: Array) -> Days:
    """Positions of peaks that stand out by a standard deviation, well apart."""
    from scipy.signal import find_peaks

    return np.asarray(find_peaks(obs, distance=_APART, prominence=obs.std())[0])


def _complete(peaks: Days, days: Array, window: int) -> Days:
    """Keep the peaks with every day within the window."""
    inside = peaks[(peaks >= window) & (peaks + window < len(days))]
    span = days[inside + window] - days[inside - window]
    return np.asarray(inside[span == 2 * window])


def _timing(obs: Array, sim: Array, days: Array, window: int) -> float:
    """Mean distance [d] of the highest simulated days from the peaks."""
    errors = []
    for peak in _complete(_peaks(obs), days, window):
        near = sim[peak - window : peak + window + 1]
        same = sim[peak] > max(sim[peak - 1], sim[peak + 1])
        errors.append(0 if same else abs(int(near.argmax()) - window))
    return float(np.mean(errors)) if errors else np.nan


def _relative(obs: Array, sim: Array, days: Array) -> float:
    """Mean error of the flow at peaks [percent]; without flow there is no share."""
    peaks = _peaks(obs)
    high = peaks[obs[peaks] > 0]
    if not high.size:
        return np.nan
    return float(100 * np.mean(np.abs(sim[high] - obs[high]) / obs[high]))


def _missed(obs: Array, sim: Array, days: Array, window: int) -> float:
    """Share of the judged peaks with no simulated one within the window."""
    from scipy.signal import find_peaks

    observed, simulated = (
        find_peaks(each, distance=_SHORT_APART, height=np.percentile(each, _HIGH))[0]
        for each in (obs, sim)
    )
    judged = _complete(observed, days, window)
    if not judged.size:
        return np.nan
    distance = np.abs(judged[:, None] - simulated[None])
    return float(1 - (distance <= window).any(1).mean())
