"""How large a run's answer is, and what to do about one that is too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from dask.utils import format_bytes

from xstefaland.errors import InputError
from xstefaland.store.packing import StoredAs
from xstefaland.store.progress import Progress
from xstefaland.store.questions import Question
from xstefaland.store.regions import Regions
from xstefaland.store.template import Template

LARGE = 100 * 10**9
"""Bytes, before compression, beyond which `allow_large=True` is needed."""


def refuse_large(
    made: Template, dtype: StoredAs, asked: Question, *, allow_large: bool
) -> None:
    """Refuse an answer that is larger than a user may have thought.

    Raises
    ------
    InputError
        With the size, and with smaller ways to ask.
    """
    size = made.nbytes * np.dtype(dtype).itemsize // 4
    if allow_large or size <= LARGE:
        return
    ways = []
    days = made.ds.sizes.get("time")
    if asked.target == "embedding" and days:
        years = np.unique(made.ds["time"].dt.year).size
        ways += [
            f'pool="year" ({format_bytes(size // days * years)})',
            f'pool="mean" ({format_bytes(size // days)})',
        ]
    ways += [
        f'dtype="{name}" ({format_bytes(made.nbytes * np.dtype(name).itemsize // 4)})'
        for name in ("float16", "int8")
        if np.dtype(name).itemsize < np.dtype(dtype).itemsize
        and (name != "int8" or asked.target == "embedding")
    ]
    raise InputError(
        f"the answer takes {format_bytes(size)} before compression, more than "
        f"{format_bytes(LARGE)}. Smaller: {', '.join(ways)}; or write it all: "
        "allow_large=True."
    )


def announce(bar: Progress, store: str, nbytes: int, regions: Regions) -> None:
    """Say what is going to be written."""
    bar.say(
        f"xstefaland: {format_bytes(nbytes)} before compression into {store}, in "
        f"{len(regions)} regions of up to {regions.sites(0)} sites"
    )


def refuse_time_chunks(
    ds: xr.Dataset, names: Sequence[str], suggested: Mapping[str, int]
) -> None:
    """Refuse an input that is cut along time: every region would read all of it.

    Raises
    ------
    InputError
        With the call that rechunks it once, on disk.
    """
    split = [
        name
        for name in names
        if len(dict(ds[name].variable.chunksizes).get("time", ())) > 1
    ]
    if not split:
        return
    parts = {"time": -1, **suggested}
    sizes = ", ".join(f'"{dim}": {size}' for dim, size in parts.items())
    raise InputError(
        f"{', '.join(map(repr, split))}: in several chunks along time, but every "
        "region reads whole records. Rechunk once, on disk and with a dask.distributed "
        f'client open: ds.chunk({{{sizes}}}).to_zarr("by_site.zarr"), then run '
        'on xr.open_zarr("by_site.zarr").'
    )
