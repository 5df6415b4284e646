"""Reconstruction on held-out places, beside climatology and interpolation.

For every held-out site, one forcing at a time (with those that follow from it) is
hidden in stretches of 30 to 90 days (half of its days) while the others are seen;
hidden values are reconstructed by the encoder, by the site's own day-of-year
climatology of the days that are not hidden, and by linear interpolation across the gap.
Attributes are hidden group by group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xstefaland.inference.blocks import reconstruct_block
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import StefaLand
from xstefaland.training.corpus import Corpus
from xstefaland.training.masking import Masking, family_of, stretches
from xstefaland.training.pretraining import LOGGED
from xstefaland.training.shards import Floats, Shard

YEARS = 5  # at the end of each record that are scored
FEWEST = 20  # sites for scores of attributes


def evaluate(
    model: StefaLand, corpus: Corpus, roles: pd.Series
) -> dict[str, pd.DataFrame]:
    """Score an encoder's reconstruction on held-out places.

    Returns
    -------
    dict of DataFrame
        ``"forcing"`` and ``"attributes"``, see :func:`evaluate_forcing` and
        :func:`evaluate_attributes`.
    """
    return {
        "forcing": evaluate_forcing(model, corpus, roles),
        "attributes": evaluate_attributes(model, corpus, roles),
    }


def evaluate_forcing(
    model: StefaLand,
    corpus: Corpus,
    roles: pd.Series,
    *,
    sites: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Score the reconstruction of each forcing on held-out sites.

    Parameters
    ----------
    model : StefaLand
        The encoder.
    corpus : Corpus
        Where the records come from.
    roles : Series
        "held out" marks the sites that are scored.
    sites : int
        At most so many per source.
    seed : int
        Of the draw of sites and stretches.

    Returns
    -------
    DataFrame
        One row per source and forcing: number of sites, median NSE over sites of
        encoder, climatology and interpolation, in physical units and, for skewed
        forcings, also after ``log1p``.
    """
    rows = []
    for name, shard in corpus.shards.items():
        role = roles[corpus.sites["source"] == name].to_numpy()
        held = np.flatnonzero((role == "held out") & (shard.sites["days"] > 0))
        rng = np.random.default_rng(seed)
        held = np.sort(rng.permutation(held)[:sites])
        if len(held) == 0:
            continue
        forcing, dates = _records(corpus, shard, held)
        attributes = corpus.tables[name][held]
        latitude = shard.sites["lat"].to_numpy(np.float32)[held]
        for variable in shard.variables:
            truth, guesses = fill_hidden(
                model,
                variable,
                corpus.forcing,
                forcing,
                attributes,
                latitude,
                dates,
                rng,
            )
            entry = {"source": name, "variable": variable, "space": "physical"}
            rows.append(entry | _scores(truth, guesses))
            if variable in LOGGED:
                guesses = {k: np.log1p(v.clip(min=0)) for k, v in guesses.items()}
                scores = _scores(np.log1p(truth.clip(min=0)), guesses)
                rows.append(entry | {"space": "log1p"} | scores)
    return pd.DataFrame(rows)


def _records(
    corpus: Corpus, shard: Shard, held: NDArray[np.int64]
) -> tuple[Floats, pd.DatetimeIndex]:
    """Last years of the records of some sites, in the corpus's order of variables."""
    days = min(shard.days, YEARS * 365)
    first = shard.days - days
    forcing = np.full((len(held), days, len(corpus.forcing)), np.nan, np.float32)
    columns = [corpus.forcing.index(v) for v in shard.variables]
    forcing[:, :, columns] = shard.forcing[held, first:]
    return forcing, pd.date_range(shard.start + first, periods=days)


def fill_hidden(
    model: StefaLand,
    variable: str,
    names: Sequence[str],
    forcing: Floats,
    attributes: Floats,
    latitude: Floats,
    dates: pd.DatetimeIndex,
    rng: np.random.Generator,
) -> tuple[Floats, dict[str, Floats]]:
    """Hide a forcing in stretches, and what it follows from; fill it in three ways.

    Parameters
    ----------
    model : StefaLand
        The encoder.
    variable : str
        What is hidden, one of `names`.
    names : sequence of str
        Forcings along the last axis of `forcing`.
    forcing, attributes, latitude : ndarray
        ``(site, day, forcing)``, ``(site, attribute)``, ``(site,)``.
    dates : DatetimeIndex
        Days.
    rng : Generator
        Of the stretches.

    Returns
    -------
    truth : ndarray
        ``(site, day)``, NaN where nothing was hidden.
    guesses : dict of ndarray
        Of "stefaland", "climatology" and "interpolation" ``(site, day)``.
    """
    index = names.index(variable)
    hidden = stretches(rng, len(forcing), forcing.shape[1], Masking())
    seen = forcing.copy()
    for name in set(family_of(variable)) & set(names):  # it follows from these
        column = names.index(name)
        seen[:, :, column] = np.where(hidden, np.nan, seen[:, :, column])
    truth = np.where(hidden, forcing[:, :, index], np.nan)
    open_ = np.where(hidden, np.nan, forcing[:, :, index])
    rebuilt, _ = reconstruct_block(
        model, seen, attributes, latitude, dates.day_of_year.to_numpy()
    )
    return truth, {
        "stefaland": rebuilt[:, :, index],
        "climatology": _climatology(open_, dates),
        "interpolation": _interpolation(open_),
    }


def _scores(truth: Floats, guesses: dict[str, Floats]) -> dict[str, float]:
    """Count the sites and score every system."""
    count = int((np.isfinite(truth).sum(1) > 30).sum())
    return {"sites": count} | {k: _median_nse(truth, v) for k, v in guesses.items()}


def _median_nse(truth: Floats, rebuilt: Floats) -> float:
    """Median over sites of the Nash-Sutcliffe efficiency on hidden days."""
    valid = np.isfinite(truth) & np.isfinite(rebuilt)
    count = valid.sum(1)
    truth = np.where(valid, truth, 0).astype(np.float64)
    error = np.where(valid, truth - np.nan_to_num(rebuilt), 0)
    mean = truth.sum(1) / np.maximum(count, 1)
    spread = (np.where(valid, truth - mean[:, None], 0) ** 2).sum(1)
    good = (count > 30) & (spread > 1e-6)
    if not good.any():
        return float("nan")
    return float(np.median(1 - (error**2).sum(1)[good] / spread[good]))


def _climatology(values: Floats, dates: pd.DatetimeIndex, half: int = 15) -> Floats:
    """Mean of the days within 15 days of the calendar day; NaN for short records."""
    if len(dates) < 3 * 365:
        return np.full_like(values, np.nan)
    day = np.minimum(dates.day_of_year.to_numpy(), 365) - 1
    total, count = np.zeros((2, len(values), 365))
    valid = np.isfinite(values)
    for site in range(len(values)):
        total[site] = np.bincount(day[valid[site]], values[site][valid[site]], 365)
        count[site] = np.bincount(day[valid[site]], minlength=365)
    window = [
        np.roll(x, shift, 1) for x in (total, count) for shift in range(-half, half + 1)
    ]
    total, count = np.sum(window[: 2 * half + 1], 0), np.sum(window[2 * half + 1 :], 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((total / count)[:, day], np.float32)


def _interpolation(values: Floats) -> Floats:
    """Linear in time between observed days, constant beyond the ends."""
    frame = pd.DataFrame(values.T)
    return frame.interpolate("linear", limit_direction="both").to_numpy(np.float32).T


def evaluate_attributes(
    model: StefaLand, corpus: Corpus, roles: pd.Series
) -> pd.DataFrame:
    """Score the reconstruction of attributes, group by group, beside ten neighbours.

    Returns
    -------
    DataFrame
        One row per group: R2 over held-out sites, averaged over the group's attributes
        (in the space in which they are scaled), of the encoder (which sees forcing and
        the other groups) and of the mean of the ten nearest training sites by
        the other groups' attributes.
    """
    groups = np.array([str(CATALOGUE[n].group) for n in corpus.attributes])
    rows = []
    for held, train, forcing, days, latitude in _attribute_sets(corpus, roles):
        truth, known = _scaled(model, held), _scaled(model, train)
        for group in np.unique(groups):
            members, other = groups == group, groups != group
            hidden = np.where(members, np.float32(np.nan), held)
            rebuilt = reconstruct_block(model, forcing, hidden, latitude, days)[1]
            rebuilt = _scaled(model, rebuilt)[:, members]
            near = _neighbours(known, truth, other, members)
            for column, wanted in enumerate(truth[:, members].T):
                scores = _r2(wanted, rebuilt[:, column]), _r2(wanted, near[:, column])
                rows.append((group, *scores))
    table = pd.DataFrame(rows, columns=["group", "stefaland", "knn"]).dropna()
    return table.groupby("group").mean().assign(pairs=table.groupby("group").size())


def _attribute_sets(
    corpus: Corpus, roles: pd.Series
) -> Iterator[tuple[Floats, Floats, Floats, Floats, Floats]]:
    """Held-out and training attributes of the sources that have many, with forcing."""
    for name, shard in corpus.shards.items():
        if "elevation" not in shard.attributes:
            continue
        role = roles[corpus.sites["source"] == name].to_numpy()
        table = corpus.tables[name]
        full = np.isfinite(table[:, corpus.attributes.index("elevation")])
        held = np.flatnonzero((role == "held out") & full & (shard.sites["days"] > 0))
        train = table[(role == "train") & full]
        if len(held) < FEWEST or len(train) < FEWEST:
            continue
        days = min(365, shard.days)
        seen = np.pad(shard.observed[held].sum(0).cumsum(), (1, 0))
        best = int((seen[days:] - seen[:-days]).argmax())
        batch = corpus.batch(name, held, np.full(len(held), best), days)
        yield table[held], train, batch.forcing, batch.day_of_year[0], batch.latitude


def _neighbours(
    train: Floats, held: Floats, other: NDArray[np.bool_], members: NDArray[np.bool_]
) -> Floats:
    """Mean of the ten nearest training sites by the other groups' attributes."""
    from sklearn.neighbors import NearestNeighbors

    usable = other & (np.isfinite(train).mean(0) > 0.5)
    if not usable.any():  # the source has no other group
        return np.full((len(held), int(members.sum())), np.nan, np.float32)
    near = NearestNeighbors(n_neighbors=10).fit(np.nan_to_num(train[:, usable]))
    index = near.kneighbors(np.nan_to_num(held[:, usable]), return_distance=False)
    return np.asarray(np.nan_to_num(train[index][:, :, members]).mean(1), np.float32)


def _scaled(model: StefaLand, values: Floats) -> Floats:
    """Attributes in the model's scale, in which they are compared."""
    scaled: Floats = model.attribute_scaling(torch.from_numpy(values)).numpy()
    return scaled


def _r2(truth: Floats, guess: Floats) -> float:
    """Coefficient of determination; NaN with fewer than 20 values or no spread."""
    valid = np.isfinite(truth) & np.isfinite(guess)
    if valid.sum() < 20 or np.var(truth[valid]) < 1e-6:
        return float("nan")
    return float(1 - np.mean((truth - guess)[valid] ** 2) / np.var(truth[valid]))
