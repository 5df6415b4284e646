"""Tasks: observations of a target beside the model's inputs, from any Dataset.

Inputs pass :func:`xstefaland.inputs.prepare.prepare`, as in every prediction: nothing
is converted or derived here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inference.blocks import embed_block
from xstefaland.inputs.examine import NO_HINTS, Hints
from xstefaland.inputs.observed import observations
from xstefaland.inputs.prepare import prepare
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import StefaLand
from xstefaland.weights.targets import TargetSpec

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Records:
    """Sites that share their days: inputs as a model gets them, and observations.

    Attributes
    ----------
    name : str
        Of the data set they come from.
    forcing : ndarray
        ``(site, day, forcing)`` in the order of the task's requirements.
    attributes : ndarray
        ``(site, attribute)``.
    latitude : ndarray
        Degrees north ``(site,)``.
    observed : ndarray
        Observations ``(site, day)`` in the target's units, NaN = missing.
    sites : DataFrame
        One row a site: ``site`` (unique id), ``lat``, ``lon``, ``role`` ("train",
        "held out" or "dropped").
    dates : DatetimeIndex
        Days of the record.
    positions : ndarray
        Where the sites stand among all sites of the Dataset.
    """

    name: str
    forcing: Floats
    attributes: Floats
    latitude: Floats
    observed: Floats
    sites: pd.DataFrame
    dates: pd.DatetimeIndex
    positions: NDArray[np.int64]

    def rows(self, role: str) -> NDArray[np.int64]:
        """Return the positions of the sites with a role."""
        return np.flatnonzero((self.sites["role"] == role).to_numpy())


@dataclass(frozen=True)
class Task:
    """A target on real sites."""

    target: TargetSpec
    records: tuple[Records, ...]
    requirements: Requirements

    @property
    def forcing_names(self) -> tuple[str, ...]:
        """Names along the last axis of the forcing."""
        return tuple(variable.name for variable in self.requirements.forcing)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names along the last axis of the attributes."""
        return tuple(variable.name for variable in self.requirements.attributes)

    @property
    def sites(self) -> pd.DataFrame:
        """All sites of all records."""
        return pd.concat([r.sites for r in self.records], ignore_index=True)

    @property
    def known_forcing(self) -> tuple[str, ...]:
        """Forcings that some site has."""
        known = [np.isfinite(r.forcing).any((0, 1)) for r in self.records]
        return _chosen(self.forcing_names, np.any(known, axis=0))

    @property
    def known_attributes(self) -> tuple[str, ...]:
        """Attributes that more than half of the sites have."""
        values = np.concatenate([r.attributes for r in self.records])
        return _chosen(self.attribute_names, np.isfinite(values).mean(0) > 0.5)

    def with_roles(self, roles: Mapping[str, str]) -> Task:
        """Return the same task with other roles, by site id."""
        records = tuple(
            replace(r, sites=r.sites.assign(role=r.sites["site"].map(roles)))
            for r in self.records
        )
        return replace(self, records=records)

    def fingerprint(self) -> str:
        """Hash of all inputs and observations."""
        digest = hashlib.sha256(repr(self.target).encode())
        for r in self.records:
            for array in (r.forcing, r.attributes, r.latitude, r.observed):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _chosen(names: Sequence[str], chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, good in zip(names, chosen, strict=True) if good)


def read_records(
    ds: xr.Dataset,
    target: TargetSpec,
    requirements: Requirements,
    *,
    observed: str | None = None,
    hints: Hints = NO_HINTS,
    name: str = "data",
    period: slice | None = None,
    minimum_days: int = 365,
) -> Records | None:
    """Prepare the sites of a Dataset that have observations.

    Parameters
    ----------
    ds : xarray.Dataset
        Inputs, as for :func:`xstefaland.predict`, and the observed variable.
    target : TargetSpec
        What is observed.
    requirements : Requirements
        What the model asks for.
    observed : str, optional
        Name of the observed variable; default: the target's name.
    hints : Hints
        What the user says beside. `units` may name those of the observations.
    name : str
        Put before the ids of the sites where there are several data sets.
    period : slice, optional
        Days to use.
    minimum_days : int
        Sites with fewer observations are left out.

    Returns
    -------
    Records or None
        None where no site has enough observations.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset.
    """
    source = observed or target.name
    stated = dict(hints.units or {})
    unit = stated.pop(source, None)
    inputs = ds.drop_vars(source, errors="ignore")
    prepared = prepare(inputs, requirements, replace(hints, units=stated or None))
    wanted = VariableSpec(
        target.name, target.units, minimum=target.minimum, maximum=target.maximum
    )
    truth = observations(ds, source, wanted, prepared.examination, units=unit)
    dates = pd.DatetimeIndex(prepared.forcing.indexes["time"])
    first, last, _ = _span(dates, period)
    series = _flat(truth.values, 1)[:, first:last]
    rows = np.flatnonzero(np.isfinite(series).sum(1) >= minimum_days)
    if not len(rows):
        return None
    return Records(
        name,
        _flat(prepared.forcing.values, 2)[rows, first:last],
        _flat(prepared.attributes.values, 1)[rows],
        _flat(prepared.latitude.values, 0)[rows],
        series[rows],
        _sites(ds, prepared.site_dims, name).iloc[rows].reset_index(drop=True),
        dates[first:last],
        rows,
    )


def _span(dates: pd.DatetimeIndex, period: slice | None) -> tuple[int, int, int]:
    if period is None:
        return 0, len(dates), 1
    return dates.slice_indexer(period.start, period.stop).indices(len(dates))


def _flat(values: NDArray[np.float32], own: int) -> Floats:
    """Bring all site dims to one; `own` axes at the end stay."""
    array = np.asarray(values, np.float32)
    return array.reshape(-1, *array.shape[array.ndim - own :])


def _sites(ds: xr.Dataset, dims: tuple[str, ...], name: str) -> pd.DataFrame:
    """Id and position of every site, in the order of the flattened dims."""
    sizes = {dim: ds.sizes[dim] for dim in dims}
    labels = [ds[dim].values for dim in dims]
    index = pd.MultiIndex.from_product(labels) if labels else [("site",)]
    ids = [f"{name}-{'-'.join(map(str, key))}" for key in index]
    table = pd.DataFrame({"site": ids, "role": "train"})
    for column, names in (
        ("lat", ("latitude", "lat", "gauge_lat")),
        ("lon", ("longitude", "lon", "gauge_lon")),
    ):
        found = next((n for n in names if n in ds.variables), None)
        values: NDArray[np.float64] = np.full(len(ids), np.nan)
        if found is not None and set(ds[found].dims) <= set(dims):
            array = ds[found].reset_coords(drop=True)
            lacking = {d: n for d, n in sizes.items() if d not in array.dims}
            values = array.expand_dims(lacking).transpose(*dims).values
        table[column] = np.asarray(values, np.float64).ravel()
    gauge = ds["gauge"].values.astype(str) if "gauge" in ds.variables else ""
    return table.assign(gauge=np.broadcast_to(gauge, len(ids)))


def make_task(
    records: Sequence[Records | None], target: TargetSpec, requirements: Requirements
) -> Task:
    """Join records into a task.

    Raises
    ------
    InputError
        When no site has enough observations.
    """
    there = tuple(each for each in records if each is not None)
    if not there:
        raise InputError(
            f"no site has enough observations of {target.name!r}; lower minimum_days=, "
            "or look for other data"
        )
    return Task(target, there, requirements)


Hidden = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]


def drop_inputs(task: Task, required: Sequence[str], seed: int) -> Hidden:
    """Draw, per site, inputs to hide: whole forcings, attribute groups, all attributes.

    Returns
    -------
    dict
        Per records, True = hidden, ``(site, forcing)`` and ``(site, attribute)``.
        Variables in `required` are never hidden.
    """
    rng = np.random.default_rng(seed)
    groups = np.array([str(CATALOGUE[n].group) for n in task.attribute_names])
    hidden = {}
    for records in task.records:
        count = len(records.sites)
        forcing = rng.random((count, len(task.forcing_names))) < rng.random((count, 1))
        forcing[:, [task.forcing_names.index(n) for n in required]] = False
        attributes = np.zeros((count, len(groups)), bool)
        for group in np.unique(groups):
            attributes[:, groups == group] = rng.random((count, 1)) < 0.4
        attributes |= rng.random((count, 1)) < 0.4
        hidden[records.name] = forcing, attributes
    return hidden


def hide(records: Records, hidden: Hidden | None) -> tuple[Floats, Floats]:
    """Return forcing and attributes of some records without what is hidden."""
    if hidden is None:
        return records.forcing, records.attributes
    forcing, attributes = hidden[records.name]
    return (
        np.where(forcing[:, None, :], np.float32(np.nan), records.forcing),
        np.where(attributes, np.float32(np.nan), records.attributes),
    )


def cache_embeddings(
    model: StefaLand,
    task: Task,
    folder: Path,
    hidden: Hidden | None = None,
    precision: str = "bfloat16",
    causal: bool = False,
) -> dict[str, NDArray[np.float16]]:
    """Embed all records once, as inference does, into memory-mapped float16 files.

    Files that are there already are used as they are.

    Returns
    -------
    dict
        Per records, ``(site, day, d)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    caches = {}
    for records in task.records:
        path = folder / f"{records.name}.npy"
        if not path.exists():
            _embed(model, task, records, path, hidden, precision, causal)
        caches[records.name] = np.load(path, mmap_mode="r")
    return caches


def _embed(
    model: StefaLand,
    task: Task,
    records: Records,
    path: Path,
    hidden: Hidden | None,
    precision: str,
    causal: bool,
) -> None:
    """Write one file of embeddings, whole or not at all."""
    forcing, attributes = hide(records, hidden)
    own = [task.forcing_names.index(name) for name in model.config.forcing]
    static = [task.attribute_names.index(name) for name in model.config.attributes]
    shape = (*forcing.shape[:2], model.config.d_model)
    unfinished = path.with_suffix(".part")
    out = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    day = records.dates.day_of_year.to_numpy(np.float32)
    for first in range(0, len(forcing), 16):
        part = slice(first, first + 16)
        embedding = embed_block(
            model,
            forcing[part][:, :, own],
            attributes[part][:, static],
            records.latitude[part],
            day,
            precision=precision,
            causal=causal,
        )
        out[part] = np.nan_to_num(embedding)  # before the first weather, read causally
    out.flush()
    unfinished.rename(path)
