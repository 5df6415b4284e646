"""Several scores at once, and their summary over sites."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.metrics import deviations, duration, efficiency, events, floods, spread
from xstefaland.metrics.pairing import Dims

_ROOMS = (deviations, efficiency, duration, floods, events, spread)
_STREAMFLOW = ("rmse", "ubrmse", "corr", "nse", "kge", "fhv", "flv", "pbias")
_STATISTICS = ("count", "undefined", "mean", "std", "5%", "25%", "50%", "75%", "95%")


def _known() -> dict[str, Callable[..., xr.DataArray]]:
    """All scores by name."""
    return {
        name: function
        for room in _ROOMS
        for name, function in vars(room).items()
        if callable(function)
        and getattr(function, "__module__", None) == room.__name__
        and not name.startswith("_")
    }


def scores(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "time",
    *,
    names: Iterable[str] = _STREAMFLOW,
) -> xr.Dataset:
    """Several scores at once.

    Parameters
    ----------
    obs, sim, dim
        As in :func:`nse`.
    names : iterable of str
        Names of scores; by default the streamflow benchmark's.

    Returns
    -------
    xarray.Dataset
        One variable per score.

    Raises
    ------
    InputError
        As :func:`nse`, and for a name that is no score.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([[1.0, 2.0, 3.0]] * 2, dims=("site", "time"))
    >>> table = scores(obs, obs, names=["nse", "pbias"])
    >>> table.median("site")["nse"].item()
    1.0
    """
    names, known = list(names), _known()
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no score named {unknown}; there are {', '.join(known)}")
    return xr.Dataset({name: known[name](obs, sim, dim) for name in names})


def summary(table: xr.Dataset, dim: Dims = "site") -> xr.Dataset:
    """Summarise scores over sites, and count those that are not defined.

    Parameters
    ----------
    table : xarray.Dataset
        Scores, as :func:`scores` gives them.
    dim : str or sequence of str
        Dims to reduce, each in one chunk.

    Returns
    -------
    xarray.Dataset
        Each score with the dim ``statistic``: "count" (sites with a score),
        "undefined" (sites without: no pair, or constant observations), "mean", "std"
        (of the population), "5%", "25%", "50%", "75%", "95%" of what is defined.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], dims=("site", "time"))
    >>> table = summary(scores(obs, obs, names=["nse"]))
    >>> table["nse"].sel(statistic=["undefined", "50%"]).values.tolist()
    [1.0, 1.0]
    """
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    count = table.notnull().sum(dim)
    sizes = [table.sizes[each] for each in ([dim] if isinstance(dim, str) else dim)]
    parts = [count, int(np.prod(sizes)) - count, table.mean(dim), table.std(dim)]
    spreads = table.quantile(quantiles, dim)
    parts += [spreads.isel(quantile=k, drop=True) for k in range(len(quantiles))]
    labels = xr.DataArray(list(_STATISTICS), dims="statistic", name="statistic")
    return xr.concat(
        [part.astype(float) for part in parts], labels, coords="minimal", join="exact"
    ).assign_attrs(table.attrs)
