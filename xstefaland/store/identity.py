"""What makes two runs the same: weights, options, and the input they read.

Hashing a continental input would cost as much as reading it, and names of dask arrays
change with chunks and paths. So an input is known by its structure, its coordinates
and the values at three places: days spread over the whole record, and its last year,
which is what archives revise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute, tokenize

from xstefaland.weights import Weights

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Where values are compared: shares of each site dim."""

SPREAD_DAYS = 1000
"""About how many days, spread evenly over the record, are compared at each place."""

LAST_DAYS = 366
"""Days at the record's end that are compared at each place, apart from the others."""


def weights_identity(weights: Iterable[Weights]) -> dict[str, str]:
    """Write down the hash of each file by its card's name, which two may share.

    Parameters
    ----------
    weights : iterable of Weights
        Encoders and heads that answer.
    """
    hashes: dict[str, set[str]] = {}
    for each in weights:
        hashes.setdefault(each.name, set()).add(each.sha256)
    return {name: " and ".join(sorted(own)) for name, own in hashes.items()}


def data_identity(
    ds: xr.Dataset,
    read: Mapping[str, str],
    dims: tuple[str, ...],
    latitude: xr.Variable,
) -> dict[str, Any]:
    """Describe an input in plain values.

    Parameters
    ----------
    ds : xarray.Dataset
        The input.
    read : mapping of str to str
        What is read: variable of the Dataset by its canonical name.
    dims : tuple of str
        Dims of the sites.
    latitude : xarray.Variable
        Of the sites [degrees north].

    Returns
    -------
    dict
        Sizes, a line for each coordinate with an index, what is read as what, and for
        each variable its dims, units and the mean and number of values at three places,
        of days over the whole record and of its last year: None where they could not
        be read. For the latitude as well.
    """
    names = sorted(set(read.values()))
    used = [*dims, "time"] if "time" in ds.dims else list(dims)
    sampled = sample(ds, names, dims)
    return {
        "sizes": {dim: ds.sizes[dim] for dim in used},
        "coordinates": {
            dim: index_line(ds.indexes[dim]) for dim in used if dim in ds.indexes
        },
        "variables": {
            name: {
                "dims": [str(dim) for dim in ds[name].dims],
                "units": str(ds[name].attrs.get("units", "")),
                "values": sampled[name],
            }
            for name in names
        },
        "read": dict(sorted(read.items())),
        "latitude": _values([latitude.isel(_at(share, ds, dims)) for share in PLACES]),
    }


def index_line(index: pd.Index) -> str:
    """Describe an index: how many, from, to, and a hash of all."""
    if isinstance(index, pd.DatetimeIndex):
        index = index.as_unit("ns")  # files have it in other units than memory
    hashed = pd.util.hash_pandas_object(index, index=False).to_numpy()
    word = hashlib.sha256(hashed.tobytes()).hexdigest()[:12]
    return f"{len(index)} from {index[0]} to {index[-1]} ({word})"


def sample(
    ds: xr.Dataset, names: list[str], dims: tuple[str, ...]
) -> dict[str, list[list[float]] | None]:
    """Mean and number of the values of some variables at :data:`PLACES`."""
    places = [
        ds[names].isel(_at(share, ds, dims), missing_dims="ignore") for share in PLACES
    ]
    return {
        name: _values([days for place in places for days in _days(place[name])])
        for name in names
    }


def _days(values: xr.DataArray) -> list[xr.Variable]:
    """Days over the whole record and its last year; what has no time as it is."""
    if "time" not in values.dims:
        return [values.variable]
    step = max(values.sizes["time"] // SPREAD_DAYS, 1)
    spans = (slice(None, None, step), slice(-LAST_DAYS, None))
    return [values.variable.isel(time=span) for span in spans]


def _at(share: float, ds: xr.Dataset, dims: tuple[str, ...]) -> dict[str, int]:
    """Position of a place along each dim of the sites."""
    return {dim: int(ds.sizes[dim] * share) for dim in dims}


def _values(variables: list[xr.Variable]) -> list[list[float]] | None:
    """Mean and number of each variable; None where reading failed.

    A source may fail in any way of its own. A place that cannot be read is not the
    same as a changed one, and its region will say why.
    """
    try:
        read = compute(*(v.data for v in variables))  # type: ignore[no-untyped-call]
        arrays = [np.asarray(each) for each in read]
    except Exception:
        return None
    if any(array.dtype.kind not in "fiub" for array in arrays):
        return None
    out = []
    for array in arrays:
        finite = array[np.isfinite(array)].astype(float)
        out.append([float(finite.mean()) if finite.size else 0.0, float(finite.size)])
    return out


def plain(value: Any) -> Any:
    """Turn an option into values that JSON holds.

    Examples
    --------
    >>> plain(slice("1990", "2010"))
    'slice(1990, 2010)'
    """
    if isinstance(value, xr.Dataset | xr.DataArray):
        return f"{type(value).__name__} {tokenize(value.compute())}"
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop})"
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
