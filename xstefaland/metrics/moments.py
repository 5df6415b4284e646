"""Sums, means and deviations that scores are made of; 0 / 0 is NaN."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xstefaland.metrics.pairing import Array, Dims


def ratio(above: xr.DataArray, below: xr.DataArray) -> xr.DataArray:
    """Divide; NaN where the divisor is zero."""
    return above / below.where(below != 0)


def square_root(array: xr.DataArray) -> xr.DataArray:
    """Square root that stays lazy."""
    return array**0.5


def mean(array: xr.DataArray, dim: Dims) -> xr.DataArray:
    """Mean of what is there; NaN, and no warning, where nothing is."""
    return ratio(array.sum(dim), array.count(dim))


def anomaly(array: xr.DataArray, dim: Dims) -> xr.DataArray:
    """Departure from the mean; exactly zero for a constant series."""
    varies = array.max(dim) > array.min(dim)
    return (array - mean(array, dim)).where(varies | array.isnull(), 0.0)


def deviation(array: xr.DataArray, dim: Dims) -> xr.DataArray:
    """Take the population standard deviation."""
    return square_root(mean(anomaly(array, dim) ** 2, dim))


def correlation(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> xr.DataArray:
    """Pearson's correlation; NaN where one side is constant."""
    covariance = mean(anomaly(obs, dim) * anomaly(sim, dim), dim)
    return ratio(covariance, deviation(obs, dim) * deviation(sim, dim))


def number(values: Array) -> Array:
    """Count what is there along the last axis, which stays with length 1."""
    return np.asarray((~np.isnan(values)).sum(-1, keepdims=True), dtype=np.float64)


def divide(above: Array, below: Array) -> Array:
    """Divide arrays; NaN where the divisor is zero."""
    result = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result
