"""Process channels of whole records, computed once and kept on disk for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from xstefaland.model.process import SPINUP_DAYS, WEATHER, process_channels
from xstefaland.training.tasks import Floats, Records, Task

AT_ONCE = 16
"""Sites whose channels are computed together."""


@dataclass(frozen=True)
class Channels:
    """Process channels of all records.

    Attributes
    ----------
    names : tuple of str
        Of :data:`xstefaland.model.process.AVAILABLE`.
    values : mapping
        Per records, float16 ``(site, day, channel)``.
    """

    names: tuple[str, ...]
    values: Mapping[str, NDArray[np.float16]]

    def columns(self, wanted: Sequence[str]) -> list[int]:
        """Return the positions of some channels; ValueError where one is not kept."""
        return [self.names.index(name) for name in wanted]


def cache_channels(
    task: Task, names: Sequence[str], folder: Path, *, causal: bool = False
) -> Channels:
    """Compute channels as heads do in predictions, into memory-mapped float16 files.

    They follow from what heads require, so they are the same whatever else is hidden.
    Dropped sites are left out. Files that are there already are used as they are.

    Parameters
    ----------
    task : Task
        Its records have the forcing :data:`xstefaland.model.process.WEATHER`.
    names : sequence of str
        Of :data:`xstefaland.model.process.AVAILABLE`.
    folder : Path
        Where the files go, one a record.
    causal : bool
        For heads that answer causally: stores start empty, gaps are filled from
        earlier days.

    Returns
    -------
    Channels
        Missing (NaN) where a site lacks one of the three series altogether.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {}
    for records in task.records:
        path = folder / f"{records.name}.npy"
        if not path.exists():
            columns = [task.forcing_names.index(name) for name in WEATHER]
            _write(path, records, columns, names, causal)
        values[records.name] = np.load(path, mmap_mode="r")
    return Channels(tuple(names), values)


def _write(
    path: Path,
    records: Records,
    columns: Sequence[int],
    names: Sequence[str],
    causal: bool,
) -> None:
    """Write one file of channels, whole or not at all."""
    unfinished = path.with_suffix(".part")
    shape = (*records.observed.shape, len(names))
    out = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    used = records.used()
    for first in range(0, len(used), AT_ONCE):
        part = used[first : first + AT_ONCE]
        weather: Floats = records.forcing[part][..., list(columns)]
        spinup = 0 if causal else SPINUP_DAYS
        found = process_channels(
            torch.from_numpy(weather), names, spinup=spinup, causal=causal
        )
        out[part] = found.numpy()
    out.flush()
    unfinished.rename(path)
