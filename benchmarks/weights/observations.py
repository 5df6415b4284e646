"""What heads are trained and scored on: sources, years, and the tasks kept on disk.

A task is read once, through the same road as a user's data, and memory-mapped by every
job afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.inputs.hints import Hints
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.model.process import WEATHER
from xstefaland.options import set_options
from xstefaland.training.corpus import sha256
from xstefaland.training.finetuning import read_task
from xstefaland.training.sources import SOURCES
from xstefaland.training.tasks import Records, Task
from xstefaland.weights.targets import TARGETS

ARRAYS = ("forcing", "attributes", "latitude", "observed", "positions")
MINIMUM_DAYS = 365


@dataclass(frozen=True)
class Labels:
    """Observations of a source that are used.

    Attributes
    ----------
    source : str
        Name in :data:`xstefaland.training.sources.SOURCES`.
    region : str
        Which sites are held out together.
    first, last : str
        Days that are trained and scored on: fifteen years, so that embeddings of all
        sources fit on a disk.
    """

    source: str
    region: str
    first: str
    last: str


_CAMELS = ("US", "1993-10-01", "2008-09-30")
_USCRN = (Labels("uscrn", "US", "2009-01-01", "2024-04-30"),)
_SWISS = Labels("camels-ch", "CH", "2000-10-01", "2015-09-30")
_FLOW = (
    Labels("camels-era5land", *_CAMELS),
    Labels("camels-daymet", *_CAMELS),
    Labels("camels-nldas", *_CAMELS),
    Labels("camels-maurer", *_CAMELS),
    Labels("mopex", "US", "1988-10-01", "2003-09-30"),
    Labels("camels-gb", "GB", "2000-10-01", "2015-09-30"),
    _SWISS,
)
DEPTHS = ("", "_10cm", "_20cm", "_50cm", "_100cm")
OBSERVED: dict[str, tuple[Labels, ...]] = {
    "streamflow": _FLOW,
    **{f"soil_moisture{depth}": _USCRN for depth in DEPTHS},
    "soil_temperature": _USCRN,
    "snow_water_equivalent": (_SWISS,),
}
"""Which observations each target has."""

REGIONS = {each.source: each.region for row in OBSERVED.values() for each in row}


def open_task(
    folder: Path, data: Path, target: str, asked: Requirements, sites: int | None = None
) -> Task:
    """Open a task; read it first where it is not there.

    Parameters
    ----------
    folder : Path
        Where tasks are kept.
    data : Path
        Folder of the archives.
    target : str
        A key of :data:`OBSERVED`.
    asked : Requirements
        Of the encoders.
    sites : int, optional
        Use so many sites of each source, to try the command; default: all.
    """
    place = folder / target
    if not (place / "task.json").exists():
        _write(place, data, target, asked, sites)
    about = json.loads((place / "task.json").read_text())
    records = tuple(open_records(place / name) for name in about["records"])
    specs = (
        tuple(VariableSpec(**entry) for entry in about[kind])
        for kind in ("forcing", "attributes")
    )
    requirements = Requirements(*specs, masked=frozenset(about["masked"]))
    return Task(TARGETS[target], records, requirements)


def _write(
    place: Path, data: Path, target: str, asked: Requirements, sites: int | None
) -> None:
    """Read all sources of a target, one after the other, and keep them."""
    sources = {source.name: source for source in SOURCES}
    names, files, task = [], {}, None
    for labels in OBSERVED[target]:
        source = sources[labels.source]
        ds = _thinned(source.read(data), sites)
        files |= {name: str(ds.attrs["license"]) for name in source.files}
        others = set(TARGETS) & set(ds.data_vars) - {target}
        period = slice(labels.first, labels.last)
        with set_options(validation="log"):  # the readers know their archives' traps
            read = read_task(
                {labels.source: ds.drop_vars(others)}, TARGETS[target], asked,
                target, Hints(), period, MINIMUM_DAYS,
            )  # fmt: skip
        if task is not None and read.requirements != task.requirements:
            raise ValueError(f"{labels.source} hides other inputs than those before it")
        task = read
        columns = [task.forcing_names.index(name) for name in WEATHER]
        names += [keep(_with_weather(r, columns), place) for r in read.records]
    about = {
        "records": names,
        "forcing": [asdict(spec) for spec in task.requirements.forcing],
        "attributes": [asdict(spec) for spec in task.requirements.attributes],
        "masked": sorted(task.requirements.masked),
    }
    used = [
        {"name": name, "licence": licence, "sha256": sha256(data / name)}
        for name, licence in files.items()
    ]
    (place / "data.json").write_text(json.dumps(used, indent=1))
    (place / "task.json").write_text(json.dumps(about))


def _thinned(ds: xr.Dataset, sites: int | None) -> xr.Dataset:
    """Keep some sites, spread over all."""
    dim = next(dim for dim in ds.dims if dim != "time")
    step = 1 if sites is None else max(1, ds.sizes[dim] // sites)
    return ds.isel({dim: slice(None, None, step)})


def _with_weather(records: Records, columns: Sequence[int]) -> Records:
    """Leave out sites without one of the series that every head here requires."""
    rows = np.isfinite(records.forcing[..., list(columns)]).any(1).all(1)
    arrays = {name: getattr(records, name)[rows] for name in ARRAYS}
    sites = records.sites[rows].reset_index(drop=True)
    return replace(records, **arrays, sites=sites)


def keep(records: Records, place: Path) -> str:
    """Write the arrays and the table of sites of a source."""
    folder = place / records.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(records, name))
    records.sites.to_csv(folder / "sites.csv", index=False)
    about = {
        "derived": records.derived,
        "first": str(records.dates[0]),
        "days": len(records.dates),
    }
    (folder / "about.json").write_text(json.dumps(about))
    return records.name


def open_records(folder: Path) -> Records:
    """Map what :func:`keep` wrote."""
    about = json.loads((folder / "about.json").read_text())
    texts = dict.fromkeys(("site", "gauge", "country", "product", "label", "role"), str)
    sites = pd.read_csv(folder / "sites.csv", dtype=texts, keep_default_na=False)
    sites = sites.astype({"lat": float, "lon": float})
    arrays = {n: np.load(folder / f"{n}.npy", mmap_mode="r") for n in ARRAYS}
    dates = pd.date_range(about["first"], periods=about["days"])
    derived = tuple(about["derived"])
    return Records(
        name=folder.name, sites=sites, dates=dates, derived=derived, **arrays
    )


def join(asked: Sequence[Requirements]) -> Requirements:
    """Join what several encoders ask; of a variable the first one's word counts."""
    forcing, attributes = {}, {}
    for each in asked:
        forcing = {spec.name: spec for spec in each.forcing} | forcing
        attributes = {spec.name: spec for spec in each.attributes} | attributes
    return Requirements(tuple(forcing.values()), tuple(attributes.values()))
