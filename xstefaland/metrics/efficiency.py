"""Scores relative to the mean and the spread of the observations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.metrics.moments import (
    anomaly,
    correlation,
    deviation,
    mean,
    ratio,
    square_root,
)
from xstefaland.metrics.pairing import Array, Dims, named, pairs, whole


def corr(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Pearson's correlation coefficient (no unit).

    :math:`\overline{(o - \bar o)(s - \bar s)} / (\sigma_o \sigma_s)`.
    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    return named(correlation(obs, sim, dim), obs, "Pearson correlation", "1")


def spearman(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    """Spearman's rank correlation coefficient, ties ranked at their mean (no unit).

    Parameters and laziness as in :func:`nse`; `dim` has to be one chunk.
    """
    obs, sim = pairs(obs, sim, dim)
    ranked = (whole(_ranks, dim, obs, keep=True), whole(_ranks, dim, sim, keep=True))
    return named(correlation(*ranked, dim), obs, "Spearman rank correlation", "1")


def nse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Nash-Sutcliffe efficiency (no unit); 1 is perfect, 0 as good as the mean.

    :math:`1 - \sum(s - o)^2 / \sum(o - \bar o)^2` (Nash and Sutcliffe, 1970).

    Parameters
    ----------
    obs, sim : xarray.DataArray
        Observations and simulations in the same units. `dim` is aligned on labels
        that both have; along other shared dims they must have the same labels.
    dim : str or sequence of str
        Dims to reduce.

    Returns
    -------
    xarray.DataArray
        One value for each label of the remaining dims; lazy if an input is.
        Attributes hold ``units`` and ``long_name``.

    Raises
    ------
    InputError
        When the two cannot be paired: not DataArrays, `dim` missing, no common
        label, different sites, different units. All problems at once.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0, float("nan")], dims="time")
    >>> nse(obs, obs).item()
    1.0
    >>> nse(obs, xr.full_like(obs, 2.0)).item()
    0.0
    """
    obs, sim = pairs(obs, sim, dim)
    efficiency = _efficiency(obs, sim, dim)
    return named(efficiency, obs, "Nash-Sutcliffe efficiency", "1")


def r2(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "site") -> xr.DataArray:
    r"""Coefficient of determination (no unit), by default over sites.

    :math:`1 - \sum(s - o)^2 / \sum(o - \bar o)^2`: the formula of :func:`nse`
    under the name it has outside hydrology, not the squared correlation.
    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    efficiency = _efficiency(obs, sim, dim)
    return named(efficiency, obs, "coefficient of determination", "1")


def kge(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Kling-Gupta efficiency of 2009 (no unit); 1 is perfect.

    :math:`1 - \sqrt{(r - 1)^2 + (\sigma_s/\sigma_o - 1)^2 + (\bar s/\bar o - 1)^2}`
    with :math:`r` the correlation (Gupta et al., 2009). Parameters, errors and
    laziness as in :func:`nse`.

    Notes
    -----
    A constant simulation has no correlation and so no KGE: NaN.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0], dims="time")
    >>> round(kge(obs, obs + 1).item(), 6)
    0.5
    """
    obs, sim = pairs(obs, sim, dim)
    spread = ratio(deviation(sim, dim), deviation(obs, dim))
    return named(_kling_gupta(obs, sim, dim, spread), obs, "KGE (2009)", "1")


def kge_2012(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Kling-Gupta efficiency of 2012 (no unit); 1 is perfect.

    As :func:`kge` with the ratio of the coefficients of variation,
    :math:`(\sigma_s/\bar s) / (\sigma_o/\bar o)`, in place of that of the standard
    deviations (Kling et al., 2012). Parameters, errors and laziness as in
    :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    cv_sim = ratio(deviation(sim, dim), mean(sim, dim))
    cv_obs = ratio(deviation(obs, dim), mean(obs, dim))
    value = _kling_gupta(obs, sim, dim, ratio(cv_sim, cv_obs))
    return named(value, obs, "KGE (2012)", "1")


def alpha_nse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Ratio of the spreads (no unit), :math:`\sigma_s / \sigma_o`; 1 is perfect.

    A term of the NSE and of the KGE of 2009 (Gupta et al., 2009). Parameters, errors
    and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    value = ratio(deviation(sim, dim), deviation(obs, dim))
    return named(value, obs, "ratio of standard deviations", "1")


def beta_nse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Bias over the spread (no unit), :math:`(\bar s - \bar o) / \sigma_o`.

    A term of the NSE (Gupta et al., 2009); 0 is perfect. Parameters, errors and
    laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    value = ratio(mean(sim - obs, dim), deviation(obs, dim))
    return named(value, obs, "bias over the standard deviation", "1")


def beta_kge(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Ratio of the means (no unit), :math:`\bar s / \bar o`; 1 is perfect.

    A term of the KGE (Gupta et al., 2009). Parameters, errors and laziness as in
    :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    value = ratio(mean(sim, dim), mean(obs, dim))
    return named(value, obs, "ratio of means", "1")


def _efficiency(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> xr.DataArray:
    """One minus the squared error as a share of the variance of `obs`."""
    error = mean((sim - obs) ** 2, dim)
    return 1 - ratio(error, mean(anomaly(obs, dim) ** 2, dim))


def _kling_gupta(
    obs: xr.DataArray, sim: xr.DataArray, dim: Dims, spread: xr.DataArray
) -> xr.DataArray:
    """KGE with the ratio of spreads that the version of the score wants."""
    linked = correlation(obs, sim, dim)
    centre = ratio(mean(sim, dim), mean(obs, dim))
    squares = (linked - 1) ** 2 + (spread - 1) ** 2 + (centre - 1) ** 2
    return 1 - square_root(squares)


def _ranks(values: Array) -> Array:
    """Ranks along the last axis, ties at their mean; NaN stays NaN."""
    rows = values.reshape(-1, values.shape[-1])
    ranked = pd.DataFrame(rows.T).rank().to_numpy().T
    return np.asarray(ranked.reshape(values.shape), dtype=np.float64)
