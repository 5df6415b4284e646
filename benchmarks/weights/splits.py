"""Which sites a head is trained on, and which it is scored at."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from xstefaland.training.places import gauges, kept_apart, left_out_sites, place_cells
from xstefaland.training.pretraining import Pretraining

from .jobs import FIFTHS, Job
from .observations import REGIONS

DEFAULTS = Pretraining(steps=None)  # of which places are held out, as of the encoder
SPLITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "random": ((), ()),
    "us-to-europe": (("US",), ("GB", "CH")),
    "europe-to-us": (("GB", "CH"), ("US",)),
}
"""Regions to train on and to score at; none: the places that are held out of all."""


def places(sites: pd.DataFrame) -> pd.Series:
    """Name the place of every site: a gauge is one, in whatever product.

    Examples
    --------
    >>> table = {"site": ["a-1", "b-1"], "gauge": ["0101", "0101"], "country": "US"}
    >>> places(pd.DataFrame(table)).tolist()
    ['US 0101', 'US 0101']
    """
    return gauges(sites).fillna(sites["site"])


def unseen(sites: pd.DataFrame) -> pd.Series:
    """Role of every site in pretraining: "held out", "train" or "dropped"."""
    return left_out_sites(sites, DEFAULTS.share_left_out, DEFAULTS.left_out_seed)


def roles(sites: pd.DataFrame, job: Job) -> dict[str, str]:
    """Role of every site in a job, by id.

    A regional split, and one by fifths, trains and scores at places of which the
    encoder has seen the weather, never the observations; scores tell them from those
    it has not seen.
    """
    train, test = SPLITS.get(job.split, ((), ()))
    role = unseen(sites)
    if job.split in FIFTHS:
        role = kept_apart(sites, fifth(sites) == FIFTHS.index(job.split))
    elif train:
        region = sites["site"].map(_region)
        role = pd.Series(
            np.select(
                [region.isin(train), region.isin(test)],
                ["train", "held out"],
                "dropped",
            ),
            index=sites.index,
        )
    if job.basins:
        role = _few(sites, role, job)
    return dict(zip(sites["site"], role, strict=True))


def fifth(sites: pd.DataFrame) -> pd.Series:
    """Count in which fifth of all half-degree cells each site lies.

    A cell's checksum says so: other sites change nothing.

    Examples
    --------
    >>> lat, lon = [47.6, 47.9, 60.2], [8.1, 8.2, 10.1]
    >>> fifth(pd.DataFrame({"site": ["a", "b", "c"], "lat": lat, "lon": lon})).tolist()
    [1, 1, 0]
    """
    return place_cells(sites).map(lambda cell: zlib.crc32(cell.encode()) % len(FIFTHS))


def _region(site: str) -> str:
    """Region of a site, by the source that begins its id."""
    return next(r for source, r in REGIONS.items() if site.startswith(f"{source}-"))


def _few(sites: pd.DataFrame, role: pd.Series, job: Job) -> pd.Series:
    """Draw some of the training places; a draw of more holds those of a smaller one."""
    place = places(sites)
    all_places = np.unique(place[role == "train"])
    drawn = np.random.default_rng(job.draw).permutation(all_places)[: job.basins]
    return role.where((role != "train") | place.isin(drawn), "dropped")
