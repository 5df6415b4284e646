"""Holdouts at random, by region and by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, join_problems
from xstefaland.splits.labels import (
    ArrayLike,
    Seed,
    fold_number,
    group_codes,
    labelled,
    template,
)
from xstefaland.splits.places import known_places

HUC_GROUPS = (
    (1, 2),
    (3, 6),
    (4, 5, 7),
    (9, 10),
    (8, 11, 12, 13),
    (14, 15, 16, 18),
    (17,),
)
"""Two-digit hydrologic units of the United States in seven regions, held out in turn.

Source: Feng et al. (2021), https://doi.org/10.1029/2021GL092999
"""


def random_holdout(
    sites: xr.Dataset | ArrayLike,
    folds: int | None = None,
    *,
    fraction: float | None = None,
    groups: ArrayLike | None = None,
    rng: Seed = 0,
) -> xr.DataArray:
    """Split sites at random into equal folds, or hold out one part of them.

    Where the sites have a latitude and a longitude, those that are one place stay
    together: the same gauge, or less than 10 km apart (see :func:`same_place`). Labels
    alone say nothing of it.

    Parameters
    ----------
    sites : xarray.Dataset, xarray.DataArray or sequence
        A Dataset or an array with sites (its dims besides ``time``), or anything
        with one value per site, such as ``ds["site"]``.
    folds : int, optional
        Number of folds, at least 2; 10 unless `fraction` is given.
    fraction : float, optional
        In place of `folds`: the share of sites to hold out, between 0 and 1.
    groups : array-like, optional
        One label per site; sites with equal labels stay together. Default: the places
        of sites whose coordinates are known; ``groups=ds["site"]`` makes each site one
        of its own. Folds are equal in groups, not in sites.
    rng : int or numpy.random.Generator
        Seed of the draw.

    Returns
    -------
    xarray.DataArray
        Integer ``fold`` (site dims): 0..folds-1; with `fraction` 0 for sites held
        out and -1 for all others.

    Raises
    ------
    InputError
        For numbers outside their range, or groups of another shape or of labels in
        another order.

    Examples
    --------
    >>> random_holdout(range(6), folds=3).values.tolist()
    [0, 2, 2, 1, 0, 1]
    >>> (random_holdout(range(100), fraction=0.1) == 0).sum().item()
    10
    """
    if isinstance(sites, xr.DataArray) and {"time"} < {*sites.dims}:
        sites = sites.isel(time=0, drop=True)
    empty = template(sites)
    if groups is None and isinstance(sites, xr.Dataset | xr.DataArray):
        ds = sites.coords.to_dataset() if isinstance(sites, xr.DataArray) else sites
        groups = known_places(ds, empty)
    if folds is not None and fraction is not None:
        raise InputError(
            f"folds={folds} and fraction={fraction} exclude each other; pass one"
        )
    members = np.arange(empty.size) if groups is None else group_codes(groups, empty)
    count = int(members.max(initial=-1)) + 1
    order = np.random.default_rng(rng).permutation(count)
    if fraction is None:
        number = fold_number(10 if folds is None else folds, count)
        return labelled((order % number)[members], empty)
    if not 0 < fraction < 1:
        raise InputError(f"fraction={fraction} has to lie between 0 and 1")
    if not 0 < (number := round(fraction * count)) < count:
        raise InputError(
            f"fraction={fraction} of {count} places or groups holds out {number}; pass "
            "one that leaves at least one on each side"
        )
    held_out = order < number
    return labelled(np.where(held_out, 0, -1)[members], empty)


def regional_holdout(region: ArrayLike, held_out: Sequence[Any]) -> xr.DataArray:
    """Hold out chosen regions, one fold for each entry.

    Parameters
    ----------
    region : xarray.DataArray or sequence
        The region of each site: text or numbers.
    held_out : sequence
        One entry for each fold: a region, or a list of regions that go together.

    Returns
    -------
    xarray.DataArray
        Integer ``fold`` (site dims): the position in `held_out`, -1 for sites in
        none of them.

    Raises
    ------
    InputError
        For a region without any site, or one that is listed twice.

    Examples
    --------
    >>> huc = [1, 2, 3, 6, 17]
    >>> regional_holdout(huc, [[1, 2], [3, 6]]).values.tolist()
    [0, 0, 1, 1, -1]
    """
    empty = template(region)
    values = np.asarray(region)
    entries = [_entry(entry) for entry in held_out]
    _check_regions(values, [name for entry in entries for name in entry])
    folds = np.full(values.shape, -1)
    for number, names in enumerate(entries):
        folds[np.isin(values, names)] = number
    return labelled(folds, empty)


def leave_one_region_out(region: ArrayLike) -> xr.DataArray:
    """Hold out each region in turn.

    Parameters
    ----------
    region : xarray.DataArray or sequence
        The region of each site: text or numbers. Sites without one (NaN, None)
        are never held out.

    Returns
    -------
    xarray.DataArray
        Integer ``fold`` (site dims), regions in sorted order, -1 without a
        region. The attribute ``regions`` lists them: fold ``k`` is
        ``fold.regions[k]``.

    Examples
    --------
    >>> fold = leave_one_region_out(["west", "east", "west"])
    >>> fold.values.tolist(), fold.attrs["regions"]
    ([1, 0, 1], ['east', 'west'])
    """
    empty = template(region)
    codes, names = pd.factorize(np.asarray(region).ravel(), sort=True)
    fold = labelled(codes, empty)
    fold.attrs["regions"] = list(np.asarray(names).tolist())
    return fold


def time_holdout(
    time: xr.Dataset | ArrayLike, held_out: int | Sequence[slice]
) -> xr.DataArray:
    """Hold out days: equal stretches in turn, or chosen ones.

    Parameters
    ----------
    time : xarray.Dataset, xarray.DataArray or sequence
        Days in order, or a Dataset with the dim ``time``.
    held_out : int or sequence of slice
        Number of equal stretches, or one slice of days for each fold.

    Returns
    -------
    xarray.DataArray
        Integer ``fold`` (time), -1 for days in none. Days beside a held-out stretch
        know much of it: leave some out with `gap` of :func:`training_part`.

    Raises
    ------
    InputError
        For stretches without a day, or that share days.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2000-01-01", periods=6)
    >>> time_holdout(days, 3).values.tolist()
    [0, 0, 1, 1, 2, 2]
    >>> time_holdout(days, [slice("2000-01-05", None)]).values.tolist()
    [-1, -1, -1, -1, 0, 0]
    """
    values = time["time"] if isinstance(time, xr.Dataset) else time
    days = pd.DatetimeIndex(np.asarray(values))
    empty = xr.DataArray(np.full(len(days), -1), {"time": days}, "time")
    if isinstance(held_out, int):
        number = fold_number(held_out, len(days))
        return labelled(np.arange(len(days)) * number // len(days), empty)
    taken = np.zeros((len(held_out), len(days)), bool)
    for row, span in zip(taken, held_out, strict=True):
        row[days.slice_indexer(span.start, span.stop)] = True
    problems = [
        f"{span} has no day of {days[0]:%Y-%m-%d}..{days[-1]:%Y-%m-%d}"
        for span, row in zip(held_out, taken, strict=True)
        if not row.any()
    ]
    if (taken.sum(0) > 1).any():
        problems.append("some days are in two of them; make them end before the next")
    if problems:
        raise InputError(join_problems("cannot hold out these days", problems))
    return labelled(np.where(taken.any(0), taken.argmax(0), -1), empty)


def _entry(entry: Any) -> list[Any]:
    """Make one fold's regions a list; a single region may stand alone."""
    if isinstance(entry, str) or np.ndim(entry) == 0:
        return [entry]
    return list(entry)


def _check_regions(values: npt.NDArray[Any], names: list[Any]) -> None:
    """Refuse regions without a site, and those that are held out twice."""
    present = pd.unique(pd.Series(values.ravel()).dropna()).tolist()
    problems = []
    if absent := [name for name in names if name not in present]:
        problems.append(f"no site lies in {absent}; the regions are {sorted(present)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"{twice} may be held out only once")
    if problems:
        raise InputError(join_problems("cannot hold out these regions", problems))
