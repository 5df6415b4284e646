"""How predictions scale: memory, throughput, workers, sea, reading, cold start.

``make benchmark-scale`` runs every part, each in processes of its own, prints tables
and writes them to ``benchmarks/results/scale.md`` and ``scale.csv``. Run it on an idle
machine; ``BENCHMARK_ARGS="--parts memory --chunks 4 --layers 1"`` tries one part in
brief.

Weather is random and lies in Zarr stores or is drawn chunk by chunk; weights are
random and of the bundled size (d 256, 4 layers, head of width 128). Ratios within one
run count, not times.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import psutil
import torch
import xarray as xr
from encoder import machine

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

COLD = 5
"""Processes that are started for the cold start; the best of each stage counts."""

BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Settings that would have Python compile the package in every process."""

MEAN = {"precipitation": 3.0, "temperature": 10.0, "shortwave_radiation": 180.0}
Row = dict[str, Any]


def weights(folder: str, layers: int) -> tuple[Weights, Weights]:
    """Write random weights of the bundled size where all processes find them."""
    path = Path(folder)
    encoder = tiny_weights(
        path / "encoder.safetensors", d_model=256, layers=layers, heads=4, ffn=512
    )
    return encoder, tiny_head(encoder, path=path / "head.safetensors", width=128)


def grid(chunks: int, sea: float = 0.0) -> xr.Dataset:
    """Make a lazy grid, one chunk wide; a share of each chunk's cells is sea."""
    small, rows = example_grid(2, 2, 4), chunks * SIDE
    shape = ((DAYS,), (SIDE,) * chunks, (SIDE,))
    cells = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    land = cells >= round(sea * cells.size)

    def draw(mean: float, block_info: Any = None) -> Any:
        place = block_info[None]["chunk-location"]
        values = np.random.default_rng(place).gamma(1.0, mean, (DAYS, SIDE, SIDE))
        return np.where(land, values, np.nan).astype(np.float32)

    out: dict[str, Any] = {}
    for name, mean in MEAN.items():
        meta = np.empty((0, 0, 0), np.float32)
        values = da.map_blocks(draw, mean, chunks=shape, dtype="f4", meta=meta)
        out[name] = (("time", "lat", "lon"), values, dict(small[name].attrs))
    for name in ATTRIBUTES:
        values = np.ones((rows, SIDE), np.float32)
        out[name] = (("lat", "lon"), values, dict(small[name].attrs))
    coords = {
        "lat": np.linspace(60, 30, rows),
        "lon": 0.1 * np.arange(SIDE),
        "time": pd.date_range("2001-01-01", periods=DAYS),
    }
    return xr.Dataset(out, coords)


def predicted(ds: xr.Dataset, folder: str, layers: int) -> xr.Dataset:
    """Return the lazy answer."""
    encoder, head = weights(folder, layers)
    out = xstefaland.predict(ds, ["streamflow"], head=head, weights=encoder)
    assert isinstance(out, xr.Dataset)
    return out


def seconds_of(run: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def written(ds: xr.Dataset, folder: str, layers: int, name: str = "out") -> float:
    """Predict into a Zarr store; return the wall time."""
    answer = predicted(ds, folder, layers)
    path = Path(folder) / f"{name}.zarr"
    return seconds_of(lambda: answer.to_zarr(path, mode="w", consolidated=False))


def stored(ds: xr.Dataset, folder: str, name: str = "in") -> xr.Dataset:
    """Write weather into a Zarr store and open it."""
    path = Path(folder) / f"{name}.zarr"
    ds.to_zarr(path, mode="w", consolidated=False)
    return xr.open_zarr(path, consolidated=False)


def memory_now() -> tuple[float, float]:
    """Peak and present memory of this process [MiB].

    Not by ``ru_maxrss``: a worker that is started by another process inherits its.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(x.split()[1]) / 1024 for x in status if x.startswith("VmHWM"))
    return peak, psutil.Process().memory_info().rss / 2**20


def peak_bare(chunks: int, layers: int) -> Row:
    """Peak memory of a process with dask's two threads."""
    threads = dask.config.set(scheduler="threads", num_workers=2)
    with tempfile.TemporaryDirectory() as folder, threads:
        seconds = written(grid(chunks), folder, layers)
    peak, now = memory_now()
    return {"seconds": seconds, "peak_mib": peak, "end_mib": now}


def peak_nanny(chunks: int, layers: int) -> Row:
    """Peak memory of one worker of two threads under a nanny."""
    with tempfile.TemporaryDirectory() as folder, cluster(1, 2) as client:
        seconds = written(grid(chunks), folder, layers)
        peak, now = next(iter(client.run(memory_now).values()))
    return {"seconds": seconds, "peak_mib": peak, "end_mib": now}


def cluster(workers: int, threads: int) -> Any:
    """Start worker processes on this machine."""
    from distributed import Client

    return Client(n_workers=workers, threads_per_worker=threads, dashboard_address=None)


def bare(folder: str, layers: int, sites: int) -> float:
    """Time the model alone on as many windows and records [s]; best of some."""
    encoder, head = weights(folder, layers)
    model: Any = encoder.model()
    network: Any = head.model()
    size = choose_batch_size("auto", model, 365, torch.device("cpu"))
    windows = len(window_starts(DAYS, 365, 183))
    forcing = torch.rand(size, 365, len(FORCING))
    day = torch.arange(1.0, 366.0).expand(size, -1)
    attributes, latitude = torch.rand(size, len(ATTRIBUTES)), torch.rand(size)
    records = SIDE * SIDE
    record = (
        torch.rand(records, DAYS, 256),
        torch.rand(records, DAYS, 2),
        torch.rand(records, 1),
    )
    with torch.inference_mode():
        window, one = (
            min(seconds_of(run) for _ in range(6)) / count
            for run, count in (
                (
                    lambda: model.encode(
                        forcing, attributes, day_of_year=day, latitude=latitude
                    ),
                    size,
                ),
                (lambda: network(*record, spinup_days=365), records),
            )
        )
    return sites * (windows * window + one)


def throughput(chunks: int, layers: int) -> Row:
    """Zarr in, Zarr out, beside the bare model in the same process."""
    with tempfile.TemporaryDirectory() as folder:
        with dask.config.set(scheduler="threads", num_workers=2):
            ds = stored(grid(chunks), folder)
            written(grid(1), folder, layers, "warm")
            seconds = written(ds, folder, layers)
        alone = bare(folder, layers, chunks * SIDE * SIDE)
    return {"seconds": seconds, "bare_seconds": alone, "share": alone / seconds}


def workers(chunks: int, layers: int, count: int, threads: int) -> Row:
    """Zarr in, Zarr out on workers of one host."""
    with tempfile.TemporaryDirectory() as folder, cluster(count, threads):
        ds = stored(grid(chunks), folder)
        written(stored(grid(2 * count), folder, "w"), folder, layers, "warm")
        return {"seconds": written(ds, folder, layers)}


def coast(chunks: int, layers: int, sea: float) -> Row:
    """Time where a share of the cells is sea, in one thread."""
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="sync"):
        written(grid(1), folder, layers, "warm")
        seconds = written(grid(chunks, sea), folder, layers)
    land = 1 - round(sea * SIDE * SIDE) / (SIDE * SIDE)
    return {"seconds": seconds, "land": land, "seconds_per_land": seconds / land}


def reading(chunks: int, layers: int, slow: bool) -> Row:
    """Time with a source that takes as long as the model, or no time, to read."""
    with tempfile.TemporaryDirectory() as folder:
        pause = bare(folder, layers, SIDE * SIDE) if slow else 0.0

        def wait(values: Any) -> Any:
            time.sleep(pause / len(MEAN))
            return values

        ds = grid(chunks)
        names = list(MEAN)
        ds = ds.assign({n: ds[n].copy(data=ds[n].data.map_blocks(wait)) for n in names})
        with dask.config.set(scheduler="threads", num_workers=2):
            written(grid(1), folder, layers, "warm")
            seconds = written(ds, folder, layers)
    return {"seconds": seconds, "reading_seconds": pause * chunks}


def cold(chunks: int, layers: int) -> Row:
    """CPU seconds of the first `predict` of a process: one site, ten years."""
    code = """
import json, time
seen, now = {}, time.process_time
def since(name, start=[now()]):
    seen[name] = seen.get(name, 0) + now() - start[0]; start[0] = now()
import xarray; since("xarray")
import dask.array; since("dask")
import torch; since("torch")
torch.nn.functional.linear(torch.ones(64, 64), torch.ones(64, 64)); since("torch")
import xstefaland
from xstefaland.testing import example_points
ds = example_points(1, 3652); since("example")
from xstefaland.inference import api, lazy, loaded, plans; since("our modules")
plan, = plans.plan_predictions(["streamflow"]); since("open weights")
prepared = api.prepare(ds, plan.requirements); since("examine")
for w in (plan.encoder, *(head.weights for head in plan.heads)):
    loaded.get(loaded.Reference.of(w), "cpu", "float32")
since("build networks")
prepared._inputs; since("assemble")
xstefaland.predict(ds, "streamflow"); since("first predict after that")
xstefaland.predict(ds, "streamflow"); since("the same again")
print(json.dumps(seen))
"""
    with tempfile.TemporaryDirectory() as folder:  # of bytecode, as users have it
        setting = {n: v for n, v in os.environ.items() if n not in BYTECODE}
        setting["PYTHONPYCACHEPREFIX"] = folder
        runs = [
            subprocess.run(
                [sys.executable, "-c", code],
                env=setting,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            for _ in range(COLD + 1)
        ]
    every = [json.loads(done.stdout) for done in runs[1:]]  # the first one compiles
    found: Row = {name: min(run[name] for run in every) for name in every[0]}
    ours = ("our modules", "open weights", "examine", "build networks", "assemble")
    return {**found, "ours": sum(found[name] for name in ours)}


PARTS: dict[str, list[tuple[str, Callable[..., Row], dict[str, Any]]]] = {
    "memory": [
        *((f"bare process, {n} x", peak_bare, {"times": n}) for n in (1, 10, 100)),
        *((f"nanny worker, {n} x", peak_nanny, {"times": n}) for n in (1, 10, 100)),
    ],
    "throughput": [("Zarr in, Zarr out", throughput, {"times": 10})],
    "workers": [
        ("1 worker x 1 thread", workers, {"times": 10, "count": 1, "threads": 1}),
        ("2 workers x 1 thread", workers, {"times": 10, "count": 2, "threads": 1}),
        ("1 worker x 2 threads", workers, {"times": 10, "count": 1, "threads": 2}),
    ],
    "coast": [
        ("all land", coast, {"times": 4, "sea": 0.0}),
        ("70 % sea", coast, {"times": 4, "sea": 0.7}),
    ],
    "reading": [
        ("free", reading, {"times": 10, "slow": False}),
        ("as slow as the model", reading, {"times": 10, "slow": True}),
    ],
    "cold": [("one site, ten years [CPU s]", cold, {"times": 1})],
}
"""Name of a part: its lines, each a label, a function, and its arguments."""

GOALS = {
    "memory": "The peak should follow the chunk, not the grid.",
    "throughput": "The share should be 0.9 or more.",
    "workers": "Two workers should be 1.7 times as fast as one; two threads likewise.",
    "coast": "Seconds per land should be alike.",
    "reading": "The slow source should cost little more than the free one.",
    "cold": "`ours` is what is neither a library's import nor the model's arithmetic.",
}


def measured(part: str, line: int, chosen: argparse.Namespace) -> Row:
    """Run one line of a part in a process of its own."""
    command = [sys.executable, __file__, "--one", part, str(line)]
    command += ["--chunks", str(chosen.chunks), "--layers", str(chosen.layers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(part: str, line: int, chunks: int, layers: int) -> Row:
    """Run one line here."""
    label, run, options = PARTS[part][line]
    options = dict(options)
    chunks *= options.pop("times")
    return {"what": label, "chunks": chunks, **run(chunks, layers, **options)}


def digits(value: object) -> str:
    """Write a number with three digits, or all before the point."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(rows: list[Row]) -> list[str]:
    """Write rows that share their columns as Markdown."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|--" + "|--:" * (len(names) - 1) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(map(digits, row.values())) + " |")
    return lines


def table(part: str, rows: list[Row]) -> str:
    """Write the lines of a part, and what they should be."""
    return "\n".join([f"## {part}", "", GOALS[part], "", *markdown(rows)]) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--chunks", type=int, default=4, help="of the smallest grid")
    parser.add_argument("--layers", type=int, default=4, help="of the encoder")
    parser.add_argument("--one", nargs=2, help="internal: part and line, JSON out")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    if chosen.one:
        part, line = chosen.one[0], int(chosen.one[1])
        print(json.dumps(one(part, line, chosen.chunks, chosen.layers)))
        return
    os.environ["PYTHONWARNINGS"] = "ignore"
    about = (
        f"Chunks of {SIDE} x {SIDE} cells and {DAYS} days; d 256, {chosen.layers} "
        "layers, head of width 128, random weights and weather."
    )
    text = "\n".join(["# Scale", "", about, "", *(f"* {x}" for x in machine()), ""])
    print(text, flush=True)
    every: list[Row] = []
    for part in chosen.parts:
        rows = [measured(part, line, chosen) for line in range(len(PARTS[part]))]
        every += [{"part": part, "layers": chosen.layers, **row} for row in rows]
        found = table(part, rows)
        print(found, flush=True)
        text += "\n" + found
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "scale.md").write_text(text, encoding="utf-8")
    with (chosen.out / "scale.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list({name: 0 for row in every for name in row}))
        writer.writeheader()
        writer.writerows(every)


if __name__ == "__main__":
    main()
