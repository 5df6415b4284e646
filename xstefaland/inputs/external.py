"""Embeddings of others: vectors of sites, or of sites and days, beside the weather.

They enter a Dataset as columns, so they pass the same road as every other input: what
is lazy stays lazy, chunks and labels are kept. A head that was trained on them asks for
these columns by name.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, join_problems
from xstefaland.inputs.requirements import VariableSpec

TIME = "time"
MOST = 4096
"""Longest vector that is taken."""


def columns(width: int) -> tuple[str, ...]:
    """Name the columns of a vector.

    Examples
    --------
    >>> columns(2)
    ('external_0000', 'external_0001')
    """
    return tuple(f"external_{number:04d}" for number in range(width))


def variables(width: int) -> tuple[VariableSpec, ...]:
    """Describe the columns: values as they are, without units."""
    return tuple(VariableSpec(name) for name in columns(width))


def aligned(ds: xr.Dataset, embeddings: xr.DataArray) -> xr.DataArray:
    """Bring vectors to the sites and days of a Dataset.

    Parameters
    ----------
    ds : xarray.Dataset
        Weather and attributes.
    embeddings : xarray.DataArray
        Dims: some or all of the Dataset's site dims, ``time`` where vectors change, and
        one last dim of its own. Sites are found by their labels along these dims. A
        day has the last vector up to it, days before the first one have the first.

    Returns
    -------
    xarray.DataArray
        Dims (site dims, ``time``?, last dim), float32; NaN for sites without a vector.

    Raises
    ------
    InputError
        For dims that do not fit, or when no site has a vector.
    """
    found = _checked(ds, embeddings)
    last = found.dims[-1]
    for dim in (d for d in found.dims[:-1] if d != TIME):
        if dim in ds.indexes and dim in found.indexes:
            found = found.reindex({dim: ds.indexes[dim]})
    if TIME in found.dims:
        found = found.sortby(TIME)
        rows = found.indexes[TIME].get_indexer(ds.indexes[TIME], method="ffill")
        found = found.isel(time=np.maximum(rows, 0)).assign_coords(time=ds[TIME])
    sites = [dim for dim in found.dims if dim not in (TIME, last)]
    days = [TIME] if TIME in found.dims else []
    found = found.transpose(*sites, *days, last).astype(np.float32)
    if not np.isfinite(found.values).all(-1).any():
        raise InputError(
            f"embeddings= have a vector for none of the Dataset's sites; their labels "
            f"along {sites} must be those of the Dataset, such as "
            f"{_labels(ds, sites)}"
        )
    return found


def with_embeddings(ds: xr.Dataset, embeddings: xr.DataArray) -> xr.Dataset:
    """Add vectors to a Dataset as the columns that heads ask for.

    Parameters
    ----------
    ds, embeddings
        See :func:`aligned`.

    Returns
    -------
    xarray.Dataset
        With :func:`columns` beside its own variables.

    Examples
    --------
    >>> ds = xr.Dataset({"rain": ("site", [1.0, 2.0])}, {"site": ["a", "b"]})
    >>> vectors = xr.DataArray([[3.0], [4.0]], {"site": ["b", "a"]}, ("site", "e"))
    >>> with_embeddings(ds, vectors).external_0000.values.tolist()
    [4.0, 3.0]
    """
    found = aligned(ds, embeddings).reset_coords(drop=True)
    parts = zip(columns(found.shape[-1]), np.moveaxis(found.values, -1, 0), strict=True)
    return ds.assign({name: (found.dims[:-1], values) for name, values in parts})


def _checked(ds: xr.Dataset, embeddings: xr.DataArray) -> xr.DataArray:
    """Refuse what cannot be brought to a Dataset, with every reason."""
    given: object = embeddings
    if not isinstance(given, xr.DataArray) or not given.ndim:
        raise InputError(
            f"embeddings={type(given).__name__} is not possible; pass a DataArray "
            "with dims (site, embedding) or (site, time, embedding)"
        )
    *dims, last = embeddings.transpose(..., _last(ds, embeddings)).dims
    problems = [
        f"they have the dim {dim!r}, which the Dataset lacks: embeddings.rename("
        f"{{{dim!r}: ...}})"
        for dim in dims
        if dim not in ds.dims
    ]
    problems += [
        f"{dim!r} has {embeddings.sizes[dim]} entries without labels, and "
        f"{ds.sizes[dim]} in the Dataset; give it labels"
        for dim in dims
        if dim in ds.dims
        and dim != TIME
        and not (dim in ds.indexes and dim in embeddings.indexes)
        and embeddings.sizes[dim] != ds.sizes[dim]
    ]
    problems += [
        f"{dim!r} has the same label twice"
        for dim in dims
        if dim in embeddings.indexes and not embeddings.indexes[dim].is_unique
    ]
    if TIME in dims and not isinstance(embeddings.indexes.get(TIME), pd.DatetimeIndex):
        problems.append("their 'time' has no dates")
    if embeddings.sizes[last] > MOST:
        problems.append(
            f"{last!r} is {embeddings.sizes[last]} long, the most is {MOST}"
        )
    if problems:
        raise InputError(join_problems("embeddings= cannot be used", problems))
    return embeddings.transpose(*dims, last)


def _last(ds: xr.Dataset, embeddings: xr.DataArray) -> object:
    """Find the dim of the vector: the last one that the Dataset lacks."""
    own = [dim for dim in embeddings.dims if dim not in ds.dims and dim != TIME]
    return own[-1] if own else embeddings.dims[-1]


def _labels(ds: xr.Dataset, dims: list[Hashable]) -> list[object]:
    """First label along each dim, as an example in a message."""
    return [ds.indexes[dim][0] for dim in dims if dim in ds.indexes]
