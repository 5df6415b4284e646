"""What an installed package must do, whatever came with it: predict from a NetCDF file.

``python packaging/first_call.py`` tries the smallest install; names of extras behind it
try one call of each besides. Run it outside the repository's root, so that what is
tried is the installed package. It prints a line for each call, or fails.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xstefaland
from xstefaland.testing import example_grid, example_points


def smallest() -> xr.DataArray:
    """Write NetCDF, open it, look, convert, predict, embed, as the README does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "basins.nc"
        product = example_points(sites=2, days=800)
        kelvin = (product.temperature + 273.15).assign_attrs(units="K")
        product.assign(temperature=kelvin).to_netcdf(path)
        with xr.open_dataset(path) as opened:
            ds = opened.load()
    assert ds.stefaland.check("streamflow").ok
    flow: xr.DataArray = ds.stefaland.predict("streamflow")
    assert flow.shape == (2, 800), flow.shape
    assert bool(np.isfinite(flow).all())
    assert float(flow.min()) >= 0
    assert flow.attrs["units"] == "mm d-1"
    assert ds.stefaland.embed(pool="mean").sizes["embedding"] > 1
    return flow


def basins(_: Any) -> None:
    """Average a grid over a polygon."""
    import geopandas
    from shapely import box

    grid = example_grid(rows=3, columns=3, days=10)
    lon, lat = grid.lon.values, grid.lat.values
    outline = box(lon.min(), lat.min(), lon.max(), lat.max())
    frame = geopandas.GeoDataFrame(geometry=[outline], crs="EPSG:4326")
    means = xstefaland.geometry.basin_means(grid, frame)
    assert bool(np.isfinite(means.precipitation).all())


def grids(_: Any) -> None:
    """Give the answer the CRS that rioxarray wrote."""
    import rioxarray  # noqa: F401  (registers .rio)

    grid = example_grid(rows=1, columns=2, days=400).rio.write_crs("EPSG:4326")
    assert grid.stefaland.predict("soil_moisture").rio.crs == grid.rio.crs


def sklearn(_: Any) -> None:
    """Put the embedder into a pipeline."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    from xstefaland.sklearn import StefaLandEmbedder

    steps = make_pipeline(StefaLandEmbedder(), PCA(2))
    assert steps.fit_transform(example_points(3, 400)).shape == (3, 2)


def plot(flow: xr.DataArray) -> None:
    """Draw a hydrograph into a file."""
    import matplotlib

    matplotlib.use("Agg")
    axes = np.ravel(flow.stefaland.hydrograph())
    with tempfile.TemporaryDirectory() as folder:
        axes[0].figure.savefig(Path(folder) / "flow.png")


def train(flow: xr.DataArray) -> None:
    """Train a head for two updates and ask it."""
    from xstefaland.training import Finetuning, finetune

    ds = example_points(sites=2, days=800).assign(q=flow)
    short = Finetuning(updates=2, batch_size=2, days=400, precision="float32")
    with tempfile.TemporaryDirectory() as folder:
        head = finetune(ds, "streamflow", "q", folder=folder, settings=short)
        answer = ds.isel(site=[0]).stefaland.predict("streamflow", head=head)
    assert bool(np.isfinite(answer).all())


EXTRAS = {each.__name__: each for each in (basins, grids, sklearn, plot, train)}


def main(extras: list[str]) -> None:
    """Try the smallest install, then extras by name; "all" is every one."""
    xstefaland.show_versions()
    flow = smallest()
    print("smallest: predicted", flow.dims, "mean", float(flow.mean()), flow.units)
    for name in EXTRAS if extras == ["all"] else extras:
        EXTRAS[name](flow)
        print(f"{name}: works")


if __name__ == "__main__":
    main(sys.argv[1:])
