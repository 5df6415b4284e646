"""Memory targets: what the encoder must know of the days before, beside the weather.

The series :data:`xstefaland.model.process.MEMORY` follow from precipitation,
temperature and potential evapotranspiration alone, so every record has them and no
observation is needed. They are computed once from whole records, with the past that a
window has lost, and from earlier days only: the same targets serve batches that are
read both ways and batches that are read causally.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from xstefaland.model.process import (
    AVAILABLE,
    MEMORY,
    SITES_AT_ONCE,
    SPINUP_DAYS,
    WEATHER,
    process_channels,
)
from xstefaland.model.scaling import Scaling
from xstefaland.training.corpus import Batch, Corpus
from xstefaland.training.losses import masked_mean_square
from xstefaland.training.shards import Bools, Floats, Shard

Halves = NDArray[np.float16]

SITE_STEP, DAY_STEP = 4, 61  # what part of the records statistics are taken from


def memory_targets(shard: Shard) -> Halves:
    """Map the targets of a source; compute them first where there are none.

    They are kept beside the shard, 156 bytes for each site and day.

    Parameters
    ----------
    shard : Shard
        Source with records of weather.

    Returns
    -------
    numpy.ndarray
        ``(site, day, target)`` in the order and units of
        :data:`~xstefaland.model.process.MEMORY`, memory-mapped. Known on days with
        weather, once the record had as many of them as a target looks back on: the
        length of an average, and a year for stores, which start empty. NaN throughout
        where the source lacks one of the three forcings.
    """
    folder = shard.folder / "memory"
    names = folder / "names.json"
    if not names.exists() or json.loads(names.read_text()) != list(MEMORY):
        shutil.rmtree(folder, ignore_errors=True)
        _write(shard, folder.with_suffix(".part"))
        folder.with_suffix(".part").rename(folder)
    mapped: Halves = np.load(folder / "targets.npy", mmap_mode="r")
    return mapped


def _write(shard: Shard, folder: Path) -> None:
    """Compute the targets of a source, some sites at a time."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shape = (*shard.forcing.shape[:2], len(MEMORY))
    out = open_memmap(folder / "targets.npy", "w+", np.float16, shape)
    for first in range(0, len(out), SITES_AT_ONCE):
        rows = slice(first, first + SITES_AT_ONCE)
        out[rows] = _targets(_weather(shard, rows))
    out.flush()
    (folder / "names.json").write_text(json.dumps(MEMORY))


def _weather(shard: Shard, rows: slice) -> Tensor:
    """Read precipitation, temperature and PET; NaN where the source has none."""
    forcing = shard.forcing[rows]
    weather = np.full((*forcing.shape[:2], len(WEATHER)), np.nan, np.float32)
    for column, name in enumerate(WEATHER):
        if name in shard.variables:
            weather[..., column] = forcing[..., shard.variables.index(name)]
    return torch.from_numpy(weather)


def _targets(weather: Tensor) -> Halves:
    """Compute the targets of whole records, without those that lack their past."""
    values = process_channels(weather, MEMORY, spinup=0, causal=True)
    seen = weather.isfinite().all(-1, keepdim=True)
    needed = torch.tensor([_days_needed(name) for name in MEMORY])
    unknown = ~seen | (seen.cumsum(1) < needed)
    found: Halves = values.masked_fill_(unknown, torch.nan).half().numpy()
    return found


def _days_needed(name: str) -> int:
    """Days of weather, with today, after which a target says what it should."""
    channel = AVAILABLE[name]
    return channel.number if channel.kind == "mean" else SPINUP_DAYS + 1


class Targets:
    """The memory targets of a corpus, read window by window.

    Parameters
    ----------
    corpus : Corpus
        Whose sources they belong to.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.sources = {n: memory_targets(shard) for n, shard in corpus.shards.items()}

    def of(self, batch: Batch) -> Tensor:
        """Read the targets of a batch's days ``(window, day, target)``, float32."""
        days, series = batch.forcing.shape[1], self.sources[batch.source]
        windows = [
            series[row, start : start + days]
            for row, start in zip(batch.rows, batch.starts, strict=True)
        ]
        return torch.from_numpy(np.stack(windows)).float()

    def statistics(self, keep: Mapping[str, Bools]) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each target over the sites to keep."""
        parts = [
            series[np.flatnonzero(keep[name])[::SITE_STEP], ::DAY_STEP]
            for name, series in self.sources.items()
        ]
        values = np.concatenate([part.reshape(-1, len(MEMORY)) for part in parts])
        known = np.isfinite(values)
        count = np.maximum(known.sum(0), 1)
        filled = np.where(known, values, 0).astype(np.float64)
        mean = filled.sum(0) / count
        spread = np.sqrt((np.where(known, filled - mean, 0) ** 2).sum(0) / count)
        spread = np.where(spread > 1e-3, spread, 1.0)
        return mean.astype(np.float32), spread.astype(np.float32)


class ReadOut(nn.Module):
    """Linear map from day tokens to scaled memory targets; no part of the weights.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_model, len(MEMORY))
        self.scaling = Scaling(len(MEMORY))

    @classmethod
    def scaled(cls, d_model: int, mean: Floats, spread: Floats) -> ReadOut:
        """Build it with the statistics of the targets."""
        made = cls(d_model)
        made.scaling.assign(mean.tolist(), spread.tolist(), [False] * len(mean))
        return made

    def forward(self, tokens: Tensor) -> Tensor:
        """Day and static tokens ``(B, T + 1, d)`` to scaled targets of the days."""
        out: Tensor = self.linear(tokens[:, :-1])
        return out

    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of scaled targets; every target counts the same.

        Parameters
        ----------
        predicted : Tensor
            What :meth:`forward` gives.
        targets : Tensor
            In their own units, NaN where unknown; same shape.
        """
        scaled: Tensor = self.scaling(targets)
        error = predicted.float() - scaled.nan_to_num()
        return masked_mean_square(error, ~scaled.isnan())
