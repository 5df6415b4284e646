"""Means over polygons from sparse weights, lazily and block by block.

Blocks of cells that no polygon touches are never read. Sums are in double precision.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.geometry.coverage import Coverage
from xstefaland.geometry.grids import Grid

VALUES_AT_ONCE = 262_144  # 2 MiB in double precision, which stay in the cache
_PART, _SUMS = "part", "sums"
Floats = npt.NDArray[np.floating[Any]]


def polygon_means(
    values: xr.Variable, grid: Grid, coverage: Coverage, dim: str
) -> tuple[xr.Variable, xr.Variable]:
    """Average over polygons, from the cells that have values.

    Parameters
    ----------
    values : xarray.Variable
        Numbers with the dims of the grid, and others.
    grid : Grid
        Its axes.
    coverage : Coverage
        Weights of the cells.
    dim : str
        Name of the dimension of the polygons.

    Returns
    -------
    mean : xarray.Variable
        Dims (`dim`, others); NaN where no cell has a value; lazy where `values` is,
        with its chunks along the other dims.
    share : xarray.Variable
        The share of each polygon under cells that have values, same dims, float32.
    """
    axes = (grid.y.dim, grid.x.dim)
    cells = np.arange(grid.y.size * grid.x.size).reshape(grid.y.size, grid.x.size)
    dtype = np.result_type(values.dtype, np.float32)
    parts, polygons = [], []
    for block in _blocks(values, axes):
        inside = coverage.weights[:, cells[tuple(block.values())].ravel()]
        touched = np.flatnonzero(np.diff(inside.indptr))
        if len(touched):
            parts.append(_block_sums(values.isel(block), axes, inside[touched]))
            polygons.append(touched)
    if not parts:  # no polygon lies in the grid
        parts = [_block_sums(values, axes, coverage.weights[:0])]
        polygons = [np.zeros(0, np.int64)]
    mean, share = xr.apply_ufunc(
        _means,
        _joined(parts),
        input_core_dims=[[_PART, _SUMS]],
        output_core_dims=[[dim], [dim]],
        kwargs={"gather": _gather(polygons, len(coverage.whole)), "dtype": dtype}
        | {"whole": coverage.whole},
        dask="parallelized",
        output_dtypes=[dtype, np.float32],
        dask_gufunc_kwargs={"output_sizes": {dim: len(coverage.whole)}},
    )
    return mean.transpose(dim, ...), share.transpose(dim, ...)


def _blocks(values: xr.Variable, axes: tuple[str, str]) -> list[dict[str, slice]]:
    """Return the chunks of a variable along the axes of a grid."""
    ranges = []
    for axis in axes:
        sizes = values.chunksizes.get(axis, (values.sizes[axis],))
        ends = np.cumsum(sizes).tolist()
        ranges.append([slice(e - n, e) for e, n in zip(ends, sizes, strict=True)])
    return [dict(zip(axes, block, strict=True)) for block in product(*ranges)]


def _block_sums(
    values: xr.Variable, axes: tuple[str, str], weights: Any
) -> xr.Variable:
    """Per polygon and in one block: the sum of weighted values, and their weights."""
    values = values.transpose(..., *axes)
    used = np.unique(weights.indices)
    options = {"weights": weights[:, used], "cells": used}
    dims = (*values.dims[:-2], _PART, _SUMS)
    if values.chunks is None:
        return xr.Variable(dims, _sums(values.values, **options))
    import dask.array

    # apply_ufunc would copy every block before it is read
    sums = dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _sums,
        values.data,
        **options,
        chunks=(*values.chunks[:-2], (weights.shape[0],), (2,)),
        dtype=np.float64,
        meta=np.zeros((0,) * values.ndim),
    )
    return xr.Variable(dims, sums)


def _joined(parts: list[xr.Variable]) -> xr.Variable:
    """Blocks side by side; what belongs to one polygon is then in one chunk."""
    if len(parts) == 1:
        return parts[0]
    whole: xr.Variable = xr.Variable.concat(  # type: ignore[no-untyped-call]
        parts, _PART
    )
    return whole.chunk({_PART: -1}) if whole.chunks else whole


def _gather(polygons: list[npt.NDArray[np.int64]], size: int) -> Any:
    """Matrix (polygon, part) that adds up the parts of each polygon."""
    import scipy.sparse

    polygon = np.concatenate(polygons)
    entries = (np.ones(len(polygon)), (polygon, np.arange(len(polygon))))
    return scipy.sparse.csr_array(entries, shape=(size, len(polygon)))


def _sums(
    values: npt.NDArray[Any], *, weights: Any, cells: npt.NDArray[np.int64]
) -> Floats:
    """Add up values (..., y, x) by weights (polygon, cell), and the weights.

    The result has the dims (..., polygon, 2). Cells that are NaN do not count.
    """
    lead = values.shape[:-2]
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1])
    out = np.empty((len(flat), weights.shape[0], 2))
    out[..., 1] = weights.sum(axis=1)
    step = max(1, VALUES_AT_ONCE // max(1, len(cells)))
    for start in range(0, len(flat), step):
        rows = slice(start, start + step)
        some = flat[rows].take(cells, axis=1).T.astype(np.float64, order="C")
        gaps = np.isnan(some)
        if gaps.any():
            some[gaps] = 0
            out[rows, :, 1] = (weights @ (~gaps).astype(np.float64)).T
        out[rows, :, 0] = (weights @ some).T
    return out.reshape(*lead, *out.shape[1:])


def _means(
    sums: Floats, *, gather: Any, whole: Floats, dtype: npt.DTypeLike
) -> tuple[Floats, Floats]:
    """Return means and covered shares (..., polygon) from the sums of all blocks."""
    shape = (*sums.shape[:-2], gather.shape[0])
    flat = sums.reshape(-1, *sums.shape[-2:])
    above, below = ((gather @ flat[..., i].T).T.reshape(shape) for i in (0, 1))
    there = below > 0
    mean = np.divide(above, below, where=there, out=np.full(shape, np.nan))
    share = np.divide(below, whole, where=there, out=np.zeros(shape))
    return mean.astype(dtype), np.minimum(share, 1).astype(np.float32)
