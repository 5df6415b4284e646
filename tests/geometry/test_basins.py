"""Means over basins: against exactextract itself, analytic cases, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import dask
import numpy as np
import pyproj
import pytest
import xarray as xr

gpd = pytest.importorskip("geopandas")
shapely = pytest.importorskip("shapely")
exactextract = pytest.importorskip("exactextract")

from xstefaland.errors import InputError  # noqa: E402 (after the optional ones)
from xstefaland.geometry import basin_means  # noqa: E402

Make = Callable[..., xr.Dataset]
TOLERANCE = 2e-7


def basins(*shapes: Any, crs: Any = "EPSG:4326", names: Any = None) -> Any:
    """GeoSeries of the given shapes, called a, b, c ..."""
    return gpd.GeoSeries(
        list(shapes), names or list("abcdefgh"[: len(shapes)]), crs=crs
    )


def wobbly(x: float, y: float, radius: float, seed: int = 0) -> Any:
    """A star-like polygon with many corners."""
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    r = radius * (1 + 0.3 * np.sin(5 * angle + seed) + 0.1 * np.cos(11 * angle))
    return shapely.Polygon(np.stack([x + r * np.cos(angle), y + r * np.sin(angle)], 1))


def by_exactextract(
    ds: xr.Dataset, shapes: Any, weight: str = "area_spherical_m2"
) -> np.ndarray:
    """Means of every day of precipitation, computed by exactextract alone."""
    pytest.importorskip("rioxarray")
    days = ds.precipitation.rename(lat="y", lon="x").rio.write_crs("EPSG:4326")
    means = [
        exactextract.exact_extract(
            day.drop_vars("time"),
            shapes.to_frame("geometry"),
            f"mean(coverage_weight={weight})",
            output="pandas",
        )["mean"]
        for day in days
    ]
    return np.array(means).T


@pytest.mark.parametrize("weighting", ["area", "cells"])
@pytest.mark.parametrize("gaps", [False, True])
def test_equals_exactextract(grid: Make, weighting: Any, gaps: bool) -> None:
    """Area weights and plain ones, with and without missing cells."""
    ds = grid()
    if gaps:
        hidden = np.random.default_rng(1).random(ds.precipitation.shape) < 0.2
        ds["precipitation"] = ds.precipitation.where(~hidden)
    stars = [(6.1, 49.1, 0.7), (6.9, 48.6, 0.5), (6.0, 49.0, 0.04)]
    shapes = basins(*(wobbly(*star) for star in stars))
    ours = basin_means(ds, shapes, weighting)
    name = {"area": "area_spherical_m2", "cells": "fraction"}[weighting]
    theirs = by_exactextract(ds, shapes, name)
    np.testing.assert_allclose(ours.precipitation, theirs, rtol=TOLERANCE)
    assert ours.precipitation.dims == ("basin", "time")


def test_area_weights_are_those_of_the_sphere(grid: Make) -> None:
    """A box over whole rows weighs each row by the difference of its sines."""
    ds = grid(lat=[80.0, 60.0, 40.0], lon=[0.0, 20.0])
    means = basin_means(ds, basins(shapely.box(-10, 30, 30, 90)))
    edges = np.sin(np.radians([[90, 70], [70, 50], [50, 30]]))
    rows = edges[:, 0] - edges[:, 1]
    expected = (ds.precipitation.mean("lon") * rows).sum("lat") / rows.sum()
    np.testing.assert_allclose(means.precipitation[0], expected, rtol=1e-12)
    plain = basin_means(ds, basins(shapely.box(-10, 30, 30, 90)), "cells")
    np.testing.assert_allclose(plain.elevation[0], ds.elevation.mean(), rtol=1e-12)


def test_projected_grids_weigh_by_their_areal_scale(grid: Make) -> None:
    """On a Mercator map cells in the north are smaller than they look."""
    ds = grid(lat=[8e6, 6e6], lon=[0.0, 2e6], days=1).rename(lat="y", lon="x")
    ds = ds.assign_coords(spatial_ref=((), 0, {"crs_wkt": "EPSG:3857"}))
    whole = basins(shapely.box(-1e6, 5e6, 3e6, 9e6), crs="EPSG:3857")
    area = 1 / np.cosh(np.array([8e6, 6e6]) / 6378137.0) ** 2  # of a sphere
    expected = (ds.elevation.mean("x") * area).sum() / area.sum()
    np.testing.assert_allclose(basin_means(ds, whole).elevation[0], expected, rtol=3e-3)
    plain = basin_means(ds, whole, "cells").elevation[0]
    assert abs(float(plain / expected) - 1) > 0.01


def test_labels(grid: Make) -> None:
    """Names, outlines, area, centroid, CF attributes; nothing of the grid is left."""
    ds = grid().assign_coords(spatial_ref=((), 0, {"grid_mapping_name": "lat_lon"}))
    ds["precipitation"].attrs |= {"cell_methods": "time: sum", "grid_mapping": "crs"}
    ds["co2"] = ("time", np.arange(5.0))
    shapes = gpd.GeoDataFrame(
        {"code": ["x", "y"]},
        geometry=[shapely.box(5, 49, 6, 50), shapely.box(6, 48, 7, 49)],
        crs="EPSG:4326",
    ).set_index("code")
    means = basin_means(ds, shapes)
    assert means.basin.values.tolist() == ["x", "y"]
    assert set(means.dims) == {"basin", "time"}
    assert set(means.coords) == {
        "basin", "time", "geometry", "area", "latitude", "longitude",
        "fraction_covered",
    }  # fmt: skip
    assert means.latitude.values.tolist() == [49.5, 48.5]
    assert means.longitude.values.tolist() == [5.5, 6.5]
    assert means.area.attrs["units"] == "km2"
    equal_area = shapes.to_crs("EPSG:6933").area / 1e6
    np.testing.assert_allclose(means.area, equal_area, rtol=1e-4)
    assert pyproj.CRS(means.geometry.attrs["crs"]) == shapes.crs
    assert shapely.equals(means.geometry.values, shapes.geometry.values).all()
    assert means.precipitation.attrs["cell_methods"] == "time: sum area: mean"
    assert means.precipitation.attrs["units"] == "mm d-1"
    assert "grid_mapping" not in means.precipitation.attrs
    assert means.co2.dims == ("time",)
    again = gpd.GeoSeries(means.geometry.values, crs=means.geometry.attrs["crs"])
    assert again.crs == shapes.crs


def test_order_of_dims_and_of_axes_does_not_matter(grid: Make) -> None:
    """Ascending or descending, time first or last, members: the same means."""
    ds, shapes = grid(), basins(wobbly(6.1, 49.1, 0.7))
    expected = basin_means(ds, shapes).precipitation
    for other in (
        ds.isel(lat=slice(None, None, -1)),
        ds.isel(lon=slice(None, None, -1)),
        ds.transpose("lon", "lat", "time"),
    ):
        found = basin_means(other, shapes).precipitation
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    both = xr.concat([ds.precipitation, 2 * ds.precipitation], "member")
    found = basin_means(ds.assign(precipitation=both), shapes).precipitation
    assert found.dims == ("basin", "member", "time")
    np.testing.assert_allclose(found[:, 1], 2 * expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "bool"])
def test_dtypes(grid: Make, dtype: str) -> None:
    """Single precision stays single; sums are double inside."""
    ds = grid()[["precipitation"]].astype(dtype)
    found = basin_means(ds, basins(wobbly(6.1, 49.1, 0.7))).precipitation
    assert found.dtype == ("f8" if dtype == "f8" else "f4")
    exact = basin_means(ds.astype("f8"), basins(wobbly(6.1, 49.1, 0.7))).precipitation
    np.testing.assert_allclose(found, exact, rtol=TOLERANCE)


@pytest.mark.parametrize(
    "chunks",
    [
        {"time": 2},
        {"time": -1, "lat": 3, "lon": 5},
        {"time": 3, "lat": (1, 9), "lon": 12},
    ],
)
def test_lazy_equals_eager(
    grid: Make,
    chunks: Any,
    no_compute: Callable[[], AbstractContextManager[None]],
) -> None:
    """Whatever the chunks; nothing is computed beforehand; chunks of time stay."""
    ds = grid()
    ds["precipitation"] = ds.precipitation.where(ds.precipitation > 0.3)
    shapes = basins(wobbly(6.1, 49.1, 0.7), wobbly(6.9, 48.6, 0.5))
    lazy = ds.chunk(chunks)
    with no_compute():
        means = basin_means(lazy, shapes)
    assert means.precipitation.chunksizes["time"] == lazy.chunksizes["time"]
    expected = basin_means(ds, shapes)
    xr.testing.assert_allclose(means.compute(), expected, rtol=1e-12)
    assert means.compute().precipitation.attrs == expected.precipitation.attrs


def test_blocks_without_a_basin_are_never_read(grid: Make) -> None:
    """Memory and time follow the basins, not the grid."""
    import dask.array as da

    read = []

    def block(block_info: Any = None) -> np.ndarray:
        where = block_info[None]["chunk-location"]
        read.append(where)
        return np.ones(block_info[None]["chunk-shape"])

    ds = grid(lat=np.arange(8.0), lon=np.arange(8.0))[["precipitation"]]
    values = da.map_blocks(
        block, chunks=((5,), (2,) * 4, (2,) * 4), dtype=float, meta=np.zeros((0, 0, 0))
    )
    ds["precipitation"] = (("time", "lat", "lon"), values)
    with dask.config.set(scheduler="sync"):
        basin_means(ds, basins(shapely.box(2, 2, 3, 3))).precipitation.compute()
    assert set(read) == {(0, 1, 1)}


def test_missing_cells_and_covered_share(grid: Make) -> None:
    """Weights go to the cells that have values; the share says how much that was."""
    ds = grid(lat=[0.5, -0.5], lon=[0.5, 1.5], days=4)
    values = np.full((4, 2, 2), 7.0)
    values[1, :, 0] = np.nan
    values[2] = np.nan
    ds["precipitation"] = (("time", "lat", "lon"), values)
    whole = basins(shapely.box(0, -1, 2, 1))
    means = basin_means(ds, whole)
    np.testing.assert_allclose(means.precipitation[0], [7, 7, np.nan, 7])
    np.testing.assert_allclose(means.fraction_covered, (1 + 0.5 + 0 + 1) / 4)
    strict = basin_means(ds, whole, min_covered=0.6)
    np.testing.assert_allclose(strict.precipitation[0], [7, np.nan, np.nan, 7])
    with pytest.raises(InputError, match=r"min_covered=60 is no share"):
        basin_means(ds, whole, min_covered=60)


def test_values_as_a_file_has_them(grid: Make) -> None:
    """Numbers that say missing are left out, packed ones unpacked, and lazily so."""
    ds = grid(lat=[0.5, -0.5], lon=[0.5, 1.5], days=2)
    values = np.full((2, 2, 2), 70, "i2")
    values[1, :, 0] = -9
    said = {"_FillValue": np.int16(-9), "scale_factor": 0.1, "units": "mm d-1"}
    ds["precipitation"] = (("time", "lat", "lon"), values, said)
    for given in (ds, ds.chunk(lat=1)):
        means = basin_means(given, basins(shapely.box(0, -1, 2, 1)))
        np.testing.assert_allclose(means.precipitation[0], [7, 7], rtol=1e-6)
        np.testing.assert_allclose(means.fraction_covered, 0.75)
        assert set(means.precipitation.attrs) == {"units", "cell_methods"}


def test_smaller_than_a_cell(grid: Make) -> None:
    """The value of the cell, and the whole basin is covered."""
    ds = grid()
    means = basin_means(ds, basins(shapely.box(5.01, 49.51, 5.02, 49.52)))
    cell = ds.precipitation.sel(lat=49.5, lon=5)
    np.testing.assert_allclose(means.precipitation[0], cell, rtol=1e-12)
    assert means.fraction_covered.values.tolist() == [1]


def test_partly_and_wholly_outside(grid: Make) -> None:
    """Said by name; the part inside counts, beyond it there is nothing."""
    ds = grid(lat=[0.5, -0.5], lon=[0.5, 1.5])
    inside, half = shapely.box(0, -1, 2, 1), shapely.box(0.5, -1, 3.5, 1)
    far = shapely.box(50, 50, 51, 51)
    with (
        pytest.warns(UserWarning, match=r"partly in the grid.*'b' 50%.*min_covered"),
        pytest.warns(UserWarning, match=r"outside the grid.*'c'"),
    ):
        means = basin_means(ds, basins(inside, half, far))
    np.testing.assert_allclose(means.fraction_covered, [1, 0.5, 0], rtol=1e-6)
    assert means.precipitation[2].isnull().all()
    part = basin_means(ds, basins(shapely.box(0.5, -1, 2, 1))).precipitation[0]
    np.testing.assert_allclose(means.precipitation[1], part, rtol=1e-12)
    with pytest.raises(InputError, match=r"no basin lies in the grid.*lon 0 to 2"):
        basin_means(ds, basins(far))


def test_crs_of_basins_is_brought_to_the_grid(grid: Make) -> None:
    """A basin in UTM gives what the same basin in degrees gives."""
    ds, shapes = grid(), basins(wobbly(6.1, 49.1, 0.7))
    moved = basin_means(ds, shapes.to_crs("EPSG:32632"))
    plain = basin_means(ds, shapes)
    np.testing.assert_allclose(moved.precipitation, plain.precipitation, rtol=1e-6)
    np.testing.assert_allclose(moved.area, plain.area, rtol=1e-6)
    assert "32632" in pyproj.CRS(moved.geometry.attrs["crs"]).to_string()


def global_grid(first: float) -> xr.Dataset:
    """Whole-Earth grid of 2 degrees whose cells depend on the place alone."""
    lon = first + 2 * np.arange(180.0)
    lat = 89 - 2 * np.arange(90.0)
    x, y = np.meshgrid(np.radians(lon), np.radians(lat))
    values = 3 + np.cos(x) * np.cos(y) + np.sin(3 * x)
    return xr.Dataset({"p": (("lat", "lon"), values)}, {"lat": lat, "lon": lon})


@pytest.mark.parametrize("first", [1.0, -179.0, 0.0, -359.0])
def test_round_the_earth(first: float) -> None:
    """Grids of 0..360 and -180..180, basins at 0 and 180 degrees in every form."""
    ds = global_grid(first)
    greenwich = shapely.box(-7, 40, 5, 52)
    east_form = shapely.box(353, 40, 365, 52)
    split = shapely.MultiPolygon(
        [shapely.box(175, 10, 180, 20), shapely.box(-180, 10, -173, 20)]
    )
    beyond = shapely.box(175, 10, 187, 20)
    wrapped = shapely.Polygon([(175, 10), (-173, 10), (-173, 20), (175, 20)])
    shapes = basins(greenwich, east_form, split, beyond, wrapped)
    means = basin_means(ds, shapes)
    np.testing.assert_allclose(means.fraction_covered, 1, rtol=1e-6)
    found = means.p.values
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
    np.testing.assert_allclose(found[3:], found[2], rtol=1e-12)
    np.testing.assert_allclose(means.area[3:], means.area[2], rtol=1e-9)
    np.testing.assert_allclose(abs(means.longitude[2:]), [179] * 3, atol=1e-9)
    if first != 0.0:  # the same cells, from another longitude on
        np.testing.assert_allclose(
            found, basin_means(global_grid(-179.0), shapes).p, rtol=1e-9
        )


def test_round_a_pole_is_refused() -> None:
    """A ring round a pole is no polygon in degrees; a polar grid takes it."""
    circle = [(0, 80), (90, 75), (170, 80), (-100, 70), (-10, 80)]
    polar = basins(shapely.Polygon(circle))
    with pytest.raises(InputError, match=r"'a' goes round a pole.*reproject"):
        basin_means(global_grid(1.0), polar)


def test_bow_ties_are_repaired_and_said(grid: Make) -> None:
    """Both triangles count; the warning names the basin."""
    tie = shapely.Polygon([(5, 48.5), (6, 49.5), (6, 48.5), (5, 49.5)])
    triangles = shapely.MultiPolygon(
        [
            shapely.Polygon([(5, 48.5), (5.5, 49), (5, 49.5)]),
            shapely.Polygon([(6, 48.5), (6, 49.5), (5.5, 49)]),
        ]
    )
    with pytest.warns(UserWarning, match=r"repaired.*'b'"):
        means = basin_means(grid(), basins(triangles, tie))
    both = means.precipitation.values
    np.testing.assert_allclose(both[1], both[0], rtol=1e-12)
    np.testing.assert_allclose(means.area[1], means.area[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (lambda: basins(None, shapely.Polygon()), r"'a', 'b' is empty.*is_empty"),
        (lambda: basins(shapely.Point(6, 49)), r"'a' is a Point; Polygon"),
        (lambda: basins(shapely.box(5, 48, 6, 49), crs=None), r"no CRS.*set_crs"),
        (
            lambda: basins(*[shapely.box(5, 48, 6, 49)] * 2, names=["q", "q"]),
            r"'q' is there more than once.*dissolve",
        ),
        (lambda: basins(), "there is none"),
        (lambda: [shapely.box(5, 48, 6, 49)], r"not a list.*read_file"),
        (
            lambda: basins(shapely.Polygon([(5, 48), (6, 49), (5.5, 48.5)])),
            r"'a' has no area.*drop",
        ),
    ],
)
def test_polygons_that_cannot_be_used(grid: Make, shapes: Any, words: str) -> None:
    """Each is refused by name, with the call that helps."""
    with pytest.raises(InputError, match=words):
        basin_means(grid(), shapes())


def test_all_problems_at_once(grid: Make) -> None:
    """One error for all polygons."""
    mixed = basins(None, shapely.Point(0, 0), crs=None)
    with pytest.raises(InputError, match=r"(?s)3 problems.*no CRS.*empty.*Point"):
        basin_means(grid(), mixed)


def test_the_empty_basin_of_the_real_file(real_data: Any) -> None:
    """Four polygons and one empty geometry: the empty one is named."""
    shapes = gpd.read_file(real_data / "basins.gpkg")
    shapes = shapes.set_index(shapes.columns[0])
    ds = global_grid(1.0)
    with pytest.raises(InputError, match="03439000"):
        basin_means(ds, shapes)
    good = shapes[~(shapes.geometry.isna() | shapes.geometry.is_empty)]
    means = basin_means(ds, good)
    assert means.p.notnull().all()
    equal_area = good.to_crs("EPSG:6933").area / 1e6
    np.testing.assert_allclose(means.area, equal_area, rtol=2e-3)


def test_variables_that_are_no_numbers(grid: Make) -> None:
    """Classes and text are left out by name; without any number that is an error."""
    ds, shapes = grid(), basins(wobbly(6.1, 49.1, 0.7))
    ds["cover"] = (ds.elevation > 1).astype(int).assign_attrs(flag_values=[0, 1])
    ds["text"] = ds.elevation.astype(str)
    with pytest.warns(UserWarning, match=r"left out: 'cover', 'text'.*categories"):
        means = basin_means(ds, shapes)
    assert set(means.data_vars) == {"precipitation", "elevation"}
    with pytest.raises(InputError, match=r"no variable of the grid can be averaged"):
        basin_means(ds[["text"]], shapes)
    with pytest.raises(InputError, match=r"a DataArray, a Dataset is needed"):
        basin_means(ds.elevation, shapes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"weighting='people'.*'area' or 'cells'"):
        basin_means(ds, shapes, "people")  # type: ignore[arg-type]


def test_predict_takes_the_means(grid: Make) -> None:
    """Grid to basins to hydrographs; geometry and area come along."""
    import xstefaland
    from xstefaland.testing import example_grid, tiny_head, tiny_weights

    shapes = basins(shapely.box(5, 44.6, 5.3, 45), shapely.box(5.2, 44.5, 5.6, 44.9))
    encoder = tiny_weights()
    options: dict[str, Any] = {"weights": encoder, "head": tiny_head(encoder)}
    means = basin_means(example_grid(), shapes)
    assert xstefaland.check(means, weights=encoder).ok
    flow = xstefaland.predict(means, "streamflow", **options)
    assert flow.dims == ("basin", "time")
    assert flow.notnull().all()
    for name in ("geometry", "area", "latitude", "fraction_covered"):
        assert name in flow.coords
    lazy = basin_means(example_grid().chunk(lat=2), shapes)
    xr.testing.assert_allclose(
        xstefaland.predict(lazy, "streamflow", **options).compute(), flow, atol=1e-5
    )
    uncut = basin_means(example_grid().chunk(time=100), shapes)
    whole = uncut.chunk(time=-1).stefaland.predict("streamflow", **options)
    np.testing.assert_allclose(whole, flow, atol=1e-5)


def test_rotated_pole_equals_the_same_cells_on_the_globe(grid: Make) -> None:
    """A basin over whole cells of a rotated grid is their mean by rotated area."""
    ds = grid(lat=[-4.0, -4.5, -5.0], lon=[-9.0, -8.5, -8.0], days=2)
    pole = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
    ds = ds.rename(lat="rlat", lon="rlon").assign_coords(pole=((), 0, pole))
    ds.precipitation.attrs["grid_mapping"] = "pole"
    for name in ("rlat", "rlon"):
        long = {"rlat": "latitude", "rlon": "longitude"}[name]
        ds[name].attrs["standard_name"] = f"grid_{long}"
    cells = shapely.segmentize(shapely.box(-9.25, -4.75, -8.25, -3.75), 0.01)
    turned = basins(cells, crs=pyproj.CRS.from_cf(pole)).to_crs("EPSG:4326")
    assert 44 < turned.total_bounds[1] < 47  # it lies in Europe
    means = basin_means(ds, turned)
    part = ds.precipitation.isel(rlat=slice(0, 2), rlon=slice(0, 2))
    expected = part.weighted(np.cos(np.radians(part.rlat))).mean(("rlat", "rlon"))
    np.testing.assert_allclose(means.precipitation[0], expected, rtol=1e-4)
    assert 44 < float(means.latitude[0]) < 47
