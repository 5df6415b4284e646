"""Map soil moisture over a grid on a dask cluster.

``python examples/grid_soil_moisture.py --data ../shared/data`` reads a year of
ERA5-Land over southern Quebec (30 x 30 cells, Copernicus licence), splits it into
chunks of whole records, predicts soil moisture on the workers of a ``LocalCluster``,
and draws the mean of each season and the year at three cells. Without ``--data`` it
does so on a synthetic grid that ships with the package: its sea stays empty.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import xarray as xr
from distributed import Client, LocalCluster
from matplotlib.dates import ConciseDateFormatter
from pictures import FILLED, GREEN, PREDICTED, STYLE

import xstefaland
from xstefaland.testing import example_grid

SEASONS = {"DJF": "winter", "MAM": "spring", "JJA": "summer", "SON": "autumn"}


def load(folder: Path | None, side: int) -> xr.Dataset:
    """Read the grid lazily, or make the synthetic one, in chunks of `side` cells."""
    if folder is None:
        ds = example_grid(rows=8, columns=12, days=365)
    else:
        ds = xstefaland.datasets.era5land(folder, chunks={})
        ds = ds.rename(latitude="lat", longitude="lon")
    return ds.chunk(time=-1, lat=side, lon=side)


def predict(ds: xr.Dataset, workers: int) -> tuple[xr.DataArray, float]:
    """Predict on a cluster in processes of their own; return the time it took too."""
    moisture = ds.stefaland.predict("soil_moisture")  # lazy: no model has run yet
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit="2 GiB",
            dashboard_address=None,
        ) as cluster,
        Client(cluster),
    ):
        start = time.perf_counter()
        return moisture.compute(), time.perf_counter() - start


def draw(path: Path, moisture: xr.DataArray, title: str) -> None:
    """Draw a map for each season and the year at three cells."""
    seasons = moisture.groupby("time.season").mean("time")
    low, high = seasons.quantile([0.01, 0.99]).values
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplot_mosaic(
            [list(SEASONS), ["year"] * 4], figsize=(11, 5.4), height_ratios=[1.25, 1]
        )
        for season, name in SEASONS.items():
            mesh = seasons.sel(season=season).plot(
                ax=axes[season], cmap="YlGnBu", add_colorbar=False, vmin=low, vmax=high
            )
            axes[season].set(title=name, aspect=1.4, xlabel="longitude [°E]")
            axes[season].set_ylabel("latitude [°N]" if season == "DJF" else "")
        figure.colorbar(
            mesh, ax=[axes[s] for s in SEASONS], label="m³ m⁻³", extend="both"
        )
        cells = [(0.15, PREDICTED), (0.5, GREEN), (0.85, FILLED)]
        for part, colour in cells:
            where = {d: int(part * (moisture.sizes[d] - 1)) for d in ("lat", "lon")}
            one = moisture.isel(where)
            axes["year"].plot(one.time, one, color=colour, lw=1.1, label=place(one))
        axes["year"].set(ylabel="m³ m⁻³", title="soil moisture at three cells")
        axes["year"].margins(x=0.01)
        axes["year"].legend(ncols=3)
        locator = axes["year"].xaxis.get_major_locator()
        axes["year"].xaxis.set_major_formatter(ConciseDateFormatter(locator))
        figure.suptitle(title, fontsize=11)
        figure.savefig(path, dpi=130)
        plt.close(figure)


def place(cell: xr.DataArray) -> str:
    """Write where a cell lies."""
    north, east = (float(cell[d]) for d in ("lat", "lon"))
    return f"{abs(north):.1f}°{'SN'[north >= 0]} {abs(east):.1f}°{'WE'[east >= 0]}"


def main(arguments: list[str] | None = None) -> None:
    """Read, predict, say what was done, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of grid_era5land_quebec.nc")
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=10, help="cells along a chunk")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    ds = load(chosen.data, chosen.side)
    moisture, seconds = predict(ds, chosen.workers)
    land = int(moisture.notnull().any("time").sum())
    year = f"{moisture.time.dt.year.values[0]}"
    source = "ERA5-Land, southern Quebec" if chosen.data else "synthetic weather"
    draw(
        chosen.out / "grid_soil_moisture.png",
        moisture,
        f"Predicted soil moisture, {source}, {year}",
    )
    print(
        f"{land} of {moisture[0].size} cells x {moisture.sizes['time']} days in "
        f"{ds.precipitation.data.npartitions} chunks on {chosen.workers} workers: "
        f"{seconds:.0f} s; mean {float(moisture.mean()):.3f} m3 m-3, from "
        f"{float(moisture.min()):.3f} to {float(moisture.max()):.3f}"
    )
    print(f"wrote {chosen.out / 'grid_soil_moisture.png'}")


if __name__ == "__main__":
    main()
