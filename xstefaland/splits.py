"""Holdouts in space as labelled integer folds.

Each function returns a DataArray ``fold`` on the site dims, with their labels. In
round ``k`` the sites with ``fold == k`` are held out and all others, those with
fold -1 included, may be used for training:

>>> import xarray as xr
>>> region = xr.DataArray(["N", "N", "S"], coords={"site": ["a", "b", "c"]})
>>> fold = leave_one_region_out(region)
>>> fold.site[fold == 1].values.tolist()
['c']

The same arguments always give the same folds. Sites that are one place under two
names leak the answer; :func:`same_place` finds them and ``groups=`` keeps them in
one fold.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, join_problems

ArrayLike: TypeAlias = xr.DataArray | Sequence[Any] | npt.NDArray[Any]
Seed: TypeAlias = int | np.random.Generator
Labels: TypeAlias = npt.NDArray[np.int64]

__all__ = [
    "leave_one_region_out",
    "random_holdout",
    "regional_holdout",
    "same_place",
    "spatial_blocks",
]

_EARTH_RADIUS_KM = 6371.0


def random_holdout(
    sites: xr.Dataset | ArrayLike,
    folds: int | None = None,
    *,
    fraction: float | None = None,
    groups: ArrayLike | None = None,
    rng: Seed = 0,
) -> xr.DataArray:
    """Split sites at random into equal folds, or hold out one part of them.

    Parameters
    ----------
    sites : xarray.Dataset, xarray.DataArray or sequence
        A Dataset with sites (its dims besides ``time``), or anything with one
        value per site, such as ``ds["site"]``.
    folds : int, optional
        Number of folds, at least 2; 10 unless `fraction` is given.
    fraction : float, optional
        In place of `folds`: the share of sites to hold out, between 0 and 1.
    groups : array-like, optional
        One label per site; sites with equal labels stay together (see
        :func:`same_place`). Folds are then equal in groups, not in sites.
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
        For numbers outside their range or groups of another shape.

    Examples
    --------
    >>> random_holdout(range(6), folds=3).values.tolist()
    [0, 2, 2, 1, 0, 1]
    >>> (random_holdout(range(100), fraction=0.1) == 0).sum().item()
    10
    """
    empty = _template(sites)
    if folds is not None and fraction is not None:
        raise InputError(
            f"folds={folds} and fraction={fraction} exclude each other; pass one"
        )
    members = np.arange(empty.size) if groups is None else _codes(groups, empty)
    count = int(members.max(initial=-1)) + 1
    order = np.random.default_rng(rng).permutation(count)
    if fraction is None:
        number = _fold_number(10 if folds is None else folds, count)
        return _labelled((order % number)[members], empty)
    if not 0 < fraction < 1:
        raise InputError(f"fraction={fraction} has to lie between 0 and 1")
    if not 0 < (number := round(fraction * count)) < count:
        raise InputError(
            f"fraction={fraction} of {count} sites or groups holds out {number}; pass "
            "one that leaves at least one on each side"
        )
    held_out = order < number
    return _labelled(np.where(held_out, 0, -1)[members], empty)


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
    empty = _template(region)
    values = np.asarray(region)
    entries = [_entry(entry) for entry in held_out]
    _check_regions(values, [name for entry in entries for name in entry])
    folds = np.full(values.shape, -1)
    for number, names in enumerate(entries):
        folds[np.isin(values, names)] = number
    return _labelled(folds, empty)


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
    empty = _template(region)
    codes, names = pd.factorize(np.asarray(region).ravel(), sort=True)
    fold = _labelled(codes, empty)
    fold.attrs["regions"] = list(np.asarray(names).tolist())
    return fold


def spatial_blocks(
    latitude: ArrayLike, longitude: ArrayLike, folds: int = 10, *, rng: Seed = 0
) -> xr.DataArray:
    """Cluster sites into compact blocks, each held out in turn.

    Parameters
    ----------
    latitude, longitude : xarray.DataArray or sequence
        Position of each site [degrees north, degrees east]; no NaN.
    folds : int
        Number of blocks, at least 2.
    rng : int or numpy.random.Generator
        Seed of the first centres (k-means++).

    Returns
    -------
    xarray.DataArray
        Integer ``fold`` (site dims). Blocks may differ in size.

    Raises
    ------
    InputError
        For NaN positions, fewer sites than folds, or fewer than two folds.

    Notes
    -----
    k-means on the unit sphere's points in space, so neither the poles nor the
    date line are edges.

    Examples
    --------
    >>> fold = spatial_blocks([50.0, 50.1, -30.0], [8.0, 8.1, 151.0], folds=2)
    >>> bool(fold[0] == fold[1] != fold[2])
    True
    """
    from scipy.cluster.vq import kmeans2

    points, empty = _points(latitude, longitude)
    if missing := int(np.isnan(points).any(axis=1).sum()):
        raise InputError(
            f"{missing} of {len(points)} sites have no position; drop them first: "
            'ds.dropna("site", subset=["latitude", "longitude"])'
        )
    number = _fold_number(folds, len(np.unique(points, axis=0)))
    seed = np.random.default_rng(rng)
    _, blocks = kmeans2(points, number, minit="++", rng=seed, iter=50)
    return _labelled(pd.factorize(blocks)[0], empty)


def same_place(
    latitude: ArrayLike,
    longitude: ArrayLike,
    ids: ArrayLike | None = None,
    *,
    radius_km: float = 10.0,
) -> xr.DataArray:
    """Group sites that are the same place, perhaps under another name.

    Two sites are one place when they share an id or lie within a distance; and so
    is everything connected through such pairs.

    Parameters
    ----------
    latitude, longitude : xarray.DataArray or sequence
        Position of each site [degrees north, degrees east]; NaN where unknown.
    ids : array-like, optional
        Gauge number or the like for each site, without prefixes that differ
        between sources. Missing and empty ones match nothing.
    radius_km : float
        Greatest distance within a place [km], along the great circle.

    Returns
    -------
    xarray.DataArray
        Integer ``place`` (site dims), numbered from 0 in order of appearance, to
        be passed as ``groups=`` of :func:`random_holdout`.

    Raises
    ------
    InputError
        For arrays of different shape or a negative radius.

    Examples
    --------
    >>> lat, lon = [47.00, 47.05, 60.0, 0.0], [8.0, 8.0, 10.0, 0.0]
    >>> same_place(lat, lon).values.tolist()
    [0, 0, 1, 2]
    >>> same_place(lat, lon, ids=["7", "", "5", "7"]).values.tolist()
    [0, 0, 1, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not radius_km >= 0:
        raise InputError(f"radius_km={radius_km} has to be zero or more")
    points, empty = _points(latitude, longitude)
    pairs = np.concatenate([_near(points, radius_km), _alike(ids, empty)])
    links = coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (empty.size,) * 2
    )
    _, places = connected_components(links, directed=False)
    return _labelled(pd.factorize(places)[0], empty, "place")


def _near(points: npt.NDArray[np.float64], radius_km: float) -> Labels:
    """Pairs of sites within a distance, by a tree on the unit sphere."""
    from scipy.spatial import KDTree

    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    angle = min(radius_km / _EARTH_RADIUS_KM, np.pi)
    tree = KDTree(points[known])
    pairs = tree.query_pairs(2 * np.sin(angle / 2), output_type="ndarray")
    return np.asarray(known[pairs], dtype=np.int64).reshape(-1, 2)


def _alike(ids: ArrayLike | None, empty: xr.DataArray) -> Labels:
    """Link each site to the first one with its id."""
    if ids is None:
        return np.empty((0, 2), dtype=np.int64)
    values = pd.Series(np.asarray(ids).ravel(), dtype=object)
    _check_shape("ids", np.asarray(ids), empty)
    values = values.where(values.notna() & (values.astype(str) != ""))
    codes, names = pd.factorize(values)
    sites = np.flatnonzero(codes >= 0)
    first = np.full(len(names), -1)
    first[codes[sites][::-1]] = sites[::-1]
    return np.stack([first[codes[sites]], sites], axis=1)


def _points(
    latitude: ArrayLike, longitude: ArrayLike
) -> tuple[npt.NDArray[np.float64], xr.DataArray]:
    """Points on the unit sphere (site, 3), and where their labels are."""
    lat, lon = xr.broadcast(_array(latitude), _array(longitude))
    phi, lam = (np.radians(np.asarray(a, dtype=float).ravel()) for a in (lat, lon))
    points = (np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi))
    return np.stack(points, axis=-1), _template(lat)


def _array(values: ArrayLike) -> xr.DataArray:
    if isinstance(values, xr.DataArray):
        return values
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(
            f"an array of shape {array.shape} has no site labels; pass a DataArray, "
            'or one value per site: xr.DataArray(values, dims=("lat", "lon"))'
        )
    return xr.DataArray(array, dims="site")


def _template(sites: xr.Dataset | ArrayLike) -> xr.DataArray:
    """All -1 on the site dims of the input, with its coordinates."""
    if isinstance(sites, xr.Dataset):
        dims: list[Hashable] = [dim for dim in sites.sizes if dim != "time"]
        shape = tuple(sites.sizes[dim] for dim in dims)
        coords = {k: c for k, c in sites.coords.items() if set(c.dims) <= set(dims)}
        return xr.DataArray(np.full(shape, -1), dims=dims, coords=coords)
    array = _array(sites)
    return array.copy(data=np.full(array.shape, -1)).rename(None).drop_attrs(deep=False)


def _labelled(
    values: npt.NDArray[Any], empty: xr.DataArray, name: str = "fold"
) -> xr.DataArray:
    return empty.copy(
        data=np.asarray(values, dtype=np.int64).reshape(empty.shape)
    ).rename(name)


def _codes(groups: ArrayLike, empty: xr.DataArray) -> Labels:
    values = np.asarray(groups)
    _check_shape("groups", values, empty)
    codes = pd.factorize(values.ravel())[0]
    if missing := int((codes < 0).sum()):
        raise InputError(
            f"{missing} of {codes.size} sites have no group; give each one its own"
        )
    return np.asarray(codes, dtype=np.int64)


def _check_shape(name: str, values: npt.NDArray[Any], empty: xr.DataArray) -> None:
    if values.shape != empty.shape:
        raise InputError(
            f"{name} has shape {values.shape} and the sites {empty.shape}; pass one "
            "value for each site, in the same order"
        )


def _fold_number(folds: int, count: int) -> int:
    if not 2 <= folds <= count:
        raise InputError(
            f"folds={folds} is not possible with {count} different sites or groups; "
            f"pass a number from 2 to {count}, or fraction= to hold out one part"
        )
    return folds


def _entry(entry: Any) -> list[Any]:
    """Make one fold's regions a list; a single region may stand alone."""
    if isinstance(entry, str) or np.ndim(entry) == 0:
        return [entry]
    return list(entry)


def _check_regions(values: npt.NDArray[Any], names: list[Any]) -> None:
    present = pd.unique(pd.Series(values.ravel()).dropna()).tolist()
    problems = []
    if absent := [name for name in names if name not in present]:
        problems.append(f"no site lies in {absent}; the regions are {sorted(present)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"{twice} may be held out only once")
    if problems:
        raise InputError(join_problems("cannot hold out these regions", problems))
