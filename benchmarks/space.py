"""How fast a grid is averaged over basins, and how close that is to exactextract.

``python benchmarks/space.py`` draws 480 wobbly polygons on a grid of 0.1 degrees,
computes the weights of the cells, and averages 34 years of daily weather lazily:
without and with missing cells, and with the grid in chunks of space. A year of random
numbers is handed out again and again, so reading costs nothing. One day is compared to
exactextract's own means. The table goes to ``benchmarks/results/space.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import exactextract
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from encoder import CLOCKS, RESULTS, machine

from xstefaland.geometry import basin_means, sample_attributes
from xstefaland.geometry.coverage import Coverage, cover
from xstefaland.geometry.grids import find_grid
from xstefaland.geometry.polygons import checked, on_axes

ROWS, COLUMNS, CELL = 200, 250, 0.1
WEST, NORTH = -85.0, 60.0
GOALS = {"weights": 1.1, "34 years": 3.0}  # [s]
Row = tuple[str, str, str]


def polygons() -> gpd.GeoSeries:
    """Draw 480 polygons of 200 corners each, some 65 cells large."""
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    shapes = []
    for x in np.linspace(WEST + 1, WEST + 24, 24):
        for y in np.linspace(NORTH - 19, NORTH - 1, 20):
            wobble = 0.2 * np.sin(3 * angle + rng.uniform(0, 6))
            r = 0.33 * (1 + wobble + 0.1 * np.sin(7 * angle))
            corners = [x + 1.3 * r * np.cos(angle), y + r * np.sin(angle)]
            shapes.append(shapely.Polygon(np.stack(corners, axis=1)))
    return gpd.GeoSeries(shapes, crs="EPSG:4326")


def weather(gaps: bool, side: int | None = None) -> xr.Dataset:
    """Make 34 years of one lazy variable, in chunks of a year or of space."""
    year = np.random.default_rng(1).random((366, ROWS, COLUMNS), dtype=np.float32)
    if gaps:
        year[:, ::7, ::5] = np.nan
    days = pd.date_range("1981-01-01", "2014-12-31", name="time")
    if side is None:
        sizes = [366] * (len(days) // 366) + [len(days) % 366]
        blocks = [da.from_array(year[:n], -1, name=f"{i}") for i, n in enumerate(sizes)]
        values = da.concatenate(blocks)
    else:
        shape = (len(days), ROWS, COLUMNS)
        values = da.zeros(shape, np.float32, chunks=(-1, side, side)) + year[0, 0, 0]
    coords = {
        "time": days,
        "lat": NORTH - CELL * (0.5 + np.arange(ROWS)),
        "lon": WEST + CELL * (0.5 + np.arange(COLUMNS)),
    }
    return xr.Dataset({"precipitation": (("time", "lat", "lon"), values)}, coords)


def timed(now: Callable[[], float], work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and result."""
    start = now()
    result = work()
    return now() - start, result


def distance(ds: xr.Dataset, basins: gpd.GeoSeries) -> float:
    """Largest relative distance of one day from exactextract's own area means."""
    day = ds.isel(time=0).load()
    ours = basin_means(day, basins).precipitation.values
    source = exactextract.raster.NumPyRasterSource(
        day.precipitation.values.astype(np.float64),
        WEST, NORTH - ROWS * CELL, WEST + COLUMNS * CELL, NORTH,
        nodata=np.nan, srs_wkt=basins.crs.to_wkt(),
    )  # fmt: skip
    table = exactextract.exact_extract(
        source,
        basins.to_frame("geometry"),
        "mean(coverage_weight=area_spherical_m2)",
        output="pandas",
    )
    return float(np.abs(ours / table.iloc[:, 0].to_numpy() - 1).max())


def terrain() -> xr.DataArray:
    """Make a raster of 30 arc seconds over the same place."""
    y, x = (np.arange(n * CELL * 120) for n in (ROWS, COLUMNS))
    heights = 500 + 400 * np.sin(x / 90) * np.cos(y / 70)[:, None]
    coords = {"lat": NORTH - (y + 0.5) / 120, "lon": WEST + (x + 0.5) / 120}
    return xr.DataArray(heights.astype(np.float32), coords, attrs={"units": "m"})


def measure(now: Callable[[], float]) -> Iterator[Row]:
    """Yield what was done, its figure and its goal."""
    basins, ds = polygons(), weather(gaps=False)

    def weights() -> Coverage:
        grid = find_grid(ds)
        return cover(grid, on_axes(checked(basins), grid.crs))

    seconds, coverage = timed(now, weights)
    what = f"{coverage.weights.nnz} weights for {len(basins)} polygons"
    yield what, f"{seconds:.2f} s", f"{GOALS['weights']} s"
    seconds, means = timed(now, lambda: basin_means(ds, basins))
    yield "the lazy answer, weights and outlines with it", f"{seconds:.2f} s", ""
    seconds, _ = timed(now, means.precipitation.compute)
    yield "34 years", f"{seconds:.2f} s", f"{GOALS['34 years']} s"
    gappy = basin_means(weather(gaps=True), basins)
    seconds, _ = timed(now, gappy.precipitation.compute)
    yield "34 years, 3 % of the cells missing", f"{seconds:.2f} s", ""
    blocks = basin_means(weather(gaps=False, side=50), basins)
    seconds, _ = timed(now, blocks.precipitation.compute)
    yield "34 years in 20 blocks of 50 x 50 cells", f"{seconds:.2f} s", ""
    seconds, _ = timed(now, lambda: sample_attributes({"elevation": terrain()}, basins))
    yield "elevation from 2 400 x 3 000 cells of 30 arc seconds", f"{seconds:.2f} s", ""
    for name, gaps in (("", False), (", cells missing", True)):
        apart = distance(weather(gaps), basins)
        yield f"distance from exactextract{name}", f"{apart:.1e}", "2e-7"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    lines = [
        "# From a grid to basins",
        "",
        f"{ROWS} x {COLUMNS} cells, one thread.",
        "",
    ]
    lines += [f"* {fact}" for fact in [*machine(), f"Clock: {chosen.clock}"]]
    lines += ["", "| what | measured | goal |", "|--|--:|--:|"]
    with dask.config.set(scheduler="sync"):
        for row in measure(CLOCKS[chosen.clock]):
            lines.append(f"| {' | '.join(row)} |")
            print(*row, sep=" | ", flush=True)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "space.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
