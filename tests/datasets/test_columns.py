"""Columns: names, units and CF attributes of what the readers take."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland.datasets.columns import Column, at_depth, attributes_of, take


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "precipitation",
            {
                "standard_name": "lwe_precipitation_rate",
                "cell_methods": "time: mean",
                "long_name": "precipitation",
            },
        ),
        (
            "temperature_min",
            {
                "standard_name": "air_temperature",
                "cell_methods": "time: minimum",
                "long_name": "daily minimum air temperature at 2 m",
            },
        ),
        ("frac_forest", {"long_name": "forest cover"}),
        ("streamflow", {"long_name": "observed streamflow"}),
        (
            "soil_temperature_50cm",
            {
                "standard_name": "soil_temperature",
                "long_name": "observed soil temperature at 50 cm",
            },
        ),
        # CF's name for snow would make an input of an observed target
        ("snow_water_equivalent", {"long_name": "observed water equivalent of snow"}),
        ("sunshine_duration", {"long_name": "sunshine duration"}),
    ],
)
def test_attributes(name: str, expected: dict[str, str]) -> None:
    """Rates are means, extremes extremes; observations are called so."""
    attrs = attributes_of(Column(name, "x", "some unit"))
    assert attrs == {"units": "some unit", "original_name": "x", **expected}
    noted = attributes_of(Column(name, "x", "some unit", "mind this"))
    assert noted == {**attrs, "comment": "mind this"}


def test_take() -> None:
    """Values outside the limits are missing; limits themselves are not."""
    raw = xr.Dataset(
        {"a": ("time", [-0.1, 0.0, 1.0, 1.1], {"old": "attribute"}), "b": 3}
    )
    columns = [Column("x", "a", "1", limits=(0, 1)), Column("y", "none", "1")]
    ds = take(raw, columns)
    assert list(ds.data_vars) == ["x"]
    np.testing.assert_array_equal(ds.x, np.float32([np.nan, 0, 1, np.nan]))
    assert ds.x.dtype == np.float32
    assert "old" not in ds.x.attrs


def test_depths() -> None:
    """The shallowest depth is the target's plain name."""
    names = [at_depth("soil_moisture", depth) for depth in (5, 100)]
    assert names == ["soil_moisture", "soil_moisture_100cm"]
