"""Imagined weather: what rivers would do in weather that they never had.

Observations show each river in its own weather. Heads that see nothing else answer as
they like when all rain ends or a basin lies at 75 N. A training basin's response to
its own weather is nearly a mix of the twelve landscapes of the library, with shares
that are not negative; the same mix in other weather is what it is taken to do there.
Such records are a further source of a task: nothing is ever scored on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from xstefaland.inputs.formulas.pet import oudin
from xstefaland.inputs.recipes import climate_attributes
from xstefaland.model.process import LIBRARY, WEATHER, process_channels
from xstefaland.training.tasks import Records, Task

from .observations import keep, open_records
from .splits import unseen

Floats = NDArray[np.float32]

SITES = 100
"""Beside some 1 550 real ones; every site is drawn as often."""

FLOWS = tuple(name for name in LIBRARY if name.startswith("streamflow"))
WARM = ("temperature", "temperature_max", "temperature_min")
FOLLOWS = ("snow_depth_water_equivalent",)
"""Not known in weather that is made up."""

FOLLOWS_PLACE = (*FOLLOWS, "shortwave_radiation", "relative_humidity",
                 "vapour_pressure", "wind_speed")  # fmt: skip
FIRST = 365  # days that a mix is not fitted on
LEAST_SKILL, MOST_WATER = 0.3, 1.0
"""NSE of a mix, and the sum of its shares: no river has more water than falls."""


@dataclass(frozen=True)
class Change:
    """What is done to the weather of a site; ranges are drawn from uniformly.

    Attributes
    ----------
    rain : tuple of float
        Factor of precipitation.
    mean : tuple of float, optional
        Mean temperature that the site is brought to [degC].
    latitude : tuple of float, optional
        Where the site is put [degrees north].
    ends : bool
        No rain from a day in the second half of the record on.
    """

    rain: tuple[float, float] = (1.0, 1.0)
    mean: tuple[float, float] | None = None
    latitude: tuple[float, float] | None = None
    ends: bool = False


CHANGES: Mapping[str, Change] = {
    "no rain": Change(rain=(0.0, 0.0)),
    "rain that ends": Change(ends=True),
    "less rain": Change(rain=(0.1, 0.5)),
    "desert": Change(rain=(0.02, 0.12), mean=(18.0, 28.0), latitude=(10.0, 32.0)),
    "polar": Change(rain=(0.1, 0.5), mean=(-14.0, -2.0), latitude=(62.0, 80.0)),
}
SHARES = {"rain that ends": 3}
"""How many sites a change has for one of the others. With milder changes too (warmer,
colder, more rain, thirstier air, tropics) and 200 sites an LSTM lost .006 of NSE."""


def with_imagined(task: Task, folder: Path) -> Task:
    """Add imagined records to a task of streamflow; make them where there are none.

    Parameters
    ----------
    task : Task
        All its sites; places that are held out of pretraining lend no weather.
    folder : Path
        Where the records are kept.
    """
    names = [f"imagined-{records.name}" for records in task.records]
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        for made in _imagine(task):
            keep(made, unfinished)
        unfinished.rename(folder)
    found = (open_records(folder / name) for name in names if (folder / name).exists())
    return replace(task, records=(*task.records, *found))


def _imagine(task: Task, seed: int = 0) -> Iterator[Records]:
    """Draw sites of every source by its share of all, and change their weather."""
    rng = np.random.default_rng(seed)
    trained_on = task.sites["site"][unseen(task.sites).eq("train").to_numpy()]
    training = [
        np.flatnonzero(records.sites["site"].isin(trained_on))
        for records in task.records
    ]
    total = len(trained_on)
    each = [kind for kind in CHANGES for _ in range(SHARES.get(kind, 1))]
    kinds = iter(np.resize(each, 2 * SITES))
    for records, rows in zip(task.records, training, strict=True):
        count = round(SITES * len(rows) / total)
        chosen, shares = _described(task, records, rng.permutation(rows), count)
        if len(chosen):
            drawn = [next(kinds) for _ in chosen]
            yield _changed(task, records, chosen, shares, drawn, rng)


def _described(
    task: Task, records: Records, rows: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Take the first sites that a mix of landscapes describes, with their shares."""
    chosen, shares = list[int](), list[Floats]()
    for first in range(0, len(rows), 16):
        part = rows[first : first + 16]
        weather = records.forcing[part][..., _columns(task, WEATHER)]
        for row, flows in zip(part, _flows(weather), strict=True):
            share = _mix(flows, records.observed[row])
            if share is not None and len(chosen) < count:
                chosen.append(int(row))
                shares.append(share)
        if len(chosen) == count:
            break
    return np.array(chosen, np.int64), np.array(shares, np.float32)


def _mix(flows: Floats, observed: Floats) -> Floats | None:
    """Fit shares of landscapes to a river; None where they do not describe it."""
    seen = np.isfinite(observed) & (np.arange(len(observed)) >= FIRST)
    if seen.sum() < FIRST or not np.isfinite(flows).all():
        return None
    share, norm = nnls(flows[seen].astype(float), observed[seen].astype(float))
    around = ((observed[seen] - observed[seen].mean()) ** 2).sum()
    if 1 - norm**2 / around < LEAST_SKILL or not 0 < share.sum() <= MOST_WATER:
        return None
    return share.astype(np.float32)


def _flows(weather: Floats) -> Floats:
    """Run the landscapes; flows ``(site, day, landscape)`` [mm d-1]."""
    return process_channels(torch.from_numpy(weather), FLOWS).numpy() ** 2


def _changed(
    task: Task,
    records: Records,
    rows: NDArray[np.int64],
    shares: Floats,
    kinds: list[str],
    rng: np.random.Generator,
) -> Records:
    """Change the weather of some sites, and say what their mixes do in it."""
    forcing = np.array(records.forcing[rows])
    latitude = np.array(records.latitude[rows])
    for site, kind in enumerate(kinds):
        latitude[site] = _change(
            forcing[site], task, CHANGES[kind], latitude[site], records.dates, rng
        )
    weather = np.ascontiguousarray(forcing[..., _columns(task, WEATHER)])
    observed = (_flows(weather) * shares[:, None]).sum(-1)
    sites = records.sites.iloc[rows].reset_index(drop=True)
    ids = [
        f"imagined-{site}-{kind.replace(' ', '-')}"
        for site, kind in zip(sites["site"], kinds, strict=True)
    ]
    return replace(
        records,
        name=f"imagined-{records.name}",
        forcing=forcing,
        attributes=_attributes(task, records, rows, forcing),
        latitude=latitude,
        observed=observed.astype(np.float32),
        sites=sites.assign(site=ids, role="train"),
        positions=np.arange(len(rows)),
    )


def _change(
    forcing: Floats,
    task: Task,
    change: Change,
    latitude: float,
    dates: pd.DatetimeIndex,
    rng: np.random.Generator,
) -> float:
    """Change the weather ``(day, forcing)`` of a site in place; return its latitude."""
    rain, mean, pet = _columns(task, WEATHER)
    forcing[:, rain] *= rng.uniform(*change.rain)
    if change.ends:
        forcing[rng.integers(len(forcing) // 2, len(forcing) - FIRST) :, rain] = 0.0
    if change.mean is not None:
        warming = rng.uniform(*change.mean) - np.nanmean(forcing[:, mean])
        forcing[:, _columns(task, WARM)] += warming
    if change.latitude is not None:
        latitude = rng.uniform(*change.latitude)
        days = dates.day_of_year.to_numpy()
        forcing[:, pet] = oudin(forcing[:, mean], latitude, days)
    unknown = FOLLOWS if change.latitude is None else FOLLOWS_PLACE
    forcing[:, _columns(task, unknown)] = np.nan
    return latitude


def _attributes(
    task: Task, records: Records, rows: NDArray[np.int64], forcing: Floats
) -> Floats:
    """Derive the climate of the changed record, where the real one was derived."""
    attributes = np.array(records.attributes[rows])
    have = {name: forcing[..., i] for i, name in enumerate(task.forcing_names)}
    found = climate_attributes(have, records.dates)
    for spec in task.requirements.attributes:
        if spec.name in records.derived:
            column = task.attribute_names.index(spec.name)
            attributes[:, column] = np.clip(
                found[spec.name], spec.minimum, spec.maximum
            )
    return attributes


def _columns(task: Task, names: tuple[str, ...]) -> list[int]:
    """Positions of some forcings."""
    return [task.forcing_names.index(name) for name in names]
