"""Maps put values and colours at their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cartopy
import cartopy.crs as ccrs
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shapefile
import xarray as xr

from xstefaland import metrics, set_options
from xstefaland import plotting as p
from xstefaland.errors import InputError
from xstefaland.plotting import coastlines
from xstefaland.testing import example_grid, example_points


@pytest.fixture
def points() -> xr.DataArray:
    """Elevation of six sites, one of them unknown."""
    elevation = example_points().elevation
    return elevation.where(elevation.site != "site003")


@pytest.fixture
def embedding() -> xr.DataArray:
    """Embeddings of 5 x 7 cells that differ along two axes, one of them sea."""
    x, y = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 5))
    rng = np.random.default_rng(0)
    axes = np.abs(rng.normal(size=(2, 16)))
    values = 9 * x[..., None] * axes[0] + y[..., None] * axes[1]
    values[0, 0] = np.nan
    return xr.DataArray(
        values,
        dims=("lat", "lon", "embedding"),
        coords={"lat": np.linspace(50, 49, 5), "lon": np.linspace(5, 7, 7)},
    )


def test_points_lie_at_their_coordinates(points: xr.DataArray) -> None:
    """A site without a value is not drawn."""
    ax = p.map(points, coastlines=False)
    (dots,) = ax.collections
    known = points.dropna("site")
    np.testing.assert_allclose(
        dots.get_offsets(), np.c_[known.longitude, known.latitude]
    )
    np.testing.assert_array_equal(dots.get_array(), known)
    assert ax.figure.axes[1].get_ylabel() == "elevation [m]"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("longitude [°E]", "latitude [°N]")


def test_grid_is_not_turned() -> None:
    """Cells keep their values, though the dims come as (lon, lat) and north is up."""
    grid = example_grid().temperature.mean("time", keep_attrs=True)
    (mesh,) = p.map(grid.transpose("lon", "lat"), coastlines=False).collections
    np.testing.assert_array_equal(mesh.get_array(), grid.values)
    corners = mesh.get_coordinates()
    north = np.isclose(corners[..., 1], float(grid.lat[0]) + 0.125)
    assert north[0].all()


def test_colours_reach_the_percentiles_or_what_is_asked(points: xr.DataArray) -> None:
    """And the bar has arrows where values lie beyond."""
    (dots,) = p.map(points, coastlines=False).collections
    low, high = np.nanquantile(points, [0.02, 0.98])
    np.testing.assert_allclose(dots.get_clim(), (low, high))
    (dots,) = p.map(points, vmin=0, vmax=500, coastlines=False).collections
    assert dots.get_clim() == (0, 500)
    assert dots.colorbar.extend == "max"


def test_coordinates_are_found_by_what_they_say() -> None:
    """Standard name or units go before names."""
    attrs = {"units": "degrees_north"}
    values = xr.DataArray(
        [1.0, 2.0],
        dims="gauge",
        coords={
            "b": ("gauge", [40.0, 41.0], attrs),
            "a": ("gauge", [7.0, 8.0], {"standard_name": "longitude"}),
            "lat": ("gauge", [0.0, 0.0], {"standard_name": "grid_latitude"}),
        },
    )
    (dots,) = p.map(values, coastlines=False).collections
    np.testing.assert_array_equal(dots.get_offsets(), [[7, 40], [8, 41]])


def test_projected_grids_have_their_own_axes() -> None:
    """Metres are no degrees: no coastlines, equal axes, own labels."""
    values = xr.DataArray(
        np.ones((2, 3)),
        dims=("y", "x"),
        coords={
            "y": ("y", [5e6, 6e6], {"units": "m", "long_name": "northing"}),
            "x": [1e5, 2e5, 3e5],
        },
    )
    ax = p.map(values)
    assert ax.get_ylabel() == "northing [m]"
    assert ax.get_aspect() == 1


def test_what_has_no_place(points: xr.DataArray, embedding: xr.DataArray) -> None:
    """The error has the call that helps."""
    with pytest.raises(InputError, match=r"there is the dim 'time'.*\.mean\('time'\)"):
        p.map(example_points().temperature)
    with pytest.raises(InputError, match=r"no latitude and longitude.*\(site\)"):
        p.map(points.drop_vars(["latitude", "longitude"]))
    with pytest.raises(InputError, match="'embedding' is not among them"):
        p.embedding_colours(points)
    with pytest.raises(InputError, match="1 of the sampled places"):
        p.embedding_colours(embedding[:1, :2])


def test_skill_map_is_the_score_after_the_spinup() -> None:
    """Values are those of the metrics module, in the scale of the score."""
    ds = example_points(5, 200)
    sim = ds.temperature.assign_attrs(spinup_days=50)
    obs = (sim + np.arange(5)[:, None]).where(sim.time > sim.time[99])
    ax = p.skill_map(sim, obs, coastlines=False)
    (dots,) = ax.collections
    np.testing.assert_allclose(dots.get_array(), metrics.nse(obs, sim))
    assert dots.get_clim() == (0, 1)
    assert ax.get_title(loc="left").endswith("5 sites")
    (dots,) = p.skill_map(sim, obs, "bias", coastlines=False).collections
    low, high = dots.get_clim()
    assert low == -high
    starts_wrong = obs.where(obs.time >= sim.time[50], 1e6)
    (same,) = p.skill_map(sim, starts_wrong, coastlines=False).collections
    np.testing.assert_allclose(same.get_array(), metrics.nse(obs, sim))


def test_colours_are_principal_components(embedding: xr.DataArray) -> None:
    """The first colour follows the axis of most variance; sea stays missing."""
    colours = p.embedding_colours(embedding)
    assert colours.dims == ("lat", "lon", "rgb")
    assert float(colours.min()) == 0
    assert float(colours.max()) == 1
    red = colours.isel(rgb=0)
    assert bool((red.diff("lon").isel(lat=slice(1, None)) >= 0).all())
    assert np.isnan(colours[0, 0]).all()
    assert int(colours.isnull().sum()) == 3


def test_colours_do_not_depend_on_chunks_or_order(embedding: xr.DataArray) -> None:
    """Lazy in, lazy out; the sign of an axis is settled."""
    eager = p.embedding_colours(embedding)
    lazy = p.embedding_colours(embedding.chunk(lon=3))
    assert lazy.chunks
    np.testing.assert_allclose(lazy, eager, atol=1e-6)
    turned = p.embedding_colours(embedding[::-1, ::-1])[::-1, ::-1]
    np.testing.assert_allclose(turned, eager, atol=1e-6)


def test_colours_are_learned_from_few_chunks() -> None:
    """Of a hundred chunks three are computed to learn, and each once to draw."""
    computed = []

    def block(block_info: Any = None) -> Any:
        computed.append(block_info[None]["chunk-location"][0])
        return np.random.default_rng(computed[-1]).normal(size=(10, 8))

    chunks = ((10,) * 100, (8,))
    array = da.map_blocks(block, chunks=chunks, dtype=float, meta=np.empty((0, 0)))
    lazy = p.embedding_colours(xr.DataArray(array, dims=("site", "embedding")))
    assert sorted(computed) == [0, 50, 99]
    lazy.compute()
    assert len(computed) == 103


def test_embedding_map(embedding: xr.DataArray) -> None:
    """Cells have their colours, sea is see-through; points work as well."""
    (mesh,) = p.embedding_rgb(embedding, coastlines=False).collections
    drawn = np.asarray(mesh.get_array()).reshape(5, 7, 4)
    colours = p.embedding_colours(embedding)
    np.testing.assert_allclose(drawn[1:, :, :3], colours[1:], atol=1e-6)
    assert drawn[0, 0, 3] == 0
    assert drawn[..., 3].sum() == 34
    points = embedding.isel(lat=1).assign_coords(lat=("lon", np.full(7, 49.0)))
    (dots,) = p.embedding_rgb(points, coastlines=False).collections
    np.testing.assert_allclose(
        dots.get_facecolors()[:, :3], p.embedding_colours(points), atol=1e-6
    )


@pytest.fixture
def natural_earth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A folder of cartopy's with one coastline in it."""
    line = np.array([[-110.0, 35.0], [-100.0, 45.0], [-90.0, 40.0]])
    folder = tmp_path / "shapefiles" / "natural_earth" / "physical"
    folder.mkdir(parents=True)
    with shapefile.Writer(folder / "ne_110m_coastline") as file:
        file.field("name", "C")
        file.line([line.tolist()])
        file.record("shore")
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", tmp_path)
    coastlines._coastlines.cache_clear()
    yield line
    coastlines._coastlines.cache_clear()


def test_coastlines_are_drawn_within_the_limits(
    points: xr.DataArray, natural_earth: np.ndarray
) -> None:
    """They lie under the dots and change no limits; cartopy's Axes take them too."""
    bare = p.map(points, coastlines=False)
    ax = p.map(points)
    (lines,) = [c for c in ax.collections if c.get_zorder() < 1]
    np.testing.assert_array_equal(lines.get_segments()[0], natural_earth)
    assert ax.get_xlim() == bare.get_xlim()
    own = plt.figure().add_subplot(projection=ccrs.PlateCarree())
    assert p.map(points, ax=own) is own
    assert len(own.collections) == 2


def test_without_data_there_are_no_coastlines(
    points: xr.DataArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline silently; where fetching fails, with a warning, once."""
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", tmp_path)
    monkeypatch.setitem(cartopy.config, "data_dir", tmp_path)
    coastlines._coastlines.cache_clear()
    assert len(p.map(points).collections) == 1

    def refuse(**_: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("cartopy.io.shapereader.natural_earth", refuse)
    with set_options(offline=False):
        with pytest.warns(UserWarning, match="no coastlines.*no route"):
            p.map(points)
        p.map(points)
    coastlines._coastlines.cache_clear()


def test_time_of_the_index_is_kept_out() -> None:
    """A map of one day of a grid needs no dropping of its date."""
    grid = example_grid(days=10)
    day = grid.temperature.sel(time=pd.Timestamp("2001-01-03"))
    (mesh,) = p.map(day, coastlines=False).collections
    np.testing.assert_array_equal(mesh.get_array(), day.values)


GLOBE = np.roll(np.arange(-180.0, 180, 10), 18)


@pytest.mark.parametrize(
    ("east", "edges"),
    [
        ([178.0, 179, -180, -179], [177.5, 178.5, 179.5, 180.5, 181.5]),
        ([358.0, 359, 0, 1], [-2.5, -1.5, -0.5, 0.5, 1.5]),
        (GLOBE, np.arange(-5.0, 360, 10)),
        ([3.0, 1, 2], [0.5, 1.5, 2.5, 3.5]),
        ([7.0], [6.5, 7.5]),
    ],
    ids=["date line", "Greenwich", "globe", "unsorted", "one column"],
)
def test_cells_are_as_wide_as_they_lie_apart(east: Any, edges: Any) -> None:
    """No cell spans the map where longitudes jump, and a single one is to be seen."""
    lat, values = [2.0, 3.0], np.arange(2.0 * len(east)).reshape(2, -1)
    grid = xr.DataArray(values, {"lat": lat, "lon": np.asarray(east)}, ("lat", "lon"))
    (cells,) = p.map(grid, coastlines=False).collections
    np.testing.assert_allclose(cells.get_coordinates()[0, :, 0], edges)
    np.testing.assert_allclose(cells.get_coordinates()[:, 0, 1], [1.5, 2.5, 3.5])
    turned = np.asarray(east)[np.argsort(np.unwrap(east, period=360))]
    np.testing.assert_array_equal(cells.get_array(), grid.sel(lon=turned))


def test_places_of_cells_in_other_dims_than_values() -> None:
    """Two-dimensional coordinates lie each in its own order."""
    north, east = np.meshgrid([45.0, 46.0], [5.0, 6.0, 7.0], indexing="ij")
    coords = {"lat": (("y", "x"), north), "lon": (("x", "y"), east.T)}
    grid = xr.DataArray(np.arange(6.0).reshape(2, 3), coords, ("y", "x"))
    (cells,) = p.map(grid, coastlines=False).collections
    places = (cells.get_coordinates()[:-1, :-1] + 0.5).reshape(-1, 2).tolist()
    shown = dict(zip(map(tuple, places), cells.get_array().ravel(), strict=True))
    expected = zip(zip(east.flat, north.flat, strict=True), range(6), strict=True)
    assert shown == dict(expected)


def test_yes_and_no_on_a_map() -> None:
    """As `xstefaland.unseen` answers."""
    ds = example_points()
    (dots,) = p.map(ds.elevation > 900, coastlines=False).collections
    np.testing.assert_array_equal(dots.get_array(), ds.elevation > 900)


def test_a_score_of_no_site() -> None:
    """A map without colours, and no warning."""
    ds = example_points()
    ax = p.skill_map(ds.precipitation, ds.precipitation * np.nan, "bias")
    assert ax.get_title(loc="left") == "median nan, 0 sites"
