r"""Scores of quantiles and ensembles: how sharp, and whether they hold what they say.

The simulations have one dim more than the observations: ``quantile``, labelled with
the levels, or ``member``.

References
----------
Gneiting and Raftery (2007), https://doi.org/10.1198/016214506000001437
Koenker and Bassett (1978), https://doi.org/10.2307/1913643
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.metrics.moments import mean
from xstefaland.metrics.pairing import Array, Dims, named, pairs


def pinball(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    quantile: str = "quantile",
) -> xr.DataArray:
    r"""Mean loss of each quantile, in units of `obs`; less is better.

    :math:`\overline{\max(\tau (o - q_\tau), (\tau - 1)(o - q_\tau))}` for the level
    :math:`\tau` (Koenker and Bassett, 1978).

    Parameters
    ----------
    obs : xarray.DataArray
        Observations, without `quantile`.
    sim : xarray.DataArray
        Quantiles, with their levels as labels of the dim `quantile`, which stays.
    dim
        As in :func:`nse`.
    quantile : str
        Name of that dim.

    Raises
    ------
    InputError
        Without levels between 0 and 1 there, and as :func:`nse`.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0], dims="time")
    >>> band = xr.DataArray(
    ...     [[0.0, 3.0], [0.0, 3.0]], {"quantile": [0.1, 0.9]}, ("time", "quantile")
    ... )
    >>> pinball(obs, band).values.round(3).tolist()
    [0.15, 0.15]
    """
    levels = _levels(sim, quantile)
    obs, sim = pairs(obs, sim, dim)
    error = obs - sim
    loss = (levels * error).where((error >= 0) | error.isnull(), (levels - 1) * error)
    return named(mean(loss, dim), obs, "quantile loss", "{}")


def crps_quantiles(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    quantile: str = "quantile",
) -> xr.DataArray:
    r"""Continuous ranked probability score from quantiles, in units of `obs`.

    :math:`2 \sum_k w_k \rho_{\tau_k}`, the integral over all levels of twice the loss
    of :func:`pinball` (Gneiting and Raftery, 2007), where each level stands for the
    levels nearest to it. With few levels it is an approximation; compare only scores
    of the same levels. Parameters as in :func:`pinball`.
    """
    levels = _levels(sim, quantile)
    loss = pinball(obs, sim, dim, quantile=quantile)
    weights = xr.DataArray(_shares(levels.values), levels.coords)
    value = 2 * (loss * weights).sum(quantile, skipna=False)
    return value.assign_attrs(loss.attrs, long_name="CRPS from quantiles")


def crps_ensemble(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    member: str = "member",
) -> xr.DataArray:
    r"""Continuous ranked probability score of an ensemble, in units of `obs`.

    :math:`\overline{E|s - o| - \frac{1}{2} E|s - s'|}` over members :math:`s, s'`
    (Gneiting and Raftery, 2007); of one member, the mean absolute error.

    Parameters
    ----------
    obs, dim
        As in :func:`nse`.
    sim : xarray.DataArray
        With the dim `member`, in one chunk; members that are NaN do not count.
    member : str
        Name of that dim.

    Raises
    ------
    InputError
        Without that dim, and as :func:`nse`.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0], dims="time")
    >>> crps_ensemble(obs, xr.DataArray([[0.0, 2.0]], dims=("time", "member"))).item()
    0.5
    """
    if member not in getattr(sim, "dims", (member,)):
        raise InputError(
            f"sim has no dim {member!r}, its dims are {sim.dims}; pass member="
        )
    obs, sim = pairs(obs, sim, dim)
    value = xr.apply_ufunc(
        _ensemble_score,
        obs.max(member) if member in obs.dims else obs,
        sim,
        input_core_dims=[[], [member]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return named(mean(value, dim), obs, "CRPS of the ensemble", "{}")


def coverage(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    level: float = 0.9,
    quantile: str = "quantile",
) -> xr.DataArray:
    r"""Share of observations inside the central interval, between 0 and 1.

    The interval lies between the quantiles :math:`(1 \pm level) / 2`, its ends
    included. Equal to `level` where the quantiles hold what they say.

    Parameters
    ----------
    obs, sim, dim, quantile
        As in :func:`pinball`.
    level : float
        What the interval should hold.

    Raises
    ------
    InputError
        When its two quantiles are not among those of `sim`, and as :func:`nse`.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 5.0], dims="time")
    >>> band = xr.DataArray(
    ...     [[0.0, 3.0], [0.0, 3.0]], {"quantile": [0.1, 0.9]}, ("time", "quantile")
    ... )
    >>> coverage(obs, band, level=0.8).item()
    0.5
    """
    levels = _levels(sim, quantile).values
    ends = [np.abs(levels - edge) for edge in ((1 - level) / 2, (1 + level) / 2)]
    if max(end.min() for end in ends) > 1e-6:
        raise InputError(
            f"level={level} needs the quantiles {(1 - level) / 2:.4g} and "
            f"{(1 + level) / 2:.4g}; sim has {levels.tolist()}"
        )
    low, high = (sim.isel({quantile: int(end.argmin())}, drop=True) for end in ends)
    obs, low = pairs(obs, low, dim)
    obs, high = pairs(obs, high, dim)
    inside = ((obs >= low) & (obs <= high)).where(obs.notnull())
    return named(mean(inside, dim), obs, f"coverage of the {level:.0%} interval", "1")


def _levels(sim: xr.DataArray, quantile: str) -> xr.DataArray:
    """Return the levels that label a dim of quantiles."""
    if quantile in getattr(sim, "indexes", ()):
        levels = sim[quantile].astype(float).reset_coords(drop=True)
        if ((levels > 0) & (levels < 1)).all():
            return levels
    raise InputError(
        f"sim needs a dim {quantile!r} whose labels are levels between 0 and 1, as "
        "predict(..., quantiles=[0.1, 0.5, 0.9]) gives it"
    )


def _shares(levels: Array) -> Array:
    """Share of all levels from 0 to 1 that is nearest to each."""
    order = np.argsort(levels)
    middles = (levels[order][1:] + levels[order][:-1]) / 2
    shares = np.empty(len(levels))
    shares[order] = np.diff(np.concatenate([[0.0], middles, [1.0]]))
    return shares


def _ensemble_score(obs: Array, members: Array) -> Array:
    """CRPS ``(...)`` from sorted members ``(..., member)``, without all pairs."""
    count = np.isfinite(members).sum(-1)
    known = np.maximum(count, 1)
    error = np.nansum(np.abs(members - obs[..., None]), -1) / known
    rank = np.arange(members.shape[-1])
    weight = 2 * rank - count[..., None] + 1
    spread = np.nansum(weight * np.sort(members, -1), -1) / known**2
    return np.where(count > 0, error - spread, np.nan)
