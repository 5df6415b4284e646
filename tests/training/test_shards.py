"""Shards: the numbers of predictions, whole or not at all, block by block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland import datasets
from xstefaland.errors import InputError, MissingVariableError
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.formulas.climate import CLIMATE_INDICES
from xstefaland.inputs.prepare import prepare
from xstefaland.testing import example_grid, example_points
from xstefaland.training import shards
from xstefaland.training.corpus import Corpus
from xstefaland.training.shards import Shard, write_shard

READERS: dict[str, Callable[..., xr.Dataset]] = {
    "era5land": partial(datasets.camels_us, product="era5land"),
    "daymet": partial(datasets.camels_us, product="daymet"),
    "uscrn": datasets.uscrn,
    "caravan": datasets.caravan,
}
SITES = {
    "era5land": ["01022500", "12144000"],
    "daymet": ["01013500", "01435000"],
    "uscrn": ["53877", "94077"],
    "caravan": ["camels_01022500", "camelsgb_21003", "hysets_01010070"],
}


def assert_same_input(ds: xr.Dataset, folder: Path) -> None:
    """Windows of a shard are bit for bit what the bundled encoder gets of `ds`."""
    write_shard(folder / "source", ds)
    corpus = Corpus(folder)
    _, asked = plan_encoder(None)
    prepared = prepare(ds, asked)
    given = prepared.forcing.values
    rows, days = np.arange(len(given)), min(365, given.shape[1])
    starts = np.linspace(0, given.shape[1] - days, len(rows)).astype(int)
    batch = corpus.batch("source", rows, starts, days)
    expected = np.stack([g[s : s + days] for g, s in zip(given, starts, strict=True)])
    assert np.isfinite(expected).any((0, 1)).sum() >= 3
    for column, variable in enumerate(asked.forcing):
        wanted = expected[..., column]
        if variable.name in corpus.forcing:
            own = batch.forcing[..., corpus.forcing.index(variable.name)]
            np.testing.assert_array_equal(own, wanted, err_msg=variable.name)
        else:
            assert np.isnan(wanted).all()
    known = 0
    for column, variable in enumerate(asked.attributes):
        wanted = prepared.attributes.values[:, column]
        if variable.name in corpus.attributes:
            own = batch.attributes[:, corpus.attributes.index(variable.name)]
            np.testing.assert_array_equal(own, wanted, err_msg=variable.name)
            known += 1
        else:
            assert np.isnan(wanted).all()
    assert known >= 1
    np.testing.assert_array_equal(batch.latitude, prepared.latitude.values)
    time = pd.DatetimeIndex(prepared.forcing.indexes["time"])
    number = [time.day_of_year[start : start + days] for start in starts]
    np.testing.assert_array_equal(batch.day_of_year, number)


@pytest.mark.filterwarnings("ignore::UserWarning")  # fills are told, as they should be
def test_training_reads_what_predictions_read(
    awkward: xr.Dataset, tmp_path: Path
) -> None:
    """Kelvin, mm/s, days left out, fills, absent variables: equal on both roads."""
    assert_same_input(awkward, tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", READERS)
def test_training_reads_what_predictions_read_of_real_sites(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    """The same for sites of real archives."""
    assert_same_input(READERS[name](real_data, SITES[name]), tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("lazy", [False, True])
def test_blocks_do_not_change_what_is_written(
    awkward: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lazy: bool
) -> None:
    """One site at a time, from memory or lazily, equals all at once."""
    whole = write_shard(tmp_path / "whole", awkward)
    monkeypatch.setattr(shards, "BLOCK", 1)
    ds = awkward.chunk({"basin": 2, "time": 500}) if lazy else awkward
    parts = write_shard(tmp_path / "parts", ds)
    np.testing.assert_array_equal(parts.forcing, whole.forcing)
    np.testing.assert_array_equal(parts.observed, whole.observed)
    pd.testing.assert_frame_equal(
        parts.attributes.reset_index(drop=True), whole.attributes.reset_index(drop=True)
    )


@pytest.mark.parametrize(
    "sizes", [{}, {"site": 7}, {"y": 5, "x": 40}, {"y": 3, "x": 3, "member": 11}]
)
def test_blocks_hold_every_site_once_and_are_small(
    sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the dims, a block is at most what is allowed, and none is forgotten."""
    days, allowed = 10, 12
    monkeypatch.setattr(shards, "BLOCK", allowed * days * len(shards.FORCING))
    seen = np.zeros(tuple(sizes.values()), int)
    for block in shards._blocks(sizes, days):
        part = seen[tuple(block.values())]
        assert part.size <= allowed
        seen[tuple(block.values())] += 1
    assert (seen == 1).all()


def test_grids_and_single_sites_are_sources_too(tmp_path: Path) -> None:
    """A grid gives one row a cell, the sea none to learn from; a point one row."""
    grid = write_shard(tmp_path / "grid", example_grid(3, 4, 400))
    assert grid.forcing.shape[:2] == (12, 400)
    assert grid.sites["site"].iloc[1].startswith("grid-45.0-5.25")
    assert grid.sites["lon"].tolist()[:2] == [5.0, 5.25]
    assert grid.sites["days"].tolist() == [400] * 11 + [0]
    assert grid.usable(365).tolist() == [True] * 11 + [False]
    point = example_points(1, 400).isel(site=0)
    assert write_shard(tmp_path / "point", point).forcing.shape[:2] == (1, 400)


def test_the_table_of_sites_says_where_and_when(tmp_path: Path) -> None:
    """Ids begin with the source; the first day is the first with weather."""
    ds = example_points(3, 500).assign_coords(
        gauge=("site", ["7", "", "9"]), country="Chile", product="mine"
    )
    ds["temperature"][1, :20] = np.nan
    sites = write_shard(tmp_path / "own", ds).sites
    assert sites["site"].tolist() == [f"own-site00{i}" for i in range(3)]
    assert sites["gauge"].tolist() == ["7", "", "9"]
    assert set(sites["country"]) == {"Chile"}
    assert set(sites["product"]) == {"mine"}
    assert sites["days"].tolist() == [500, 480, 500]
    days = pd.DatetimeIndex(ds.time.values)
    assert sites["first"].tolist() == [days[0], days[20], days[0]]
    np.testing.assert_allclose(sites["lat"], ds.latitude, atol=1e-5)
    np.testing.assert_array_equal(sites["lon"], ds.longitude)


def test_only_what_the_source_has_is_kept(tmp_path: Path) -> None:
    """Variables that no site has take no room; targets never enter."""
    ds = example_points(2, 1200).drop_vars("shortwave_radiation")
    ds["streamflow"] = ds["precipitation"] * 0.5
    shard = write_shard(tmp_path / "own", ds)
    names = ["precipitation", "temperature", "potential_evapotranspiration"]
    assert shard.variables == names
    assert {"elevation", "clay", "p_mean"} <= set(shard.attributes)
    assert not {"sand", "streamflow", "permafrost_frac"} & set(shard.attributes)


def test_climate_of_stretches_is_that_of_the_forcing(tmp_path: Path) -> None:
    """Each site's stretches lie about the climate of its whole record."""
    ds = example_points(4, 12 * 366)
    ds["precipitation"] = ds["precipitation"] * xr.DataArray([1, 2, 4, 8], dims="site")
    ds["precipitation"].attrs["units"] = "mm d-1"
    shard = write_shard(tmp_path / "own", ds)
    assert shard.climate.shape == (4, 8, len(CLIMATE_INDICES))
    rain = shard.climate[..., CLIMATE_INDICES.index("p_mean")]
    record = shard.attributes["p_mean"].to_numpy()[:, None]
    np.testing.assert_allclose(rain, np.broadcast_to(record, rain.shape), rtol=0.4)
    assert (rain.std(1) > 0).all()


def test_a_shard_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failure half-way leaves no shard; the next run writes it."""
    ds = example_points(2, 400)

    def fails(block: np.ndarray) -> np.ndarray:
        raise OSError("disk")

    broken = dask.array.from_array(ds["temperature"].values).map_blocks(
        fails, dtype="f4", meta=np.empty((0, 0), "f4")
    )
    attrs = ds["temperature"].attrs
    with pytest.raises(OSError, match="disk"):
        write_shard(
            tmp_path / "own", ds.assign(temperature=(("site", "time"), broken, attrs))
        )
    assert not (tmp_path / "own").exists()
    with pytest.raises(InputError, match="holds no corpus"):
        Corpus(tmp_path)
    assert write_shard(tmp_path / "own", ds).days == 400


def test_a_shard_is_not_overwritten(tmp_path: Path) -> None:
    """What is there stays."""
    write_shard(tmp_path / "own", example_points(2, 400))
    with pytest.raises(InputError, match="delete it"):
        write_shard(tmp_path / "own", example_points(2, 300))
    assert Shard(tmp_path / "own").days == 400


def test_weather_is_needed(tmp_path: Path) -> None:
    """Without temperature there is nothing to learn from, and that is said."""
    ds = example_points(2, 400).drop_vars("temperature")
    with pytest.raises(MissingVariableError, match="temperature"):
        write_shard(tmp_path / "own", ds)


def test_windows_start_where_a_quarter_is_observed(tmp_path: Path) -> None:
    """The first and the last start are those counted by hand."""
    ds = example_points(1, 300)
    ds["precipitation"][0, :100] = np.nan
    ds["precipitation"][0, 200:] = np.nan
    shard = write_shard(tmp_path / "own", ds)
    starts = shard.starts(0, 80)  # days 100 to 199 are observed; 20 of 80 do
    assert (starts[0], starts[-1], len(starts)) == (40, 180, 141)
    assert shard.starts(0, 300).tolist() == [0]
    assert np.isnan(shard.forcing[0, :100, 0]).all()
