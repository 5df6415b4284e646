"""What goes wrong in long runs: nothing is lost, nothing is wrong, the rerun ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

import xstefaland
from xstefaland.errors import InputError, RunError
from xstefaland.store.folders import LocalFolder
from xstefaland.store.manifest import Manifest
from xstefaland.testing import FORCING, example_grid, example_points

Run = Callable[..., Any]
Same = Callable[[Any, Any], None]

SITES = 60
SCRIPT = """
import sys, torch, xarray as xr, xstefaland
torch.set_num_threads(1)
with xr.open_dataset({inputs!r}) as ds:
    xstefaland.run(
        ds, "streamflow", {store!r}, weights={weights!r}, head={head!r},
        regions={{"site": 1}}, progress=False,
    )
"""


@pytest.fixture
def points(tmp_path: Path) -> xr.Dataset:
    """Sixty sites in a file, each a region; every third has no weather."""
    ds = example_points(SITES, 60)
    names = ["precipitation", "temperature", "shortwave_radiation"]
    for name in names:
        ds[name][::3] = np.nan
    ds.to_netcdf(tmp_path / "in.nc")
    return ds


@pytest.fixture
def script(points: xr.Dataset, weights: Any, head: Any, store: Path) -> Path:
    """A program that makes the call."""
    path = store.with_name("program.py")
    text = SCRIPT.format(
        inputs=str(store.with_name("in.nc")),
        store=str(store),
        weights=str(weights.path),
        head=str(head.path),
    )
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that start in no time, forked from one that has imported all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["torch", "zarr", "netCDF4", "xstefaland.store.run", "xstefaland.weights"]
    )
    return context


def right_so_far(store: Path, expected: xr.DataArray) -> int:
    """Compare all regions that are said to be done; return how many."""
    manifest = Manifest(LocalFolder(Path(f"{store}.run")))
    done = sorted(manifest.done())
    if done:
        values = zarr.open_array(store, path="streamflow", mode="r")[:]
        np.testing.assert_allclose(values[done], expected.values[done], 1e-4, 1e-5)
    return SITES if manifest.finished else len(done)


@pytest.mark.slow
@pytest.mark.parametrize("writers", [1, 3])
def test_twenty_kills(
    script: Path,
    points: xr.Dataset,
    store: Path,
    processes: Any,
    weights: Any,
    head: Any,
    writers: int,
) -> None:
    """Killed at any moment, alone or beside others: what is done is right and stays."""
    expected = xstefaland.predict(points, "streamflow", weights=weights, head=head)
    rng = random.Random(writers)

    def start() -> Any:
        process = processes.Process(target=runpy.run_path, args=(str(script),))
        process.start()
        return process

    running = [start() for _ in range(writers)]
    kills = before = 0
    while kills < 20:
        time.sleep(rng.uniform(0.05, 1.2))
        victim = running.pop(0)
        alive = victim.is_alive()
        victim.kill()
        victim.join()
        kills += 1
        assert alive or victim.exitcode == 0
        if writers == 1:
            done = right_so_far(store, expected) if store.exists() else 0
            assert done >= before
            before = done
        running.append(start())
    for process in running:
        process.join(120)
        assert process.exitcode == 0
    assert right_so_far(store, expected) == SITES
    values = xr.open_zarr(store, consolidated=True).streamflow
    np.testing.assert_allclose(values, expected, 1e-4, 1e-5)
    assert not list(store.rglob("*.partial"))
    assert not list(Path(f"{store}.run").rglob("*.part"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 KiB, where root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted file system."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_disk(
    points: xr.Dataset, run: Run, weights: Any, head: Any, small_disk: Path, same: Same
) -> None:
    """The run stops at once and says so; with room the same call ends it."""
    store = small_disk / "out.zarr"
    with pytest.raises(RunError) as error:
        run(points, store, regions={"site": 2})
    report = error.value.report
    assert "No space left" in str(error.value)
    assert "Make room" in str(error.value)
    assert 0 < len(report.failed) <= 4
    assert report.left > 0
    remount(small_disk, "size=20m")
    again = run(points, store, regions={"site": 2})
    assert again.skipped == report.written
    expected = xstefaland.predict(points, "streamflow", weights=weights, head=head)
    same(again.open().streamflow, expected)


def test_a_read_only_store(points: xr.Dataset, run: Run, small_disk: Path) -> None:
    """Said before anything is computed, where nothing is there and in the middle."""
    store = small_disk / "out.zarr"
    remount(small_disk, "ro")
    with pytest.raises(InputError, match=r"cannot be written.*Read-only"):
        run(points, store)


def broken(ds: xr.Dataset, chunk: int, error: Exception) -> xr.Dataset:
    """Make the source of one chunk of sites raise."""
    lazy = ds.chunk(site=6)

    def read(block: Any, block_info: Any = None) -> Any:
        if block_info and block_info[0]["chunk-location"][0] == chunk:
            raise error
        return block

    data = da.map_blocks(
        read, lazy.temperature.data, dtype="f4", meta=np.empty((0, 0), "f4")
    )
    return lazy.assign(temperature=(("site", "time"), data, lazy.temperature.attrs))


def test_a_source_that_raises_for_one_region(
    points: xr.Dataset, run: Run, weights: Any, head: Any, store: Path, same: Same
) -> None:
    """All others are written, the report names the region, and the rerun does it."""
    ill = broken(points, 2, ValueError("CRC error in block 17"))
    with pytest.raises(RunError) as error:
        run(ill, store, regions={"site": 6})
    report = error.value.report
    assert (report.written, len(report.failed), report.left) == (9, 1, 0)
    assert "2 (site 12:18): ValueError: CRC error in block 17" in str(error.value)
    assert isinstance(error.value.__cause__, ValueError)
    again = run(points.chunk(site=6), store, regions={"site": 6})
    assert (again.written, again.skipped) == (1, 9)
    expected = xstefaland.predict(points, "streamflow", weights=weights, head=head)
    same(again.open().streamflow, expected)


def test_an_unreadable_sample_does_not_stop_a_run(
    points: xr.Dataset, run: Run, store: Path
) -> None:
    """Where values are compared between runs, the source may be the broken one."""
    ill = broken(points, 5, OSError("stale file handle"))
    with pytest.raises(RunError, match="stale file handle") as error:
        run(ill, store, regions={"site": 6})
    assert error.value.report.written == 9


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_worker_is_lost(
    points: xr.Dataset, run: Run, weights: Any, head: Any, store: Path, same: Same
) -> None:
    """Its regions go to another; the coordinator notices nothing."""
    distributed = pytest.importorskip("distributed")
    expected = xstefaland.predict(points, "streamflow", weights=weights, head=head)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        killer = _killer(pids[0], store, after=3)
        report = run(points.chunk(site=1), store, regions={"site": 1})
        assert killer()
    assert report.complete
    same(report.open().streamflow, expected)


def _killer(pid: int, store: Path, after: int) -> Callable[[], bool]:
    """Kill a process once some regions are done; tell whether it happened in time."""
    killed = threading.Event()
    manifest = Manifest(LocalFolder(Path(f"{store}.run")))

    def watch() -> None:
        while len(manifest.done()) < after and not manifest.finished:
            time.sleep(0.02)
        if not manifest.finished:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.set()

    thread = threading.Thread(target=watch)
    thread.start()

    def joined() -> bool:
        thread.join()
        return killed.is_set()

    return joined


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_small_worker_gets_through_a_large_run(
    weights: Any, head: Any, store: Path, peak_memory: Callable[[], int]
) -> None:
    """Memory follows the region: a worker that could not hold the grid writes it all.

    The weather of the grid takes twice the memory that the worker may use before
    its nanny kills it: it is the same process in the end, and it never held half of
    the grid.
    """
    distributed = pytest.importorskip("distributed")
    limit, rows, cells, days = 1_200_000_000, 72, 400, 3652
    small = example_grid(2, 2, 4).isel(lat=0, lon=0, drop=True).drop_vars("spatial_ref")
    land = da.from_array(np.arange(cells) < 2, chunks=-1)  # two cells of 400
    data = {
        name: (
            ("time", "lat", "lon"),
            da.where(
                land, da.full((days, rows, cells), value, chunks=(days, 1, -1)), np.nan
            ),
            small[name].attrs,
        )
        for name, value in zip(FORCING, (3.0, 10.0, 180.0), strict=True)
    }
    time_ = pd.date_range("2001-01-01", periods=days)
    coords = {"lat": np.linspace(60, 30, rows), "lon": np.arange(cells), "time": time_}
    grid = xr.Dataset(data, coords)
    assert grid.nbytes > 2 * limit
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
        report = xstefaland.run(
            grid,
            ["streamflow"],
            store,
            weights=weights,
            head=head,
            regions={"lat": 1},
            progress=False,
        )
        (last,) = client.run(os.getpid).values()
        (peak,) = client.run(peak_memory).values()
    assert report.complete
    assert int(report.open().streamflow.isel(time=-1).notnull().sum()) == 2 * rows
    assert last == first
    assert peak < grid.nbytes / 2
