"""Finetuning tasks: observed targets with inputs and cached embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xstefaland.inference.blocks import embed_block
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import StefaLand
from xstefaland.training.corpus import Corpus

Floats = NDArray[np.float32]

STREAMFLOW_FORCING = (
    "precipitation",
    "temperature",
    "temperature_max",
    "temperature_min",
    "shortwave_radiation",
    "relative_humidity",
    "potential_evapotranspiration",
)


@dataclass(frozen=True)
class TaskSource:
    """What a task takes from one source of the corpus.

    Attributes
    ----------
    name : str
        Source of the corpus.
    forcing : ndarray
        ``(site, day, forcing)`` in the corpus's order, physical units.
    attributes : ndarray
        ``(site, attribute)`` in the corpus's order.
    target : ndarray
        Observations ``(site, day)``.
    sites : DataFrame
        With a ``role`` column.
    dates : DatetimeIndex
        Days of the record.
    """

    name: str
    forcing: Floats
    attributes: Floats
    target: Floats
    sites: pd.DataFrame
    dates: pd.DatetimeIndex


@dataclass(frozen=True)
class Task:
    """A target on real sites."""

    target: str
    sources: tuple[TaskSource, ...]
    forcing_names: tuple[str, ...]
    attribute_names: tuple[str, ...]

    @property
    def sites(self) -> pd.DataFrame:
        """All sites of all sources."""
        return pd.concat([s.sites for s in self.sources], ignore_index=True)

    @property
    def known_attributes(self) -> tuple[str, ...]:
        """Attributes that more than half of the sites have."""
        values = np.concatenate([s.attributes for s in self.sources])
        share = np.isfinite(values).mean(0)
        return tuple(
            n for n, s in zip(self.attribute_names, share, strict=True) if s > 0.5
        )


def load_task(
    corpus: Corpus,
    target: str,
    roles: pd.Series,
    *,
    start: str,
    end: str,
    minimum_days: int = 365,
) -> Task:
    """Collect the sites with at least `minimum_days` observations between two dates."""
    everywhere = corpus.sites.assign(role=roles)
    sources = []
    for name, shard in corpus.shards.items():
        if not (shard.folder / f"{target}.npy").exists():
            continue
        days = pd.date_range(shard.sites["start"].iloc[0], periods=shard.days)
        period = slice(*days.slice_indexer(start, end).indices(len(days))[:2])
        observed = np.asarray(shard.target(target)[:, period])
        rows = np.flatnonzero(np.isfinite(observed).sum(1) >= minimum_days)
        if len(rows) == 0:
            continue
        table = everywhere[everywhere["source"] == name].reset_index(drop=True)
        dates = days[period]
        weather = np.full(
            (len(rows), len(dates), len(corpus.forcing)), np.nan, np.float32
        )
        columns = [corpus.forcing.index(v) for v in shard.variables]
        weather[:, :, columns] = shard.forcing[rows, period]
        attributes = shard.attributes.reindex(columns=list(corpus.attributes))
        sources.append(
            TaskSource(
                name,
                weather,
                attributes.to_numpy(np.float32)[rows],
                observed[rows],
                table.iloc[rows].reset_index(drop=True),
                dates,
            )
        )
    return Task(target, tuple(sources), corpus.forcing, corpus.attributes)


def drop_inputs(
    task: Task, required: Sequence[str], seed: int
) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Draw, per site, inputs to hide: whole forcings, attribute groups, all attributes.

    Returns
    -------
    dict
        Per source, True = hidden, ``(site, forcing)`` and ``(site, attribute)``.
        Variables in `required` are never hidden.
    """
    rng = np.random.default_rng(seed)
    groups = np.array([str(CATALOGUE[n].group) for n in task.attribute_names])
    hidden = {}
    for source in task.sources:
        count = len(source.sites)
        forcing = rng.random((count, len(task.forcing_names))) < rng.random((count, 1))
        forcing[:, [task.forcing_names.index(n) for n in required]] = False
        attributes = np.zeros((count, len(groups)), bool)
        for group in np.unique(groups):
            attributes[:, groups == group] = rng.random((count, 1)) < 0.4
        attributes |= rng.random((count, 1)) < 0.4
        hidden[source.name] = forcing, attributes
    return hidden


Hidden = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]


def hide(source: TaskSource, hidden: Hidden | None) -> tuple[Floats, Floats]:
    """Return forcing and attributes of a source without what is hidden."""
    if hidden is None:
        return source.forcing, source.attributes
    forcing, attributes = hidden[source.name]
    return (
        np.where(forcing[:, None, :], np.float32(np.nan), source.forcing),
        np.where(attributes, np.float32(np.nan), source.attributes),
    )


def cache_embeddings(
    model: StefaLand,
    task: Task,
    folder: Path,
    hidden: Hidden | None = None,
    precision: str = "bfloat16",
) -> dict[str, NDArray[np.float16]]:
    """Embed all records once, as inference does, into memory-mapped float16 files.

    Returns
    -------
    dict
        Per source, ``(site, day, d)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    caches = {}
    for source in task.sources:
        path = folder / f"{source.name}.npy"
        if not path.exists():
            _embed_source(model, source, path, hidden, precision)
        caches[source.name] = np.load(path, mmap_mode="r")
    return caches


def _embed_source(
    model: StefaLand,
    source: TaskSource,
    path: Path,
    hidden: Hidden | None,
    precision: str,
) -> None:
    forcing, attributes = hide(source, hidden)
    shape = (*forcing.shape[:2], model.config.d_model)
    unfinished = path.with_suffix(".part")
    out = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    day = source.dates.day_of_year.to_numpy(np.float32)
    latitude = source.sites["lat"].to_numpy(np.float32)
    for first in range(0, len(forcing), 16):
        part = slice(first, first + 16)
        out[part] = embed_block(
            model,
            forcing[part],
            attributes[part],
            latitude[part],
            day,
            precision=precision,
        )
    out.flush()
    unfinished.rename(path)
