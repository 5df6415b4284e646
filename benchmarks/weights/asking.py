"""Ask a weights file at the held-out places, from the archives, as a user would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import xstefaland
from xstefaland import metrics
from xstefaland.options import set_options
from xstefaland.training.sources import SOURCES
from xstefaland.training.tasks import Records, Task
from xstefaland.weights.files import Weights
from xstefaland.weights.targets import TARGETS

from .heads import SCORES
from .splits import places, unseen

FIRST, MINIMUM = 365, 90  # days that are not scored; days that a score takes


@dataclass(frozen=True)
class Asked:
    """Answers and observations of held-out sites ``(site, time)``.

    Attributes
    ----------
    predicted, observed : xarray.DataArray
        In the target's units; `time` counts days from the first of each source.
    place : pandas.Series
        Of each site, by its id.
    """

    predicted: xr.DataArray
    observed: xr.DataArray
    place: pd.Series

    @property
    def sites(self) -> list[str]:
        """Ids of the sites."""
        return self.observed["site"].values.tolist()

    def folds(self, count: int = 5, seed: int = 0) -> Iterator[tuple[Asked, Asked]]:
        """Split the places at random; give the others and each part in turn."""
        names = np.unique(self.place.to_numpy())
        drawn = np.random.default_rng(seed).permutation(names)
        for part in np.array_split(drawn, count):
            chosen = self.place.isin(part)
            yield self._at(~chosen), self._at(chosen)

    def _at(self, chosen: pd.Series) -> Asked:
        ids = self.place.index[chosen]
        parts = (
            each.sel(site=ids.to_numpy()) for each in (self.predicted, self.observed)
        )
        return Asked(*parts, self.place[ids])


def ask(
    data: Path,
    task: Task,
    head: Weights,
    encoder: Weights,
    *,
    weather_alone: bool = False,
    causal: bool = False,
    quantiles: Sequence[float] | None = None,
    sites: Sequence[str] | None = None,
) -> Asked:
    """Predict at the held-out sites of a task, source by source.

    Parameters
    ----------
    data : Path
        Folder of the archives.
    task : Task
        Says which sites and days, and what was observed.
    head, encoder : Weights
        Whom to ask.
    weather_alone : bool
        Give precipitation and temperature alone.
    causal : bool
        No day knows of a later one.
    quantiles : sequence of float, optional
        Levels to ask for.
    sites : sequence of str, optional
        Of the held-out sites; default: all.
    """
    table = task.sites.assign(place=places(task.sites))
    held = table[unseen(task.sites).eq("held out").to_numpy()].set_index("site")
    wanted = set(held.index if sites is None else sites)
    predicted, observed = [], []
    for records in task.records:
        rows = np.flatnonzero(records.sites["site"].isin(wanted))
        if len(rows):
            ds = _inputs(data, records, rows, weather_alone)
            answer = xstefaland.predict(
                ds,
                task.target.name,
                head=head,
                weights=encoder,
                causal=causal,
                quantiles=quantiles,
            )
            predicted.append(_labelled(answer, records, rows))
            truth = xr.DataArray(records.observed[rows], dims=answer.dims[:2])
            observed.append(_labelled(truth, records, rows))
    both = (xr.concat(parts, "site", join="outer") for parts in (predicted, observed))
    out = Asked(*both, held["place"])
    return Asked(out.predicted, out.observed, held["place"].loc[out.sites])


def joined(parts: Sequence[Asked]) -> Asked:
    """Put the sites of several parts behind each other."""
    return Asked(
        xr.concat([part.predicted for part in parts], "site", join="outer"),
        xr.concat([part.observed for part in parts], "site", join="outer"),
        pd.concat([part.place for part in parts]),
    )


def _inputs(
    data: Path, records: Records, rows: np.ndarray, weather_alone: bool
) -> xr.Dataset:
    """Read some sites of a source, without anything that was observed."""
    read = next(source.read for source in SOURCES if source.name == records.name)
    ds = read(data)
    dim = next(name for name in ds.dims if name != "time")
    labels = records.sites["label"].to_numpy()[rows]
    ds = ds.sel({dim: labels}, drop=False)
    ds = ds.sel(time=slice(records.dates[0], records.dates[-1]))
    ds = ds.drop_vars(set(TARGETS) & set(ds.data_vars))
    if not weather_alone:
        return ds.transpose(dim, "time", ...)
    with set_options(validation="log"):
        return _weather(ds).transpose(dim, "time", ...)


def _weather(ds: xr.Dataset) -> xr.Dataset:
    """Keep precipitation and temperature; of two extremes their mean."""
    if "temperature" not in ds:
        mean = (ds["temperature_max"] + ds["temperature_min"]) / 2
        ds = ds.assign(temperature=mean.assign_attrs(ds["temperature_max"].attrs))
    return ds[["precipitation", "temperature"]]


def _labelled(array: xr.DataArray, records: Records, rows: np.ndarray) -> xr.DataArray:
    """Name sites by their ids, and count days."""
    first, second = array.dims[:2]
    plain = array.drop_vars([c for c in array.coords if c != "quantile"])
    plain = plain.rename({first: "site"}) if first != "site" else plain
    return plain.assign_coords(
        site=records.sites["site"].to_numpy()[rows],
        time=np.arange(array.sizes[second]),
    )


def scored(asked: Asked) -> pd.DataFrame:
    """Score every site with enough observations."""
    days = slice(FIRST, None)
    truth = asked.observed.isel(time=days)
    answer = asked.predicted.isel(time=days)
    enough = (truth.notnull().sum("time") >= MINIMUM).values
    table = pd.DataFrame({n: getattr(metrics, n)(truth, answer).values for n in SCORES})
    table.insert(0, "site", asked.sites)
    return table[enough].reset_index(drop=True)
