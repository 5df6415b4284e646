"""One region into the store: a graph of its own, and whole files."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from xstefaland.store.packing import Packing
from xstefaland.store.source import Block, ExaminedDataset


@dataclass(frozen=True)
class StoredVariable:
    """One variable of the store; what a task writes to, in any process.

    Parameters
    ----------
    store : str
        Path or address.
    name : str
        Variable.
    dims : tuple of str
        Its dims, in the order of the store.
    packing : Packing
        How its values are stored.
    storage_options : tuple of pairs
        For fsspec.
    run : str
        Name of the run, so that no process keeps an array of an older one.
    """

    store: str
    name: str
    dims: tuple[str, ...]
    packing: Packing
    storage_options: tuple[tuple[str, Any], ...]
    run: str

    def write(self, where: Mapping[str, slice], values: NDArray[Any]) -> int:
        """Write a region, no file half; return how many values its type cut off."""
        place = tuple(where.get(dim, slice(None)) for dim in self.dims)
        options = _Options(self.storage_options)
        _array(self.store, self.name, options, self.run)[place] = self.packing.pack(
            values
        )
        return self.packing.clipped(values)


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
    source: ExaminedDataset,
    where: Mapping[str, slice],
    variables: Sequence[StoredVariable],
) -> int:
    """Compute the answer for a region and write it.

    The graph is written by hand, with names that nobody else has: dask would spend
    more time on hashing the arguments of each step than tiny models on their answers.

    Parameters
    ----------
    source : ExaminedDataset
        Where inputs come from, and what is asked of them.
    where : mapping
        Where the region lies.
    variables : sequence of StoredVariable
        What is written; all else the template holds.

    Returns
    -------
    int
        Values beyond the range of the type that they are stored as.
    """
    name = f"write-{uuid.uuid4().hex}"
    wanted = tuple((variable.name, variable.dims) for variable in variables)
    blocks = source.blocks(where)
    read: list[Any] = []
    layer: dict[Any, Any] = {}
    for number, block in enumerate(blocks):
        task, arrays = source.task(where, block, wanted)
        read += arrays
        keys = [(array.name, *(0,) * array.ndim) for array in arrays]
        layer[f"answer-{name}", number] = (task, *keys)
    # One task for all blocks: chunks and shards of the store must not have two writers.
    writer = _Writer(dict(where), tuple(variables), tuple(blocks))
    layer[name, 0] = (writer, [*layer])
    graph = HighLevelGraph.from_collections(name, layer, dependencies=read)
    region: Any = da.Array  # which dask does not annotate
    return int(region(graph, name, chunks=((1,),), dtype=np.int64).compute()[0])


@dataclass(frozen=True)
class _Writer:
    """A task that writes the answers of the blocks of a region."""

    where: dict[str, slice]
    variables: tuple[StoredVariable, ...]
    blocks: tuple[Block, ...]

    def __call__(
        self, answers: Sequence[tuple[NDArray[Any], ...]]
    ) -> NDArray[np.int64]:
        """Write; return how many values were cut off."""
        clipped = [
            variable.write(self.where, self._joined(variable.dims, parts))
            for variable, parts in zip(
                self.variables, zip(*answers, strict=True), strict=True
            )
        ]
        return np.array([sum(clipped)], np.int64)

    def _joined(
        self, dims: tuple[str, ...], parts: Sequence[NDArray[Any]]
    ) -> NDArray[Any]:
        """Bring the blocks of a variable together."""
        if len(parts) == 1:
            return parts[0]
        sizes = {dim: cut.stop - cut.start for dim, cut in self.where.items()}
        shape = [
            sizes.get(dim, length)
            for dim, length in zip(dims, parts[0].shape, strict=True)
        ]
        whole = np.empty(shape, parts[0].dtype)
        for block, part in zip(self.blocks, parts, strict=True):
            cuts = dict(block)
            whole[tuple(cuts.get(dim, slice(None)) for dim in dims)] = part
        return whole
