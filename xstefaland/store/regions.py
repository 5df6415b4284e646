"""Regions: blocks of sites that are written as a whole, one writer each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from xstefaland.errors import InputError, join_problems

CHUNK_BYTES = 32 * 2**20
"""Most bytes of a Zarr chunk, unless chunks are given."""


@dataclass(frozen=True)
class Regions:
    """A grid cut into blocks, numbered along the last dim first.

    Parameters
    ----------
    dims : tuple of str
        Dims of the sites, none for a single site.
    sizes : tuple of int
        Their lengths.
    steps : tuple of int
        Length of a region along each; the last one may be shorter.

    Examples
    --------
    >>> regions = Regions(("lat", "lon"), (3, 4), (2, 2))
    >>> len(regions), regions.slices(3)
    (4, {'lat': slice(2, 3, None), 'lon': slice(2, 4, None)})
    """

    dims: tuple[str, ...]
    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of regions."""
        return math.prod(self._counts)

    @property
    def _counts(self) -> tuple[int, ...]:
        """Number of regions along each dim."""
        pairs = zip(self.sizes, self.steps, strict=True)
        return tuple(math.ceil(size / step) for size, step in pairs)

    def slices(self, number: int) -> dict[str, slice]:
        """Return where a region lies, for ``isel``."""
        out = {}
        for dim, size, step, count in reversed(
            list(zip(self.dims, self.sizes, self.steps, self._counts, strict=True))
        ):
            number, own = divmod(number, count)
            out[dim] = slice(own * step, min((own + 1) * step, size))
        return {dim: out[dim] for dim in self.dims}

    def sites(self, number: int) -> int:
        """Return the number of sites of a region."""
        return math.prod(cut.stop - cut.start for cut in self.slices(number).values())

    def name(self, number: int) -> str:
        """Say where a region lies, for people."""
        cuts = self.slices(number)
        where = ", ".join(f"{dim} {cut.start}:{cut.stop}" for dim, cut in cuts.items())
        return f"{number} ({where})" if where else str(number)


def region_steps(
    ds: xr.Dataset,
    dims: tuple[str, ...],
    given: Mapping[str, int] | None,
    suggested: Mapping[str, int],
) -> dict[str, int]:
    """Choose the size of regions.

    Parameters
    ----------
    ds : xarray.Dataset
        The input.
    dims : tuple of str
        Dims of its sites.
    given : mapping, optional
        Sizes that the user wants.
    suggested : mapping
        Sizes that fit into memory, see :func:`xstefaland.inference.chunks`.

    Returns
    -------
    dict
        What is given; else the input's dask chunks, joined while they fit into
        memory; else what is suggested.

    Raises
    ------
    InputError
        For dims that are no sites and sizes that are not positive.
    """
    given = dict(given or {})
    _refuse_wrong("regions", given, dims)
    chunks = {dim: _widest(ds, dim) for dim in dims}
    if not any(chunks.values()):
        return {d: min(given.get(d, suggested[d]), ds.sizes[d]) for d in dims}
    steps = {dim: chunks[dim] or ds.sizes[dim] for dim in dims}
    room = math.prod(suggested[dim] for dim in dims) // math.prod(steps.values())
    for dim in reversed(dims):
        all_of_it = math.ceil(ds.sizes[dim] / steps[dim])
        fits = suggested[dim] >= ds.sizes[dim]
        times = all_of_it if fits else max(1, min(room, all_of_it))
        steps[dim] = min(steps[dim] * times, ds.sizes[dim])
        room //= times
    return {dim: min(given.get(dim, steps[dim]), ds.sizes[dim]) for dim in dims}


def _widest(ds: xr.Dataset, dim: str) -> int:
    """Longest dask chunk along a dim, 0 where nothing is chunked."""
    variables = [array.variable for array in ds.data_vars.values()]
    sizes = [dict(each.chunksizes).get(dim, (0,)) for each in variables]
    return max((max(each) for each in sizes), default=0)


def zarr_chunks(
    variable: xr.Variable,
    steps: Mapping[str, int],
    given: Mapping[str, int] | None,
    *,
    shards: bool,
) -> dict[str, Any]:
    """Choose Zarr chunks, and shards, that no two regions share.

    Parameters
    ----------
    variable : xarray.Variable
        The whole variable.
    steps : mapping
        Sizes of a region.
    given : mapping, optional
        Sizes of chunks that the user wants; a region must be a multiple of them.
    shards : bool
        Make one shard of each region, and chunks within.

    Returns
    -------
    dict
        ``chunks`` and, where wanted, ``shards``, for xarray's `encoding`.

    Examples
    --------
    >>> daily = xr.Variable(("site", "time"), [[0.0] * 10] * 6)
    >>> zarr_chunks(daily, {"site": 4}, {"site": 2, "time": 4}, shards=True)
    {'chunks': (2, 4), 'shards': (4, 12)}
    """
    given = dict(given or {})
    region = {str(d): steps.get(str(d), n) for d, n in variable.sizes.items()}
    chunk = {dim: min(given.get(dim, size), size) for dim, size in region.items()}
    if "time" in chunk and "time" not in given:
        day = variable.dtype.itemsize * math.prod(chunk.values()) // chunk["time"]
        chunk["time"] = max(1, min(chunk["time"], CHUNK_BYTES // max(day, 1)))
    out: dict[str, Any] = {"chunks": tuple(chunk.values())}
    if shards:
        out["shards"] = tuple(
            math.ceil(size / chunk[dim]) * chunk[dim] for dim, size in region.items()
        )
    return out


def refuse_chunks(
    given: Mapping[str, int] | None, steps: Mapping[str, int], sizes: Mapping[str, int]
) -> None:
    """Refuse chunks that two regions would share.

    Parameters
    ----------
    given : mapping, optional
        Sizes of chunks that the user wants.
    steps : mapping
        Sizes of a region.
    sizes : mapping
        Of all dims; where a region holds all of one, its chunks are free.

    Raises
    ------
    InputError
        With all dims that are wrong.
    """
    given = dict(given or {})
    _refuse_wrong("chunks", given, tuple(sizes))
    problems = [
        f"a chunk of {given[dim]} along {dim!r} would belong to two regions of "
        f"{step}; use chunks={{{dim!r}: {math.gcd(step, given[dim])}}} or "
        f"regions={{{dim!r}: {max(1, step // given[dim]) * given[dim]}}}"
        for dim, step in steps.items()
        if dim in given and step < sizes[dim] and step % given[dim]
    ]
    if problems:
        raise InputError(join_problems("regions must be whole chunks", problems))


def _refuse_wrong(what: str, given: Mapping[str, Any], dims: tuple[str, ...]) -> None:
    """Refuse unknown dims and sizes that are no positive integers."""
    unknown = [dim for dim in given if dim not in dims]
    wrong = [dim for dim, n in given.items() if not isinstance(n, int) or n < 1]
    if unknown or wrong:
        have = ", ".join(map(repr, dims)) or "none, for there is a single site"
        raise InputError(
            f"{what}={dict(given)!r} is not possible; pass positive sizes along these "
            f"dims: {have}."
        )
