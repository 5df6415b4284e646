"""Places: who is left out together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import haversine_distances

from xstefaland.training.places import (
    kept_apart,
    left_out_sites,
    named_sites,
    place_cells,
)


@pytest.fixture
def sites() -> pd.DataFrame:
    """Three hundred sites of two sources; gauges occur twice, in two countries."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "site": [f"a-{i}" for i in range(150)] + [f"b-{i}" for i in range(150)],
            "gauge": [f"{i}" for i in range(150)] * 2,
            "country": ["England"] * 150 + ["United Kingdom"] * 100 + ["Chile"] * 50,
            "lat": rng.uniform(40, 45, 300),
            "lon": rng.uniform(0, 5, 300),
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_left_out_places_are_far_from_training_sites(
    sites: pd.DataFrame, seed: int
) -> None:
    """No training site shares a gauge with, or lies within 10 km of, a held-out one."""
    role = left_out_sites(sites, 0.2, seed)
    held, train = sites[role == "held out"], sites[role == "train"]
    assert len(held) > 20
    british = [part[part["country"] != "Chile"]["gauge"] for part in (held, train)]
    assert set(british[0]).isdisjoint(british[1])
    radians = [np.deg2rad(part[["lat", "lon"]].to_numpy()) for part in (held, train)]
    assert haversine_distances(*radians).min() * 6371 > 10


def test_a_number_counts_within_its_country(sites: pd.DataFrame) -> None:
    """The same number in another country is another gauge, if it is far away."""
    far = sites.assign(lat=np.linspace(-60, 60, 300), lon=np.linspace(-170, 170, 300))
    role = left_out_sites(far, 0.3, 0)
    held = set(far["gauge"][(role == "held out") & (far["country"] == "England")])
    chile = far["country"] == "Chile"
    assert (role[chile] != "dropped").all()
    assert (far["gauge"][chile & (role == "train")].isin(held)).any()


def test_neighbours_beyond_the_edge_of_a_cell_are_dropped() -> None:
    """Two sites 2 km apart in different cells never part; the third is free."""
    table = pd.DataFrame(
        {
            "site": ["a", "b", "c"],
            "gauge": "",
            "country": "",
            "lat": [45.49, 45.51, 60.0],
            "lon": 8.0,
        }
    )
    found = {tuple(left_out_sites(table, 0.3, seed)[:2]) for seed in range(30)}
    assert found == {
        ("train", "train"),
        ("held out", "dropped"),
        ("dropped", "held out"),
        ("held out", "held out"),
    }
    last = {left_out_sites(table, 0.3, seed).iloc[2] for seed in range(30)}
    assert last == {"train", "held out"}


@pytest.mark.parametrize(("apart", "near"), [(9.9, True), (10.1, False)])
def test_ten_kilometres_are_ten_kilometres(apart: float, near: bool) -> None:
    """Along a meridian, 111.195 km to the degree, across the edge of a cell."""
    lat = [45.4999, 45.4999 + apart / 111.195]
    table = pd.DataFrame({"site": ["a", "b"], "gauge": "", "country": "", "lat": lat})
    roles = [left_out_sites(table.assign(lon=8.1), 0.5, seed) for seed in range(20)]
    assert any((role == "held out").sum() == 1 for role in roles)
    assert any((role == "dropped").any() for role in roles) == near


def test_roles_repeat_with_the_seed_and_do_not_depend_on_order(
    sites: pd.DataFrame,
) -> None:
    """The list can be made again from the card's seed."""
    role = left_out_sites(sites, 0.2, 3)
    shuffled = sites.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(left_out_sites(shuffled, 0.2, 3).sort_index(), role)
    assert (left_out_sites(sites, 0.2, 4) != role).any()


def test_another_source_does_not_change_who_is_held_out(sites: pd.DataFrame) -> None:
    """A cell's draw is its own: the corpus may grow without new places held out."""
    held = left_out_sites(sites, 0.2, 3) == "held out"
    fewer = sites.iloc[40:120]
    np.testing.assert_array_equal(
        left_out_sites(fewer, 0.2, 3) == "held out", held[40:120]
    )


def test_the_share_of_cells_is_about_what_is_asked() -> None:
    """Of four thousand cells a tenth, none or all."""
    sites = pd.DataFrame(
        {
            "site": [f"{i}" for i in range(4000)],
            "gauge": "",
            "country": "",
            "lat": np.repeat(np.linspace(-60, 60, 50), 80),
            "lon": np.tile(np.linspace(-170, 170, 80), 50),
        }
    )
    shares = [(left_out_sites(sites, s, 1) == "held out").mean() for s in (0.1, 0, 1)]
    assert shares == [pytest.approx(0.1, abs=0.02), 0, 1]


def test_sites_of_unknown_position_are_places_of_their_own(sites: pd.DataFrame) -> None:
    """They may be held out like any other, and are near to nobody."""
    sites.loc[::3, ["lat", "lon"]] = np.nan
    cells = place_cells(sites)
    assert cells[::3].is_unique
    role = left_out_sites(sites.assign(gauge=""), 0.2, 0)
    assert set(role[::3]) == {"train", "held out"}
    nowhere = sites.assign(lat=np.nan, lon=np.nan, gauge="")
    assert set(left_out_sites(nowhere, 0.2, 0)) == {"train", "held out"}


def test_named_sites_are_meant_in_every_source(sites: pd.DataFrame) -> None:
    """By gauge number or by label; their neighbours are dropped."""
    table = sites.assign(source=sites["site"].str[:1])
    assert table["site"][named_sites(table, ["7"])].tolist() == ["a-7", "b-7"]
    alone = table.assign(gauge="")
    assert alone["site"][named_sites(alone, ["7", ""])].tolist() == ["a-7", "b-7"]
    held = table["site"] == "a-7"
    role = kept_apart(table, held)
    assert role[table["site"] == "b-7"].tolist() == ["dropped"]  # the same gauge
    assert role[held].tolist() == ["held out"]
    assert (role == "train").sum() > 280
