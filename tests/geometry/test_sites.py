"""Sites and their latitude, for points, basins and grids."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import dask.array as da
import numpy as np
import pyproj
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.sites import find_latitude, latitude, site_dims


def latitudes(ds: xr.Dataset, *dims: str) -> np.ndarray:
    """Latitude of every site, as the package finds it."""
    return latitude(ds, dims, find_latitude(ds, dims)).values


@pytest.mark.parametrize(
    "dims", [("time",), ("basin", "time"), ("time", "lat", "lon"), ("y", "time", "x")]
)
def test_site_dims(dims: tuple[str, ...]) -> None:
    """All dimensions but time, in their order."""
    ds = xr.Dataset({"pr": (dims, np.zeros((2,) * len(dims)))})
    assert site_dims(ds, ["pr"]) == tuple(dim for dim in dims if dim != "time")


def test_site_dims_of_several_variables() -> None:
    """The variable with the most dimensions sets the order."""
    ds = xr.Dataset({"a": ("time", [0.0]), "b": (("y", "x", "time"), [[[0.0]]])})
    assert site_dims(ds, ["a", "b"]) == ("y", "x")
    assert site_dims(ds, []) == ()


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("lat", {}),
        ("Latitude", {}),
        ("gauge_lat", {}),
        ("phi", {"standard_name": "latitude"}),
        ("phi", {"units": "degrees_north"}),
        ("phi", {"units": "degreeN"}),
    ],
)
def test_stated_latitude(name: str, attrs: dict[str, str]) -> None:
    """By name, standard_name or units."""
    ds = xr.Dataset(coords={name: ("basin", [10.0, 20.0], attrs)})
    assert latitudes(ds, "basin").tolist() == [10.0, 20.0]


def test_attributes_go_before_names() -> None:
    """What says that it is a latitude wins over what is only called so."""
    ds = xr.Dataset(
        coords={
            "lat": ("basin", [1.0]),
            "centre": ("basin", [2.0], {"standard_name": "latitude"}),
        }
    )
    assert latitudes(ds, "basin").tolist() == [2.0]


def test_rotated_and_foreign_latitudes_are_not_used() -> None:
    """Rotated latitudes, and those of other places, are no latitudes of the sites."""
    rotated = {"standard_name": "grid_latitude", "units": "degrees_north"}
    ds = xr.Dataset(coords={"rlat": ("basin", [1.0], rotated), "lat": ("gauge", [1.0])})
    assert find_latitude(ds, ("basin",)) is None
    assert np.isnan(latitudes(ds, "basin")).all()


def test_bounds_are_not_used() -> None:
    """Cell bounds carry the attributes of a latitude too."""
    attrs = {"standard_name": "latitude"}
    ds = xr.Dataset(
        {"lat_bnds": ("basin", [9.0], attrs)},
        coords={"lat": ("basin", [1.0], {"bounds": "lat_bnds"})},
    )
    assert latitudes(ds, "basin").tolist() == [1.0]


def test_grid() -> None:
    """One latitude per row, for every column, in the order of the dims."""
    ds = xr.Dataset(coords={"lat": [50.0, 51.0], "lon": [7.0, 8.0, 9.0]})
    np.testing.assert_array_equal(latitudes(ds, "lon", "lat"), [[50, 51]] * 3)
    assert latitudes(ds, "lat", "lon").dtype == np.float32


def test_single_site() -> None:
    """A scalar coordinate."""
    assert latitudes(xr.Dataset(coords={"lat": 47.0})) == 47


def test_values_beyond_the_poles_are_missing() -> None:
    """A projected coordinate called lat does not become a latitude."""
    ds = xr.Dataset(coords={"lat": ("site", [45.0, 5e6, -91.0])})
    np.testing.assert_array_equal(latitudes(ds, "site"), [45, np.nan, np.nan])


def test_projected_grid() -> None:
    """x and y with a CRS give a latitude per cell."""
    coords = {"y": [9990000.0, 9980000.0], "x": [500000.0, 600000.0, 700000.0]}
    ds = xr.Dataset(coords=coords)
    assert find_latitude(ds, ("y", "x")) is None
    wkt = {"crs_wkt": pyproj.CRS("EPSG:32717").to_wkt()}
    ds = ds.assign_coords(spatial_ref=((), 0, wkt))
    assert str(find_latitude(ds, ("y", "x"))) == "x, y through the CRS"
    result = latitudes(ds, "x", "y")
    assert result.shape == (3, 2)
    np.testing.assert_allclose(result[:, 0], -0.0904, atol=2e-4)


def test_projected_points() -> None:
    """Stations with x and y coordinates."""
    ds = xr.Dataset(
        coords={
            "x": ("station", [5e5, 6e5]),
            "y": ("station", [9.99e6, 9.99e6]),
            "spatial_ref": ((), 0, {"crs_wkt": "EPSG:32717"}),
        }
    )
    np.testing.assert_allclose(latitudes(ds, "station"), -0.0904, atol=2e-4)


def test_geometry() -> None:
    """Centroids of polygons, also in a projected CRS; no polygon is no latitude."""
    shapely = pytest.importorskip("shapely")
    shapes = np.array([shapely.box(4e5, 9.9e6, 6e5, 10.1e6), None], dtype=object)
    ds = xr.Dataset(coords={"geometry": ("basin", shapes)})
    assert find_latitude(ds, ("basin",)) is None
    ds["geometry"].attrs["crs"] = "EPSG:32717"
    assert str(find_latitude(ds, ("basin",))) == "geometry (centroids)"
    np.testing.assert_allclose(latitudes(ds, "basin"), [0, np.nan], atol=1e-6)


def test_lazy_latitudes_stay_lazy(
    no_compute: Callable[[], AbstractContextManager[None]],
) -> None:
    """A dask-backed latitude is not computed."""
    ds = xr.Dataset(coords={"lat": (("y", "x"), da.ones((4, 4), chunks=2))})
    with no_compute():
        found = latitude(ds, ("y", "x"), find_latitude(ds, ("y", "x")))
    assert found.chunks == ((2, 2), (2, 2))


def test_radians() -> None:
    """A latitude in radians is converted."""
    lat = ("site", [np.pi / 4], {"units": "radians", "standard_name": "latitude"})
    ds = xr.Dataset(coords={"lat": lat})
    found = latitude(ds, ("site",), find_latitude(ds, ("site",)))
    np.testing.assert_allclose(found, 45)


def test_projected_kilometres() -> None:
    """Coordinates in kilometres mean the same places as in metres."""
    crs = {"crs_wkt": "EPSG:32617"}
    places = []
    for unit, factor in (("m", 1.0), ("km", 1e-3)):
        coords = {
            "x": ("x", np.array([4e5, 5e5]) * factor, {"units": unit}),
            "y": ("y", np.array([4.9e6, 5e6]) * factor, {"units": unit}),
            "spatial_ref": ((), 0, crs),
        }
        ds = xr.Dataset(coords=coords)
        places.append(latitude(ds, ("y", "x"), find_latitude(ds, ("y", "x"))))
    np.testing.assert_allclose(places[0], places[1], atol=1e-5)
    assert abs(float(places[1][1, 1]) - 45.153) < 0.01


def test_a_given_latitude_goes_by_labels() -> None:
    """In another order, of more sites or of fewer; without labels by position."""
    ds = xr.Dataset(coords={"site": ["a", "b", "c"]})
    given = xr.DataArray([30.0, 20.0, 40.0], {"site": ["c", "b", "z"]}, "site")
    found = latitude(ds, ("site",), find_latitude(ds, ("site",), given))
    np.testing.assert_array_equal(found, [np.nan, 20, 30])
    bare = xr.DataArray([10.0, 20.0, 30.0], dims="site")
    found = latitude(ds, ("site",), find_latitude(ds, ("site",), bare))
    np.testing.assert_array_equal(found, [10, 20, 30])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (
            xr.DataArray([1.0], {"site": ["z"]}, "site"),
            "'z', are none of",
        ),
        (xr.DataArray([1.0, 2.0], dims="site"), "has length 2 and no labels"),
        (xr.DataArray([1.0], dims="z"), r"has dims \('z',\)"),
        (xr.DataArray(["45 N"] * 3, dims="site"), "holds <U4 values; pass degrees"),
        ("text", "holds <U4 values; pass degrees"),
        ("elsewhere", r"has dims \('z',\)"),
    ],
)
def test_a_given_latitude_of_other_sites(given: str | xr.DataArray, match: str) -> None:
    """No label in common, another number of sites, another dimension, no numbers."""
    ds = xr.Dataset(coords={"site": ["a", "b", "c"], "elsewhere": ("z", [1.0])})
    ds["text"] = ("site", ["45 N"] * 3)
    with pytest.raises(InputError, match=match):
        find_latitude(ds, ("site",), given)
