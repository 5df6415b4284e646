"""The scikit-learn example: its features, its split, its scores."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.testing import example_points


@pytest.fixture
def land() -> tuple[xr.Dataset, dict[str, pd.DataFrame]]:
    """Made-up basins, features that tell their elevation, and features that do not."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(120, 5))
    noise = rng.normal(size=(120, 5))
    ds = xr.Dataset(
        {"elev_mean": ("basin", 500 + values @ [100.0, 50, 0, 0, 20])},
        {
            "latitude": ("basin", rng.uniform(30, 48, 120)),
            "longitude": ("basin", rng.uniform(-120, -70, 120)),
            "left_out": ("basin", np.arange(120) % 3 == 0),
        },
    )
    return ds, {"telling": pd.DataFrame(values), "noise": pd.DataFrame(noise)}


def test_climate_statistics_describe_the_weather(embeddings: ModuleType) -> None:
    """One row per basin, finite, with the means of the record."""
    ds = example_points(3, 1461).rename(site="basin")
    table = embeddings.climate_statistics(ds)
    assert table.shape == (3, 11 + 2 * 24 + 1)
    assert np.isfinite(table.to_numpy()).all()
    assert table.index.tolist() == ds.basin.values.tolist()
    np.testing.assert_allclose(table.p_mean, ds.precipitation.mean("time"), rtol=0.01)
    july = ds.temperature.sel(time=ds.time.dt.month == 7)
    np.testing.assert_allclose(table.temperature_mean_7, july.mean("time"), rtol=1e-4)


def test_scores_are_of_basins_left_out(
    embeddings: ModuleType,
    land: tuple[xr.Dataset, dict[str, pd.DataFrame]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Telling features win, noise does not, and only known basins are fitted."""
    ds, features = land
    monkeypatch.setattr(embeddings, "TARGETS", {"elev_mean": "mean elevation"})
    table = embeddings.compare(ds, features).set_index(["features", "model"])
    assert table.basins.unique().tolist() == [40]
    assert table.r2_left_out["telling", "ridge"] > 0.95
    assert table.r2_left_out["telling", "forest"] > 0.6
    assert table.r2_left_out["noise"].max() < 0.3
    assert (table.standard_error > 0).all()
    wrong = ds.assign(elev_mean=ds.elev_mean.where(~ds.left_out, -ds.elev_mean))
    again = embeddings.compare(wrong, features).set_index(["features", "model"])
    assert again.r2_left_out["telling", "ridge"] < 0
    pd.testing.assert_series_equal(again.r2_blocks, table.r2_blocks)


@pytest.mark.usefixtures("tiny_table")
def test_basins_left_out_are_those_of_the_card(
    embeddings: ModuleType, real_data: Path
) -> None:
    """Every basin has a complete record; three were left out of the tiny weights."""
    ds = embeddings.load(real_data, 3)
    assert ds.sizes["basin"] > 500
    assert ds.sizes["time"] == 1096
    assert ds.precipitation.notnull().all()
    found = ds.basin.values[ds.left_out.values].tolist()
    assert sorted(found) == ["01435000", "06878000", "12144000"]
    few = ds.sel(basin=found)
    table = embeddings.embeddings(few)
    assert table.shape == (3, 16)
    assert table.index.tolist() == found
