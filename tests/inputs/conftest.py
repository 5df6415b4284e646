"""Small Datasets and requirements that the tests of inputs share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import ATTRIBUTES, CATALOGUE

FORCING = (
    "precipitation",
    "temperature",
    "temperature_max",
    "temperature_min",
    "shortwave_radiation",
    "relative_humidity",
    "vapour_pressure",
    "surface_pressure",
    "potential_evapotranspiration",
)
TEMPERATURES = ("temperature", "temperature_max", "temperature_min")


@pytest.fixture(scope="session")
def requirements() -> Requirements:
    """What a bundled model asks for: nine forcings, all attributes."""
    forcing = tuple(VariableSpec(name, CATALOGUE[name].units) for name in FORCING)
    attributes = tuple(VariableSpec(v.name, v.units, group=v.group) for v in ATTRIBUTES)
    required = (("precipitation",), TEMPERATURES)
    return Requirements(forcing, attributes, required)


@pytest.fixture
def basins() -> xr.Dataset:
    """Four basins over four years: rates, Kelvin, an attribute, streamflow, text."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2000-01-01", "2003-12-31")
    shape = (4, time.size)
    season = 10 * np.sin(2 * np.pi * (np.asarray(time.day_of_year) - 110) / 365)
    rain = np.where(rng.random(shape) < 0.3, rng.gamma(1, 6, shape), 0)
    warm = 283.15 + season + rng.normal(0, 3, shape)
    dims = ("basin", "time")
    return xr.Dataset(
        {
            "pr": (dims, rain / 86400, {"units": "kg m-2 s-1"}),
            "tas": (dims, warm, {"units": "K"}),
            "elev_mean": ("basin", [100.0, 200.0, 300.0, 400.0]),
            "streamflow": (dims, rain / 2, {"units": "mm d-1"}),
            "name": ("basin", ["a", "b", "c", "d"]),
        },
        coords={
            "time": time,
            "basin": [11, 12, 13, 14],
            "gauge_lat": ("basin", [35.0, 45.0, 55.0, 65.0]),
        },
    )
