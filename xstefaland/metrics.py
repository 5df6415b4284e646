r"""Skill scores on labelled arrays.

Every score takes observations and simulations as DataArrays and reduces `dim`,
by default ``"time"``. Pairs with a missing value on either side are left out.
Dims that only one of the two has (quantiles, members) are broadcast. Lazy arrays
give a lazy score. Arithmetic is in float64. A score that is not defined (no pair,
constant observations) is NaN.

In the equations :math:`o` and :math:`s` are paired observations and simulations,
:math:`\bar o, \bar s` their means and :math:`\sigma_o, \sigma_s` their population
standard deviations. Errors are simulation minus observation. Volume scores follow
the conventions of Yilmaz et al. (2008) where a note does not say otherwise.

References
----------
Gupta et al. (2009), https://doi.org/10.1016/j.jhydrol.2009.08.003
Kling et al. (2012), https://doi.org/10.1016/j.jhydrol.2012.01.011
Nash and Sutcliffe (1970), https://doi.org/10.1016/0022-1694(70)90255-6
Yilmaz et al. (2008), https://doi.org/10.1029/2007WR006716
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, join_problems

Dims: TypeAlias = str | Sequence[Hashable]
Array: TypeAlias = npt.NDArray[np.float64]

__all__ = [
    "bias",
    "corr",
    "fhv",
    "flv",
    "flv_log",
    "fms",
    "kge",
    "kge_2012",
    "mae",
    "mse",
    "nse",
    "pbias",
    "r2",
    "rmse",
    "scores",
    "spearman",
    "ubrmse",
]

_VOLUME_FLOOR = 1e-4  # added to the low-flow volume of dry rivers (flv)
_FLOW_FLOOR = 1e-6  # stands for zero flow under a logarithm (flv_log, fms)


def mse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean squared error, :math:`\overline{(s - o)^2}` [units of `obs`, squared].

    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = _pairs(obs, sim, dim)
    return _named(_mean((sim - obs) ** 2, dim), obs, "mean squared error", "({})2")


def rmse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Root mean squared error, :math:`\sqrt{\overline{(s - o)^2}}` [units of `obs`].

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
    obs, sim = _pairs(obs, sim, dim)
    root = _root(_mean((sim - obs) ** 2, dim))
    return _named(root, obs, "root mean squared error", "{}")


def ubrmse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Unbiased RMSE, the standard deviation of the error [units of `obs`].

    :math:`\sqrt{\overline{((s - \bar s) - (o - \bar o))^2}}`, the usual score of
    soil moisture. Parameters, errors and laziness as in :func:`nse`.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0], dims="time")
    >>> ubrmse(obs, obs + 0.5).item()
    0.0
    """
    obs, sim = _pairs(obs, sim, dim)
    root = _root(_mean(_anomaly(sim - obs, dim) ** 2, dim))
    return _named(root, obs, "unbiased root mean squared error", "{}")


def mae(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean absolute error, :math:`\overline{|s - o|}` [units of `obs`].

    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = _pairs(obs, sim, dim)
    return _named(_mean(abs(sim - obs), dim), obs, "mean absolute error", "{}")


def bias(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Mean error, :math:`\overline{s - o}` [units of `obs`]; wet is positive.

    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = _pairs(obs, sim, dim)
    return _named(_mean(sim - obs, dim), obs, "mean error", "{}")


def pbias(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the total volume [percent]; too much is positive.

    :math:`100 \sum(s - o) / \sum o`. Parameters, errors and laziness as in
    :func:`nse`. Some tools use the opposite sign.

    Examples
    --------
    >>> import xarray as xr
    >>> obs = xr.DataArray([1.0, 2.0, 3.0], dims="time")
    >>> round(pbias(obs, 1.1 * obs).item(), 6)
    10.0
    """
    obs, sim = _pairs(obs, sim, dim)
    percent = 100 * _ratio((sim - obs).sum(dim), obs.sum(dim))
    return _named(percent, obs, "percent bias", "percent")


def corr(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Pearson's correlation coefficient [1].

    :math:`\overline{(o - \bar o)(s - \bar s)} / (\sigma_o \sigma_s)`.
    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = _pairs(obs, sim, dim)
    return _named(_correlation(obs, sim, dim), obs, "Pearson correlation", "1")


def spearman(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    """Spearman's rank correlation coefficient, ties ranked at their mean [1].

    Parameters and laziness as in :func:`nse`; `dim` has to be one chunk.
    """
    obs, sim = _pairs(obs, sim, dim)
    ranked = (_whole(_ranks, dim, obs, keep=True), _whole(_ranks, dim, sim, keep=True))
    return _named(_correlation(*ranked, dim), obs, "Spearman rank correlation", "1")


def nse(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Nash-Sutcliffe efficiency [1]; 1 is perfect, 0 as good as the mean.

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
    obs, sim = _pairs(obs, sim, dim)
    efficiency = _efficiency(obs, sim, dim)
    return _named(efficiency, obs, "Nash-Sutcliffe efficiency", "1")


def r2(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "site") -> xr.DataArray:
    r"""Coefficient of determination [1], by default over sites.

    :math:`1 - \sum(s - o)^2 / \sum(o - \bar o)^2`: the formula of :func:`nse`
    under the name it has outside hydrology, not the squared correlation.
    Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = _pairs(obs, sim, dim)
    efficiency = _efficiency(obs, sim, dim)
    return _named(efficiency, obs, "coefficient of determination", "1")


def kge(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Kling-Gupta efficiency of 2009 [1]; 1 is perfect.

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
    obs, sim = _pairs(obs, sim, dim)
    spread = _ratio(_std(sim, dim), _std(obs, dim))
    return _named(_kling_gupta(obs, sim, dim, spread), obs, "KGE (2009)", "1")


def kge_2012(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Kling-Gupta efficiency of 2012 [1]; 1 is perfect.

    As :func:`kge` with the ratio of the coefficients of variation,
    :math:`(\sigma_s/\bar s) / (\sigma_o/\bar o)`, in place of that of the standard
    deviations (Kling et al., 2012). Parameters, errors and laziness as in
    :func:`nse`.
    """
    obs, sim = _pairs(obs, sim, dim)
    cv_sim = _ratio(_std(sim, dim), _mean(sim, dim))
    cv_obs = _ratio(_std(obs, dim), _mean(obs, dim))
    value = _kling_gupta(obs, sim, dim, _ratio(cv_sim, cv_obs))
    return _named(value, obs, "KGE (2012)", "1")


def fhv(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the peak-flow volume, highest 2 % of each series [percent].

    :math:`100 \sum(s_h - o_h) / \sum o_h` over the highest 2 % of the sorted
    observations and of the sorted simulations (Yilmaz et al., 2008). Parameters
    and laziness as in :func:`nse`; `dim` has to be one chunk.
    """
    kernel = partial(_volume_error, low=0.98, high=1.0, floor=0.0)
    obs, sim = _pairs(obs, sim, dim)
    return _named(_whole(kernel, dim, obs, sim), obs, "peak-flow bias", "percent")


def flv(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the low-flow volume, lowest 30 % of each series [percent].

    :math:`100 \sum(s_l - o_l) / (\sum o_l + 10^{-4})` over the lowest 30 % of the
    sorted observations and of the sorted simulations. Parameters and laziness as
    in :func:`nse`; `dim` has to be one chunk.

    Notes
    -----
    Plain volumes, as in differentiable hydrological modelling; :func:`flv_log` is
    the logarithmic score of Yilmaz et al. (2008). The two share a name in the
    literature and nothing else: compare like with like.
    """
    kernel = partial(_volume_error, low=0.0, high=0.3, floor=_VOLUME_FLOOR)
    obs, sim = _pairs(obs, sim, dim)
    return _named(_whole(kernel, dim, obs, sim), obs, "low-flow bias", "percent")


def flv_log(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the logarithmic low-flow volume, lowest 30 % [percent].

    :math:`-100 (L_s - L_o) / L_o` with
    :math:`L_x = \sum(\ln x_l - \min \ln x_l)` over the lowest 30 % of each sorted
    series (Yilmaz et al., 2008). Flows of zero count as 1e-6. Parameters and
    laziness as in :func:`nse`; `dim` has to be one chunk.
    """
    obs, sim = _pairs(obs, sim, dim)
    value = _whole(_log_volume_error, dim, obs, sim)
    return _named(value, obs, "logarithmic low-flow bias", "percent")


def fms(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "time") -> xr.DataArray:
    r"""Error of the slope of the middle of the flow duration curve [percent].

    :math:`100 (D_s - D_o) / D_o` with :math:`D_x = \ln x_{0.2} - \ln x_{0.7}`, the
    logarithms of the flows exceeded 20 % and 70 % of the time (Yilmaz et al.,
    2008). Flows of zero count as 1e-6. Parameters and laziness as in :func:`nse`;
    `dim` has to be one chunk.
    """
    obs, sim = _pairs(obs, sim, dim)
    value = _whole(_slope_error, dim, obs, sim)
    return _named(value, obs, "bias of the flow duration curve's slope", "percent")


_STREAMFLOW = ("rmse", "ubrmse", "corr", "nse", "kge", "fhv", "flv", "pbias")


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
        Names of functions in this module; by default the streamflow benchmark's.

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
    names = list(names)
    known: Mapping[str, Callable[..., xr.DataArray]] = {
        name: globals()[name] for name in __all__ if name != "scores"
    }
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no score named {unknown}; there are {', '.join(known)}")
    return xr.Dataset({name: known[name](obs, sim, dim) for name in names})


def _pairs(
    obs: xr.DataArray, sim: xr.DataArray, dim: Dims
) -> tuple[xr.DataArray, xr.DataArray]:
    _check_arrays(obs, sim, dim)
    units = obs.attrs.get("units", sim.attrs.get("units"))
    obs, sim = xr.align(obs, sim, join="inner", copy=False)
    obs, sim = obs.astype("float64"), sim.astype("float64")
    both = obs.notnull() & sim.notnull()
    obs, sim = obs.where(both), sim.where(both)
    obs.attrs = {} if units is None else {"units": units}
    return obs, sim


def _check_arrays(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> None:
    given: dict[str, Any] = {"obs": obs, "sim": sim}
    problems = [
        f"{name} is a {type(array).__name__}; wrap it as xr.DataArray({name}, dims=...)"
        for name, array in given.items()
        if not isinstance(array, xr.DataArray)
    ]
    if not problems:
        problems = [*_dim_problems(obs, sim, dim), *_unit_problems(obs, sim)]
    if problems:
        raise InputError(join_problems("cannot compare obs with sim", problems))


def _dim_problems(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> list[str]:
    reduced = _dims(dim)
    problems = [
        f"{name} has no dim {each!r}, its dims are {array.dims}; pass dim="
        for name, array in (("obs", obs), ("sim", sim))
        for each in reduced
        if each not in array.dims
    ]
    for each in set(obs.dims) & set(sim.dims):
        if each in obs.indexes and each in sim.indexes:
            common = len(obs.indexes[each].intersection(sim.indexes[each]))
            kept = each in reduced and common > 0
            if not kept and not common == obs.sizes[each] == sim.sizes[each]:
                problems.append(_label_problem(str(each), common, obs, sim))
        elif obs.sizes[each] != sim.sizes[each]:
            sizes = f"{obs.sizes[each]} and {sim.sizes[each]}"
            problems.append(f"{each!r} has sizes {sizes} and no labels to align on")
    return problems


def _label_problem(dim: str, common: int, obs: xr.DataArray, sim: xr.DataArray) -> str:
    sizes = f"{obs.sizes[dim]} and {sim.sizes[dim]}"
    return (
        f"of {sizes} labels along {dim!r} {common} are in both; select the common "
        f'ones first: obs, sim = xr.align(obs, sim, join="inner")'
    )


def _unit_problems(obs: xr.DataArray, sim: xr.DataArray) -> list[str]:
    units = [array.attrs.get("units") for array in (obs, sim)]
    if None in units or units[0] == units[1]:
        return []
    return [
        f"obs is in {units[0]!r} and sim in {units[1]!r}; convert one of them, or set "
        'sim.attrs["units"] when both mean the same'
    ]


def _dims(dim: Dims) -> list[Hashable]:
    return [dim] if isinstance(dim, str) else list(dim)


def _named(
    value: xr.DataArray, obs: xr.DataArray, long_name: str, units: str
) -> xr.DataArray:
    named = value.rename(None)
    named.attrs = {"long_name": long_name}
    if "{}" not in units:
        named.attrs["units"] = units
    elif "units" in obs.attrs:
        named.attrs["units"] = units.format(obs.attrs["units"])
    return named


def _ratio(above: xr.DataArray, below: xr.DataArray) -> xr.DataArray:
    return above / below.where(below != 0)


def _root(array: xr.DataArray) -> xr.DataArray:
    return array**0.5


def _mean(array: xr.DataArray, dim: Dims) -> xr.DataArray:
    return _ratio(array.sum(dim), array.count(dim))


def _anomaly(array: xr.DataArray, dim: Dims) -> xr.DataArray:
    """Departure from the mean; exactly zero for a constant series."""
    varies = array.max(dim) > array.min(dim)
    return (array - _mean(array, dim)).where(varies | array.isnull(), 0.0)


def _std(array: xr.DataArray, dim: Dims) -> xr.DataArray:
    return _root(_mean(_anomaly(array, dim) ** 2, dim))


def _correlation(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> xr.DataArray:
    covariance = _mean(_anomaly(obs, dim) * _anomaly(sim, dim), dim)
    return _ratio(covariance, _std(obs, dim) * _std(sim, dim))


def _efficiency(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> xr.DataArray:
    error = _mean((sim - obs) ** 2, dim)
    return 1 - _ratio(error, _mean(_anomaly(obs, dim) ** 2, dim))


def _kling_gupta(
    obs: xr.DataArray, sim: xr.DataArray, dim: Dims, spread: xr.DataArray
) -> xr.DataArray:
    correlation = _correlation(obs, sim, dim)
    centre = _ratio(_mean(sim, dim), _mean(obs, dim))
    return 1 - _root((correlation - 1) ** 2 + (spread - 1) ** 2 + (centre - 1) ** 2)


def _whole(
    kernel: Callable[..., Array], dim: Dims, *arrays: xr.DataArray, keep: bool = False
) -> xr.DataArray:
    """Apply a kernel that needs all of `dim` at once, as the last axis."""
    dims = _dims(dim)
    for array in arrays:
        split = [each for each in dims if len(array.chunksizes.get(each, ())) > 1]
        if split:
            whole = ", ".join(f"{each!r}: -1" for each in split)
            raise InputError(
                f"this score sorts along {split}, which is in several chunks; pass "
                f"obs.chunk({{{whole}}}) and sim.chunk({{{whole}}})"
            )

    def flat(*blocks: Any) -> Array:
        shape = blocks[0].shape
        lead = shape[: len(shape) - len(dims)]
        value = kernel(*(block.reshape(*lead, -1) for block in blocks))
        return value.reshape(shape) if keep else value

    result: xr.DataArray = xr.apply_ufunc(
        flat,
        *arrays,
        input_core_dims=[dims] * len(arrays),
        output_core_dims=[dims if keep else []],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return result


def _ranks(values: Array) -> Array:
    rows = values.reshape(-1, values.shape[-1])
    ranked = pd.DataFrame(rows.T).rank().to_numpy().T
    return np.asarray(ranked.reshape(values.shape), dtype=np.float64)


def _count(values: Array) -> Array:
    return np.asarray((~np.isnan(values)).sum(-1, keepdims=True), dtype=np.float64)


def _divide(above: Array, below: Array) -> Array:
    result = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result


def _between(values: Array, low: float, high: float) -> Array:
    """Sort ascending and keep the part between two shares of the count."""
    rank, count = np.arange(values.shape[-1]), _count(values)
    inside = (rank >= np.round(low * count)) & (rank < np.round(high * count))
    return np.where(inside, np.sort(values, axis=-1), np.nan)


def _volume_error(
    obs: Array, sim: Array, low: float, high: float, floor: float
) -> Array:
    part = _between(obs, low, high)
    total, none = np.nansum(part, -1), np.isnan(part).all(-1)
    error = np.nansum(_between(sim, low, high), -1) - total
    return 100 * _divide(error, np.where(none, 0.0, total + floor))


def _log_volume(values: Array) -> Array:
    part = np.log(_between(np.maximum(values, _FLOW_FLOOR), 0.0, 0.3))
    lowest = np.fmin.reduce(part, axis=-1, keepdims=True)
    return np.asarray(np.nansum(part - lowest, -1))


def _log_volume_error(obs: Array, sim: Array) -> Array:
    below = _log_volume(obs)
    below = np.where(_count(obs)[..., 0] > 0, below + _FLOW_FLOOR, 0.0)
    return -100 * _divide(_log_volume(sim) - below + _FLOW_FLOOR, below)


def _slope(values: Array) -> Array:
    count = _count(values)
    exceeded = np.round(np.array([0.2, 0.7]) * count).astype(int)
    ascending = np.clip(count.astype(int) - 1 - exceeded, 0, None)
    curve = np.sort(np.maximum(values, _FLOW_FLOOR), axis=-1)
    high, low = np.moveaxis(np.take_along_axis(curve, ascending, -1), -1, 0)
    return np.asarray(np.log(high) - np.log(low))


def _slope_error(obs: Array, sim: Array) -> Array:
    below = _slope(obs)
    return 100 * _divide(_slope(sim) - below, below + _FLOW_FLOOR)
