"""Embeddings of others, from files as they are published: for `finetune`, `predict`.

AlphaEarth's layout is documented, so :func:`alphaearth` reads it as it is. TerraMind,
Prithvi and other models publish networks, not vectors: what one computes with them is
read as a table by :func:`vector_table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError, join_problems

ALPHAEARTH = tuple(f"A{number:02d}" for number in range(64))
"""Names of AlphaEarth's axes, in tables and as bands of its rasters."""

MASKED = -128
SOURCE = "AlphaEarth Foundations Satellite Embedding (Google and Google DeepMind)"


def vector_table(
    table: str | Path | pd.DataFrame,
    site: str,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    source: str | None = None,
) -> xr.DataArray:
    """Read vectors from a table with a row for each site, or for each site and day.

    Parameters
    ----------
    table : path or DataFrame
        CSV or Parquet.
    site : str
        Column of the labels of sites. They are read as text, so that leading zeros of
        gauge numbers stay.
    columns : sequence of str, optional
        Columns of the vector, in order; default: all numeric ones but `time`.
    time : str, optional
        Column of the day, or year, from which a vector counts.
    source : str, optional
        What the vectors are; heads repeat it. Default: the file's name.

    Returns
    -------
    xarray.DataArray
        ``(site, embedding)`` or ``(site, time, embedding)``, float32; NaN where a site
        has no row for a day.

    Raises
    ------
    InputError
        When columns are missing or no numbers, or rows are repeated.

    Examples
    --------
    >>> rows = pd.DataFrame({"gauge": ["01", "02"], "v0": [1.0, 2.0], "v1": [3.0, 4.0]})
    >>> vector_table(rows, "gauge", source="mine").sel(site="02").values.tolist()
    [2.0, 4.0]
    """
    frame = _frame(table, site)
    keys = [site, *([time] if time else [])]
    chosen = list(columns or _numeric(frame, keys))
    _refuse(frame, keys, chosen)
    frame = frame.astype({site: str})
    if time:
        frame = frame.assign(**{time: _days(frame[time])})
    if frame.duplicated(keys).any():
        first = frame.loc[frame.duplicated(keys), keys].iloc[0].to_dict()
        raise InputError(f"the table has several rows for {first}; keep one of each")
    rows = frame.set_index(keys)[chosen].astype(np.float32)
    name = source or (Path(table).name if isinstance(table, str | Path) else "vectors")
    array = rows.to_xarray().to_dataarray("embedding").transpose(..., "embedding")
    array = array.rename(dict(zip(keys, ("site", "time"), strict=False)))
    return array.rename("embeddings").assign_attrs(source=name)


def alphaearth(
    table: str | Path | pd.DataFrame, site: str, *, year: str | None = None
) -> xr.DataArray:
    """Read AlphaEarth vectors of sites from a table with the columns A00 to A63.

    Parameters
    ----------
    table : path or DataFrame
        CSV or Parquet, such as an export of Earth Engine's collection
        ``GOOGLE/SATELLITE_EMBEDDING/V1/ANNUAL`` reduced to sites (values of -1 to 1),
        or pixels of the published rasters (integers of -128 to 127).
    site : str
        Column of the labels of sites.
    year : str, optional
        Column of the year; a vector counts from its first day.

    Returns
    -------
    xarray.DataArray
        ``(site, embedding)`` or ``(site, time, embedding)``; masked pixels are NaN.
        Means over an area are brought to length 1 again, as pixels are.

    References
    ----------
    https://developers.google.com/earth-engine/guides/aef_on_gcs_readme, which asks to
    name the source (CC-BY 4.0): it is kept as the attribute ``source``.
    """
    found = vector_table(table, site, columns=ALPHAEARTH, time=year, source=SOURCE)
    values = found.values
    finite = values[np.isfinite(values)]
    if finite.size and np.abs(finite).max() > 1:
        values = dequantised(values)
    return found.copy(data=_unit(values))


def dequantised(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Turn AlphaEarth's integers into numbers between -1 and 1, masked ones into NaN.

    ``sign(v) * (v / 127.5) ** 2``, the map that its readme states.

    Examples
    --------
    >>> (dequantised(np.array([-128, -127, 0, 51], np.int8)) * 1000).round()
    array([  nan, -992.,    0.,  160.], dtype=float32)
    """
    given = np.asarray(values, np.float32)
    native = np.sign(given) * (given / 127.5) ** 2
    return np.where(given == MASKED, np.float32(np.nan), native).astype(np.float32)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring vectors along the last axis to length 1."""
    length = np.sqrt((values**2).sum(-1, keepdims=True))
    out = np.full_like(values, np.nan)
    np.divide(values, length, out=out, where=length > 0)
    return out


def _frame(table: str | Path | pd.DataFrame, site: str) -> pd.DataFrame:
    """Read a table whole; labels of sites as text."""
    if isinstance(table, pd.DataFrame):
        return table
    path = Path(table)
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; pass a CSV or Parquet file")
    if path.suffix.lower() in (".parquet", ".pq"):
        frame = pd.read_parquet(path)
        named = [name for name in frame.index.names if name is not None]
        return frame.reset_index(level=named) if named else frame  # no row numbers
    return pd.read_csv(path, dtype={site: str})


def _numeric(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Columns of the vector where none are named: numbers that are no keys."""
    numbers = frame.select_dtypes("number").columns
    return [str(name) for name in numbers if name not in keys]


def _refuse(frame: pd.DataFrame, keys: Sequence[str], chosen: Sequence[str]) -> None:
    """Say which columns are missing or no numbers, all at once."""
    lacking = [name for name in (*keys, *chosen) if name not in frame]
    problems = [f"column {name!r} is missing" for name in lacking[:10]]
    problems += [
        f"column {name!r} holds no numbers"
        for name in chosen
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name])
    ]
    if not chosen:
        problems.append("no column holds numbers; name them with `columns=`")
    if problems:
        has = ", ".join(map(str, frame.columns[:10]))
        raise InputError(
            join_problems(f"the table (with {has}) has no vectors", problems)
        )


def _days(column: pd.Series) -> pd.Series:
    """Read days; whole numbers are years."""
    if pd.api.types.is_numeric_dtype(column):
        if not (column % 1 == 0).all():  # nor is a missing one
            raise InputError(
                f"column {column.name!r} holds numbers that are no years; pass whole "
                "years or dates, in every row"
            )
        years = column.astype(int).astype(str)
        return pd.to_datetime(years, format="%Y").astype("datetime64[ns]")
    return pd.to_datetime(column).astype("datetime64[ns]")
