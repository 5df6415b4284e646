"""Frames: answers as pandas tables, for scikit-learn and other libraries."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, join_problems
from xstefaland.inference.lazy import EMBEDDING
from xstefaland.inputs.variables import CATALOGUE


def to_frame(array: xr.DataArray) -> pd.DataFrame:
    """Return an answer as a table.

    Parameters
    ----------
    array : xarray.DataArray
        Embeddings or a prediction; lazy ones are computed.

    Returns
    -------
    pandas.DataFrame
        Index: the sites (and time, year, quantile), one level per dim. Columns:
        ``emb_000``, ``emb_001``, ... of an embedding, else one column with its name.

    Examples
    --------
    >>> array = xr.DataArray(
    ...     [[1.0, 2.0], [3.0, 4.0]],
    ...     dims=("site", "embedding"),
    ...     coords={"site": ["a", "b"]},
    ... )
    >>> print(to_frame(array))
          emb_000  emb_001
    site
    a         1.0      2.0
    b         3.0      4.0
    """
    rows = [str(dim) for dim in array.dims if dim != EMBEDDING]
    levels = [array.get_index(dim).rename(dim) for dim in rows]
    if not levels:
        index: pd.Index = pd.RangeIndex(1)
    elif len(levels) == 1:
        index = levels[0]
    else:
        index = pd.MultiIndex.from_product(levels, names=rows)
    if EMBEDDING in array.dims:
        names = columns(array.sizes[EMBEDDING])
    else:
        names = ["value" if array.name is None else str(array.name)]
    values = array.transpose(*rows, ...).to_numpy()
    return pd.DataFrame(values.reshape(-1, len(names)), index=index, columns=names)


def columns(width: int) -> list[str]:
    """Names of the columns of an embedding.

    Examples
    --------
    >>> columns(2)
    ['emb_000', 'emb_001']
    """
    return [f"emb_{number:03d}" for number in range(width)]


def to_dataset(frame: pd.DataFrame) -> xr.Dataset:
    """Return the Dataset that a frame was made of.

    Parameters
    ----------
    frame : pandas.DataFrame
        What ``ds.to_dataframe()`` gives, or some of its rows: index `time`, or
        `time` and the sites.

    Returns
    -------
    xarray.Dataset
        Weather ``(*sites, time)``. What is the same on all days of each site and is no
        weather by its name is an attribute ``(*sites)``. Units are lost in a frame.

    Raises
    ------
    InputError
        Where the index has no level `time`, or holds a row twice.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product(
    ...     [["a", "b"], pd.date_range("2000-01-01", periods=2)], names=["site", "time"]
    ... )
    >>> frame = pd.DataFrame({"pr": 0.0, "clay": [9.0, 9.0, 3.0, 3.0]}, index=index)
    >>> to_dataset(frame).clay.values, to_dataset(frame).pr.dims
    (array([9., 3.]), ('site', 'time'))
    """
    levels = list(frame.index.names)
    problems = []
    if "time" not in levels:
        problems.append(
            f"its index has the levels {levels}, 'time' is not among them; "
            'frame.set_index(["site", "time"])'
        )
    if not frame.index.is_unique:
        problems.append("its index holds rows twice; frame[~frame.index.duplicated()]")
    if problems:
        raise InputError(join_problems("the frame cannot be used", problems))
    sites = [name for name in levels if name != "time"]
    fixed = [name for name in frame if _is_attribute(frame, name, sites)]
    ds = xr.Dataset.from_dataframe(frame.drop(columns=fixed).sort_index())
    if not sites:
        return ds.assign({name: frame[name].iloc[0] for name in fixed})
    first = frame[fixed].groupby(level=sites).first()
    return ds.assign(xr.Dataset.from_dataframe(first)).transpose(*sites, "time")


def on_rows(table: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    """Bring a table of sites (and days, or years) to the rows of a frame.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`to_frame` returned.
    index : pandas.Index
        Of the frame.

    Returns
    -------
    pandas.DataFrame
        One row for each of `index`, in its order.
    """
    levels: list[Any] = [name for name in table.index.names if name is not None]
    if not levels:  # a single site
        return table.iloc[[0] * len(index)].set_axis(index)
    keys = [
        index.get_level_values(name)
        if name in index.names
        else pd.DatetimeIndex(index.get_level_values("time")).year  # pooled by year
        for name in levels
    ]
    wanted = keys[0] if len(keys) == 1 else pd.MultiIndex.from_arrays(keys)
    return table.reindex(wanted).set_axis(index)


def _is_attribute(frame: pd.DataFrame, name: Any, sites: list[Any]) -> bool:
    """Whether a column is no weather and the same on all days of each site."""
    known = next((v for v in CATALOGUE.values() if name in (v.name, *v.aliases)), None)
    if known is not None and known.kind == "forcing":
        return False
    column = frame[name]
    if not sites:
        return bool(column.nunique(dropna=False) <= 1)
    return bool((column.groupby(level=sites).nunique(dropna=False) <= 1).all())
