"""Regions from a Dataset that was examined once: the same answers, small tasks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.store.questions import question
from xstefaland.store.source import ExaminedDataset
from xstefaland.testing import example_grid

Run = Callable[..., Any]
Same = Callable[[Any, Any], None]


@pytest.fixture
def source(grid: xr.Dataset, weights: Any, head: Any) -> Callable[..., ExaminedDataset]:
    """Examine a grid for streamflow."""

    def make(**chunks: int) -> ExaminedDataset:
        ds = grid.chunk(chunks) if chunks else grid
        asked = question("streamflow", {"weights": weights, "head": head})
        return ExaminedDataset.of(asked.examine(ds, asked.weights()[1]), asked.asks())

    return make


def test_a_region_is_cut_as_the_input_is(
    source: Callable[..., ExaminedDataset],
) -> None:
    """Into chunks, counted from the region's own corner; in memory it is one."""
    where = {"lat": slice(1, 3), "lon": slice(1, 4)}
    assert source().blocks(where) == [()]
    assert source(lat=1, lon=4).blocks(where) == [
        (("lat", slice(0, 1)), ("lon", slice(0, 3))),
        (("lat", slice(1, 2)), ("lon", slice(0, 3))),
    ]
    two = source(lat=3, lon=2).blocks(where)
    assert [dict(each)["lon"] for each in two] == [slice(0, 1), slice(1, 3)]


def test_tasks_are_small(source: Callable[..., ExaminedDataset]) -> None:
    """They hold neither the Dataset nor more of its values than those in memory."""
    lazy = source(lat=1)
    wanted = (("streamflow", ("time", "lat", "lon")),)
    task, arrays = lazy.task({"lat": slice(0, 1), "lon": slice(0, 4)}, (), wanted)
    assert len(arrays) == len(lazy.variables)
    assert len(pickle.dumps(task)) < 20_000
    assert all(not found.ds.variables for found, _ in task.parts)


@pytest.mark.parametrize("labels", [True, False])
def test_values_that_users_give_for_each_site(
    weights: Any, head: Any, run: Run, store: Path, same: Same, labels: bool
) -> None:
    """Latitude and a table of climates are cut as the regions are."""
    grid = example_grid(3, 2, 1200)
    climate = xstefaland.derive_climate(grid)
    climate = climate if labels else climate.drop_vars(["lat", "lon"])
    north = xr.DataArray(np.linspace(20, 60, 6).reshape(3, 2), dims=("lat", "lon"))
    if labels:  # in another order than the grid's
        north = north.assign_coords(lat=grid.lat, lon=grid.lon)[::-1]
    options = {"latitude": north, "climate": climate}
    short = grid.isel(time=slice(60))
    out = run(short.chunk(lat=2), store, **options).open()
    asked = {"weights": weights, "head": head, **options}
    expected = xstefaland.predict(short, "streamflow", **asked)
    same(out.streamflow, expected)
    without = xstefaland.predict(short, "streamflow", weights=weights, head=head)
    assert float(abs(expected - without).max()) > 1e-5  # they matter


def test_files_are_read_region_by_region(
    grid: xr.Dataset, flow: xr.DataArray, run: Run, store: Path, same: Same
) -> None:
    """A file that is opened without chunks is not read as a whole."""
    path = store.with_name("in.nc")
    grid.to_netcdf(path)
    with xr.open_dataset(path, cache=False) as ds:
        same(run(ds, store).open().streamflow, flow)
        assert not ds.precipitation.variable._in_memory


def test_values_in_files_are_looked_at(grid: xr.Dataset, run: Run, store: Path) -> None:
    """Kelvin labelled as degC is told, though nobody saw the values before."""
    path = store.with_name("in.nc")
    attrs = grid.temperature.attrs
    grid.assign(temperature=(grid.temperature + 273.15).assign_attrs(attrs)).to_netcdf(
        path
    )
    options: dict[str, Any] = {"engine": "h5netcdf", "cache": False}
    with (
        xr.open_dataset(path, **options) as ds,
        xstefaland.set_options(out_of_range="keep"),
        pytest.warns(UserWarning, match="K"),
    ):
        run(ds, store)


def test_several_questions_at_once(
    grid: xr.Dataset, weights: Any, head: Any, run: Run, store: Path, same: Same
) -> None:
    """Two targets of one head, two regions in blocks of one row each."""
    both = ["soil_moisture", "streamflow"]
    out = run(grid.chunk(lat=1, lon=3), store, both, regions={"lat": 3, "lon": 3})
    expected = xstefaland.predict(grid, both, weights=weights, head=head)
    for name in (*both, "fraction_missing", "values_rejected"):
        same(out.open()[name], expected[name])
