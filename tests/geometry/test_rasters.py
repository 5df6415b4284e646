"""Attributes from rasters: numbers and classes, points and basins, any CRS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

gpd = pytest.importorskip("geopandas")
shapely = pytest.importorskip("shapely")
rioxarray = pytest.importorskip("rioxarray")
pytest.importorskip("exactextract")

from xstefaland.errors import InputError  # noqa: E402 (after the optional ones)
from xstefaland.geometry import basin_means, sample_attributes  # noqa: E402


def raster(values: Any, crs: str = "EPSG:4326", **attrs: Any) -> xr.DataArray:
    """Cells of one unit whose upper left corner is (0, rows)."""
    values = np.asarray(values)
    rows, columns = values.shape
    array = xr.DataArray(
        values,
        coords={"y": rows - 0.5 - np.arange(rows), "x": 0.5 + np.arange(columns)},
        dims=("y", "x"),
        attrs=attrs,
    )
    return array.rio.write_crs(crs)


HEIGHT = [[100.0, 200.0, 300.0], [400.0, 500.0, np.nan]]
COVER = [[1.0, 1.0, 2.0], [3.0, 2.0, np.nan]]


def series(*shapes: Any, crs: str = "EPSG:4326") -> Any:
    """Sites called a, b, c ..."""
    return gpd.GeoSeries(list(shapes), list("abcdef"[: len(shapes)]), crs=crs)


def test_points() -> None:
    """The value of the cell; beyond the raster and at nodata there is none."""
    places = [(0.1, 1.9), (2.9, 1.1), (1.5, 0.5), (2.5, 0.5), (9.0, 9.0)]
    sites = series(*map(shapely.Point, places))
    with pytest.warns(UserWarning, match=r"elevation: no value at 'd', 'e'"):
        found = sample_attributes({"elevation": raster(HEIGHT, units="m")}, sites)
    np.testing.assert_array_equal(found.elevation, [100, 300, 500, np.nan, np.nan])
    assert found.elevation.dims == ("site",)
    assert found.elevation.attrs["units"] == "m"
    assert found.latitude.values.tolist()[:2] == [1.9, 1.1]
    assert "area" not in found.coords


def test_basins() -> None:
    """Means over covered cells, those without a value left out."""
    sites = series(shapely.box(0, 0.5, 1, 2), shapely.box(1, 0, 3, 1))
    layers = {"elevation": raster(HEIGHT, units="m")}
    plain = sample_attributes(layers, sites, weighting="cells")
    np.testing.assert_allclose(plain.elevation, [(100 + 0.5 * 400) / 1.5, 500])
    means = basin_means(layers["elevation"].to_dataset(name="elevation"), sites)
    found = sample_attributes(layers, sites)
    np.testing.assert_allclose(found.elevation, means.elevation, rtol=1e-12)
    assert found.elevation.dims == ("basin",)
    xr.testing.assert_allclose(found.area, means.area.drop_vars("fraction_covered"))


def test_classes() -> None:
    """Fractions of each class, the most frequent one, and a table of shares."""
    sites = series(shapely.box(0, 0, 3, 2), shapely.box(0, 1, 3, 2))
    layers = {"cover": raster(COVER)}
    options: dict[str, Any] = {"weighting": "cells"}
    shares = sample_attributes(
        layers, sites, categories={"cover": "fractions"}, **options
    )
    assert set(shares.data_vars) == {"cover_1", "cover_2", "cover_3"}
    np.testing.assert_allclose(shares.cover_1, [2 / 5, 2 / 3])
    np.testing.assert_allclose(shares.cover_3, [1 / 5, 0])
    assert shares.cover_1.attrs["units"] == "1"
    most = sample_attributes(layers, sites, categories={"cover": "majority"}, **options)
    assert most.cover.values.tolist() == [1, 1]
    table = {"cover": {"frac_forest": [1, 3], "crop_frac": [2]}}
    named = sample_attributes(layers, sites, categories=table, **options)
    np.testing.assert_allclose(named.frac_forest, [3 / 5, 2 / 3])
    np.testing.assert_allclose(named.frac_forest + named.crop_frac, 1)
    point = sample_attributes(layers, series(shapely.Point(0, 2)), categories=table)
    assert float(point.frac_forest[0]) == 1


def test_files(tmp_path: Path) -> None:
    """Nodata, scale and offset of a GeoTIFF count; one band is chosen by the user."""
    path = tmp_path / "dem.tif"
    stored = raster(np.array([[10, 20, 30], [40, 50, -99]], "i2")).rio.write_nodata(-99)
    stored.rio.to_raster(path)
    sites = series(shapely.box(0, 0, 3, 2))
    found = sample_attributes({"elevation": path}, sites, weighting="cells")
    np.testing.assert_allclose(found.elevation, [30])
    assert "units" not in found.elevation.attrs
    given = sample_attributes(
        {"elevation": str(path)}, sites, units={"elevation": "km"}
    )
    assert given.elevation.attrs["units"] == "km"
    with rioxarray.open_rasterio(path) as unmasked:
        again = sample_attributes({"elevation": unmasked}, sites, weighting="cells")
    np.testing.assert_allclose(again.elevation, [30])


def test_scale_and_offset_of_an_array() -> None:
    """They count whoever opened the file; masked or not, the answer is the same."""
    packed = {"scale_factor": 0.1, "add_offset": 5.0}
    sites = series(shapely.box(0, 0, 3, 2))
    masked = raster([[100.0, 300.0, np.nan]] * 2, **packed)
    stored = raster(np.array([[100, 300, -9]] * 2, "i2"), **packed, _FillValue=-9)
    for array in (masked, stored, stored.chunk()):
        found = sample_attributes({"elevation": array}, sites)
        np.testing.assert_allclose(found.elevation, [25], rtol=1e-6)


def test_basins_that_are_partly_beyond_the_raster() -> None:
    """The value is that of the part inside, and that is said."""
    sites = series(shapely.box(0, 0, 3, 2), shapely.box(2, 0, 7, 2))
    with pytest.warns(UserWarning, match=r"beyond the raster.*\(20% at least\): 'b'"):
        found = sample_attributes({"elevation": raster(HEIGHT)}, sites)
    np.testing.assert_allclose(found.elevation, [300, 300], rtol=1e-3)


def test_sites_are_brought_to_the_raster(real_data: Path) -> None:
    """A terrain raster in UTM, sites in degrees: points of the ground and a basin."""
    path = real_data / "rasters" / "ta.tif"
    with pytest.raises(InputError, match=r"5 bands \(slope, .*choose one"):
        sample_attributes({"elevation": path}, series(shapely.Point(0, 0)))
    with rioxarray.open_rasterio(path, masked=True) as bands:
        band = bands.sel(band=4).load()
    x, y = float(band.x[100]), float(band.y[50])
    centre = series(shapely.Point(x, y), crs="EPSG:32717").to_crs("EPSG:4326")
    found = sample_attributes({"elevation": band}, centre)
    assert float(found.elevation[0]) == float(band[50, 100])
    assert abs(float(found.latitude[0]) + 3.97) < 0.1
    box = series(shapely.box(x, y - 300, x + 400, y), crs="EPSG:32717")
    mean = sample_attributes({"elevation": band}, box.to_crs("EPSG:4326"))
    inner = band.sel(x=slice(x, x + 400), y=slice(y, y - 300)).mean()
    np.testing.assert_allclose(mean.elevation, inner, rtol=2e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"rasters": {"elevation": "nowhere.tif"}}, r"'nowhere.tif' cannot be read"),
        (
            {"rasters": {"elevation": raster(HEIGHT, units="kg")}},
            r"elevation: units 'kg' cannot be converted to 'm'",
        ),
        (
            {"rasters": {"precipitation": raster(HEIGHT)}},
            r"daily weather.*basin_means",
        ),
        (
            {"rasters": {"elevation": raster(HEIGHT).expand_dims(time=2)}},
            r"dims \('time', 'y', 'x'\); a raster has two",
        ),
        (
            {"rasters": {"elevation": raster(HEIGHT)}, "units": {"height": "m"}},
            r"units= names 'height'; the rasters are 'elevation'",
        ),
        (
            {
                "rasters": {"cover": raster(COVER)},
                "categories": {"cover": "median"},
            },
            r"'median'.*'majority'",
        ),
        (
            {
                "rasters": {"slope": raster(COVER, units="s"), "clay": "nowhere.tif"},
                "categories": {"cover": "majority"},
            },
            r"(?s)3 problems.*categories.*slope.*nowhere",
        ),
    ],
)  # fmt: skip
def test_rasters_that_cannot_be_used(call: dict[str, Any], words: str) -> None:
    """Refused by name, all at once."""
    with pytest.raises(InputError, match=words):
        sample_attributes(sites=series(shapely.Point(1, 1)), **call)


def test_unknown_names_are_said() -> None:
    """They come along; the nearest name of the catalogue is shown."""
    sites = series(shapely.Point(0.5, 1.5))
    with pytest.warns(UserWarning, match=r"'elevaton'.*did you mean 'elevation'"):
        found = sample_attributes({"elevaton": raster(HEIGHT)}, sites)
    assert float(found.elevaton[0]) == 100


def test_mixed_sites_are_refused() -> None:
    """Points and polygons have different meanings."""
    sites = series(shapely.Point(0.5, 1.5), shapely.box(0, 0, 1, 1))
    with pytest.raises(InputError, match="take them apart"):
        sample_attributes({"elevation": raster(HEIGHT)}, sites)


def test_beside_the_weather() -> None:
    """Attributes go to basin means by assign, and to the model."""
    import xstefaland
    from xstefaland.testing import example_grid, tiny_weights

    shapes = series(shapely.box(5, 44.6, 5.3, 45), shapely.box(5.2, 44.5, 5.6, 44.9))
    weather = example_grid()[["precipitation", "temperature"]]
    means = basin_means(weather, shapes)
    height = raster(np.tile(np.arange(60.0), (8, 1)).T * 10, units="m")
    attributes = sample_attributes({"elevation": height}, shapes)
    both = means.assign(attributes)
    assert set(both.coords) == set(means.coords)
    assert pyproj.CRS(both.geometry.attrs["crs"]) == shapes.crs
    table = xstefaland.check(both, weights=tiny_weights()).table.set_index("name")
    assert table.how["elevation"] == "name"


def test_points_west_of_greenwich_on_a_raster_from_0_to_360() -> None:
    """Longitudes of points are brought to the raster's turn round the Earth."""
    lat, lon = np.arange(89.0, -90, -2), np.arange(1.0, 360, 2)
    ramp = xr.DataArray(np.tile(lon, (90, 1)), {"lat": lat, "lon": lon})
    ramp.attrs["units"] = "m"
    sites = series(shapely.Point(-9.0, 50.0), shapely.Point(171.0, -40.0))
    found = sample_attributes({"elevation": ramp}, sites)
    assert found.elevation.values.tolist() == [351.0, 171.0]
