"""Sites of all sources: where they are, and which are left out by place."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.datasets.countries import codes

CELL = 0.5  # [degrees] places are held out by cells of this size
EARTH_RADIUS = 6371.0  # [km]
TEXTS = ("gauge", "country", "product")


def site_table(
    ds: xr.Dataset, dims: tuple[str, ...], latitude: xr.DataArray, name: str
) -> pd.DataFrame:
    """Describe every site of a Dataset.

    Parameters
    ----------
    ds : xarray.Dataset
        With coordinates ``longitude`` (or ``lon``) and, where known, ``gauge``,
        ``country`` and ``product``.
    dims : tuple of str
        Site dimensions.
    latitude : xarray.DataArray
        Degrees north (site dims).
    name : str
        Name of the source.

    Returns
    -------
    pandas.DataFrame
        One row a site in the order of the flattened dims: ``site``
        (``"<name>-<label>"``), ``gauge``, ``country``, ``product`` ("" where unknown),
        ``lat``, ``lon`` (NaN where unknown).

    Examples
    --------
    >>> from xstefaland.testing import example_points
    >>> ds = example_points(sites=2, days=3)
    >>> site_table(ds, ("site",), ds.latitude, "mine")["site"].tolist()
    ['mine-site000', 'mine-site001']
    """
    labels = product(*(ds[dim].values for dim in dims)) if dims else [("site",)]
    table = pd.DataFrame({"site": ["-".join(map(str, (name, *k))) for k in labels]})
    for text in TEXTS:
        table[text] = _flat(ds, dims, (text,), "").astype(str)
    table["lat"] = np.asarray(latitude.transpose(*dims), np.float64).ravel()
    longitude = _flat(ds, dims, ("longitude", "lon", "gauge_lon"), np.nan)
    return table.assign(lon=longitude.astype(np.float64))


def _flat(
    ds: xr.Dataset, dims: tuple[str, ...], names: tuple[str, ...], unknown: str | float
) -> NDArray[np.generic]:
    """One value a site of the first variable that is there and belongs to sites."""
    sizes = {dim: ds.sizes[dim] for dim in dims}
    for name in names:
        if name in ds.variables and set(ds[name].dims) <= set(dims):
            array = ds[name].reset_coords(drop=True)
            lacking = {d: size for d, size in sizes.items() if d not in array.dims}
            return np.ravel(array.expand_dims(lacking).transpose(*dims).values)
    return np.full(int(np.prod(list(sizes.values()))), unknown)


def place_cells(sites: pd.DataFrame) -> pd.Series:
    """Name the half-degree cell of each site; a site of unknown position is alone."""
    known = sites[["lat", "lon"]].notna().all(axis=1)
    row, column = (
        (sites[axis].fillna(0) // CELL).astype(int).astype(str)
        for axis in ("lat", "lon")
    )
    return (row + " " + column).where(known, sites["site"])


def gauges(sites: pd.DataFrame) -> pd.Series:
    """Name the gauge of each site: its number, which counts within a country.

    Parameters
    ----------
    sites : pandas.DataFrame
        With ``country``, however it is spelled (older corpora have the spellings of
        their archives), and ``gauge``.

    Returns
    -------
    pandas.Series
        Such as ``"US 01013500"``; missing where there is no number.

    Examples
    --------
    >>> table = pd.DataFrame({"country": ["Wales", "GB"], "gauge": ["7", ""]})
    >>> gauges(table).tolist()
    ['GB 7', nan]
    """
    country = pd.Series(codes(sites["country"]), index=sites.index)
    return (country + " " + sites["gauge"]).where(sites["gauge"] != "")


def left_out_sites(
    sites: pd.DataFrame, share: float, seed: int, radius: float = 10.0
) -> pd.Series:
    """Mark the sites that are held out, and those too near to them, by place.

    About a share of the half-degree cells is held out with every site in them: each
    cell by a draw of its own, so another source changes nothing for the others' sites.
    Sites with the same gauge number in the same country as a held-out one, or within
    `radius` of one, are dropped from training too.

    Parameters
    ----------
    sites : pandas.DataFrame
        As :func:`site_table` gives it, of all sources together.
    share : float
        Chance of a cell to be held out.
    seed : int
        Of the draw.
    radius : float
        Distance [km].

    Returns
    -------
    pandas.Series
        ``"train"``, ``"held out"`` or ``"dropped"`` per row of `sites`.

    Examples
    --------
    >>> lat, lon = [47.49, 47.51, 60.2], [8.1, 8.1, 10.1]
    >>> table = {"site": ["a", "b", "c"], "gauge": "", "country": ""}
    >>> sites = pd.DataFrame({**table, "lat": lat, "lon": lon})
    >>> left_out_sites(sites, 0.3, seed=2).tolist()
    ['held out', 'dropped', 'train']
    """
    held = place_cells(sites).map(lambda cell: _draw(cell, seed) < share)
    return kept_apart(sites, held, radius)


def named_sites(sites: pd.DataFrame, names: Collection[str]) -> pd.Series:
    """Mark sites of all sources by their names.

    Parameters
    ----------
    sites : pandas.DataFrame
        Of a corpus: as :func:`site_table` gives it, with the ``source`` of each.
    names : collection of str
        Gauge numbers, or labels within a source.

    Returns
    -------
    pandas.Series
        True per row of `sites` that is meant.

    Examples
    --------
    >>> table = {"site": ["us-0101", "us-x7"], "source": "us", "gauge": ["0101", ""]}
    >>> named_sites(pd.DataFrame(table), ["x7", "0102"]).tolist()
    [False, True]
    """
    return _labels(sites).isin(names) | sites["gauge"].isin(set(names) - {""})


def unknown_names(sites: pd.DataFrame, names: Collection[str]) -> list[str]:
    """Return the names that are those of no site, in their order.

    Parameters
    ----------
    sites, names
        As of :func:`named_sites`.

    Returns
    -------
    list of str
        Empty where every name is a gauge number or a label.

    Examples
    --------
    >>> table = {"site": ["us-0101", "us-x7"], "source": "us", "gauge": ["0101", ""]}
    >>> unknown_names(pd.DataFrame(table), ["x7", "0102"])
    ['0102']
    """
    known = {*_labels(sites), *sites["gauge"]} - {""}
    return [name for name in names if name not in known]


def _labels(sites: pd.DataFrame) -> pd.Series:
    """Label of each site within its source."""
    pairs = zip(sites["site"], sites["source"], strict=True)
    return pd.Series([s.removeprefix(f"{n}-") for s, n in pairs], sites.index)


def kept_apart(sites: pd.DataFrame, held: pd.Series, radius: float = 10.0) -> pd.Series:
    """Name the part of every site in training, where some are held out.

    Parameters
    ----------
    sites : pandas.DataFrame
        As :func:`site_table` gives it, of all sources together.
    held : pandas.Series of bool
        The sites that are held out.
    radius : float
        Distance [km] within which sites are dropped too; so are those with the same
        gauge number in the same country.

    Returns
    -------
    pandas.Series
        ``"train"``, ``"held out"`` or ``"dropped"`` per row of `sites`.
    """
    too_near = _near(sites, held, radius) | _same_gauge(sites, held)
    role = np.where(held, "held out", np.where(too_near, "dropped", "train"))
    return pd.Series(role, index=sites.index, name="role")


def _draw(cell: str, seed: int) -> float:
    """Draw a number in [0, 1) that depends on the cell and the seed alone."""
    digest = hashlib.blake2b(f"{seed} {cell}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 256**7


def _same_gauge(sites: pd.DataFrame, held: pd.Series) -> pd.Series:
    """Sites whose gauge number, within its country, is that of a held-out one."""
    key = gauges(sites)
    return key.isin(key[held].dropna())


def _near(sites: pd.DataFrame, held: pd.Series, radius: float) -> NDArray[np.bool_]:
    """Sites within a distance [km] of a held-out one."""
    from sklearn.neighbors import BallTree

    radians = np.deg2rad(sites[["lat", "lon"]].to_numpy(np.float64))
    known = np.isfinite(radians).all(1)
    near = np.zeros(len(sites), bool)
    if (known & held).any():
        tree = BallTree(radians[known & held], metric="haversine")
        distance = tree.query(radians[known])[0][:, 0] * EARTH_RADIUS
        near[known] = distance <= radius
    return near
