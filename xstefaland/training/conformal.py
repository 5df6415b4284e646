"""Conformal bands: quantiles that hold at sites which no part of a head has seen.

**Scores.** On the scale of the target (the square root of its height above its lower
limit where it has one and no upper limit, else the value itself) the score of an
observation at a level is how far it lies above the head's quantile of that level, or
above its answer where the head gives no quantiles. The corrected quantile is the
head's plus a quantile of the scores at calibration sites: one side at a time, as in
conformalised quantile regression (Romano, Patterson and Candes 2019, theorem 2); of a
head without quantiles it is split conformal prediction (Vovk, Gammerman and Shafer
2005).

**Sites.** Days of one site resemble each other, sites are exchangeable: every
calibration site has the same weight, however many days it has, and as much again lies
beyond the largest score (below the smallest one, for levels below one half), for the
site that was not seen. A random day of a new site then lies above a lower quantile, and
below an upper one, at least as often as the level says (Lee, Barber and Willett 2023).
So a level of .95 takes 19 sites, and sites must be drawn as the new ones will be: what
was calibrated at random gauges says little on another continent.

**Answers.** High answers err more than low ones, and otherwise. Scores are taken apart
by the answer (Mondrian groups, Vovk et al. 2005), and the above is done in each range
of answers. There a site weighs as much as the share of its days that lie in the range;
the site that was not seen weighs as these do on average, so that a range counts as
many sites as weigh alike (Kish 1965). Between the middles of the ranges offsets are
interpolated, so that quantiles do not jump from day to day. In a range, and between
two, the promise therefore holds nearly.

References
----------
Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World, Springer.
Romano, Patterson and Candes (2019), Conformalized quantile regression, NeurIPS 32.
Lee, Barber and Willett (2023), Distribution-free inference with hierarchical data,
arXiv:2306.06342.
Kish (1965), Survey Sampling, Wiley, section 11.7 (effective number).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.splits.labels import ArrayLike, checked_values, template
from xstefaland.training.choices import find_target
from xstefaland.weights.members import MEDIAN, Band
from xstefaland.weights.targets import TargetSpec

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Levels of intervals of 50, 80 and 90 %, and the median."""

INTERVALS = (0.5, 0.8, 0.9)

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
"""Shares of the days, by their answer, where ranges of answers end."""

NEAREST = 1e-3
"""Ranges of answers whose middles lie nearer than so many deviations are one."""

QUANTILE = "quantile"
Numbers = NDArray[np.float64]


def fit_band(
    predicted: xr.DataArray,
    observed: xr.DataArray,
    target: str | TargetSpec,
    *,
    levels: Sequence[float] = LEVELS,
    shares: Sequence[float] = SHARES,
    source: str = "",
    dim: str = "time",
) -> Band:
    """Fit the correction of a target's quantiles at calibration sites.

    Parameters
    ----------
    predicted : xarray.DataArray
        Answers at sites that the head was not trained on, in the target's units: with
        a dim ``quantile`` for a head that gives quantiles (the median among them),
        else its answers.
    observed : xarray.DataArray
        What was observed at the same sites and days; NaN is left out.
    target : str or TargetSpec
        Says the scale, by its limits.
    levels : sequence of float
        Of a head without quantiles; others are corrected at their own.
    shares : sequence of float
        Where ranges of answers end, as shares of all days. A range with too few sites
        is joined to the next one.
    source : str
        Which sites, for the card.
    dim : str
        The dim of days; all other dims but ``quantile`` are sites.

    Returns
    -------
    Band
        For ``xstefaland.weights.combine([head], out, bands=[...])``.

    Raises
    ------
    InputError
        When the labels differ, or there are too few sites for the outer levels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> answer = xr.DataArray(rng.gamma(2, 2, (40, 300)), dims=("site", "time"))
    >>> truth = (np.sqrt(answer) + rng.normal(0, 0.3, answer.shape)).clip(0) ** 2
    >>> band = fit_band(answer, truth, "streamflow", levels=(0.1, 0.5, 0.9))
    >>> band.scale, band.sites, len(band.knots)
    ('root', 40, 12)
    >>> np.round(band.offsets[6], 1).tolist()
    [-0.4, -0.0, 0.4]
    """
    spec = find_target(target)
    answer, quantiles, truth, levels = _arrays(predicted, observed, levels, dim)
    root = spec.minimum is not None and spec.maximum is None
    low = spec.minimum if root and spec.minimum is not None else None
    site, day = np.nonzero(np.isfinite(truth) & np.isfinite(answer))
    place = _scaled(answer[site, day], low)
    scores = _scaled(truth[site, day], low)[:, None] - _scaled(
        quantiles[site, day], low
    )
    needed, have = sites_needed(levels), len(np.unique(site))
    if have < needed:
        raise InputError(
            f"levels {levels} take {needed} calibration sites with observations, there "
            f"are {have}. Use more sites, or levels nearer to the median"
        )
    days = _Days(site, _weights(site))
    knots, offsets = [], []
    for rows in _ranges(place, days, shares, needed):
        part = days.take(rows)
        knots.append(float(np.average(place[rows], weights=part.weight)))
        offsets.append(
            tuple(
                _offset(scores[rows, column], part, level)
                for column, level in enumerate(levels)
            )
        )
    if len(knots) == 1:  # a band has two knots or more
        knots, offsets = [knots[0], knots[0] + 1.0], offsets * 2
    return Band(
        target=spec.name,
        levels=levels,
        knots=tuple(knots),
        offsets=tuple(offsets),
        scale="root" if root else "linear",
        sites=have,
        source=source,
    )


def sites_needed(levels: Sequence[float]) -> int:
    """Return the least number of calibration sites for some levels.

    Examples
    --------
    >>> sites_needed([0.05, 0.5, 0.95]), sites_needed([0.1, 0.9])
    (19, 9)
    """
    outer = max(max(level, 1 - level) for level in levels)
    return math.ceil(outer / (1 - outer) - 1e-9)


def coverage(
    quantiles: xr.DataArray,
    observed: xr.DataArray,
    groups: Mapping[str, ArrayLike] | None = None,
    *,
    intervals: Sequence[float] = INTERVALS,
    dim: str = "time",
) -> pd.DataFrame:
    """Tell how often observations lie in the intervals that quantiles span.

    Parameters
    ----------
    quantiles : xarray.DataArray
        Predictions with a dim ``quantile``, at sites that were used neither for
        training nor for calibration.
    observed : xarray.DataArray
        What was observed at the same sites and days.
    groups : mapping of str to sequence, optional
        Group of each site, such as ``{"region": ds["region"], "aridity": [...]}``:
        arrays on the sites' labels, or sequences in the sites' order. A site whose
        group is missing is in none.
    intervals : sequence of float
        Central intervals; 0.8 is that from the level 0.1 to 0.9.
    dim : str
        The dim of days.

    Returns
    -------
    pandas.DataFrame
        One row per group and interval; all sites first, as group ``"all"``. `sites`,
        `coverage` (mean over sites of the share of their days inside), `low` and `high`
        (within which four of five sites lie), `width` (mean over sites, in the
        target's units). Sites without observations are left out.

    Raises
    ------
    InputError
        When a level that an interval needs is not there, or labels differ: those of
        groups too, and their order.
    """
    _, values, truth, levels = _arrays(quantiles, observed, (), dim)
    sites = template(observed.isel({dim: 0}, drop=True))
    columns = {each: _ends(each, levels) for each in intervals}
    there = np.isfinite(truth) & np.isfinite(values).all(-1)
    count = there.sum(1)
    every = {"all": np.full(len(truth), "all")}
    for by, labels in (groups or {}).items():
        every[by] = _by_site(by, labels, sites)
    rows = []
    for by, marks in every.items():
        for group in pd.unique(marks[pd.notna(marks)]):
            chosen = (marks == group) & (count > 0)
            entry = {"by": by, "group": group, "sites": int(chosen.sum())}
            for each, (first, last) in columns.items():
                low, high = values[chosen, :, first], values[chosen, :, last]
                inside = (low <= truth[chosen]) & (truth[chosen] <= high)
                rows.append(
                    {
                        **entry,
                        "interval": each,
                        **_summary(inside, high - low, there[chosen]),
                    }
                )
    return pd.DataFrame(rows)


def _by_site(by: str, groups: ArrayLike, sites: xr.DataArray) -> NDArray[Any]:
    """Group of each site, in the order in which `_arrays` has them."""
    if isinstance(groups, xr.DataArray) and {*groups.dims} == {*sites.dims}:
        groups = groups.transpose(*sites.dims)
    elif not isinstance(groups, xr.DataArray) and np.shape(groups) == (sites.size,):
        groups = groups if sites.ndim == 1 else np.reshape(groups, sites.shape)
    return checked_values(f"groups[{by!r}]", groups, sites).ravel()


def _summary(
    inside: NDArray[np.bool_], width: Numbers, there: NDArray[np.bool_]
) -> dict[str, float]:
    """Average over the days of each site, then over sites."""
    if not len(there):
        return dict.fromkeys(("coverage", "low", "high", "width"), math.nan)
    days = there.sum(1)
    share = (inside & there).sum(1) / days
    low, high = np.quantile(share, (0.1, 0.9))
    widths = np.where(there, width, 0.0).sum(1) / days
    values = share.mean(), low, high, widths.mean()
    names = ("coverage", "low", "high", "width")
    return {k: float(v) for k, v in zip(names, values, strict=True)}


def _ends(interval: float, levels: Sequence[float]) -> tuple[int, int]:
    """Find the columns of the two levels that an interval lies between."""
    wanted = (1 - interval) / 2, (1 + interval) / 2
    found = [np.flatnonzero(np.isclose(levels, level, atol=1e-6)) for level in wanted]
    if not all(map(len, found)):
        raise InputError(
            f"an interval of {interval:.0%} lies between the quantiles "
            f"{[round(level, 4) for level in wanted]}; there are {list(levels)}"
        )
    return int(found[0][0]), int(found[1][0])


def _arrays(
    predicted: xr.DataArray, observed: xr.DataArray, levels: Sequence[float], dim: str
) -> tuple[Numbers, Numbers, Numbers, tuple[float, ...]]:
    """Return answers, quantiles, observations ``(site, day, ...)``, and the levels."""
    try:
        predicted, observed = xr.align(predicted, observed, join="exact")
    except ValueError as error:
        raise InputError(
            f"predictions and observations have different labels ({error}); bring them "
            "together with xarray.align(predicted, observed)"
        ) from None
    sites = [name for name in observed.dims if name != dim]
    if dim not in observed.dims or {*predicted.dims, QUANTILE} != {
        *observed.dims,
        QUANTILE,
    }:
        raise InputError(
            f"predictions have dims {predicted.dims}, observations {observed.dims}; "
            f"both need {dim!r} and the same dims of sites"
        )
    order = [*sites, dim]
    truth = observed.transpose(*order).values.astype(float)
    shape = (-1, truth.shape[-1])
    if QUANTILE not in predicted.dims:
        answer = predicted.transpose(*order).values.astype(float).reshape(shape)
        base = np.broadcast_to(answer[..., None], (*answer.shape, len(levels)))
        return answer, base, truth.reshape(shape), tuple(levels)
    own = tuple(predicted[QUANTILE].values.tolist())
    if MEDIAN not in own:
        raise InputError(f"quantiles {own} lack the median; predict it too")
    base = predicted.transpose(*order, QUANTILE).values.astype(float)
    base = base.reshape(*(-1, truth.shape[-1]), len(own))
    return base[..., own.index(MEDIAN)], base, truth.reshape(shape), own


def _scaled(values: Numbers, low: float | None) -> Numbers:
    """Bring values to the scale: roots above a lower limit, where there is one."""
    return values if low is None else np.sqrt(np.maximum(values - low, 0.0))


@dataclass(frozen=True)
class _Days:
    """Days with observations: the site of each, and its weight."""

    site: NDArray[np.intp]
    weight: Numbers

    def take(self, rows: NDArray[np.intp]) -> _Days:
        """Return some of the days."""
        return _Days(self.site[rows], self.weight[rows])

    @property
    def sites(self) -> float:
        """Effective number of sites: as many of one weight would say as much."""
        each = np.bincount(self.site, self.weight)
        return float(each.sum() ** 2 / np.square(each).sum())


def _weights(site: NDArray[np.intp]) -> Numbers:
    """Give every site the same weight, spread over its days."""
    _, code, count = np.unique(site, return_inverse=True, return_counts=True)
    weights: Numbers = 1.0 / count[code]
    return weights


def _ranges(
    place: Numbers, days: _Days, shares: Sequence[float], needed: int
) -> list[NDArray[np.intp]]:
    """Split days into ranges of their answers, each with enough sites."""
    order = np.argsort(place, kind="stable")
    share = np.cumsum(days.weight[order])
    at = np.searchsorted(share, np.asarray(shares[1:-1]) * share[-1])
    edges = [-np.inf, *np.unique(place[order][at]), np.inf]
    apart, middle = NEAREST * place.std(), -np.inf
    ranges: list[NDArray[np.intp]] = []
    kept = np.empty(0, np.intp)
    for low, high in pairwise(edges):
        kept = np.append(kept, np.flatnonzero((low <= place) & (place < high)))
        part = days.take(kept)
        if len(kept) == 0 or part.sites < needed - 1e-6:
            continue
        mean = np.average(place[kept], weights=part.weight)
        if mean > middle + apart:
            ranges.append(kept)
            middle, kept = mean, np.empty(0, np.intp)
    ranges[-1] = np.append(ranges[-1], kept)
    return ranges


def _offset(scores: Numbers, days: _Days, level: float) -> float:
    """Return the quantile of scores with equal weight of sites and of one more."""
    if level < 0.5:
        return -_upper(-scores, days, 1 - level)
    if level > 0.5:
        return _upper(scores, days, level)
    return (_upper(scores, days, level) - _upper(-scores, days, level)) / 2


def _upper(scores: Numbers, days: _Days, level: float) -> float:
    """Return the least score that a share `level` of all weight does not pass."""
    order = np.argsort(scores)
    share = np.cumsum(days.weight[order]) / days.weight.sum()
    share *= days.sites / (days.sites + 1)
    at = int(np.searchsorted(share, level - 1e-9))
    return float(scores[order][min(at, len(scores) - 1)])
