"""Places of training: cells, their corners, and distances to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import WeightsError
from xstefaland.weights.evidence import Places, cell, corner


@given(st.floats(-90, 89.9), st.floats(-180, 359.9))
def test_a_cell_is_named_by_its_corner(latitude: float, longitude: float) -> None:
    """What is written can be read, and the point lies in the cell."""
    south, west = corner(cell(latitude, longitude))
    assert south <= latitude < south + 1
    assert -180 <= west <= 179
    here = Places.of([latitude], [longitude])
    assert here.distance(np.array([latitude]), np.array([longitude]))[0] < 0.01


@given(
    st.floats(-80, 80), st.floats(-180, 180), st.floats(-80, 80), st.floats(-180, 180)
)
def test_distances_are_those_along_the_surface(
    lat: float, lon: float, north: float, east: float
) -> None:
    """About that to a point of the cell, which is a degree long and wide."""
    from pyproj import Geod

    sphere = Geod(a=6371e3, b=6371e3)
    whole = sphere.inv(lon, lat, east, north)[2] / 1000
    found = Places.of([north], [east]).distance(np.array([lat]), np.array([lon]))[0]
    assert whole - 158 <= found <= 1.01 * whole + 112


def test_many_sites_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a block changes nothing."""
    rng = np.random.default_rng(0)
    places = Places.of(rng.uniform(-60, 70, 40), rng.uniform(-180, 180, 40))
    sites = rng.uniform(-60, 70, 25), rng.uniform(-180, 180, 25)
    whole = places.distance(*sites)
    monkeypatch.setattr("xstefaland.weights.evidence.BLOCK", 7)
    np.testing.assert_array_equal(places.distance(*sites), whole)


def test_nothing_known_is_no_distance() -> None:
    """Sites without position are NaN; without any cell all else is infinitely far."""
    sites = np.array([45.0, np.nan]), np.array([7.0, 7.0])
    nowhere = Places(count=3, cells=())
    np.testing.assert_array_equal(nowhere.distance(*sites), [np.inf, np.nan])
    none = np.empty(0)
    assert nowhere.distance(none, none).shape == (0,)


@pytest.mark.parametrize(
    "name", ["", "N45", "N45W93", "45N093W", "N45W093x", "n45w093"]
)
def test_what_is_no_cell(name: str) -> None:
    """A card may hold anything; the message shows what a cell looks like."""
    with pytest.raises(WeightsError, match="such as 'N45W093'"):
        Places(count=1, cells=(name,)).corners()
