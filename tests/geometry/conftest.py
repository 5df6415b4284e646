"""Grids and basins that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr


def _grid(lat: Any = None, lon: Any = None, days: int = 5, seed: int = 0) -> xr.Dataset:
    """Random weather on a lat/lon grid, 10 x 12 cells of a quarter degree."""
    lat = 50 - 0.25 * np.arange(10) if lat is None else np.asarray(lat)
    lon = 5 + 0.25 * np.arange(12) if lon is None else np.asarray(lon)
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.7, 9, (days, len(lat), len(lon)))
    return xr.Dataset(
        {
            "precipitation": (("time", "lat", "lon"), values, {"units": "mm d-1"}),
            "elevation": (("lat", "lon"), 100 * values[0], {"units": "m"}),
        },
        {"time": pd.date_range("2001-01-01", periods=days), "lat": lat, "lon": lon},
    )


@pytest.fixture
def grid() -> Callable[..., xr.Dataset]:
    """Make a grid: ``grid(lat, lon, days, seed)``."""
    return _grid
