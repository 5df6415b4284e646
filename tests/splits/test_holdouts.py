"""Holdouts: deterministic, balanced, labelled, and no place on both sides."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xstefaland import splits
from xstefaland.errors import InputError


@pytest.fixture
def basins():
    """Eight basins with a daily forcing, positions and a hydrological region."""
    site = [f"{number:08d}" for number in range(8)]
    return xr.Dataset(
        {"precipitation": (("site", "time"), np.zeros((8, 3)))},
        coords={
            "site": site,
            "huc_02": ("site", [1, 1, 2, 3, 3, 17, 17, 17]),
            "latitude": ("site", np.linspace(30, 48, 8), {"units": "degrees_north"}),
        },
    )


@given(sites=st.integers(2, 200), folds=st.integers(2, 12), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_random_folds_are_balanced_and_repeatable(sites, folds, seed):
    """Fold sizes differ by one at most; the same seed gives the same folds."""
    folds = min(folds, sites)
    fold = splits.random_holdout(range(sites), folds, rng=seed)
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    xr.testing.assert_identical(
        fold, splits.random_holdout(range(sites), folds, rng=seed)
    )


def test_default_folds_need_no_seed(basins):
    """Without arguments the draw is the same in every process."""
    fold = splits.random_holdout(basins, 4)
    assert (
        fold.values.tolist() == splits.random_holdout(basins, 4, rng=0).values.tolist()
    )
    assert (
        fold.values.tolist() != splits.random_holdout(basins, 4, rng=1).values.tolist()
    )


def test_folds_carry_the_sites_labels(basins):
    """Dims and coords of the sites stay, so folds select from the Dataset."""
    fold = splits.random_holdout(basins, 4)
    assert fold.name == "fold"
    assert fold.dtype == np.int64
    for name in ("site", "huc_02", "latitude"):
        xr.testing.assert_identical(fold[name].variable, basins[name].variable)
    assert basins.sel(site=fold.site[fold == 0]).sizes == {"site": 2, "time": 3}
    xr.testing.assert_equal(splits.random_holdout(basins["site"], 4), fold)


def test_days_of_a_site_stay_together():
    """An array with time is split by its sites, as a Dataset is."""
    flow = xr.DataArray(np.zeros((2, 5)), {"site": ["a", "b"]}, ("site", "time"))
    fold = splits.random_holdout(flow, 2)
    assert fold.identical(splits.random_holdout(flow.to_dataset(name="flow"), 2))


def test_grid_cells_are_sites():
    """Both dims of a grid are kept."""
    grid = xr.Dataset({"t": (("time", "lat", "lon"), np.zeros((2, 3, 4)))})
    fold = splits.random_holdout(grid, 3)
    assert fold.dims == ("lat", "lon")
    assert np.bincount(fold.values.ravel()).tolist() == [4, 4, 4]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.9])
def test_fraction_holds_out_that_share(fraction):
    """Fold 0 is held out, -1 is the rest."""
    fold = splits.random_holdout(range(40), fraction=fraction)
    assert (fold == 0).sum() == round(40 * fraction)
    assert set(np.unique(fold)) == {-1, 0}


@given(groups=st.lists(st.sampled_from("abcdef"), min_size=8), seed=st.integers(0, 9))
@settings(max_examples=50)
def test_groups_stay_together(groups, seed):
    """No group lies in two folds, whatever the draw."""
    if len(set(groups)) < 2:
        groups = [*groups, "g"]
    fold = splits.random_holdout(range(len(groups)), 2, groups=groups, rng=seed).values
    for name in set(groups):
        assert len({f for f, g in zip(fold, groups, strict=True) if g == name}) == 1


@pytest.mark.parametrize("form", ["dataset", "array", "series", "lazy"])
def test_sites_of_one_place_stay_together_unasked(basins, form):
    """Each of eight basins twice, under another name: no pair is split."""
    pairs = xr.concat([basins, basins.assign_coords(site=basins.site + "b")], "site")
    lon = np.tile(np.linspace(-100, -70, 8), 2)
    pairs = pairs.assign_coords(longitude=("site", lon, {"units": "degrees_east"}))
    given = {
        "dataset": pairs,
        "array": pairs.site,
        "series": pairs.precipitation,
        "lazy": pairs.chunk(site=3),
    }[form]
    fold = splits.random_holdout(given, 4)
    assert fold.values[:8].tolist() == fold.values[8:].tolist()
    assert np.bincount(fold.values).tolist() == [4, 4, 4, 4]
    split = splits.random_holdout(pairs, 4, groups=pairs.site)
    assert splits.leaks(split, np.tile(np.arange(8), 2)).any()
    with pytest.raises(InputError, match="with 8 different places or groups"):
        splits.random_holdout(given, 9)


def test_one_gauge_far_apart_stays_together():
    """Archives disagree on where a gauge is; its number counts within a country."""
    table = xr.Dataset(
        coords={
            "site": list("abcdef"),
            "latitude": ("site", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            "longitude": ("site", [0.0] * 6),
            "gauge": ("site", ["7", "7", "7", "8", "", ""]),
            "country": ("site", ["US", "US", "GB", "GB", "GB", "GB"]),
        }
    )
    folds = splits.random_holdout(table, 5).values
    assert folds[0] == folds[1]
    assert len(set(folds)) == 5
    bare = table.drop_vars("country")
    assert len(set(splits.random_holdout(bare, 4).values[:3])) == 1


def test_cells_of_a_grid_are_places_of_their_own():
    """However close: all of a fine grid would be one place."""
    axes = {"lat": [0.0, 0.01], "lon": [0.0, 0.01]}
    assert len(np.unique(splits.random_holdout(xr.Dataset(coords=axes), 4))) == 4


def test_regions_of_the_field(basins):
    """Lists of regions are one fold each; other sites are never held out."""
    fold = splits.regional_holdout(basins["huc_02"], [[1, 2], [17]])
    assert fold.values.tolist() == [0, 0, 0, -1, -1, 1, 1, 1]
    alone = splits.regional_holdout(basins["huc_02"], [17])
    assert alone.values.tolist() == [-1, -1, -1, -1, -1, 0, 0, 0]


def test_leave_one_region_out_names_its_regions(basins):
    """Folds follow the sorted regions, which the result lists."""
    fold = splits.leave_one_region_out(basins["huc_02"])
    assert fold.values.tolist() == [0, 0, 1, 2, 2, 3, 3, 3]
    assert fold.attrs["regions"] == [1, 2, 3, 17]


def test_site_without_region_is_never_held_out():
    """Missing regions are -1, for numbers and for text."""
    assert splits.leave_one_region_out([2.0, np.nan, 1.0]).values.tolist() == [1, -1, 0]
    text = np.array(["s", None, "n"], dtype=object)
    assert splits.leave_one_region_out(text).values.tolist() == [1, -1, 0]


def test_spatial_blocks_are_compact():
    """Clusters far apart become blocks, across the date line and at the pole too."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 179.9], [50.0, 10.0], [89.5, 0.0]], 20, axis=0)
    lat, lon = (centres + rng.normal(0, 0.3, centres.shape)).T
    lon = (lon + 180) % 360 - 180
    lon[40:] = rng.uniform(-180, 180, 20)
    fold = splits.spatial_blocks(lat, lon, folds=3).values
    assert [len(set(fold[k : k + 20])) for k in (0, 20, 40)] == [1, 1, 1]
    assert len(set(fold)) == 3


def test_same_place_by_distance_is_great_circle():
    """10 km apart is one place, 10.1 km is not; longitude shrinks with latitude."""
    degree = 180 / np.pi / 6371.0
    for lat in (0.0, 60.0, -80.0):
        step = degree / np.cos(np.radians(lat))
        near = splits.same_place([lat, lat], [179.99, 179.99 + 9.9 * step])
        far = splits.same_place([lat, lat], [179.99, 179.99 + 10.1 * step])
        assert near.values.tolist() == [0, 0]
        assert far.values.tolist() == [0, 1]


def test_same_place_follows_chains_and_ids():
    """A near B and B called C make one place of the three."""
    lat, lon = [10.0, 10.05, -40.0, 70.0], [5.0, 5.0, 5.0, 5.0]
    place = splits.same_place(lat, lon, ids=["1", "2", "2", "3"])
    assert place.values.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("missing", [None, "", np.nan])
def test_missing_ids_and_positions_match_nothing(missing):
    """Sites of which nothing is known are places of their own."""
    ids = np.array([missing, missing, "7", "7"], dtype=object)
    place = splits.same_place([np.nan] * 4, [np.nan] * 4, ids=ids)
    assert place.values.tolist() == [0, 1, 2, 2]


def test_same_place_on_a_grid_keeps_labels():
    """1-D latitude and longitude of a grid broadcast to its cells."""
    lat = xr.DataArray([0.0, 0.05, 5.0], dims="lat", coords={"lat": [0.0, 0.05, 5.0]})
    lon = xr.DataArray([0.0, 90.0], dims="lon", coords={"lon": [0.0, 90.0]})
    place = splits.same_place(lat, lon)
    assert place.dims == ("lat", "lon")
    assert place.values.tolist() == [[0, 1], [0, 1], [2, 3]]


@given(
    points=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1),
    radius=st.floats(0, 60),
)
@settings(max_examples=50)
def test_same_place_equals_brute_force(points, radius):
    """The tree finds what a table of all distances finds."""
    lat, lon = np.array(points).T * 0.1
    phi, lam = np.radians(lat), np.radians(lon)
    half = (
        np.sin((phi[:, None] - phi) / 2) ** 2
        + np.cos(phi[:, None]) * np.cos(phi) * np.sin((lam[:, None] - lam) / 2) ** 2
    )
    distance = 2 * 6371.0 * np.arcsin(np.sqrt(half))
    if np.any(abs(distance - radius) < 1e-6):
        return  # on the edge, rounding decides
    place = splits.same_place(lat, lon, radius_km=radius).values
    near = distance <= radius
    assert (place[:, None] == place)[near].all()
    for _ in range(len(points)):
        near = near @ near  # whatever is reachable
    assert not (place[:, None] == place)[~near].any()


def test_no_place_on_both_sides_of_a_real_split(real_data):
    """CAMELS and Caravan share gauges; with groups= no place is on both sides."""
    with (
        xr.open_dataset(real_data / "camels_us.nc") as camels,
        xr.open_dataset(real_data / "caravan_100d.nc") as caravan,
    ):
        names = {"gauge_lat": "latitude", "lat": "latitude"}
        names |= {"gauge_lon": "longitude", "lon": "longitude"}
        lat, lon = [], []
        for source in (camels, caravan):
            found = {names[n]: n for n in source.variables if n in names}
            lat.append(source[found["latitude"]].values)
            lon.append(source[found["longitude"]].values)
    place = splits.same_place(np.concatenate(lat), np.concatenate(lon))
    camels_places, caravan_places = np.split(place.values, [671])
    assert len(set(camels_places) & set(caravan_places)) > 300
    fold = splits.random_holdout(place, fraction=0.1, groups=place)
    held_out, kept = (set(place.values[fold.values == k]) for k in (0, -1))
    assert held_out
    assert not held_out & kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 1}, r"folds=1 is not possible with 5 .*from 2 to 5, or fraction="),
        ({"folds": 6}, r"folds=6 is not possible with 5"),
        ({}, r"folds=10 is not possible with 5"),
        ({"fraction": 1.5}, r"fraction=1.5 has to lie between 0 and 1"),
        ({"fraction": 0.01}, r"fraction=0.01 of 5 places or groups holds out 0"),
        ({"folds": 2, "fraction": 0.1}, r"exclude each other"),
        (
            {"folds": 2, "groups": [1, 2]},
            r"groups has shape \(2,\) and the sites \(5,\)",
        ),
        ({"folds": 2, "groups": [1, 2, 3, np.nan, 4]}, r"1 of 5 sites have no group"),
    ],
)
def test_wrong_random_holdout_says_why(arguments, message):
    """Each message has what was passed and what is possible."""
    with pytest.raises(InputError, match=message):
        splits.random_holdout(range(5), **arguments)


def test_wrong_regions_are_reported_together():
    """A region without sites and one listed twice: one error."""
    with pytest.raises(InputError, match="2 problems") as caught:
        splits.regional_holdout(["n", "s"], [["n"], ["n", "w"]])
    assert "no site lies in ['w']; the regions are ['n', 's']" in str(caught.value)
    assert "['n'] may be held out only once" in str(caught.value)


def test_wrong_positions_say_why():
    """NaN positions for blocks, a negative radius, ids of another length."""
    with pytest.raises(InputError, match=r"1 of 3 sites have no position; drop them"):
        splits.spatial_blocks([0.0, np.nan, 1.0], [0.0, 0.0, 1.0], folds=2)
    with pytest.raises(InputError, match=r"folds=3 is not possible with 2 different"):
        splits.spatial_blocks([0.0, 0.0, 1.0], [0.0, 0.0, 1.0], folds=3)
    with pytest.raises(InputError, match=r"radius_km=-1 has to be zero or more"):
        splits.same_place([0.0], [0.0], radius_km=-1)
    with pytest.raises(InputError, match=r"ids has shape \(1,\) and the sites \(2,\)"):
        splits.same_place([0.0, 1.0], [0.0, 1.0], ids=["7"])


def test_array_without_labels_is_refused():
    """A plain 2-D array says nothing about sites."""
    with pytest.raises(InputError, match=r"shape \(2, 2\) has no site labels"):
        splits.random_holdout(np.zeros((2, 2)), 2)


def test_folds_of_an_array_keep_its_coordinates_not_its_own_attributes(basins):
    """Units of latitude stay with the coordinate; those of the regions are gone."""
    region = basins["huc_02"].assign_attrs(units="1", long_name="region")
    fold = splits.regional_holdout(region, [1, 17])
    assert fold.latitude.attrs == {"units": "degrees_north"}
    assert "long_name" not in fold.attrs
    assert "units" not in fold.attrs
