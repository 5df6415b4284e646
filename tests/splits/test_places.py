"""Continents, leaks between folds, and what is left to train on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics.pairwise import haversine_distances

from xstefaland import splits
from xstefaland.errors import InputError

CONTINENTS = {
    "North America": {"United States of America", "Canada", "Puerto Rico", "Mexico",
                      "Jamaica"},
    "South America": {"Brazil", "Chile", "Argentina"},
    "Africa": {"South Africa", "Namibia", "Liberia"},
    "Oceania": {"Australia", "New Zealand"},
    "Asia": {"Israel"},
}  # fmt: skip


def test_continents_of_real_gauges(real_data):
    """All 14 711 gauges lie on the continent of their country."""
    table = pd.read_parquet(real_data / "caravan_attributes.parquet")
    found = splits.continents(
        table["gauge_lat"].to_numpy(), table["gauge_lon"].to_numpy()
    )
    known = {c: name for name, countries in CONTINENTS.items() for c in countries}
    expected = table["country"].map(known).fillna("Europe").to_numpy()
    assert (found.values == expected)[table["country"].notna()].all()


def test_continents_of_the_rest():
    """Cities on borders, islands, both notations of longitude, the unknown."""
    places = {
        "Europe": [(36.0, -5.6), (37.0, 15.1), (35.1, 25.0), (64.1, -21.9),
                   (55.0, 59.0)],
        "Africa": [(35.7, -5.9), (36.8, 10.2), (30.0, 31.2), (11.5, 43.1),
                   (-18.9, 47.5)],
        "Asia": [(39.9, 32.8), (35.2, 33.3), (21.5, 39.2), (15.3, 44.2), (-6.2, 106.8),
                 (35.7, 139.7), (66.0, -172.0), (15.0, 121.0)],
        "Oceania": [(-41.3, 174.8), (-9.4, 147.2), (-18.1, 178.4), (-12.5, 130.8),
                    (-13.8, -171.8)],
        "North America": [(9.9, -84.1), (64.2, -51.7), (18.0, -76.8), (61.2, -149.9)],
        "South America": [(11.0, -74.8), (4.7, -74.1), (-54.8, -68.3), (-0.9, -89.6)],
        "Antarctica": [(-77.8, 166.7)],
    }  # fmt: skip
    for name, points in places.items():
        lat, lon = np.array(points).T
        assert set(splits.continents(lat, lon).values) == {name}
        assert set(splits.continents(lat, lon % 360).values) == {name}
    assert splits.continents([np.nan], [8.0]).item() == ""


def test_leaks_within_ten_kilometres():
    """Sites near one of another fold are found, near ones of the same fold are not."""
    rng = np.random.default_rng(0)
    lat, lon = 47 + rng.random(150), 8 + rng.random(150)
    place = splits.same_place(lat, lon)
    apart = splits.random_holdout(range(150), 5)
    together = splits.random_holdout(range(150), 3, groups=place)
    assert splits.leaks(apart, place).any()
    assert not splits.leaks(together, place).any()
    kilometres = 6371 * haversine_distances(np.radians(np.c_[lat, lon]))
    for number in range(5):
        train = splits.training_part(apart, number, place=place).values
        assert train.any()
        assert kilometres[train][:, (apart == number).values].min() > 10


def test_what_is_left_to_train_on():
    """Never what is held out; -1 always, but at the place of one held out."""
    fold = xr.DataArray([0, 1, -1, -1], {"site": list("abcd")}, "site")
    train = splits.training_part(fold, 0)
    assert train.values.tolist() == [False, True, True, True]
    assert train.name == "train"
    xr.testing.assert_identical(train["site"], fold["site"])
    train = splits.training_part(fold, 0, place=[5, 6, 5, 7])
    assert train.values.tolist() == [False, True, False, True]
    with pytest.raises(InputError, match=r"number=2 is no fold; there are \[0, 1\]"):
        splits.training_part(fold, 2)
    with pytest.raises(InputError, match=r"place has shape \(1,\)"):
        splits.training_part(fold, 0, place=[1])


def test_days():
    """Stretches in turn, chosen years, a gap of days beside them."""
    time = pd.date_range("2000-01-01", "2003-12-31")
    ds = xr.Dataset({"q": ("time", np.zeros(len(time)))}, {"time": time})
    fold = splits.time_holdout(ds, 4)
    assert np.bincount(fold).max() - np.bincount(fold).min() <= 1
    assert (np.diff(fold) >= 0).all()
    fold = splits.time_holdout(time, [slice("2001", "2001"), slice("2003", None)])
    assert fold.sel(time="2001").values.tolist() == [0] * 365
    assert set(fold.sel(time="2002").values) == {-1}
    assert set(fold.sel(time="2003").values) == {1}
    train = splits.training_part(fold, 0, gap=30)
    left_out = train.time[~train].to_index()
    assert left_out[0] == pd.Timestamp("2000-12-02")
    assert left_out[-1] == pd.Timestamp("2002-01-30")


def test_labels_in_another_order():
    """By position they would be other sites' places: held-out ones would leak."""
    fold = xr.DataArray([0, 1, -1], {"site": ["a", "b", "c"]}, "site")
    place = xr.DataArray([0, 1, 0], {"site": ["c", "b", "a"]}, "site")
    for call in (
        lambda: splits.training_part(fold, 0, place=place),
        lambda: splits.leaks(fold, place),
        lambda: splits.random_holdout(fold, 2, groups=place),
        lambda: splits.same_place(fold, fold, ids=place),
    ):
        with pytest.raises(InputError, match=r"in another order .*reindex_like"):
            call()
    own = place.reindex_like(fold)
    assert splits.training_part(fold, 0, place=own).values.tolist() == [
        False,
        True,
        False,
    ]


def test_a_series_goes_by_its_index():
    """As an array by its labels; an index that counts rows says nothing."""
    fold = xr.DataArray([0, 1, -1], {"basin": ["a", "b", "c"]}, "basin")
    place = pd.Series([0, 1, 0], index=["c", "b", "a"])
    with pytest.raises(InputError, match="in another order"):
        splits.training_part(fold, 0, place=place)
    for same in (place[::-1], place[::-1].reset_index(drop=True)):
        train = splits.training_part(fold, 0, place=same)
        assert train.values.tolist() == [False, True, False]
    assert splits.leave_one_region_out(place).site.values.tolist() == ["c", "b", "a"]
    drawn = splits.random_holdout(place.reset_index(drop=True), 2)
    assert "site" not in drawn.coords


def test_latitude_and_longitude_of_the_same_sites():
    """Ids are in the latitude's order, whatever that of the longitude."""
    lat = xr.DataArray([10.0, 20.0, 30.0], {"site": ["c", "b", "a"]}, "site")
    lon = xr.DataArray([3.0, 2.0, 1.0], {"site": ["a", "b", "c"]}, "site")
    place = splits.same_place(lat, lon, ids=["7", "5", "7"])
    assert place.to_series().to_dict() == {"c": 0, "b": 1, "a": 0}
    assert splits.continents(lat, lon).site.values.tolist() == ["c", "b", "a"]
    for other in (lon[:2], lon.assign_coords(site=["a", "b", "d"]), [1.0, 2.0]):
        with pytest.raises(InputError, match="are not of the same sites"):
            splits.same_place(lat, other)


def test_a_gap_wider_than_the_record():
    """It leaves out as many labels on both sides, however few there are."""
    fold = xr.DataArray([-1, -1, -1, -1, -1, 0], dims="time")
    assert splits.training_part(fold, 0, gap=4).values.tolist() == [True] + [False] * 5
    assert not splits.training_part(fold, 0, gap=9).any()
    assert not splits.training_part(fold[::-1], 0, gap=5).any()


def test_days_that_cannot_be_held_out():
    """No day there, the same day twice, more stretches than days: all said."""
    time = pd.date_range("2000-01-01", periods=10)
    spans = [
        slice("1999", "1999"),
        slice(None, "2000-01-05"),
        slice("2000-01-05", None),
    ]
    with pytest.raises(InputError, match="2 problems") as caught:
        splits.time_holdout(time, spans)
    assert "has no day of 2000-01-01..2000-01-10" in str(caught.value)
    assert "some days are in two of them" in str(caught.value)
    with pytest.raises(InputError, match="folds=11 is not possible"):
        splits.time_holdout(time, 11)
