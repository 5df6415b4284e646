"""Chunks: how to split a Dataset so that a task fits into memory."""

from __future__ import annotations

import math

import xarray as xr
from dask.utils import parse_bytes

from xstefaland.errors import InputError
from xstefaland.inference.loaded import resolve_device
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.examine import examine
from xstefaland.weights.opening import WeightsLike

COPIES = 3
"""Times that a chunk's arrays are in memory: as read, as matched, as answer."""

GPU_WINDOWS = 512
"""Windows that a chunk should hold at least, to fill a GPU."""


def suggest_chunks(
    ds: xr.Dataset,
    memory: str | int = "1 GiB",
    device: str = "auto",
    *,
    weights: WeightsLike | None = None,
) -> dict[str, int]:
    """Suggest chunks: whole records, and as many sites as fit.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily forcing.
    memory : str or int
        What one task may take [bytes, or text such as ``"4 GiB"``]: the memory of the
        machine, divided by the number of dask's threads.
    device : str
        A CUDA device wants chunks of some hundred windows at least, whatever
        `memory` says.
    weights : str, path or Weights, optional
        The encoder; default: the registry's.

    Returns
    -------
    dict
        For ``ds.chunk(...)``. The answer to ``embed`` without pooling, the largest
        there is, fits too.

    Raises
    ------
    InputError
        When `memory` is not a size, or the Dataset has no forcing.

    Examples
    --------
    >>> from xstefaland.testing import example_grid, tiny_weights
    >>> grid, weights = example_grid(), tiny_weights()
    >>> suggest_chunks(grid, "1 MiB", device="cpu", weights=weights)
    {'time': -1, 'lat': 2, 'lon': 4}
    """
    size = _bytes(memory)
    encoder, asked = plan_encoder(weights)
    found = examine(ds, asked)
    if not ds.sizes.get("time") or not (found.site_dims or len(found.days)):
        raise InputError(
            f"chunks need daily forcing: {'; '.join(found.report.problems)}"
        )
    config = encoder.card.config
    numbers = len(asked.forcing) + int(config["d_model"])
    sites = size // (COPIES * 4 * ds.sizes["time"] * numbers)
    if resolve_device(device).type == "cuda":
        windows = math.ceil(ds.sizes["time"] / int(config["stride"]))
        sites = max(sites, GPU_WINDOWS // windows)
    return {"time": -1, **_spread(max(1, sites), ds, found.site_dims)}


def _spread(sites: int, ds: xr.Dataset, dims: tuple[str, ...]) -> dict[str, int]:
    """Take whole rows of the last dim first: that is how grids lie on disk."""
    chunks: dict[str, int] = {}
    for dim in reversed(dims):
        chunks[dim] = max(1, min(ds.sizes[dim], sites))
        sites //= chunks[dim]
    return {dim: chunks[dim] for dim in dims}


def _bytes(memory: str | int) -> int:
    """Read a size [bytes]; text may have a unit."""
    try:
        size = int(parse_bytes(memory))
    except (ValueError, OverflowError, AttributeError):  # the last one: no text
        size = 0
    if size <= 0:
        raise InputError(
            f"memory={memory!r} is not a size; use bytes or text such as '4 GiB'."
        )
    return size
