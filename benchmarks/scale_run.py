"""What a run costs beside the bare answer, and what rechunking costs.

``python benchmarks/scale_run.py`` predicts streamflow for a grid with tiny weights,
straight into a store and as runs of few and of many regions: the difference for each
region is graph, claim, marker and files. Then it writes a grid in chunks of days, and
rechunks it into whole records through dask.distributed's shuffle. The table goes to
``benchmarks/results/scale_run.md``. Seconds are the clock's, or with ``--clock cpu``
those of all processors, which other jobs disturb little.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

import xstefaland
from xstefaland.testing import example_grid, tiny_head, tiny_weights

RESULTS = Path(__file__).parent / "results"


def cpu() -> float:
    """Processor time of this process [s]."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def overhead(folder: Path, side: int, now: Callable[[], float]) -> list[str]:
    """Seconds of the bare answer and of runs in few and in many regions."""
    weights = tiny_weights(folder / "encoder.safetensors", window=40, stride=15)
    head = tiny_head(weights, path=folder / "head.safetensors")
    options = {"weights": weights, "head": head}
    grid = example_grid(side, side, 120).chunk(lat=4, lon=4, time=-1)
    xstefaland.predict(grid.isel(lat=[0], lon=[0]), "streamflow", **options).compute()
    start = now()
    flow = xstefaland.predict(grid, ["streamflow"], **options)
    flow.to_zarr(folder / "bare.zarr", zarr_format=3, consolidated=False)
    bare = now() - start
    lines = ["| way | regions | seconds | ms a region beyond the bare answer |"]
    lines += ["| --- | --- | --- | --- |", f"| predict, to_zarr | | {bare:.2f} | |"]
    for step in (side // 2, 4):
        name, regions = folder / f"run{step}.zarr", {"lat": step, "lon": step}
        start = now()
        report = xstefaland.run(
            grid, "streamflow", name, regions=regions, progress=False, **options
        )
        took = now() - start
        each = 1000 * (took - bare) / report.regions
        lines.append(f"| run | {report.regions} | {took:.2f} | {each:.0f} |")
    return lines


def rechunking(folder: Path, mib: int, now: Callable[[], float]) -> list[str]:
    """Seconds to turn chunks of 30 days into whole records."""
    from distributed import Client, LocalCluster

    days, side = 3650, max(8, int((mib * 2**20 / 4 / 3650) ** 0.5) // 8 * 8)
    data = da.random.random((days, side, side), chunks=(30, side, side))
    coords = {"time": pd.date_range("1980-01-01", periods=days)}
    values = (("time", "lat", "lon"), data.astype(np.float32))
    xr.Dataset({"pr": values}, coords).to_zarr(folder / "by_day.zarr", zarr_format=2)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as own,
        Client(own) as client,
    ):

        def spent() -> float:
            workers = client.run(cpu).values() if now is cpu else ()
            return now() + sum(workers)

        start = spent()
        records = xr.open_zarr(folder / "by_day.zarr")
        records = records.chunk({"time": -1, "lat": 8, "lon": 8}).drop_encoding()
        records.to_zarr(folder / "by_site.zarr", zarr_format=2)
        took = spent() - start
    size = data.size * 4 / 1e9
    return [
        "",
        f"Rechunking {size:.2f} GB from 30 days to whole records of 64 cells: "
        f"{took:.1f} s, {took / size:.0f} s a GB, on one worker of two threads.",
    ]


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32, help="cells along each side")
    parser.add_argument("--mib", type=int, default=512, help="size to rechunk")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    now = cpu if given.clock == "cpu" else time.perf_counter
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    lines = [
        "# What a run costs beside the bare answer",
        "",
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC. Load before "
        f"the run: {load}. Clock: {given.clock}. Python {platform.python_version()}. "
        f"Command: `python benchmarks/scale_run.py --side {given.side} --mib "
        f"{given.mib} --clock {given.clock}`.",
        "",
    ]
    with tempfile.TemporaryDirectory() as name:
        lines += overhead(Path(name), given.side, now)
        lines += rechunking(Path(name), given.mib, now)
    text = "\n".join(lines) + "\n"
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scale_run.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
