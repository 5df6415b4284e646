"""What the graph of a prediction weighs: tasks a chunk, size, time to build it.

``make benchmark-scale-graph`` opens grids of 10 years whose weather was never written,
asks for streamflow with the weights that ship, and counts tasks before and after
dask's optimisation, the size of what a cluster would be sent, and processor seconds.
Nothing of it is computed. The table goes to ``benchmarks/results/scale_graph.md``;
``BENCHMARK_ARGS="--cells 10000"`` tries it in brief.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from dask._task_spec import Alias, DataNode, convert_legacy_graph
from encoder import machine
from scale import markdown

import xstefaland
from xstefaland.testing import example_grid

RESULTS = Path(__file__).parent / "results"
YEARS, SIDE = 10, 25
"""Years of the record, and cells along each side of a chunk."""

Row = dict[str, Any]


def archive(folder: Path, cells: int, side: int = SIDE, years: int = YEARS) -> Path:
    """Lay out a grid in a Zarr store without writing a value of its weather.

    Parameters
    ----------
    folder : Path
        Where to.
    cells : int
        So many, rounded to whole chunks.
    side : int
        Cells along each side of a chunk, which holds whole records.
    years : int
        Length of the records.
    """
    small = example_grid(2, 2, 4)
    count = max(1, round(cells / side**2))
    down = max(n for n in range(1, math.isqrt(count) + 1) if count % n == 0)
    rows, columns = down * side, count // down * side
    sizes = {"time": round(365.25 * years), "lat": rows, "lon": columns}
    chunks = {"time": -1, "lat": side, "lon": side}
    out, encoding = {}, {}
    for name, variable in small.data_vars.items():
        shape, cut = ([of[d] for d in variable.dims] for of in (sizes, chunks))
        if "time" in variable.dims:
            values: Any = da.zeros(shape, chunks=cut, dtype="f4")
        else:
            values, encoding[name] = np.ones(shape, "f4"), {"chunks": tuple(cut)}
        out[name] = (variable.dims, values, variable.attrs)
    coords = {
        "time": pd.date_range("1981-01-01", periods=sizes["time"]),
        "lat": np.linspace(60, 30, rows),
        "lon": np.linspace(0, 30, columns),
    }
    path = folder / f"{rows}x{columns}.zarr"
    ds = xr.Dataset(out, coords)
    ds.to_zarr(path, compute=False, consolidated=False, encoding=encoding)
    return path


def tasks(graph: Mapping[Any, Any]) -> int:
    """Count the tasks of a graph that are more than another name of one."""
    named = convert_legacy_graph(dict(graph))
    return sum(not isinstance(task, Alias | DataNode) for task in named.values())


def counted(path: Path, in_memory: bool, **options: Any) -> Row:
    """Build the graph of a prediction, optimise it as a scheduler would, and count.

    Parameters
    ----------
    path : Path
        See :func:`archive`.
    in_memory : bool
        Whether the attributes are loaded first: then they travel with the graph.
    **options
        For :func:`xstefaland.predict`.
    """
    ds = xr.open_zarr(path, consolidated=False)
    static = [str(n) for n, v in ds.data_vars.items() if "time" not in v.dims]
    if in_memory:
        ds = ds.assign({name: ds[name].load() for name in static})
    begun = time.process_time()
    answer = xstefaland.predict(ds, ["streamflow"], **options)
    built = time.process_time()
    (optimised,) = dask.optimize(answer)
    graph = dict(optimised.__dask_graph__())
    seconds = time.process_time() - built
    chunks = math.prod(len(c) for d, c in ds.chunksizes.items() if d != "time")
    before = tasks(answer.__dask_graph__())
    return {
        "cells": ds.sizes["lat"] * ds.sizes["lon"],
        "chunks": chunks,
        "attributes": "in memory" if in_memory else "in the store",
        "tasks a chunk": before / chunks,
        "optimised": tasks(graph) / chunks,
        "graph [MiB]": len(cloudpickle.dumps(graph)) / 2**20,
        "build [CPU s]": built - begun,
        "optimise [CPU s]": seconds,
    }


def report(cells: list[int]) -> str:
    """Count the graphs of some grids; return the page."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in cells:
            path = archive(Path(folder), count)
            rows += [counted(path, in_memory) for in_memory in (False, True)]
    parts = [
        f"# The graph of streamflow over {YEARS} years",
        "",
        f"Chunks of {SIDE} x {SIDE} cells with whole records, four attributes, bundled "
        "weights; nothing is computed. Aliases are no tasks; the size is that of the "
        "optimised graph, pickled, with the attributes that are in memory.",
        "",
        *(f"* {fact}" for fact in machine()),
        "",
        *markdown(rows),
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[10**5, 10**6])
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    text = report(chosen.cells)
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "scale_graph.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
