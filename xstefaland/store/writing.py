"""One region into the store: a graph of its own, and whole files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import dask.array as da
import xarray as xr
from numpy.typing import NDArray

from xstefaland.store.packing import Packing


@dataclass(frozen=True)
class StoredVariable:
    """One variable of the store; what dask writes blocks to, in any process.

    Parameters
    ----------
    store : str
        Path or address.
    name : str
        Variable.
    packing : Packing
        How its values are stored.
    storage_options : tuple of pairs
        For fsspec.
    run : str
        Name of the run, so that no process keeps an array of an older one.
    """

    store: str
    name: str
    packing: Packing
    storage_options: tuple[tuple[str, Any], ...]
    run: str

    def __setitem__(self, where: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Write a block; a file of the store is never half written."""
        options = _Options(self.storage_options)
        _array(self.store, self.name, options, self.run)[where] = self.packing.pack(
            values
        )


class _Options(dict[str, Any]):
    """Options for fsspec that a cache can tell apart."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(sorted(self.items())))


@lru_cache(maxsize=256)
def _array(store: str, name: str, options: _Options, run: str) -> Any:
    """Open an array of the store once for each process."""
    import zarr

    del run
    return zarr.open_array(
        store, path=name, mode="r+", zarr_format=3, storage_options=options or None
    )


def write_region(
    answer: xr.Dataset,
    where: Mapping[str, slice],
    variables: Mapping[str, StoredVariable],
) -> None:
    """Compute the answer for a region and write it.

    Parameters
    ----------
    answer : xarray.Dataset
        For the sites of the region.
    where : mapping
        Where the region lies in the store.
    variables : mapping of str to StoredVariable
        What is written; all else the template holds.
    """
    sources, regions = [], []
    targets: Any = list(variables.values())
    for name in variables:
        variable = answer.variables[name]
        # One block: chunks and shards of the store must not have two writers.
        sources.append(variable.chunk(dict.fromkeys(variable.dims, -1)).data)
        regions.append(
            tuple(where.get(str(dim), slice(0, n)) for dim, n in variable.sizes.items())
        )
    da.store(sources, targets, regions=regions, lock=False)
