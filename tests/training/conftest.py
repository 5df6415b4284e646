"""Datasets and a corpus small enough to train on in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.corpus import Corpus
from xstefaland.training.shards import write_shard
from xstefaland.weights import Weights


def gauged(
    sites: int, days: int, *, seed: int, start: str = "2000-03-01"
) -> xr.Dataset:
    """Return synthetic weather with gauge numbers that count from zero."""
    ds = example_points(sites, days, start=start, seed=seed)
    return ds.drop_vars(["slope", "frac_forest"]).assign_coords(
        gauge=("site", [f"{number:08d}" for number in range(sites)]), country="Nowhere"
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A tiny encoder in a file that stays where it is."""
    return tiny_weights(tmp_path_factory.mktemp("encoder") / "tiny.safetensors")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two sources with different variables and lengths, same gauge numbers."""
    folder = tmp_path / "corpus"
    long, short = gauged(24, 1200, seed=1), gauged(30, 100, seed=2)
    write_shard(folder / "long", long.drop_vars("shortwave_radiation"), weight=3.0)
    write_shard(folder / "short", short)
    return Corpus(folder)


@pytest.fixture
def awkward() -> xr.Dataset:
    """As files are: Kelvin, mm/s, noon stamps, days left out, fills, gaps."""
    rng = np.random.default_rng(5)
    days = pd.date_range("1999-11-20T12", periods=1600).delete([3, 400, 401, 1300])
    shape = (5, len(days))
    season = np.cos(2 * np.pi * (days.day_of_year.to_numpy() - 200) / 365.25)
    warm = 283.15 + 10 * season + rng.normal(0, 3, shape)
    rain = np.where(rng.random(shape) < 0.4, rng.gamma(1, 6, shape), 0) / 86400
    humid = rng.uniform(20, 100, shape)
    rain[0, 50:90], warm[1, 700:720], humid[2] = -9999.0, 1e20, np.nan
    dims = ("basin", "time")
    return xr.Dataset(
        {
            "pr": (dims, rain, {"units": "mm/s", "_FillValue": -9999.0}),
            "tas": (dims, warm, {"units": "K"}),
            "hurs": (dims, humid, {"units": "%"}),
            "elev_mean": ("basin", [100.0, np.nan, 300.0, 400.0, -9999.0]),
            "streamflow": (dims, rain * 40000, {"units": "mm d-1"}),
        },
        coords={
            "time": days,
            "basin": [11, 12, 13, 14, 15],
            "gauge_lat": ("basin", [35.0, 45.0, -55.0, 65.0, 5.0]),
            "lon": ("basin", [8.0, 9.0, 10.0, 11.0, 12.0]),
        },
    )
