"""The pretraining corpus: a folder of shards, read window by window.

A :class:`Corpus` maps the shards and never holds more than a batch; it brings their
variables to one order.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inputs.formulas.climate import CLIMATE_INDICES
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.options import set_options
from xstefaland.training.shards import FORCING, Bools, Floats, Ints, Shard, write_shard
from xstefaland.training.sources import SOURCES, Source

logger = logging.getLogger("xstefaland")


def build(data: Path, folder: Path, sources: Iterable[Source] = SOURCES) -> Corpus:
    """Write the corpus of some archives into `folder`.

    Parameters
    ----------
    data : Path
        Folder with the files of the sources.
    folder : Path
        Of the corpus. Shards that are there are kept: delete one to write it anew.
    sources : iterable of Source
        What to read.

    Returns
    -------
    Corpus
        All shards of the folder.
    """
    for source in sources:
        shard = folder / source.name
        if shard.exists():
            logger.info("%s: there already", source.name)
            continue
        ds = source.read(data)
        files = [
            {
                "name": name,
                "licence": str(ds.attrs["license"]),
                "sha256": sha256(data / name),
            }
            for name in source.files
        ]
        with set_options(validation="log"):  # the readers know their archives' traps
            written = write_shard(shard, ds, weight=source.weight, data=files)
        logger.info("%s: %d sites", source.name, len(written.sites))
    return Corpus(folder)


def sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Batch:
    """Windows of one source in the corpus's order; physical units, NaN = missing."""

    forcing: Floats  # (window, day, forcing)
    attributes: Floats  # (window, attribute), those of the whole record
    climate: Floats  # (window, stretch, index), of random stretches of the record
    day_of_year: Floats  # (window, day)
    latitude: Floats  # (window,)
    source: str
    rows: Ints  # (window,), sites of the source
    starts: Ints  # (window,), first days of the source's records


class Corpus:
    """All shards of a folder, with one order of variables.

    Parameters
    ----------
    folder : Path
        With a folder for each source, see
        :func:`xstefaland.training.shards.write_shard`.

    Raises
    ------
    InputError
        When there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = [about.parent for about in folder.glob("*/about.json")]
        whole = sorted(each for each in found if each.suffix != ".part")
        if not whole:
            raise InputError(
                f"{str(folder)!r} holds no corpus; write one with `xstefaland.training."
                "corpus.build(data, folder)`, or a shard of your own Dataset with "
                "`xstefaland.training.shards.write_shard(folder / name, ds)`"
            )
        self.shards = {each.name: Shard(each) for each in whole}
        present = {v for shard in self.shards.values() for v in shard.variables}
        self.forcing = tuple(name for name in FORCING if name in present)
        columns = {c for s in self.shards.values() for c in s.attributes.columns}
        self.attributes = tuple(name for name in CATALOGUE if name in columns)

    @property
    def climate(self) -> list[int]:
        """Positions of the climate indices among the attributes, -1 where absent."""
        places = {name: place for place, name in enumerate(self.attributes)}
        return [places.get(name, -1) for name in CLIMATE_INDICES]

    @property
    def data(self) -> list[dict[str, str]]:
        """Files, licences and hashes that the corpus was made from."""
        files = {each["name"]: each for s in self.shards.values() for each in s.data}
        return list(files.values())

    @cached_property
    def sites(self) -> pd.DataFrame:
        """Every site of every source, with the name of its ``source``."""
        tables = [s.sites.assign(source=n) for n, s in self.shards.items()]
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def tables(self) -> dict[str, Floats]:
        """Attributes of each source ``(site, attribute)`` in the corpus's order."""
        columns = list(self.attributes)
        return {
            name: shard.attributes.reindex(columns=columns).to_numpy(np.float32)
            for name, shard in self.shards.items()
        }

    def batch(self, name: str, rows: Ints, starts: Ints, days: int) -> Batch:
        """Read windows of `days` days that start at `starts` on the sites `rows`."""
        shard = self.shards[name]
        forcing = np.full((len(rows), days, len(self.forcing)), np.nan, np.float32)
        columns = [self.forcing.index(v) for v in shard.variables]
        for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
            forcing[i, :, columns] = shard.forcing[row, start : start + days].T
        return Batch(
            forcing,
            self.tables[name][rows],
            shard.climate[rows],
            shard.day_of_year(starts, days),
            shard.sites["lat"].to_numpy(np.float32)[rows],
            name,
            rows,
            starts,
        )


def masks(corpus: Corpus, role: pd.Series, wanted: Sequence[str]) -> dict[str, Bools]:
    """Per source, which of its sites have one of the `wanted` roles."""
    good = role.isin(wanted)
    return {
        name: good[corpus.sites["source"] == name].to_numpy() for name in corpus.shards
    }


def training_values(
    corpus: Corpus, keep: Mapping[str, Bools]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Collect forcings (each seventh day) and attributes of the sites to keep."""
    forcing: dict[str, list[Floats]] = {name: [] for name in corpus.forcing}
    attributes: dict[str, list[Floats]] = {name: [] for name in corpus.attributes}
    for source, shard in corpus.shards.items():
        rows = np.flatnonzero(keep[source])
        values = shard.forcing[rows, ::7]
        for column, name in enumerate(shard.variables):
            forcing[name].append(values[..., column].ravel())
        table = corpus.tables[source][rows]
        for column, name in enumerate(corpus.attributes):
            attributes[name].append(table[:, column])
    return _joined(forcing), _joined(attributes)


def _joined(parts: Mapping[str, Sequence[Floats]]) -> dict[str, Floats]:
    """Join the values of all sources, variable by variable."""
    return {name: np.concatenate(each) for name, each in parts.items()}


def statistics(values: Floats, log: bool) -> dict[str, float | None]:
    """Mean and standard deviation of the transformed values, and the physical range.

    Without any value, as of an attribute that only left-out sites have: 0, 1, unknown.

    Examples
    --------
    >>> found = statistics(np.array([1.0, 3.0, np.nan], np.float32), log=False)
    >>> found["mean"], found["std"], found["maximum"]
    (2.0, 1.0, 3.0)
    """
    finite: NDArray[np.float64] = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return {"mean": 0.0, "std": 1.0, "minimum": None, "maximum": None}
    moved = np.log1p(finite.clip(min=0)) if log else finite
    spread = float(moved.std())
    return {
        "mean": float(moved.mean()),
        "std": spread if spread > 1e-6 else 1.0,
        "minimum": float(finite.min()),
        "maximum": float(finite.max()),
    }
