"""Runs: the same as at once, continued, refused, and said to be large before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from dask.callbacks import Callback

import xstefaland
from xstefaland.errors import InputError, MissingVariableError, RunError
from xstefaland.store import handing, packing, sizes
from xstefaland.store.folders import LocalFolder
from xstefaland.store.writing import StoredVariable
from xstefaland.testing import (
    example_grid,
    example_points,
    tiny_head,
    tiny_weights,
)

Run = Callable[..., Any]
Same = Callable[[Any, Any], None]


def files(store: Path) -> set[str]:
    """All files of a store."""
    found = (path for path in store.rglob("*") if path.is_file())
    return {str(path.relative_to(store)) for path in found}


@pytest.mark.parametrize("lazy", [False, True])
def test_a_grid_is_what_predict_gives(
    grid: xr.Dataset, flow: xr.DataArray, run: Run, store: Path, same: Same, lazy: bool
) -> None:
    """Values, dims, coordinates, CRS and attributes; the sea is missing."""
    report = run(grid.chunk(lat=1, lon=1) if lazy else grid, store)
    assert (report.regions, report.written, report.sites) == (6, 6, 12)
    out = report.open()
    same(out.streamflow, flow)
    same(out.fraction_missing, flow.fraction_missing)
    assert out.streamflow.dims == flow.dims
    assert set(out.coords) == set(flow.coords)
    for name in ("lat", "lon", "time", "spatial_ref"):
        assert out[name].equals(flow[name])
    kept = {k: v for k, v in flow.attrs.items() if k not in ("history", "grid_mapping")}
    assert kept.items() <= out.streamflow.attrs.items()
    assert "predict(['streamflow'])" in out.attrs["history"]


def test_points_with_names_and_attributes(
    run: Run, head: Any, weights: Any, store: Path, same: Same
) -> None:
    """Text along a dim, several targets, a shorter last region, and the default."""
    ds = example_points(5, 60).chunk(site=2)
    both = ["streamflow", "soil_moisture"]
    report = run(ds, store, both, regions={"site": 2})
    assert report.regions == 3
    expected = xstefaland.predict(ds, both, weights=weights, head=head)
    out = report.open()
    for name in both:
        same(out[name], expected[name])
    assert out.site.values.tolist() == ds.site.values.tolist()
    np.testing.assert_array_equal(out.latitude, ds.latitude)
    assert run(ds, store.with_name("whole.zarr"), both).regions == 1


def test_a_single_site(run: Run, weights: Any, store: Path, same: Same) -> None:
    """No dim of sites: one region, and a mean embedding without any own dim but its."""
    ds = example_points(1, 60).isel(site=0)
    report = run(ds, store, "embedding", pool="mean")
    expected = xstefaland.embed(ds, weights=weights, pool="mean")
    same(report.open().embedding, expected)
    assert report.open().site.item() == "site000"


@pytest.mark.parametrize("pool", [None, "year", "mean", "static"])
def test_embeddings_are_a_data_variable(
    grid: xr.Dataset, weights: Any, run: Run, store: Path, same: Same, pool: Any
) -> None:
    """Though `embedding` has a dim of that name, which makes it a coordinate."""
    out = run(grid, store, "embedding", pool=pool).open()
    assert list(out.data_vars) == ["embedding"]
    expected = xstefaland.embed(grid, weights=weights, pool=pool)
    same(out.embedding, expected)
    assert out.embedding.dims == expected.dims
    same(xr.open_zarr(store)["embedding"], expected)


def test_reconstruction(
    grid: xr.Dataset, weights: Any, run: Run, store: Path, same: Same
) -> None:
    """Gaps are filled, observed values are the input's."""
    gappy = grid.assign(temperature=grid.temperature.where(grid.temperature > 0))
    out = run(gappy, store, "reconstruction").open()
    expected = xstefaland.reconstruct(gappy, weights=weights)
    assert set(out.data_vars) == set(expected.data_vars)
    same(out.temperature, expected.temperature)


def test_quantiles(
    grid: xr.Dataset, weights: Any, run: Run, store: Path, same: Same, tmp_path: Path
) -> None:
    """A dim that only the answer has."""
    head = tiny_head(
        weights, path=tmp_path / "q.safetensors", quantiles=(0.1, 0.5, 0.9)
    )
    options: dict[str, Any] = {"head": head, "quantiles": [0.1, 0.9]}
    out = run(grid, store, **options).open()
    expected = xstefaland.predict(grid, "streamflow", weights=weights, **options)
    same(out.streamflow, expected)
    assert out["quantile"].values.tolist() == [0.1, 0.9]


@pytest.mark.parametrize("shards", [False, True])
def test_chunks_and_shards(
    grid: xr.Dataset,
    flow: xr.DataArray,
    run: Run,
    store: Path,
    same: Same,
    shards: bool,
) -> None:
    """Small chunks for readers; one file for a region where shards are wanted."""
    report = run(grid, store, chunks={"time": 25, "lon": 1}, shards=shards)
    array = zarr.open_array(store, path="streamflow")
    assert array.chunks == (25, 1, 1)
    assert array.shards == ((75, 1, 2) if shards else None)
    same(report.open().streamflow, flow)
    chunks = [name for name in files(store) if name.startswith("streamflow/c/")]
    assert len(chunks) == (6 if shards else 3 * 11)  # the sea has no chunk


def test_the_store_is_one_that_others_read(
    grid: xr.Dataset, flow: xr.DataArray, run: Run, store: Path, same: Same
) -> None:
    """Format 3, consolidated, nothing in it that is not Zarr's."""
    run(grid, store)
    same(xr.open_zarr(store, consolidated=True).streamflow, flow)
    assert zarr.open_group(store).metadata.zarr_format == 3
    assert {Path(name).parts[-1] for name in files(store) if "/c/" not in name} == {
        "zarr.json",
        *(["c"] if "spatial_ref/c" in files(store) else []),
    }
    beside = store.with_name("out.zarr.run")
    assert sorted(path.name for path in beside.iterdir() if path.is_file()) == [
        "finished.json",
        "plan.json",
        "ready.json",
    ]


def test_a_second_call_computes_nothing(
    grid: xr.Dataset, run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is there: it only says so."""
    run(grid, store)
    monkeypatch.setattr(handing.RegionWriter, "write", _refuse)
    report = run(grid, store)
    assert (report.written, report.skipped, report.complete) == (0, 6, True)


def _refuse(*args: Any) -> None:
    raise AssertionError("a region was written")


def test_only_what_is_missing_is_computed(
    grid: xr.Dataset,
    flow: xr.DataArray,
    run: Run,
    store: Path,
    same: Same,
    failing: Callable[..., Any],
) -> None:
    """After an error the others are there, the error names one, the rerun does one."""
    with failing(4, "the tape is torn"), pytest.raises(RunError) as error:
        run(grid, store)
    report = error.value.report
    assert (report.written, len(report.failed), report.complete) == (5, 1, False)
    assert "region 4 (lat 2:3, lon 0:2): OSError: the tape is torn" in str(error.value)
    part = report.open().streamflow
    same(part.isel(lat=slice(2)), flow.isel(lat=slice(2)))
    assert (
        part.isel(lat=2, lon=slice(2)).isnull().values.all()
    )  # not 0, which would be a flow
    report = run(grid, store)
    assert (report.written, report.skipped) == (1, 5)
    same(report.open().streamflow, flow)


def _changed(grid: xr.Dataset) -> dict[str, tuple[xr.Dataset, dict[str, Any], str]]:
    """What a user may change between two calls, and how it is called."""
    warmer = grid.assign(temperature=grid.temperature + 1)
    renamed = grid.assign_coords(lat=grid.lat + 1)
    kelvin = grid.assign(temperature=grid.temperature.assign_attrs(units="celsius"))
    return {
        "values": (warmer, {}, "data.variables.temperature.values"),
        "place": (renamed, {}, "data.coordinates.lat: '3 from 45.0 to"),
        "length": (grid.isel(time=slice(50)), {}, "data.sizes.time: 60 then, 50 now"),
        "units": (kelvin, {}, "units: 'degC' then, 'celsius' now"),
        "option": (grid, {"max_gap": 5}, "options.max_gap: nothing then, 5 now"),
        "precision": (grid, {"precision": "bfloat16"}, "options.precision"),
        "target": (grid, {"target": "soil_moisture"}, "target: 'streamflow' then"),
        "packing": (grid, {"dtype": "float16"}, "dtype: 'float32' then"),
        "regions": (grid, {"regions": {"lat": 3}}, "regions.lat: 1 then, 3 now"),
        "chunks": (grid, {"chunks": {"time": 10}}, "chunks.time: nothing then, 10"),
    }


@pytest.mark.parametrize(
    "what",
    [
        "values",
        "place",
        "length",
        "units",
        "option",
        "precision",
        "target",
        "packing",
        "regions",
        "chunks",
    ],
)
def test_another_run_is_refused(
    grid: xr.Dataset, run: Run, store: Path, what: str
) -> None:
    """With the difference, and nothing of the store is touched."""
    run(grid, store)
    before = {name: (store / name).stat().st_mtime_ns for name in files(store)}
    ds, options, text = _changed(grid)[what]
    with pytest.raises(InputError) as error:
        run(ds, store, **options)
    assert text in str(error.value)
    assert "resume=False" in str(error.value)
    after = {name: (store / name).stat().st_mtime_ns for name in files(store)}
    assert after == before


def test_other_weights_are_refused(
    grid: xr.Dataset, weights: Any, run: Run, store: Path, tmp_path: Path
) -> None:
    """A head of the same name is told by its hash."""
    run(grid, store)
    other = tiny_head(weights, path=tmp_path / "other.safetensors", seed=9)
    with pytest.raises(InputError, match=r"weights\.tiny-head: '[0-9a-f]{64}' then"):
        run(grid, store, head=other)


def test_a_file_in_the_place_of_the_store(
    grid: xr.Dataset, run: Run, store: Path
) -> None:
    """Refused with the remedy, and left as it is; so is one in the way to it."""
    store.write_text("mine")
    for path in (store, store / "deeper.zarr"):
        with pytest.raises(InputError, match=rf"'{store}' is a file, .* another path"):
            run(grid, path)
    assert store.read_text() == "mine"
    assert list(store.parent.iterdir()) == [store]


@pytest.mark.parametrize("count", [0, -1, 1.5, "2"])
def test_regions_at_once_are_a_number(
    grid: xr.Dataset, run: Run, store: Path, count: Any
) -> None:
    """None at all is no other way to say the default."""
    with pytest.raises(InputError, match=r"in_flight=.* 1 or more"):
        run(grid, store, in_flight=count)
    assert not store.exists()


def test_chunks_paths_and_batches_are_no_difference(
    grid: xr.Dataset, run: Run, store: Path, tmp_path: Path
) -> None:
    """The same data from a file, chunked, in other batches: the run goes on."""
    run(grid, store)
    grid.to_netcdf(tmp_path / "in.nc")
    with xr.open_dataset(tmp_path / "in.nc", chunks={"lat": 2}) as ds:
        assert run(ds, store, batch_size=3, regions=None).skipped == 6


def test_a_new_start_replaces_everything(
    grid: xr.Dataset, run: Run, store: Path, same: Same, flow: xr.DataArray
) -> None:
    """Also the handles that this process keeps of the old arrays."""
    warmer = grid.assign(temperature=grid.temperature + 1)
    run(warmer, store, chunks={"time": 7})
    report = run(grid, store, resume=False, chunks={"time": 25})
    assert report.written == 6
    same(report.open().streamflow, flow)


def test_a_foreign_store_is_never_overwritten(
    grid: xr.Dataset, run: Run, store: Path
) -> None:
    """Neither with `resume` nor without."""
    grid.to_zarr(store, zarr_format=3, consolidated=False)
    before = files(store)
    for resume in (True, False):
        with pytest.raises(InputError, match="no run of xstefaland wrote it"):
            run(grid, store, resume=resume)
    assert files(store) == before


def test_a_deleted_store_is_made_again(
    grid: xr.Dataset, flow: xr.DataArray, run: Run, store: Path, same: Same
) -> None:
    """What is said to be done counts only while the store is there."""
    run(grid, store)
    shutil.rmtree(store)
    report = run(grid, store)
    assert report.written == 6
    same(report.open().streamflow, flow)


def test_a_run_killed_before_its_template_was_whole(
    grid: xr.Dataset, flow: xr.DataArray, run: Run, store: Path, same: Same
) -> None:
    """A plan without a template: the store is ours, and is begun again."""
    run(grid, store)
    beside = LocalFolder(store.with_name("out.zarr.run"))
    for name in ("ready.json", "finished.json"):
        beside.remove(name)
    (store / "zarr.json").unlink()
    report = run(grid, store)
    assert report.written == 6
    same(report.open().streamflow, flow)


def test_starting_over_beside_another_is_refused(
    grid: xr.Dataset, run: Run, store: Path
) -> None:
    """It would take the store from under the other's feet."""
    run(grid, store)
    beside = LocalFolder(store.with_name("out.zarr.run"))
    beside.write("alive/far-1-x.json", json.dumps({"host": "far", "pid": 1}).encode())
    with pytest.raises(InputError, match="far-1-x still write"):
        run(grid, store, resume=False)


def test_bad_data_are_refused_before_anything_is_written(
    grid: xr.Dataset, run: Run, store: Path
) -> None:
    """All problems, as `check` lists them."""
    unitless = grid.assign(
        {n: grid[n].drop_attrs() for n in ("precipitation", "temperature")}
    )
    with pytest.raises(InputError, match="'precipitation', 'temperature'"):
        run(unitless, store)
    with pytest.raises(MissingVariableError, match="temperature"):
        run(grid.drop_vars("temperature"), store)
    assert not store.parent.joinpath("out.zarr.run").exists()
    assert not store.exists()


def test_time_chunks_are_refused_with_the_recipe(
    grid: xr.Dataset, run: Run, store: Path
) -> None:
    """The call rechunks on disk; a variable that is not used may be as it is."""
    with pytest.raises(InputError) as error:
        run(grid.chunk(time=30), store)
    text = str(error.value)
    assert "'precipitation'" in text
    assert 'ds.chunk({"time": -1, "lat": 3, "lon": 4}).to_zarr("by_site.zarr")' in text
    beside = grid.assign(unused=grid.temperature.astype(str).chunk(time=30))
    assert run(beside, store).complete


def test_large_answers_are_refused_with_smaller_ways(
    grid: xr.Dataset, run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written; and `allow_large` allows them."""
    monkeypatch.setattr(sizes, "LARGE", 40_000)
    with pytest.raises(InputError) as error:
        run(grid, store, "embedding")
    text = str(error.value)
    assert "45.09 kiB before compression" in text
    for way in ('pool="year" (769 B)', 'pool="mean"', 'dtype="int8" (11.27 kiB)'):
        assert way in text
    assert not store.exists()
    assert run(grid, store, "embedding", dtype="float16").complete
    assert run(grid, store, "embedding", resume=False, allow_large=True).complete


def test_packed_embeddings(
    grid: xr.Dataset, weights: Any, run: Run, store: Path
) -> None:
    """Half a step is lost at most, the sea stays missing, the file holds bytes."""
    out = run(grid, store, "embedding", dtype="int8").open().embedding
    expected = xstefaland.embed(grid, weights=weights)
    assert zarr.open_array(store, path="embedding").dtype == np.int8
    step = out.encoding["scale_factor"]
    np.testing.assert_array_equal(out.isnull(), expected.isnull())
    assert float(abs(out - expected).max()) <= 0.5001 * step
    assert step < 0.05 * float(expected.std())


def test_values_beyond_a_byte_are_counted(
    grid: xr.Dataset,
    weights: Any,
    run: Run,
    store: Path,
    failing: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the marker of each region, and in what the call reports."""
    monkeypatch.setattr(packing, "MARGIN", 0.4)
    with failing(0, "torn"), pytest.raises(RunError, match="lay beyond") as e:
        run(grid, store, "embedding", dtype="int8")
    report: Any = e.value.report
    step = report.open().embedding.encoding["scale_factor"]
    values = abs(xstefaland.embed(grid, weights=weights)).isel(lat=slice(1, None))
    first = abs(xstefaland.embed(grid, weights=weights)).isel(lat=0, lon=slice(2, None))
    beyond = sum(int((each > 127.5 * step).sum()) for each in (values, first))
    assert report.clipped == beyond > 0
    done = Path(f"{store}.run", "done").iterdir()
    assert sum(json.loads(each.read_text())["clipped"] for each in done) == beyond
    monkeypatch.undo()
    assert "lay beyond" not in str(run(grid, store.with_name("b.zarr")))


def test_arguments_that_a_target_does_not_take(
    grid: xr.Dataset, run: Run, store: Path, head: Any
) -> None:
    """They are named, not dropped."""
    for options, text in (
        ({"target": "embedding", "head": head}, "does not take head="),
        ({"target": "streamflow", "pool": "mean"}, "does not take pool="),
        ({"target": "reconstruction", "causal": True}, "does not take causal="),
        ({"target": ["streamflow", "embedding"]}, "a run of its own"),
    ):
        with pytest.raises(InputError, match=text):
            run(grid, store, **options)


def test_values_of_rows_and_columns_in_chunks(run: Run, store: Path) -> None:
    """An attribute of fewer dims than the sites is that of its row, or its column.

    The grid is square: what is taken for the other dim would fit it.
    """
    ds = example_grid(3, 3, 60)
    ds["elevation"] = ds.elevation.isel(lon=0, drop=True)
    ds["clay"] = ds.clay.isel(lat=0, drop=True)
    options = {"weights": tiny_weights(window=40, stride=15)}
    options["head"] = tiny_head(options["weights"])
    expected = xstefaland.predict(ds, "streamflow", **options)
    for chunks in ({}, {"lat": 2, "lon": 1}):
        found = run(ds.chunk(chunks), store, resume=False, regions=None, **options)
        np.testing.assert_allclose(found.open().streamflow, expected, rtol=1e-4)


def test_a_table_of_the_climate_goes_by_labels(run: Run, store: Path) -> None:
    """It is no part of the Dataset, and belongs to the run as the Dataset does."""
    ds = example_points(3, 1200)
    climate = xstefaland.derive_climate(ds)
    options = {"weights": None, "head": None, "climate": climate.isel(site=[2, 0, 1])}
    report = run(ds.chunk(site=2), store, **options)
    expected = xstefaland.predict(ds, "streamflow", climate=climate)
    np.testing.assert_allclose(report.open().streamflow, expected, rtol=1e-4)
    with pytest.raises(InputError, match=r"options\.climate: .* then"):
        run(ds, store, **{**options, "climate": climate * 0.9})


def test_coordinates_that_zarr_cannot_hold(run: Run, store: Path) -> None:
    """They are named with the call; nothing is dropped silently."""
    ds = example_points(2, 60).assign_coords(note=("site", [{"a": 1}, {}]))
    with pytest.raises(InputError, match=r"'note' holds dict: ds\.drop_vars"):
        run(ds, store)
    levels = example_points(2, 60).set_index(site=["latitude", "longitude"])
    with pytest.raises(InputError, match=r"'site' holds tuple: ds\.reset_index"):
        run(levels, store)
    plain = run(levels.reset_index("site"), store).open()
    assert plain.latitude.dims == ("site",)


@pytest.mark.parametrize("indexed", [False, True])
def test_geometries_are_written_as_text(run: Run, store: Path, indexed: bool) -> None:
    """Beside names or in their place; geopandas reads them with their CRS."""
    geopandas, shapely = map(pytest.importorskip, ("geopandas", "shapely"))
    pytest.importorskip("xvec")
    ds = example_points(3, 60)
    places = shapely.points(ds.longitude / 3, ds.latitude)
    ds = ds.drop_vars(["latitude", "longitude"]).assign_coords(
        geometry=("site", places)
    )
    ds.geometry.attrs["crs"] = "EPSG:4326"
    if indexed:
        ds = ds.swap_dims(site="geometry").xvec.set_geom_indexes("geometry", crs=4326)
    report = run(ds, store)
    text = report.open().geometry
    found = geopandas.GeoSeries.from_wkt(text.to_series(), crs=text.crs)
    assert found.crs == "EPSG:4326"
    np.testing.assert_array_equal(found.values, places)
    assert run(ds, store).skipped == report.regions


def test_graphs_are_those_of_a_region(run: Run, store: Path) -> None:
    """Of 120 chunks no graph has the tasks of more than the 20 of a region."""
    ds = example_points(6, 60).chunk(site=1)
    many = {
        name: (("site", "time"), da.concatenate([ds[name].data] * 20), ds[name].attrs)
        for name in ("precipitation", "temperature")
    }
    seen: list[int] = []
    big = xr.Dataset(many, {"time": ds.time})
    with (
        dask.config.set(scheduler="synchronous"),
        Callback(start=lambda graph: seen.append(len(graph))),
    ):
        report = run(big, store, regions={"site": 20}, in_flight=1)
    assert report.regions == 6
    assert 20 < max(seen) < 20 * 60


def test_sizes_are_said_before_the_run(
    grid: xr.Dataset, run: Run, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress is on standard error: size, regions, sites per second."""
    run(grid, store, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "6 regions of up to 2 sites" in shown.err
    assert "6/6" in shown.err
    assert "sites/s" in shown.err
    run(grid, store, progress=True)
    assert "100%" in capsys.readouterr().err.splitlines()[-1]


def test_stored_variables_are_small_and_travel() -> None:
    """What dask sends to a worker for writing: names, no arrays, no open files."""
    import pickle

    from xstefaland.store.packing import Packing

    stored = StoredVariable("out.zarr", "streamflow", ("site",), Packing(), (), "a")
    assert len(pickle.dumps(stored)) < 400
    assert pickle.loads(pickle.dumps(stored)) == stored


def test_addresses_in_memory(
    grid: xr.Dataset, flow: xr.DataArray, run: Run, same: Same, tmp_path: Path
) -> None:
    """An fsspec address: written, continued, read back."""
    url = f"memory://{tmp_path}/out.zarr"
    report = run(grid, url)
    same(report.open().streamflow, flow)
    assert run(grid, url).skipped == 6


def test_the_accessor_runs_too(
    grid: xr.Dataset, weights: Any, head: Any, store: Path
) -> None:
    """It forwards every keyword."""
    import inspect

    from xstefaland.accessor import StefaLandDataset

    mine = list(inspect.signature(StefaLandDataset.run).parameters)[1:]
    assert mine == list(inspect.signature(xstefaland.run).parameters)[1:]
    report = grid.stefaland.run(
        "streamflow", store, weights=weights, head=head, progress=False
    )
    assert report.complete
