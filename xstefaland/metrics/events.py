r"""Scores of probabilities where the observation is a yes (1) or a no (0).

References
----------
Brier (1950), https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
Fawcett (2006), https://doi.org/10.1016/j.patrec.2005.10.010
"""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from xstefaland.metrics.moments import divide, mean
from xstefaland.metrics.pairing import Array, Dims, named, pairs, whole


def brier(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "site") -> xr.DataArray:
    r"""Mean squared error of a probability (Brier, 1950); 0 is perfect.

    :math:`\overline{(s - o)^2}`, by default over sites. Parameters, errors and
    laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    return named(mean((sim - obs) ** 2, dim), obs, "Brier score", "1")


def auc(obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "site") -> xr.DataArray:
    r"""Area under the ROC curve, by default over sites; 0.5 is chance, 1 perfect.

    The chance that a yes has a higher probability than a no, ties counted half
    (Fawcett, 2006). NaN where all observations are alike. Parameters, errors and
    laziness as in :func:`nse`; `dim` has to be one chunk.

    Examples
    --------
    >>> import xarray as xr
    >>> slide = xr.DataArray([0, 0, 1, 1], dims="site")
    >>> auc(slide, xr.DataArray([0.1, 0.4, 0.35, 0.8], dims="site")).item()
    0.75
    """
    obs, sim = pairs(obs, sim, dim)
    return named(whole(_rows(_auc), dim, obs, sim), obs, "area under ROC curve", "1")


def average_precision(
    obs: xr.DataArray, sim: xr.DataArray, dim: Dims = "site"
) -> xr.DataArray:
    r"""Area under the curve of precision against recall, by default over sites.

    :math:`\sum_k (R_k - R_{k-1}) P_k` over falling thresholds, without interpolation;
    chance is the share of yes. NaN without a yes. Parameters, errors and laziness as
    in :func:`nse`; `dim` has to be one chunk.
    """
    obs, sim = pairs(obs, sim, dim)
    value = whole(_rows(_average_precision), dim, obs, sim)
    return named(value, obs, "average precision", "1")


def f1(
    obs: xr.DataArray,
    sim: xr.DataArray,
    dim: Dims = "site",
    *,
    threshold: float = 0.5,
) -> xr.DataArray:
    r"""Harmonic mean of precision and recall where `sim` reaches a threshold.

    :math:`2 TP / (2 TP + FP + FN)`, by default over sites; NaN where there is neither
    a yes nor a call for one. Parameters, errors and laziness as in :func:`nse`.
    """
    obs, sim = pairs(obs, sim, dim)
    called, yes = sim >= threshold, obs > 0.5
    hits = (called & yes).sum(dim)
    total = called.sum(dim) + yes.sum(dim)
    return named(2 * hits / total.where(total > 0), obs, "F1 score", "1")


def _rows(score: object) -> partial[Array]:
    """Make a kernel for arrays out of a score of one row."""
    return partial(_by_row, score)


def _by_row(score: object, obs: Array, sim: Array) -> Array:
    """Score row by row what both have."""
    obs, sim = np.broadcast_arrays(obs, sim)
    size = obs.shape[-1]
    pairs_of_rows = zip(obs.reshape(-1, size), sim.reshape(-1, size), strict=True)
    found = [score(o[~np.isnan(o)] > 0.5, s[~np.isnan(o)]) for o, s in pairs_of_rows]  # type: ignore[operator]
    return np.array(found, np.float64).reshape(obs.shape[:-1])


def _auc(yes: Array, sim: Array) -> float:
    """Area by the ranks of the yes, which needs no curve (Mann-Whitney)."""
    from scipy.stats import rankdata

    positive = int(yes.sum())
    above = rankdata(sim)[yes.astype(bool)].sum() - positive * (positive + 1) / 2
    area = divide(np.array(above), np.array(positive * (len(yes) - positive), float))
    return float(area)


def _average_precision(yes: Array, sim: Array) -> float:
    """Sum over thresholds; what ties at one threshold is called together."""
    order = np.argsort(-sim, kind="stable")
    hits = np.cumsum(yes[order])
    last = np.append(np.diff(sim[order]) != 0, True)[: len(sim)]
    if not len(hits) or hits[-1] == 0:
        return np.nan
    precision = (hits / np.arange(1, len(hits) + 1))[last]
    recall = (hits / hits[-1])[last]
    return float((np.diff(recall, prepend=0.0) * precision).sum())
