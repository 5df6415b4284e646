"""From scores of sites to tables: centres, spread, paired differences, intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland import metrics
from xstefaland.training.static_scores import ERROR

DRAWS, LEVEL = 1000, 0.9
"""Of the bootstrap over sites."""


def centres(scores: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Score every system, with its spread over folds and seeds.

    Parameters
    ----------
    scores : DataFrame
        One row for each target, system, fold, seed and site.
    names : sequence of str
        Functions of :mod:`xstefaland.metrics`; the spread is that of the first.

    Returns
    -------
    DataFrame
        One row a target and system, target by target: ``sites``, the scores,
        ``folds ±`` and ``seeds ±`` (standard deviation; NaN of a single one). Of series
        the median over sites of each site's mean over seeds; of static targets the mean
        over folds of the score over a fold's sites.
    """
    rows = []
    for target, own in scores.groupby("target", sort=False):
        for system, part in own.groupby("system", sort=False):
            row = {"target": target, "system": system, "sites": part["site"].nunique()}
            row |= dict(zip(names, _centre(part, names), strict=True))
            for column in ("fold", "seed"):
                each = [_centre(p, names[:1])[0] for _, p in part.groupby(column)]
                row[f"{column}s ±"] = np.std(each, ddof=1) if len(each) > 1 else np.nan
            rows.append(row)
    return pd.DataFrame(rows)


def _centre(part: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Scores of one system: over sites of series, over folds of static targets."""
    if ERROR not in part:
        return part.groupby("site")[list(names)].mean().median().to_numpy()
    folds = [
        [
            _score(name, p["observed"].to_numpy(), p["predicted"].to_numpy())
            for name in names
        ]
        for _, p in part.groupby(["fold", "seed"])
    ]
    return _mean(np.array(folds))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean along the first axis of what is defined, NaN where nothing is."""
    count = np.isfinite(values).sum(0)
    out = np.full(values.shape[1:], np.nan)
    np.divide(np.nansum(values, 0), count, out=out, where=count > 0)
    return out


def _score(
    name: str, observed: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score sites along the last axis."""
    dims = ("draw", "site")[-observed.ndim :]
    obs, sim = (xr.DataArray(x, dims=dims) for x in (observed, predicted))
    value = metrics.scores(obs, sim, "site", names=[name])[name]
    return np.asarray(value.values, np.float64)


def paired(scores: pd.DataFrame, name: str) -> pd.DataFrame:
    """Compare the first system with each other one at the same sites.

    Parameters
    ----------
    scores : DataFrame
        As for :func:`centres`.
    name : str
        The score.

    Returns
    -------
    DataFrame
        One row a target and other system: ``difference`` (first minus other: of series
        the median over sites of the difference, of static targets the difference of
        the scores), ``low`` and ``high`` of its 90 % interval over sites drawn with
        replacement (of static targets within each fold), ``sites``, and ``clear``:
        whether the interval leaves out zero.
    """
    rows = []
    for target, part in scores.groupby("target", sort=False):
        own, *others = part["system"].unique()
        for other in others:
            pair = [part[part["system"] == system] for system in (own, other)]
            find = _static_difference if ERROR in part else _series_difference
            value, low, high, sites = find(pair[0], pair[1], name)
            row = {"target": target, "pair": f"{own} - {other}", "difference": value}
            row |= {"low": low, "high": high, "sites": sites}
            rows.append(row | {"clear": bool(low > 0 or high < 0)})
    columns = ["target", "pair", "difference", "low", "high", "sites", "clear"]
    return pd.DataFrame(rows, columns=columns)


Difference = tuple[float, float, float, int]


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Find the ends of the interval of draws; those without a score are left out."""
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _series_difference(own: pd.DataFrame, other: pd.DataFrame, name: str) -> Difference:
    """Median of the differences of sites, with draws of sites."""
    first, second = (p.groupby("site")[name].mean() for p in (own, other))
    pairs = (first - second).dropna().to_numpy()
    if not len(pairs):
        return np.nan, np.nan, np.nan, 0
    drawn = np.random.default_rng(0).choice(pairs, (DRAWS, len(pairs)))
    return float(np.median(pairs)), *_interval(np.median(drawn, 1)), len(pairs)


def _static_difference(own: pd.DataFrame, other: pd.DataFrame, name: str) -> Difference:
    """Mean difference over folds; the draws of sites are the same for both."""
    rng, values, draws, sites = np.random.default_rng(0), [], [], set()
    keys = ["fold", "seed", "site"]
    both = own.merge(other, on=keys, suffixes=("", "_other"))
    for _, part in both.groupby(["fold", "seed"]):
        observed, first, second = (
            part[column].to_numpy()
            for column in ("observed", "predicted", "predicted_other")
        )
        values.append(_score(name, observed, first) - _score(name, observed, second))
        rows = rng.integers(len(part), size=(DRAWS, len(part)))
        one, two = (_score(name, observed[rows], x[rows]) for x in (first, second))
        draws.append(one - two)
        sites |= set(part["site"])
    if not values:
        return np.nan, np.nan, np.nan, 0
    drawn = _mean(np.array(draws))
    return float(_mean(np.array(values))), *_interval(drawn), len(sites)
