"""Which sites the training did not see: by name, by place, and what a check tells."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError
from xstefaland.inference.unseen import NO_PLACES, left_out
from xstefaland.testing import example_grid, example_points, tiny_head, tiny_weights
from xstefaland.weights import Places, Weights, save

OUT = ("camels-daymet-site001", "caravan-lamah_7", "site002", "a-b-with-hyphens")
EUROPE = Places(count=3, cells=("N46E007", "N47E007"))


def recarded(weights: Weights, path: Path, **entries: Any) -> Weights:
    """The same tensors under a card that says more."""
    return save(path, weights.tensors(), replace(weights.card, **entries))


@pytest.fixture
def encoder(tmp_path: Path) -> Weights:
    """It names what it left out, and where it was trained."""
    path = tmp_path / "encoder.safetensors"
    return recarded(tiny_weights(), path, left_out=OUT, places=EUROPE)


@pytest.fixture
def head(encoder: Weights, tmp_path: Path) -> Weights:
    """It left fewer sites out, and was trained elsewhere."""
    path = tmp_path / "head.safetensors"
    elsewhere = Places(count=1, cells=("S34E018",))
    return recarded(tiny_head(encoder), path, left_out=OUT[:2], places=elsewhere)


def at(*places: tuple[float, float]) -> xr.Dataset:
    """Sites of unknown names somewhere."""
    north, east = np.array(places).T
    return xr.Dataset(
        coords={"lat": ("gauge", north), "lon": ("gauge", east)},
    ).assign_coords(gauge=[f"own {number}" for number in range(len(places))])


def test_sites_are_known_by_their_ids(encoder: Weights) -> None:
    """With and without the archive, whatever hyphens they have; no part of an id."""
    ids = ["site001", "camels-daymet-site001", "lamah_7", "with-hyphens", "b-with"]
    found = xstefaland.unseen([*ids, "7", "site"], weights=encoder)
    assert found.left_out.values.tolist() == [True] * 4 + [False] * 3
    xr.testing.assert_equal(found.unseen, found.left_out.rename("unseen"))
    assert found.distance.isnull().all()


def test_plain_ids_are_asked_the_same_way(encoder: Weights, head: Weights) -> None:
    """All weights have to name a site; a card without a list names none."""
    ids = np.array([["site001", "site002"], ["with-hyphens", "hyphens-b"]])
    assert left_out(ids, [encoder]).tolist() == [[True, True], [True, False]]
    assert left_out(ids, [encoder, head]).tolist() == [[True, False], [False, False]]
    assert not left_out(ids, [tiny_weights()]).any()


def test_head_and_encoder_have_to_agree(encoder: Weights, head: Weights) -> None:
    """A site that one of them saw was seen."""
    options = {"weights": encoder, "head": head}
    ds = example_points(sites=4, days=30).drop_vars(["latitude", "longitude"])
    found = ds.stefaland.unseen("streamflow", **options)
    assert found.left_out.values.tolist() == [False, True, False, False]
    assert found.attrs["weights"] == "tiny-head, tiny"
    alone = ds.stefaland.unseen(weights=encoder)
    assert alone.left_out.values.tolist() == [False, True, True, False]
    assert found.left_out.dims == ("site",)


def test_far_places_are_unseen(encoder: Weights, head: Weights) -> None:
    """A cell counts as a whole; the nearest of any file decides."""
    ds = at((46.5, 7.5), (48.05, 7.5), (48.2, 7.5), (-33.5, 18.5), (np.nan, 7.0))
    found = xstefaland.unseen(ds, weights=encoder)
    near = found.distance.values[:3]
    np.testing.assert_allclose(near, [0, 5.56, 22.24], atol=0.01)
    assert found.distance.attrs["units"] == "km"
    assert found.unseen.values.tolist() == [False, False, True, True, False]
    both = xstefaland.unseen(ds, "streamflow", weights=encoder, head=head)
    assert both.unseen.values.tolist() == [False, False, True, False, False]
    wide = xstefaland.unseen(ds, weights=encoder, radius=30)
    assert wide.unseen.values.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("east", [179.9, -180.1, 539.9])
def test_the_date_line_is_no_edge(encoder: Weights, tmp_path: Path, east: float):
    """However a longitude is written."""
    places = Places(count=1, cells=("S18W180",))
    there = recarded(encoder, tmp_path / "fiji.safetensors", places=places)
    found = xstefaland.unseen(at((-17.5, east)), weights=there)
    np.testing.assert_allclose(found.distance, 10.6, atol=0.05)


def test_one_file_without_places_leaves_them_unknown(
    encoder: Weights, head: Weights, tmp_path: Path
) -> None:
    """Its places may be anywhere."""
    silent = recarded(head, tmp_path / "silent.safetensors", places=None)
    found = xstefaland.unseen(at((0, 0)), "streamflow", weights=encoder, head=silent)
    assert found.distance.isnull().all()
    assert not found.unseen.any()


def test_grids_and_single_sites(encoder: Weights) -> None:
    """The answer lies on the dims of the sites."""
    grid = xstefaland.unseen(example_grid(), weights=encoder)
    assert grid.unseen.dims == ("lat", "lon")
    assert grid.distance.notnull().all()
    one = example_points(days=30).isel(site=0, drop=True)
    assert xstefaland.unseen(one, weights=encoder).unseen.shape == ()


def test_tables_without_weather(encoder: Weights) -> None:
    """Positions as data variables in CF units will do."""
    ds = xr.Dataset(
        {
            "y": ("site", [46.5], {"units": "degrees_north"}),
            "x": ("site", [7.5], {"units": "degrees_east"}),
        }
    )
    assert xstefaland.unseen(ds, weights=encoder).distance.item() == 0


@pytest.mark.parametrize("sites", ["01013500", [], [1013500], 7, None])
def test_what_is_no_site(sites: Any, encoder: Weights) -> None:
    """The message says what to pass."""
    with pytest.raises(InputError, match="pass a Dataset, or a list of ids"):
        xstefaland.unseen(sites, weights=encoder)


def test_a_radius_is_a_distance(encoder: Weights) -> None:
    """Neither negative nor NaN."""
    for radius in (-1, np.nan):
        with pytest.raises(InputError, match="zero or more"):
            xstefaland.unseen(["a"], weights=encoder, radius=radius)


def test_a_check_tells(
    encoder: Weights, no_compute: Callable[[], AbstractContextManager[None]]
) -> None:
    """By name, and by place where it is in memory; nothing where nothing is known."""
    ds = example_points(sites=3, days=30)
    facts = ds.stefaland.check(weights=encoder).facts
    assert facts["Training"].startswith("3 of 3 sites known as unseen")  # far away
    nowhere = ds.drop_vars(["latitude", "longitude"])
    facts = nowhere.stefaland.check(weights=encoder).facts
    assert facts["Training"].startswith("2 of 3 sites")
    lazy = ds.assign_coords({n: ds[n].chunk() for n in ("latitude", "longitude")})
    with no_compute():
        assert "Training" not in lazy.stefaland.check(weights=encoder).facts
    unknown = ds.stefaland.check(weights=tiny_weights()).facts["Training"]
    assert unknown == NO_PLACES


def test_a_check_of_the_first_release_says_what_it_cannot_know() -> None:
    """Its cards name sites and no places: 75 south looks like any other place."""
    ds = example_points(sites=2, days=400)
    far = ds.assign_coords(latitude=ds.latitude * 0 - 75, longitude=ds.longitude * 0)
    facts = far.stefaland.check("streamflow").facts
    assert facts["Training"] == NO_PLACES
