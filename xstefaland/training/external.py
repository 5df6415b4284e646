"""Embeddings of others in training: vectors of the sites and days of a task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inputs.external import TIME, aligned
from xstefaland.training.tasks import Records, Task
from xstefaland.training.versions import Cache
from xstefaland.weights.card import ExternalEmbeddings

UNNAMED = "embeddings"


@dataclass(frozen=True)
class Given:
    """Embeddings of others, at the sites and days of a task.

    Attributes
    ----------
    about : ExternalEmbeddings
        What the card says of them.
    cache : mapping
        Per records, ``(site, day, width)``.
    """

    about: ExternalEmbeddings
    cache: Cache

    def fingerprint(self) -> str:
        """Hash of all vectors."""
        digest = hashlib.sha256(repr(self.about).encode())
        for name, values in self.cache.items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def given_embeddings(
    data: Mapping[str, xr.Dataset], task: Task, embeddings: xr.DataArray
) -> Given:
    """Find the vectors of a task's sites and days, as predictions do.

    Parameters
    ----------
    data : mapping of str to Dataset
        What the task was read from.
    task : Task
        Its records.
    embeddings : xarray.DataArray
        See :func:`xstefaland.inputs.external.aligned`. Its name, or its attribute
        ``source``, is what the card calls it.

    Raises
    ------
    InputError
        When training sites lack vectors.
    """
    cache = {r.name: _of_records(data[r.name], r, embeddings) for r in task.records}
    lacking = [
        label
        for r in task.records
        for label, vectors in zip(r.sites["label"], cache[r.name], strict=True)
        if not np.isfinite(vectors).all()
    ]
    if lacking:
        raise InputError(
            f"embeddings= lack {len(lacking)} sites with observations, such as "
            f"{lacking[:5]}; leave these out with `sites=`, or give them vectors"
        )
    name = embeddings.name
    what = str(embeddings.attrs.get("source", UNNAMED if name is None else name))
    width = next(iter(cache.values())).shape[-1]
    return Given(
        ExternalEmbeddings(name=what, width=width, daily=TIME in embeddings.dims), cache
    )


def _of_records(
    ds: xr.Dataset, records: Records, embeddings: xr.DataArray
) -> np.ndarray:
    """Vectors of some records ``(site, day, width)``, one for all days as a view."""
    found = aligned(ds, embeddings)
    width, count = found.shape[-1], len(records.dates)
    sites = [dim for dim in found.dims[:-1] if dim != TIME]
    if TIME not in found.dims:
        values = found.values.reshape(-1, 1, width)[records.positions]
        shape = (len(values), count, width)
        return np.broadcast_to(values.astype(np.float16), shape)
    days = pd.DatetimeIndex(found.indexes[TIME]).normalize()
    rows = np.maximum(days.get_indexer(records.dates.normalize(), method="ffill"), 0)
    values = found.transpose(*sites, TIME, ...).values.reshape(-1, len(days), width)
    return values[records.positions][:, rows].astype(np.float16)
