"""How far simulations are from observations."""

from __future__ import annotations

import xarray as xr

from xstefaland.metrics.moments import anomaly, mean, ratio, square_root
from xstefaland.metrics.pairing import Dims, named, pairs


def mse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean squared error, :math:`\overline{(s - o)^2}` in squared units of `obs`.

    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    return named(mean((sim - obs) ** 2, dim), obs, "mean squared error", "({})2")


def rmse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Root mean squared error, :math:`\sqrt{\overline{(s - o)^2}}` in units of `obs`.

    Parameters, errors and laziness as in :func:`nse`.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0], dims="time", attrs={"units": "mm d-1"})
    >>> rmse(obs, obs + 0.5).item()
    0.5
    >>> rmse(obs, obs + 0.5).attrs["units"]
    'mm d-1'
    """
    obs, sim = pairs(obs, sim, dim)
    root = square_root(mean((sim - obs) ** 2, dim))
    return named(root, obs, "root mean squared error", "{}")


def ubrmse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Unbiased RMSE, the standard deviation of the error in units of `obs`.

    :math:`\sqrt{\overline{((s - \bar s) - (o - \bar o))^2}}`, the usual score of
    soil moisture. Parameters, errors and laziness as in :func:`nse`.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0], dims="time")
    >>> ubrmse(obs, obs + 0.5).item()
    0.0
    """
    obs, sim = pairs(obs, sim, dim)
    root = square_root(mean(anomaly(sim - obs, dim) ** 2, dim))
    return named(root, obs, "unbiased root mean squared error", "{}")


def mae(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean absolute error, :math:`\overline{|s - o|}` in units of `obs`.

    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    return named(mean(abs(sim - obs), dim), obs, "mean absolute error", "{}")


def bias(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean error, :math:`\overline{s - o}` in units of `obs`; wet is positive.

    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    return named(mean(sim - obs, dim), obs, "mean error", "{}")


def pbias(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the total volume in percent; too much is positive.

    :math:`100 \sum(s - o) / \sum o`. Parameters, errors and laziness as in
    :func:`nse`. Some tools use the opposite sign.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0], dims="time")
    >>> round(pbias(obs, 1.1 * obs).item(), 6)
    10.0
    """
    obs, sim = pairs(obs, sim, dim)
    percent = 100 * ratio((sim - obs).sum(dim), obs.sum(dim))
    return named(percent, obs, "percent bias", "percent")
