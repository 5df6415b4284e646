"""How fast a lazy prediction over a grid is, beside the bare model; and its memory.

``python benchmarks/predict.py`` makes lazy grids of two years of weather, predicts
streamflow with random weights of the bundled size (d 256, 4 layers, head of width 128)
into a Zarr store, and times the bare encoder and head on the same number of windows and
sites. Each grid runs in a process of its own, so that its peak memory is its own. The
table goes to ``benchmarks/results/predict.md`` and ``predict.csv``. Grids differ in
size, not in chunks: memory should stay where it is.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import torch
import xarray as xr

import xstefaland
from xstefaland.inference.batches import choose_batch_size
from xstefaland.inference.windows import window_starts
from xstefaland.testing import (
    ATTRIBUTES,
    FORCING,
    example_grid,
    tiny_head,
    tiny_weights,
)
from xstefaland.weights import Weights

RESULTS = Path(__file__).parent / "results"
DAYS, SIDE = 730, 4
"""Days of the record, and cells along each side of a chunk."""

GOAL = 0.90
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Row = dict[str, Any]


def grid(rows: int, columns: int) -> xr.Dataset:
    """Make a lazy grid: every chunk is drawn when it is asked for."""
    small = example_grid(SIDE, SIDE, DAYS).fillna(1.0)
    repeat = {"lat": rows // SIDE, "lon": columns // SIDE}
    out = {}
    for name in (*FORCING, *ATTRIBUTES):
        values = small[name].transpose("lat", "lon", ...).values
        chunk = da.from_array(values, chunks=values.shape)
        tiles = (repeat["lat"], repeat["lon"], *[1] * (values.ndim - 2))
        dims = ("lat", "lon", "time")[: values.ndim]
        out[name] = (dims, da.tile(chunk, tiles), dict(small[name].attrs))
    coords = {
        "lat": 60 - 0.1 * np.arange(rows),
        "lon": 0.1 * np.arange(columns),
        "time": pd.date_range("2001-01-01", periods=DAYS),
    }
    ds = xr.Dataset(out, coords)
    return ds.chunk(lat=SIDE, lon=SIDE, time=-1)


def weights() -> tuple[Weights, Weights]:
    """Write random weights of the bundled size."""
    encoder = tiny_weights(d_model=256, layers=4, heads=4, ffn=512)
    return encoder, tiny_head(encoder, width=128)


def bare(encoder: Weights, head: Weights, clock: str) -> tuple[float, float]:
    """Time encoder [s per window] and head [s per site] on tensors; best of some."""
    model: Any = encoder.model()
    network: Any = head.model()
    now, sites = CLOCKS[clock], SIDE * SIDE
    size = choose_batch_size("auto", model, 365, torch.device("cpu"))
    forcing = torch.rand(size, 365, len(FORCING))
    day = torch.arange(1.0, 366.0).expand(size, -1)
    attributes, latitude = torch.rand(size, len(ATTRIBUTES)), torch.rand(size)
    record = (
        torch.rand(sites, DAYS, 256),
        torch.rand(sites, DAYS, 2),
        torch.rand(sites, 1),
    )
    per_window = per_site = float("inf")
    with torch.inference_mode():
        for _ in range(6):
            start = now()
            model.encode(forcing, attributes, day_of_year=day, latitude=latitude)
            middle = now()
            network(*record, spinup_days=365)
            per_window = min(per_window, (middle - start) / size)
            per_site = min(per_site, (now() - middle) / sites)
    return per_window, per_site


def one(rows: int, columns: int, clock: str) -> Row:
    """Predict over one grid; return times and memory."""
    encoder, head = weights()
    ds, now = grid(rows, columns), CLOCKS[clock]
    with dask.config.set(scheduler="threads", num_workers=2):
        warm = grid(SIDE, SIDE)
        xstefaland.predict(warm, "streamflow", head=head, weights=encoder).compute()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with tempfile.TemporaryDirectory() as folder:
            start = now()
            flow = xstefaland.predict(ds, ["streamflow"], head=head, weights=encoder)
            flow.to_zarr(folder, consolidated=False)
            seconds = now() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    per_window, per_site = bare(encoder, head, clock)
    windows = len(window_starts(DAYS, 365, 183))
    sites = rows * columns
    alone = sites * (windows * per_window + per_site)
    return {
        "rows": rows,
        "columns": columns,
        "windows": sites * windows,
        "seconds": seconds,
        "windows_per_s": sites * windows / seconds,
        "bare_seconds": alone,
        "share": alone / seconds,
        "peak_mib": after / 1024,
        "one_chunk_mib": before / 1024,
        "input_mib": ds.nbytes / 2**20,
    }


def machine() -> list[str]:
    """Describe the machine, its load and the versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [x.split(":")[1].strip() for x in lines if x.startswith("model name")]
    return [
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"Machine: {names[0] if names else platform.processor()}, {os.cpu_count()} "
        f"cores, {torch.get_num_threads()} threads",
        "Load average before the run (1, 5, 15 min): "
        + ", ".join(f"{x:.2f}" for x in os.getloadavg()),
        f"Versions: Python {platform.python_version()}, torch {torch.__version__}, "
        f"xarray {xr.__version__}, dask {dask.__version__}",
    ]


def table(rows: list[Row], facts: list[str]) -> str:
    """Write the results as Markdown."""
    lines = [
        "# Speed of a lazy prediction over a grid",
        "",
        f"`predict` from lazy weather of {DAYS} days into a Zarr store, chunks of "
        f"{SIDE} x {SIDE} cells; d 256, 4 layers, head of width 128, random weights. "
        "The share is the time of the bare encoder and head on as many windows and "
        "records, over that of the whole (goal "
        f"{GOAL:.0%}). `peak` is the memory of the process, `one chunk` that after a "
        "grid of one chunk.",
        "",
        *(f"* {fact}" for fact in facts),
        "",
        "| grid | windows | seconds | windows/s | share of the bare model | input, MiB "
        "| peak, MiB | one chunk, MiB |",
        "|--|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r['rows']} x {r['columns']} | {r['windows']} | {r['seconds']:.1f} "
        f"| {r['windows_per_s']:.1f} | {r['share']:.0%} | {r['input_mib']:.1f} "
        f"| {r['peak_mib']:.0f} | {r['one_chunk_mib']:.0f} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--one", type=int, help="internal: one grid, JSON to stdout")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one, chosen.one, chosen.clock)))
        return
    facts, rows = [*machine(), f"Clock: {chosen.clock}"], []
    for side in chosen.sides:
        command = [
            sys.executable,
            __file__,
            "--one",
            str(side),
            "--clock",
            chosen.clock,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    text = table(rows, facts)
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "predict.md").write_text(text, encoding="utf-8")
    with (chosen.out / "predict.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
