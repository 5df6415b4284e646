"""Where sites are: compact blocks, continents, places under two names."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry import sites as coordinates
from xstefaland.splits.labels import (
    ArrayLike,
    Labels,
    Seed,
    checked_values,
    fold_number,
    labelled,
    site_array,
    template,
)

_EARTH_RADIUS_KM = 6371.0
_BOXES = (  # continent, south, north, west, east; the first that holds counts
    ("Antarctica", -91, -60, -180, 180),
    ("South America", -60, 7.5, -95, -30),
    ("South America", 7.5, 12.7, -77.2, -58),  # Colombia, Venezuela
    ("North America", 5, 91, -170, -52),
    ("North America", 58, 91, -73, -25),  # Greenland
    ("Oceania", -60, 30, -180, -95),  # the Pacific east of the date line
    ("Oceania", -60, -10.5, 110, 180),
    ("Oceania", -10.5, 0, 131, 180),  # New Guinea
    ("Oceania", 0, 30, 150, 180),
    ("Africa", -60, 35.97, -30, 0),
    ("Africa", -60, 37.6, 0, 11.3),
    ("Africa", -60, 34.5, 11.3, 32.5),
    ("Africa", -60, 22, 32.5, 36.5),  # west of the Red Sea
    ("Africa", -60, 15, 36.5, 42.5),
    ("Africa", -60, 12.2, 42.5, 60),
    ("Europe", 34.5, 91, -30, 26),
    ("Europe", 41, 91, 26, 29),
    ("Europe", 43.6, 91, 29, 60),
    ("Asia", -10.5, 91, 26, 180),
    ("Asia", 60, 91, -180, -170),
)


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

    points, empty = points_on_sphere(latitude, longitude)
    if missing := int(np.isnan(points).any(axis=1).sum()):
        raise InputError(
            f"{missing} of {len(points)} sites have no position; drop them first: "
            'ds.dropna("site", subset=["latitude", "longitude"])'
        )
    number = fold_number(folds, len(np.unique(points, axis=0)))
    seed = np.random.default_rng(rng)
    _, blocks = kmeans2(points, number, minit="++", rng=seed, iter=50)
    return labelled(pd.factorize(blocks)[0], empty)


def continents(latitude: ArrayLike, longitude: ArrayLike) -> xr.DataArray:
    """Name the continent of each site, from its position.

    Parameters
    ----------
    latitude, longitude : xarray.DataArray or sequence
        Position of each site [degrees north, degrees east].

    Returns
    -------
    xarray.DataArray
        Text ``continent`` (site dims), to be passed to :func:`leave_one_region_out`;
        empty where the position is unknown.

    Notes
    -----
    A short list of boxes, not a map: Central America, the Caribbean and Hawaii are
    North America, Russia is split at 60 degrees east, Turkey and the Caucasus are
    Asia, and sites within some 50 km of a border may be on either side.

    Examples
    --------
    >>> continents([52.5, -33.9, 46.9], [13.4, 151.2, -121.8]).values.tolist()
    ['Europe', 'Oceania', 'North America']
    """
    lat, lon = _positions(latitude, longitude)
    north = np.asarray(lat, float)
    east = (np.asarray(lon, float) + 180) % 360 - 180
    name = np.full(north.shape, "", dtype="<U13")
    for continent, south_end, north_end, west_end, east_end in _BOXES:
        inside = (north >= south_end) & (north < north_end)
        inside &= (east >= west_end) & (east < east_end)
        name[inside & (name == "")] = continent
    empty = template(lat)
    return empty.copy(data=name).rename("continent")


def leaks(fold: xr.DataArray, place: ArrayLike) -> xr.DataArray:
    """Find the sites whose place lies in another fold too.

    Parameters
    ----------
    fold : xarray.DataArray
        Integer folds of sites.
    place : array-like
        Place of each site, as :func:`same_place` numbers them.

    Returns
    -------
    xarray.DataArray
        True where a held-out site and another one, of another fold or none, are the
        same place: they would tell each other's answer.

    Examples
    --------
    >>> place = same_place([47.00, 47.05, 60.0], [8.0, 8.0, 10.0])
    >>> leaks(xr.DataArray([0, 1, 2], dims="site"), place).values.tolist()
    [True, True, False]
    """
    values = checked_values("place", place, fold)
    table = pd.DataFrame({"place": values.ravel(), "fold": fold.values.ravel()})
    several = table.groupby("place")["fold"].transform("nunique") > 1
    return fold.copy(data=several.to_numpy().reshape(fold.shape)).rename("leak")


def training_part(
    fold: xr.DataArray,
    number: int,
    *,
    place: ArrayLike | None = None,
    gap: int = 0,
) -> xr.DataArray:
    """Tell what may be trained on while one fold is held out.

    Parameters
    ----------
    fold : xarray.DataArray
        Integer folds of sites or of days.
    number : int
        The fold that is held out.
    place : array-like, optional
        Place of each site (:func:`same_place`): sites at the place of a held-out one
        are left out of training too.
    gap : int
        Labels along a single dim, such as days, that are left out on both sides of a
        held-out stretch.

    Returns
    -------
    xarray.DataArray
        Boolean, on the labels of `fold`.

    Raises
    ------
    InputError
        For a fold that is empty, and a place of labels in another order.

    Examples
    --------
    >>> days = xr.DataArray([-1, -1, 0, -1, -1], dims="time")
    >>> training_part(days, 0, gap=1).values.tolist()
    [True, False, False, False, True]
    """
    held = fold.values == number
    if not held.any():
        known = sorted(set(fold.values.ravel().tolist()) - {-1})
        raise InputError(f"number={number} is no fold; there are {known}")
    near = held.copy()
    if place is not None:
        values = checked_values("place", place, fold)
        near |= np.isin(values, values[held])
    if gap:
        reach = np.convolve(near.astype(float), np.ones(2 * gap + 1))
        near |= reach[gap : gap + near.size] > 0.5
    return fold.copy(data=~near).rename("train")


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
        For arrays of different shape, ids of labels in another order, or a negative
        radius.

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
    points, empty = points_on_sphere(latitude, longitude)
    pairs = np.concatenate([_near(points, radius_km), _alike(ids, empty)])
    links = coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (empty.size,) * 2
    )
    _, places = connected_components(links, directed=False)
    return labelled(pd.factorize(places)[0], empty, "place")


def known_places(sites: xr.Dataset, empty: xr.DataArray) -> xr.DataArray | None:
    """Places of sites along one dim by the coordinates that say where they are.

    Parameters
    ----------
    sites : xarray.Dataset
        With latitude and longitude; a coordinate ``gauge`` (and ``country``, within
        which its numbers count) says more.
    empty : xarray.DataArray
        Template of the sites.

    Returns
    -------
    xarray.DataArray or None
        As :func:`same_place`; None where nothing says where sites are, and for grids,
        whose cells are places of their own.
    """
    if empty.ndim != 1:
        return None
    dims = [str(dim) for dim in empty.dims]
    east = coordinates.longitude(sites, dims)
    if bool(east.isnull().all()):
        return None
    north = coordinates.latitude(sites, dims, coordinates.find_latitude(sites, dims))
    return same_place(north, east, _gauges(sites, dims))


def _gauges(sites: xr.Dataset, dims: list[str]) -> npt.NDArray[np.object_] | None:
    """Name each site's gauge: its number, which counts within a country."""
    texts = {
        name: sites[name].astype(str).to_numpy().astype(object)
        for name in ("country", "gauge")
        if name in sites.variables and [*sites[name].dims] == dims
    }
    if "gauge" not in texts:
        return None
    number = texts["gauge"]
    return np.where(number == "", "", texts.get("country", "") + " " + number)


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
    values = pd.Series(checked_values("ids", ids, empty).ravel(), dtype=object)
    values = values.where(values.notna() & (values.astype(str) != ""))
    codes, names = pd.factorize(values)
    sites = np.flatnonzero(codes >= 0)
    first = np.full(len(names), -1)
    first[codes[sites][::-1]] = sites[::-1]
    return np.stack([first[codes[sites]], sites], axis=1)


def points_on_sphere(
    latitude: ArrayLike, longitude: ArrayLike
) -> tuple[npt.NDArray[np.float64], xr.DataArray]:
    """Points on the unit sphere (site, 3), and where their labels are."""
    lat, lon = _positions(latitude, longitude)
    phi, lam = (np.radians(np.asarray(a, dtype=float).ravel()) for a in (lat, lon))
    points = (np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi))
    return np.stack(points, axis=-1), template(lat)


def _positions(
    latitude: ArrayLike, longitude: ArrayLike
) -> tuple[xr.DataArray, xr.DataArray]:
    """Bring both to the same sites: those of the latitude, in its order."""
    lat, lon = site_array(latitude), site_array(longitude)
    order = {
        dim: index
        for dim, index in lat.indexes.items()
        if dim in lon.indexes and set(index) == set(lon.indexes[dim])
    }
    try:
        lat, lon = xr.align(lat, lon.reindex(order), join="exact")
    except ValueError as error:
        raise InputError(
            f"latitude and longitude are not of the same sites ({error}); bring them "
            'together: lat, lon = xr.align(lat, lon, join="inner")'
        ) from None
    lat, lon = xr.broadcast(lat, lon)
    return lat, lon
