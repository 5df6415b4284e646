"""Lazy results: small graphs of names, nothing run before it is asked for."""

from __future__ import annotations

import os
import pickle
import time
import warnings
from collections.abc import Callable
from typing import Any

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask._task_spec import Alias

import xstefaland
from xstefaland.inference import loaded
from xstefaland.inference.lazy import Settings
from xstefaland.testing import (
    ATTRIBUTES,
    FORCING,
    example_grid,
    example_points,
    tiny_head,
    tiny_weights,
)

NoCompute = Callable[[], Any]


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a model is an error."""

    def refuse(*args: Any) -> None:
        raise RuntimeError("a model was loaded")

    monkeypatch.setattr(loaded, "get", refuse)


@pytest.mark.usefixtures("no_model")
def test_building_runs_nothing(weights: Any, head: Any, no_compute: NoCompute) -> None:
    """No model is loaded and nothing is computed before the result is asked for."""
    grid = example_grid(days=60).chunk(lat=1)
    with no_compute():
        embedding = xstefaland.embed(grid, weights=weights)
        pooled = xstefaland.embed(grid, weights=weights, pool="year")
        flow = xstefaland.predict(grid, ["streamflow"], head=head, weights=weights)
        filled = xstefaland.reconstruct(grid, weights=weights)
        assert embedding.chunks is not None
        assert embedding.fraction_missing.chunks is not None
        assert embedding.data._meta.dtype == np.float32
        assert embedding.data._meta.ndim == 4
        assert pooled.shape == (1, 3, 4, 16)
        assert flow.streamflow.chunks is not None
        assert filled.temperature.chunks is not None
    with pytest.raises(RuntimeError, match="a model was loaded"):
        embedding.compute()


def grid_of_zeros(side: int, cells: int, days: int, gap: bool = False) -> xr.Dataset:
    """A grid of `side` x `side` chunks; weather as from a file, the rest in memory."""
    small = example_grid(2, 2, 4)
    size, count = side * cells, days - gap
    chunks = (count, cells, cells)
    out: dict[str, Any] = {}
    for number, name in enumerate(FORCING):
        values = da.full((count, size, size), number, chunks=chunks, dtype="f4")
        out[name] = (("time", "lat", "lon"), values, small[name].attrs)
    for name in ATTRIBUTES:
        values = np.ones((size, size), np.float32)
        out[name] = (("lat", "lon"), values, small[name].attrs)
    time_ = pd.date_range("1980-01-01", periods=days)
    where = np.linspace(-60, 60, size)
    coords = {"lat": where, "lon": where, "time": time_.delete([9]) if gap else time_}
    return xr.Dataset(out, coords)


@pytest.mark.parametrize("gap", [False, True])
def test_graph_is_small_and_holds_no_module(weights: Any, head: Any, gap: bool) -> None:
    """Eight tasks a chunk, each a few kilobytes, for forty years as for one."""
    sizes = []
    for days in (400, 14610):
        ds = grid_of_zeros(10, 2, days, gap)
        flow = xstefaland.predict(ds, ["streamflow"], head=head, weights=weights)
        graph = dict(dask.optimize(flow)[0].__dask_graph__())
        assert sum(not isinstance(task, Alias) for task in graph.values()) <= 8 * 100
        largest = max(len(cloudpickle.dumps(task)) for task in graph.values())
        assert largest < 8_000
        dumped = cloudpickle.dumps(graph)
        assert b"torch" not in dumped
        sizes.append(len(dumped))
    assert sizes[1] < sizes[0] + 3_000
    assert sizes[1] < 100 * 3_000


def test_a_million_cells_are_a_few_megabytes(weights: Any, head: Any) -> None:
    """Beside the user's own numbers in memory: a value of each attribute a cell."""
    ds = grid_of_zeros(50, 20, 730)
    ds = ds.drop_vars(list(ATTRIBUTES))
    flow = xstefaland.predict(ds, ["streamflow"], head=head, weights=weights)
    dumped = cloudpickle.dumps(dask.optimize(flow)[0].__dask_graph__())
    latitudes = 4 * 1000**2
    assert len(dumped) < latitudes + 6 * 2**20


def test_answers_over_one_dataset_share_their_quality(weights: Any, head: Any) -> None:
    """So two of them can be combined without computing anything."""
    ds = grid_of_zeros(2, 2, 60)
    first = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    second = xstefaland.predict(ds, "soil_moisture", head=head, weights=weights)
    assert first.fraction_missing.data.name == second.fraction_missing.data.name


def test_quality_runs_no_model(
    weights: Any, head: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing can be looked at for the price of reading the weather."""
    ds = grid_of_zeros(2, 2, 60)
    flow = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    monkeypatch.setattr(loaded, "get", None)
    assert (flow.fraction_missing.compute() == 0).all()
    assert (flow.values_rejected.compute() == 0).all()


@pytest.mark.parametrize("chunk", [{"site": 1}, {"site": 2}, {"time": -1}])
def test_coordinates_chunked_in_another_way(
    weights: Any, same: Any, tmp_path: Any, chunk: dict[str, int]
) -> None:
    """A store's latitude has chunks of its own; what is in memory has none."""
    ds = example_points(5, 60)
    ds["latitude"] = ds.latitude.chunk(site=3)
    ds["elevation"] = ds.elevation.chunk(site=4)
    names = ["precipitation", "temperature", "shortwave_radiation"]
    mixed = ds.assign({name: ds[name].chunk({"time": -1, **chunk}) for name in names})
    assert xstefaland.check(mixed, weights=weights).ok
    lazy = xstefaland.embed(mixed, weights=weights)
    same(lazy, xstefaland.embed(ds.compute(), weights=weights))
    whole = example_points(5, 60).chunk(time=-1)
    same(xstefaland.embed(whole, weights=weights), lazy)


def test_options_are_captured_when_the_graph_is_built(weights: Any, same: Any) -> None:
    """Workers do not see the options of the client: they are in the graph."""
    ds = example_points(3, 50).chunk(site=1)
    with xstefaland.set_options(precision="bfloat16", device="cpu"):
        rough = xstefaland.embed(ds, weights=weights)
    exact = xstefaland.embed(ds, weights=weights)
    with xstefaland.set_options(precision="float32"):
        rough = rough.compute()
    same(rough, xstefaland.embed(ds.compute(), weights=weights, precision="bfloat16"))
    assert np.abs(rough - exact).max() > 1e-5


def test_settings_are_plain_values() -> None:
    """They survive pickling, and keywords go before options."""
    with xstefaland.set_options(device="cpu", precision="bfloat16"):
        settings = Settings.current(7, None, "float32")
    assert settings == Settings("cpu", "float32", 7)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_result_survives_pickling(weights: Any, same: Any) -> None:
    """A lazy result can be sent to another process before it is computed."""
    ds = example_points(2, 50).chunk(site=1)
    lazy = xstefaland.embed(ds, weights=weights)
    same(pickle.loads(pickle.dumps(lazy)), lazy)


def test_numpy_attributes_beside_lazy_forcing(weights: Any, same: Any) -> None:
    """Only some variables lazy: the answer is lazy, and the same."""
    ds = example_points(4, 60)
    mixed = ds.copy()
    for name in ("precipitation", "temperature"):
        mixed[name] = ds[name].chunk(site=2)
    lazy = xstefaland.embed(mixed, weights=weights)
    assert lazy.chunks is not None
    same(lazy, xstefaland.embed(ds, weights=weights))


def test_threads_give_the_same(weights: Any, head: Any, same: Any) -> None:
    """Several threads at once give what one gives."""
    ds = example_points(8, 90)
    options: dict[str, Any] = {"head": head, "weights": weights}
    lazy = xstefaland.predict(ds.chunk(site=1), "streamflow", **options)
    with dask.config.set(scheduler="threads", num_workers=4):
        same(lazy, xstefaland.predict(ds, "streamflow", **options))


def loads_of_this_process() -> list[str]:
    """Names that this process has loaded, from its log; starts the log when new."""
    import logging

    logger = logging.getLogger("xstefaland")
    for handler in logger.handlers:
        if hasattr(handler, "seen"):
            return list(handler.seen)
    handler = logging.Handler()
    handler.seen = []  # type: ignore[attr-defined]
    handler.emit = lambda record: handler.seen.append(record.getMessage())  # type: ignore[method-assign,attr-defined]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return []


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_one_load_per_process(tmp_path: Any, same: Any) -> None:
    """Two worker processes with two threads each load each model once."""
    distributed = pytest.importorskip("distributed")
    weights = tiny_weights(tmp_path / "encoder.safetensors", window=40, stride=15)
    head = tiny_head(weights, path=tmp_path / "head.safetensors")
    ds = example_points(16, 60)
    expected = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["x"]))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(loads_of_this_process)
        lazy = xstefaland.predict(
            ds.chunk(site=1), "streamflow", head=head, weights=weights
        )
        answer = client.compute(lazy).result()
        loads = client.run(loads_of_this_process)
    same(answer, expected)
    assert len(loads) == 2
    for names in loads.values():
        assert len(names) == len(set(names))
        assert set(names) <= {
            "loaded 'tiny' on cpu in float32",
            "loaded 'tiny-head' on cpu in float32",
        }
    assert sum(map(len, loads.values())) >= 2


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_workers_tell_the_user_what_is_odd(tmp_path: Any) -> None:
    """A chunk is checked where it is computed; the warning reaches the user's process.

    One for the variable, not one for each chunk.
    """
    distributed = pytest.importorskip("distributed")
    weights = tiny_weights(tmp_path / "encoder.safetensors", window=40, stride=15)
    ds = example_points(4, 60)
    ds["temperature"] = (ds.temperature + 273.15).assign_attrs(units="degC")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        xstefaland.embed(ds.chunk(site=1, time=-1), weights=weights).compute()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not any(map(_are_kelvin, caught)):
            time.sleep(0.1)
        time.sleep(0.5)
    assert sum(map(_are_kelvin, caught)) == 1


def _are_kelvin(warning: warnings.WarningMessage) -> bool:
    """Tell the warning about Kelvin from others."""
    return "are these K" in str(warning.message)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_small_worker_gets_through_a_large_grid(
    tmp_path: Any, peak_memory: Callable[[], int]
) -> None:
    """Memory follows the chunk: a worker that could not hold the grid predicts it.

    The weather of the grid takes 2.8 times the memory that the worker may use before
    its nanny kills it: it is the same process in the end, and it never held half of
    the grid.
    """
    distributed = pytest.importorskip("distributed")
    limit, chunks, cells, days = 1_500_000_000, 120, 400, 3652
    weights = tiny_weights(tmp_path / "encoder.safetensors", layers=1)
    head = tiny_head(weights, path=tmp_path / "head.safetensors")
    shape = (days, chunks, cells)
    ds = example_grid(2, 2, 4).isel(lat=0, lon=0, drop=True).drop_vars("spatial_ref")
    place = np.arange(cells)
    data = {
        name: (
            ("time", "lat", "lon"),
            da.full(shape, number, chunks=(days, 1, cells), dtype="f8"),
            ds[name].attrs,
        )
        for number, name in enumerate(FORCING)
    }
    time_ = pd.date_range("2001-01-01", periods=days)
    coords = {"lat": np.linspace(60, 30, chunks), "lon": place, "time": time_}
    grid = xr.Dataset(data, coords)
    masked = xr.DataArray(place < 2, dims="lon")  # two cells of 400 are land
    grid = grid.where(masked)
    assert grid.nbytes > 2.8 * limit
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            memory_limit=limit,
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        (first,) = client.run(os.getpid).values()
        for name in list(grid.data_vars):
            grid[name].attrs = dict(data[name][2])
        flow = xstefaland.predict(grid, ["streamflow"], head=head, weights=weights)
        found = flow.mean("time").compute()
        (last,) = client.run(os.getpid).values()
        (peak,) = client.run(peak_memory).values()
    assert int(found.streamflow.notnull().sum()) == 2 * chunks
    assert last == first
    assert peak < grid.nbytes / 2


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_weights_are_sent_to_workers_that_lack_them(tmp_path: Any, same: Any) -> None:
    """Without them the error names host, path and call; the call mends it.

    The worker runs on two threads of PyTorch, whatever OMP_NUM_THREADS says.
    """
    distributed = pytest.importorskip("distributed")
    path = tmp_path / "encoder.safetensors"
    weights = tiny_weights(path, window=40, stride=15)
    ds = example_points(3, 60)
    expected = xstefaland.embed(ds, weights=weights)
    cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["x"]))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        first, second = (  # dask keeps the error of the first with its keys
            xstefaland.embed(ds.chunk(site=size), weights=weights) for size in (1, 2)
        )
        path.rename(tmp_path / "elsewhere.safetensors")
        with pytest.raises(xstefaland.errors.WeightsNotFoundError) as caught:
            first.compute()
        for part in ("has no weights 'tiny'", str(path), "send_weights(client"):
            assert part in str(caught.value)
        xstefaland.send_weights(client, tmp_path / "elsewhere.safetensors")
        same(second.compute(), expected)
        assert client.submit(threads_at_work).result() == 2


def threads_at_work() -> int:
    """Threads that PyTorch has in a task on a worker."""
    import threading

    import torch

    from xstefaland.inference.work import at_work

    with at_work(loaded.Loaded(torch.nn.Identity(), threading.RLock())):
        return torch.get_num_threads()
