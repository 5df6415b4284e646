"""Labels: coordinates, CRS and indexes come back; attributes say what and by whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.inference.labels import describe_target
from xstefaland.testing import example_grid, example_points
from xstefaland.weights import TargetSpec

QUALITY = ["fraction_missing", "values_rejected"]


@pytest.fixture
def grid() -> xr.Dataset:
    """A small grid with a CRS and further coordinates."""
    grid = example_grid(days=45)
    grid = grid.assign_coords(
        region=(("lat", "lon"), np.arange(12).reshape(3, 4)),
        season=("time", np.arange(45) % 4),
        product="synthetic",
    )
    grid.attrs["history"] = "made"
    return grid


def test_coordinates_come_back_identical(
    grid: xr.Dataset, weights: Any, head: Any
) -> None:
    """All coordinates that fit, with attributes, and two on the input's quality."""
    flow = xstefaland.predict(grid, "streamflow", head=head, weights=weights)
    assert set(flow.coords) == {*grid.coords, *QUALITY}
    for name in grid.coords:
        xr.testing.assert_identical(
            flow[name].reset_coords(drop=True), grid[name].reset_coords(drop=True)
        )
    assert set(flow.xindexes) == set(grid.xindexes)
    pooled = xstefaland.embed(grid, weights=weights, pool="mean")
    assert set(pooled.coords) == {
        "lat", "lon", "spatial_ref", "region", "product", *QUALITY,
    }  # fmt: skip


def test_crs_comes_back(grid: xr.Dataset, weights: Any) -> None:
    """rioxarray finds the CRS of the answer, whatever its variable is called."""
    pytest.importorskip("rioxarray")
    named = grid.rename(spatial_ref="crs").reset_coords("crs")
    named["crs"] = ((), 0)
    named = named.rio.write_crs("EPSG:4326", grid_mapping_name="crs")
    for name in named.data_vars:
        named[name].attrs.pop("grid_mapping", None)
        named[name].encoding["grid_mapping"] = "crs"
    as_variable = named.reset_coords("crs")
    for ds in (named, as_variable):
        out = xstefaland.embed(ds, weights=weights, pool="mean")
        assert out.rio.crs == named.rio.crs
        assert "crs" in out.coords


def test_custom_index_comes_back(weights: Any, head: Any) -> None:
    """A geometry index of xvec survives."""
    xvec = pytest.importorskip("xvec")
    shapely = pytest.importorskip("shapely")
    ds = example_points(3, 40)
    points = shapely.points(ds.longitude, ds.latitude)
    ds = (
        ds.drop_vars("site")
        .assign_coords(site=points)
        .drop_vars(["latitude", "longitude"])
    )
    ds = ds.xvec.set_geom_indexes("site", crs=4326)
    flow = xstefaland.predict(ds, ["streamflow"], head=head, weights=weights)
    assert isinstance(flow.xindexes["site"], xvec.GeometryIndex)
    assert flow.xvec.geom_coords_indexed["site"].attrs["crs"] == ds.site.attrs["crs"]


def test_index_without_pandas_comes_back(weights: Any) -> None:
    """An index of another kind, here one that computes its labels, is kept."""
    ds = example_points(4, 40).drop_vars("site")
    index = xr.indexes.RangeIndex.arange(10.0, 14.0, dim="site")
    ds = ds.assign_coords(xr.Coordinates.from_xindex(index))
    for out in (
        xstefaland.embed(ds, weights=weights),
        xstefaland.reconstruct(ds, weights=weights),
    ):
        assert isinstance(out.xindexes["site"], xr.indexes.RangeIndex)
        assert out.xindexes["site"].equals(ds.xindexes["site"])


def test_multi_index_comes_back(weights: Any) -> None:
    """Sites under a MultiIndex keep it."""
    ds = example_points(4, 40).drop_vars("site")
    ds = ds.assign_coords(
        country=("site", ["a", "a", "b", "b"]), gauge=("site", [1, 2, 1, 2])
    ).set_index(site=["country", "gauge"])
    out = xstefaland.embed(ds, weights=weights)
    xr.testing.assert_identical(out.site.drop_vars(QUALITY), ds.site)


def test_units_of_the_input_do_not_leak(
    grid: xr.Dataset, weights: Any, head: Any
) -> None:
    """Attributes are those of the target and of who made it, nothing else."""
    flow = xstefaland.predict(grid, "streamflow", head=head, weights=weights)
    assert flow.attrs["units"] == "mm d-1"
    assert flow.attrs["cell_methods"] == "time: mean"
    assert flow.attrs["spinup_days"] == 365
    assert flow.attrs["weights"] == "tiny"
    assert flow.attrs["weights_sha256"] == weights.sha256
    assert flow.attrs["head"] == "tiny-head"
    assert flow.attrs["head_sha256"] == head.sha256
    assert flow.attrs["source"] == f"xstefaland {xstefaland.__version__}"
    assert not set(flow.attrs) & {"grid_mapping", "title"}
    embedding = xstefaland.embed(grid, weights=weights)
    assert embedding.attrs["units"] == "1"


def test_history_grows_on_top(grid: xr.Dataset, weights: Any, head: Any) -> None:
    """The newest line first, the Dataset's own kept."""
    flow = xstefaland.predict(grid, ["streamflow"], head=head, weights=weights)
    first, last = flow.attrs["history"].splitlines()
    assert "predict(['streamflow'])" in first
    assert xstefaland.__version__ in first
    assert last == "made"
    one = xstefaland.predict(grid, "streamflow", head=head, weights=weights)
    assert "predict('streamflow')" in one.attrs["history"]


def test_fraction_missing_counts_gaps(weights: Any) -> None:
    """NaN, absent variables and days left out of the time axis all count."""
    ds = example_points(2, 50)
    ds["precipitation"][0, :10] = np.nan
    cut = ds.isel(time=np.r_[0:40, 45:50]).drop_vars("shortwave_radiation")
    found = xstefaland.embed(cut, weights=weights).fraction_missing
    assert found.dims == ("site",)
    assert found.dtype == np.float32
    present = np.array([40 - 10 + 5 + 45, 90])
    np.testing.assert_allclose(found, 1 - present / (3 * 50), rtol=1e-6)
    assert found.attrs["units"] == "1"


def test_files_keep_the_answer(
    grid: xr.Dataset, weights: Any, head: Any, tmp_path: Path
) -> None:
    """NetCDF and Zarr take answers, lazy or not, and give them back."""
    flow = xstefaland.predict(
        grid.chunk(lat=1), ["streamflow"], head=head, weights=weights
    )
    flow = flow.drop_vars("product")  # Zarr has no stable text
    flow.to_zarr(tmp_path / "flow.zarr", consolidated=False)
    again = xr.open_zarr(tmp_path / "flow.zarr", consolidated=False)
    np.testing.assert_array_equal(again.streamflow, flow.streamflow)
    own = {k: v for k, v in again.streamflow.attrs.items() if k != "grid_mapping"}
    assert own == flow.streamflow.attrs
    embedding = xstefaland.embed(grid, weights=weights)
    embedding.to_netcdf(tmp_path / "embedding.nc")
    back = xr.open_dataarray(tmp_path / "embedding.nc", decode_coords="all")
    assert back.name == "embedding"
    np.testing.assert_array_equal(back, embedding)
    assert back.attrs == embedding.attrs


def test_standard_names_are_those_of_the_table(weights: Any, head: Any) -> None:
    """A card that lacks one, as the first release does, gets it in the same units."""
    spec = TargetSpec(name="evapotranspiration", units="mm d-1")
    known = "lwe_water_evaporation_rate"
    assert describe_target(spec, weights, head)["standard_name"] == known
    flux = describe_target(replace(spec, units="W m-2"), weights, head)
    own = TargetSpec(name="my_store", units="mm")
    for attrs in (flux, describe_target(own, weights, head)):
        assert "standard_name" not in attrs
    named = describe_target(replace(spec, standard_name="mine"), weights, head)
    assert named["standard_name"] == "mine"


def test_evapotranspiration_of_the_bundled_head_has_its_standard_name() -> None:
    """CF has a name for it; streamflow as a depth has none."""
    ds = example_points(1, 400)
    out = ds.stefaland.predict(["evapotranspiration", "streamflow"])
    assert out.evapotranspiration.standard_name == "lwe_water_evaporation_rate"
    assert "standard_name" not in out.streamflow.attrs


@pytest.mark.parametrize("lazy", [False, True])
def test_answers_are_written_to_zarr_without_a_warning(
    weights: Any, head: Any, tmp_path: Path, lazy: bool
) -> None:
    """Texts are of any width and in memory, whatever the user's are."""
    ds = example_points(2, 60).assign_coords(
        river=("site", ["Aa", "Birs"]),
        gauge=("site", np.array(["1", "23"], object)),
        country="Switzerland",
    )
    ds = ds.chunk(site=1) if lazy else ds
    flow = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    flow.to_dataset().to_zarr(tmp_path / "a.zarr", consolidated=False)
    again = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    xr.testing.assert_identical(again.streamflow.load(), flow.load())
