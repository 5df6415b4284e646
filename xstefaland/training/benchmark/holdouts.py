"""Which sites are held out together: functions from a table of sites to folds.

Each takes the table of :func:`xstefaland.training.places.site_table` and returns a
fold for every row, -1 for sites that are never held out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland import splits
from xstefaland.datasets.countries import codes
from xstefaland.errors import InputError

Folds = NDArray[np.int64]
Split = Callable[[pd.DataFrame], Folds]

SHIPPED = Path(__file__).parent / "folds"
"""Folds that ship with the package."""


def listed(name: str) -> Split:
    """Take folds of a file in :data:`SHIPPED`, by the label of a site.

    Examples
    --------
    >>> listed("camels-pur")(pd.DataFrame({"label": ["01013500", "nowhere"]})).tolist()
    [0, -1]
    """

    def split(sites: pd.DataFrame) -> Folds:
        """Look the fold up by label; sites that are not listed have none."""
        fold = splits.load_folds(SHIPPED / f"{name}.json").to_series()
        found = sites["label"].map(fold).fillna(-1)
        return found.to_numpy(np.int64)

    return split


def at_random(folds: int) -> Split:
    """Draw folds; sites of one gauge or within 10 km share one."""

    def split(sites: pd.DataFrame) -> Folds:
        """Draw among places, so that one of them is never in two folds."""
        ids, place = sites["site"].to_numpy(), places(sites)
        drawn = splits.random_holdout(ids, folds, groups=place)
        return np.asarray(drawn.values, np.int64)

    return split


def blocks(folds: int, number: int | None = None) -> Split:
    """Cluster sites into blocks by position; sites without one stay in training.

    Parameters
    ----------
    folds : int
        Number of folds.
    number : int, optional
        Number of blocks, which are dealt to the folds at random; default: one a fold.
    """

    def split(sites: pd.DataFrame) -> Folds:
        """Cluster the sites with a position and deal the blocks to folds."""
        known = sites[["lat", "lon"]].notna().all(axis=1).to_numpy()
        position = sites.loc[known, ["lat", "lon"]].to_numpy()
        out = np.full(len(sites), -1)
        latitude, longitude = position.T
        found = splits.spatial_blocks(latitude, longitude, number or folds).values
        dealt = np.arange(folds)
        if number is not None:
            dealt = np.random.default_rng(0).permutation(number) % folds
        out[known] = dealt[found]
        return out

    return split


def by_continent(sites: pd.DataFrame) -> Folds:
    """Leave out each continent in turn."""
    named = splits.continents(sites["lat"].to_numpy(), sites["lon"].to_numpy())
    return _regions(pd.Series(named.values))


def by_country(sites: pd.DataFrame) -> Folds:
    """Leave out each country in turn."""
    return _regions(pd.Series(codes(sites["country"])))


def west_of(longitude: float) -> Split:
    """Leave out all sites west of a meridian [degrees east]."""

    def split(sites: pd.DataFrame) -> Folds:
        return np.where(sites["lon"].to_numpy() < longitude, 0, -1)

    return split


def _regions(names: pd.Series) -> Folds:
    """Give each region a fold; sites of none are never held out."""
    region = names.astype(object).where(names != "", None)
    return np.asarray(splits.leave_one_region_out(region.to_numpy()).values, np.int64)


def places(sites: pd.DataFrame, radius_km: float = 10.0) -> xr.DataArray:
    """Find the places; a gauge, or what lies within the radius, is one."""
    latitude, longitude, gauge = (
        sites[name].to_numpy() for name in ("lat", "lon", "gauge")
    )
    return splits.same_place(latitude, longitude, gauge, radius_km=radius_km)


def some(asked: int | Sequence[int] | None, folds: Folds) -> list[int]:
    """Choose of the folds that there are.

    Parameters
    ----------
    asked : int or sequence of int, optional
        So many, the first ones; or these; default: all.
    folds : array of int
        Of every site, -1 for none.

    Raises
    ------
    InputError
        For folds that there are not.

    Examples
    --------
    >>> folds = np.array([2, 0, 1, -1])
    >>> some(2, folds), some([2], folds), some(None, folds)
    ([0, 1], [2], [0, 1, 2])
    """
    there = [int(fold) for fold in np.unique(folds[folds >= 0])]
    if asked is None or isinstance(asked, int):
        return there[:asked]
    if unknown := sorted(set(asked) - set(there)):
        raise InputError(f"folds={list(asked)}: {unknown} are none; there are {there}")
    return list(dict.fromkeys(asked))


def roles(folds: Folds, number: int, place: xr.DataArray) -> NDArray[np.str_]:
    """Name the part of every site in a round: "held out", "train" or "dropped".

    Sites at the place of a held-out one are dropped: they would tell its answer.
    """
    fold = xr.DataArray(folds, dims="site")
    train = splits.training_part(fold, number, place=place.values).values
    return np.where(folds == number, "held out", np.where(train, "train", "dropped"))
