"""CRS and geometry go through the model's calls, as rioxarray and xvec see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError
from xstefaland.geometry.sites import find_latitude, latitude
from xstefaland.testing import example_grid, example_points, tiny_head, tiny_weights
from xstefaland.weights import Weights

pytest.importorskip("rioxarray")

CALLS: dict[str, Callable[..., Any]] = {
    "predict": lambda ds, **w: ds.stefaland.predict("streamflow", **w),
    "predict_list": lambda ds, **w: ds.stefaland.predict(["streamflow"], **w),
    "embed": lambda ds, **w: ds.stefaland.embed(weights=w["weights"]),
    "embed_mean": lambda ds, **w: ds.stefaland.embed(pool="mean", weights=w["weights"]),
    "embed_year": lambda ds, **w: ds.stefaland.embed(pool="year", weights=w["weights"]),
    "reconstruct": lambda ds, **w: ds.stefaland.reconstruct(weights=w["weights"]),
}
ROTATED = {
    "grid_mapping_name": "rotated_latitude_longitude",
    "grid_north_pole_latitude": 39.25,
    "grid_north_pole_longitude": -162.0,
}


@pytest.fixture(scope="module")
def weights() -> dict[str, Weights]:
    """Tiny random weights, as keywords."""
    encoder = tiny_weights()
    return {"weights": encoder, "head": tiny_head(encoder)}


def projected(crs: str = "EPSG:32631", unit: str = "m") -> xr.Dataset:
    """A grid in a projection, as rioxarray makes one."""
    ds = example_grid(days=400).drop_vars("spatial_ref")
    factor = {"m": 1.0, "km": 1e-3}[unit]
    ds = ds.rename(lat="y", lon="x").assign_coords(
        x=("x", (5e5 + 25e3 * np.arange(4)) * factor),
        y=("y", (5e6 - 25e3 * np.arange(3)) * factor),
    )
    for variable in ds.data_vars.values():
        variable.attrs.pop("grid_mapping")
    ds = ds.rio.write_crs(crs).rio.write_coordinate_system()
    ds.x.attrs["units"] = ds.y.attrs["units"] = unit
    return ds


def rotated() -> xr.Dataset:
    """A grid with a rotated pole and two-dimensional latitudes beside its axes."""
    ds = example_grid(days=400).drop_vars("spatial_ref")
    ds = ds.rename(lat="rlat", lon="rlon").assign_coords(
        rlat=("rlat", [-4.0, -4.5, -5.0], {"standard_name": "grid_latitude"}),
        rlon=("rlon", [-9.0, -8.5, -8.0, -7.5], {"standard_name": "grid_longitude"}),
        rotated_pole=((), 0, ROTATED),
    )
    crs = pyproj.CRS.from_cf(ROTATED)
    back = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*np.meshgrid(ds.rlon, ds.rlat))
    for variable in ds.data_vars.values():
        variable.attrs["grid_mapping"] = "rotated_pole"
    flat = ("rlat", "rlon")
    return ds.assign_coords(
        lat=(flat, lat, {"units": "degrees_north", "standard_name": "latitude"}),
        lon=(flat, lon, {"units": "degrees_east", "standard_name": "longitude"}),
    )


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("chunked", [False, True])
def test_crs_of_a_projected_grid(
    call: str, chunked: bool, weights: dict[str, Weights]
) -> None:
    """What rioxarray wrote it finds again in every answer: CRS, axes, bounds."""
    ds = projected()
    out = CALLS[call](ds.chunk(x=2, time=-1) if chunked else ds, **weights)
    assert out.rio.crs == ds.rio.crs
    assert out.rio.crs.to_epsg() == 32631
    assert (out.rio.x_dim, out.rio.y_dim) == ("x", "y")
    assert out.rio.bounds() == ds.rio.bounds()
    assert out.rio.grid_mapping == "spatial_ref"
    for name in ("x", "y", "spatial_ref"):
        xr.testing.assert_identical(out[name].variable, ds[name].variable)


def test_latitude_of_a_projected_grid() -> None:
    """It comes through the CRS, whatever the units of the axes."""
    for unit in ("m", "km"):
        ds = projected(unit=unit)
        source = find_latitude(ds, ("y", "x"))
        assert str(source) == "x, y through the CRS"
        found = latitude(ds, ("y", "x"), source)
        assert abs(float(found[0, 0]) - 45.153) < 1e-3


def test_rasters_come_out_of_an_answer(
    weights: dict[str, Weights], tmp_path: Path
) -> None:
    """One day of an answer is a GeoTIFF in the right place."""
    import rioxarray

    flow = CALLS["predict"](projected(), **weights)
    path = tmp_path / "flow.tif"
    flow.isel(time=-1).transpose("y", "x").rio.to_raster(path)
    with rioxarray.open_rasterio(path, masked=True) as back:
        assert back.rio.crs == flow.rio.crs
        assert back.rio.bounds() == flow.rio.bounds()
        np.testing.assert_allclose(back[0], flow.isel(time=-1).transpose("y", "x"))


@pytest.mark.parametrize("call", CALLS)
def test_rotated_pole(call: str, weights: dict[str, Weights]) -> None:
    """Grid mapping, rotated axes and two-dimensional places survive."""
    ds = rotated()
    out = CALLS[call](ds, **weights)
    for name in ("rlat", "rlon", "lat", "lon", "rotated_pole"):
        xr.testing.assert_identical(out[name].variable, ds[name].variable)
    answers = out.data_vars.values() if isinstance(out, xr.Dataset) else [out]
    for answer in answers:
        if "rlat" in answer.dims:
            assert answer.rio.grid_mapping == "rotated_pole"
            assert answer.rio.crs == ds.precipitation.rio.crs


def test_latitude_of_a_rotated_grid() -> None:
    """Two-dimensional latitudes are used, never the rotated ones."""
    ds = rotated()
    assert str(find_latitude(ds, ("rlat", "rlon"))) == "lat"
    found = latitude(ds, ("rlat", "rlon"), find_latitude(ds, ("rlat", "rlon")))
    np.testing.assert_allclose(found, ds.lat, rtol=1e-6)


def test_latitude_of_a_rotated_grid_without_any() -> None:
    """Where only rotated axes and the pole are there, they are computed from it."""
    ds = rotated()
    bare = ds.drop_vars(["lat", "lon"])
    source = find_latitude(bare, ("rlat", "rlon"))
    assert str(source) == "rlon, rlat through the CRS"
    found = latitude(bare, ("rlat", "rlon"), source)
    np.testing.assert_allclose(found, ds.lat, rtol=1e-5)


def test_curvilinear_grid(weights: dict[str, Weights]) -> None:
    """Rows and columns without axes: places are in two-dimensional coordinates."""
    ds = rotated().drop_vars(["rlat", "rlon", "rotated_pole"])
    ds = ds.rename(rlat="nj", rlon="ni")
    out = CALLS["predict"](ds, **weights)
    assert out.dims == ("time", "nj", "ni")
    xr.testing.assert_identical(out.lat.variable, ds.lat.variable)


@pytest.mark.parametrize("call", CALLS)
def test_geometry_index_of_xvec(call: str, weights: dict[str, Weights]) -> None:
    """Points as the dimension itself, with xvec's index and CRS."""
    pytest.importorskip("xvec")
    geopandas = pytest.importorskip("geopandas")
    points = example_points(3, 400)
    places = geopandas.points_from_xy(points.longitude, points.latitude)
    ds = points.drop_vars(["site", "latitude", "longitude"]).rename(site="geometry")
    ds = ds.assign_coords(geometry=np.asarray(places)).xvec.set_geom_indexes(
        "geometry", crs="EPSG:4326"
    )
    out = CALLS[call](ds, **weights)
    assert out.xvec.geom_coords_indexed.keys() == {"geometry"}
    assert out.xindexes["geometry"].crs == pyproj.CRS("EPSG:4326")
    np.testing.assert_array_equal(out.geometry.values, ds.geometry.values)
    near = out.xvec.query("geometry", ds.geometry.values[0].buffer(1e-6))
    assert near.sizes["geometry"] == 1


@pytest.mark.parametrize("indexed", [False, True])
def test_geometry_beside_names(indexed: bool, weights: dict[str, Weights]) -> None:
    """Geometry as a coordinate of named sites, with and without xvec's index."""
    xvec = pytest.importorskip("xvec")
    geopandas = pytest.importorskip("geopandas")
    ds = example_points(3, 400)
    places = geopandas.points_from_xy(ds.longitude, ds.latitude)
    ds = ds.assign_coords(geometry=("site", np.asarray(places)))
    if indexed:
        ds = ds.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:4326")
    for call in CALLS.values():
        out = call(ds.chunk(site=2), **weights)
        np.testing.assert_array_equal(out.geometry.values, ds.geometry.values)
        assert ("geometry" in out.xindexes) == indexed


@pytest.mark.parametrize(
    ("calendar", "call"),
    [
        ("noleap", 'ds.convert_calendar("standard", use_cftime=False)'),
        (
            "360_day",
            'ds.convert_calendar("standard", align_on="year", use_cftime=False)',
        ),
    ],
)
def test_calendars_of_climate_models(
    calendar: str, call: str, weights: dict[str, Weights]
) -> None:
    """The call of the message works on a grid with a CRS, and keeps it."""
    pytest.importorskip("cftime")
    ds = projected().convert_calendar(calendar, align_on="year", use_cftime=True)
    with pytest.raises(InputError) as caught:
        CALLS["predict"](ds, **weights)
    assert call in str(caught.value)
    converted = eval(call, {"ds": ds})  # the printed text is what is tested
    out = CALLS["predict"](converted, **weights)
    assert out.rio.crs == ds.rio.crs
    assert out.dims == ("time", "y", "x")
    assert out.isel(x=0, y=0).notnull().all()


def test_members_of_an_ensemble_are_sites(weights: dict[str, Weights]) -> None:
    """A further dimension goes through; each member is answered by itself."""
    ds = projected()
    wetter = ds.assign(precipitation=2 * ds.precipitation)
    wetter.precipitation.attrs = ds.precipitation.attrs
    weather = ["precipitation", "temperature", "shortwave_radiation"]
    both = xr.concat([ds[weather], wetter[weather]], "member").assign(
        ds.drop_vars(weather)
    )
    out = xstefaland.predict(both.chunk(member=1), "streamflow", **weights).compute()
    assert out.sizes["member"] == 2
    assert out.rio.crs == ds.rio.crs
    alone = xstefaland.predict(wetter, "streamflow", **weights)
    np.testing.assert_allclose(
        out.isel(member=1).transpose(*alone.dims), alone, atol=1e-6
    )
