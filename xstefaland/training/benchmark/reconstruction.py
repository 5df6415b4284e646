"""Reconstruction of weather at places that the encoder was not trained on.

At each site that the encoder's card lists as left out, one forcing at a time, with
those that follow from it, is hidden in stretches of 30 to 90 days. They are filled by
the encoder, by the site's own climatology of the days that are seen, by interpolation,
and by the mean of the nearest sites that it was trained on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland import metrics
from xstefaland.bars import tqdm
from xstefaland.errors import InputError
from xstefaland.geometry.sites import find_latitude
from xstefaland.geometry.sites import latitude as site_latitude
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.prepare import Prepared, prepare
from xstefaland.inputs.requirements import Requirements
from xstefaland.options import set_options
from xstefaland.splits.places import points_on_sphere
from xstefaland.training import folders
from xstefaland.training.benchmark import holdouts
from xstefaland.training.benchmark.outcome import Outcome
from xstefaland.training.evaluation import YEARS, fill_hidden
from xstefaland.training.places import site_table
from xstefaland.training.sources import SOURCES, Source
from xstefaland.training.tasks import Floats
from xstefaland.weights.files import Weights
from xstefaland.weights.opening import WeightsLike

FILLS = ("stefaland", "climatology", "interpolation", "knn")
NEIGHBOURS = 5
QUICK_SOURCES, QUICK_SITES = 2, 3
FEWEST = 30
"""Hidden days from which a site is scored."""


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A benchmark without a task: each archive is a fold, each forcing a target.

    Parameters
    ----------
    name, title, note : str
        Of files, and of the page.
    sources : tuple of Source
        Archives.
    sites : int
        Sites of an archive at most, drawn.
    systems : tuple of str
        Of :data:`FILLS`; the others are compared with the first.
    scores : tuple of str
        Functions of :mod:`xstefaland.metrics`, on hidden days.
    published : str or None
        As of a :class:`~xstefaland.training.benchmark.Protocol`.
    """

    name: str = "reconstruction"
    title: str = "Reconstruction of hidden weather at places left out"
    note: str = (
        "Stretches of 30 to 90 days are hidden of one forcing and of those that follow "
        "from it; scores are of hidden days. Each fold is an archive; `knn` is the "
        f"mean of the {NEIGHBOURS} nearest sites of the archive that the encoder saw."
    )
    sources: tuple[Source, ...] = SOURCES
    sites: int = 20
    systems: tuple[str, ...] = FILLS
    scores: tuple[str, ...] = ("nse", "rmse", "corr")
    published: str | None = None

    def run(
        self,
        data: Path,
        runs: Path,
        *,
        encoder: WeightsLike | None = None,
        systems: Sequence[str] | None = None,
        folds: int | Sequence[int] | None = None,
        seeds: int | Sequence[int] = 1,
        quick: bool = False,
        progress: bool = True,
    ) -> Outcome:
        """Run it, or go on; see :func:`xstefaland.training.benchmark.run_benchmark`."""
        chosen = list(systems or self.systems)
        unknown = [name for name in chosen if name not in FILLS]
        if unknown:
            raise InputError(
                f"systems={chosen}: {unknown} are not known; there are "
                f"{', '.join(FILLS)}"
            )
        opened, asked = plan_encoder(encoder)
        every = np.arange(len(self.sources))
        numbers = holdouts.some(QUICK_SOURCES if quick else folds, every)
        archives = {number: self.sources[number] for number in numbers}
        seeds = range(seeds) if isinstance(seeds, int) else seeds
        sites = QUICK_SITES if quick else self.sites
        started, tables, places = time.monotonic(), [], []
        self._claim(runs, opened, sites)
        bar = tqdm(
            total=len(archives) * len(seeds), disable=not progress, unit=" archives"
        )
        for fold, source in archives.items():
            for seed in seeds:
                bar.set_description(source.name)
                folder = runs / f"{source.name}-seed{seed}"
                if not (folder / "scores.csv").exists():
                    found = _scored(
                        source, data, opened, asked, sites, seed, self.scores
                    )
                    _keep(folder, *found)
                tables.append(_read(folder / "scores.csv", fold, seed))
                places.append(_read(folder / "sites.csv", fold, seed))
                bar.update()
        bar.close()
        if not any(map(len, tables)):
            raise InputError(
                f"{opened.name} leaves out no site of "
                f"{[s.name for s in archives.values()]} at which {FEWEST} days can be "
                "hidden, so nothing can be scored; pass an encoder that does"
            )
        scores = pd.concat([t for t in tables if len(t)], ignore_index=True)
        table = pd.concat([p for p in places if len(p)], ignore_index=True)
        about = {
            "encoder": f"{opened.name} (sha256 {opened.sha256[:12]})",
            "unseen": scores["site"].nunique(),
            "scored": scores["site"].nunique(),
            "asked": scores["site"].nunique(),
            "data": {s.name: ", ".join(s.files) for s in archives.values()},
            "settings": None,
            "quick": quick,
            "stopped": {},
            "skipped": {},
            "in_corpus": True,
            "minutes": round((time.monotonic() - started) / 60, 1),
        }
        scores = pd.concat([scores[scores["system"] == name] for name in chosen])
        scores = scores.reset_index(drop=True)
        return Outcome(self, scores, table.drop_duplicates(["target", "site"]), about)

    def _claim(self, runs: Path, encoder: Weights, sites: int) -> None:
        """Write down what the folder holds, or refuse one that holds another run."""
        what = {"encoder": encoder.sha256, "sites": sites, "scores": list(self.scores)}
        folders.claim(runs, what, "runs")


def _keep(folder: Path, scores: pd.DataFrame, sites: pd.DataFrame) -> None:
    """Write what an archive gave; the scores last, as they say that it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    sites.to_csv(folder / "sites.csv", index=False)
    scores.to_csv(folder / "scores.part", index=False)
    (folder / "scores.part").rename(folder / "scores.csv")


def _read(path: Path, fold: int, seed: int) -> pd.DataFrame:
    """Read what was kept; nothing of an archive without sites left out."""
    if path.stat().st_size < 2:
        return pd.DataFrame()
    return pd.read_csv(path, dtype={"site": str}).assign(fold=fold, seed=seed)


def _scored(
    source: Source,
    data: Path,
    encoder: Weights,
    asked: Requirements,
    count: int,
    seed: int,
    names: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fill and score the forcings of one archive: scores and places, by site."""
    ds = source.read(data)
    table = _sites(ds, source.name)
    out = table["site"].isin(encoder.card.left_out).to_numpy()
    rng = np.random.default_rng(seed)
    held = np.sort(rng.permutation(np.flatnonzero(out))[:count])
    if not len(held):
        return pd.DataFrame(), pd.DataFrame()
    near = _nearest(table, held, np.flatnonzero(~out))
    rows, position = np.unique(
        np.concatenate([held, near.ravel()]), return_inverse=True
    )
    own, others = position[: len(held)], position[len(held) :].reshape(near.shape)
    days = slice(-YEARS * 365, None)
    dims = [dim for dim in ds["precipitation"].dims if dim != "time"]
    with set_options(validation="log"):  # the readers know their archives' traps
        prepared = prepare(ds.isel({dims[0]: rows}).isel(time=days), asked)
    scores = [
        _of_variable(variable, prepared, encoder, own, others, rng, names)
        for variable in prepared.forcing["variable"].values
    ]
    if not any(map(len, scores)):  # too few observed days at every site
        return pd.DataFrame(), pd.DataFrame()
    whole = pd.concat([s for s in scores if len(s)], ignore_index=True)
    places = table.iloc[held][["site", "lat", "lon"]]
    whole["site"] = places["site"].to_numpy()[whole.pop("row")]
    targets = pd.DataFrame({"target": whole["target"].unique()})
    return whole, places.merge(targets, how="cross")


def _sites(ds: xr.Dataset, name: str) -> pd.DataFrame:
    """Ids and positions of all sites, as the corpus names them."""
    dims = tuple(str(dim) for dim in ds["precipitation"].dims if dim != "time")
    known = site_latitude(ds, dims, find_latitude(ds, dims))
    return site_table(ds, dims, known, name)


def _nearest(
    table: pd.DataFrame, held: NDArray[np.int64], train: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows of the nearest training sites of each one ``(site, neighbour)``."""
    latitude, longitude = table[["lat", "lon"]].to_numpy().T
    points = points_on_sphere(latitude, longitude)[0]
    along = np.nan_to_num(points[held] @ points[train].T, nan=-2.0)  # unknown: last
    count = min(NEIGHBOURS, len(train))
    order = np.argsort(-along, 1, kind="stable")[:, :count]
    return np.asarray(train[order], np.int64)


def _of_variable(
    variable: str,
    prepared: Prepared,
    encoder: Weights,
    own: NDArray[np.int64],
    near: NDArray[np.int64],
    rng: np.random.Generator,
    names: Sequence[str],
) -> pd.DataFrame:
    """Score every way to fill one forcing, a row a site and system."""
    forcing = prepared.forcing
    columns = [str(name) for name in forcing["variable"].values]
    values = forcing.values.reshape(-1, *forcing.shape[-2:])
    column = values[..., columns.index(variable)]
    if not np.isfinite(column[own]).any():
        return pd.DataFrame()
    attributes = prepared.attributes.values.reshape(len(values), -1)[own]
    model: Any = encoder.model()
    truth, guesses = fill_hidden(
        model,
        variable,
        columns,
        values[own],
        attributes,
        prepared.latitude.values.ravel()[own],
        pd.DatetimeIndex(forcing.indexes["time"]),
        rng,
    )
    guesses = {**guesses, "knn": _mean(column[near])}
    rows = np.flatnonzero(np.isfinite(truth).sum(1) >= FEWEST)
    tables = [_table(truth[rows], guesses[name][rows], names) for name in FILLS]
    tables = [
        each.assign(row=rows, system=name, target=variable)
        for name, each in zip(FILLS, tables, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _table(truth: Floats, guess: Floats, names: Sequence[str]) -> pd.DataFrame:
    """Score each site's hidden days, a column a score."""
    observed, filled = (xr.DataArray(x, dims=("site", "time")) for x in (truth, guess))
    return pd.DataFrame(
        {name: getattr(metrics, name)(observed, filled).values for name in names}
    )


def _mean(values: Floats) -> Floats:
    """Mean over neighbours ``(site, neighbour, day)`` of what is there."""
    there = np.isfinite(values)
    count = there.sum(1)
    mean = np.full(count.shape, np.nan, np.float32)
    np.divide(np.where(there, values, 0).sum(1), count, out=mean, where=count > 0)
    return mean
