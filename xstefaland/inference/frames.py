"""Frames: answers as pandas tables, for scikit-learn and other libraries."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from xstefaland.inference.lazy import EMBEDDING


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
        width = array.sizes[EMBEDDING]
        columns = [f"emb_{number:03d}" for number in range(width)]
    else:
        width, columns = 1, ["value" if array.name is None else str(array.name)]
    values = array.transpose(*rows, ...).to_numpy()
    return pd.DataFrame(values.reshape(-1, width), index=index, columns=columns)
