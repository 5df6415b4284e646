"""Regular grids are told from others, with the reason and the call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.grids import EARTH_RADIUS, Axis, find_grid

LCC = "+proj=lcc +lat_1=40 +lat_2=50 +lon_0=-75 +lat_0=45"
FLAT = (("y", "x"), np.ones((2, 2)))
ROTATED = {
    "grid_mapping_name": "rotated_latitude_longitude",
    "grid_north_pole_latitude": 39.25,
    "grid_north_pole_longitude": -162.0,
}


def lat_lon(lat: Any, lon: Any, **more: Any) -> xr.Dataset:
    """A Dataset with the two axes and nothing else."""
    return xr.Dataset(coords={"lat": lat, "lon": lon, **more})


def test_longitude_and_latitude() -> None:
    """By name, without a CRS: WGS 84."""
    grid = find_grid(lat_lon([47.0, 46.9, 46.8], [5.0, 5.1]))
    assert grid.y == Axis("lat", 47.0, pytest.approx(-0.1), 3)
    assert grid.x.edges == (pytest.approx(4.95), pytest.approx(5.15))
    assert grid.y.edges == (pytest.approx(46.75), pytest.approx(47.05))
    assert grid.y.position([47.05, 46.75]) == pytest.approx([0, 3])
    assert grid.crs == pyproj.CRS("EPSG:4326")


@pytest.mark.parametrize(
    ("names", "attrs"),
    [
        (("yc", "xc"), ({"standard_name": "latitude"}, {"standard_name": "longitude"})),
        (("northing", "easting"), ({}, {})),
        (("b", "a"), ({"axis": "Y"}, {"axis": "X"})),
    ],
)
def test_axes_by_attributes_and_names(names: Any, attrs: Any) -> None:
    """CF standard names, CF axes, plain names."""
    (y, x), (about_y, about_x) = names, attrs
    ds = xr.Dataset(coords={y: (y, [2.0, 1.0], about_y), x: (x, [1.0, 2.0], about_x)})
    ds = ds.assign_coords(spatial_ref=((), 0, {"crs_wkt": "EPSG:32617"}))
    found = find_grid(ds)
    assert (found.y.dim, found.x.dim) == (y, x)


def test_rotated_pole() -> None:
    """Axes of a rotated pole, beside two-dimensional latitudes."""
    flat = (("rlat", "rlon"), np.zeros((2, 3)))
    ds = xr.Dataset(
        {"tas": (("rlat", "rlon"), np.zeros((2, 3)), {"grid_mapping": "pole"})},
        {
            "rlat": ("rlat", [0.0, 0.5], {"standard_name": "grid_latitude"}),
            "rlon": ("rlon", [1.0, 1.5, 2.0], {"standard_name": "grid_longitude"}),
            "lat": flat,
            "lon": flat,
            "pole": ((), 0, ROTATED),
        },
    )
    grid = find_grid(ds)
    assert (grid.x.dim, grid.y.dim) == ("rlon", "rlat")
    assert grid.in_degrees
    assert grid.crs.coordinate_operation.method_name.startswith("Pole rotation")


def test_units_of_projected_axes() -> None:
    """Kilometres are brought to the metres of the CRS."""
    ds = xr.Dataset(
        coords={
            "x": ("x", [400.0, 410.0], {"units": "km"}),
            "y": ("y", [5000.0, 4990.0], {"units": "km"}),
            "spatial_ref": ((), 0, {"crs_wkt": "EPSG:32617"}),
        }
    )
    grid = find_grid(ds)
    assert grid.x == Axis("x", 400000.0, 10000.0, 2)


def test_cell_areas_add_up_to_the_earth() -> None:
    """All cells of a global grid, also with rows centred on the poles."""
    for lat in (np.arange(-89.0, 90, 2), np.arange(-90.0, 91, 2)):
        grid = find_grid(lat_lon(lat, np.arange(1.0, 360, 2)))
        row, column = np.divmod(np.arange(len(lat) * 180), 180)
        total = grid.cell_area(row, column).sum()
        assert total == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:32618", LCC, "EPSG:5070", "EPSG:3857"])
def test_area_of_projected_cells(crs: str) -> None:
    """Against the area of the same square on the ellipsoid."""
    shapely = pytest.importorskip("shapely")
    to_map = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_map.transform(-73.0, 46.0)
    centre = {"x": [x, x + 5000.0], "y": [y, y - 5000.0]}
    attrs = {"crs_wkt": pyproj.CRS(crs).to_wkt()}
    grid = find_grid(xr.Dataset(coords={**centre, "spatial_ref": ((), 0, attrs)}))
    square = shapely.box(x - 2500, y - 2500, x + 2500, y + 2500)
    square = shapely.segmentize(square, 100)
    back = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*np.asarray(square.exterior.coords).T)
    area, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)
    found = grid.cell_area(np.array([0]), np.array([0]))
    close = 3e-4 if crs == "EPSG:3857" else 1e-5  # which takes the Earth for a sphere
    np.testing.assert_allclose(found, abs(area), rtol=close)


@pytest.mark.parametrize(
    ("ds", "words"),
    [
        (lat_lon([1.0, 2.0, 4.0], [1.0, 2.0]), r"'lat' has uneven steps.*interp"),
        (lat_lon([1.0, 2.0], [0.0, 1.0, -1.0]), r"'lon' has uneven steps.*sortby"),
        (lat_lon([1.0], [1.0, 2.0]), r"'lat' has 1 cells"),
        (lat_lon([1.0, np.nan], [1.0, 2.0]), r"'lat' has missing values"),
        (lat_lon([1.0, 1.0], [1.0, 2.0]), r"'lat' has uneven steps"),
        (lat_lon([1.0, 2.0], [179.0, 180, -179]), r"lon=ds\[\"lon\"\] % 360\)"),
        (lat_lon([1.0, 2.0], [359.0, 0, 1]), r"\+ 180\) % 360 - 180\)"),
        (lat_lon([1.0, 2.0], np.arange(0.0, 361, 1)), r"more than once.*slice.*360"),
        (xr.Dataset(coords={"x": [1.0, 2], "y": [1.0, 2]}), r"no CRS.*write_crs"),
        (xr.Dataset(coords={"lat": [1.0, 2]}), r"no regular grid.*assign_coords"),
        (
            xr.Dataset(coords={"lat": FLAT, "lon": FLAT}),
            r"no regular grid.*'lat', 'lon'.*reproject",
        ),
        (
            lat_lon([1.0, 2.0, 4.0], [1.0, 3.0, 4.0]),
            r"(?s)2 problems.*'lon' has.*'lat' has",
        ),
    ],
)  # fmt: skip
def test_irregular_grids_are_refused(ds: xr.Dataset, words: str) -> None:
    """Each with the reason and what to do."""
    with pytest.raises(InputError, match=words):
        find_grid(ds)


def test_rounded_coordinates_are_regular() -> None:
    """Single precision and four decimals, as files have them."""
    fine = np.round(10 + np.arange(500) / 120, 4).astype("f4")
    assert find_grid(lat_lon(fine, fine)).x.step == pytest.approx(1 / 120, rel=1e-5)
