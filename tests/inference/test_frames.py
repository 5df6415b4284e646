"""Frames: one row per site and day, one column per value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import xstefaland
from xstefaland.inference.frames import to_frame
from xstefaland.testing import example_grid, example_points


def test_embedding_of_sites(weights: Any) -> None:
    """Index of site names, columns emb_000 and on."""
    ds = example_points(3, 40)
    pooled = xstefaland.embed(ds, weights=weights, pool="mean")
    frame = to_frame(pooled)
    assert frame.index.equals(pd.Index(ds.site.values, name="site"))
    assert list(frame.columns) == [f"emb_{i:03d}" for i in range(16)]
    np.testing.assert_array_equal(frame, pooled)


def test_daily_embedding_of_a_lazy_grid(weights: Any) -> None:
    """One level per dim, rows in the order of the dims."""
    grid = example_grid(2, 3, 10).chunk(lat=1)
    daily = xstefaland.embed(grid, weights=weights)
    frame = to_frame(daily)
    assert frame.index.names == ["time", "lat", "lon"]
    assert len(frame) == 60
    row = frame.loc[(grid.time.values[4], grid.lat.values[1], grid.lon.values[0])]
    np.testing.assert_array_equal(row, daily[4, 1, 0])


def test_prediction_is_one_column(weights: Any, head: Any) -> None:
    """Named after the target."""
    ds = example_points(2, 10)
    flow = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    frame = to_frame(flow)
    assert list(frame.columns) == ["streamflow"]
    assert frame.shape == (20, 1)


def test_single_site_is_one_row() -> None:
    """Without any other dim there is one row."""
    frame = to_frame(xr.DataArray([1.0, 2.0], dims="embedding"))
    assert frame.shape == (1, 2)
    assert to_frame(xr.DataArray(3.0)).columns.tolist() == ["value"]
