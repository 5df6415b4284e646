"""Which sites are wanted, and how those of several records come together."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.datasets.countries import codes
from xstefaland.datasets.files import listed
from xstefaland.errors import InputError, join_problems

_COMPARED = 10  # unknown ids for which the nearest known ones are shown


def choose(known: Iterable[str], sites: Sequence[str] | None, what: str) -> list[str]:
    """Choose sites by id.

    Parameters
    ----------
    known : iterable of str
        Ids that the archive has.
    sites : sequence of str or None
        Ids that are wanted; None: all.
    what : str
        Word for a site, for the message.

    Returns
    -------
    list of str
        In the order of `sites`.

    Raises
    ------
    InputError
        For unknown ids (all of them, with the nearest known ones), ids given twice, no
        ids, or a single string.

    Examples
    --------
    >>> choose(["01013500", "01022500"], ["01022500"], "basin")
    ['01022500']
    >>> choose(["01013500", "01022500"], ["1022500"], "basin")
    Traceback (most recent call last):
        ...
    xstefaland.errors.InputError: cannot choose sites: no basin '1022500' among 2; ...
    """
    everything = [str(each) for each in known]
    if sites is None:
        return everything
    if isinstance(sites, str):
        raise InputError(f"sites={sites!r} is one string; pass a list: [{sites!r}]")
    wanted = [str(each) for each in sites]
    if not wanted:
        raise InputError(f"sites is empty; pass ids, or None for every {what}")
    have = set(everything)
    unknown = [each for each in dict.fromkeys(wanted) if each not in have]
    problems = [
        f"no {what} {each!r} among {len(everything)}; {_nearest(each, everything)}"
        for each in unknown[:_COMPARED]
    ]
    if len(unknown) > _COMPARED:  # looking for near ones takes its time
        others = ", ".join(repr(each) for each in unknown[_COMPARED:])
        problems.append(f"nor any {what} {others}")
    twice = [each for each, count in Counter(wanted).items() if count > 1]
    problems += [f"{what} {each!r} is given twice; once is enough" for each in twice]
    if problems:
        raise InputError(join_problems("cannot choose sites", problems))
    return wanted


def select(
    raw: xr.Dataset, dim: str, sites: Sequence[str] | None, what: str
) -> xr.Dataset:
    """Select sites of an archive that has all of them in one file.

    Parameters
    ----------
    raw : xarray.Dataset
        With the archive's own names.
    dim : str
        The site dimension in the file.
    sites : sequence of str or None
        Ids that are wanted; None: all.
    what : str
        What the dimension is called here.

    Returns
    -------
    xarray.Dataset
        Sites in the order of `sites`, under the new name of the dimension.

    Raises
    ------
    InputError
        As :func:`choose`.
    """
    ids = raw[dim].values.astype(str)
    positions = pd.Index(ids).get_indexer(choose(ids, sites, what))
    if sites is not None:  # scattered reads are slow: none where all are wanted
        raw = raw.isel({dim: positions})
    if dim == what:
        return raw
    return raw.rename({dim: what})


def _nearest(name: str, known: Sequence[str]) -> str:
    """Point at ids that look like the one given, or at the first ones."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"the nearest are {listed(near)}" if near else f"ids: {listed(known)}"


def join(parts: Sequence[xr.Dataset], dim: str, order: Iterable[str]) -> xr.Dataset:
    """Put sites together whose records, or whose variables, differ.

    Parameters
    ----------
    parts : sequence of xarray.Dataset
        ``(dim, time)``.
    dim : str
        The site dimension.
    order : iterable of str
        Ids in the order that is wanted.

    Returns
    -------
    xarray.Dataset
        On every day of any part; NaN where a part has no such day or variable.
    """
    ds = xr.concat(
        parts,
        dim,
        data_vars="all",
        coords="different",
        compat="equals",
        join="outer",
        combine_attrs=_both,
    )
    ds = ds.sel({dim: list(order)}).transpose(dim, ...)
    sizes = [c for each in ds.values() for c in each.chunksizes.get(dim, ())]
    if not sizes:
        return ds
    whole = {dim: max(sizes), "time": -1}
    return ds.assign({name: each.chunk(whole) for name, each in ds.items()})


def _both(attributes: Sequence[Mapping[str, Any]], context: object) -> dict[str, str]:
    """Attributes of a variable that comes from several products."""
    names = dict.fromkeys(name for each in attributes for name in each)
    return {
        name: " or ".join(dict.fromkeys(a[name] for a in attributes if name in a))
        for name in names
    }


def label(ds: xr.Dataset, dim: str, **words: Any) -> xr.Dataset:
    """Add coordinates of text.

    Parameters
    ----------
    ds : xarray.Dataset
        With `dim`.
    dim : str
        The site dimension.
    **words : str or array-like of str
        One text for all sites, or one for each; anything missing becomes "". A
        `country` becomes its code, see :func:`~xstefaland.datasets.countries.codes`.

    Returns
    -------
    xarray.Dataset
        With the coordinates.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"basin": ["a", "b"]})
    >>> label(ds, "basin", product="daymet")["product"].values
    array(['daymet', 'daymet'], dtype='<U6')
    """
    number = ds.sizes[dim]
    columns = {
        name: texts([given] * number if isinstance(given, str) else given)
        for name, given in words.items()
    }
    if "country" in columns:
        columns["country"] = texts(codes(columns["country"]))
    return ds.assign_coords({name: (dim, column) for name, column in columns.items()})


def numbers(ids: Iterable[str]) -> list[str]:
    """Gauge numbers of ids that begin with their archive.

    Parameters
    ----------
    ids : iterable of str
        Such as ``camelsgb_21003``.

    Returns
    -------
    list of str
        What follows the first ``_``.

    Examples
    --------
    >>> numbers(["camelsgb_21003"])
    ['21003']
    """
    return [str(each).partition("_")[2] for each in ids]


def texts(values: Any) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Text as an array of fixed width, so that it can be written to any format.

    Parameters
    ----------
    values : array-like
        Text; anything missing becomes "".

    Returns
    -------
    numpy.ndarray
        Of dtype ``<U``.

    Examples
    --------
    >>> texts(["a", None, float("nan")])
    array(['a', '', ''], dtype='<U1')
    """
    known = [None if pd.isna(each) else each for each in np.asarray(values, object)]
    return np.array(["" if v is None else str(v) for v in known], dtype=np.str_)
