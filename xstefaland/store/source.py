"""What regions are made from: variables of a Dataset that was examined once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.inference.asks import Ask
from xstefaland.inference.progress import counted
from xstefaland.inputs.examine import Examination
from xstefaland.inputs.prepare import arranged
from xstefaland.options import get_options

Block = tuple[tuple[str, slice], ...]
"""Where a part of a region lies in it, for each dim that is cut."""

Wanted = tuple[tuple[str, tuple[str, ...]], ...]
"""Names of answers, and their dims in the order of the store."""


@dataclass(frozen=True)
class ExaminedDataset:
    """A Dataset and what is asked of it, ready to be cut into regions.

    Examined once, so that a region costs no examination: its task takes raw values.

    Attributes
    ----------
    dims : tuple of str
        Dims of the sites.
    variables : dict of str to Variable
        All that is read, as it lies in memory, in files or in dask arrays.
    beside : frozenset of str
        Those among them that are coordinates.
    latitude : xarray.Variable
        Of all sites [degrees north].
    parts : tuple of pairs
        What is known of the inputs of each question, and the question.
    validation : {"raise", "warn", "log", "ignore"}
        The option in force when the run was begun; workers have their own.
    """

    dims: tuple[str, ...]
    variables: dict[str, xr.Variable]
    beside: frozenset[str]
    latitude: xr.Variable
    parts: tuple[tuple[Examination, Ask], ...]
    validation: str

    @classmethod
    def of(cls, found: Sequence[Examination], asks: Sequence[Ask]) -> ExaminedDataset:
        """Keep of an examined Dataset what regions need."""
        names = {r.source: e.ds for e in found for r in e.readings.values()}
        first = next((e for e in found if e.latitude is not None), found[0])
        return cls(
            dims=found[0].site_dims,
            variables={name: ds[name].variable for name, ds in names.items()},
            beside=frozenset(name for name, ds in names.items() if name in ds.coords),
            latitude=first.latitudes(),
            parts=tuple((e.apart(), a) for e, a in zip(found, asks, strict=True)),
            validation=get_options()["validation"],
        )

    def blocks(self, where: Mapping[str, slice]) -> list[Block]:
        """Cut a region as the input's chunks are: memory follows the chunk."""
        cuts = {dim: self._cuts(dim, cut) for dim, cut in where.items()}
        if all(len(each) == 1 for each in cuts.values()):
            return [()]
        pairs = [[(dim, cut) for cut in own] for dim, own in cuts.items()]
        return list(itertools.product(*pairs))

    def _cuts(self, dim: str, cut: slice) -> list[slice]:
        """Where daily variables are cut along a dim, as slices of the region."""
        ends = {cut.stop}
        for variable in self.variables.values():
            sizes = dict(variable.chunksizes) if "time" in variable.dims else {}
            edges = np.cumsum(sizes.get(dim, ()), dtype=int)
            ends |= {int(edge) for edge in edges if cut.start < edge < cut.stop}
        bounds = [0, *sorted(end - cut.start for end in ends)]
        return [slice(*pair) for pair in itertools.pairwise(bounds)]

    def task(
        self, where: Mapping[str, slice], block: Block, wanted: Wanted
    ) -> tuple[BlockTask, list[da.Array]]:
        """Return what answers for a block of a region, and the arrays that it takes."""
        place = dict(where)
        for dim, cut in block:
            start = place[dim].start
            place[dim] = slice(start + cut.start, start + cut.stop)
        given: dict[str, xr.Variable | tuple[str, ...]] = {}
        arrays = []
        for name, variable in self.variables.items():
            part = variable.isel(place, missing_dims="ignore")
            if part._in_memory:
                given[name] = part
                continue
            given[name] = tuple(map(str, part.dims))
            arrays.append(part.chunk(dict.fromkeys(part.dims, -1)).data)
        latitude = self.latitude.isel(place, missing_dims="ignore").compute()
        task = BlockTask(
            self.parts, given, self.beside, latitude, wanted, self.validation
        )
        return task, arrays


@dataclass(frozen=True)
class BlockTask:
    """A task of a graph: raw values of some sites to the answers for them.

    Attributes
    ----------
    parts, beside, latitude, validation
        As in :class:`ExaminedDataset`.
    given : dict
        Variables by name, or the dims of those that the graph reads.
    wanted : tuple of pairs
        What is returned.
    """

    parts: tuple[tuple[Examination, Ask], ...]
    given: dict[str, xr.Variable | tuple[str, ...]]
    beside: frozenset[str]
    latitude: xr.Variable
    wanted: Wanted
    validation: str

    def __call__(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Answer; arrays come in the order of what is not given."""
        read = iter(arrays)
        variables = {
            name: xr.Variable(each, next(read)) if isinstance(each, tuple) else each
            for name, each in self.given.items()
        }
        ds = xr.Dataset(variables).set_coords(self.beside)
        answers: dict[str, xr.Variable] = {}
        with counted():
            for found, ask in self.parts:
                prepared = arranged(found.on(ds, self.latitude), self.validation)
                answers |= ask.answer(ds, prepared) | ask.quality(prepared)
        return tuple(
            answers[name].transpose(*dims).to_numpy() for name, dims in self.wanted
        )
