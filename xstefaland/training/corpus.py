"""The pretraining corpus: a folder of memory-mapped arrays, read window by window.

`build` writes each source once (one array per source, ``(site, day, variable)``); a
:class:`Corpus` maps them and never holds more than a batch. Sites are left out by place
across all sources.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.training.sources import FILES, SOURCES, Source

logger = logging.getLogger("xstefaland")
Floats = NDArray[np.float32]

FORCING = (
    "precipitation",
    "temperature",
    "temperature_max",
    "temperature_min",
    "shortwave_radiation",
    "relative_humidity",
    "vapour_pressure",
    "wind_speed",
    "surface_pressure",
    "snow_depth_water_equivalent",
    "potential_evapotranspiration",
)
CELL = 0.5  # [degrees] places are held out by cells of this size


def build(data: Path, folder: Path) -> Corpus:
    """Write the corpus of the real data under `data` into `folder`.

    Parameters
    ----------
    data : Path
        Folder with the files of :data:`xstefaland.training.sources.FILES`.
    folder : Path
        New folder; about 1 GB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, read in SOURCES.items():
        source = read(data)
        _write(folder / name, source)
        logger.info("%s: %d sites", name, len(source.sites))
    hashes = [
        {"name": name, "licence": licence, "sha256": sha256(data / name)}
        for name, licence in FILES.items()
    ]
    (folder / "data.json").write_text(json.dumps(hashes, indent=1))
    return Corpus(folder)


def sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: Path, source: Source) -> None:
    folder.mkdir(exist_ok=True)
    names = [name for name in FORCING if name in source.forcing]
    np.save(folder / "forcing.npy", np.stack([source.forcing[n] for n in names], -1))
    for name, values in source.targets.items():
        np.save(folder / f"{name}.npy", values)
    attributes = pd.DataFrame(dict(source.attributes), index=source.sites["site"])
    attributes.to_parquet(folder / "attributes.parquet")
    source.sites.to_parquet(folder / "sites.parquet")
    about = {"forcing": names, "repeats": source.repeats}
    (folder / "about.json").write_text(json.dumps(about))


class Shard:
    """One source of the corpus on disk."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text())
        self.name = folder.name
        self.folder = folder
        self.variables: list[str] = about["forcing"]
        self.repeats: int = about["repeats"]
        self.forcing: Floats = np.load(folder / "forcing.npy", mmap_mode="r")
        self.sites = pd.read_parquet(folder / "sites.parquet")
        self.attributes = pd.read_parquet(folder / "attributes.parquet")

    @property
    def days(self) -> int:
        """Length of a record [days]."""
        return int(self.forcing.shape[1])

    def target(self, name: str) -> Floats:
        """Observations ``(site, day)`` of a target."""
        values: Floats = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return values

    @cached_property
    def coverage(self) -> NDArray[np.int64]:
        """Days with weather before each day ``(site, day + 1)``."""
        good = np.isfinite(self.forcing[:, :, :2]).all(-1)
        return np.pad(good.cumsum(1), ((0, 0), (1, 0)))

    def day_of_year(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64], days: int
    ) -> Floats:
        """Day of year 1..366 of windows ``(window, day)``."""
        first = self.sites["start"].to_numpy("datetime64[D]")[rows] + starts
        dates = first[:, None] + np.arange(days)
        numbers = (dates - dates.astype("datetime64[Y]")).astype(np.int64) + 1
        return np.asarray(numbers, np.float32)


@dataclass(frozen=True)
class Batch:
    """Windows of one source in the corpus's order; physical units, NaN = missing."""

    forcing: Floats  # (window, day, forcing)
    attributes: Floats  # (window, attribute)
    day_of_year: Floats  # (window, day)
    latitude: Floats  # (window,)


class Corpus:
    """All sources, with one order of variables and one list of left-out sites."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = [n for n in SOURCES if (folder / n / "about.json").exists()]
        if not found:
            raise InputError(
                f"{str(folder)!r} holds no corpus; write one with "
                "`xstefaland.training.corpus.build(data, folder)`."
            )
        self.shards = {name: Shard(folder / name) for name in found}
        present = {v for shard in self.shards.values() for v in shard.variables}
        self.forcing = tuple(name for name in FORCING if name in present)
        columns = {c for s in self.shards.values() for c in s.attributes.columns}
        self.attributes = tuple(name for name in CATALOGUE if name in columns)
        self._tables = {
            name: shard.attributes.reindex(columns=list(self.attributes)).to_numpy(
                np.float32
            )
            for name, shard in self.shards.items()
        }

    @cached_property
    def data(self) -> list[dict[str, str]]:
        """Files, licences and hashes that the corpus was made from."""
        files: list[dict[str, str]] = json.loads(
            (self.folder / "data.json").read_text()
        )
        return files

    @cached_property
    def sites(self) -> pd.DataFrame:
        """Every site of every source, with its ``place`` cell."""
        table = pd.concat(
            [s.sites.assign(source=n) for n, s in self.shards.items()],
            ignore_index=True,
        )
        cell = np.floor(table[["lat", "lon"]] / CELL).astype(int).astype(str)
        return table.assign(place=cell["lat"] + " " + cell["lon"])

    def batch(
        self, name: str, rows: NDArray[np.int64], starts: NDArray[np.int64], days: int
    ) -> Batch:
        """Read windows of `days` days that start at `starts` on the sites `rows`."""
        shard = self.shards[name]
        forcing = np.full((len(rows), days, len(self.forcing)), np.nan, np.float32)
        columns = [self.forcing.index(v) for v in shard.variables]
        for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
            forcing[i, :, columns] = shard.forcing[row, start : start + days].T
        return Batch(
            forcing,
            self._tables[name][rows],
            shard.day_of_year(rows, starts, days),
            shard.sites["lat"].to_numpy(np.float32)[rows],
        )

    def epoch(
        self,
        seed: int,
        *,
        window: int,
        size: int,
        keep: Mapping[str, NDArray[np.bool_]],
        repeated: bool = True,
    ) -> Iterator[Batch]:
        """Shuffled batches that visit every kept record once (times its `repeats`).

        Windows start anywhere, differently for every seed; each batch holds one source.
        """
        rng = np.random.default_rng(seed)
        plan: list[tuple[str, NDArray[np.int64], NDArray[np.int64], int]] = []
        for name, shard in self.shards.items():
            times = shard.repeats if repeated else 1
            days = min(window, shard.days)
            rows, starts = _windows(rng, shard, np.flatnonzero(keep[name]), days, times)
            for part in np.array_split(
                rng.permutation(len(rows)), max(1, len(rows) // size)
            ):
                if len(part):
                    plan.append((name, rows[part], starts[part], days))
        for index in rng.permutation(len(plan)):
            yield self.batch(*plan[index])


def _windows(
    rng: np.random.Generator,
    shard: Shard,
    sites: NDArray[np.int64],
    days: int,
    times: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw windows that together are as long as the records, where there is data."""
    count = max(1, shard.days // days) * times
    rows = np.repeat(sites, count)
    starts = rng.integers(0, shard.days - days + 1, len(rows))
    seen = shard.coverage[rows, starts + days] - shard.coverage[rows, starts]
    good = seen >= days // 4
    return rows[good], starts[good]


def left_out_sites(
    sites: pd.DataFrame, share: float, seed: int, radius: float = 10.0
) -> pd.Series:
    """Mark the sites that are held out, and those too near to them, by place.

    A share of half-degree cells is drawn; every site in them is held out. Sites with
    the same gauge number as a held-out one, or within `radius` of one, are dropped
    from training too.

    Parameters
    ----------
    sites : pandas.DataFrame
        Columns ``site, gauge, lat, lon, place``.
    share : float
        Share of cells to hold out.
    seed : int
        Of the draw.
    radius : float
        Distance [km].

    Returns
    -------
    pandas.Series
        ``"train"``, ``"held out"`` or ``"dropped"`` per row of `sites`.
    """
    from sklearn.neighbors import BallTree

    rng = np.random.default_rng(seed)
    places = np.sort(sites["place"].unique())
    chosen = rng.choice(places, round(len(places) * share), replace=False)
    held = sites["place"].isin(chosen).to_numpy()
    radians = np.deg2rad(sites[["lat", "lon"]].to_numpy(np.float64))
    distance = BallTree(radians[held], metric="haversine").query(radians)[0][:, 0]
    near = distance * 6371.0 <= radius
    gauges = set(sites.loc[held, "gauge"]) - {""}
    same = sites["gauge"].isin(gauges).to_numpy()
    role = np.where(held, "held out", np.where(near | same, "dropped", "train"))
    return pd.Series(role, index=sites.index, name="role")


def masks(
    corpus: Corpus, role: pd.Series, wanted: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """Per source, which of its sites have one of the `wanted` roles."""
    good = role.isin(wanted)
    return {
        name: good[corpus.sites["source"] == name].to_numpy() for name in corpus.shards
    }


def statistics(values: Floats, log: bool) -> dict[str, float | None]:
    """Mean and standard deviation of the transformed values, and the physical range."""
    finite = values[np.isfinite(values)].astype(np.float64)
    moved = np.log1p(finite.clip(min=0)) if log else finite
    spread = float(moved.std())
    return {
        "mean": float(moved.mean()),
        "std": spread if spread > 1e-6 else 1.0,
        "minimum": float(finite.min()),
        "maximum": float(finite.max()),
    }
