"""Embeddings as colours: principal components, learned from a sample of places."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError

RGB, EMBEDDING = "rgb", "embedding"
FLAT = 1e-6  # a component of so much less spread than the first is rounding
BLOCKS = 3  # chunks along each dim from which colours are learned


def embedding_colours(embedding: xr.DataArray, sample: int = 5000) -> xr.DataArray:
    """Turn embeddings into colours: alike places look alike.

    Parameters
    ----------
    embedding : xarray.DataArray
        Dim `embedding` and those of the sites.
    sample : int
        Places from which the colours are learned, evenly spread. Of lazy arrays only
        up to three chunks along each dim are computed for it.

    Returns
    -------
    xarray.DataArray
        The input's other dims, then `rgb` [0 to 1]; lazy where the input is. NaN where
        the embedding is.

    Raises
    ------
    InputError
        Without the dim `embedding`, or with fewer than two places that have one.

    Notes
    -----
    Red, green and blue are the first three principal components, each stretched from
    its 2nd to its 98th percentile. Signs are those that give a positive sum of
    loadings, so the same embeddings give the same colours.
    """
    if EMBEDDING not in embedding.dims:
        raise InputError(
            f"the dims are {embedding.dims}, 'embedding' is not among them; pass what "
            'ds.stefaland.embed(pool="mean") returned'
        )
    rows = _sampled(embedding, sample)
    if len(rows) < 2:
        raise InputError(
            f"{len(rows)} of the sampled places has an embedding; colours need two"
        )
    mean, axes = rows.mean(0), _principal_axes(rows)
    low, high = np.quantile((rows - mean) @ axes.T, [0.02, 0.98], axis=0)
    width = high - low
    width = np.where(width > FLAT * width.max(), width, np.inf)

    def colours(block: NDArray[Any]) -> NDArray[np.float32]:
        spread = ((block - mean) @ axes.T - low) / width
        return np.asarray(np.clip(spread, 0, 1), np.float32)

    out: xr.DataArray = xr.apply_ufunc(
        colours,
        embedding,
        input_core_dims=[[EMBEDDING]],
        output_core_dims=[[RGB]],
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": {RGB: 3}},
    )
    out.attrs = {"long_name": "principal components of the embedding as colours"}
    return out.rename(RGB)


def _sampled(embedding: xr.DataArray, sample: int) -> NDArray[np.float64]:
    """Rows ``(place, embedding)`` of evenly spread places that have one."""
    part = embedding
    for dim, sizes in embedding.chunksizes.items():
        if dim != EMBEDDING and len(sizes) > BLOCKS:
            ends = np.cumsum(sizes)
            chosen = np.linspace(0, len(sizes) - 1, BLOCKS).round().astype(int)
            pieces = [np.arange(ends[c] - sizes[c], ends[c]) for c in chosen]
            part = part.isel({dim: np.concatenate(pieces)})
    rows = part.transpose(..., EMBEDDING).values.reshape(-1, part.sizes[EMBEDDING])
    rows = rows[np.isfinite(rows).all(1)]
    spread = np.linspace(0, len(rows) - 1, min(sample, len(rows))).round().astype(int)
    return np.asarray(rows[np.unique(spread)], np.float64)


def _principal_axes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """First three principal axes ``(3, embedding)``, each with a positive sum."""
    _, _, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    axes = axes[:3]
    axes = np.pad(axes, ((0, 3 - len(axes)), (0, 0)))
    return np.asarray(axes * np.where(axes.sum(1, keepdims=True) < 0, -1, 1))
