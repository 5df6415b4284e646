"""From a grid to basins to hydrographs.

``python examples/grid_to_basins.py --data ../shared/data`` reads a year of ERA5-Land
over southern Quebec (Copernicus licence) and draws three outlines inside the grid: they
are no real catchments, and nothing was observed there. It averages the weather over
them, predicts streamflow, and sets beside it the mean of what is predicted for each
cell. Without ``--data`` it does so on a synthetic grid that ships with the package.

The two answers differ: rivers do not answer in proportion to rain, and the model hears
of the area of a basin but not of a cell's. It was trained on basins, so the prediction
for a basin's mean weather is the one to use.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import geopandas as gpd
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import shapely
import xarray as xr
from matplotlib.dates import ConciseDateFormatter
from pictures import FILLED, OBSERVED, PREDICTED, SNOW, STYLE

import xstefaland
from xstefaland.geometry import basin_means
from xstefaland.testing import example_grid


def load(folder: Path | None, cells: int) -> xr.Dataset:
    """Read a corner of the grid, or make the synthetic one."""
    if folder is None:
        return example_grid(rows=cells, columns=cells, days=730)
    ds = xstefaland.datasets.era5land(folder)
    corner = ds.isel(latitude=slice(cells), longitude=slice(cells))
    return corner.rename(latitude="lat", longitude="lon")


def outlines(ds: xr.Dataset) -> gpd.GeoDataFrame:
    """Draw three basins inside a grid: one above the other, and a small one."""
    x, y = ds.lon.values, ds.lat.values
    wide, high = x[-1] - x[0], y[0] - y[-1]
    places = {
        "upper": (0.30, 0.72, 0.20, 0.0),
        "lower": (0.66, 0.36, 0.26, 1.0),
        "brook": (0.16, 0.22, 0.05, 2.0),
    }
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    shapes = []
    for across, up, radius, turn in places.values():
        r = radius * (1 + 0.18 * np.sin(3 * angle + turn) + 0.07 * np.cos(7 * angle))
        east = x[0] + wide * (across + r * np.cos(angle))
        north = y[-1] + high * (up + r * np.sin(angle))
        shapes.append(shapely.Polygon(np.stack([east, north], axis=1)))
    return gpd.GeoDataFrame(index=list(places), geometry=shapes, crs="EPSG:4326")


def both_ways(
    ds: xr.Dataset, basins: gpd.GeoDataFrame
) -> tuple[xr.Dataset, xr.Dataset]:
    """Predict for the basins' mean weather; average the cells' predictions."""
    means = basin_means(ds, basins)
    flow = means.stefaland.predict("streamflow")
    cells = ds.stefaland.predict("streamflow").to_dataset()
    of_cells = basin_means(cells, basins).streamflow
    return means, xr.Dataset({"of_means": flow, "of_cells": of_cells.drop_vars("area")})


def draw(
    path: Path,
    ds: xr.Dataset,
    basins: gpd.GeoDataFrame,
    means: xr.Dataset,
    flow: xr.Dataset,
    title: str,
) -> None:
    """Draw the basins on the grid, and a hydrograph for each."""
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplot_mosaic(
            [["map", name] for name in basins.index],
            figsize=(11, 6.2), width_ratios=[1, 1.5],
        )  # fmt: skip
        rain = ds.precipitation.mean("time") * 365.25
        rain.plot(
            ax=axes["map"], cmap="Blues",
            cbar_kwargs={"label": "precipitation [mm a⁻¹]", "shrink": 0.7},
        )  # fmt: skip
        basins.boundary.plot(ax=axes["map"], color=FILLED, lw=1.6)
        for name, point in basins.representative_point().items():
            axes["map"].annotate(
                name, (point.x, point.y), (0, 14), textcoords="offset points",
                color=FILLED, ha="center", weight="bold",
            )  # fmt: skip
        axes["map"].set(title="basins on the grid", xlabel="", ylabel="", aspect=1.4)
        axes["map"].grid(visible=False)
        for name in basins.index:
            _hydrograph(axes[name], means.sel(basin=name), flow.sel(basin=name))
        first = axes[basins.index[0]]
        first.legend(loc="upper left", bbox_to_anchor=(0, 0.72))
        figure.suptitle(title, fontsize=11)
        figure.savefig(path, dpi=130)
        plt.close(figure)


def _hydrograph(axes: plt.Axes, weather: xr.Dataset, flow: xr.Dataset) -> None:
    """Draw one basin: flow upwards, rain from above."""
    axes.plot(flow.time, flow.of_means, color=PREDICTED, label="of the basin's weather")
    axes.plot(
        flow.time, flow.of_cells, "--", color=OBSERVED, lw=1, label="mean of the cells"
    )
    top = 1.9 * float(flow.to_array().max())
    axes.set(ylim=(0, top), ylabel="mm d⁻¹")
    axes.set_title(f"{flow.basin.values!s}: {float(weather.area):.0f} km²")
    above = axes.twinx()
    above.bar(weather.time, weather.precipitation, width=1.0, color=SNOW)
    above.set_ylim(3.5 * float(weather.precipitation.max()), 0)
    above.set_axis_off()
    axes.margins(x=0.01)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))


def main(arguments: list[str] | None = None) -> None:
    """Average, predict, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of grid_era5land_quebec.nc")
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    parser.add_argument("--cells", type=int, default=10, help="rows and columns")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    ds = load(chosen.data, chosen.cells)
    basins = outlines(ds)
    means, flow = both_ways(ds, basins)
    table = flow.mean("time").to_dataframe()[["of_means", "of_cells"]] * 365.25
    table.insert(0, "area_km2", means.area.to_series().round())
    table.insert(1, "precipitation", means.precipitation.mean("time") * 365.25)
    print(table.round(1).to_string())
    source = "ERA5-Land, southern Quebec" if chosen.data else "synthetic weather"
    path = chosen.out / "grid_to_basins.png"
    draw(path, ds, basins, means, flow, f"Streamflow of drawn basins, {source}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
