"""A corpus small enough to train on in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xstefaland.training.corpus import Corpus


def write_source(folder: Path, variables: list[str], sites: int, days: int) -> None:
    """Write one source with a seasonal cycle that differs between sites."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(folder.name))
    phase = 2 * np.pi * np.arange(days) / 365
    level = rng.normal(10, 5, (sites, 1, 1))
    cycle = np.sin(phase)[None, :, None] * rng.uniform(2, 8, (sites, 1, 1))
    forcing = level + cycle + rng.normal(0, 1, (sites, days, len(variables)))
    forcing = np.abs(forcing).astype(np.float32)
    np.save(folder / "forcing.npy", forcing)
    np.save(folder / "streamflow.npy", forcing[:, :, 0] * 0.5)
    table = pd.DataFrame(
        {
            "site": [f"{folder.name}-{i}" for i in range(sites)],
            "gauge": [f"{i:08d}" for i in range(sites)],
            "lat": rng.uniform(30, 50, sites),
            "lon": rng.uniform(-120, -70, sites),
            "start": pd.Timestamp("2000-03-01"),
        }
    )
    attributes = pd.DataFrame(
        {"elevation": level[:, 0, 0] * 100, "clay": rng.uniform(0, 60, sites)},
        index=table["site"],
        dtype=np.float32,
    )
    table.to_parquet(folder / "sites.parquet")
    attributes.to_parquet(folder / "attributes.parquet")
    (folder / "about.json").write_text(json.dumps({"forcing": variables, "repeats": 1}))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two sources with different variables and lengths, same gauge numbers."""
    folder = tmp_path / "corpus"
    names = ["precipitation", "temperature", "potential_evapotranspiration"]
    write_source(folder / "camels-era5land", names, sites=24, days=900)
    write_source(folder / "caravan", names[:2], sites=30, days=100)
    (folder / "data.json").write_text("[]")
    return Corpus(folder)
