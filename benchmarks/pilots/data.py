"""What pilots read: the corpus, channels of the weather kept on disk, finetuning tasks.

Everything is written under the folder of runs once and memory-mapped afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.pilots import climate
from xstefaland.inputs.climate import CLIMATE_INDICES
from xstefaland.model.process import AVAILABLE, CHANNELS, MEMORY, process_channels
from xstefaland.training import corpus as corpora
from xstefaland.training import tasks
from xstefaland.training.corpus import Batch, Corpus, Shard
from xstefaland.weights.files import read
from xstefaland.weights.registry import BUNDLED

Floats = NDArray[np.float32]
PERIODS = {
    "streamflow": ("1993-10-01", "2008-09-30"),
    "soil_moisture": ("2009-01-01", "2024-04-30"),
}
WEATHER = ("precipitation", "temperature", "potential_evapotranspiration")
CALENDAR = ("day_sine", "day_cosine")
REQUIRED = ("precipitation", "temperature")
EARTH_KM, APART_KM = 6371.0, 10.0


def open_corpus(runs: Path, data: Path) -> Corpus:
    """Open the corpus of the runs; build it first where there is none."""
    folder = runs / "corpus"
    if not (folder / "data.json").exists():
        corpora.build(data, folder)
    return MemoryCorpus(folder)


def site_roles(corpus: Corpus) -> pd.Series:
    """Role of every corpus site, the same in all pilots.

    The places are those that the bundled encoder never saw, read from its card: a new
    draw with its seed gives others as soon as any file of the corpus has other sites.
    """
    from sklearn.neighbors import BallTree

    sites = corpus.sites
    left_out = read(BUNDLED / "stefaland-base-v1.safetensors").card.left_out
    held = sites["site"].isin(left_out).to_numpy()
    radians = np.deg2rad(sites[["lat", "lon"]].to_numpy(np.float64))
    distance = BallTree(radians[held], metric="haversine").query(radians)[0][:, 0]
    near = distance * EARTH_KM <= APART_KM
    same = sites["gauge"].isin(set(sites.loc[held, "gauge"]) - {""}).to_numpy()
    role = np.where(held, "held out", np.where(near | same, "dropped", "train"))
    return pd.Series(role, index=sites.index, name="role")


def channels(shard: Shard, kind: str) -> NDArray[np.float16]:
    """Map the channels of a source ``(site, day, channel)``; compute them once.

    `kind` is "channels" (inputs of heads, with spin-up) or "memory" (targets of
    encoders: missing on the first days, before which there is no weather to remember).
    """
    names = {"channels": CHANNELS, "memory": MEMORY}[kind]
    path = shard.folder / f"{kind}.npy"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        shape = (*shard.forcing.shape[:2], len(names))
        out = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
        columns = [shard.variables.index(name) for name in WEATHER]
        for first in range(0, len(out), 16):
            weather = torch.from_numpy(shard.forcing[first : first + 16][..., columns])
            out[first : first + 16] = process_channels(weather, names).numpy()
        if kind == "memory":
            for column, name in enumerate(names):
                out[:, : _needed(name), column] = np.nan
        out.flush()
        unfinished.rename(path)
    mapped: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return mapped


def _needed(name: str) -> int:
    """Days of weather before a channel says what it should."""
    channel = AVAILABLE[name]
    return channel.number if channel.kind == "mean" else 365


@dataclass(frozen=True)
class MemoryBatch(Batch):
    """A batch with what the encoder should remember, and climates of other periods.

    Attributes
    ----------
    memory : ndarray
        ``(window, day, channel)``.
    climate : ndarray
        ``(window, index)``, from a random stretch of the record.
    """

    memory: NDArray[np.float16]
    climate: Floats


class MemoryCorpus(Corpus):
    """The corpus, with memory targets beside each window and Caravan at half weight."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if "caravan" in self.shards:  # its 100-day records took a third of the updates
            self.shards["caravan"].repeats = 1

    def batch(
        self, name: str, rows: NDArray[np.int64], starts: NDArray[np.int64], days: int
    ) -> MemoryBatch:
        """Read windows; see :meth:`Corpus.batch`."""
        plain = super().batch(name, rows, starts, days)
        memory = channels(self.shards[name], "memory")
        taken = [
            memory[row, start : start + days]
            for row, start in zip(rows, starts, strict=True)
        ]
        which = np.random.default_rng(starts).integers(
            climate.RENDERINGS, size=len(rows)
        )
        other = climate.renderings(self.shards[name])[rows, which]
        return MemoryBatch(**vars(plain), memory=np.stack(taken), climate=other)


def plain_task(corpus: Corpus, target: str) -> tasks.Task:
    """Observations with the corpus's own inputs, as encoders see them."""
    start, end = PERIODS[target]
    return tasks.load_task(corpus, target, site_roles(corpus), start=start, end=end)


def wide_task(corpus: Corpus, plain: tasks.Task) -> tasks.Task:
    """Add calendar, channels and latitude to what heads may take."""
    keep = [plain.forcing_names.index(name) for name in tasks.STREAMFLOW_FORCING]
    sources = []
    for source in plain.sources:
        shard = corpus.shards[source.name]
        rows = pd.Index(shard.sites["site"]).get_indexer(source.sites["site"])
        first = (source.dates[0] - shard.sites["start"].iloc[0]).days
        days = slice(first, first + len(source.dates))
        angle = source.dates.day_of_year.to_numpy() * (2 * np.pi / 365.25)
        calendar = np.stack([np.sin(angle), np.cos(angle)], -1).astype(np.float32)
        shape = (*source.forcing.shape[:2], 2)
        extra = channels(shard, "channels")[rows, days].astype(np.float32)
        latitude = source.sites["lat"].to_numpy(np.float32)[:, None]
        parts = [source.forcing[..., keep], np.broadcast_to(calendar, shape), extra]
        sources.append(
            replace(
                source,
                forcing=np.concatenate(parts, -1),
                attributes=np.concatenate([source.attributes, latitude], -1),
            )
        )
    return replace(
        plain,
        sources=tuple(sources),
        forcing_names=(*tasks.STREAMFLOW_FORCING, *CALENDAR, *CHANNELS),
        attribute_names=(*plain.attribute_names, "latitude"),
    )


Hidden = dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]


def hidden_inputs(plain: tasks.Task) -> tuple[Hidden, Hidden]:
    """Draw what is hidden, for the plain task and in the columns of the wide one.

    Channels, calendar and latitude stay: they follow from what is required.
    """
    hidden = tasks.drop_inputs(plain, REQUIRED, 1)
    keep = [plain.forcing_names.index(name) for name in tasks.STREAMFLOW_FORCING]
    more = len(CALENDAR) + len(CHANNELS)
    wide = {
        name: (
            np.pad(forcing[:, keep], ((0, 0), (0, more))),
            np.pad(attributes, ((0, 0), (0, 1))),
        )
        for name, (forcing, attributes) in hidden.items()
    }
    return hidden, wide


def site_climates(corpus: Corpus, task: tasks.Task) -> dict[str, Floats]:
    """Find other climate attributes ``(site, rendering, index)`` by source."""
    found = {}
    for source in task.sources:
        shard = corpus.shards[source.name]
        rows = pd.Index(shard.sites["site"]).get_indexer(source.sites["site"])
        found[source.name] = climate.renderings(shard)[rows]
    return found


def with_climate(task: tasks.Task, climates: dict[str, Floats]) -> tasks.Task:
    """Put other climate attributes ``(site, index)`` in place of those there."""
    columns = [task.attribute_names.index(name) for name in CLIMATE_INDICES]
    sources = []
    for source in task.sources:
        attributes = source.attributes.copy()
        attributes[:, columns] = climates[source.name]
        sources.append(replace(source, attributes=attributes))
    return replace(task, sources=tuple(sources))


def standardised(task: tasks.Task) -> tasks.Task:
    """Give each site's target by its own mean and deviation."""
    sources = []
    for source in task.sources:
        mean = np.nanmean(source.target, 1, keepdims=True)
        spread = np.nanstd(source.target, 1, keepdims=True)
        target = ((source.target - mean) / spread).astype(np.float32)
        sources.append(replace(source, target=target))
    return replace(task, sources=tuple(sources))


def typical(task: tasks.Task) -> tuple[float, float]:
    """Median over training sites of the mean and the deviation of the target."""
    rows = [s.target[(s.sites["role"] == "train").to_numpy()] for s in task.sources]
    mean = np.concatenate([np.nanmean(r, 1) for r in rows])
    spread = np.concatenate([np.nanstd(r, 1) for r in rows])
    return float(np.median(mean)), float(np.median(spread))
