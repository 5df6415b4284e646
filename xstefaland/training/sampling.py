"""Windows of records, drawn at random where there are observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xstefaland.errors import InputError
from xstefaland.model import HeadConfig
from xstefaland.training.tasks import Floats, Records, Task
from xstefaland.training.versions import Version, hide

SPARSE = 0.2
"""Share of a window's days that are observed, if the site has such windows."""


@dataclass(frozen=True)
class Sample:
    """One batch of windows as tensors."""

    embedding: Tensor  # (B, T, d)
    forcing: Tensor  # (B, T, forcing)
    attributes: Tensor  # (B, attribute)
    channels: Tensor  # (B, T, channel)
    day_of_year: Tensor  # (B, T)
    latitude: Tensor  # (B,)
    observed: Tensor  # (B, T, 1)
    deviation: Tensor  # (B, 1), the unit of errors
    statistics: Tensor  # (B, 2), mean and deviation of the site's observations

    def to(self, device: torch.device) -> Sample:
        """Return the same batch on a device."""
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self)}
        return Sample(**moved)

    def inputs(self) -> dict[str, Any]:
        """Return what a head is called with; its states start cold."""
        names = ("embedding", "forcing", "attributes", "channels", "day_of_year")
        given = {name: getattr(self, name) for name in (*names, "latitude")}
        return {**given, "spinup_days": 0}


@dataclass(frozen=True)
class TrainingSite:
    """A training site and the first days of its windows that have observations."""

    records: Records
    row: int
    starts: NDArray[np.int64]
    deviation: float
    statistics: tuple[float, float]


class Sampler:
    """Random windows of the training sites; the same for every head with one seed.

    Parameters
    ----------
    task : Task
        Inputs and observations.
    config : HeadConfig
        Which of them the head takes.
    versions : sequence of Version
        The first is the complete input, the others have inputs hidden.
    days, warmup : int
        Scored days of a window, and days before them that only fill the states; both
        are shortened where a record is.
    batch_size : int
        Windows at once.
    full_share : float
        Share of batches in which no input was hidden.
    per_site : bool
        Whether errors are counted in each site's own deviation.
    seed : int
        Of the draws; a draw depends on it and on its number alone.

    Raises
    ------
    InputError
        When no training site has an observation after the first days.
    """

    def __init__(
        self,
        task: Task,
        config: HeadConfig,
        versions: Sequence[Version],
        *,
        days: int,
        warmup: int,
        batch_size: int,
        full_share: float = 0.6,
        per_site: bool = True,
        seed: int = 0,
    ) -> None:
        shortest = min(len(records.dates) for records in task.records)
        self.warmup = min(warmup, shortest // 4)
        self.days = min(days + self.warmup, shortest)
        self.batch_size, self.full_share, self.seed = batch_size, full_share, seed
        self.versions = versions
        self.embedded, self.channels = config.embeds, config.channels
        self.forcing = [task.forcing_names.index(n) for n in config.forcing]
        self.attributes = [task.attribute_names.index(n) for n in config.attributes]
        training = [r.observed[r.rows("train")].ravel() for r in task.records]
        self.overall = _statistics(np.concatenate(training))[1]
        self.days_of_year = {
            records.name: records.dates.day_of_year.to_numpy(np.float32)
            for records in task.records
        }
        self.sites = self._sites(task, per_site)

    def _sites(self, task: Task, per_site: bool) -> list[TrainingSite]:
        """Find the windows with observations of every training site."""
        sites = []
        for records in task.records:
            for row in records.rows("train"):
                starts = self._starts(records.observed[row])
                found = _statistics(records.observed[row])
                unit = found[1] if per_site else self.overall
                if len(starts):
                    sites.append(TrainingSite(records, int(row), starts, unit, found))
        if not sites:
            raise InputError(
                f"no training site has observations of {task.target.name!r} after the "
                f"first {self.warmup} days of its record; pass longer records"
            )
        return sites

    def _starts(self, observed: Floats) -> NDArray[np.int64]:
        """First days of windows: a fifth observed, else as much as the site has."""
        seen = np.pad(np.isfinite(observed).cumsum(), (1, 0))
        last = len(observed) - self.days + 1
        count = seen[self.days :] - seen[self.warmup : self.warmup + last]
        enough = max(1, min(SPARSE * (self.days - self.warmup), count.max()))
        return np.flatnonzero(count >= enough)

    def draw(self, number: int) -> Sample:
        """Draw batch `number`; every site is as likely as any other."""
        rng = np.random.default_rng([self.seed, number])
        full = rng.random() < self.full_share or len(self.versions) == 1
        version = 0 if full else int(rng.integers(1, len(self.versions)))
        rows = []
        for _ in range(self.batch_size):
            site = self.sites[rng.integers(len(self.sites))]
            start = int(rng.choice(site.starts))
            rows.append(self._row(version, site, slice(start, start + self.days)))
        columns = [torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)]
        return Sample(*columns)

    def _row(
        self, version: int, site: TrainingSite, window: slice
    ) -> tuple[Floats, ...]:
        """One window as arrays, in the order of :class:`Sample`."""
        records, row = site.records, site.row
        made = self.versions[version]
        caches = made.embeddings
        forcing, attributes = hide(records, made.hidden, row, window, made.attributes)
        embedding = np.zeros((1, 1), np.float32)
        if self.embedded and caches is not None:
            embedding = caches[records.name][row, window].astype(np.float32)
        return (
            embedding,
            forcing[:, self.forcing],
            attributes[self.attributes],
            made.process(records, row, self.channels, window),
            self.days_of_year[records.name][window],
            made.latitude(records, row),
            records.observed[row, window][:, None],
            np.array([site.deviation], np.float32),
            np.array(site.statistics, np.float32),
        )


def _statistics(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of what is there, 0 where nothing is."""
    finite = values[np.isfinite(values)]
    return (float(finite.mean()), float(finite.std())) if finite.size else (0.0, 0.0)
