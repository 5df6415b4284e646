"""Scores of the flow duration curve: high, middle and low flows, whenever they came."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from xstefaland.metrics.moments import divide, number
from xstefaland.metrics.pairing import Array, Dims, named, pairs, whole

_VOLUME_FLOOR = 1e-4  # added to the low-flow volume by definition (flv)
_CURVE_POINTS = 100
_FLOW_FLOOR = 1e-6  # stands for zero flow under a logarithm (flv_log, fms)


def fhv(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the peak-flow volume, highest 2 % of each series; in percent.

    :math:`100 \sum(s_h - o_h) / \sum o_h` over the highest 2 % of the sorted
    observations and of the sorted simulations (Yilmaz et al., 2008). Parameters
    and laziness as in :func:`nse`; `dim` has to be one chunk.
    """
    kernel = partial(_volume_error, low=0.98, high=1.0, floor=0.0)
    obs, sim = pairs(obs, sim, dim)
    return named(whole(kernel, dim, obs, sim), obs, "peak-flow bias", "percent")


def flv(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the low-flow volume, lowest 30 % of each series; in percent.

    :math:`100 \sum(s_l - o_l) / (\sum o_l + 10^{-4})` over the lowest 30 % of the
    sorted observations and of the sorted simulations. Parameters and laziness as
    in :func:`nse`; `dim` has to be one chunk.

    Notes
    -----
    A river whose low flows are all zero has no score (NaN), a departure from that
    definition, which divides by the 1e-4 alone there and gives millions of percent.

    Plain volumes, as in differentiable hydrological modelling; :func:`flv_log` is
    the logarithmic score of Yilmaz et al. (2008). The two share a name in the
    literature and nothing else: compare like with like.
    """
    kernel = partial(_volume_error, low=0.0, high=0.3, floor=_VOLUME_FLOOR)
    obs, sim = pairs(obs, sim, dim)
    return named(whole(kernel, dim, obs, sim), obs, "low-flow bias", "percent")


def flv_log(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the logarithmic low-flow volume, lowest 30 %; in percent.

    :math:`-100 (L_s - L_o) / L_o` with
    :math:`L_x = \sum(\ln x_l - \min \ln x_l)` over the lowest 30 % of each sorted
    series (Yilmaz et al., 2008). Flows of zero count as 1e-6; low flows that never
    change have no score (NaN). Parameters and laziness as in :func:`nse`; `dim` has
    to be one chunk.
    """
    obs, sim = pairs(obs, sim, dim)
    value = whole(_log_volume_error, dim, obs, sim)
    return named(value, obs, "logarithmic low-flow bias", "percent")


def fms(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the slope of the middle of the flow duration curve; in percent.

    :math:`100 (D_s - D_o) / D_o` with :math:`D_x = \ln x_{0.2} - \ln x_{0.7}`, the
    logarithms of the flows exceeded 20 % and 70 % of the time (Yilmaz et al.,
    2008). Flows of zero count as 1e-6; a level middle has no score (NaN). Parameters
    and laziness as in :func:`nse`; `dim` has to be one chunk.
    """
    obs, sim = pairs(obs, sim, dim)
    value = whole(_slope_error, dim, obs, sim)
    return named(value, obs, "bias of the flow duration curve's slope", "percent")


def rmse_fdc(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""RMSE between the flow duration curves, in units of `obs`.

    :math:`\sqrt{\frac{1}{100} \sum_{k=0}^{99} (s_{p_k} - o_{p_k})^2}` with
    :math:`x_{p_k}` the flow that a share :math:`p_k = k/100` of the paired days
    exceeds. Parameters and laziness as in :func:`nse`; `dim` has to be one chunk.

    Notes
    -----
    The score of differentiable hydrological modelling (hydroDL), there without
    pairing. When the flows came does not matter.
    """
    obs, sim = pairs(obs, sim, dim)
    value = whole(_curve_distance, dim, obs, sim)
    return named(value, obs, "RMSE of the flow duration curve", "{}")


def _curve(values: Array) -> Array:
    """Flows exceeded 0, 1 ... 99 % of the time, descending, along a last axis."""
    count = number(values)
    exceeded = (np.arange(_CURVE_POINTS) / _CURVE_POINTS * count).astype(int)
    place = np.clip(count.astype(int) - 1 - exceeded, 0, None)
    return np.asarray(np.take_along_axis(np.sort(values, axis=-1), place, -1))


def _curve_distance(obs: Array, sim: Array) -> Array:
    """RMSE between the curves of both, point by point."""
    return np.asarray(np.sqrt(((_curve(sim) - _curve(obs)) ** 2).mean(-1)))


def _between(values: Array, low: float, high: float) -> Array:
    """Sort ascending and keep the part between two shares of the count."""
    rank, count = np.arange(values.shape[-1]), number(values)
    inside = (rank >= np.round(low * count)) & (rank < np.round(high * count))
    return np.where(inside, np.sort(values, axis=-1), np.nan)


def _volume_error(
    obs: Array, sim: Array, low: float, high: float, floor: float
) -> Array:
    """Error of the volume between two shares [percent]; NaN where there is none."""
    total = np.nansum(_between(obs, low, high), -1)
    error = np.nansum(_between(sim, low, high), -1) - total
    return 100 * divide(error, np.where(total == 0, 0.0, total + floor))


def _log_volume(values: Array) -> Array:
    """Sum of the logarithms of low flows, counted from the lowest."""
    part = np.log(_between(np.maximum(values, _FLOW_FLOOR), 0.0, 0.3))
    lowest = np.fmin.reduce(part, axis=-1, keepdims=True)
    return np.asarray(np.nansum(part - lowest, -1))


def _log_volume_error(obs: Array, sim: Array) -> Array:
    """Error of this volume [percent]; the floor stays in the divisor alone."""
    below = _log_volume(obs)
    below = np.where(below > 0, below + _FLOW_FLOOR, 0.0)
    return -100 * divide(_log_volume(sim) - below + _FLOW_FLOOR, below)


def _slope(values: Array) -> Array:
    """Fall of the logarithm of flow between 20 % and 70 % of exceedance."""
    count = number(values)
    exceeded = np.round(np.array([0.2, 0.7]) * count).astype(int)
    ascending = np.clip(count.astype(int) - 1 - exceeded, 0, None)
    curve = np.sort(np.maximum(values, _FLOW_FLOOR), axis=-1)
    high, low = np.moveaxis(np.take_along_axis(curve, ascending, -1), -1, 0)
    return np.asarray(np.log(high) - np.log(low))


def _slope_error(obs: Array, sim: Array) -> Array:
    """Error of the slope [percent], NaN where that of the observations is level."""
    below = _slope(obs)
    floored = np.where(below > 0, below + _FLOW_FLOOR, 0.0)
    return 100 * divide(_slope(sim) - below, floored)
