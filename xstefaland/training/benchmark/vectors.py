"""Embeddings of others in place of ours: vectors of sites, or of sites and days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.training.external import UNNAMED
from xstefaland.training.tasks import Floats, Records, Task
from xstefaland.training.versions import Cache


@dataclass(frozen=True, eq=False)
class Vectors:
    """Embeddings of others for any task.

    Parameters
    ----------
    name : str
        What they are, for the card of a head.
    daily : bool
        Whether they change with time.
    find : callable
        From a task to vectors of each record, ``(site, day, width)``.
    """

    name: str
    daily: bool
    find: Callable[[Task], Cache]

    def __call__(self, task: Task) -> Cache:
        """Find the vectors of a task's sites and days."""
        return self.find(task)


def given(array: xr.DataArray) -> Vectors:
    """Take vectors from an array, such as those of AlphaEarth or TerraMind.

    Parameters
    ----------
    array : xarray.DataArray
        Dims ``(site, embedding)`` or ``(site, time, embedding)``, whatever the name of
        the first; its labels are the sites' labels, or ids where several data sets
        have one. Days it lacks have the last vector before them.

    Returns
    -------
    Vectors
        To be passed as ``Head(..., encoder=given(array))``.

    Raises
    ------
    InputError
        For other dims, and when it is used, for sites without vectors.
    """
    site, *days, last = array.dims
    if len(days) > 1 or (days and days != ["time"]):
        raise InputError(
            f"vectors have the dims {array.dims}; needed are (site, embedding) or "
            "(site, time, embedding)"
        )
    labels = array.indexes[site].astype(str)
    daily = (
        array if days else array.expand_dims(time=[np.datetime64("NaT", "ns")], axis=1)
    )
    daily = daily.transpose(site, "time", last).sortby("time")

    def find(task: Task) -> Cache:
        return {r.name: _of_records(daily, labels.get_indexer, r) for r in task.records}

    own = UNNAMED if array.name is None else array.name
    name = str(array.attrs.get("source", own))
    return Vectors(name, bool(days), find)


def _of_records(
    daily: xr.DataArray, positions: Callable[..., np.ndarray], records: Records
) -> np.ndarray:
    """Bring vectors to the sites and days of records."""
    places = positions(records.sites["label"].astype(str))
    by_id = positions(records.sites["site"].astype(str))
    places = np.where(places >= 0, places, by_id)
    if (places < 0).any():
        lacking = records.sites["label"][places < 0].tolist()[:5]
        raise InputError(
            f"the vectors lack {(places < 0).sum()} sites, such as {lacking}"
        )
    values = np.asarray(daily.values, np.float16)[places]
    if daily.sizes["time"] == 1:
        count, _, width = values.shape
        return np.broadcast_to(values, (count, len(records.dates), width))
    known = daily.indexes["time"]
    rows = known.get_indexer(records.dates, method="ffill")
    return np.asarray(values[:, np.where(rows >= 0, rows, 0)])


def climate_components(task: Task, number: int = 16) -> Cache:
    """Principal components of the attributes: a stand-in where no file is at hand.

    Scaled by the training sites; what is missing counts as their mean.
    """
    train = np.concatenate([r.attributes[r.rows("train")] for r in task.records])
    there = np.isfinite(train)
    mean = np.where(there, train, 0).sum(0) / np.maximum(there.sum(0), 1)
    spread = np.nanstd(np.where(there, train, mean), axis=0)
    spread[spread == 0] = 1.0

    def scaled(values: Floats) -> Floats:
        filled = np.where(np.isfinite(values), values, mean)
        return np.asarray((filled - mean) / spread, np.float32)

    axes = np.linalg.svd(scaled(train), full_matrices=False)[2][:number]
    return {
        r.name: np.broadcast_to(
            (scaled(r.attributes) @ axes.T).astype(np.float16)[:, None],
            (len(r.sites), len(r.dates), len(axes)),
        )
        for r in task.records
    }


COMPONENTS = Vectors(
    "principal components of the attributes, a stand-in", False, climate_components
)
