"""Coordinate reference systems are found where they are stated, and used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

from xstefaland.geometry.crs import find_crs, latitude_of

UTM = pyproj.CRS("EPSG:32717")


@pytest.mark.parametrize(
    "attrs",
    [
        {"crs_wkt": UTM.to_wkt()},
        {"spatial_ref": UTM.to_wkt()},
        UTM.to_cf(),
    ],
    ids=["crs_wkt", "spatial_ref", "cf"],
)
def test_grid_mapping(attrs: dict[str, Any]) -> None:
    """The grid mapping that a variable names, in each of its forms."""
    values = xr.DataArray(0.0, attrs={"grid_mapping": "utm"})
    ds = xr.Dataset({"pr": values}, coords={"utm": ((), 0, attrs)})
    crs = find_crs(ds)
    assert crs is not None
    assert crs.is_projected
    assert "17S" in crs.name


def test_rioxarray() -> None:
    """What rioxarray writes is understood."""
    pytest.importorskip("rioxarray")
    ds = xr.Dataset({"pr": (("y", "x"), np.zeros((2, 2)))}).rio.write_crs("EPSG:32717")
    assert find_crs(ds) == UTM


def test_nothing_stated() -> None:
    """No CRS, or one that cannot be read, is None."""
    assert find_crs(xr.Dataset()) is None
    ds = xr.Dataset(coords={"spatial_ref": ((), 0, {"crs_wkt": "not a crs"})})
    assert find_crs(ds) is None


def test_latitude_of_utm() -> None:
    """The equator is at 10 000 km north in the southern zones of UTM."""
    latitude = latitude_of([500000.0, 500000.0], [10000000.0, 9000000.0], UTM)
    np.testing.assert_allclose(latitude, [0.0, -9.047], atol=1e-3)


def test_points_outside_are_missing() -> None:
    """A point that a projection does not know is NaN, not infinite."""
    crs = pyproj.CRS("+proj=ortho +lat_0=0 +lon_0=0")
    assert np.isnan(latitude_of([9e6], [9e6], crs)).all()
